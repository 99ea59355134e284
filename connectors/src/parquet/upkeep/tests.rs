//! Tests of merges: the rows and their order, and how many rows are in memory.

use std::path::Path;
use std::sync::{Arc, Mutex, Weak};

use arrow::array::{Array, ArrayRef, AsArray, Int32Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Int32Type, Int64Type, Schema, SchemaRef};
use headwater_schemas::tables::{Moment, RiskGap, TableKind, TableRow, TableSpec, TableWriter};
use headwater_schemas::{EffectiveTime, EventTime, Symbol, Tick};
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use proptest::prelude::*;

use super::merging::{Kept, Merging, Window, Windows};
use super::plan::Merge;
use super::rows::{Limits, MergedRows, merged};
use super::sort_key::SortKey;
use crate::parquet::buffer::ClosedTable;
use crate::parquet::chain::CommitFile;
use crate::parquet::columns::{CHANGE, COMMIT_ID, added_fields};
use crate::parquet::encode::{Closed, Target};
use crate::parquet::reader::file_rows;
use crate::parquet::record::{CommittedFile, FileRole, Merged};
use crate::parquet::records::keep_file;
use crate::parquet::segment::SegmentWriter;
use crate::parquet::writer::{CommitFormat, Content, merged_options, stage};

const SPEC: TableSpec = TableSpec { name: "t", about: "", kind: TableKind::State, key: &["key"], published_by: None, published_as: None };

/// A row, with its columns in their order in a history. Its value tells it from all others.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Row {
    key: String,
    commit_id: i64,
    tick: i64,
    change: i32,
    value: i64,
}

/// How the rows of a file are stored.
#[derive(Clone, Copy, Debug)]
enum Form {
    Part,
    Commit,
    Merged,
}

fn schema(role: FileRole) -> SchemaRef {
    let own = vec![Field::new("key", DataType::Utf8, false), Field::new("value", DataType::Int64, true)];
    Arc::new(Schema::new([own, added_fields(role)].concat()))
}

fn batch(rows: &[Row], role: FileRole) -> RecordBatch {
    let numbers = |number: fn(&Row) -> i64| Arc::new(rows.iter().map(number).collect::<Int64Array>()) as ArrayRef;
    let schema = schema(role);
    let columns = schema.fields().iter().map(|field| match field.name().as_str() {
        "key" => Arc::new(StringArray::from_iter_values(rows.iter().map(|row| &row.key))) as ArrayRef,
        "value" => numbers(|row| row.value),
        "change" => Arc::new(rows.iter().map(|row| row.change).collect::<Int32Array>()),
        "tick" => numbers(|row| row.tick),
        "commit_id" => numbers(|row| row.commit_id),
        _ => Arc::new(StringArray::new_null(rows.len())),
    });
    RecordBatch::try_new(Arc::clone(&schema), columns.collect()).expect("a batch")
}

/// Writes a file of a commit. A merged file is in order of its keys.
fn write(data: &Path, commit_id: u64, role: FileRole, form: Form, rows: &[Row]) -> Arc<CommitFile> {
    let mut rows = rows.to_vec();
    let path = format!("t/date=2026-01-01/{commit_id}-0.parquet");
    let file: CommittedFile = match form {
        Form::Part => {
            let mut segment = SegmentWriter::new(commit_id, 0);
            let file = segment.add(&SPEC, role, "2026-01-01".to_owned(), &batch(&rows, role)).expect("a part");
            segment.stage(data).expect("a segment");
            file
        }
        Form::Commit => {
            let (schema, chunks) = (schema(role), &mut std::iter::once(Ok(batch(&rows, role))));
            stage(data, path, &SPEC, role, None, Content { schema, chunks, options: ArrowWriterOptions::new() }).expect("a file")
        }
        Form::Merged => {
            rows.sort_by(|one, other| order_of(one, role).cmp(&order_of(other, role)));
            let merged = Some(Merged { first: commit_id, last: commit_id, whole: false });
            let options = merged_options(&SPEC, &schema(role), rows.len(), None);
            let (schema, chunks) = (schema(role), &mut std::iter::once(Ok(batch(&rows, role))));
            stage(data, path, &SPEC, role, merged, Content { schema, chunks, options }).expect("a file")
        }
    };
    Arc::new(keep_file(file, commit_id).expect("a file"))
}

/// What decides the order of a row in a merged file.
fn order_of(row: &Row, role: FileRole) -> (&str, i64, i64, i32) {
    match role {
        FileRole::History => (&row.key, row.commit_id, row.tick, row.change),
        FileRole::Rows | FileRole::State => (&row.key, row.commit_id, 0, 0),
    }
}

/// Sorts all rows of the files at once.
fn sorted_at_once(files: &[(FileRole, Vec<Row>)], role: FileRole, whole: bool) -> Vec<Row> {
    let mut rows: Vec<_> = files.iter().flat_map(|(role, rows)| rows.iter().map(|row| (*role, row.clone()))).collect();
    if role != FileRole::State {
        rows.sort_by(|(_, one), (_, other)| order_of(one, role).cmp(&order_of(other, role)));
        return rows.into_iter().map(|(_, row)| row).collect();
    }
    // Newest first. A state's row of a commit is newer than all changes in that commit.
    let since = |(role, row): &(FileRole, Row)| (row.commit_id, if *role == FileRole::State { i64::MAX } else { row.tick });
    rows.sort_by(|one, other| one.1.key.cmp(&other.1.key).then(since(other).cmp(&since(one))));
    rows.dedup_by(|later, first| later.1.key == first.1.key);
    rows.into_iter().map(|(_, row)| row).filter(|row| !whole || row.change > 0).collect()
}

/// The merged rows of files, and the lengths of their chunks. A column that the role's files do not have is 0.
fn merge_files(data: &Path, merge: &Merge, limits: Limits) -> (Vec<Row>, Vec<usize>) {
    let merged = merged(data, &data.join("staging"), &SPEC, merge, limits).expect("merged rows");
    let Some(MergedRows { schema, at_most, first, rest }) = merged else { return (Vec::new(), Vec::new()) };
    let (mut rows, mut lengths) = (Vec::new(), Vec::new());
    for chunk in first.into_iter().map(Ok).chain(rest) {
        let chunk = chunk.expect("a chunk");
        assert_eq!(chunk.schema(), schema);
        lengths.push(chunk.num_rows());
        let number = |name, row| chunk.column_by_name(name).map_or(0, |column| column.as_primitive::<Int64Type>().value(row));
        rows.extend((0..chunk.num_rows()).map(|row| Row {
            key: chunk.column(0).as_string::<i32>().value(row).to_owned(),
            commit_id: number("commit_id", row),
            tick: number("tick", row),
            change: chunk.column_by_name("change").map_or(0, |column| column.as_primitive::<Int32Type>().value(row)),
            value: number("value", row),
        }));
    }
    assert!(rows.len() <= at_most && (rows.len() == at_most || rows.len() >= limits.chunk_rows));
    assert!(!data.join("staging/sorted").exists(), "what waits on disk has no name");
    (rows, lengths)
}

/// How a file is stored, whether it is of the state, and its rows: key, commit, tick, whether the key is there.
type AnyFile = (Form, bool, Vec<(u8, i64, i64, bool)>);

fn a_file() -> impl Strategy<Value = AnyFile> {
    let form = prop_oneof![Just(Form::Part), Just(Form::Commit), Just(Form::Merged)];
    let row = (0_u8..12, 1_i64..4, 0_i64..4, prop::bool::weighted(0.8));
    (form, prop::bool::weighted(0.3), prop::collection::vec(row, 0..40))
}

fn some_limits() -> impl Strategy<Value = Limits> {
    let limits = (1_usize..60, prop_oneof![Just(1_usize), Just(1000), Just(1 << 20)], 1_usize..9, 1_usize..20, 0_usize..6);
    limits.prop_map(|(sorted_rows, sorted_bytes, window_rows, chunk_rows, inputs)| Limits {
        sorted_rows,
        sorted_bytes,
        window_rows,
        chunk_rows,
        inputs,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn merging_in_windows_is_sorting_all_rows_at_once(
        files in prop::collection::vec(a_file(), 1..9),
        (role, whole) in prop_oneof![
            Just((FileRole::Rows, false)), Just((FileRole::History, false)), Just((FileRole::State, false)), Just((FileRole::State, true)),
        ],
        limits in some_limits(),
    ) {
        let folder = tempfile::tempdir().expect("a folder");
        let (mut stored, mut plain, mut value) = (Vec::new(), Vec::new(), 0);
        for ((form, is_state, rows), number) in files.into_iter().zip(1..) {
            // A whole state is made of a state and histories, or of states alone.
            let of_file = if whole && !is_state { FileRole::History } else { role };
            let rows: Vec<_> = rows.into_iter().map(|(key, commit_id, tick, is_there)| {
                value += 1;
                let tick = if of_file == FileRole::History { tick } else { 0 };
                let change = match of_file { FileRole::Rows => 0, _ if is_there => 1, _ => -1 };
                Row { key: format!("{}a key {key:02}", "b".repeat(usize::from(key % 3))), commit_id, tick, change, value }
            }).collect();
            stored.push(write(folder.path(), number, of_file, form, &rows));
            let mut rows = rows;
            if matches!(form, Form::Merged) {
                rows.sort_by(|one, other| order_of(one, of_file).cmp(&order_of(other, of_file)));
            }
            plain.push((of_file, rows));
        }
        let mut expected = sorted_at_once(&plain, role, whole);
        if role == FileRole::State {
            expected.iter_mut().for_each(|row| row.tick = 0);
        }
        let (rows, lengths) = merge_files(folder.path(), &Merge { role, whole, files: stored }, limits);
        prop_assert_eq!(rows, expected);
        prop_assert!(lengths.iter().rev().skip(1).all(|length| *length == limits.chunk_rows), "{:?}", lengths);
    }
}

#[test]
fn large_histories_are_merged_alike_in_whatever_order_their_rows_are() {
    let folder = tempfile::tempdir().expect("a folder");
    let row = |number: i64, commit_id: i64| {
        let (key, change) = (format!("{:03}", number / 7), if number % 5 == 0 { -1 } else { 1 });
        Row { key, commit_id, tick: number, change, value: 10_000 * commit_id + number }
    };
    let (in_order, backwards): (Vec<_>, Vec<_>) = ((0..5_000).map(|n| row(n, 1)).collect(), (0..5_000).rev().map(|n| row(n, 2)).collect());
    let files = [(FileRole::History, in_order), (FileRole::History, backwards)];
    let stored: Vec<_> = files.iter().zip(1..).map(|((role, rows), id)| write(folder.path(), id, *role, Form::Commit, rows)).collect();
    for (role, whole) in [(FileRole::History, false), (FileRole::State, true)] {
        let mut expected = sorted_at_once(&files, role, whole);
        if role == FileRole::State {
            expected.iter_mut().for_each(|row| row.tick = 0);
        }
        let merge = Merge { role, whole, files: stored.clone() };
        assert_eq!(merge_files(folder.path(), &merge, Limits::RUN).0, expected, "{role:?}");
    }
}

/// The greatest number of rows of inputs in memory at once while `inputs` inputs of `length` rows each are merged.
fn most_rows_held(inputs: u16, length: u16, rows_of_a_key: u16, kept: Kept, limits: Limits) -> usize {
    let output = schema(FileRole::State);
    let key = Arc::new(SortKey::new(&output, SPEC.key, &[COMMIT_ID]).expect("a key"));
    let held = Arc::new(Mutex::new((Vec::<Weak<dyn Array>>::new(), 0)));
    let input = |input: u16| -> Windows {
        let (output, key, held) = (Arc::clone(&output), Arc::clone(&key), Arc::clone(&held));
        let begins = (0..length).step_by(limits.window_rows);
        Box::new(begins.map(move |begin| {
            let end = length.min(begin + u16::try_from(limits.window_rows).expect("few rows"));
            let row = |row: u16| Row {
                key: format!("{:05}", row / rows_of_a_key),
                commit_id: i64::from(row),
                tick: 0,
                change: 1,
                value: i64::from(input),
            };
            let batch = batch(&(begin..end).map(row).collect::<Vec<_>>(), FileRole::State);
            let mut held = held.lock().expect("a lock");
            held.0.push(Arc::downgrade(batch.column(0)));
            held.0.retain(|column| column.strong_count() > 0);
            let now = held.0.iter().filter_map(Weak::upgrade).map(|column| column.len()).sum();
            held.1 = held.1.max(now);
            Ok(Window::of(&batch, &key, &output).expect("a window"))
        }))
    };
    let merging = Merging::new((0..inputs).map(input).collect(), Arc::clone(&key), kept, SPEC.name, limits).expect("a merge");
    let rows: usize = merging.map(|chunk| chunk.expect("a chunk").num_rows()).sum();
    let expected = if kept == Kept::All { inputs * length } else { length.div_ceil(rows_of_a_key) };
    assert_eq!(rows, usize::from(expected));
    let held = held.lock().expect("a lock");
    held.1
}

#[test]
fn a_merge_holds_windows_of_its_inputs_however_long_they_are() {
    let limits = Limits { sorted_rows: 1, sorted_bytes: 1, window_rows: 16, chunk_rows: 64, inputs: 8 };
    let change = schema(FileRole::State).index_of(CHANGE).expect("a column");
    for kept in [Kept::All, Kept::Newest, Kept::Current { change }] {
        // Keys of which many rows are superseded yield few rows for many windows.
        for rows_of_a_key in [1, 50, 2000] {
            // Two windows of each input, those of a chunk, and one more that is read.
            let most = (2 * 5 + 64 / 16 + 4) * 16;
            let (short, long) = (most_rows_held(5, 800, rows_of_a_key, kept, limits), most_rows_held(5, 8000, rows_of_a_key, kept, limits));
            assert!(short <= most && long <= most, "{kept:?}, {rows_of_a_key} rows of a key: {short} and {long} rows held");
        }
    }
}

#[test]
fn a_merged_state_keeps_its_column_named_reason() {
    let folder = tempfile::tempdir().expect("a folder");
    let gap = |symbol: &str, ts: u64| RiskGap {
        symbol: Symbol::derived(symbol),
        from_date: "2026-01-05".parse().expect("a date"),
        to_date: "2026-01-06".parse().expect("a date"),
        reason: "no close".into(),
        ts: EventTime::from_effective(EffectiveTime::new(ts)),
    };
    let part = |commit_id: u64, gap: &RiskGap| {
        let writer = TableWriter::<RiskGap>::default();
        writer.insert(&Moment::new(Tick::new(commit_id), EffectiveTime::new(commit_id)), gap.clone());
        let segment = Some(SegmentWriter::new(commit_id, 0));
        let mut target = Target { staging: folder.path(), commit_id, worker: 0, segment };
        let closed = Closed { changes: writer.take_below(Tick::MAX), format: CommitFormat::of::<RiskGap>().into() };
        let files = Box::new(closed).stage(&mut target).expect("a part");
        target.segment.expect("a segment").stage(folder.path()).expect("a segment");
        files.into_iter().map(|file| Arc::new(keep_file(file, commit_id).expect("a file"))).collect::<Vec<_>>()
    };
    let gaps = [gap("A", 1), gap("B", 2)];
    let files = [part(1, &gaps[0]), part(2, &gaps[1])].concat();
    let merge = Merge { role: FileRole::State, whole: false, files };
    let merged = merged(folder.path(), &folder.path().join("staging"), &RiskGap::SPEC, &merge, Limits::RUN).expect("merged rows");
    let MergedRows { schema, at_most, first, rest } = merged.expect("rows");
    let options = merged_options(&RiskGap::SPEC, &schema, at_most, first.as_ref());
    let content = Content { schema, chunks: &mut first.into_iter().map(Ok).chain(rest), options };
    let path = "risk_gaps/date=2026-01-01/3-merged-1.parquet".to_owned();
    let role = Merged { first: 1, last: 2, whole: false };
    let file = stage(folder.path(), path, &RiskGap::SPEC, FileRole::State, Some(role), content).expect("a file");
    let rows = file_rows::<RiskGap>(folder.path(), &keep_file(file, 3).expect("a file")).expect("rows");
    assert_eq!(rows, gaps.into_iter().zip(1..).collect::<Vec<_>>());
}
