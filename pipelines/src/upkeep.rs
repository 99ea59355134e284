//! Configuration of upkeep, which keeps the data directory small.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use headwater_connectors::parquet::directory::HISTORY_SUFFIX;
use headwater_connectors::parquet::upkeep::UpkeepSettings;
use headwater_schemas::Nanos;
use headwater_schemas::tables::TableKind;
use serde::Deserialize;

use crate::config::Span;

/// Table that proves the balances. It is always kept.
const BOOKS: &str = "ledger_entries";
/// Table that [`REMAP`] proves, so it must not be kept longer than that.
const AUDIT: &str = "audit";
const REMAP: &str = "remap";

/// Section `[upkeep]`: merging, whole states, retention.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UpkeepConfig {
    /// Commits between two merge plans. Default 64: with a commit a second, the rows of a segment are in Parquet within a minute. 0: no
    /// upkeep; segments stay and are read like Parquet.
    pub every: u64,
    /// Time for which a merged file stays, so that queries that read it can finish. Default 10 minutes.
    pub grace: Span,
    /// Changes from which on a state table is written whole again, provided they are at least as many as its rows. It bounds what a
    /// restart reads to about twice the state. Default 20000.
    pub whole_from_changes: u64,
    /// Time for which rows are kept after the end of their day of event time, by table or `<table>_history`. Without an entry they are
    /// always kept.
    pub retention: BTreeMap<String, Span>,
}

impl Default for UpkeepConfig {
    fn default() -> Self {
        Self { every: 64, grace: Span(Duration::from_secs(600)), whole_from_changes: 20_000, retention: BTreeMap::new() }
    }
}

impl UpkeepConfig {
    /// Settings for commits. `horizon` is the longest horizon of an event.
    pub fn settings(&self, horizon: Nanos) -> UpkeepSettings {
        UpkeepSettings {
            every: self.every,
            whole_from_changes: self.whole_from_changes,
            day_closes_after: horizon,
            retention: self.retention.iter().map(|(name, Span(span))| (name.clone(), (*span).into())).collect(),
            grace: self.grace.0,
            outbox: Arc::default(),
        }
    }

    /// Problems that are not of a single key.
    pub(crate) fn contradictions(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if self.whole_from_changes == 0 {
            problems.push("upkeep.whole_from_changes is 0: give at least 1".to_owned());
        }
        let known = droppable();
        for name in self.retention.keys() {
            if name == BOOKS {
                problems.push(format!("upkeep.retention.{name}: balances are proved by it, so it is kept for ever"));
            } else if !known.contains(name.as_str()) {
                let known = known.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
                problems.push(format!("upkeep.retention.{name} is no table whose rows can be let go: those are {known}"));
            }
        }
        if self.retention.get(REMAP).is_some_and(|remap| self.retention.get(AUDIT).is_none_or(|audit| audit > remap)) {
            problems.push(format!("upkeep.retention.{REMAP}: {AUDIT} is proved by it, so {AUDIT} must not be kept longer"));
        }
        problems
    }
}

/// Tables that may have a retention: append tables and histories.
fn droppable() -> BTreeSet<String> {
    let names = headwater_sql::tables().iter().filter_map(|table| match table.spec.kind {
        TableKind::Append | TableKind::Journal => Some(table.spec.name.to_owned()),
        TableKind::State => Some(format!("{}{HISTORY_SUFFIX}", table.spec.name)),
        TableKind::Checkpoint => None,
    });
    names.filter(|name| name != BOOKS).collect()
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    #[test]
    fn what_proofs_need_is_not_let_go() {
        for (retention, expected) in [
            ("audit = \"24h\", \"balances_history\" = \"24h\"", None),
            ("audit = \"24h\", remap = \"24h\"", None),
            ("remap = \"24h\"", Some("audit must not be kept longer")),
            ("audit = \"48h\", remap = \"24h\"", Some("audit must not be kept longer")),
            ("ledger_entries = \"24h\"", Some("kept for ever")),
            ("balances = \"24h\"", Some("is no table")),
            ("admitted = \"24h\"", Some("is no table")),
            ("audit = \"a day\"", Some("is not a duration")),
        ] {
            let said = Config::parse("c.toml", &format!("[upkeep]\nretention = {{ {retention} }}\n")).map_err(|error| error.to_string());
            match expected {
                None => assert!(said.is_ok(), "{retention}: {said:?}"),
                Some(expected) => assert!(said.as_ref().is_err_and(|error| error.contains(expected)), "{retention}: {said:?}"),
            }
        }
    }
}
