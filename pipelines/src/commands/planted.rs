//! What the pipeline found of the cases that the demo planted.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write};
use std::path::Path;

use headwater_schemas::tables::{CellError, Column};
use headwater_schemas::{EventTime, Text};
use headwater_sql::{Catalog, quoted};

use super::explain::command;
use crate::simulator::PlantedCase;

/// Width of the names of cases.
const NAME: usize = 18;

/// A planted case, and the decisions and alerts in which its rules fired.
pub(super) struct Finding {
    case: PlantedCase,
    /// Id of an alert or a decision by rule.
    found: BTreeMap<String, String>,
    /// Whether the demo ended before all of the case was published.
    is_cut_off: bool,
}

impl Finding {
    /// Looks a case up in the newest commit.
    pub(super) fn look_up(catalog: &Catalog, case: PlantedCase, end: EventTime) -> anyhow::Result<Self> {
        let is_cut_off = case.complete_at > end;
        let mut named: Vec<String> = case.ids.iter().map(|id| quoted(id)).collect();
        // Surveillance names the executions of an order.
        let orders = format!("SELECT CAST(execution_id AS VARCHAR) AS id FROM executions WHERE order_id IN ({})", named.join(", "));
        named.extend(texts(catalog, &orders, ["id"])?.into_iter().map(|[id]| quoted(&id)));
        let mut found = BTreeMap::new();
        for [id, rule] in texts(catalog, &query(&case, &named), ["id", "rule"])? {
            found.entry(rule).or_insert(id);
        }
        Ok(Self { case, found, is_cut_off })
    }

    /// Rules that should have fired and did not.
    fn missed(&self) -> Vec<&str> {
        self.case.rules.iter().copied().filter(|rule| !self.found.contains_key(*rule)).collect()
    }

    fn outcome(&self) -> String {
        let found: Vec<&str> = self.case.rules.iter().copied().filter(|rule| self.found.contains_key(*rule)).collect();
        let (found, missed) = (found.join(", "), self.missed().join(", "));
        match (found.is_empty(), missed.is_empty(), self.is_cut_off) {
            (_, true, _) => format!("found by {found}"),
            (true, _, true) => format!("the demo ended before it was complete; {missed} did not fire"),
            (false, _, true) => format!("found by {found}; the demo ended before it was complete, and {missed} did not fire"),
            (true, _, false) => format!("NOT FOUND: {missed} did not fire"),
            (false, _, false) => format!("found by {found}, NOT by {missed}"),
        }
    }

    /// The report on all cases, with the commands that explain them.
    pub(super) fn report(findings: &[Self], data: &Path) -> Result<String, fmt::Error> {
        let whole = findings.iter().filter(|finding| !finding.is_cut_off).count();
        let found = findings.iter().filter(|finding| !finding.is_cut_off && finding.missed().is_empty()).count();
        let mut text = String::new();
        writeln!(text, "Planted cases (the newest of each kind), {found} of {whole} found:")?;
        for finding in findings {
            let PlantedCase { name, at, .. } = &finding.case;
            writeln!(text, "  {name:NAME$} {at}  {}", finding.outcome())?;
            let ids: BTreeSet<&String> = finding.found.values().collect();
            for id in ids {
                writeln!(text, "    {}", command(data, id))?;
            }
        }
        Ok(text)
    }

    /// The rules that found something.
    pub(super) fn rules(&self) -> impl Iterator<Item = &str> {
        self.found.keys().map(String::as_str)
    }
}

/// What the rules of a case found about events with these names, as literals: what is about one of them first, then alerts, then
/// decisions, the newest of each first.
fn query(case: &PlantedCase, named: &[String]) -> String {
    let rules: Vec<String> = case.rules.iter().map(|rule| quoted(rule)).collect();
    let (rules, named) = (rules.join(", "), named.join(", "));
    format!(
        "SELECT CAST(id AS VARCHAR) AS id, CAST(rule AS VARCHAR) AS rule FROM explanations \
         WHERE rule IN ({rules}) AND COALESCE(points, 1) > 0 AND state <> 'withdrawn' \
         AND (subject IN ({named}) OR array_has_any(events, make_array({named}))) \
         ORDER BY subject NOT IN ({named}), kind = 'decision', ts DESC, id"
    )
}

/// The rows of a query whose columns are texts.
fn texts<const N: usize>(catalog: &Catalog, query: &str, names: [&'static str; N]) -> anyhow::Result<Vec<[String; N]>> {
    let mut rows = Vec::new();
    for batch in catalog.query(query)? {
        let batch = batch?;
        let columns = names.iter().map(|name| Column::<Text>::of(&batch, name)).collect::<Result<Vec<_>, _>>()?;
        for place in 0..batch.num_rows() {
            let row = columns.iter().map(|column| Ok(column.at(place)?.to_string())).collect::<Result<Vec<_>, CellError>>()?;
            rows.push(row.try_into().map_err(|_| anyhow::anyhow!("a row of {query:?} lacks one of {}", names.join(", ")))?);
        }
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use headwater_schemas::Id;

    use super::*;

    fn finding(found: &[&str], complete_at: i64) -> Finding {
        let (at, complete_at) = (EventTime::from_nanos(0), EventTime::from_nanos(complete_at));
        let case = PlantedCase { name: "mule", at, complete_at, rules: &["fan_in", "in_and_out"], ids: vec![Id::derived("T1")] };
        let found = found.iter().map(|rule| ((*rule).to_owned(), format!("aml:{rule}:T1"))).collect();
        Finding { case, found, is_cut_off: complete_at > EventTime::from_nanos(10) }
    }

    #[test]
    fn a_report_names_what_was_found_and_what_was_not() -> fmt::Result {
        let (all, part, none) = (finding(&["fan_in", "in_and_out"], 5), finding(&["fan_in"], 5), finding(&[], 5));
        let (cut, cut_in_part) = (finding(&[], 11), finding(&["fan_in"], 11));
        let report = Finding::report(&[all, part, none, cut, cut_in_part], Path::new("d"))?;
        let expected = "\
Planted cases (the newest of each kind), 1 of 3 found:
  mule               1970-01-01T00:00:00Z  found by fan_in, in_and_out
    headwater explain --data d 'aml:fan_in:T1'
    headwater explain --data d 'aml:in_and_out:T1'
  mule               1970-01-01T00:00:00Z  found by fan_in, NOT by in_and_out
    headwater explain --data d 'aml:fan_in:T1'
  mule               1970-01-01T00:00:00Z  NOT FOUND: fan_in, in_and_out did not fire
  mule               1970-01-01T00:00:00Z  the demo ended before it was complete; fan_in, in_and_out did not fire
  mule               1970-01-01T00:00:00Z  found by fan_in; the demo ended before it was complete, and in_and_out did not fire
    headwater explain --data d 'aml:fan_in:T1'
";
        assert_eq!(report, expected);
        Ok(())
    }

    #[test]
    fn a_case_is_looked_up_by_its_rules_and_the_ids_of_its_events() {
        let query = query(&finding(&[], 5).case, &["'T1'".to_owned(), "'S-1-b'".to_owned()]);
        assert!(query.contains("rule IN ('fan_in', 'in_and_out')") && query.contains("subject IN ('T1', 'S-1-b')"), "{query}");
    }
}
