//! Export as a Delta Lake table, which grows from export to export.

use std::path::Path;
use std::time::UNIX_EPOCH;

use arrow::datatypes::SchemaRef;

use super::file::write_parquet;
use super::log::{Added, AsOf, DeltaLog, schema_string};
use super::plain::Plain;
use super::{ExportError, Exported, plain_rows, rows};
use crate::catalog::Catalog;
use crate::error::QueryError;
use crate::names::Relation;

/// Exports a relation into the table in `folder`. Facts and histories only grow, so only what is new is written; of other relations,
/// all rows are.
pub(super) fn export(catalog: &Catalog, name: &str, relation: Relation, folder: &Path) -> Result<Exported, ExportError> {
    std::fs::create_dir_all(folder).map_err(ExportError::file("creating", folder))?;
    let log = DeltaLog::read(folder)?;
    let grows = matches!(relation, Relation::Facts(_) | Relation::History(_));
    let commit_id = catalog.commit_id();
    if let Some(there) = &log.as_of {
        check_continues(catalog, there, folder)?;
        if there.commit_id == commit_id {
            return Ok(Exported { path: folder.to_owned(), commit_id, rows: 0 });
        }
    }
    let after = log.as_of.as_ref().map(|there| there.commit_id).filter(|_| grows);
    let result = catalog.query(&rows::query(catalog, name, relation, after)?)?;
    if result.commit_id() != commit_id {
        return Err(QueryError::execution("a newer commit was read than was asked for").into());
    }
    // The names of two exports differ, so none overwrites a file that the log names.
    let file_name = format!("{:020}-commit-{commit_id}.parquet", log.version);
    let path = folder.join(&file_name);
    let plain = plain_rows(name, result, Plain::Delta);
    let schema = SchemaRef::clone(&plain.schema);
    // Before a file is written, which no version would name.
    schema_string(name, &schema)?;
    let rows = write_parquet(&path, plain)?;
    let written = std::fs::metadata(&path).map_err(ExportError::file("reading", &path))?;
    // The file system's time: tables of Delta Lake know when their versions were made.
    let since_1970 = written.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    let now = since_1970.and_then(|time| u64::try_from(time.as_millis()).ok()).unwrap_or(0);
    let is_kept = rows > 0;
    if !is_kept {
        std::fs::remove_file(&path).map_err(ExportError::file("removing", &path))?;
    }
    let added = Added { name: file_name, rows, bytes: written.len() };
    let as_of = AsOf { commit_id, hash: hash_of(catalog, commit_id)? };
    log.write(name, &schema, &as_of, is_kept.then_some(&added), !grows, now)?;
    Ok(Exported { path: folder.to_owned(), commit_id, rows })
}

/// Checks that the catalog's commits follow the one that a table is as of.
fn check_continues(catalog: &Catalog, there: &AsOf, folder: &Path) -> Result<(), ExportError> {
    let refused = |why: String| Err(ExportError::Delta { path: folder.to_owned(), why });
    let (at, commit_id) = (there.commit_id, catalog.commit_id());
    if at > commit_id {
        return refused(format!("it is as of commit {at}, later than {commit_id}: export an earlier commit into an empty folder"));
    }
    // Tables of earlier versions of this program have no hash.
    let Some(hash) = &there.hash else { return Ok(()) };
    match hash_of(catalog, at)? {
        Some(here) if here == *hash => Ok(()),
        here => refused(format!(
            "it was exported from another history: its commit {at} has the hash {hash}, and that of {} has {}: export into another folder, or from the data directory that it was exported from",
            catalog.data().display(),
            here.as_deref().unwrap_or("none"),
        )),
    }
}

/// The hash of a commit; `None` before the first.
fn hash_of(catalog: &Catalog, commit_id: u64) -> Result<Option<String>, QueryError> {
    if commit_id == 0 { Ok(None) } else { Ok(catalog.commit_hash(commit_id)?) }
}

#[cfg(test)]
mod tests {
    use headwater_schemas::Money;

    use super::super::{ExportFormat, export};
    use super::*;
    use crate::testing::{TestData, at, balance, changes, facts, leg};

    /// A data directory with some commits; `account` is in every row, so directories with other accounts have other hashes.
    fn data(account: &str, commits: i64) -> TestData {
        let mut data = TestData::new();
        for number in 1..=commits {
            add(&mut data, account, number);
        }
        data
    }

    fn add(data: &mut TestData, account: &str, number: i64) {
        let leg = leg(&format!("t{number}"), 1, account, "EUR", Money::whole(number), at(1, number));
        data.commit(vec![facts(&[leg]), changes(&[(balance(account, number, at(1, number)), 1)])]);
    }

    fn delta(data: &TestData, table: &str, out: &Path) -> Result<u64, String> {
        export(&data.catalog(), table, ExportFormat::Delta, out).map(|exported| exported.rows).map_err(|error| error.to_string())
    }

    const TABLES: [&str; 3] = ["ledger_entries", "balances_history", "balances"];

    #[test]
    fn a_table_of_another_history_is_not_continued() {
        let first = data("a", 2);
        for (case, other) in [("the same commit", data("b", 2)), ("later commits", data("b", 3))] {
            for table in TABLES {
                let out = tempfile::tempdir().unwrap();
                delta(&first, table, out.path()).unwrap();
                let before = DeltaLog::read(&out.path().join(table)).unwrap().version;
                let error = delta(&other, table, out.path()).expect_err(case);
                for expected in
                    ["from another history: its commit 2 has the hash ", "export into another folder", &other.path().display().to_string()]
                {
                    assert!(error.contains(expected), "{case}, {table}: {error}");
                }
                assert_eq!(DeltaLog::read(&out.path().join(table)).unwrap().version, before, "{case}, {table}: nothing was written");
            }
        }
    }

    #[test]
    fn a_table_without_a_hash_is_continued_and_gets_one() {
        for table in TABLES {
            let mut data = data("a", 1);
            let out = tempfile::tempdir().unwrap();
            delta(&data, table, out.path()).unwrap();
            let log = out.path().join(table).join("_delta_log/00000000000000000000.json");
            let text = std::fs::read_to_string(&log).unwrap();
            let hash = DeltaLog::read(&out.path().join(table)).unwrap().as_of.unwrap().hash.expect("a hash");
            let without = text.replace(&format!("commit 1, hash {hash}"), "commit 1");
            assert_ne!(text, without);
            std::fs::write(&log, without).unwrap();
            assert_eq!(DeltaLog::read(&out.path().join(table)).unwrap().as_of.unwrap().hash, None, "{table}");
            add(&mut data, "a", 2);
            delta(&data, table, out.path()).unwrap();
            let as_of = DeltaLog::read(&out.path().join(table)).unwrap().as_of.unwrap();
            assert_eq!(as_of.hash, data.catalog().commit_hash(as_of.commit_id).unwrap(), "{table}");
            assert!(as_of.hash.is_some(), "{table}");
        }
    }

    #[test]
    fn a_table_of_the_same_history_gets_what_is_new() {
        let mut data = data("a", 2);
        let out = tempfile::tempdir().unwrap();
        assert_eq!(delta(&data, "ledger_entries", out.path()), Ok(2));
        assert_eq!(delta(&data, "ledger_entries", out.path()), Ok(0));
        add(&mut data, "a", 3);
        assert_eq!(delta(&data, "ledger_entries", out.path()), Ok(1));
    }
}
