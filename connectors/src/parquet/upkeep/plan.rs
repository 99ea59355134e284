//! Plans of upkeep: which files are merged, and which are dropped.

use std::collections::BTreeMap;
use std::sync::Arc;

use headwater_schemas::{EffectiveTime, Nanos};

use super::{Scope, UpkeepSettings};
use crate::parquet::chain::CommitFile;
use crate::parquet::record::FileRole;

/// Number of files of similar size that are merged into one.
const ENOUGH: usize = 8;
/// Number of files of a day that is over that are merged into one.
const ENOUGH_OF_A_DAY: usize = 4;
/// Upper bounds of size classes in bytes: a smaller file than the first bound is of class 0, and so on; larger files are not
/// merged.
const SIZES: [u64; 3] = [16 << 10, 128 << 10, 1 << 20];

/// The merges and drops for the files at a commit.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) merges: Vec<Merge>,
    pub(super) dropped: Vec<Arc<CommitFile>>,
}

/// Files whose rows are merged into one.
#[derive(Debug)]
pub(super) struct Merge {
    /// Which of the table's data sets the file belongs to.
    pub(super) role: FileRole,
    /// Whether the result holds all current rows of a state table or a checkpoint.
    pub(super) whole: bool,
    /// Ordered by commit.
    pub(super) files: Vec<Arc<CommitFile>>,
}

impl Merge {
    /// The files that the result replaces: writing a state table whole leaves its history unchanged.
    pub(super) fn replaced(&self) -> impl Iterator<Item = &Arc<CommitFile>> {
        self.files.iter().filter(|file| file.role == self.role)
    }
}

/// Files that may be merged with each other: the data set, the day, and whether a whole state covers them.
type Group<'a> = (String, &'a str, bool);

/// The last commit of each table's whole state.
type Wholes<'a> = BTreeMap<&'a str, u64>;

/// The plan for the files that exist at a commit that ends at `now`.
pub(super) fn plan(files: &[Arc<CommitFile>], now: EffectiveTime, scope: Scope, settings: &UpkeepSettings) -> Plan {
    let wholes: Wholes<'_> = files.iter().filter(|file| file.is_whole()).map(|file| (&*file.table, file.last_commit())).collect();
    match scope {
        Scope::Parts => {
            let parts = files.iter().filter(|file| file.part.is_some());
            let merges = groups(parts, &wholes).into_values().filter_map(part).collect();
            Plan { merges, dropped: Vec::new() }
        }
        Scope::AllFiles => plan_all(files, now, &wholes, settings),
    }
}

fn plan_all(files: &[Arc<CommitFile>], now: EffectiveTime, wholes: &Wholes<'_>, settings: &UpkeepSettings) -> Plan {
    let is_dropped = |file: &&Arc<CommitFile>| is_over(file, now, settings.retention.get(&file.dataset()).copied());
    let (dropped, kept): (Vec<_>, Vec<_>) = files.iter().partition(is_dropped);
    let mut plan = Plan { merges: Vec::new(), dropped: dropped.into_iter().cloned().collect() };
    for group in groups(kept.into_iter(), wholes).into_values() {
        let parts: Vec<_> = group.iter().filter(|file| file.part.is_some()).cloned().collect();
        let is_state = group.first().is_some_and(|file| file.role == FileRole::State);
        let merge = if is_state { plan_state(group, settings) } else { plan_day(group, now, settings) };
        // Parts always become Parquet, alone if there are no other files to merge them with.
        let is_left = |part: &Arc<CommitFile>| !merge.iter().flat_map(|merge| &merge.files).any(|file| Arc::ptr_eq(file, part));
        let left = parts.into_iter().filter(is_left).collect();
        plan.merges.extend(part(left));
        plan.merges.extend(merge);
    }
    plan.merges.extend(plan_wholes(files, wholes, &plan.dropped, settings));
    plan
}

fn groups<'a>(files: impl Iterator<Item = &'a Arc<CommitFile>>, wholes: &Wholes<'_>) -> BTreeMap<Group<'a>, Vec<Arc<CommitFile>>> {
    let mut groups = BTreeMap::<Group<'_>, Vec<Arc<CommitFile>>>::new();
    for file in files {
        // Rows of a state are not divided by day.
        let day = if file.role == FileRole::State { "" } else { file.day() };
        // Changes that a whole state covers are merged apart from later ones, so that a reader of the later ones need not read
        // both.
        groups.entry((file.dataset(), day, is_held(file, wholes))).or_default().push(Arc::clone(file));
    }
    groups.values_mut().for_each(|group| sort(group));
    groups
}

fn sort(files: &mut [Arc<CommitFile>]) {
    let begin = |file: &CommitFile| file.part.as_ref().map_or(0, |part| part.begin);
    files.sort_by(|a, b| (a.first_commit(), &a.path, begin(a)).cmp(&(b.first_commit(), &b.path, begin(b))));
}

/// Whether a whole state covers a history file.
fn is_held(file: &CommitFile, wholes: &Wholes<'_>) -> bool {
    file.role == FileRole::History && wholes.get(&*file.table).is_some_and(|whole| file.last_commit() <= *whole)
}

/// State tables to be written whole: those with enough changes since the last time, and those of which changes are dropped that
/// no whole state covers.
fn plan_wholes(files: &[Arc<CommitFile>], wholes: &Wholes<'_>, dropped: &[Arc<CommitFile>], settings: &UpkeepSettings) -> Vec<Merge> {
    let mut changes = BTreeMap::<&str, Vec<Arc<CommitFile>>>::new();
    for file in files.iter().filter(|file| file.role == FileRole::History && !is_held(file, wholes)) {
        changes.entry(&file.table).or_default().push(Arc::clone(file));
    }
    let whole = |(table, mut files_since): (&str, Vec<Arc<CommitFile>>)| {
        let before = files.iter().filter(|file| file.is_whole() && *file.table == *table).cloned().collect::<Vec<_>>();
        let rows = |files: &[Arc<CommitFile>]| files.iter().map(|file| file.rows).sum::<u64>();
        let is_lost = files_since.iter().any(|file| dropped.iter().any(|dropped| dropped.name() == file.name()));
        let is_due = is_lost || rows(&files_since) >= settings.whole_from_changes.max(rows(&before));
        files_since.extend(before);
        sort(&mut files_since);
        is_due.then_some(Merge { role: FileRole::State, whole: true, files: files_since })
    };
    changes.into_iter().filter_map(whole).collect()
}

/// Whether a file's day ended at least this long ago.
fn is_over(file: &CommitFile, now: EffectiveTime, after: Option<Nanos>) -> bool {
    let end = file.date.map(|date| date.end().effective());
    file.role != FileRole::State && after.zip(end).is_some_and(|(after, end)| end.saturating_add(after) <= now)
}

fn plan_state(group: Vec<Arc<CommitFile>>, settings: &UpkeepSettings) -> Option<Merge> {
    let rows = |whole| group.iter().filter(|file| file.is_whole() == whole).map(|file| file.rows).sum::<u64>();
    if rows(false) >= settings.whole_from_changes.max(rows(true)) {
        return Some(Merge { role: FileRole::State, whole: true, files: group });
    }
    run(group.into_iter().filter(|file| !file.is_whole()).collect())
}

fn plan_day(group: Vec<Arc<CommitFile>>, now: EffectiveTime, settings: &UpkeepSettings) -> Option<Merge> {
    let is_over = group.iter().all(|file| is_over(file, now, Some(settings.day_closes_after)));
    if is_over {
        let files: Vec<_> = group.into_iter().filter(|file| size(file) < SIZES.len()).collect();
        return if files.len() >= ENOUGH_OF_A_DAY { part(files) } else { None };
    }
    run(group)
}

fn size(file: &CommitFile) -> usize {
    SIZES.partition_point(|size| *size <= file.bytes)
}

/// The longest run of newest files up to some size class of which enough are in that class.
fn run(group: Vec<Arc<CommitFile>>) -> Option<Merge> {
    let longest = (0..SIZES.len()).rev().find_map(|of| {
        let begin = group.iter().rposition(|file| size(file) > of).map_or(0, |last| last + 1);
        let run = group.get(begin..).unwrap_or_default();
        (run.iter().filter(|file| size(file) == of).count() >= ENOUGH).then_some(begin)
    });
    let mut begin = longest?;
    // The files of one commit stay together.
    let overlaps = |begin: usize| Some(group.get(begin.checked_sub(1)?)?.last_commit() >= group.get(begin)?.first_commit());
    while overlaps(begin).unwrap_or(false) {
        begin += 1;
    }
    let files: Vec<_> = group.into_iter().skip(begin).collect();
    if files.len() > 1 { part(files) } else { None }
}

/// A merge of files of one data set into one file of it.
fn part(files: Vec<Arc<CommitFile>>) -> Option<Merge> {
    let role = files.first()?.role;
    Some(Merge { role, whole: false, files })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::parquet::record::Merged;

    const DAY: u64 = Nanos::DAY.get();

    fn settings() -> UpkeepSettings {
        UpkeepSettings {
            every: 8,
            whole_from_changes: 100,
            day_closes_after: Nanos::DAY,
            retention: BTreeMap::from([("t_history".to_owned(), Nanos::new(10 * DAY))]),
            grace: Duration::ZERO,
            outbox: Arc::default(),
        }
    }

    /// A file of a commit with this many KiB (and rows), on 2026-01-01.
    fn file(role: FileRole, commit_id: u64, worker: u64, kib: u64, whole: bool) -> Arc<CommitFile> {
        let dataset = if role == FileRole::History { "t_history" } else { "t" };
        let path = format!("{dataset}/date=2026-01-01/{commit_id}-{worker}.parquet").into();
        let merged = whole.then_some(Merged { first: 1, last: commit_id, whole: true });
        let date = "2026-01-01".parse().ok();
        let (rows, bytes, sha256) = (kib, kib << 10, "".into());
        Arc::new(CommitFile { commit_id, table: "t".into(), role, merged, path, date, part: None, rows, bytes, sha256 })
    }

    /// The plan for files of these sizes in KiB, in commits from 1 on: how many are merged, if any, and into a whole.
    fn planned(role: FileRole, kib: &[u64], days_later: u64, whole: u64) -> (Option<(usize, bool)>, usize) {
        let mut files: Vec<_> = (whole > 0).then(|| file(FileRole::State, 1, 0, whole, true)).into_iter().collect();
        files.extend((2..).zip(kib).map(|(commit_id, kib)| file(role, commit_id, 0, *kib, false)));
        let midnight: headwater_schemas::Date = "2026-01-01".parse().expect("a date");
        let plan = plan(&files, midnight.end().effective().saturating_add(Nanos::new(days_later * DAY)), Scope::AllFiles, &settings());
        assert!(plan.merges.len() <= 1);
        (plan.merges.first().map(|merge| (merge.files.len(), merge.whole)), plan.dropped.len())
    }

    #[test]
    fn files_are_merged_when_there_are_enough_of_about_a_size() {
        type Case = (&'static str, FileRole, Vec<u64>, u64, u64, Option<(usize, bool)>);
        let (rows, state) = (FileRole::Rows, FileRole::State);
        let history = FileRole::History;
        let cases: [Case; 12] = [
            ("few", rows, vec![1; 7], 0, 0, None),
            ("enough", rows, vec![1; 8], 0, 0, Some((8, false))),
            ("behind a larger one", rows, [vec![20], vec![1; 9]].concat(), 0, 0, Some((9, false))),
            ("many larger ones, with the smaller behind them", rows, [vec![20; 8], vec![1; 3]].concat(), 0, 0, Some((11, false))),
            ("large ones stay", rows, vec![2000; 20], 0, 0, None),
            ("a day that is over", rows, vec![100, 1, 1, 1, 2000], 1, 0, Some((4, false))),
            ("much of a state has changed", state, vec![60, 60], 0, 110, Some((3, true))),
            ("little of it, in many files", state, vec![1; 8], 0, 1000, Some((8, false))),
            ("little of it", state, vec![1; 7], 0, 1000, None),
            ("few changes of a state table", history, vec![1; 7], 0, 0, None),
            ("as many as it may have, and none since", history, vec![60, 60], 0, 110, Some((3, true))),
            ("fewer than it has rows", history, vec![60, 60], 0, 130, None),
        ];
        for (name, role, kib, days_later, whole, expected) in cases {
            assert_eq!(planned(role, &kib, days_later, whole), (expected, 0), "{name}");
        }
    }

    #[test]
    fn what_is_older_than_its_retention_is_dropped() {
        assert_eq!(planned(FileRole::History, &[1, 1], 9, 0), (None, 0));
        assert_eq!(planned(FileRole::History, &[1, 1], 10, 0), (Some((2, true)), 2), "current rows must not go with them");
        assert_eq!(planned(FileRole::History, &[], 10, 5), (None, 0), "a whole state is none of it");
        assert_eq!(planned(FileRole::Rows, &[1, 1], 100, 0), (None, 0), "no retention is no end");
    }

    #[test]
    fn a_state_table_that_is_written_whole_keeps_its_history() {
        let mut files = vec![file(FileRole::State, 4, 9, 50, true)];
        files.extend((3..7).map(|commit_id| file(FileRole::History, commit_id, 0, 60, false)));
        let plan = plan(&files, EffectiveTime::ZERO, Scope::AllFiles, &settings());
        let [merge] = &plan.merges[..] else { panic!("{plan:?}") };
        let commits = |files: Vec<&Arc<CommitFile>>| files.iter().map(|file| file.commit_id).collect::<Vec<_>>();
        assert_eq!((merge.role, merge.whole), (FileRole::State, true));
        assert_eq!(commits(merge.files.iter().collect()), [4, 5, 6], "the whole state, and what changed since");
        assert_eq!(commits(merge.replaced().collect()), [4]);
    }

    #[test]
    fn changes_before_and_after_a_whole_state_are_merged_apart() {
        let mut files = vec![file(FileRole::State, 9, 9, 5000, true)];
        files.extend((2..18).map(|commit_id| file(FileRole::History, commit_id, 0, 1, false)));
        let merged: Vec<_> = plan(&files, EffectiveTime::ZERO, Scope::AllFiles, &settings())
            .merges
            .iter()
            .map(|merge| merge.files.iter().map(|file| file.commit_id).collect::<Vec<_>>())
            .collect();
        assert_eq!(merged, [(10..18).collect::<Vec<_>>(), (2..10).collect::<Vec<_>>()]);
    }

    /// A part of a commit's segment with this many KiB, on a day in January 2026.
    fn part_of(role: FileRole, commit_id: u64, day: u64, kib: u64) -> Arc<CommitFile> {
        let day = format!("2026-01-{day:02}");
        let (path, date) = (format!("segments/{commit_id}-0.segment").into(), day.parse().ok());
        let part = Some(crate::parquet::record::Part { begin: 0, day });
        let (rows, bytes, sha256) = (kib, kib << 10, "".into());
        Arc::new(CommitFile { commit_id, table: "t".into(), role, merged: None, path, date, part, rows, bytes, sha256 })
    }

    #[test]
    fn parts_become_parquet_with_every_plan_however_few_they_are() {
        use FileRole::{History, Rows};
        let few = vec![file(Rows, 1, 0, 1, false), part_of(Rows, 2, 1, 1), part_of(Rows, 3, 1, 1)];
        let many: Vec<_> = (2..9).map(|commit_id| file(Rows, commit_id, 0, 1, false)).chain([part_of(Rows, 9, 1, 1)]).collect();
        let days = vec![part_of(Rows, 2, 1, 1), part_of(Rows, 2, 2, 1), part_of(History, 2, 1, 1)];
        let whole = vec![file(FileRole::State, 4, 9, 5000, true), part_of(History, 4, 1, 1), part_of(History, 5, 1, 1)];
        let behind = [vec![part_of(Rows, 1, 1, 1), file(Rows, 2, 0, 2000, false)], vec![part_of(Rows, 3, 1, 1); 1]].concat();
        type Case = (&'static str, Vec<Arc<CommitFile>>, Scope, Vec<Vec<u64>>);
        let cases: [Case; 8] = [
            ("few", few.clone(), Scope::Parts, vec![vec![2, 3]]),
            ("few of all files", few, Scope::AllFiles, vec![vec![2, 3]]),
            ("many, of parts alone", many.clone(), Scope::Parts, vec![vec![9]]),
            ("many: together with files", many, Scope::AllFiles, vec![(2..10).collect()]),
            ("by table and day", days.clone(), Scope::Parts, vec![vec![2], vec![2], vec![2]]),
            ("by table and day, of all files", days, Scope::AllFiles, vec![vec![2], vec![2], vec![2]]),
            ("changes that a whole state holds apart", whole, Scope::Parts, vec![vec![5], vec![4]]),
            ("before and after a large file", behind, Scope::AllFiles, vec![vec![1, 3]]),
        ];
        for (name, files, scope, expected) in cases {
            let plan = plan(&files, EffectiveTime::ZERO, scope, &settings());
            let merged = plan.merges.iter().map(|merge| merge.files.iter().map(|file| file.commit_id).collect::<Vec<_>>());
            assert_eq!(merged.collect::<Vec<_>>(), expected, "{name}");
        }
    }

    #[test]
    fn parts_older_than_their_retention_are_dropped() {
        let plan = plan(&[part_of(FileRole::History, 2, 1, 1)], EffectiveTime::MAX, Scope::AllFiles, &settings());
        assert_eq!(plan.dropped.iter().map(|file| file.name().into_owned()).collect::<Vec<_>>(), ["segments/2-0.segment@0"]);
        let [merge] = &plan.merges[..] else { panic!("{plan:?}") };
        assert!(merge.whole, "what they changed is kept");
    }

    #[test]
    fn rows_leave_segments_within_a_minute_of_commits_each_second() {
        let settings = UpkeepSettings { every: 64, ..settings() };
        for commit_id in 1..=256 {
            let planned = (commit_id..).find(|planned| settings.last_plan(*planned) == Some(*planned)).expect("a plan");
            assert!(settings.added_in(planned) - commit_id < 60, "{commit_id}");
        }
        for every in 1..=65 {
            let settings = UpkeepSettings { every, ..settings.clone() };
            let plans: Vec<_> = (1..=4 * every).filter(|id| settings.last_plan(*id) == Some(*id)).collect();
            let whole = plans.iter().filter(|planned| settings.scope(**planned) == Scope::AllFiles).count();
            assert!(plans.windows(2).all(|pair| settings.added_in(pair[0]) <= pair[1]), "one at a time, every {every}");
            assert_eq!(whole, 4, "every {every}");
        }
    }

    #[test]
    fn the_files_of_one_commit_stay_together() {
        let mut files =
            vec![file(FileRole::Rows, 5, 0, 1, false), file(FileRole::Rows, 5, 1, 20, false), file(FileRole::Rows, 5, 2, 1, false)];
        files.extend((6..14).map(|commit_id| file(FileRole::Rows, commit_id, 0, 1, false)));
        let merge = run(files).expect("a merge");
        assert_eq!(merge.files.iter().map(|file| file.commit_id).collect::<Vec<_>>(), (6..14).collect::<Vec<_>>());
    }
}
