//! What an explanation is made from: committed rows, and the packs that made them.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use headwater_connectors::parquet::configuration;
use headwater_connectors::parquet::records::Records;
use headwater_operators::rules::Pack;
use headwater_schemas::tables::{AccountOwner, Alert, Column, Decision, LedgerEntry, PaymentProgress, TableRow};
use headwater_schemas::{AccountId, Text};
use headwater_sql::{Catalog, quoted};

use crate::decisive::packs_of;

/// A committed row.
pub(super) struct Stored<R> {
    pub(super) row: R,
    /// The commit that wrote it.
    pub(super) commit_id: u64,
    /// In a history: the correction that changed it, if one did.
    pub(super) reason: Option<Text>,
}

/// Main fields of events, by their ids, in words.
pub(super) type EventTexts = BTreeMap<String, String>;

/// Reads rows at one commit.
pub(crate) struct CommittedRows<'c> {
    catalog: &'c Catalog,
}

impl<'c> CommittedRows<'c> {
    pub(crate) const fn new(catalog: &'c Catalog) -> Self {
        Self { catalog }
    }

    /// Decisions with an id, or about what has it.
    pub(super) fn decisions_of(&self, id: &str) -> anyhow::Result<Vec<Stored<Decision>>> {
        let id = quoted(id);
        self.rows(&format!("SELECT * FROM decisions WHERE decision_id = {id} OR subject_id = {id} ORDER BY ts, decision_id"))
    }

    /// Alerts with an id, about what has it, or that name it as evidence.
    pub(super) fn alerts_of(&self, id: &str) -> anyhow::Result<Vec<Stored<Alert>>> {
        let id = quoted(id);
        let which = format!("alert_id = {id} OR subject = {id} OR array_has(evidence, {id})");
        self.rows(&format!("SELECT * FROM alerts WHERE {which} ORDER BY ts, alert_id"))
    }

    /// The accounts that a customer owns.
    pub(crate) fn accounts_of(&self, customer: &str) -> anyhow::Result<Vec<AccountId>> {
        let rows = self
            .rows::<AccountOwner>(&format!("SELECT * FROM account_owners WHERE customer_id = {} ORDER BY account_id", quoted(customer)))?;
        Ok(rows.into_iter().map(|stored| stored.row.account_id).collect())
    }

    /// Whether anything is stored of a customer: an account, also one of former times, a payment, a budget, a watchlist or its own record.
    pub(crate) fn has_seen_customer(&self, customer: &str) -> anyhow::Result<bool> {
        let customer = quoted(customer);
        let tables = ["account_owners_history", "payments_state_history", "customer_budgets", "price_watches"];
        let by_id = tables.map(|table| format!("SELECT customer_id FROM {table} WHERE customer_id = {customer}")).join(" UNION ALL ");
        let record = format!("SELECT key FROM reference_records WHERE topic = 'customers' AND key = {customer}");
        for batch in self.catalog.query(&format!("{by_id} UNION ALL {record} LIMIT 1"))? {
            if batch?.num_rows() > 0 {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Of each rule the alert that was changed last, of those that stand.
    pub(super) fn newest_alerts(&self) -> anyhow::Result<Vec<Stored<Alert>>> {
        let numbered = "SELECT *, ROW_NUMBER() OVER (PARTITION BY kind, rule ORDER BY ts DESC, alert_id) AS place \
                        FROM alerts WHERE state IN ('raised', 'amended')";
        self.rows(&format!("SELECT * FROM ({numbered}) AS numbered WHERE place = 1 ORDER BY kind, rule"))
    }

    /// The decision that an alert is about, if it is about one: the alert's rule is the ruleset.
    pub(super) fn decision_behind(&self, alert: &Alert) -> anyhow::Result<Vec<Stored<Decision>>> {
        let Some(subject) = alert.evidence.first() else { return Ok(Vec::new()) };
        let which = format!("ruleset = {} AND subject_id = {}", quoted(&alert.rule), quoted(subject));
        self.rows(&format!("SELECT * FROM decisions WHERE {which} ORDER BY decision_id"))
    }

    /// The alert about a decision, if one was raised.
    pub(super) fn alert_about(&self, decision: &Decision) -> anyhow::Result<Option<Alert>> {
        let which = format!("rule = {} AND evidence[1] = {}", quoted(&decision.ruleset), quoted(&decision.subject_id));
        let alerts = self.rows(&format!("SELECT * FROM alerts WHERE {which} ORDER BY alert_id"))?;
        Ok(alerts.into_iter().next().map(|alert| alert.row))
    }

    /// What a key was after each of its changes.
    pub(super) fn history<R: TableRow>(&self, table: &str, key: &str, id: &str) -> anyhow::Result<Vec<Stored<R>>> {
        self.rows(&format!("SELECT * FROM {table}_history WHERE {key} = {} AND change > 0 ORDER BY tick, commit_id", quoted(id)))
    }

    /// The events that decisions and alerts name: transactions as the ledger has them, and payments.
    pub(super) fn events(&self, decisions: &[Stored<Decision>], alerts: &[Stored<Alert>]) -> anyhow::Result<EventTexts> {
        let of_decisions = decisions.iter().flat_map(|decision| decision.row.reasons.iter().flat_map(|reason| &reason.evidence));
        let of_alerts = alerts.iter().flat_map(|alert| &alert.row.evidence);
        let mut ids: Vec<String> = of_decisions.map(|text| quoted(text)).chain(of_alerts.map(|id| quoted(id))).collect();
        ids.sort_unstable();
        ids.dedup();
        let mut events = EventTexts::new();
        if ids.is_empty() {
            return Ok(events);
        }
        let ids = ids.join(", ");
        // The first leg is that of the transaction's own account.
        let legs = format!("SELECT * FROM ledger_entries WHERE transaction_id IN ({ids}) AND entry_id LIKE '%-1' ORDER BY ts, entry_id");
        for Stored { row: LedgerEntry { transaction_id, account_id, amount, currency, phase, ts, .. }, .. } in self.rows(&legs)? {
            let text = || format!("{amount} {currency}, account {account_id}, {phase}, {ts}");
            events.entry(transaction_id.to_string()).or_insert_with(text);
        }
        let payments = format!("SELECT * FROM payments_state WHERE payment_id IN ({ids}) ORDER BY payment_id");
        for Stored { row: PaymentProgress { payment_id, customer_id, amount, currency, status, ts, .. }, .. } in self.rows(&payments)? {
            let text = || format!("{amount} {currency}, customer {customer_id}, {status}, {ts}");
            events.entry(payment_id.to_string()).or_insert_with(text);
        }
        Ok(events)
    }

    fn rows<R: TableRow>(&self, query: &str) -> anyhow::Result<Vec<Stored<R>>> {
        let mut all = Vec::new();
        for batch in self.catalog.query(query)? {
            let batch = batch?;
            let commits = Column::<u64>::of(&batch, "commit_id")?;
            // Only histories have reasons.
            let reasons = Column::<Option<Text>>::of(&batch, "reason").ok();
            for (place, row) in R::read_all(&batch)?.into_iter().enumerate() {
                let commit_id = commits.at(place)?;
                let reason = reasons.as_ref().and_then(|reasons| reasons.at(place).ok().flatten());
                all.push(Stored { row, commit_id, reason });
            }
        }
        Ok(all)
    }
}

/// The rule packs of commits.
pub(super) struct CommitPacks<'d> {
    data: &'d Path,
    records: Records,
    /// By the hash of the configuration.
    known: BTreeMap<String, Vec<Arc<Pack>>>,
}

impl<'d> CommitPacks<'d> {
    pub(super) fn new(data: &'d Path) -> Self {
        Self { data, records: Records::new(data), known: BTreeMap::new() }
    }

    /// The packs with which a commit was made.
    pub(super) fn of(&mut self, commit_id: u64) -> anyhow::Result<&[Arc<Pack>]> {
        let commit = self.records.read(commit_id)?.with_context(|| format!("commit {commit_id} has no record"))?;
        let hash = commit.configuration;
        if !self.known.contains_key(&hash) {
            let text = configuration::read(self.data, &hash, commit_id)?;
            let packs = packs_of(&text).with_context(|| format!("reading the rule packs of commit {commit_id}"))?;
            self.known.insert(hash.clone(), packs);
        }
        Ok(self.known.get(&hash).map(Vec::as_slice).unwrap_or_default())
    }
}
