//! The files that exist at one commit: the data of a query.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use headwater_connectors::parquet::chain::{Chain, CommitFile, Live};
use headwater_connectors::parquet::record::FileRole;
use rustc_hash::FxHashSet;

use crate::current::CurrentCache;
use crate::tables::Table;

/// Everything up to one commit. It is immutable: a newer commit makes a new one.
///
/// Files may also hold rows of later commits, if they were merged since: [`Committed::straddles`] tells.
#[derive(Debug)]
pub(crate) struct Committed {
    data: PathBuf,
    commit_id: u64,
    live: Live,
    /// The commit after which histories begin, for who follows one; none: they are whole.
    since: Option<u64>,
    /// The current rows of state tables, shared by all commits.
    pub(crate) current: Arc<CurrentCache>,
}

impl Committed {
    pub(crate) fn new(chain: &Chain, current: Arc<CurrentCache>) -> Self {
        Self { data: chain.data().to_owned(), commit_id: chain.last_id(), live: chain.live().clone(), since: None, current }
    }

    /// The same files up to an earlier commit, with histories that begin after one.
    pub(crate) fn between(&self, since: u64, until: u64) -> Self {
        let Self { data, live, current, .. } = self;
        Self { data: data.clone(), commit_id: until, live: live.clone(), since: Some(since), current: Arc::clone(current) }
    }

    /// The commit after which histories begin.
    pub(crate) const fn since(&self) -> Option<u64> {
        self.since
    }

    pub(crate) fn data(&self) -> &Path {
        &self.data
    }

    /// The last commit; 0 when there is none.
    pub(crate) const fn commit_id(&self) -> u64 {
        self.commit_id
    }

    /// All files that exist.
    pub(crate) fn live(&self) -> &[Arc<CommitFile>] {
        self.live.files()
    }

    /// The files of a table in a role that have rows of these commits.
    pub(crate) fn files(&self, table: &'static Table, role: FileRole) -> impl Iterator<Item = &Arc<CommitFile>> {
        let files = self.live.files().iter().filter(move |file| file.role == role && *file.table == *table.spec.name);
        files.filter(|file| file.first_commit() <= self.commit_id)
    }

    /// Whether a file also has rows of later commits.
    pub(crate) fn straddles(&self, file: &CommitFile) -> bool {
        file.last_commit() > self.commit_id
    }

    /// The last commit that dropped rows; of a history, under its own name.
    pub(crate) fn dropped(&self, dataset: &str) -> Option<u64> {
        self.live.dropped().get(dataset).copied()
    }

    /// The files with these paths below the data directory.
    pub(crate) fn files_at<'a>(&'a self, paths: &'a FxHashSet<String>) -> impl Iterator<Item = &'a Arc<CommitFile>> {
        self.live.files().iter().filter(|file| paths.contains(&*file.path))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use headwater_connectors::fault::with_causes;
    use headwater_connectors::parquet::chain::{Chain, ChainError};

    use crate::testing::TestData;

    fn message(data: &TestData, at: Option<u64>) -> String {
        let error = Chain::open(data.path(), at).map(|chain| chain.last_id()).expect_err("an error");
        with_causes(&error).replace(&data.path().display().to_string(), "DATA")
    }

    fn change(data: &TestData, commit_id: u64, change: impl FnOnce(&mut serde_json::Value)) {
        let path = data.record_path(commit_id);
        let mut record = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        change(&mut record);
        fs::write(path, record.to_string()).unwrap();
    }

    fn three_commits() -> TestData {
        let mut data = TestData::new();
        (0..3).for_each(|_| assert!(data.commit(vec![]) > 0));
        data
    }

    #[test]
    fn the_chain_is_read_as_far_as_asked() {
        let data = three_commits();
        for (at, last) in [(None, 3), (Some(3), 3), (Some(2), 2), (Some(0), 0)] {
            assert_eq!(Chain::open(data.path(), at).unwrap().last_id(), last, "{at:?}");
        }
        assert_eq!(
            message(&data, Some(4)),
            "there is no commit 4 in DATA: the last one is 3; ask for one up to 3, or for none to have the newest"
        );
    }

    #[test]
    fn a_directory_without_commits_is_an_empty_chain_and_no_directory_is_an_error() {
        let data = TestData::new();
        assert_eq!(Chain::open(data.path(), None).unwrap().last_id(), 0);
        let missing = Chain::open(&data.path().join("nowhere"), None).map(|chain| chain.last_id());
        assert!(matches!(missing, Err(ChainError::NoDataDirectory { .. })), "{missing:?}");
    }

    #[test]
    fn a_missing_record_is_a_gap_but_what_came_before_can_be_asked() {
        let data = three_commits();
        fs::remove_file(data.record_path(2)).unwrap();
        assert_eq!(
            message(&data, None),
            "DATA/commits/2.json is missing although commit 3 is there: restore the file from a copy, or query what came before, at commit 1"
        );
        assert_eq!(Chain::open(data.path(), Some(1)).unwrap().last_id(), 1);
    }

    #[test]
    fn every_damage_is_told_with_file_and_mend() {
        type Damage = Box<dyn Fn(&TestData)>;
        let cases: Vec<(&str, Damage, &str)> = vec![
            (
                "no JSON",
                Box::new(|data| fs::write(data.record_path(2), "{").unwrap()),
                "query what came before, at commit 1: EOF while parsing an object",
            ),
            ("changed", Box::new(|data| change(data, 2, |record| record["end_tick"] = 7.into())), "but what it says has the hash"),
            (
                "renamed",
                Box::new(|data| {
                    fs::copy(data.record_path(3), data.record_path(2)).unwrap();
                }),
                "it says that it is commit 3",
            ),
            ("unknown field", Box::new(|data| change(data, 2, |record| record["more"] = 7.into())), "unknown field `more`"),
            (
                "from the future",
                Box::new(|data| change(data, 2, |record| record["format_version"] = 99.into())),
                "has format_version 99, and this program reads 13: use the version of headwater that wrote it, or a newer one",
            ),
            (
                "older",
                Box::new(|data| change(data, 2, |record| record["format_version"] = 5.into())),
                "has format_version 5, which this program does not read (it reads 13): replay the topics into a new directory",
            ),
            (
                "another layout",
                Box::new(|data| fs::write(data.record_path(2), "{\"format_version\":14}").unwrap()),
                "has format_version 14",
            ),
        ];
        for (case, damage, expected) in cases {
            let data = three_commits();
            damage(&data);
            let message = message(&data, None);
            assert!(message.starts_with("DATA/commits/2.json ") && message.contains(expected), "{case}: {message}");
            assert_eq!(Chain::open(data.path(), Some(1)).unwrap().last_id(), 1, "{case}");
        }
    }

    #[test]
    fn a_record_must_follow_the_one_before() {
        let (data, mut other) = (three_commits(), TestData::new());
        other.commit(vec![crate::testing::facts(&[crate::testing::leg(
            "t",
            1,
            "a",
            "EUR",
            headwater_schemas::Money::ZERO,
            crate::testing::at(1, 0),
        )])]);
        fs::copy(other.record_path(1), data.record_path(1)).unwrap();
        assert!(message(&data, None).contains("commits/2.json is damaged: its previous_hash "));
    }
}
