//! End-to-end tests of segments: when their rows become Parquet, replays, and errors of damaged ones.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use headwater_connectors::parquet::chain::{Chain, CommitFile};

use crate::histories::{Change, Run, write};
use crate::testing::{message, rows};
use crate::{Catalog, LiveFiles, live_files, verify};

const BALANCES: &str = "SELECT account_id, posted, commit_id FROM balances ORDER BY account_id";
const HISTORY: &str =
    "SELECT account_id, posted, tick, change, commit_id FROM balances_history ORDER BY account_id, commit_id, tick, change";

/// Eight commits of four ticks each, with two keys that change.
fn run(run_length: u64, every: u64) -> Run {
    Run {
        workers: 2,
        closes: (1..=8).map(|commit| commit * 4).collect(),
        run_length,
        every,
        whole_from_changes: 1000,
        retention_days: None,
    }
}

fn changes() -> Vec<Change> {
    let change = |tick: u64| (tick, u8::from(tick.is_multiple_of(3)), Some(tick.cast_signed()));
    (0..32).map(change).collect()
}

/// A directory that one process wrote.
fn written(run: &Run) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    write(&data, run, &changes(), 0, run.closes.len());
    (folder, data)
}

fn live(data: &Path) -> Vec<Arc<CommitFile>> {
    Chain::open(data, None).unwrap().live().files().to_vec()
}

/// The commits with rows in segments.
fn in_segments(data: &Path) -> Vec<u64> {
    let mut commits: Vec<_> = live(data).iter().filter(|file| file.part.is_some()).map(|file| file.commit_id).collect();
    commits.dedup();
    commits
}

fn segments_on_disk(data: &Path) -> usize {
    fs::read_dir(data.join("segments")).map_or(0, Iterator::count)
}

#[test]
fn rows_are_the_same_in_segments_in_parquet_and_in_both() {
    let (_parquet, expected) = written(&run(1, 0));
    assert_eq!(in_segments(&expected), [0_u64; 0], "a last commit has no segment");
    let expected = Catalog::open(&expected, None).unwrap();
    for (name, run) in [("segments", run(0, 0)), ("both", run(0, 4)), ("both, and whole", Run { whole_from_changes: 4, ..run(0, 2) })] {
        let (_folder, data) = written(&run);
        let catalog = Catalog::open(&data, None).unwrap();
        assert!(!in_segments(&data).is_empty(), "{name}");
        for query in
            [BALANCES, HISTORY, "SELECT COUNT(*) FROM balances_history", "SELECT SUM(posted) FROM balances_history WHERE change > 0"]
        {
            assert_eq!(rows(&catalog, query), rows(&expected, query), "{name}: {query}");
        }
        assert_eq!(rows(&catalog, &format!("SELECT COUNT(*) FROM ({HISTORY} LIMIT 5)")), ["5"], "{name}");
    }
}

#[test]
fn rows_leave_segments_with_upkeep_and_with_the_last_commit_of_a_run() {
    // (commits of a run, commits between plans, commits that are in segments at the end)
    let cases: [(u64, u64, &[u64]); 6] = [
        (0, 0, &[1, 2, 3, 4, 5, 6, 7, 8]),
        (0, 8, &[5, 6, 7, 8]), // those up to commit 4 were planned at it, and added three commits later
        (0, 4, &[7, 8]),
        (0, 1, &[8]),
        (8, 8, &[]),
        (7, 64, &[8]),
    ];
    for (run_length, every, expected) in cases {
        let (_folder, data) = written(&run(run_length, every));
        assert_eq!(in_segments(&data), expected, "runs of {run_length}, every {every}");
        assert_eq!(segments_on_disk(&data), expected.len() * 2, "runs of {run_length}, every {every}: what is empty is swept");
    }
}

#[test]
fn a_run_that_follows_several_makes_the_same_files() {
    for every in [2, 4, 8] {
        let run = run(3, every);
        let (_folder, at_once) = written(&run);
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        // No cut at the end of a run: the next process would begin another run.
        for (from, until) in [(0, 2), (2, 4), (4, 5), (5, 7), (7, 8)] {
            write(&data, &run, &changes(), from, until);
        }
        let head = |data: &Path| fs::read_to_string(data.join("HEAD")).unwrap();
        assert_eq!(head(&at_once), head(&data), "every {every}");
    }
}

#[test]
fn a_damaged_part_is_named_with_its_bytes() {
    type Harm = fn(&Path, u64);
    let harms: [(&str, Harm); 3] = [
        ("is damaged: its SHA-256 is not the one in the commit", |path, begin| {
            let mut content = fs::read(path).unwrap();
            content[usize::try_from(begin).unwrap() + 9] ^= 1;
            fs::write(path, content).unwrap();
        }),
        ("is cut off: the file has", |path, begin| {
            fs::File::options().write(true).open(path).unwrap().set_len(begin + 1).unwrap();
        }),
        ("is missing", |path, _| fs::remove_file(path).unwrap()),
    ];
    for (expected, harm) in harms {
        let (_folder, data) = written(&run(0, 0));
        let file = live(&data).iter().rfind(|file| file.commit_id == 3).cloned().unwrap();
        let (path, begin) = (data.join(&*file.path), file.part.as_ref().unwrap().begin);
        harm(&path, begin);
        let place = format!("table balances: {}, bytes {begin} to {}, of commit 3 {expected}", path.display(), begin + file.bytes);
        let said = verify(&data, 2).expect_err("a break").to_string();
        assert!(said.starts_with(&place), "{said}");
        let catalog = Catalog::open(&data, None).unwrap();
        for query in [BALANCES, HISTORY] {
            let said = message(&catalog, query);
            assert!(said.starts_with(&place), "{query}: {said}");
        }
    }
}

#[test]
fn live_files_are_parquet_and_the_rest_is_counted() {
    let (_folder, data) = written(&run(0, 4));
    let all = live(&data);
    let paths: Vec<_> = all.iter().filter(|file| file.part.is_none()).map(|file| data.join(&*file.path)).collect();
    let segment_rows = all.iter().filter(|file| file.part.is_some()).map(|file| file.rows).sum();
    assert!(!paths.is_empty() && segment_rows > 0);
    let expected = LiveFiles { paths, segment_rows };
    assert_eq!(live_files(&data, Some("balances_history")).unwrap(), expected);
    assert_eq!(live_files(&data, None).unwrap(), expected);
    assert_eq!(live_files(&data, Some("ledger_entries")).unwrap(), LiveFiles::default());
}

#[test]
fn a_name_without_files_is_refused_as_sql_refuses_it_or_with_the_way_to_its_rows() {
    let (_folder, data) = written(&run(1, 0));
    let catalog = Catalog::open(&data, None).unwrap();
    let said = |name| live_files(&data, Some(name)).expect_err("no files").to_string();
    for name in ["balanses", "nothing_like_it_at_all"] {
        assert_eq!(said(name), message(&catalog, &format!("SELECT * FROM {name}")));
    }
    assert!(said("balances").contains("ask for the files of balances_history"));
    assert!(said("commits").contains("headwater sql") && said("positions").contains("is a view"));
}
