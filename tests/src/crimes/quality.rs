//! Precision and recall of rules on labelled days.
//!
//! A **signal** of a rule is an alert that was not withdrawn, or, of a pack with points, a decision in whose reasons the rule is. It is
//! **right** if it names an event or a party of a planted case, of whatever rule: it leads to somebody who did wrong. A case is
//! **found** by its rule if one of that rule's signals does. Precision is the part of the signals that are right, recall the part
//! of the cases that are found. What happened in the past that the days begin with is no signal: everything is new there.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use headwater_sql::Catalog;
use serde_json::Value;

use super::Days;
use super::diary::{Case, Millis, time_of};
use crate::pipeline::objects;

/// Packs and their rules, in the order of the table; of packs with points also the verdicts.
pub const RULES: [(&str, &str); 39] = [
    ("banking", "large_amount"),
    ("banking", "night"),
    ("banking", "velocity"),
    ("banking", "impossible_travel"),
    ("banking", REVIEWED),
    ("banking", BLOCKED),
    ("payments", "velocity"),
    ("payments", "far_from_home"),
    ("payments", "unusual_amount"),
    ("payments", "new_device"),
    ("payments", "daily_sum"),
    ("payments", REVIEWED),
    ("payments", BLOCKED),
    ("aml", "structuring"),
    ("aml", "fan_in"),
    ("aml", "fan_out"),
    ("aml", "dormant_account"),
    ("aml", "young_account"),
    ("aml", "new_payee"),
    ("aml", "in_and_out"),
    ("aml", "repeated_amount"),
    ("aml", "round_trip"),
    ("aml", "large_cash"),
    ("compliance", "transaction_limit"),
    ("compliance", "daily_withdrawal"),
    ("compliance", "daily_transfer"),
    ("compliance", "business_hours"),
    ("access", "access_denied"),
    ("access", "access_hours"),
    ("access", "maker_is_checker"),
    ("surveillance", "layering"),
    ("surveillance", "wash_trade"),
    ("surveillance", "marking_the_close"),
    ("surveillance", "quote_stuffing"),
    ("surveillance", "front_running"),
    ("surveillance", "order_to_trade"),
    ("surveillance", "fat_finger"),
    ("surveillance", "large_trader"),
    ("surveillance", "stale_feed"),
];

/// The verdict of at least a review.
const REVIEWED: &str = "(review or block)";
/// The verdict of a block.
const BLOCKED: &str = "(block)";

const ALERTS: &str = "SELECT kind, rule, subject, evidence, CAST(ts AS BIGINT) AS ts FROM alerts
    WHERE state <> 'withdrawn' AND kind IN ('aml', 'compliance', 'surveillance') AND ts >= TIMESTAMP '2026-03-01T00:00:00Z'";
const DECISIONS: &str = "SELECT ruleset, subject_id, decision, reasons FROM decisions
    WHERE state <> 'withdrawn' AND ts >= TIMESTAMP '2026-03-01T00:00:00Z'";

/// Counts of a rule.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    /// Cases.
    pub planted: usize,
    /// Cases that a signal of the rule names.
    pub found: usize,
    /// Signals.
    pub signals: usize,
    /// Signals that name a case.
    pub right: usize,
}

/// A signal.
struct Signal {
    pack: String,
    rule: String,
    names: Vec<String>,
    at: Option<Millis>,
}

/// Counts of all rules.
#[derive(Clone, Debug, Default)]
pub struct Quality {
    tallies: BTreeMap<(String, String), Tally>,
    /// Cases that were not found.
    pub missed: Vec<Case>,
    /// Signals that name no case: pack, rule, and whom they name.
    pub wrong: Vec<(String, String, Vec<String>)>,
}

impl Quality {
    /// Adds what a run made of labelled days.
    pub fn add(&mut self, days: &Days, data: &Path) -> Result<()> {
        let signals = signals(data)?;
        let mut found = vec![Vec::new(); days.cases.len()];
        for signal in &signals {
            let mut is_right = false;
            for (case, found) in days.cases.iter().zip(&mut found).filter(|(case, _)| names(signal, case)) {
                is_right = true;
                found.push((signal.rule.as_str(), signal.pack == case.pack));
            }
            let tally = self.tallies.entry((signal.pack.clone(), signal.rule.clone())).or_default();
            tally.signals += 1;
            tally.right += usize::from(is_right);
            if !is_right {
                self.wrong.push((signal.pack.clone(), signal.rule.clone(), signal.names.clone()));
            }
        }
        for (case, found) in days.cases.iter().zip(&found) {
            for rule in [case.rule, REVIEWED, BLOCKED] {
                let tally = self.tallies.entry((case.pack.to_owned(), rule.to_owned())).or_default();
                tally.planted += 1;
                let is_found = found.contains(&(rule, true));
                tally.found += usize::from(is_found);
                if rule == case.rule && !is_found {
                    self.missed.push(case.clone());
                }
            }
        }
        Ok(())
    }

    /// The counts of a rule.
    pub fn of(&self, pack: &str, rule: &str) -> Tally {
        self.tallies.get(&(pack.to_owned(), rule.to_owned())).copied().unwrap_or_default()
    }

    /// The table, in Markdown.
    pub fn table(&self) -> String {
        let mut text =
            "| pack | rule | planted | found | signals | right | recall | precision |\n|---|---|---:|---:|---:|---:|---:|---:|\n"
                .to_owned();
        for (pack, rule) in RULES {
            let Tally { planted, found, signals, right } = self.of(pack, rule);
            let name = if rule.starts_with('(') { rule.to_owned() } else { format!("`{rule}`") };
            let (recall, precision) = (part(found, planted), part(right, signals));
            text += &format!("| `{pack}` | {name} | {planted} | {found} | {signals} | {right} | {recall} | {precision} |\n");
        }
        text
    }
}

/// A part of a whole with two digits, rounded half up; none of nothing.
fn part(some: usize, all: usize) -> String {
    let percent = (some * 200 + all).checked_div(all * 2);
    percent.map_or("–".to_owned(), |percent| format!("{}.{:02}", percent / 100, percent % 100))
}

/// Whether a signal names an event or a party of a case.
fn names(signal: &Signal, case: &Case) -> bool {
    let within = case.during.is_none_or(|(from, to)| signal.at.is_some_and(|at| from <= at && at <= to));
    within && signal.names.iter().any(|name| case.events.contains(name) || case.parties.contains(name))
}

fn signals(data: &Path) -> Result<Vec<Signal>> {
    let catalog = Catalog::open(data, None)?;
    let ask = |query: &str| objects(catalog.query(query)?);
    let mut signals = Vec::new();
    for row in ask(ALERTS)? {
        let (kind, rule) = (text(&row, "kind")?, text(&row, "rule")?);
        let pack = if RULES.contains(&("access", rule.as_str())) { "access".to_owned() } else { kind };
        let evidence = row.get("evidence").and_then(Value::as_array).into_iter().flatten();
        let names = evidence.filter_map(Value::as_str).map(str::to_owned).chain([text(&row, "subject")?]).collect();
        signals.push(Signal { pack, rule, names, at: row.get("ts").and_then(Value::as_i64).map(time_of) });
    }
    for row in ask(DECISIONS)? {
        let (pack, names) = (text(&row, "ruleset")?, vec![text(&row, "subject_id")?]);
        let mut rules = fired(&row);
        let verdict = text(&row, "decision")?;
        rules.extend((verdict != "approve").then(|| REVIEWED.to_owned()));
        rules.extend((verdict == "block").then(|| BLOCKED.to_owned()));
        signals.extend(rules.into_iter().map(|rule| Signal { pack: pack.clone(), rule, names: names.clone(), at: None }));
    }
    Ok(signals)
}

/// The rules that fired for a decision; one that could not be decided has no points.
fn fired(decision: &Value) -> Vec<String> {
    let reasons = decision.get("reasons").and_then(Value::as_array).into_iter().flatten();
    let fired = reasons.filter(|reason| reason.get("points").and_then(Value::as_f64).is_some_and(|points| points > 0.0));
    fired.filter_map(|reason| reason.get("rule").and_then(Value::as_str)).map(str::to_owned).collect()
}

fn text(row: &Value, name: &str) -> Result<String> {
    row.get(name).and_then(Value::as_str).map(str::to_owned).with_context(|| format!("{row} has no {name}"))
}
