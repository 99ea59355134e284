//! Tests of packs that change: what was decided by an earlier version, or by none, stays as it is.

use std::collections::BTreeMap;

use headwater_schemas::tables::{AlertState, DecisionState};

use super::*;
use crate::testing::{history_of, run_with_change};

/// A pack that blocks from so many transactions within an hour on.
fn many(count: u32) -> Arc<Pack> {
    pack(&format!(
        "[[feature]]\nname = \"n\"\naggregate = \"count\"\nwindow = \"1h\"\n[[rule]]\nname = \"many\"\nwhen = \"n >= {count}\"\npoints = 30\n"
    ))
}

/// A pack without points that raises alerts of a severity from so many transactions within an hour on.
fn busy(count: u32, severity: &str, quiet: &str) -> Arc<Pack> {
    let text = format!(
        "name = \"p\"\nsubject = \"transaction\"\nkind = \"aml\"\n\
         [[feature]]\nname = \"n\"\naggregate = \"count\"\nwindow = \"1h\"\n\
         [[rule]]\nname = \"many\"\nwhen = \"n >= {count}\"\nseverity = \"{severity}\"\nquiet = \"{quiet}\"\n"
    );
    Pack::parse("p.toml", &text).unwrap_or_else(|error| panic!("{error}"))
}

/// A pack of another name that remembers the same events and never blocks.
fn other() -> Arc<Pack> {
    let text = "name = \"other\"\nsubject = \"transaction\"\nkind = \"aml\"\n\
        [[feature]]\nname = \"n\"\naggregate = \"count\"\nwindow = \"1h\"\n\
        [[rule]]\nname = \"huge\"\nwhen = \"n > 1000\"\nseverity = \"low\"\n";
    Pack::parse("other.toml", text).unwrap_or_else(|error| panic!("{error}"))
}

fn view(packs: &[Arc<Pack>]) -> Rules {
    Rules::of(Subject::Transaction, packs, headwater_schemas::Nanos::DAY)
}

/// The view of packs of which that named `p` judges from the transaction with an offset on; before, an earlier version did, or none.
fn from(packs: &[Arc<Pack>], offset: u64, is_first: bool) -> Rules {
    let at = Offsets::from([(0, Offset::new(offset))]);
    let coverage = if is_first { Coverage::beginning(&at) } else { Coverage::default().replaced(&at) };
    view(packs).covering(&BTreeMap::from([("p".to_owned(), Arc::new(coverage))]))
}

/// Four transactions within the hour, one two hours later, then a late one.
fn story() -> Vec<Step> {
    let mut all: Vec<_> = (0..4).map(|n| transaction(&format!("t{n}"), DAY + n * MINUTE, "10")).collect();
    all.extend([transaction("new", DAY + 2 * HOUR, "10"), transaction("late", DAY + 30, "10")]);
    arriving(all)
}

/// The events until the first four transactions, and all.
fn at_four(steps: Vec<Step>) -> (Happenings<Rules>, usize) {
    let known = customer("");
    let cut = known.len() + 4;
    (known.into_iter().chain(steps).collect(), cut)
}

/// Runs a story of which the first four transactions are judged by one view, and the others by another one.
fn changed(before: &Rules, after: &Rules, steps: Vec<Step>) -> Emitted<Rules> {
    run_with_change(before.clone(), after.clone(), at_four(steps), |_, _| {})
}

/// `id verdict state` of each decision of the pack `p`.
fn told(said: &Emitted<Rules>) -> Vec<String> {
    let of_pack = decisions(said).into_iter().filter(|decision| decision.ruleset.as_str() == "p");
    let mut all: Vec<_> = of_pack.map(|decision| format!("{} {} {}", decision.subject_id, decision.decision, decision.state)).collect();
    all.sort();
    all
}

#[test]
fn a_late_event_does_not_decide_again_what_an_earlier_version_decided() {
    let (old, new) = (view(&[many(100)]), from(&[many(3)], 4, false));
    let said = changed(&old, &new, story());
    let expected = ["late approve made", "new approve made", "t0 approve made", "t1 approve made", "t2 approve made", "t3 approve made"];
    assert_eq!(told(&said), expected, "the new version would block three of them");
    assert!(alerts(&said).is_empty());
    // The version that judged them all decides again.
    let said = changed(&old, &view(&[many(3)]), story());
    assert!(told(&said).contains(&"t3 block amended".to_owned()));
}

#[test]
fn a_late_event_does_not_decide_about_what_no_version_judged() {
    let said = changed(&view(&[other()]), &from(&[many(3), other()], 4, true), story());
    assert_eq!(told(&said), ["late approve made", "new approve made"]);
    assert!(alerts(&said).is_empty() && said.derived.is_empty(), "nobody is notified of a block");
}

#[test]
fn a_reversal_withdraws_the_decision_of_an_earlier_version_with_its_reasons() {
    let mut steps = story();
    let taken = taken_back(&steps[4], "a", "t3", "new");
    steps.push(taken);
    let said = changed(&view(&[many(3)]), &from(&[many(100)], 4, false), steps);
    let decision = decision_on(&said, "t3");
    assert_eq!((decision.state, decision.decision.to_string()), (DecisionState::Withdrawn, "block".to_owned()));
    assert_eq!(reasons(&decision), ["many 30: n=4 t0 t1 t2 t3", "taken_back 0: new"]);
    assert!(told(&said).contains(&"t2 block made".to_owned()), "what came before it stays");
    let states: Vec<_> = alerts(&said).iter().map(|alert| (alert.evidence[0].to_string(), alert.state)).collect();
    assert_eq!(states, [("t2".to_owned(), AlertState::Raised), ("t3".to_owned(), AlertState::Withdrawn)]);
}

#[test]
fn a_reversal_makes_no_decision_about_what_no_version_judged() {
    let mut steps = story();
    let taken = taken_back(&steps[4], "a", "t3", "new");
    steps.push(taken);
    let said = changed(&view(&[other()]), &from(&[many(3), other()], 4, true), steps);
    assert_eq!(told(&said), ["late approve made", "new approve made"]);
}

#[test]
fn what_counts_again_has_the_decision_of_the_earlier_version() {
    let mut steps = story();
    let (back, won) = (taken_back(&steps[4], "a", "t3", "new"), restored(&steps[5], "a", "t3", "late"));
    steps.extend([back, won]);
    let said = changed(&view(&[many(3)]), &from(&[many(100)], 4, false), steps.clone());
    let decision = decision_on(&said, "t3");
    assert_eq!((decision.state, decision.decision.to_string()), (DecisionState::Amended, "block".to_owned()));
    assert_eq!(reasons(&decision), ["many 30: n=4 t0 t1 t2 t3", "taken_back 0: late"]);
    // What no version judged has no decision then, either.
    let said = changed(&view(&[other()]), &from(&[many(3), other()], 4, true), steps);
    assert_eq!(told(&said), ["late approve made", "new approve made"]);
}

#[test]
fn alerts_without_points_that_an_earlier_version_raised_stay_as_they_are() {
    let old = view(&[busy(3, "low", "1d")]);
    let now = |pack| from(&[pack], 4, false);
    let rows = |said: &Emitted<Rules>| {
        let row = |alert: Alert| format!("{} {} {}", alert.alert_id, alert.severity, alert.state);
        alerts(said).into_iter().map(row).collect::<Vec<_>>()
    };
    // A lower bound, another severity, a shorter quiet time: the late event is the fifth of its hour.
    assert_eq!(rows(&changed(&old, &now(busy(100, "high", "1d")), story())), ["p:many:a:t2 low amended"]);
    assert_eq!(rows(&changed(&old, &now(busy(2, "high", "1s")), story())), ["p:many:a:late high raised", "p:many:a:t2 low amended"]);
    // What no version judged raises nothing.
    let said = changed(&view(&[other()]), &from(&[busy(3, "low", "1d"), other()], 4, true), story());
    assert_eq!(rows(&said), [""; 0]);
}

#[test]
fn what_a_version_with_points_found_is_in_no_alert_of_a_version_without() {
    // 50 points are more than the rank of any severity.
    let scored = pack(
        "[[feature]]\nname = \"n\"\naggregate = \"count\"\nwindow = \"1h\"\n[[rule]]\nname = \"many\"\nwhen = \"n >= 1\"\npoints = 50\n",
    );
    let rows = |steps: Vec<Step>| {
        let said = changed(&view(std::slice::from_ref(&scored)), &from(&[busy(1, "low", "1d")], 4, false), steps);
        alerts(&said).into_iter().filter(|alert| alert.rule.as_str() == "many").collect::<Vec<_>>()
    };
    let told = |rows: &[Alert]| rows.iter().map(|row| format!("{} {} {}", row.alert_id, row.severity, row.state)).collect::<Vec<_>>();
    // The fifth transaction is two hours after the four, and has the quiet time of a day.
    let mut steps = story();
    steps.pop();
    let found = rows(steps);
    assert_eq!(told(&found), ["p:many:a:new low raised"]);
    assert_eq!(found[0].evidence, [Id::derived("new")], "t0 to t3 have decisions of the first version");
    // A late one between the four begins the episode, without them.
    assert_eq!(told(&rows(story())), ["p:many:a:late low raised", "p:many:a:new low withdrawn"]);
}

#[test]
fn an_alert_of_two_versions_has_the_severity_of_the_events_that_are_left() {
    // The fifth transaction of the hour is judged by the second version.
    let mut all: Vec<_> = (0..4).map(|n| transaction(&format!("t{n}"), DAY + n * MINUTE, "10")).collect();
    all.extend([transaction("new", DAY + 4 * MINUTE, "10"), transaction("other", DAY + 5 * HOUR, "10")]);
    let steps = arriving(all);
    let severities = |steps: Vec<Step>, old: &str, new: &str| {
        let said = changed(&view(&[busy(3, old, "1d")]), &from(&[busy(3, new, "1d")], 4, false), steps);
        history_of(&said.tables.alerts).into_iter().map(|(_, alert, _)| format!("{} {}", alert.severity, alert.state)).collect::<Vec<_>>()
    };
    let raised = severities(steps.clone(), "low", "high");
    assert_eq!(raised.last().map(String::as_str), Some("high amended"), "the greater of both");
    let without = |id: &str| {
        let mut steps = steps.clone();
        let taken = taken_back(&steps[5], "a", id, "other");
        steps.push(taken);
        steps
    };
    for (id, old, new, expected) in [
        ("new", "low", "high", "low amended"),
        ("new", "high", "low", "high amended"),
        // Of the first version two are left, and the second still finds its own.
        ("t3", "low", "high", "high amended"),
        ("t3", "high", "low", "high amended"),
    ] {
        let found = severities(without(id), old, new);
        assert_eq!(found.last().map(String::as_str), Some(expected), "{id} of {old} and {new}: {found:?}");
    }
}

#[test]
fn a_transaction_that_waited_for_longer_than_a_pack_judges_has_no_decision_of_it() {
    // The fifth transaction was read before the pack begins at offset 5, and is accepted after it, like one that waited for its hold.
    let mut steps = story();
    let taken = taken_back(&steps[5], "a", "new", "late");
    steps.push(taken);
    let said = changed(&view(&[other()]), &from(&[many(1), other()], 5, true), steps.clone());
    assert_eq!(told(&said), ["late block made"]);
    // In place of an earlier version, the one in force judges it, and a reversal withdraws that.
    let said = changed(&view(&[many(100)]), &from(&[many(1)], 5, false), steps);
    assert!(told(&said).contains(&"new block withdrawn".to_owned()), "{:?}", told(&said));
}

#[test]
fn earlier_decisions_stay_after_another_restart() {
    let (old, new) = (view(&[many(100)]), from(&[many(3)], 4, false));
    let whole = changed(&old, &new, story());
    let (happenings, cut) = at_four(story());
    for restart in 0..2 {
        // The second view continues from the rows of the first one, which ran with the new version for a while.
        let mut late = happenings.clone();
        let rest = late.split_off(cut + restart);
        let first = run_with_change(old.clone(), new.clone(), (late, cut), |_, _| {});
        let saved = SavedRules {
            rule_events: Arc::new(rows_of(&first.tables.rule_events)),
            rule_outcomes: Arc::new(rows_of(&first.tables.rule_outcomes)),
            rule_alerts: Arc::new(rows_of(&first.tables.rule_alerts)),
        };
        let before = happenings[..cut + restart].to_vec();
        let resumed = crate::testing::resumed(new.clone(), &saved, before, rest);
        let known = history_of(&first.tables.decisions);
        let expected: Vec<_> = history_of(&whole.tables.decisions).into_iter().filter(|row| !known.contains(row)).collect();
        assert_eq!(history_of(&resumed.tables.decisions), expected, "{restart}");
    }
}
