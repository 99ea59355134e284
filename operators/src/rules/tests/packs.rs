//! The packs that come with the program, rule by rule: the event that just fires a rule, the one that just does not, the late one
//! that changes that, and the reversal that withdraws the alert. Each case runs whole, and with a restart after every event.

use headwater_schemas::events::{Access, Payment};
use headwater_schemas::tables::{AlertState, DecisionState, Severity, Verdict};
use headwater_schemas::{CustomerId, EffectiveTime, EventTime, Offset};

use super::*;
use crate::testing::run_with_restart;

/// Thursday, 2026-01-15, noon in London.
const NOON: i64 = 1_768_478_400 * SECOND;

/// What a story is told in: one event, read in this order, each at the greatest time so far.
enum Told {
    /// Id, seconds since noon, fields of a transaction as JSON.
    T(&'static str, i64, &'static str),
    /// A reversal of a transaction in full: its id, seconds since noon, the original.
    Reversed(&'static str, i64, &'static str),
    /// Id, seconds since noon, fields of a payment.
    P(&'static str, i64, &'static str),
    /// Seconds since noon, fields of an attempt.
    A(i64, &'static str),
}
use Told::{A, P, Reversed, T};

fn decoded(topic: Topic, text: &str) -> Event {
    Event::decode(topic, None, Some(text.as_bytes())).unwrap_or_else(|error| panic!("{text}: {error:?}"))
}

fn ts(seconds: i64) -> i64 {
    NOON + seconds * SECOND
}

impl Told {
    fn at(&self) -> i64 {
        match self {
            T(_, seconds, _) | Reversed(_, seconds, _) | P(_, seconds, _) | A(seconds, _) => ts(*seconds),
        }
    }

    fn happened(&self, before: &[Self]) -> Vec<Happened> {
        match self {
            T(..) => vec![Happened::Transaction(self.transaction())],
            Reversed(id, at, original) => {
                let found = before.iter().find(|told| matches!(told, T(known, ..) if known == original));
                let original = found.expect("an original").transaction();
                let reversal = Transaction {
                    transaction_id: Id::derived(*id),
                    reverses: Some(original.transaction_id.clone()),
                    ts: EventTime::from_nanos(ts(*at)),
                    ..original.as_ref().clone()
                };
                let correction = Correction::Reversal { transaction_id: Id::derived(*id), original: original.transaction_id.clone() };
                let taken = TakenBack {
                    account_id: original.account_id,
                    counterparty: original.counterparty_account.unwrap_or_else(|| AccountId::external(original.currency)),
                    currency: original.currency,
                    transaction_id: original.transaction_id.clone(),
                    captures: None,
                    is_restored: false,
                    correction,
                };
                vec![Happened::Transaction(Arc::new(reversal)), Happened::TakenBack(Arc::new(taken))]
            }
            P(id, at, fields) => {
                let defaults = r#""customer_id":"c","merchant_id":"m","currency":"USD","method":"credit_card","status":"pending""#;
                let text = format!(r#"{{"payment_id":"{id}","ts":{},{}}}"#, ts(*at), merged(defaults, fields));
                let Event::Payment(event) = decoded(Topic::Payments, &text) else { panic!("{text}") };
                vec![Happened::Payment(Arc::new(Payment::clone(&event)))]
            }
            A(at, fields) => {
                let text = format!(r#"{{"ts":{},{}}}"#, ts(*at), merged(r#""actor":"ann","outcome":"success""#, fields));
                let Event::Access(event) = decoded(Topic::Access, &text) else { panic!("{text}") };
                vec![Happened::Access(Arc::new(Access::clone(&event)))]
            }
        }
    }

    fn transaction(&self) -> Arc<Transaction> {
        let T(id, at, fields) = self else { panic!("a transaction") };
        let defaults = r#""account_id":"a","type":"payment","currency":"USD""#;
        let text = format!(r#"{{"transaction_id":"{id}","ts":{},{}}}"#, ts(*at), merged(defaults, fields));
        let Event::Transaction(event) = decoded(Topic::Transactions, &text) else { panic!("{text}") };
        event
    }
}

/// The fields, and those defaults that they do not give.
fn merged(defaults: &str, fields: &str) -> String {
    let name = |field: &str| field.split(':').next().unwrap_or_default().to_owned();
    let given: Vec<_> = fields.split(',').map(name).collect();
    let left = defaults.split(',').filter(|field| !given.contains(&name(field)));
    left.chain(std::iter::once(fields)).filter(|field| !field.is_empty()).collect::<Vec<_>>().join(",")
}

fn happenings(view: &Rules, story: &[Told]) -> Happenings<Rules> {
    let opened = |account: &str, customer: &str, ts: i64| {
        let fields = format!(r#""account_id":"{account}","customer_id":"{customer}","account_type":"checking","currency":"USD""#);
        (Topic::Accounts, format!(r#"{{"type":"opened",{fields},"ts":{ts}}}"#))
    };
    let reference = [
        (Topic::Customers, format!(r#"{{"customer_id":"c"{AT_HOME}}}"#)),
        (Topic::Customers, r#"{"customer_id":"d","timezone":"America/New_York"}"#.to_owned()),
        opened("a", "c", 0),
        opened("a2", "c", 0),
        opened("b", "d", 0),
        opened("young", "d", NOON - 3_600 * SECOND),
    ];
    let reference = reference.into_iter().map(|(topic, text)| Placed {
        place: Place::of_record(EffectiveTime::ZERO, topic, 0, Offset::ZERO),
        event: Happening::Broadcast(decoded(topic, &text)),
    });
    let owner = |what: &Happened| match what.account().as_ref().map(AccountId::as_str) {
        Some("a" | "a2") => Some(CustomerId::derived("c")),
        Some("b" | "young") => Some(CustomerId::derived("d")),
        _ => None,
    };
    let mut clock = EffectiveTime::ZERO;
    let mut all: Happenings<Rules> = reference.collect();
    for (number, told) in story.iter().enumerate() {
        clock = clock.max(EffectiveTime::new(told.at().unsigned_abs()));
        for (what, sequence) in told.happened(&story[..number]).into_iter().zip(0..) {
            let place = Place::of_record(clock, Topic::Transactions, 0, Offset::new(number as u64)).derived(sequence);
            let events = view.spread(&what, owner(&what)).into_iter();
            all.extend(events.map(|event| Placed { place, event: Happening::Event(event) }));
        }
    }
    all
}

/// Runs a story, whole and with a restart after every event, which has to give the same.
fn judged(pack: &str, story: &[Told]) -> Emitted<Rules> {
    let pack = Pack::built_in(pack).expect("a pack").unwrap_or_else(|error| panic!("{error}"));
    let view = Rules::new(pack);
    let happenings = happenings(&view, story);
    let whole = run(view.clone(), happenings.clone());
    for cut in 0..happenings.len() {
        let resumed = run_with_restart(view.clone(), happenings.clone(), cut);
        assert_eq!(alerts(&whole), alerts(&resumed), "{cut}");
        assert_eq!(decisions(&whole), decisions(&resumed), "{cut}");
        assert_eq!(rows_of(&whole.tables.rule_alerts), rows_of(&resumed.tables.rule_alerts), "{cut}");
        assert_eq!(rows_of(&whole.tables.rule_events), rows_of(&resumed.tables.rule_events), "{cut}");
        assert_eq!(rows_of(&whole.tables.rule_outcomes), rows_of(&resumed.tables.rule_outcomes), "{cut}");
    }
    whole
}

/// `rule subject state: evidence` of each alert.
fn raised(pack: &str, story: &[Told]) -> Vec<String> {
    let line = |alert: Alert| {
        let evidence = alert.evidence.iter().map(|id| id.as_str()).collect::<Vec<_>>().join(" ");
        format!("{} {} {}: {evidence}", alert.rule, alert.subject, alert.state)
    };
    alerts(&judged(pack, story)).into_iter().map(line).collect()
}

const DAYS: i64 = 86_400;

#[test]
fn three_cash_deposits_below_the_limit_within_a_week_are_structuring() {
    const CASH: &str = r#""type":"deposit","channel":"cash","amount":"9000""#;
    let story = |third: i64, fields| vec![T("t1", 0, CASH), T("t2", DAYS, CASH), T("t3", third, fields)];
    let structuring =
        |story: Vec<Told>| raised("aml", &story).into_iter().filter(|line| line.starts_with("structuring")).collect::<Vec<_>>();
    assert_eq!(structuring(story(7 * DAYS, CASH)), ["structuring a raised: t3 t1 t2"]);
    assert_eq!(structuring(story(7 * DAYS + 1, CASH)), [""; 0], "a second more than seven days after the first");
    for (fields, is_one) in [
        (r#""type":"deposit","channel":"cash","amount":"8000""#, true),
        (r#""type":"deposit","channel":"cash","amount":"10000""#, true),
        (r#""type":"deposit","channel":"cash","amount":"7999.99""#, false),
        (r#""type":"deposit","channel":"cash","amount":"10000.01""#, false),
        (r#""type":"deposit","channel":"atm","amount":"9000""#, false),
        (r#""type":"withdrawal","channel":"cash","amount":"9000""#, false),
    ] {
        assert_eq!(!structuring(story(2 * DAYS, fields)).is_empty(), is_one, "{fields}");
    }
    // A fourth one belongs to the same alert; a late one makes it complete; a reversal withdraws it.
    let mut four = story(2 * DAYS, CASH);
    four.push(T("t4", 3 * DAYS, CASH));
    assert_eq!(structuring(four), ["structuring a amended: t3 t1 t2 t4"]);
    let late = vec![T("t1", 0, CASH), T("t3", 2 * DAYS, CASH), T("t2", DAYS, CASH)];
    assert_eq!(structuring(late), ["structuring a raised: t3 t1 t2"]);
    let mut reversed = story(2 * DAYS, CASH);
    reversed.push(Reversed("r", 2 * DAYS + 60, "t1"));
    assert_eq!(structuring(reversed), ["structuring a withdrawn: t3 t1 t2"]);
}

fn transfers(pairs: &[(&'static str, i64, &'static str)]) -> Vec<Told> {
    pairs.iter().map(|(id, at, fields)| T(id, *at, fields)).collect()
}

#[test]
fn five_payers_within_a_day_are_a_fan_in_at_the_receiver() {
    let from = |fifth: i64, payer: &'static str| {
        transfers(&[
            ("t1", 0, r#""type":"transfer","account_id":"p1","counterparty_account":"b","amount":"10""#),
            ("t2", 1, r#""type":"transfer","account_id":"p2","counterparty_account":"b","amount":"11""#),
            ("t3", 2, r#""type":"transfer","account_id":"p3","counterparty_account":"b","amount":"12""#),
            ("t4", 3, r#""type":"transfer","account_id":"p4","counterparty_account":"b","amount":"13""#),
            ("t5", fifth, payer),
        ])
    };
    const NEW: &str = r#""type":"transfer","account_id":"p5","counterparty_account":"b","amount":"14""#;
    const KNOWN: &str = r#""type":"transfer","account_id":"p4","counterparty_account":"b","amount":"14""#;
    assert_eq!(raised("aml", &from(DAYS, NEW)), ["fan_in b raised: t5 t1 t2 t3 t4"]);
    assert_eq!(raised("aml", &from(DAYS + 1, NEW)), [""; 0]);
    assert_eq!(raised("aml", &from(4, KNOWN)), [""; 0]);
}

#[test]
fn five_payees_within_eight_hours_are_a_fan_out_of_the_sender() {
    let to = |fifth: i64| {
        transfers(&[
            ("t1", 0, r#""type":"transfer","counterparty_account":"p1","amount":"10""#),
            ("t2", 1, r#""type":"transfer","counterparty_account":"p2","amount":"11""#),
            ("t3", 2, r#""type":"transfer","counterparty_account":"p3","amount":"12""#),
            ("t4", 3, r#""type":"transfer","counterparty_account":"p4","amount":"13""#),
            ("t5", fifth, r#""type":"transfer","counterparty_account":"p5","amount":"14""#),
        ])
    };
    assert_eq!(raised("aml", &to(8 * 3_600)), ["fan_out a raised: t5 t1 t2 t3 t4"]);
    assert_eq!(raised("aml", &to(8 * 3_600 + 1)), [""; 0]);
}

#[test]
fn the_outside_is_no_party_and_no_peer_if_it_is_named() {
    const IN: &str = r#""type":"deposit","counterparty_account":"external:USD","amount":"9""#;
    const IDS: [&str; 5] = ["t1", "t2", "t3", "t4", "t5"];
    const ACCOUNTS: [&str; 5] = [
        r#""type":"deposit","account_id":"p1","counterparty_account":"external:USD","amount":"1""#,
        r#""type":"deposit","account_id":"p2","counterparty_account":"external:USD","amount":"2""#,
        r#""type":"deposit","account_id":"p3","counterparty_account":"external:USD","amount":"3""#,
        r#""type":"deposit","account_id":"p4","counterparty_account":"external:USD","amount":"4""#,
        r#""type":"deposit","account_id":"p5","counterparty_account":"external:USD","amount":"5""#,
    ];
    let to = |fields: [&'static str; 5]| (0..).zip(IDS).zip(fields).map(|((at, id), fields)| T(id, at, fields)).collect::<Vec<_>>();
    assert_eq!(raised("aml", &to(ACCOUNTS)), [""; 0], "five accounts that are paid in to");
    assert_eq!(raised("aml", &to([IN; 5])), ["repeated_amount a raised: t5 t1 t2 t3 t4"], "of the account that was paid, and of it alone");
    let to_no_one = |other: &'static str| raised("aml", &[T("t0", 0, r#""amount":"1""#), T("t1", 1, other)]);
    assert_eq!(to_no_one(r#""counterparty_account":"external:USD","amount":"5000""#), [""; 0], "no new payee");
    assert_eq!(to_no_one(r#""type":"transfer","counterparty_account":"a","amount":"5000""#), [""; 0], "nor is the account itself");
}

#[test]
fn an_account_that_slept_for_ninety_days_and_a_young_one_are_named_at_a_thousand() {
    let of = |account: &'static str| raised("aml", &[T("t1", 0, account)]);
    assert_eq!(of(r#""amount":"1000""#), ["dormant_account a raised: t1"]);
    assert_eq!(of(r#""amount":"999.99""#), [""; 0]);
    assert_eq!(of(r#""account_id":"young","amount":"1000""#), ["young_account young raised: t1"]);
    let received = r#""type":"transfer","account_id":"unknown","counterparty_account":"young","amount":"1000""#;
    assert_eq!(of(received), ["young_account young raised: t1"], "the account that receives a transfer");
    assert_eq!(of(r#""account_id":"unknown","amount":"1000""#), [""; 0], "nobody knows when it was opened");
    let again = |at: i64| raised("aml", &[T("t1", 0, r#""amount":"1""#), T("t2", at, r#""amount":"1000""#)]);
    assert_eq!(again(90 * DAYS), [""; 0]);
    assert_eq!(again(90 * DAYS + 1), ["dormant_account a raised: t2"]);
}

#[test]
fn five_thousand_to_a_payee_without_history_is_a_new_payee() {
    let after =
        |first: &'static str, second: &'static str| raised("aml", &[T("t0", 0, r#""amount":"1""#), T("t1", 1, first), T("t2", 2, second)]);
    const SMALL: &str = r#""type":"transfer","counterparty_account":"p","amount":"1""#;
    const OTHER: &str = r#""type":"transfer","counterparty_account":"q","amount":"1""#;
    const LARGE: &str = r#""type":"transfer","counterparty_account":"p","amount":"5000""#;
    assert_eq!(after(OTHER, LARGE), ["new_payee a raised: t2"]);
    assert_eq!(after(SMALL, LARGE), [""; 0]);
    assert_eq!(after(OTHER, r#""type":"transfer","counterparty_account":"p","amount":"4999.99""#), [""; 0]);
}

#[test]
fn money_that_leaves_within_five_minutes_is_in_and_out() {
    let out = |at: i64, fields: &'static str| raised("aml", &[T("t1", 0, r#""type":"deposit","amount":"100""#), T("t2", at, fields)]);
    const NINETY: &str = r#""type":"withdrawal","amount":"90""#;
    assert_eq!(out(300, NINETY), ["in_and_out a raised: t2 t1"]);
    assert_eq!(out(301, NINETY), [""; 0]);
    assert_eq!(out(300, r#""type":"withdrawal","amount":"89.99""#), [""; 0]);
}

#[test]
fn money_that_left_before_it_came_is_not_in_and_out() {
    const IN: &str = r#""type":"deposit","amount":"999""#;
    const MOST: &str = r#""type":"withdrawal","amount":"900""#;
    const LITTLE: &str = r#""type":"withdrawal","amount":"10""#;
    for (name, story, expected) in [
        ("before", vec![T("t0", 0, MOST), T("t1", 60, IN), T("t2", 120, LITTLE)], None),
        ("at the same time, and first", vec![T("t0", 60, MOST), T("t1", 60, IN), T("t2", 60, LITTLE)], None),
        ("at the same time, and next", vec![T("t1", 60, IN), T("t2", 60, MOST)], Some("in_and_out a raised: t2 t1")),
        (
            "with a little that comes in between",
            vec![
                T("t1", 0, IN),
                T("t2", 60, r#""type":"withdrawal","amount":"800""#),
                T("t3", 120, r#""type":"deposit","amount":"1""#),
                T("t4", 180, r#""type":"withdrawal","amount":"150""#),
            ],
            Some("in_and_out a raised: t4 t1 t2 t3"),
        ),
        (
            "before both of two that came",
            vec![T("t0", 0, MOST), T("t1", 60, r#""type":"deposit","amount":"1""#), T("t2", 120, IN), T("t3", 180, LITTLE)],
            None,
        ),
        ("in two parts", vec![T("t1", 0, IN), T("t2", 60, LITTLE), T("t3", 120, MOST)], Some("in_and_out a raised: t3 t1 t2")),
    ] {
        let lines = raised("aml", &story);
        let found = lines.iter().map(String::as_str).find(|line| line.starts_with("in_and_out"));
        assert_eq!(found, expected, "{name}");
    }
}

#[test]
fn money_that_came_by_an_exchange_counts_in_the_receivers_currency() {
    const YEN: &str = r#""type":"transfer","counterparty_account":"b","amount":"1000000","currency":"JPY","counter_amount":"100","counter_currency":"USD""#;
    const OUT: &str = r#""account_id":"b","type":"transfer","counterparty_account":"z","amount":"95""#;
    let lines = raised("aml", &[T("t1", 0, YEN), T("t2", 120, OUT)]).into_iter();
    assert_eq!(lines.filter(|line| line.starts_with("in_and_out")).collect::<Vec<_>>(), ["in_and_out b raised: t2 t1"]);
}

#[test]
fn the_fifth_equal_amount_of_a_day_is_named() {
    let story = |fifth: i64, amount: &'static str| {
        let mut story: Vec<_> = (0..4).zip(["t1", "t2", "t3", "t4"]).map(|(at, id)| T(id, at, r#""amount":"7.50""#)).collect();
        story.push(T("t5", fifth, amount));
        raised("aml", &story)
    };
    assert_eq!(story(DAYS, r#""amount":"7.5""#), ["repeated_amount a raised: t5 t1 t2 t3 t4"]);
    assert_eq!(story(DAYS + 1, r#""amount":"7.5""#), [""; 0]);
    assert_eq!(story(DAYS, r#""amount":"7.51""#), [""; 0]);
}

#[test]
fn cash_beyond_ten_thousand_is_summed_over_a_customers_accounts_by_day_and_direction() {
    const IN: &str = r#""type":"deposit","channel":"cash","amount":"6000""#;
    let cash = |second: Told| {
        let lines = raised("aml", &[T("t1", 0, IN), second]).into_iter();
        lines.filter(|line| line.starts_with("large_cash")).collect::<Vec<_>>()
    };
    assert_eq!(
        cash(T("t2", 60, r#""account_id":"a2","type":"deposit","channel":"cash","amount":"4000.01""#)),
        ["large_cash c raised: t2 t1"]
    );
    assert_eq!(cash(T("t2", 60, r#""account_id":"a2","type":"deposit","channel":"cash","amount":"4000""#)), [""; 0]);
    assert_eq!(cash(T("t2", 60, r#""account_id":"b","type":"deposit","channel":"cash","amount":"4000.01""#)), [""; 0], "another customer");
    assert_eq!(cash(T("t2", 60, r#""type":"withdrawal","channel":"cash","amount":"4000.01""#)), [""; 0], "the other way");
    // The day ends at midnight in London.
    assert_eq!(cash(T("t2", 12 * 3_600 - 1, r#""type":"deposit","channel":"cash","amount":"4000.01""#)), ["large_cash c raised: t2 t1"]);
    assert_eq!(cash(T("t2", 12 * 3_600, r#""type":"deposit","channel":"cash","amount":"4000.01""#)), [""; 0]);
}

/// 31 CFR 1010.311 is about US dollars; a sum that no rate converts counts as the number that it is.
#[test]
fn cash_without_a_rate_counts_as_a_number() {
    const IN: &str = r#""type":"deposit","channel":"cash","currency":"EUR","amount":"6000""#;
    let cash = |second: &'static str| {
        let lines = raised("aml", &[T("t1", 0, IN), T("t2", 60, second)]).into_iter();
        lines.filter(|line| line.starts_with("large_cash")).collect::<Vec<_>>()
    };
    assert_eq!(cash(r#""type":"deposit","channel":"cash","amount":"4000.01""#), ["large_cash c raised: t2 t1"]);
    assert_eq!(cash(r#""type":"deposit","channel":"cash","amount":"4000""#), [""; 0]);
}

/// docs/rules.md: what an account pays to itself neither comes in nor goes out.
#[test]
fn what_an_account_pays_to_itself_does_not_leave_it() {
    let of = |pack: &str, kind: &str, other: &str| {
        let paid: &'static str = format!(r#""type":"{kind}","amount":"5000.01","counterparty_account":"{other}""#).leak();
        raised(pack, &[T("t1", 0, r#""type":"deposit","amount":"5000""#), T("t2", 60, paid), T("t3", 120, paid)])
    };
    let raises = |lines: &[String], alert: &str| lines.iter().any(|line| line.starts_with(alert));
    assert!(raises(&of("aml", "transfer", "b"), "in_and_out a "));
    assert!(!raises(&of("aml", "transfer", "a"), "in_and_out"));
    assert!(raises(&of("compliance", "transfer", "b"), "daily_transfer a "));
    assert!(raises(&of("compliance", "withdrawal", "b"), "daily_withdrawal a "));
    assert_eq!(of("compliance", "transfer", "a"), [""; 0]);
    assert_eq!(of("compliance", "withdrawal", "a"), [""; 0]);
}

#[test]
fn limits_by_type_of_account_apply_to_debits_and_days() {
    let of = |first: &'static str, second: &'static str| raised("compliance", &[T("t1", 0, first), T("t2", 60, second)]);
    const SMALL: &str = r#""amount":"1""#;
    assert_eq!(of(SMALL, r#""amount":"2500.01""#), ["transaction_limit a raised: t2"]);
    assert_eq!(of(SMALL, r#""amount":"2500""#), [""; 0]);
    assert_eq!(of(SMALL, r#""type":"deposit","amount":"2500.01""#), [""; 0]);
    const DRAWN: &str = r#""type":"withdrawal","amount":"2500""#;
    let drawn = |last: &'static str| raised("compliance", &[T("t1", 0, DRAWN), T("t2", 60, DRAWN), T("t3", 120, last)]);
    assert_eq!(drawn(r#""type":"withdrawal","amount":"0.01""#), ["daily_withdrawal a raised: t3 t1 t2"]);
    assert_eq!(drawn(r#""type":"transfer","counterparty_account":"b","amount":"0.01""#), [""; 0]);
}

#[test]
fn large_amounts_are_for_business_hours() {
    let at = |seconds: i64, amount: &'static str| raised("compliance", &[T("t1", seconds, amount)]);
    let late: Vec<String> = at(5 * 3_600, r#""type":"deposit","amount":"10000.01""#);
    assert_eq!(late, ["business_hours a raised: t1"], "17:00 in London");
    assert_eq!(at(5 * 3_600 - 1, r#""type":"deposit","amount":"10000.01""#), [""; 0]);
    assert_eq!(at(5 * 3_600, r#""type":"deposit","amount":"10000""#), [""; 0]);
    assert_eq!(at(2 * DAYS, r#""type":"deposit","amount":"10000.01""#), ["business_hours a raised: t1"], "a Saturday");
}

#[test]
fn who_makes_something_does_not_approve_it() {
    let of = |approver: &'static str| {
        let story = [A(0, r#""action":"create","entity_id":"e1""#), A(60, approver)];
        alerts(&judged("access", &story))
            .into_iter()
            .map(|alert| format!("{} {} {}", alert.rule, alert.subject, alert.severity))
            .collect::<Vec<_>>()
    };
    assert_eq!(of(r#""action":"approve","entity_id":"e1""#), ["maker_is_checker e1 high"]);
    assert_eq!(of(r#""action":"approve","entity_id":"e2""#), [""; 0]);
    assert_eq!(of(r#""actor":"bob","action":"approve","entity_id":"e1""#), [""; 0]);
    // The type is a part of what was made: without it, it is something else.
    assert_eq!(of(r#""action":"approve","entity_type":"order","entity_id":"e1""#), [""; 0]);
    let story = [
        A(0, r#""action":"create","entity_type":"order","entity_id":"e1""#),
        A(60, r#""actor":"bob","action":"update","entity_type":"order","entity_id":"e1""#),
        A(120, r#""action":"approve","entity_type":"order","entity_id":"e1""#),
    ];
    let found = alerts(&judged("access", &story));
    let messages: Vec<_> = found.iter().map(|alert| (alert.subject.as_str(), alert.message.as_str())).collect();
    let message = "maker_is_checker of entity order:e1: outcome=success, action=approve, made_by_actor=1";
    assert_eq!(messages, [("order:e1", message)]);
}

#[test]
fn denied_attempts_are_named_and_weigh_more_when_they_repeat() {
    let denied = |count: i64| {
        let story: Vec<_> = (0..count).map(|at| A(at, r#""action":"read","outcome":"denied""#)).collect();
        alerts(&judged("access", &story)).into_iter().map(|alert| (alert.state, alert.severity)).collect::<Vec<_>>()
    };
    assert_eq!(denied(1), [(AlertState::Raised, Severity::Medium)]);
    assert_eq!(denied(4), [(AlertState::Amended, Severity::Medium)]);
    assert_eq!(denied(5), [(AlertState::Amended, Severity::High)]);
}

/// Score and verdict of the last payment of a story, and the rules that fired.
fn last_payment(story: &[Told]) -> (f64, Verdict, Vec<String>) {
    let judged = judged("payments", story);
    let Some(P(id, ..)) = story.last() else { panic!("a payment") };
    let decision = decision_on(&judged, id);
    (decision.score.value(), decision.decision, fired(&decision).into_iter().map(str::to_owned).collect())
}

#[test]
fn payments_are_scored_by_what_each_rule_leaves_of_a_hundred() {
    const PLAIN: &str = r#""amount":"10""#;
    let ids = ["p1", "p2", "p3", "p4", "p5", "p6"];
    let several = |count: usize, last: i64| {
        let mut story: Vec<_> = ids.iter().take(count - 1).zip(0..).map(|(id, at)| P(id, at, PLAIN)).collect();
        story.push(P(ids[count - 1], last, PLAIN));
        story
    };
    let rules = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    assert_eq!(last_payment(&several(3, 3_600)), (0.0, Verdict::Approve, rules(&[])));
    assert_eq!(last_payment(&several(4, 3_600)), (50.0, Verdict::Review, rules(&["velocity"])));
    assert_eq!(last_payment(&several(4, 3_601)), (0.0, Verdict::Approve, rules(&[])));
    // More than five: 80 points, which do not lie above 80.
    assert_eq!(last_payment(&several(6, 6)), (80.0, Verdict::Review, rules(&["velocity"])));
    // (1 − 0.5 × 0.3) × 100 = 85; (1 − 0.5 × 0.3 × 0.7) × 100 = 89.5.
    let mut far = several(3, 3);
    far.push(P("p4", 4, r#""amount":"10","lat":"20","lon":"1""#));
    assert_eq!(last_payment(&far), (85.0, Verdict::Block, rules(&["velocity", "far_from_home"])));
    let mut device = several(3, 3);
    device.push(P("p4", 4, r#""amount":"10","lat":"20","lon":"1","device_id":"d""#));
    assert_eq!(last_payment(&device), (89.5, Verdict::Block, rules(&["velocity", "far_from_home", "new_device"])));
    device.push(P("p5", 7_300, r#""amount":"9960.01","device_id":"d""#));
    assert_eq!(last_payment(&device), (60.0, Verdict::Review, rules(&["daily_sum"])), "the device is known");
}

#[test]
fn a_payment_is_judged_once_whatever_its_later_statuses() {
    let story = [
        P("p1", 0, r#""amount":"10""#),
        P("p1", 1, r#""amount":"10","status":"processing""#),
        P("p1", 2, r#""amount":"10","status":"completed""#),
        P("p2", 3, r#""amount":"10""#),
    ];
    let judged = judged("payments", &story);
    let found: Vec<_> = decisions(&judged).into_iter().map(|decision| (decision.subject_id.to_string(), decision.state)).collect();
    assert_eq!(found, [("p1".to_owned(), DecisionState::Made), ("p2".to_owned(), DecisionState::Made)]);
}

#[test]
fn an_amount_far_above_the_mean_of_at_least_ten_is_unusual() {
    let story = |earlier: usize, amount: &'static str| {
        const IDS: [&str; 11] = ["p0", "p1", "p2", "p3", "p4", "p5", "p6", "p7", "p8", "p9", "p10"];
        let usual = |n: i64| if n % 2 == 0 { r#""amount":"9""# } else { r#""amount":"11""# };
        let mut story: Vec<_> = IDS.iter().take(earlier).zip(0..).map(|(id, n)| P(id, n * 7_200, usual(n))).collect();
        story.push(P("last", 30 * 7_200, amount));
        last_payment(&story).2
    };
    // Mean 10; deviation √(10 / 9) = 1.054…, so 13.16… is the limit.
    assert_eq!(story(10, r#""amount":"13.2""#), ["unusual_amount"]);
    assert_eq!(story(10, r#""amount":"13.1""#), [""; 0]);
    assert_eq!(story(9, r#""amount":"1000""#), [""; 0]);
}
