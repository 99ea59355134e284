//! The text of an explanation.

use std::sync::Arc;

use headwater_operators::rules::{Pack, RuleExplanation, Without};
use headwater_schemas::Id;
use headwater_schemas::tables::{Alert, Amendment, Decision, Reason};

use super::found::{EventTexts, Stored};

/// Width of labels.
const LABEL: usize = 12;

/// A text that is written line by line.
#[derive(Default)]
pub(super) struct Page {
    text: String,
}

/// A rule of a decision that fired.
struct FiredRule<'d> {
    reason: &'d Reason,
    /// None if the pack does not have the rule.
    explanation: Option<RuleExplanation>,
}

impl FiredRule<'_> {
    fn points(&self) -> u32 {
        // Points of rules are whole numbers.
        self.reason.points.to_string().parse().unwrap_or(0)
    }

    fn name(&self) -> &str {
        &self.reason.rule
    }

    /// The smallest change of a figure that clears it.
    fn smallest(&self) -> &str {
        self.explanation.as_ref().and_then(|known| known.clearings.first()).map_or("no change of its figures", String::as_str)
    }
}

impl Page {
    /// The explanation of a decision, with its alert, its history and the packs that it was made with.
    pub(super) fn of_decision(
        decision: &Decision,
        alert: Option<&Alert>,
        history: &[Stored<Decision>],
        packs: &[Arc<Pack>],
        events: &EventTexts,
    ) -> String {
        let mut page = Self::default();
        let pack = packs.iter().find(|pack| pack.name() == decision.ruleset.as_str());
        page.title(&format!("decision {}", decision.decision_id));
        let account = decision.account_id.map_or_else(String::new, |account| format!(" of account {account}"));
        page.line("about", &format!("{} {}{account}, {}", decision.subject_type, decision.subject_id, decision.ts));
        let verdicts = pack.and_then(|pack| pack.verdicts()).map_or_else(String::new, |verdicts| format!(" ({verdicts})"));
        page.line("verdict", &format!("{} with score {}{verdicts}", decision.decision, decision.score));
        page.line("state", decision.state.as_str());
        if let Some(alert) = alert {
            page.line("alert", &format!("{}, {}, severity {}", alert.alert_id, alert.state, alert.severity));
        }
        if pack.is_none() {
            page.line("pack", &format!("{} is not in the configuration of the commit, so no conditions are known", decision.ruleset));
        }
        let fired = fired(decision, pack);
        for rule in &fired {
            page.fired(rule);
        }
        page.others(decision);
        page.reached(pack, &fired);
        let ids = fired.iter().flat_map(|rule| rule.reason.evidence.iter().map(|text| text.as_str()));
        page.events(ids, events);
        page.heading("history");
        for Stored { row, commit_id, reason } in history {
            let change = format!("commit {commit_id}: {}, {} with score {}", row.state, row.decision, row.score);
            page.item(&because(change, reason.as_ref().map(|reason| reason.as_str())));
        }
        page.text
    }

    /// The explanation of an alert, with its history and the packs that were in use.
    pub(super) fn of_alert(alert: &Alert, history: &[Stored<Alert>], packs: &[Arc<Pack>], events: &EventTexts) -> String {
        let mut page = Self::default();
        page.title(&format!("alert {}", alert.alert_id));
        page.line("about", &format!("{} of {}, rule {}", alert.kind, alert.subject, alert.rule));
        page.line("state", &format!("{}, severity {}, since {}", alert.state, alert.severity, alert.ts));
        page.line("message", &alert.message);
        let pack = packs.iter().find(|pack| pack.raises(alert.kind, &alert.rule));
        let explained = pack.and_then(|pack| pack.explain(&alert.rule, &pack.figures_in(&alert.rule, &alert.message)));
        if let Some(explanation) = explained {
            page.heading(&format!("rule {} of the pack {}", alert.rule, pack.map_or("", |pack| pack.name())));
            page.rule(&explanation);
        }
        page.events(alert.evidence.iter().map(Id::as_str), events);
        page.heading("history");
        for Stored { row, commit_id, reason } in history {
            let change = format!("{}, commit {commit_id}: {}, {}: {}", row.ts, row.state, row.severity, row.message);
            page.item(&because(change, reason.as_ref().map(|reason| reason.as_str())));
        }
        page.text
    }

    fn title(&mut self, text: &str) {
        self.text.push_str(text);
        self.text.push('\n');
    }

    fn line(&mut self, label: &str, text: &str) {
        self.text.push_str(&format!("  {label:LABEL$}{text}\n"));
    }

    fn heading(&mut self, text: &str) {
        self.text.push_str(&format!("\n  {text}\n"));
    }

    fn item(&mut self, text: &str) {
        self.text.push_str(&format!("    {text}\n"));
    }

    fn detail(&mut self, label: &str, text: &str) {
        self.item(&format!("{label:LABEL$}{text}"));
    }

    fn fired(&mut self, fired: &FiredRule<'_>) {
        self.heading(&format!("rule {}, {} points", fired.name(), fired.reason.points));
        let evidence: Vec<&str> = fired.reason.evidence.iter().map(|text| text.as_str()).collect();
        let Some(explanation) = &fired.explanation else { return self.detail("evidence", &evidence.join(", ")) };
        self.rule(explanation);
        let ids: Vec<&str> = evidence.into_iter().skip(explanation.figures).collect();
        self.detail("events", &ids.join(", "));
    }

    fn rule(&mut self, explanation: &RuleExplanation) {
        self.detail("condition", &explanation.condition);
        if let Some(rise) = &explanation.rise {
            self.detail("rises to", rise);
        }
        let mut label = "compared";
        for compared in &explanation.compared {
            self.detail(label, compared);
            label = "";
        }
        let ways = explanation.clearings.join("; or ");
        self.detail(
            "cleared by",
            &match (explanation.clearings.is_empty(), explanation.is_single) {
                (true, _) => "nothing: its condition is true for other figures, too".to_owned(),
                (_, true) => ways,
                (_, false) => format!("no single figure: {ways}"),
            },
        );
    }

    /// The rules that could not be decided, and what amended the decision.
    fn others(&mut self, decision: &Decision) {
        let others: Vec<_> = decision.reasons.iter().filter(|reason| !is_fired(reason)).collect();
        let (amendments, undecided): (Vec<_>, Vec<_>) = others.into_iter().partition(|reason| Amendment::from_word(&reason.rule).is_some());
        if !undecided.is_empty() {
            self.heading("could not be decided");
        }
        for reason in undecided {
            let missing: Vec<&str> = reason.evidence.iter().map(|text| text.as_str().trim_end_matches("=unknown")).collect();
            self.item(&format!("{}: unknown {}", reason.rule, missing.join(", ")));
        }
        if !amendments.is_empty() {
            self.heading("changed by");
        }
        for reason in amendments {
            let ids: Vec<&str> = reason.evidence.iter().map(|text| text.as_str()).collect();
            self.item(&format!("{} ({})", ids.join(", "), reason.rule));
        }
    }

    /// The smallest changes without which the verdict would have been milder.
    fn reached(&mut self, pack: Option<&Arc<Pack>>, fired: &[FiredRule<'_>]) {
        let points: Vec<u32> = fired.iter().map(FiredRule::points).collect();
        let Some(reached) = pack.map(|pack| pack.reached(&points)).filter(|reached| !reached.is_empty()) else { return };
        self.heading("smallest change");
        for reached in reached {
            let mut label = format!("no {}", reached.verdict);
            for way in reached.without {
                self.detail(&label, &without(&way, fired));
                label.clear();
            }
        }
    }

    fn events<'e>(&mut self, ids: impl Iterator<Item = &'e str>, events: &EventTexts) {
        let mut named: Vec<&str> = ids.filter(|id| events.contains_key(*id)).collect();
        named.sort_unstable();
        named.dedup();
        if !named.is_empty() {
            self.heading("events");
        }
        for id in named {
            self.detail(id, &format!(" {}", events.get(id).map_or("", String::as_str)));
        }
    }
}

/// Whether a reason is a rule that fired, and not one that could not be decided or an amendment.
fn is_fired(reason: &Reason) -> bool {
    reason.points.value() > 0.0
}

fn fired<'d>(decision: &'d Decision, pack: Option<&Arc<Pack>>) -> Vec<FiredRule<'d>> {
    let explained = |reason: &'d Reason| {
        let evidence: Vec<&str> = reason.evidence.iter().map(|text| text.as_str()).collect();
        FiredRule { reason, explanation: pack.and_then(|pack| pack.explain(&reason.rule, &evidence)) }
    };
    decision.reasons.iter().filter(|reason| is_fired(reason)).map(explained).collect()
}

fn without(way: &Without, fired: &[FiredRule<'_>]) -> String {
    let rules: Vec<&FiredRule<'_>> = way.rules.iter().filter_map(|place| fired.get(*place)).collect();
    let names: Vec<&str> = rules.iter().map(|rule| rule.name()).collect();
    let changes: Vec<&str> = rules.iter().map(|rule| rule.smallest()).collect();
    format!("without {} the score is {}: {}", names.join(" and "), way.score, changes.join("; and "))
}

fn because(change: String, reason: Option<&str>) -> String {
    match reason {
        Some(reason) => format!("{change}, because {reason}"),
        None => change,
    }
}

#[cfg(test)]
mod tests;
