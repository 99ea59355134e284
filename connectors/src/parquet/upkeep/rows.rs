//! Merging the rows of several files, in memory that is bounded by rows of windows and not by files.
//!
//! ```text
//!  files in no order ─► sorted, as many rows at a time as may be held ─► on disk, and the last ones in memory ─┐
//!                                                                                                               ├─► chunks by key
//!  merged files, in order of their keys ───────────────────────────────────────────────────────────────────────┘
//! ```
//!
//! What decides the order is made into bytes that compare like the rows. Of each input, a window of rows is decoded at a time.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use headwater_schemas::tables::TableSpec;

use super::merging::{Kept, Merging, Window, Windows};
use super::ordered::Ordered;
use super::plan::Merge;
use super::runs::Runs;
use super::sort_key::SortKey;
use super::spill::{Spill, Spilled};
use crate::fault::Fault;
use crate::parquet::CommitError;
use crate::parquet::chain::CommitFile;
use crate::parquet::columns::{CHANGE, COMMIT_ID, REASON, TICK};
use crate::parquet::reader::{conform, open};
use crate::parquet::record::FileRole;

/// What a merge may hold in memory.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Rows of files in no order that are sorted at a time.
    pub(super) sorted_rows: usize,
    /// Bytes of such rows.
    pub(super) sorted_bytes: usize,
    /// Rows of an input that are decoded at a time.
    pub(super) window_rows: usize,
    /// Merged rows that are put together at a time.
    pub(super) chunk_rows: usize,
    /// Inputs from which on merged files are sorted like the others, so that few files are open.
    pub(super) inputs: usize,
}

impl Limits {
    /// The limits of a run.
    pub(super) const RUN: Self =
        Self { sorted_rows: 1 << 17, sorted_bytes: 32 << 20, window_rows: 1 << 11, chunk_rows: 1 << 14, inputs: 128 };
}

/// Rows of several files in the order of a merged file.
pub(super) struct MergedRows {
    /// Their columns.
    pub(super) schema: SchemaRef,
    /// How many there are at most. If they fit into one chunk, they are exactly as many.
    pub(super) at_most: usize,
    /// The first chunk. All chunks but the last have the same number of rows.
    pub(super) first: Option<RecordBatch>,
    /// The chunks after it.
    pub(super) rest: Chunks,
}

/// The merged rows, ordered by key, commit and tick. A state keeps the newest row of each key, and a whole state drops retracted
/// keys. `None` if there are no rows. Rows that do not fit in memory wait in `folder`.
pub(super) fn merged(
    data: &Path,
    folder: &Path,
    spec: &TableSpec,
    merge: &Merge,
    limits: Limits,
) -> Result<Option<MergedRows>, CommitError> {
    let failed = |cause| CommitError::Columns { table: spec.name, cause };
    let columns = Arc::new(Columns::of(data, spec.name, merge)?);
    let key = Arc::new(columns.sort_key(spec, merge.role).map_err(failed)?);
    let mut rest = Inputs { data, folder, spec, merge, limits, columns: Arc::clone(&columns), key }.merged()?;
    let first = rest.next().transpose()?;
    let rows = first.as_ref().map_or(0, RecordBatch::num_rows);
    // A whole state without keys is written, too: it supersedes all earlier rows.
    if rows == 0 && !merge.whole {
        return Ok(None);
    }
    let all = merge.files.iter().map(|file| usize::try_from(file.rows).unwrap_or(usize::MAX)).fold(0, usize::saturating_add);
    let at_most = if rows < limits.chunk_rows { rows } else { all };
    Ok(Some(MergedRows { schema: Arc::clone(&columns.output), at_most, first, rest }))
}

/// The columns of a merge.
pub(super) struct Columns {
    /// The table.
    pub(super) table: &'static str,
    /// Those of the merged file.
    pub(super) output: SchemaRef,
    /// The same, and the tick of a history's rows that become rows of a state: the newest of a commit is found by it.
    sorted: SchemaRef,
}

impl Columns {
    /// The columns of the newest file. A state has those of the newest history, without the columns that only a history has.
    fn of(data: &Path, table: &'static str, merge: &Merge) -> Result<Self, CommitError> {
        let histories = merge.files.iter().any(|file| file.role == FileRole::History);
        let role = if histories { FileRole::History } else { merge.role };
        let of_role = || merge.files.iter().rev().filter(|file| file.role == role);
        let newest = of_role().find(|file| file.rows > 0).or_else(|| of_role().next());
        let schema = newest.map_or_else(|| Ok(Arc::new(Schema::empty())), |file| open(data, file, 1).map(|rows| rows.schema()))?;
        if merge.role != FileRole::State || !histories {
            return Ok(Self { table, output: Arc::clone(&schema), sorted: schema });
        }
        let kept: Vec<_> = schema.fields().iter().filter(|field| ![TICK, REASON].contains(&field.name().as_str())).cloned().collect();
        let tick = Arc::new(Field::new(TICK, DataType::Int64, false));
        let sorted = kept.iter().cloned().chain([tick]).collect::<Vec<_>>();
        Ok(Self { table, output: Arc::new(Schema::new(kept)), sorted: Arc::new(Schema::new(sorted)) })
    }

    fn sort_key(&self, spec: &TableSpec, role: FileRole) -> Result<SortKey, ArrowError> {
        let numbers: &[&str] = match role {
            FileRole::Rows => &[COMMIT_ID],
            FileRole::History => &[COMMIT_ID, TICK, CHANGE],
            FileRole::State if self.has_ticks_of_changes() => &[COMMIT_ID, TICK],
            FileRole::State => &[COMMIT_ID],
        };
        SortKey::new(&self.sorted, spec.key, numbers)
    }

    /// Whether histories become rows of a state.
    fn has_ticks_of_changes(&self) -> bool {
        self.sorted.fields().len() > self.output.fields().len()
    }

    /// A file's batch with these columns.
    pub(super) fn of_batch(&self, batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
        if self.has_ticks_of_changes() && batch.column_by_name(TICK).is_none() {
            // A state has no ticks: its row of a commit is the last one of that commit.
            let last: ArrayRef = Arc::new(Int64Array::from_value(i64::MAX, batch.num_rows()));
            let fields =
                batch.schema().fields().iter().cloned().chain([Arc::new(Field::new(TICK, DataType::Int64, false))]).collect::<Vec<_>>();
            let columns = batch.columns().iter().cloned().chain([last]).collect();
            return conform(&RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)?, &self.sorted);
        }
        conform(batch, &self.sorted)
    }
}

/// The files of a merge, as inputs that are in order.
struct Inputs<'a> {
    data: &'a Path,
    folder: &'a Path,
    spec: &'a TableSpec,
    merge: &'a Merge,
    limits: Limits,
    columns: Arc<Columns>,
    key: Arc<SortKey>,
}

/// Rows in order, or why they could not be read.
pub(super) type Chunks = Box<dyn Iterator<Item = Result<RecordBatch, CommitError>>>;

impl Inputs<'_> {
    /// The merged rows, in chunks.
    fn merged(self) -> Result<Chunks, CommitError> {
        let (table, chunk_rows, key) = (self.spec.name, self.limits.chunk_rows, Arc::clone(&self.key));
        let failed = move |cause| CommitError::Columns { table, cause };
        let kept = match self.merge.role {
            FileRole::State if self.merge.whole => Kept::Current { change: self.columns.output.index_of(CHANGE).map_err(failed)? },
            FileRole::State => Kept::Newest,
            FileRole::Rows | FileRole::History => Kept::All,
        };
        let mut runs = Runs::new(table, Arc::clone(&key), kept != Kept::All, self.limits, Spill::new(self.folder, table));
        let mut inputs = Vec::new();
        for file in &self.merge.files {
            let Some(ordered) = self.ordered(file, inputs.len())? else {
                self.sort(file, &mut runs, &mut inputs)?;
                continue;
            };
            // Equal rows are in the order of their files, so a run ends before a file that is read apart.
            inputs.extend(runs.close()?.map(|run| self.spilled(run)));
            inputs.push(Box::new(ordered));
        }
        let last = runs.sorted();
        if inputs.is_empty() && !self.merge.whole {
            return Ok(Box::new(last.chunks(chunk_rows).map(move |chunk| chunk.map_err(failed))));
        }
        let (output, window_key) = (Arc::clone(&self.columns.output), Arc::clone(&key));
        let window = move |batch: Result<RecordBatch, ArrowError>| Window::of(&batch?, &window_key, &output);
        inputs.push(Box::new(last.chunks(self.limits.window_rows).map(move |batch| window(batch).map_err(failed))));
        Ok(Box::new(Merging::new(inputs, key, kept, table, self.limits)?))
    }

    /// A file that is in order of its keys; `None` if it is in another one, or if there are too many inputs.
    fn ordered(&self, file: &Arc<CommitFile>, inputs: usize) -> Result<Option<Ordered>, CommitError> {
        if inputs >= self.limits.inputs {
            return Ok(None);
        }
        Ordered::open(self.data, file, self.spec.key, self.limits.window_rows, &self.columns, &self.key)
    }

    /// Adds a file's rows to those that are sorted.
    fn sort(&self, file: &CommitFile, runs: &mut Runs, inputs: &mut Vec<Windows>) -> Result<(), CommitError> {
        /// Rows that are decoded at a time.
        const READ_ROWS: usize = 1 << 13;
        let failed = |cause| CommitError::Columns { table: self.spec.name, cause };
        for batch in open(self.data, file, READ_ROWS.min(self.limits.sorted_rows))? {
            let batch = batch.map_err(|error| file.error(self.data, Fault::unreadable(error)))?;
            let run = runs.add(self.columns.of_batch(&batch).map_err(failed)?)?;
            inputs.extend(run.map(|run| self.spilled(run)));
        }
        Ok(())
    }

    /// The windows of a run on disk.
    fn spilled(&self, run: Spilled) -> Windows {
        let (key, output) = (Arc::clone(&self.key), Arc::clone(&self.columns.output));
        let (table, folder) = (self.spec.name, self.folder.to_owned());
        Box::new(run.map(move |batch| {
            let window = batch.and_then(|batch| Window::of(&batch, &key, &output));
            window.map_err(|cause| CommitError::Spill { table, folder: folder.clone(), cause })
        }))
    }
}
