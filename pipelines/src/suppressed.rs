//! Suppressed changes of alerts: those that the outbox does not publish.
//!
//! A change of an alert is suppressed if, at the end of its tick, there is a suppression of its rule, for its subject or for every
//! subject, that holds at the alert's `ts`. That is a function of the rows of `suppressions` and `alerts` alone: not of when they
//! are published, nor of how commits divide them.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context;
use arrow::array::RecordBatch;
use headwater_connectors::parquet::chain::{Chain, Commit, CommitFile};
use headwater_connectors::parquet::reader::{batches, current_rows};
use headwater_connectors::parquet::record::FileRole;
use headwater_operators::suppressions::SuppressionKey;
use headwater_schemas::tables::{Alert, AlertSuppression, TableRow};
use headwater_schemas::{Clock, EventTime, Tick};

use crate::outbox::{is_now, ticks};

/// The suppressions at every tick up to a commit.
#[derive(Debug, Default)]
pub struct Suppressed {
    /// The last commit whose rows it has; none before it has read any.
    read_to: Option<u64>,
    versions: BTreeMap<SuppressionKey, BTreeMap<Tick, Option<Held>>>,
}

/// The effective time from which a suppression holds, and the time at which it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Held {
    since: EventTime,
    expires_at: EventTime,
}

impl Suppressed {
    /// Adds the rows of a commit, which follows those that were added before. The first time, it adds the rows of all commits.
    pub fn follow(&mut self, data: &Path, commit: &Commit, clock: Clock) -> anyhow::Result<()> {
        if self.read_to.is_some_and(|read_to| read_to >= commit.commit_id) {
            return Ok(());
        }
        let mut own = commit.files.iter().filter(|file| is_history(file) && file.merged.is_none());
        // The files of a commit that is published late may be merged into others, and gone.
        let is_read = self.read_to.is_some() && own.try_for_each(|file| self.add_file(data, file, clock)).is_ok();
        if !is_read {
            return self.read_all(data, clock);
        }
        self.read_to = Some(commit.commit_id);
        Ok(())
    }

    /// Reads the rows of all commits.
    fn read_all(&mut self, data: &Path, clock: Clock) -> anyhow::Result<()> {
        let mut chain = Chain::open(data, None)?;
        loop {
            match self.add_live(&chain, clock) {
                // A later commit has merged files that were live.
                Err(_) if chain.extend()? => {}
                result => return result,
            }
        }
    }

    fn add_live(&mut self, chain: &Chain, clock: Clock) -> anyhow::Result<()> {
        chain.live().files().iter().filter(|file| is_history(file)).try_for_each(|file| self.add_file(chain.data(), file, clock))?;
        // Of changes beyond the retention of the history, only the current rows are left.
        for row in current_rows::<AlertSuppression>(chain)? {
            let tick = clock.tick_of(row.ts.effective());
            self.versions.entry(SuppressionKey::of_row(&row)).or_default().entry(tick).or_insert_with(|| Some(held(&row)));
        }
        self.read_to = Some(chain.last_id());
        Ok(())
    }

    fn add_file(&mut self, data: &Path, file: &CommitFile, clock: Clock) -> anyhow::Result<()> {
        for batch in batches(data, file)? {
            let rows = AlertSuppression::read_all(&batch)?;
            let is = is_now(&batch).context("a history has no column `change`")?;
            for ((row, tick), is) in rows.iter().zip(ticks(&batch, clock)).zip(is.values()) {
                let version = (*is > 0).then(|| held(row));
                self.versions.entry(SuppressionKey::of_row(row)).or_default().insert(tick, version);
            }
        }
        Ok(())
    }

    /// Whether each change of an alert, in a batch of the history of `alerts`, is suppressed.
    pub fn of_alerts(&self, batch: &RecordBatch, clock: Clock) -> anyhow::Result<Vec<bool>> {
        if self.versions.is_empty() {
            return Ok(vec![false; batch.num_rows()]);
        }
        let alerts = Alert::read_all(batch)?;
        Ok(alerts.iter().zip(ticks(batch, clock)).map(|(alert, tick)| self.holds(alert, tick)).collect())
    }

    fn holds(&self, alert: &Alert, tick: Tick) -> bool {
        let keys = SuppressionKey::of_alerts(&alert.rule, &alert.subject).into_iter();
        let versions = keys.filter_map(|key| self.versions.get(&key)?.range(..=tick).next_back());
        versions.filter_map(|(_, held)| *held).any(|held| held.since <= alert.ts && alert.ts < held.expires_at)
    }
}

fn is_history(file: &CommitFile) -> bool {
    *file.table == *AlertSuppression::SPEC.name && file.role == FileRole::History
}

fn held(row: &AlertSuppression) -> Held {
    Held { since: row.since, expires_at: row.expires_at }
}

#[cfg(test)]
mod tests {
    use headwater_schemas::Id;
    use headwater_schemas::tables::{AlertKind, AlertState, Severity};

    use super::*;

    fn alert(rule: &str, subject: &str, ts: i64) -> Alert {
        Alert {
            alert_id: Id::derived("x"),
            kind: AlertKind::Aml,
            rule: rule.into(),
            severity: Severity::Low,
            subject: Id::derived(subject),
            state: AlertState::Raised,
            message: "".into(),
            evidence: Vec::new(),
            ts: EventTime::from_nanos(ts),
        }
    }

    #[test]
    fn a_change_is_suppressed_by_the_suppression_of_its_tick_and_time() {
        let held = |since, expires_at| Some(Held { since: EventTime::from_nanos(since), expires_at: EventTime::from_nanos(expires_at) });
        let mut suppressed = Suppressed::default();
        let mut add = |subject: &str, tick, version| {
            let key = SuppressionKey { rule: "fan_out".into(), subject: subject.into() };
            suppressed.versions.entry(key).or_default().insert(Tick::new(tick), version);
        };
        // Of `a` from 105 to 200 in ticks of 10, deleted in tick 15 and set again in tick 18; of every subject from 300 to 310.
        add("a", 10, held(105, 200));
        add("a", 15, None);
        add("a", 18, held(180, 200));
        add("*", 30, held(300, 310));
        for (case, rule, subject, ts, expected) in [
            ("before it", "fan_out", "a", 95, false),
            ("in its first tick, before it", "fan_out", "a", 104, false),
            ("when it begins", "fan_out", "a", 105, true),
            ("later", "fan_out", "a", 149, true),
            ("once it is deleted", "fan_out", "a", 150, false),
            ("when it is set again", "fan_out", "a", 180, true),
            ("just before its end", "fan_out", "a", 199, true),
            ("at its end", "fan_out", "a", 200, false),
            ("another subject", "fan_out", "b", 149, false),
            ("another rule", "fan_in", "a", 149, false),
            ("every subject", "fan_out", "b", 305, true),
            ("after the end for every subject", "fan_out", "b", 310, false),
        ] {
            let tick = Tick::new(u64::try_from(ts / 10).unwrap_or(0));
            assert_eq!(suppressed.holds(&alert(rule, subject, ts), tick), expected, "{case}");
        }
    }
}
