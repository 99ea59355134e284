//! `headwater explain`: why a decision was made or an alert was raised.
//!
//! Everything is read from the data directory: rows and their histories, and the rule packs of the configuration of the commit that
//! wrote them. Later changes of the configuration do not matter.

mod found;
mod page;

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;
use headwater_schemas::tables::{Alert, Decision};
use headwater_sql::{Catalog, quoted};

pub(super) use found::CommittedRows;
use found::{CommitPacks, Stored};
use page::Page;

/// Maximum number of decisions, and of alerts, that are explained for one id.
const MAX_PAGES: usize = 20;

/// Arguments of `headwater explain`.
#[derive(Args)]
pub struct ExplainArguments {
    /// Data directory.
    #[arg(long)]
    data: PathBuf,
    /// Commit to look at; the newest if omitted.
    #[arg(long, value_name = "COMMIT")]
    at: Option<u64>,
    /// Id of a decision, of an alert, or of what they are about: a transaction, a payment, an account.
    id: String,
}

/// What is known under an id.
struct Matches {
    decisions: Vec<Stored<Decision>>,
    alerts: Vec<Stored<Alert>>,
}

/// Nothing has the id that was given.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct UnknownId(String);

/// Prints the explanation.
pub fn explain(arguments: &ExplainArguments, out: &mut impl Write) -> anyhow::Result<()> {
    let ExplainArguments { data, at, id } = arguments;
    Ok(out.write_all(text(&Catalog::open(data, *at)?, data, id)?.as_bytes())?)
}

/// The explanation of everything that has an id, or is about what has it.
pub fn text(catalog: &Catalog, data: &Path, id: &str) -> anyhow::Result<String> {
    let rows = CommittedRows::new(catalog);
    let Matches { mut decisions, mut alerts } = find(&rows, id)?;
    anyhow::ensure!(!decisions.is_empty() || !alerts.is_empty(), UnknownId(unknown(id, data)));
    let left_out = decisions.len().saturating_sub(MAX_PAGES) + alerts.len().saturating_sub(MAX_PAGES);
    decisions.truncate(MAX_PAGES);
    alerts.truncate(MAX_PAGES);
    let pages = pages(&rows, &mut CommitPacks::new(data), &decisions, &alerts)?;
    let mut text = pages.join("\n");
    if left_out > 0 {
        let id = quoted(id);
        let rest = format!("SELECT * FROM explanations WHERE subject = {id} OR array_has(events, {id})");
        text.push_str(&format!("\n{left_out} more: headwater sql --data {} \"{rest}\"\n", data.display()));
    }
    Ok(text)
}

/// The commands that explain the newest standing alert of each rule, except of some rules.
pub fn commands(catalog: &Catalog, data: &Path, except: &BTreeSet<&str>) -> anyhow::Result<Vec<String>> {
    let alerts = CommittedRows::new(catalog).newest_alerts()?;
    let others = alerts.iter().filter(|alert| !except.contains(alert.row.rule.as_str()));
    Ok(others.map(|alert| command(data, &alert.row.alert_id)).collect())
}

/// The command that explains an alert or a decision.
pub(super) fn command(data: &Path, id: &str) -> String {
    format!("headwater explain --data {} '{}'", data.display(), id.replace('\'', "'\\''"))
}

/// What has an id, or is about what has it. An alert about a decision brings the decision.
fn find(rows: &CommittedRows<'_>, id: &str) -> anyhow::Result<Matches> {
    let alerts = rows.alerts_of(id)?;
    let mut decisions = rows.decisions_of(id)?;
    for alert in alerts.iter().filter(|alert| alert.row.alert_id.as_str() == id) {
        decisions.extend(rows.decision_behind(&alert.row)?);
    }
    let mut known = BTreeSet::new();
    decisions.retain(|decision| known.insert(decision.row.decision_id.clone()));
    Ok(Matches { decisions, alerts })
}

fn pages(
    rows: &CommittedRows<'_>,
    packs: &mut CommitPacks<'_>,
    decisions: &[Stored<Decision>],
    alerts: &[Stored<Alert>],
) -> anyhow::Result<Vec<String>> {
    let events = rows.events(decisions, alerts)?;
    let mut pages = Vec::new();
    for decision in decisions {
        let history = rows.history("decisions", "decision_id", &decision.row.decision_id)?;
        let alert = rows.alert_about(&decision.row)?;
        pages.push(Page::of_decision(&decision.row, alert.as_ref(), &history, packs.of(decision.commit_id)?, &events));
    }
    for alert in alerts {
        let history = rows.history("alerts", "alert_id", &alert.row.alert_id)?;
        pages.push(Page::of_alert(&alert.row, &history, packs.of(alert.commit_id)?, &events));
    }
    Ok(pages)
}

fn unknown(id: &str, data: &Path) -> String {
    let query = "SELECT id, kind, subject, rule FROM explanations ORDER BY ts DESC LIMIT 20";
    format!(
        "nothing in {data} has the id {id:?}: give the id of a decision (`<ruleset>:<transaction or payment>:<its id>`), of an alert, or of \
         the transaction, payment, account or customer that one is about; find one with: headwater sql --data {data} \"{query}\"",
        data = data.display()
    )
}
