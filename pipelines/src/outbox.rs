//! The outbox: publishes committed rows to topics, each exactly once.
//!
//! ```text
//!  commits ─► files of commit n … m ─► records, each with its id ─► one transaction with the progress "m" ─► m + 1
//! ```
//!
//! - It follows the commits one by one (several at once if it lags) and reads their files. So what was never committed is never
//!   published, and a restart publishes the rest. It runs beside the dataflow without blocking it, and waits for brokers that are
//!   down.
//! - For a state table, each new row of a key is published, and no retractions; for an append table, each row. Changes of alerts that
//!   are suppressed ([`Suppressed`]) are not published.
//! - A record is JSON, or Avro with the schema that the registry knows by an id ([`crate::avro`]). It is cut if it is too large for
//!   brokers ([`oversized`]).
//! - A record's `id` is a digest of its table and its content, so a consumer can recognize a repeated record.
//! - Where latency matters (executions, decisions), rows may be published before their commit ([`crate::flow::eager`]), with the
//!   same ids: the progress then names the tick below which all of them are published, and their commit publishes the rest.
//! - The progress of an outbox is stored under the id of its data directory, which is in the file `OUTBOX`.

mod id;
mod oversized;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, LazyLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use arrow::array::{Array, AsArray, BooleanArray, Int32Array, Int64Array, RecordBatch, TimestampNanosecondArray};
use arrow::compute::kernels::cmp::eq;
use arrow::compute::{SortColumn, concat_batches, filter_record_batch, lexsort_to_indices, take_record_batch};
use arrow::datatypes::Schema;
use headwater_connectors::parquet::chain::{Chain, Commit, CommitFile};
use headwater_connectors::parquet::columns::{CHANGE, COMMIT_ID, TICK, is_added};
use headwater_connectors::parquet::commit::{Step, Steps};
use headwater_connectors::parquet::directory::OUTBOX;
use headwater_connectors::parquet::reader::batches;
use headwater_connectors::parquet::record::FileRole;
use headwater_connectors::parquet::records::Records;
use headwater_connectors::parquet::remote::Remote;
use headwater_connectors::transport::{Outbox, Outgoing, Transport};
use headwater_schemas::tables::{Alert, TableRow, TableSpec, declarations};
use headwater_schemas::{Clock, Digest, EventTime, Tick};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use self::id::OutboxId;
use crate::avro::{PublishedSchema, PublishedSchemas};
use crate::metrics::Metrics;
use crate::suppressed::Suppressed;

/// A published table, and the column of the records' key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Published {
    /// The topic.
    pub name: &'static str,
    /// The table.
    pub table: &'static str,
    /// The column with the key of its records.
    pub key: &'static str,
    /// The columns of the table's own key.
    pub table_key: &'static [&'static str],
}

/// All tables that can be published, as declared in the schemas.
pub static PUBLISHED: LazyLock<Vec<Published>> = LazyLock::new(|| {
    let published =
        |spec: TableSpec| Some(Published { name: spec.topic()?, table: spec.name, key: spec.published_by?, table_key: spec.key });
    declarations().into_iter().filter_map(|declaration| published(declaration.spec)).collect()
});

/// Tables that can be published before their commit: their rows are final as soon as their tick has passed.
pub const EAGER: [&str; 2] = ["executions", "decisions"];

/// The topic of outboxes' progress, without the prefix of all topics.
pub const PROGRESS_TOPIC: &str = "headwater.outbox";
/// Records after which a batch takes no further commit.
const BATCH_RECORDS: usize = 10_000;
/// Interval of retries while brokers are down.
const TRY_AGAIN: Duration = Duration::from_secs(1);
/// How long brokers that are down are waited for at the end of a run.
const LAST_PATIENCE: Duration = Duration::from_secs(60);

/// Settings of an outbox.
pub struct OutboxSettings {
    /// Transport of the topics.
    pub transport: Arc<dyn Transport>,
    /// The data directory.
    pub data: PathBuf,
    /// The bucket that has the commits, if there is one.
    pub remote: Option<Remote>,
    /// The published tables, each with its topic's name in the transport.
    pub topics: Vec<(Published, String)>,
    /// Topics that are published as Avro.
    pub avro: Arc<PublishedSchemas>,
    /// Tables that are published before their commits.
    pub eager: Vec<String>,
    /// Tick and grid intervals.
    pub clock: Clock,
    /// Name of the progress topic in the transport.
    pub progress_topic: String,
    /// The last existing commit.
    pub last: u64,
    /// Called at every step.
    pub steps: Steps,
    /// Gets the last published commit.
    pub metrics: Arc<Metrics>,
    /// The last published commit.
    pub published: Arc<AtomicU64>,
    /// Called with the error that ends the run.
    pub failure: Arc<dyn Fn(anyhow::Error) + Send + Sync>,
}

impl OutboxSettings {
    fn told(&self, commit_id: u64) {
        self.metrics.published(commit_id);
        self.published.store(commit_id, Ordering::Relaxed);
    }
}

/// Progress of an outbox.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Progress {
    /// The last published commit; 0 before the first.
    commit_id: u64,
    hash: String,
    /// All early rows below this tick are published.
    #[serde(default)]
    eager_tick: Tick,
}

/// A message to the outbox.
#[derive(Debug)]
pub enum Told {
    /// A commit was published.
    Commit(u64),
    /// Rows that may be published before their commit.
    Eager(Early),
}

/// All early rows of a range of ticks.
#[derive(Debug)]
pub struct Early {
    /// The first tick.
    pub begin_tick: Tick,
    /// The tick after the last.
    pub end_tick: Tick,
    /// The rows, by tick.
    pub rows: Vec<EagerRow>,
}

/// A row to be published before its commit.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct EagerRow {
    /// Its tick.
    pub tick: Tick,
    /// Its table.
    pub table: String,
    /// The record's key.
    pub key: String,
    /// The record.
    pub value: Vec<u8>,
}

/// Converts rows with their ticks to the records that their commit would publish.
pub fn records_of<R: TableRow>(rows: &[(&R, Tick)], avro: &PublishedSchemas) -> anyhow::Result<Vec<EagerRow>> {
    let table = R::SPEC.name;
    let published = PUBLISHED.iter().find(|published| published.name == table).with_context(|| format!("{table} is not published"))?;
    let fields = Arc::new(Schema::new(R::fields()));
    let batch = RecordBatch::try_new(fields, R::columns(&rows.iter().map(|(row, _)| *row).collect::<Vec<_>>()))?;
    let records = keyed(*published, &batch, avro.get(published.name))?.into_iter().zip(rows);
    Ok(records.map(|((key, value), (_, tick))| EagerRow { tick: *tick, table: table.to_owned(), key, value }).collect())
}

/// A running outbox.
pub struct Running {
    told: Sender<Told>,
    thread: JoinHandle<anyhow::Result<()>>,
}

impl Running {
    /// The channel for messages to it.
    pub fn told(&self) -> Sender<Told> {
        self.told.clone()
    }

    /// Waits until all commits are published.
    pub fn finish(self) -> anyhow::Result<()> {
        drop(self.told);
        self.thread.join().map_err(|_| anyhow::anyhow!("the outbox ended in a panic: please report it"))?
    }
}

/// Starts an outbox on its own thread.
pub fn start(settings: OutboxSettings) -> anyhow::Result<Running> {
    let mut id = id::id(&settings.data, settings.remote.as_ref())?;
    let (tell, told) = channel();
    let thread = std::thread::Builder::new().name("outbox".to_owned()).spawn(move || {
        let published = publish_all(&settings, &mut id, &told);
        published.inspect_err(|error| (settings.failure)(anyhow::anyhow!("{error:#}")))
    })?;
    Ok(Running { told: tell, thread })
}

/// Maximum number of early rows that wait for an earlier commit; further rows are published with their own commit.
const MAX_WAITING_ROWS: usize = 100_000;

/// The open outbox, its progress, and the suppressions of alerts until then.
struct Standing {
    outbox: Box<dyn Outbox>,
    progress: Progress,
    suppressed: Suppressed,
}

/// Publishes commit after commit, and early rows between them, until the channel is closed and all commits are published.
fn publish_all(settings: &OutboxSettings, id: &mut OutboxId, told: &Receiver<Told>) -> anyhow::Result<()> {
    let mut last = settings.last;
    let mut early = VecDeque::<Early>::new();
    let mut open: Option<Standing> = None;
    let mut over_since: Option<Instant> = None;
    loop {
        if over_since.is_none() {
            let idle = open.as_ref().is_some_and(|standing| standing.progress.commit_id >= last && !is_next(&early, &standing.progress));
            let mut next = told.recv_timeout(if idle { Duration::from_secs(3600) } else { Duration::ZERO });
            loop {
                match next {
                    Ok(Told::Commit(commit_id)) => last = last.max(commit_id),
                    Ok(Told::Eager(rows)) => early.push_back(rows),
                    Err(RecvTimeoutError::Timeout) => break,
                    Err(RecvTimeoutError::Disconnected) => {
                        over_since = Some(Instant::now());
                        break;
                    }
                }
                // All pending messages are published together: a transaction takes longer than a tick.
                next = told.recv_timeout(Duration::ZERO);
            }
            let mut waiting = early.iter().map(|early| early.rows.len()).sum::<usize>();
            while waiting > MAX_WAITING_ROWS {
                waiting -= early.pop_front().map_or(waiting, |early| early.rows.len());
            }
        }
        let result = match open.take() {
            None => begin(settings, id, last),
            Some(standing) if over_since.is_none() && is_next(&early, &standing.progress) => publish_early(settings, standing, &mut early),
            Some(standing) if standing.progress.commit_id >= last => {
                if over_since.is_some() {
                    return Ok(());
                }
                Ok(standing)
            }
            Some(standing) => publish_batch(settings, standing, last),
        };
        match result {
            Ok(standing) => {
                if standing.progress.commit_id > 0 && !id.has_published {
                    id.note_published(&settings.data, settings.remote.as_ref())?;
                }
                open = Some(standing);
            }
            Err(error) => {
                let may_pass = error.downcast_ref::<headwater_connectors::transport::TransportError>().is_some_and(|error| error.retry);
                if !may_pass || over_since.is_some_and(|since| since.elapsed() > LAST_PATIENCE) {
                    return Err(error.context("publishing: committed rows are not lost, the next run publishes them"));
                }
                tracing::warn!(error = format!("{error:#}"), "the outbox waits for brokers");
                std::thread::sleep(TRY_AGAIN);
            }
        }
    }
}

/// Whether early rows follow directly what is published. If not, commits with the ticks between are published first.
fn is_next(early: &VecDeque<Early>, progress: &Progress) -> bool {
    early.front().is_some_and(|early| early.begin_tick <= progress.eager_tick)
}

/// Publishes the next early rows, except those that are published already.
fn publish_early(
    settings: &OutboxSettings,
    Standing { mut outbox, mut progress, suppressed }: Standing,
    early: &mut VecDeque<Early>,
) -> anyhow::Result<Standing> {
    let outside = |table: &str| settings.topics.iter().find(|(published, _)| published.name == table).map(|(_, topic)| topic.clone());
    let record = |row: &EagerRow| Some(Outgoing { topic: outside(&row.table)?, key: row.key.clone(), value: row.value.clone() });
    let (mut records, mut then, mut batches) = (Vec::new(), progress.clone(), 0);
    for Early { begin_tick, end_tick, rows } in early.iter() {
        if *begin_tick > then.eager_tick {
            break; // A commit with the ticks between comes first.
        }
        records.extend(rows.iter().filter(|row| row.tick >= then.eager_tick).filter_map(record));
        then.eager_tick = then.eager_tick.max(*end_tick);
        batches += 1;
    }
    let reached = |step| (settings.steps)(step, progress.commit_id + 1);
    if !records.is_empty() {
        let began = Instant::now();
        outbox.publish(&records, &serde_json::to_string(&then)?, &mut || reached(Step::Sent))?;
        reached(Step::Recorded);
        tracing::debug!(records = records.len(), tick = then.eager_tick.get(), seconds = began.elapsed().as_secs_f64(), "published early");
    }
    progress = then;
    early.drain(..batches);
    Ok(Standing { outbox, progress, suppressed })
}

/// Opens the outbox and reads its progress.
fn begin(settings: &OutboxSettings, OutboxId { id, has_published }: &OutboxId, last: u64) -> anyhow::Result<Standing> {
    for (_, topic) in &settings.topics {
        settings.transport.create_topic(topic, 1)?;
    }
    let mut outbox = settings.transport.outbox(id, &settings.progress_topic)?;
    let suppressed = Suppressed::default();
    let data = settings.data.display();
    let bucket = settings.remote.as_ref().map_or_else(String::new, |remote| format!(" and {}/{OUTBOX}", remote.bucket().url()));
    let Some(progress) = outbox.progress()? else {
        if *has_published {
            bail!(
                "{} has no progress of {id}, under which commits of {data} were published: it was deleted, or its records expired. Restore it, and let brokers keep it (cleanup.policy=compact); or remove {data}/{OUTBOX}{bucket} to publish all commits again, with the ids that they had",
                settings.progress_topic
            );
        }
        return Ok(Standing { outbox, progress: Progress::default(), suppressed });
    };
    let progress: Progress = serde_json::from_str(&progress).with_context(|| format!("the progress of {id}: {progress}"))?;
    let commit_id = progress.commit_id;
    if commit_id > last {
        bail!(
            "commit {commit_id} of {data} was published, and the last one there is {last}: restore the directory, or remove {data}/{OUTBOX}{bucket} to publish under another id"
        );
    }
    if commit_id > 0 && commit(&mut Records::new(&settings.data), commit_id)?.hash != progress.hash {
        bail!(
            "what was published as commit {commit_id} is not the one in {data}: restore the directory, or remove {data}/{OUTBOX}{bucket} to publish under another id"
        );
    }
    settings.told(commit_id);
    Ok(Standing { outbox, progress, suppressed })
}

fn commit(records: &mut Records, commit_id: u64) -> anyhow::Result<Commit> {
    records.read(commit_id)?.with_context(|| format!("the record of commit {commit_id} is missing in {}", records.data().display()))
}

/// Publishes the next existing commits, as many as fit a batch.
fn publish_batch(settings: &OutboxSettings, standing: Standing, last: u64) -> anyhow::Result<Standing> {
    let Standing { mut outbox, mut progress, mut suppressed } = standing;
    let (mut records, first) = (Vec::new(), progress.commit_id + 1);
    let mut reader = Records::new(&settings.data);
    while progress.commit_id < last && records.len() < BATCH_RECORDS {
        let commit = commit(&mut reader, progress.commit_id + 1)?;
        suppressed.follow(&settings.data, &commit, settings.clock)?;
        for (published, topic) in &settings.topics {
            let from_tick = if settings.eager.iter().any(|name| name == published.name) { progress.eager_tick } else { Tick::ZERO };
            let topic = ToTopic { published: *published, topic, from_tick, suppressed: &suppressed };
            add_records(settings, &commit, &topic, &mut records)?;
        }
        // The next run may continue in a tick of which this commit has rows.
        let eager_tick = progress.eager_tick.max(settings.clock.tick_of(commit.end_clock));
        progress = Progress { commit_id: commit.commit_id, hash: commit.hash, eager_tick };
    }
    let reached = |step| (first..=progress.commit_id).for_each(|commit_id| (settings.steps)(step, commit_id));
    let began = Instant::now();
    outbox.publish(&records, &serde_json::to_string(&progress)?, &mut || reached(Step::Sent))?;
    reached(Step::Recorded);
    settings.told(progress.commit_id);
    tracing::debug!(records = records.len(), commit = progress.commit_id, seconds = began.elapsed().as_secs_f64(), "published");
    Ok(Standing { outbox, progress, suppressed })
}

/// What is published of a table, and where.
struct ToTopic<'a> {
    published: Published,
    /// The topic's name in the transport.
    topic: &'a str,
    /// The first tick whose rows are not published yet.
    from_tick: Tick,
    suppressed: &'a Suppressed,
}

/// Adds the records of one table's rows in a commit.
fn add_records(settings: &OutboxSettings, commit: &Commit, to: &ToTopic<'_>, records: &mut Vec<Outgoing>) -> anyhow::Result<()> {
    let ToTopic { published, topic, from_tick, suppressed } = *to;
    let is_of_table = |file: &&Arc<CommitFile>| *file.table == *published.table && file.role != FileRole::State;
    // Merged files have only rows of earlier commits.
    let own: Vec<_> = commit.files.iter().filter(is_of_table).filter(|file| file.merged.is_none()).cloned().collect();
    // If earlier commits were never published, their rows may be in merged files.
    let is_gone = own.iter().any(|file| !settings.data.join(&*file.path).exists());
    let files = if is_gone {
        let live = Chain::open(&settings.data, None)?.live().files().to_vec();
        let holds = |file: &Arc<CommitFile>| file.first_commit() <= commit.commit_id && commit.commit_id <= file.last_commit();
        live.into_iter().filter(|file| is_of_table(&file) && holds(file)).collect()
    } else {
        own
    };
    for file in &files {
        for batch in to_publish(&settings.data, file, commit.commit_id, published.table_key)? {
            let (ticks, is) = (ticks(&batch, settings.clock), is_now(&batch));
            let is_alerts = published.table == Alert::SPEC.name;
            let held_back = if is_alerts { suppressed.of_alerts(&batch, settings.clock)? } else { Vec::new() };
            let is_to_leave = |row: usize| {
                let is_new = is.as_ref().is_none_or(|is| is.value(row) > 0) && ticks.get(row).is_none_or(|tick| *tick >= from_tick);
                is_new && !held_back.get(row).is_some_and(|is_held_back| *is_held_back)
            };
            let leave: BooleanArray = (0..batch.num_rows()).map(|row| Some(is_to_leave(row))).collect();
            let batch = without_added(&filter_record_batch(&batch, &leave)?, file.role)?;
            let outgoing = keyed(published, &batch, settings.avro.get(published.name))?.into_iter().map(|(key, value)| Outgoing {
                topic: topic.to_owned(),
                key,
                value,
            });
            records.extend(outgoing);
        }
    }
    Ok(())
}

/// A file's rows of a commit, in the order in which they are published: those of a state by tick, and within a tick by key, because its file
/// may be ordered by key first.
fn to_publish(data: &Path, file: &CommitFile, commit_id: u64, key: &[&str]) -> anyhow::Result<Vec<RecordBatch>> {
    let mut read = batches(data, file)?;
    if file.merged.is_some() {
        read = read.iter().map(|batch| of_commit(batch, commit_id)).collect::<anyhow::Result<_>>()?;
    }
    let Some(first) = read.first().filter(|_| file.role == FileRole::History) else { return Ok(read) };
    Ok(vec![by_tick(&concat_batches(&first.schema(), &read)?, key)?])
}

/// The rows of a history by tick, and within a tick by key.
fn by_tick(rows: &RecordBatch, key: &[&str]) -> anyhow::Result<RecordBatch> {
    let column = |name: &str| {
        let values = rows.column_by_name(name).with_context(|| format!("there is no column {name}"))?;
        Ok(SortColumn { values: Arc::clone(values), options: None })
    };
    let columns = std::iter::once(TICK).chain(key.iter().copied()).map(column).collect::<anyhow::Result<Vec<_>>>()?;
    Ok(take_record_batch(rows, &lexsort_to_indices(&columns, None)?)?)
}

/// Rows as records: key, and JSON or Avro. A record that is too large for brokers is cut ([`oversized`]).
fn keyed(published: Published, rows: &RecordBatch, avro: Option<&PublishedSchema>) -> anyhow::Result<Vec<(String, Vec<u8>)>> {
    let keys = rows.column_by_name(published.key).map(|column| column.as_string::<i32>());
    let key = |row: usize| keys.filter(|keys| keys.is_valid(row)).map_or("", |keys| keys.value(row)).to_owned();
    let mut objects = headwater_sql::json_objects(rows)?;
    let ids: Vec<_> = objects.iter().map(|object| id_of(published.name, object)).collect();
    let cut = oversized::cut(published.table, rows, &objects)?;
    if let Some(cut) = &cut {
        objects = headwater_sql::json_objects(cut)?;
    }
    let values = match avro {
        None => objects.iter().zip(&ids).map(|(object, id)| with_id(object, id)).collect(),
        Some(PublishedSchema { schema, id }) => schema.records(*id, cut.as_ref().unwrap_or(rows), ids.iter().map(String::as_str))?,
    };
    Ok(values.into_iter().enumerate().map(|(row, value)| (key(row), value)).collect())
}

/// The rows of one commit.
fn of_commit(batch: &RecordBatch, commit_id: u64) -> anyhow::Result<RecordBatch> {
    let commits = batch.column_by_name(COMMIT_ID).with_context(|| format!("there is no column {COMMIT_ID}"))?;
    let of_commit = eq(commits, &Int64Array::new_scalar(i64::try_from(commit_id)?))?;
    Ok(filter_record_batch(batch, &of_commit)?)
}

/// The ticks of rows: from its own column in a history, from the effective time in an append table.
pub(crate) fn ticks(batch: &RecordBatch, clock: Clock) -> Vec<Tick> {
    let column = |name: &str| batch.column_by_name(name);
    if let Some(ticks) = column(TICK).and_then(|column| column.as_any().downcast_ref::<Int64Array>()) {
        return ticks.values().iter().map(|tick| u64::try_from(*tick).map_or(Tick::ZERO, Tick::new)).collect();
    }
    let times = column("ts").and_then(|column| column.as_any().downcast_ref::<TimestampNanosecondArray>());
    times.into_iter().flat_map(|times| times.values()).map(|ts| clock.tick_of(EventTime::from_nanos(*ts).effective())).collect()
}

/// For a history: whether each row is a new row (1) or the last row of a retracted key (-1).
pub(crate) fn is_now(batch: &RecordBatch) -> Option<Int32Array> {
    batch.column_by_name(CHANGE).and_then(|column| column.as_any().downcast_ref::<Int32Array>()).cloned()
}

/// The table's own columns.
fn without_added(batch: &RecordBatch, role: FileRole) -> anyhow::Result<RecordBatch> {
    let schema = batch.schema();
    let own = schema.fields().iter().enumerate().filter(|(_, field)| !is_added(field.name(), role));
    Ok(batch.project(&own.map(|(index, _)| index).collect::<Vec<_>>())?)
}

/// The id of a row: a digest of its table and of the whole row as JSON, in whichever format it is published.
fn id_of(table: &str, object: &str) -> String {
    let mut digest = Sha256::new();
    digest.update(table);
    digest.update([0]);
    digest.update(object);
    Digest::<16>::shortened(&digest.finalize()).to_string()
}

fn with_id(object: &str, id: &str) -> Vec<u8> {
    format!("{{\"id\":\"{id}\",{}", object.strip_prefix('{').unwrap_or(object)).into_bytes()
}
