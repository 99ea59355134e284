//! Verification, from the files alone, that committed data is complete and unchanged, and that the books balance.
//!
//! In this order, and the error names the first violation:
//!
//! 1. The chain: every commit's record has its own hash and its predecessor's, without gaps.
//! 2. The end of the chain: the last record is not older than the one that `HEAD` names. The inventory agrees with the records.
//! 3. The configurations that commits name exist and are unchanged.
//! 4. Every file, and every part of a segment, that exists at the last commit has its size and its SHA-256; files are read in
//!    parallel.
//! 5. The audit: in every partition an unbroken chain, whose clocks follow from events and remap ([`crate::AuditBreak`]).
//! 6. The books, in SQL over those files ([`INVARIANTS`]).

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use headwater_connectors::parquet::chain::{Chain, ChainError};
use headwater_connectors::parquet::configuration::{self, ConfigurationError};
use headwater_connectors::parquet::file::FileError;
use headwater_connectors::parquet::records::inventory_path;

use crate::audit::{AuditBreak, check_audit};
use crate::catalog::{Catalog, check_directory};
use crate::config::SqlConfig;
use crate::error::{CatalogError, QueryError};
use crate::render::Format;

/// Invariants of every commit: a name, and a query for the rows that violate it.
pub const INVARIANTS: &[(&str, &str)] = &[
    ("the legs of every transaction sum to zero in every currency", "SELECT * FROM unbalanced_legs"),
    ("the trial balance is zero", "SELECT * FROM trial_balance WHERE balance <> 0"),
    ("every balance is the sum of its posted legs", "SELECT * FROM invariant_balances"),
    ("every balance holds what its open holds do", "SELECT * FROM invariant_holds"),
    ("no transaction is reversed for more than its amount", "SELECT * FROM invariant_reversals"),
    ("every leg has an id of its own", "SELECT * FROM invariant_entry_ids"),
    (
        "realized and unrealized P&L of every position are its cash flow and market value",
        "SELECT * FROM positions WHERE realized_pnl + unrealized_pnl <> cash_flow + market_value",
    ),
    ("realized P&L of every position is its cash flow and cost", "SELECT * FROM positions WHERE realized_pnl <> cash_flow + cost"),
];

/// Summary of what was verified.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Proof {
    /// Commits in the chain.
    pub commits: u64,
    /// Files at its end, and parts of segments, each verified by its hash.
    pub files: usize,
    /// Their bytes.
    pub bytes: u64,
    /// Their rows, according to the records.
    pub rows: u64,
    /// Accepted records, each verified by its hash.
    pub audited: u64,
}

/// The first violation.
#[derive(Debug, thiserror::Error)]
pub enum Break {
    /// The chain of commits.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// The catalog.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// A configuration.
    #[error(transparent)]
    Configuration(#[from] ConfigurationError),
    /// A committed file.
    #[error(transparent)]
    File(#[from] FileError),
    /// The audit.
    #[error(transparent)]
    Audit(#[from] AuditBreak),
    /// A query failed.
    #[error("cannot check that {name}")]
    Query {
        /// The invariant.
        name: &'static str,
        /// The error.
        #[source]
        cause: Box<QueryError>,
    },
    /// The books violate an invariant.
    #[error("it does not hold at commit {commit_id} that {name}:\n{rows}")]
    Invariant {
        /// The invariant.
        name: &'static str,
        /// The commit.
        commit_id: u64,
        /// The rows that violate it, as CSV.
        rows: String,
    },
}

/// Verifies a data directory with `threads` threads.
pub fn verify(data: &Path, threads: usize) -> Result<Proof, Break> {
    check_directory(data)?;
    let chain = read_chain(data)?;
    check_configurations(&chain)?;
    let mut proof = check_files(&chain, threads)?;
    proof.audited = check_audit(&chain, threads)?;
    let catalog = Catalog::over(chain, true, SqlConfig::unhurried())?;
    INVARIANTS.iter().try_for_each(|(name, query)| check_invariant(&catalog, name, query))?;
    Ok(proof)
}

/// Reads the whole chain, and compares it with `HEAD` and the inventory. While a run publishes commits they may be newer than what was
/// read before: then the new commits are read, and it is compared again.
fn read_chain(data: &Path) -> Result<Chain, Break> {
    let mut chain = Chain::open_whole(data)?;
    loop {
        let compared = chain.check_tail().map_err(Break::from).and_then(|()| check_inventory(&chain));
        match compared {
            Ok(()) => return Ok(chain),
            // Without a new commit, the difference is damage.
            Err(error) if !chain.extend()? => return Err(error),
            Err(_) => {}
        }
    }
}

/// Compares the inventory with the records.
fn check_inventory(whole: &Chain) -> Result<(), Break> {
    let from_inventory = Chain::open(whole.data(), Some(whole.last_id()))?;
    let files = |chain: &Chain| {
        chain.live().files().iter().map(|file| (file.commit_id, file.name().into_owned(), file.sha256.clone())).collect::<Vec<_>>()
    };
    if files(&from_inventory) == files(whole) && from_inventory.live().dropped() == whole.live().dropped() {
        return Ok(());
    }
    let path = inventory_path(whole.data(), from_inventory.inventory());
    Err(ChainError::inventory(&path, "the records tell other files").into())
}

fn check_configurations(chain: &Chain) -> Result<(), ConfigurationError> {
    let mut known = BTreeSet::new();
    for commit in chain.commits() {
        if known.insert(commit.configuration.as_str()) {
            configuration::read(chain.data(), &commit.configuration, commit.commit_id)?;
        }
    }
    Ok(())
}

fn check_files(chain: &Chain, threads: usize) -> Result<Proof, Break> {
    let files = chain.live().files();
    let next = AtomicUsize::new(0);
    // The first in commit order, whichever thread finds one first.
    let first = Mutex::new(None::<(usize, FileError)>);
    thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(file) = files.get(index) else { return };
                    let Some(error) = file.diagnose(chain.data()) else { continue };
                    // Earlier files are taken already, later ones need not be checked.
                    next.store(files.len(), Ordering::Relaxed);
                    if let Ok(mut first) = first.lock()
                        && first.as_ref().is_none_or(|(earlier, _)| index < *earlier)
                    {
                        *first = Some((index, error));
                    }
                }
            });
        }
    });
    match first.into_inner() {
        Ok(Some((_, error))) => Err(error.into()),
        _ => Ok(Proof {
            commits: chain.last_id(),
            files: files.len(),
            bytes: files.iter().map(|file| file.bytes).sum(),
            rows: files.iter().map(|file| file.rows).sum(),
            audited: 0,
        }),
    }
}

fn check_invariant(catalog: &Catalog, name: &'static str, query: &str) -> Result<(), Break> {
    let failed = |cause| Break::Query { name, cause: Box::new(cause) };
    let mut text = Vec::new();
    catalog.query(query).map_err(failed)?.write(Format::Csv, &mut text).map_err(failed)?;
    let text = String::from_utf8_lossy(&text);
    if text.lines().count() <= 1 {
        return Ok(());
    }
    Err(Break::Invariant { name, commit_id: catalog.commit_id(), rows: text.lines().take(6).collect::<Vec<_>>().join("\n") })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use headwater_connectors::fault::with_causes;
    use headwater_connectors::parquet::directory::{head_path, record_path};
    use headwater_connectors::parquet::record::Head;
    use headwater_schemas::Money;

    use super::*;
    use crate::testing::{TestData, at, balance, changes, facts, leg};

    /// Three transactions of five, each in a commit with the balances after it; `wrong` is added to the last balance.
    fn three_commits(wrong: i64) -> TestData {
        let mut data = TestData::new();
        for number in 1..=3 {
            let legs = [("a", 5), ("external:EUR", -5)].map(|(account, amount)| {
                leg(&format!("t{number}"), if amount > 0 { 1 } else { 2 }, account, "EUR", Money::whole(amount), at(1, number))
            });
            let sum = 5 * number + if number == 3 { wrong } else { 0 };
            let balances = [(balance("a", sum, at(1, number)), 1), (balance("external:EUR", -5 * number, at(1, number)), 1)];
            data.commit(vec![facts(&legs), changes(&balances)]);
        }
        data
    }

    fn broken(damage: impl FnOnce(&Path)) -> String {
        let data = three_commits(0);
        damage(data.path());
        let error = verify(data.path(), 2).expect_err("a break");
        with_causes(&error).replace(&data.path().display().to_string(), "DATA")
    }

    /// The ledger's file of a commit.
    fn file(data: &Path, commit_id: u64) -> PathBuf {
        let chain = Chain::open_whole(data).unwrap();
        let commit = chain.commits().iter().find(|commit| commit.commit_id == commit_id).unwrap();
        data.join(&*commit.files.iter().find(|file| file.path.starts_with("ledger_entries/")).unwrap().path)
    }

    fn write_head(data: &Path, commit_id: u64) {
        let chain = Chain::open_whole(data).unwrap();
        let hash = chain.commits().iter().find(|commit| commit.commit_id == commit_id).unwrap().hash.clone();
        fs::write(head_path(data), serde_json::to_vec(&Head { commit_id, hash }).unwrap()).unwrap();
    }

    #[test]
    fn a_whole_directory_is_proved() {
        let data = three_commits(0);
        write_head(data.path(), 3);
        let proof = verify(data.path(), 2).expect("a proof");
        assert_eq!((proof.commits, proof.files, proof.rows), (3, 6, 12));
        // A process that died before writing `HEAD` leaves it one commit behind the last record.
        write_head(data.path(), 2);
        assert_eq!(verify(data.path(), 1).expect("a proof"), proof);
    }

    #[test]
    fn books_that_do_not_balance_are_named() {
        let data = three_commits(1);
        write_head(data.path(), 3);
        let said = verify(data.path(), 2).expect_err("a break").to_string();
        assert!(said.contains("at commit 3 that every balance is the sum of its posted legs") && said.contains("a,EUR,16,15"), "{said}");
    }

    #[test]
    fn every_kind_of_damage_is_named() {
        type Damage = fn(&Path);
        let cases: [(&str, Damage, &[&str]); 6] = [
            (
                "a flipped bit",
                |data| {
                    write_head(data, 3);
                    let path = file(data, 2);
                    let mut bytes = fs::read(&path).unwrap();
                    let middle = bytes.len() / 2;
                    bytes.get_mut(middle).into_iter().for_each(|byte| *byte ^= 1);
                    fs::write(path, bytes).unwrap();
                },
                &["2-0.parquet", "is damaged"],
            ),
            (
                "two files swapped",
                |data| {
                    write_head(data, 3);
                    let (one, other) = (file(data, 1), file(data, 3));
                    fs::rename(&one, data.join("kept")).unwrap();
                    fs::rename(&other, &one).unwrap();
                    fs::rename(data.join("kept"), &other).unwrap();
                },
                &["1-0.parquet"],
            ),
            (
                "a file gone",
                |data| {
                    write_head(data, 3);
                    fs::remove_file(file(data, 3)).unwrap();
                },
                &["3-0.parquet", "is missing"],
            ),
            (
                "a commit removed from the middle",
                |data| {
                    write_head(data, 3);
                    fs::remove_file(record_path(data, 2)).unwrap();
                },
                &["DATA/commits/2.json is missing"],
            ),
            (
                "the tail cut off",
                |data| {
                    write_head(data, 3);
                    fs::remove_file(record_path(data, 3)).unwrap();
                },
                &["DATA/HEAD says that commit 3 was published", "commit 2"],
            ),
            ("no head", |_| {}, &["DATA/HEAD", "cannot be read"]),
        ];
        for (name, damage, expected) in cases {
            let said = broken(damage);
            assert!(expected.iter().all(|part| said.contains(part)), "{name}: {said}");
        }
    }
}
