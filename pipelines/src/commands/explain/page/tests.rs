//! Tests of the text of explanations.

use headwater_schemas::tables::{AlertKind, AlertState, DecisionState, Severity, SubjectType, Verdict};
use headwater_schemas::{AccountId, EventTime, Statistic, Text};

use super::*;

fn packs() -> anyhow::Result<Vec<Arc<Pack>>> {
    let built_in = |name: &str| Ok(Pack::built_in(name).ok_or_else(|| anyhow::anyhow!("no pack {name}"))??);
    ["banking", "aml"].into_iter().map(built_in).collect()
}

fn time(second: i64) -> EventTime {
    EventTime::from_nanos(1_767_607_200_000_000_000 + second * 1_000_000_000)
}

fn statistic(value: f64) -> Statistic {
    Statistic::new(value).unwrap_or_default()
}

fn reason(rule: &str, points: f64, evidence: &[&str]) -> Reason {
    Reason { rule: rule.into(), points: statistic(points), evidence: evidence.iter().map(|text| (*text).into()).collect() }
}

fn decision(state: DecisionState, score: f64, verdict: Verdict, reasons: Vec<Reason>) -> Decision {
    Decision {
        decision_id: Id::derived("banking:transaction:t6"),
        state,
        subject_type: SubjectType::Transaction,
        subject_id: Id::derived("t6"),
        account_id: Some(AccountId::derived("a")),
        ruleset: "banking".into(),
        score: statistic(score),
        decision: verdict,
        reasons,
        ts: time(6),
    }
}

fn stored<R>(row: R, commit_id: u64, reason: Option<&str>) -> Stored<R> {
    Stored { row, commit_id, reason: reason.map(Text::new) }
}

#[test]
fn a_block_is_explained_rule_by_rule() -> anyhow::Result<()> {
    let before = decision(DecisionState::Made, 30.0, Verdict::Approve, vec![]);
    let fired = vec![
        reason("large_amount", 30.0, &["amount=25000", "t6"]),
        reason("velocity", 40.0, &["count_10m=6", "t5", "t6"]),
        reason("impossible_travel", 0.0, &["location=unknown", "home=unknown"]),
        reason("late_event", 0.0, &["t5"]),
    ];
    let now = decision(DecisionState::Amended, 70.0, Verdict::Block, fired);
    let history = [stored(before, 1, None), stored(now.clone(), 3, Some("t5 of transactions came 2.000 s late"))];
    let raised = alert(AlertKind::Fraud, "banking", AlertState::Raised, "");
    let events = EventTexts::from([("t6".to_owned(), "-25000 USD, account a, posted".to_owned()), ("other".to_owned(), String::new())]);
    let expected = "\
decision banking:transaction:t6
  about       transaction t6 of account a, 2026-01-05T10:00:06Z
  verdict     block with score 70 (review from 40, block from 70)
  state       amended
  alert       an-alert, raised, severity high

  rule large_amount, 30 points
    condition   amount > 10000
    compared    amount=25000 > 10000
    cleared by  amount at most 10000
    events      t6

  rule velocity, 40 points
    condition   count_10m > 5
    compared    count_10m=6 > 5
    cleared by  count_10m at most 5
    events      t5, t6

  could not be decided
    impossible_travel: unknown location, home

  changed by
    t5 (late_event)

  smallest change
    no block    without large_amount the score is 40: amount at most 10000
                without velocity the score is 30: count_10m at most 5
    no review   without velocity the score is 30: count_10m at most 5

  events
    t6           -25000 USD, account a, posted

  history
    commit 1: made, approve with score 30
    commit 3: amended, block with score 70, because t5 of transactions came 2.000 s late
";
    assert_eq!(Page::of_decision(&now, Some(&raised), &history, &packs()?, &events), expected);
    Ok(())
}

#[test]
fn a_decision_of_a_pack_that_is_not_known_has_its_evidence() {
    let decision = decision(DecisionState::Made, 70.0, Verdict::Block, vec![reason("velocity", 70.0, &["count_10m=6", "t6"])]);
    let history = [stored(decision.clone(), 1, None)];
    let expected = "\
decision banking:transaction:t6
  about       transaction t6 of account a, 2026-01-05T10:00:06Z
  verdict     block with score 70
  state       made
  pack        banking is not in the configuration of the commit, so no conditions are known

  rule velocity, 70 points
    evidence    count_10m=6, t6

  history
    commit 1: made, block with score 70
";
    assert_eq!(Page::of_decision(&decision, None, &history, &[], &EventTexts::new()), expected);
}

fn alert(kind: AlertKind, rule: &str, state: AlertState, message: &str) -> Alert {
    Alert {
        alert_id: Id::derived("an-alert"),
        kind,
        rule: rule.into(),
        severity: Severity::High,
        subject: Id::derived("a"),
        state,
        message: message.into(),
        evidence: vec![Id::derived("t1")],
        ts: time(1),
    }
}

#[test]
fn an_alert_of_a_rule_has_its_condition() -> anyhow::Result<()> {
    let message = "structuring of party a: deposits_below_limit_7d=3, direction=in, channel=cash, amount=9000";
    let raised = alert(AlertKind::Aml, "structuring", AlertState::Raised, message);
    let withdrawn = format!("{message}: what it was about no longer counts");
    let withdrawn = alert(AlertKind::Aml, "structuring", AlertState::Withdrawn, &withdrawn);
    let history = [stored(raised, 1, None), stored(withdrawn.clone(), 2, Some("transaction r reverses t1"))];
    let expected = "\
alert an-alert
  about       aml of a, rule structuring
  state       withdrawn, severity high, since 2026-01-05T10:00:01Z
  message     structuring of party a: deposits_below_limit_7d=3, direction=in, channel=cash, amount=9000: what it was about no longer counts

  rule structuring of the pack aml
    condition   deposits_below_limit_7d >= 3 and direction == \"in\" and channel == \"cash\" and amount >= 8000 and amount <= 10000
    compared    deposits_below_limit_7d=3 >= 3
                direction=in == \"in\"
                channel=cash == \"cash\"
                amount=9000 >= 8000
                amount=9000 <= 10000
    cleared by  amount below 8000; or amount above 10000; or deposits_below_limit_7d at most 2; or direction other than \"in\"; or channel other than \"cash\"

  history
    2026-01-05T10:00:01Z, commit 1: raised, high: structuring of party a: deposits_below_limit_7d=3, direction=in, channel=cash, amount=9000
    2026-01-05T10:00:01Z, commit 2: withdrawn, high: structuring of party a: deposits_below_limit_7d=3, direction=in, channel=cash, amount=9000: what it was about no longer counts, because transaction r reverses t1
";
    assert_eq!(Page::of_alert(&withdrawn, &history, &packs()?, &EventTexts::new()), expected);
    Ok(())
}

#[test]
fn an_alert_without_a_pack_has_its_message_and_events() -> anyhow::Result<()> {
    let overdue = alert(AlertKind::Ledger, "hold_overdue", AlertState::Raised, "hold t1 is overdue");
    let history = [stored(overdue.clone(), 1, None)];
    let events = EventTexts::from([("t1".to_owned(), "-5 USD, account a, pending".to_owned())]);
    let expected = "\
alert an-alert
  about       ledger of a, rule hold_overdue
  state       raised, severity high, since 2026-01-05T10:00:01Z
  message     hold t1 is overdue

  events
    t1           -5 USD, account a, pending

  history
    2026-01-05T10:00:01Z, commit 1: raised, high: hold t1 is overdue
";
    assert_eq!(Page::of_alert(&overdue, &history, &packs()?, &events), expected);
    Ok(())
}
