//! Test support: a data directory as a pipeline would write it, and query results as CSV.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Array, Int64Array, RecordBatch, StringArray};
use headwater_connectors::fault::with_causes;
use headwater_connectors::parquet::configuration;
use headwater_connectors::parquet::record::{CommitRecord, CommittedFile, FORMAT_VERSION, FileRole, GENESIS};
use headwater_schemas::events::TransactionPhase;
use headwater_schemas::tables::{Balance, Holding, LedgerEntry, MarkPrice, TableRow, TopOfBook};
use headwater_schemas::{Date, Digest, EffectiveTime, EventTime, Id, Money, Name, Nanos, Price, Quantity, Tick, Total};
use parquet::arrow::ArrowWriter;
use tempfile::TempDir;

use crate::catalog::Catalog;
use crate::error::QueryError;
use crate::render::Format;
use crate::tables::table_named;

/// A data directory that is removed when the test ends.
pub(crate) struct TestData {
    _folder: TempDir,
    path: PathBuf,
    last: Option<CommitRecord>,
}

/// Rows for a commit, not written yet.
pub(crate) struct Rows {
    table: &'static str,
    role: FileRole,
    by_date: BTreeMap<Date, Vec<RecordBatch>>,
}

/// Rows of an append table.
pub(crate) fn facts<R: TableRow>(rows: &[R]) -> Rows {
    rows_of(FileRole::Rows, None, rows.iter().map(|row| (row, 0, 1)))
}

/// Changes of a state table, each in a tick of its own: with 1 the new row of a key, with -1 the last row of a retracted key.
pub(crate) fn changes<R: TableRow>(rows: &[(R, i32)]) -> Rows {
    changes_at(&(0..).zip(rows).map(|(tick, (row, change))| (row.clone(), tick, *change)).collect::<Vec<_>>())
}

/// Changes of a state table with their ticks, as a pipeline writes them: a row that replaces another stands for both, so a key has one
/// row in a tick.
pub(crate) fn changes_at<R: TableRow>(rows: &[(R, i64, i32)]) -> Rows {
    let mut ordered: Vec<_> = rows.iter().collect();
    let by_key_and_tick = |a: &(R, i64, i32), b: &(R, i64, i32)| a.0.cmp_key(&b.0).then(a.1.cmp(&b.1));
    ordered.sort_by(|a, b| by_key_and_tick(a, b));
    for pair in ordered.windows(2) {
        assert!(by_key_and_tick(pair[0], pair[1]).is_lt(), "two changes of a key in one tick: {pair:?}");
    }
    rows_of(FileRole::History, None, rows.iter().map(|(row, tick, change)| (row, *tick, *change)))
}

/// Changes of a state table with the reason that corrections have, as [`changes`].
pub(crate) fn corrections<R: TableRow>(reason: &str, rows: &[(R, i32)]) -> Rows {
    rows_of(FileRole::History, Some(reason), (0..).zip(rows).map(|(tick, (row, change))| (row, tick, *change)))
}

/// Rows of a checkpoint.
pub(crate) fn remembered<R: TableRow>(rows: &[R]) -> Rows {
    rows_of(FileRole::State, None, rows.iter().map(|row| (row, 0, 1)))
}

fn rows_of<'a, R: TableRow>(role: FileRole, reason: Option<&str>, rows: impl Iterator<Item = (&'a R, i64, i32)>) -> Rows {
    let mut by_date = BTreeMap::<Date, Vec<RecordBatch>>::new();
    for (row, tick, change) in rows {
        let mut columns = R::columns(&[row]);
        if role != FileRole::Rows {
            columns.push(Arc::new(Int32Array::from(vec![change])));
        }
        if role == FileRole::History {
            columns.push(Arc::new(Int64Array::from(vec![tick])));
            columns.push(Arc::new(StringArray::from(vec![reason])));
        }
        // The commit is not known yet.
        columns.push(Arc::new(Int64Array::from(vec![0])));
        let schema = table_named(R::SPEC.name).unwrap().file_schema(role);
        by_date.entry(row.event_time().date()).or_default().push(RecordBatch::try_new(schema, columns).unwrap());
    }
    Rows { table: R::SPEC.name, role, by_date }
}

impl TestData {
    pub(crate) fn new() -> Self {
        // A name with characters that need escaping in a URL.
        let folder = tempfile::Builder::new().prefix("my dätä #1 100%20=").tempdir().unwrap();
        fs::create_dir(folder.path().join("commits")).unwrap();
        Self { path: folder.path().to_owned(), _folder: folder, last: None }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn record_path(&self, commit_id: u64) -> PathBuf {
        self.path().join(format!("commits/{commit_id}.json"))
    }

    pub(crate) fn catalog(&self) -> Catalog {
        Catalog::open(self.path(), None).unwrap()
    }

    pub(crate) fn catalog_at(&self, commit_id: u64) -> Catalog {
        Catalog::open(self.path(), Some(commit_id)).unwrap()
    }

    /// Makes a commit and returns its number.
    pub(crate) fn commit(&mut self, rows: Vec<Rows>) -> u64 {
        let commit_id = self.last.as_ref().map_or(1, |last| last.commit_id + 1);
        let mut files: Vec<_> = rows.into_iter().flat_map(|rows| self.write(rows, commit_id)).collect();
        files.sort();
        fs::create_dir_all(self.path().join("commits")).unwrap();
        let configuration = configuration::keep(self.path(), "{}").unwrap();
        let mut record = CommitRecord {
            format_version: FORMAT_VERSION,
            commit_id,
            first_tick: Tick::new((commit_id - 1) * 100),
            end_tick: Tick::new(commit_id * 100),
            end_clock_ns: EffectiveTime::new(commit_id * 1_000_000_000),
            tick_interval_ns: Nanos::new(10_000_000),
            grid_interval_ns: Nanos::new(1_000_000_000),
            workers: 1,
            configuration,
            ends_run: false,
            files,
            replaced: vec![],
            dropped: vec![],
            partitions: vec![],
            gaps: vec![],
            previous_hash: self.last.as_ref().map_or(GENESIS.to_owned(), |last| last.hash.clone()),
            hash: String::new(),
            committed_at: format!("2026-01-31T09:30:{:02}.5Z", commit_id % 60),
        };
        record.hash = record.expected_hash().unwrap();
        fs::write(self.record_path(commit_id), serde_json::to_vec(&record).unwrap()).unwrap();
        self.last = Some(record);
        commit_id
    }

    fn write(&self, rows: Rows, commit_id: u64) -> Vec<CommittedFile> {
        let Rows { table, role, by_date } = rows;
        let folder = if role == FileRole::History { format!("{table}_history") } else { table.to_owned() };
        let one = |(date, batches): (Date, Vec<RecordBatch>)| {
            let path = format!("{folder}/date={date}/{commit_id}-0.parquet");
            let (rows, content) = parquet(&batches, commit_id);
            fs::create_dir_all(self.path().join(&path).parent().unwrap()).unwrap();
            fs::write(self.path().join(&path), &content).unwrap();
            let sha256 = Digest::sha256(&content).to_string();
            CommittedFile { path, table: table.to_owned(), role, merged: None, part: None, rows, bytes: content.len() as u64, sha256 }
        };
        by_date.into_iter().map(one).collect()
    }
}

fn parquet(batches: &[RecordBatch], commit_id: u64) -> (u64, Vec<u8>) {
    let schema = batches[0].schema();
    let batch = arrow::compute::concat_batches(&schema, batches).unwrap();
    let mut columns = batch.columns().to_vec();
    let commit_ids: ArrayRef = Arc::new(Int64Array::from(vec![i64::try_from(commit_id).unwrap(); batch.num_rows()]));
    *columns.last_mut().unwrap() = commit_ids;
    let mut content = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut content, Arc::clone(&schema), None).unwrap();
    writer.write(&RecordBatch::try_new(schema, columns).unwrap()).unwrap();
    writer.close().unwrap();
    (batch.num_rows() as u64, content)
}

/// The rows of a query as CSV lines without the header.
pub(crate) fn rows(catalog: &Catalog, sql: &str) -> Vec<String> {
    try_rows(catalog, sql).unwrap_or_else(|error| panic!("{sql}: {error}"))
}

/// The same, or the error.
pub(crate) fn try_rows(catalog: &Catalog, sql: &str) -> Result<Vec<String>, QueryError> {
    Ok(text(catalog, sql, Format::Csv)?.lines().skip(1).map(str::to_owned).collect())
}

/// The rows of a query in a format.
pub(crate) fn text(catalog: &Catalog, sql: &str, format: Format) -> Result<String, QueryError> {
    let mut out = Vec::new();
    catalog.query(sql)?.write(format, &mut out)?;
    Ok(String::from_utf8(out).unwrap())
}

/// The error message of a query that must fail.
pub(crate) fn message(catalog: &Catalog, sql: &str) -> String {
    match text(catalog, sql, Format::Csv) {
        Ok(answer) => panic!("{sql} was answered: {answer}"),
        Err(error) => with_causes(&error),
    }
}

/// A time on 2026-01-`day`, `seconds` after midnight.
pub(crate) fn at(day: u32, seconds: i64) -> EventTime {
    let midnight: EventTime = format!("2026-01-{day:02}T00:00:00Z").parse().unwrap();
    EventTime::from_nanos(midnight.nanos() + seconds * 1_000_000_000)
}

/// A name.
pub(crate) fn name<K>(text: &str) -> Name<K> {
    Name::new(text).unwrap()
}

/// An identifier.
pub(crate) fn id(text: &str) -> Id {
    Id::new(text).unwrap()
}

/// A balance in EUR.
pub(crate) fn balance(account: &str, posted: i64, ts: EventTime) -> Balance {
    let posted = Total::whole(posted);
    Balance { account_id: name(account), currency: name("EUR"), posted, pending: Total::ZERO, available: posted, ts }
}

/// A posted leg.
pub(crate) fn leg(transaction: &str, number: u32, account: &str, currency: &str, amount: Money, ts: EventTime) -> LedgerEntry {
    let phase = TransactionPhase::Posted;
    let entry_id = Id::derived(format!("{transaction}-posted-{number}"));
    LedgerEntry { entry_id, transaction_id: id(transaction), account_id: name(account), currency: name(currency), amount, phase, ts }
}

/// What account `a` holds of a symbol, bought at 9 EUR each.
pub(crate) fn holding(symbol: &str, quantity: i64, mark: Option<i64>, ts: EventTime) -> Holding {
    let market_value = mark.map(|mark| Money::whole(mark * quantity));
    Holding {
        account_id: name("a"),
        symbol: name(symbol),
        currency: Some(name("EUR")),
        quantity: Quantity::whole(quantity),
        average_price: Price::whole(if quantity == 0 { 0 } else { 9 }),
        cost: Money::whole(quantity * 9),
        realized_pnl: Some(Money::ZERO),
        cash_flow: Money::whole(-quantity * 9),
        fees: Money::ZERO,
        mark_price: mark.map(Price::whole),
        market_value,
        unrealized_pnl: market_value.and_then(|value| value.checked_sub(Money::whole(quantity * 9))),
        ts,
    }
}

/// A mark, and the price of the last trade.
pub(crate) fn mark(symbol: &str, mark: i64, trade: Option<i64>, ts: EventTime) -> MarkPrice {
    MarkPrice {
        symbol: name(symbol),
        mark: Some(Price::whole(mark)),
        mid: Some(Price::whole(mark)),
        quote_ts: Some(ts),
        trade: trade.map(Price::whole),
        trade_ts: trade.map(|_| ts),
        close: None,
        close_date: None,
        ts,
    }
}

/// A book with one price on each side.
pub(crate) fn book(symbol: &str, bid: i64, ask: Option<i64>, ts: EventTime) -> TopOfBook {
    let (bid_size, ask_size) = (Some(Quantity::whole(1)), ask.map(|_| Quantity::whole(1)));
    TopOfBook { symbol: name(symbol), bid: Some(Price::whole(bid)), bid_size, ask: ask.map(Price::whole), ask_size, last_price: None, ts }
}

/// Flips a byte in the middle of a file.
pub(crate) fn damage(path: &Path) {
    let mut content = fs::read(path).unwrap();
    let middle = content.len() / 3;
    content[middle] ^= 0xff;
    fs::write(path, content).unwrap();
}

/// Cuts the end off a file.
pub(crate) fn truncate(path: &Path) {
    let length = fs::metadata(path).unwrap().len();
    File::options().write(true).open(path).unwrap().set_len(length / 2).unwrap();
}
