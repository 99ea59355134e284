//! The changes of a table, commit by commit, for a client that follows it.
//!
//! ```text
//!  place 41 ─► rows of commits 42 … n ─► by commit, in an order that follows from the rows ─► events 42, 43:500, 43, …
//!              (files that commits name)                                                       │
//!              before them: the rows as of 41, for what each change replaces   place ◄─────────┘
//! ```
//!
//! - An append table has one change, `diff` 1, for each row. A state table has those of its history: -1 for the old row, 1 for the new.
//! - A [`Place`] says how far a client is. From the same place, with the same filter, the same changes follow.
//! - Nothing is kept for a client that does not take its events, except its place: what it missed is read from files again.

mod filter;
mod place;
#[cfg(test)]
mod tests;

use std::fmt::Write;
use std::sync::Arc;

use arrow::array::{AsArray, Int64Array, RecordBatch};
use arrow::datatypes::Int64Type;
use futures::FutureExt;
use futures::future::BoxFuture;
use headwater_connectors::parquet::columns::{CHANGE, COMMIT_ID, TICK};
use headwater_connectors::parquet::directory::HISTORY_SUFFIX;
use headwater_connectors::parquet::record::FileRole;
use headwater_schemas::tables::TableKind;

use crate::committed::Committed;
use crate::current::{CurrentRows, current_rows};
use crate::error::QueryError;
use crate::names::Relation;
use crate::query::{Answer, Snapshot};
use crate::render::json_object_of;
use crate::statement::double_quoted;
use crate::suggestions::unknown_table;
use crate::tables::Table;
use crate::wire::{Problem, Reader};

pub use place::{Place, PlaceError};

/// Commits that are read at once.
const COMMITS_AT_ONCE: u64 = 64;
/// Rows of an event, and bytes after which none are added.
const ROWS_MAX: usize = 500;
const BYTES_MAX: usize = 64 * 1024;
/// The name of the last column of the query, which no table has.
const COMMIT: &str = "\u{1}commit";

/// What a client wants to follow.
#[derive(Clone, Debug)]
pub struct ChangesRequest {
    /// The table.
    pub table: String,
    /// How far the client is; none: up to the newest commit.
    pub from: Option<Place>,
    /// An expression of SQL: only changes for which it is true.
    pub filter: Option<String>,
    /// The columns; none: all.
    pub columns: Option<Vec<String>>,
}

/// Changes of one commit, or a part of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeEvent {
    /// How far a client is that has it.
    pub place: Place,
    /// The commit.
    pub commit_id: u64,
    /// The changes, each a JSON object with `diff` and the columns.
    pub rows: Vec<String>,
}

/// A client that follows a table.
pub struct Changes {
    reader: Reader,
    followed: Followed,
    place: Place,
    /// The rows as of the place, if it is the end of a commit and they are known.
    before: Option<Arc<CurrentRows>>,
    round: Option<Round>,
}

/// What is followed.
#[derive(Clone, Debug)]
struct Followed {
    table: &'static Table,
    is_history: bool,
    /// The query up to its condition on commits.
    selection: String,
    filter: Option<String>,
    order: String,
}

/// The rows of some commits, while they are read.
struct Round {
    answer: Answer,
    upto: u64,
    until: Arc<Committed>,
    /// The rows of the batch that were not looked at yet.
    rows: Option<Unrendered>,
    /// The table, for errors.
    table: &'static str,
    /// The place of the client.
    place: Place,
    /// Changes of the commit of the place that the client has already, and that did not come yet.
    skip: u64,
    /// Changes that make the next event.
    pending: Pending,
}

#[derive(Debug, Default)]
struct Pending {
    commit_id: u64,
    rows: Vec<String>,
    bytes: usize,
    /// Changes of the commit in earlier events.
    sent: u64,
}

impl Changes {
    /// Checks the request. Errors that come later are those of reading.
    pub fn begin(reader: Reader, request: ChangesRequest) -> BoxFuture<'static, Result<Self, Problem>> {
        async move {
            let snapshot = reader.snapshot().await?;
            let newest = snapshot.commit_id();
            let place = request.from.unwrap_or(Place::end_of(newest));
            if place.begins_after() > newest {
                let message = format!("there is no commit {} yet: the newest is {newest}", place.begins_after());
                return Err(Problem::new("22023", message));
            }
            let text = request.filter.clone().unwrap_or_default();
            let engine = Arc::clone(&snapshot.engine);
            // A filter may be deep, and only the engine's threads have deep stacks.
            let followed = engine.run(async move { Followed::of(&request) }).await.map_err(|error| Problem::of(&error, &text))?;
            followed.check_kept(&snapshot.committed, place.begins_after()).map_err(|error| Problem::from(&error))?;
            let mut changes = Self { reader, followed, place, before: None, round: None };
            // What cannot be planned, or not be read, is an error now.
            let place = changes.place.begins_after();
            let (planned, _) = changes.answer(&snapshot, place, place).await.map_err(|error| Problem::from(&error))?;
            drop(planned);
            changes.before = changes.rows_as_of(&snapshot.committed, place).await.map_err(|error| Problem::from(&error))?;
            Ok(changes)
        }
        .boxed()
    }

    /// How far a client is that has had all events.
    pub fn place(&self) -> Place {
        self.place
    }

    /// The table's name.
    pub fn table(&self) -> &'static str {
        self.followed.table.spec.name
    }

    /// Forgets all but the place, for a client that does not take its events. They are read again from files.
    pub fn release(&mut self) {
        self.before = None;
        self.round = None;
    }

    /// The next event; none once all commits that there are were read.
    pub fn next_event(&mut self) -> BoxFuture<'_, Result<Option<ChangeEvent>, Problem>> {
        async move {
            let _turn = self.reader.turn().await?;
            self.advance().await.map_err(|error| Problem::from(&error))
        }
        .boxed()
    }

    async fn advance(&mut self) -> Result<Option<ChangeEvent>, QueryError> {
        loop {
            if self.round.is_none() && !self.begin_round().await? {
                return Ok(None);
            }
            let Some(round) = &mut self.round else { return Ok(None) };
            if let Some(event) = round.next().await? {
                self.place = event.place;
                return Ok(Some(event));
            }
            let (upto, until) = (round.upto, Arc::clone(&round.until));
            self.round = None;
            self.before = self.rows_as_of(&until, upto).await?;
            self.place = Place::end_of(upto);
        }
    }

    /// Begins to read the commits after the place; false if there are none.
    async fn begin_round(&mut self) -> Result<bool, QueryError> {
        let snapshot = self.reader.snapshot().await.map_err(|problem| QueryError::execution(problem.message))?;
        let after = self.place.begins_after();
        if snapshot.commit_id() <= after {
            return Ok(false);
        }
        let upto = snapshot.commit_id().min(after.saturating_add(COMMITS_AT_ONCE));
        self.followed.check_kept(&snapshot.committed, after)?;
        let (answer, until) = self.answer(&snapshot, after, upto).await?;
        let (table, place) = (self.table(), self.place);
        self.round = Some(Round { answer, upto, until, rows: None, table, place, skip: place.rows(), pending: Pending::default() });
        Ok(true)
    }

    /// Starts the query for the changes of the commits after one, up to another.
    async fn answer(&self, snapshot: &Snapshot, after: u64, upto: u64) -> Result<(Answer, Arc<Committed>), QueryError> {
        let committed = Arc::new(snapshot.committed.between(after, upto));
        let snapshot = self.reader.restrict(Snapshot { committed: Arc::clone(&committed), ..snapshot.clone() })?;
        Ok((snapshot.query(&self.followed.query(after)).await?, committed))
    }

    /// The rows of a state table as of a commit. As long as they are held, changes after it need not be read with all that was before.
    async fn rows_as_of(&self, committed: &Arc<Committed>, commit_id: u64) -> Result<Option<Arc<CurrentRows>>, QueryError> {
        if !self.followed.is_history {
            return Ok(None);
        }
        let engine = self.reader.engine();
        let (committed, table) = (Arc::new(committed.between(commit_id, commit_id)), self.followed.table);
        engine.run(async move { current_rows(&committed, table).await }).await.map(Some)
    }
}

impl Followed {
    fn of(request: &ChangesRequest) -> Result<Self, QueryError> {
        let (table, is_history) = followed_table(&request.table)?;
        let name = if is_history { format!("{}{HISTORY_SUFFIX}", table.spec.name) } else { table.spec.name.to_owned() };
        let schema = table.file_schema(if is_history { FileRole::History } else { FileRole::Rows });
        let known = || schema.fields().iter().map(|field| field.name().as_str()).filter(|name| *name != CHANGE);
        let columns: Vec<String> = match &request.columns {
            Some(columns) => columns.clone(),
            None => known().map(str::to_owned).collect(),
        };
        if let Some(unknown) = columns.iter().find(|column| !known().any(|known| known == column.as_str())) {
            let all = known().collect::<Vec<_>>().join(", ");
            return Err(QueryError::Statement(format!("{} has no column {unknown:?}: it has {all}", table.spec.name)));
        }
        if let Some(repeated) = columns.iter().enumerate().find(|(place, column)| columns.iter().take(*place).any(|other| other == *column))
        {
            return Err(QueryError::Statement(format!("the column {:?} is given twice: give it once", repeated.1)));
        }
        let mut selection = format!("SELECT {} AS diff", if is_history { CHANGE } else { "1" });
        for column in &columns {
            let _ = write!(selection, ", {}", double_quoted(column));
        }
        let _ = write!(selection, ", {COMMIT_ID} AS {} FROM {name}", double_quoted(COMMIT));
        let filter = request.filter.as_deref().map(filter::checked).transpose()?;
        Ok(Self { table, is_history, selection, filter, order: order(table, is_history) })
    }

    fn query(&self, after: u64) -> String {
        let Self { selection, filter, order, .. } = self;
        let filter = filter.as_ref().map_or_else(String::new, |filter| format!(" AND ({filter})"));
        format!("{selection} WHERE {COMMIT_ID} > {after}{filter} ORDER BY {order}")
    }

    /// Checks that no change after a commit was dropped.
    fn check_kept(&self, committed: &Committed, after: u64) -> Result<(), QueryError> {
        let suffix = if self.is_history { HISTORY_SUFFIX } else { "" };
        match committed.dropped(&format!("{}{suffix}", self.table.spec.name)) {
            Some(dropped) if dropped > after => Err(QueryError::Dropped { table: self.table.spec.name, after, dropped }),
            _ => Ok(()),
        }
    }
}

/// The table that a name stands for, and whether its changes are in a history.
fn followed_table(name: &str) -> Result<(&'static Table, bool), QueryError> {
    let refused = |why: &str| Err(QueryError::Statement(format!("{name} cannot be followed: {why}")));
    match Relation::named(name) {
        None => Err(QueryError::Statement(unknown_table(name))),
        Some(Relation::Facts(table)) => Ok((table, false)),
        Some(Relation::History(table)) => Ok((table, true)),
        Some(Relation::Current(table)) if table.spec.kind == TableKind::State => Ok((table, true)),
        Some(Relation::Current(_)) => {
            refused("it has no history, because it is what an operator remembers for a restart; follow a state table")
        }
        Some(Relation::View(_)) => refused("it is a view; follow the tables that it reads"),
        Some(Relation::Commits) => refused("commits have a stream of their own, /api/commits"),
    }
}

/// By commit, then as the rows alone decide; an old row before the new one.
fn order(table: &'static Table, is_history: bool) -> String {
    let role = if is_history { FileRole::History } else { FileRole::Rows };
    let first: Vec<&str> = match is_history {
        true => [&[COMMIT_ID, TICK], table.spec.key, &[CHANGE]].concat(),
        false => [&[COMMIT_ID, "ts"], table.spec.key].concat(),
    };
    let schema = table.file_schema(role);
    let rest = schema.fields().iter().filter(|field| !field.data_type().is_nested()).map(|field| field.name().as_str());
    let mut order: Vec<String> = Vec::new();
    for column in first.iter().copied().chain(rest).map(double_quoted) {
        if !order.contains(&column) {
            order.push(column);
        }
    }
    order.join(", ")
}

impl Round {
    /// The next event of these commits.
    async fn next(&mut self) -> Result<Option<ChangeEvent>, QueryError> {
        loop {
            let next = self.row().await?;
            self.check_skipped(next.as_ref().map(|(commit_id, _)| *commit_id))?;
            let Some((commit_id, row)) = next else { return Ok(self.pending.end()) };
            if self.skip > 0 {
                self.pending.commit_id = commit_id;
                self.pending.sent = self.pending.sent.saturating_add(1);
                self.skip = self.skip.saturating_sub(1);
                continue;
            }
            if let Some(event) = self.pending.add(commit_id, row) {
                return Ok(Some(event));
            }
        }
    }

    /// Checks that all changes that the client has already are of the commit of its place. `next` is the commit of the next change; none
    /// at the end.
    fn check_skipped(&self, next: Option<u64>) -> Result<(), QueryError> {
        if self.skip == 0 || next == Some(self.place.commit_id()) {
            return Ok(());
        }
        let (commit_id, there) = (self.place.commit_id(), self.place.rows().saturating_sub(self.skip));
        Err(QueryError::NoPlace { table: self.table, place: self.place.to_string(), commit_id, there })
    }

    async fn row(&mut self) -> Result<Option<(u64, String)>, QueryError> {
        loop {
            if let Some(row) = self.rows.as_mut().and_then(Unrendered::next) {
                return row.map(Some);
            }
            match self.answer.next().await.transpose()? {
                Some(batch) => self.rows = Some(Unrendered::of(&batch)?),
                None => return Ok(None),
            }
        }
    }
}

/// The rows of a batch that are still to be rendered: as text they take several times the memory, and a client may not take them.
struct Unrendered {
    /// Without the last column, the commit.
    rows: RecordBatch,
    commits: Int64Array,
    next: usize,
}

impl Unrendered {
    fn of(batch: &RecordBatch) -> Result<Self, QueryError> {
        let last = batch.num_columns().saturating_sub(1);
        let commits = batch.column(last).as_primitive_opt::<Int64Type>();
        let commits = commits.ok_or_else(|| QueryError::execution("the commits of changes are no numbers"))?;
        Ok(Self { rows: batch.project(&(0..last).collect::<Vec<_>>())?, commits: commits.clone(), next: 0 })
    }

    /// The commit of the next row, and the row.
    fn next(&mut self) -> Option<Result<(u64, String), QueryError>> {
        let (row, commit_id) = (self.next, self.commits.values().get(self.next)?);
        self.next += 1;
        Some(json_object_of(&self.rows, row).map(|text| (u64::try_from(*commit_id).unwrap_or(0), text)))
    }
}

impl Pending {
    /// Adds a change. If it begins another event, the one before it.
    fn add(&mut self, commit_id: u64, row: String) -> Option<ChangeEvent> {
        let finished = match commit_id == self.commit_id {
            true if self.rows.len() >= ROWS_MAX || self.bytes >= BYTES_MAX => self.take(false),
            true => None,
            false => {
                let finished = self.end();
                (self.commit_id, self.sent) = (commit_id, 0);
                finished
            }
        };
        self.bytes = self.bytes.saturating_add(row.len());
        self.rows.push(row);
        finished
    }

    /// The rest of a commit.
    fn end(&mut self) -> Option<ChangeEvent> {
        self.take(true)
    }

    fn take(&mut self, is_end: bool) -> Option<ChangeEvent> {
        if self.rows.is_empty() {
            return None;
        }
        let rows = std::mem::take(&mut self.rows);
        self.bytes = 0;
        self.sent = self.sent.saturating_add(rows.len() as u64);
        let place = if is_end { Place::end_of(self.commit_id) } else { Place::within(self.commit_id, self.sent) };
        Some(ChangeEvent { place, commit_id: self.commit_id, rows })
    }
}
