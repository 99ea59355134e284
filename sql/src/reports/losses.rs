//! Whether rows that a report needs were dropped after its commit (`upkeep.retention`): made now, it would lack them.

use std::collections::{BTreeMap, BTreeSet};

use headwater_connectors::parquet::chain::{ChainError, CommitFile};
use headwater_connectors::parquet::directory::HISTORY_SUFFIX;
use headwater_connectors::parquet::records::Records;

use super::Report;
use super::as_of::query_named;
use crate::catalog::Catalog;
use crate::error::CatalogError;
use crate::tables::table_named;
use crate::views::{VIEWS, View};

/// Rows that a report needs and that are dropped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    /// The table, or the history under its own name.
    pub data_set: String,
    /// The commit that dropped them.
    pub commit_id: u64,
}

/// What commits dropped, up to the newest that was read. To be asked about commits in ascending order.
#[derive(Debug, Default)]
pub struct Losses {
    /// The last commit that was read; none before the first question.
    read: Option<u64>,
    /// By data set: the last of the commits read that dropped rows of it.
    last: BTreeMap<String, u64>,
}

impl Losses {
    /// What a report lacks that is made from a catalog at a commit; `None` if it has the rows that it had when the commit was new.
    pub fn of(&mut self, report: &Report, catalog: &Catalog) -> Result<Option<Loss>, CatalogError> {
        let at = catalog.commit_id();
        if let Some(end) = catalog.end_of_losses() {
            self.read(catalog, at, end)?;
        }
        let lost = data_sets(report).into_iter().filter_map(|data_set| Some((*self.last.get(&data_set)?, data_set)));
        let lost = lost.filter(|(commit_id, _)| *commit_id > at).max();
        Ok(lost.map(|(commit_id, data_set)| Loss { data_set, commit_id }))
    }

    fn read(&mut self, catalog: &Catalog, at: u64, end: u64) -> Result<(), ChainError> {
        let mut records = Records::new(catalog.snapshot().committed.data());
        // Reads the commits that added what was dropped, which are in other archives.
        let mut added = records.clone();
        for commit_id in self.read.unwrap_or(at) + 1..=end {
            let Some(commit) = records.read(commit_id)? else { continue };
            for name in &commit.dropped {
                let data_set = match commit_of_segment(name) {
                    Some(commit_id) => added.read(commit_id)?.and_then(|commit| named(&commit.files, name)),
                    None => name.split('/').next().map(str::to_owned),
                };
                if let Some(data_set) = data_set {
                    self.last.insert(data_set, commit_id);
                }
            }
            self.read = Some(commit_id);
        }
        Ok(())
    }
}

/// The data set of the file with a name.
fn named(files: &[std::sync::Arc<CommitFile>], name: &str) -> Option<String> {
    files.iter().find(|file| file.name() == name).map(|file| file.dataset())
}

/// The commit that added a part of a segment, by the name of the part: `segments/<commit>-<worker>.segment@<begin>`.
fn commit_of_segment(name: &str) -> Option<u64> {
    let (path, _) = name.split_once('@')?;
    path.split('/').next_back()?.split('-').next()?.parse().ok()
}

/// The tables that a report reads, and their histories.
fn data_sets(report: &Report) -> BTreeSet<String> {
    let (mut found, mut seen) = (BTreeSet::new(), BTreeSet::new());
    let mut texts: Vec<&'static str> = report.sections.iter().chain(report.checks).map(|query| query.sql).collect();
    while let Some(text) = texts.pop() {
        for word in text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_') {
            let name = word.strip_suffix(HISTORY_SUFFIX).unwrap_or(word);
            if !seen.insert(word) {
                continue;
            }
            texts.extend(query_named(word));
            // With `@`, the history of a view is meant.
            let is_meant = |view: &&View| view.name == word || view.name.strip_suffix(HISTORY_SUFFIX) == Some(word);
            texts.extend(VIEWS.iter().filter(is_meant).map(|view| view.sql));
            if table_named(name).is_some() {
                found.extend([name.to_owned(), format!("{name}{HISTORY_SUFFIX}")]);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::report_named;
    use super::*;

    #[test]
    fn a_report_reads_what_its_sql_names_also_by_views_and_macros() {
        for (report, reads, does_not) in [
            // Positions are a view of holdings, marks and terms.
            ("daily-position", vec!["holdings_history", "marks_history", "instrument_terms_history", "audit"], vec!["risk_history"]),
            ("transaction-summary", vec!["ledger_entries", "audit", "balances_history"], vec!["holdings_history"]),
            ("liquidity", vec!["reference_records", "balances_history"], vec!["executions"]),
            ("executions-rts22", vec!["executions", "reference_records"], vec!["ledger_entries"]),
            // A query in a query: its legs.
            ("large-cash", vec!["alerts_history", "ledger_entries", "audit"], vec!["executions"]),
        ] {
            let sets = data_sets(report_named(report).unwrap());
            assert!(reads.iter().all(|name| sets.contains(*name)), "{report}: {sets:?}");
            assert!(does_not.iter().all(|name| !sets.contains(*name)), "{report}: {sets:?}");
        }
        let audited = data_sets(report_named("audit-trail").unwrap());
        assert!(audited.contains("balances_history"), "the view corrections reads histories: {audited:?}");
    }

    #[test]
    fn the_name_of_a_part_tells_its_commit() {
        assert_eq!(commit_of_segment("segments/12-0.segment@4096"), Some(12));
        assert_eq!(commit_of_segment("audit/date=2026-01-01/12-0.parquet"), None);
    }
}
