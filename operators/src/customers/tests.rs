//! Stories of customers who spend, from their transactions to spending and alerts.

use std::sync::Arc;

use headwater_schemas::events::{AccountEvent, Event};
use headwater_schemas::tables::DeadLetter;
use headwater_schemas::{EffectiveTime, EventTime, Nanos, Offset, Place, Placed, Topic};
use proptest::prelude::*;

use super::*;
use crate::keyed_fold::View;
use crate::ledger::{Accepted, Captures, LedgerEvent, Owned, Postings};
use crate::testing::{Emitted, Happening, Happenings, history_of, rows_of, run, run_with_restart, run_with_restart_beside};

/// A story: records, the rows of spending, the alerts in their last states, and the codes of dead letters.
struct Story {
    name: &'static str,
    records: &'static [&'static str],
    spending: &'static [&'static str],
    alerts: &'static [&'static str],
    refused: &'static [&'static str],
}

impl Story {
    const fn new(name: &'static str, records: &'static [&'static str], spending: &'static [&'static str]) -> Self {
        Self { name, records, spending, alerts: &[], refused: &[] }
    }

    const fn raises(self, alerts: &'static [&'static str]) -> Self {
        Self { alerts, ..self }
    }

    const fn refuses(self, refused: &'static [&'static str]) -> Self {
        Self { refused, ..self }
    }
}

/// The topic and JSON of a record that begins with its time: a date, or an RFC 3339 time.
///
/// - `TIME open ACCOUNT`, `TIME zone NAME` of customer `C`
/// - `TIME pay ID AMOUNT [MCC]`, `TIME hold …`, `TIME fee …`, `TIME withdraw …`, `TIME to-own …` from account `A`
/// - `TIME capture ID HOLD AMOUNT`, `TIME void ID HOLD`, `TIME reverse ID ORIGINAL AMOUNT`
/// - `TIME label ID CATEGORY`, `TIME budget CATEGORY AMOUNT [THRESHOLD]`, `TIME no-budget CATEGORY`
fn record(text: &str) -> (EventTime, Event) {
    let mut words = text.split(' ');
    let mut next = || words.next().unwrap_or_default();
    let (time, kind, first, second, third) = (next(), next(), next(), next(), next());
    let ts = if time.contains('T') { time.to_owned() } else { format!("{time}T12:00:00Z") };
    let transaction = |r#type: &str, amount: &str, more: String| {
        let fixed = format!(r#""transaction_id":"{first}","account_id":"A","type":"{}","amount":"{amount}""#, r#type);
        (Topic::Transactions, format!(r#"{{{fixed},"currency":"USD"{more},"ts":"{ts}"}}"#))
    };
    let mcc = if third.is_empty() { String::new() } else { format!(r#","mcc":"{third}""#) };
    let (topic, json) = match kind {
        "open" => {
            let fixed = r#""customer_id":"C","account_type":"checking","currency":"USD""#;
            (Topic::Accounts, format!(r#"{{"type":"opened","account_id":"{first}",{fixed},"ts":"{ts}"}}"#))
        }
        "zone" => (Topic::Customers, format!(r#"{{"customer_id":"C","timezone":"{first}","ts":"{ts}"}}"#)),
        "pay" => transaction("payment", second, mcc),
        "hold" => transaction("payment", second, format!(r#","phase":"pending"{mcc}"#)),
        "withdraw" => transaction("withdrawal", second, mcc),
        "fee" => transaction("fee", second, mcc),
        "to-own" => transaction("payment", second, r#","counterparty_account":"B""#.to_owned()),
        "capture" => transaction("payment", third, format!(r#","pending_id":"{second}""#)),
        "void" => transaction("payment", "1", format!(r#","phase":"void","pending_id":"{second}""#)),
        "reverse" => transaction("payment", third, format!(r#","reverses":"{second}""#)),
        "label" => (Topic::Labels, format!(r#"{{"subject_id":"{first}","label":"{second}","ts":"{ts}"}}"#)),
        "budget" => {
            let threshold = if third.is_empty() { String::new() } else { format!(r#","threshold":"{third}""#) };
            let fixed = format!(r#""customer_id":"C","category":"{first}","amount":"{second}","currency":"USD""#);
            (Topic::Budgets, format!(r#"{{{fixed}{threshold},"ts":"{ts}"}}"#))
        }
        "no-budget" => {
            let key = format!("C|{first}");
            return (ts.parse().unwrap(), Event::decode(Topic::Budgets, Some(key.as_bytes()), None).unwrap());
        }
        _ => panic!("{text}"),
    };
    (ts.parse().unwrap(), Event::decode(topic, None, Some(json.as_bytes())).expect(text))
}

/// The records with their places, on one clock. An event that the clock has passed is late.
fn placed(texts: &[&str]) -> Vec<Placed<Event>> {
    let mut clock = EffectiveTime::ZERO;
    let place = |(offset, text): (u64, &&str)| {
        let (ts, event) = record(text);
        clock = ts.effective().max(clock);
        Placed { place: Place::of_record(clock, event.topic(), 0, Offset::new(offset)).of_event_at(ts, Nanos::ZERO), event }
    };
    (0..).zip(texts).map(place).collect()
}

fn events<B, E>(events: impl Iterator<Item = Placed<E>>) -> impl Iterator<Item = Placed<Happening<B, E>>> {
    events.map(|event| event.map(Happening::Event))
}

fn reference<E>(records: &[Placed<Event>]) -> impl Iterator<Item = Placed<Happening<Event, E>>> {
    let is_reference = |event: &&Placed<Event>| matches!(event.event, Event::Customer(_) | Event::Account(_));
    records.iter().filter(is_reference).cloned().map(|event| event.map(Happening::Broadcast))
}

/// The tables of a story.
struct Told {
    spending: Emitted<Spending>,
    purchases: Emitted<Purchases>,
    labelled: Emitted<LabelledPurchases>,
}

impl Told {
    fn refused(&self) -> Vec<String> {
        let all = self.purchases.dead_letters.iter().chain(&self.labelled.dead_letters).chain(&self.spending.dead_letters);
        all.map(|letter: &DeadLetter| letter.code.to_string()).collect()
    }

    fn spending(&self) -> Vec<String> {
        let rows = rows_of(&self.spending.tables.spending);
        rows.iter().map(|row| format!("{} {} {} {}", row.month, row.category, row.amount, row.count)).collect()
    }

    fn alerts(&self) -> Vec<String> {
        rows_of(&self.spending.tables.alerts).iter().map(|row| format!("{} {}", row.rule, row.state)).collect()
    }
}

const REVERSAL_HORIZON: Nanos = Nanos::new(180 * Nanos::DAY.get());

const LABELLED: LabelledPurchases =
    LabelledPurchases { reversal_horizon: REVERSAL_HORIZON, waiting_horizon: Nanos::DAY, opening_horizon: REVERSAL_HORIZON };

/// Runs a story through the views. With a cut, each of them is restarted after that number of its inputs.
fn tell(texts: &[&str], cut: Option<usize>) -> Told {
    let records = placed(texts);
    let postings = Postings {
        reversal_horizon: REVERSAL_HORIZON,
        waiting_horizon: Nanos::DAY,
        hold_expiry: None,
        captures: Captures::default(),
        enforces: false,
    };
    let transactions = records.iter().filter_map(|Placed { place, event }| match event {
        Event::Transaction(transaction) => Some(Placed { place: *place, event: Owned::from(transaction.clone()) }),
        _ => None,
    });
    let posted = run(postings, events(transactions).collect());

    let spent = posted.derived.into_iter().filter_map(|Placed { place, event }| match event {
        LedgerEvent::Accepted(Accepted { record, transaction, .. }) if is_purchase(&transaction) => {
            Some(Placed { place: record, event: AccountPurchase::Accepted(transaction) })
        }
        LedgerEvent::Remains(remains) => Some(Placed { place, event: AccountPurchase::Remains(remains) }),
        _ => None,
    });
    let accounts = records.iter().filter_map(|Placed { place, event }| match event {
        Event::Account(event) => Some(Placed { place: *place, event: AccountPurchase::Account(AccountEvent::clone(event)) }),
        _ => None,
    });
    let view = Purchases { categories: Categories::new(&std::collections::BTreeMap::new()), waiting_horizon: REVERSAL_HORIZON };
    let happenings: Happenings<Purchases> = reference(&records).chain(events(spent.chain(accounts))).collect();
    let purchases = again(view.clone(), happenings.clone(), cut);

    let bought = purchases.derived.iter().map(|derived| derived.event.clone());
    let labels = records.iter().filter_map(|Placed { place, event }| match event {
        Event::Label(label) => Some(Placed { place: *place, event: PurchaseEvent::Label(label.clone()) }),
        _ => None,
    });
    let to_labels = events(bought.chain(labels)).collect();
    let labelled = match cut {
        Some(cut) => run_with_restart_beside(LABELLED, to_labels, cut, |saved, last| {
            let before = happenings.into_iter().filter(|happening| Some(happening.place) <= last).collect();
            saved.waiting_purchases = Arc::new(rows_of(&run(view, before).tables));
        }),
        None => run(LABELLED, to_labels),
    };

    let changes = labelled.derived.iter().map(|derived| derived.event.clone().map(|change| SpendingEvent::Spent(Box::new(change))));
    let budgets = records.iter().flat_map(|Placed { place, event }| {
        let events: Vec<_> = match event {
            Event::Budget(budget) => vec![SpendingEvent::Budget(budget.clone())],
            Event::Deleted(deleted) => SpendingEvent::no_budget(&deleted.key).collect(),
            _ => Vec::new(),
        };
        events.into_iter().map(|event| Placed { place: *place, event })
    });
    let view = Spending { settings: CustomerSettings::default(), reversal_horizon: REVERSAL_HORIZON };
    let spending = again(view, reference(&records).chain(events(changes.chain(budgets))).collect(), cut);
    Told { spending, purchases, labelled }
}

fn again<V: View + Clone>(view: V, happenings: Happenings<V>, cut: Option<usize>) -> Emitted<V> {
    match cut {
        Some(cut) => run_with_restart(view, happenings, cut),
        None => run(view, happenings),
    }
}

const OPEN: &str = "2025-01-01 open A";

fn stories() -> Vec<Story> {
    vec![
        Story::new(
            "purchases are summed by month and category",
            &[OPEN, "2026-01-10 pay t1 40 5411", "2026-01-11 pay t2 2.50 5411", "2026-01-12 pay t3 7 5812", "2026-02-01 pay t4 1 5411"],
            &["2026-01 dining 7 1", "2026-01 groceries 42.5 2", "2026-02 groceries 1 1"],
        ),
        Story::new("a withdrawal is cash", &[OPEN, "2026-01-10 withdraw t1 40"], &["2026-01 cash 40 1"]),
        Story::new(
            "fees and payments to an account of one's own are no spending",
            &[OPEN, "2025-01-02 open B", "2026-01-10 fee t1 3", "2026-01-10 to-own t2 500"],
            &[],
        ),
        Story::new(
            "the month is that of the customer's time zone",
            &[OPEN, "2025-01-01 zone America/New_York", "2026-02-01T04:59:59Z pay t1 1", "2026-02-01T05:00:00Z pay t2 2"],
            &["2026-01 other 1 1", "2026-02 other 2 1"],
        ),
        Story::new(
            "a customer who moves leaves earlier purchases where they are",
            &[
                OPEN,
                "2025-01-01 zone America/New_York",
                "2026-02-01T04:00:00Z pay t1 5",
                "2026-02-02 zone Asia/Tokyo",
                "2026-02-03 reverse r1 t1 1",
                "2026-02-28T15:00:00Z pay t2 2",
            ],
            &["2026-01 other 4 1", "2026-03 other 2 1"],
        ),
        Story::new(
            "a hold counts once, with the amount that was captured",
            &[OPEN, "2026-01-10 hold h1 60 7011", "2026-02-01 capture c1 h1 45"],
            &["2026-01 travel 45 1"],
        ),
        Story::new(
            "an open hold is remembered until it is resolved, and then for as long as it can be reversed",
            &[OPEN, "2026-01-10 hold h1 60 7011", "2026-12-10 capture c1 h1 45", "2027-05-10 reverse r1 c1 5"],
            &["2026-01 travel 40 1"],
        ),
        Story::new(
            "the purchases of an account that is opened later may be holds",
            &["2026-01-10 hold h1 60 7011", "2026-01-11 capture c1 h1 45", "2026-01-12 open A", "2026-01-13 reverse r1 c1 5"],
            &["2026-01 travel 40 1"],
        ),
        Story::new("a hold that is released counts no more", &[OPEN, "2026-01-10 hold h1 60 7011", "2026-01-11 void v1 h1"], &[]),
        Story::new(
            "a refund is taken out of the month of its purchase",
            &[OPEN, "2026-01-10 pay t1 40 5411", "2026-01-11 pay t2 5 5411", "2026-02-03 reverse r1 t1 15"],
            &["2026-01 groceries 30 2"],
        ),
        Story::new(
            "a purchase that is reversed in full counts no more",
            &[OPEN, "2026-01-10 pay t1 40 5411", "2026-02-03 reverse r1 t1 15", "2026-02-04 reverse r2 t1 25"],
            &[],
        ),
        Story::new(
            "a reversal that is reversed restores the purchase",
            &[OPEN, "2026-01-10 pay t1 40 5411", "2026-02-03 reverse r1 t1 40", "2026-02-04 reverse r2 r1 10"],
            &["2026-01 groceries 10 1"],
        ),
        Story::new(
            "a refund of a capture is one of its hold",
            &[OPEN, "2026-01-10 hold h1 60 7011", "2026-01-11 capture c1 h1 45", "2026-01-12 reverse r1 c1 5"],
            &["2026-01 travel 40 1"],
        ),
        Story::new(
            "a label moves a purchase to its category",
            &[OPEN, "2026-01-10 pay t1 40 5411", "2026-02-11 label t1 gifts", "2026-02-12 reverse r1 t1 15"],
            &["2026-01 gifts 25 1"],
        ),
        Story::new(
            "of two labels the newer by its own time counts",
            &[OPEN, "2026-01-10 pay t1 40 5411", "2026-02-11 label t1 gifts", "2026-02-10 label t1 dining"],
            &["2026-01 gifts 40 1"],
        ),
        Story::new(
            "a label may come before its purchase",
            &[OPEN, "2026-01-10T01:00:00Z label t1 gifts", "2026-01-10 pay t1 40 5411"],
            &["2026-01 gifts 40 1"],
        ),
        Story::new("a label of nothing is refused", &[OPEN, "2026-01-10 label t1 gifts", "2026-01-12 pay t2 1"], &["2026-01 other 1 1"])
            .refuses(&["unknown_reference"]),
        Story::new(
            "a label waits as long as its purchase does",
            &["2026-01-10 pay t1 40 5411", "2026-01-11 label t1 gifts", "2026-01-11 label t2 dining", "2026-02-01 open A"],
            &["2026-01 gifts 40 1"],
        )
        .refuses(&["unknown_reference"]),
        Story::new(
            "also one that came before it",
            &["2026-01-10T01:00:00Z label t1 gifts", "2026-01-10 pay t1 40 5411", "2026-02-01 open A"],
            &["2026-01 gifts 40 1"],
        ),
        Story::new(
            "the label of a purchase that waits in vain is refused with it",
            &["2026-01-10 pay t1 40 5411", "2026-01-11 label t1 gifts", "2026-08-01 open B", "2026-08-01 label t2 gifts"],
            &[],
        )
        .refuses(&["unknown_reference", "unknown_reference"]),
        Story::new(
            "so is that of a payment to an account that turns out to be one's own",
            &[
                "2026-01-10 to-own t1 500",
                "2026-01-11 label t1 gifts",
                "2026-02-01 open B",
                "2026-02-02 open A",
                "2026-02-03 label t2 gifts",
            ],
            &[],
        )
        .refuses(&["unknown_reference"]),
        Story::new(
            "the purchases of an account that is opened later count from then on",
            &["2026-01-10 pay t1 40 5411", "2026-01-11 pay t2 8 5812", "2026-01-12 reverse r1 t2 3", "2026-02-01 open A"],
            &["2026-01 dining 5 1", "2026-01 groceries 40 1"],
        ),
        Story::new("a purchase of an account that is never opened is refused", &["2026-01-10 pay t1 40 5411", "2026-08-01 open B"], &[])
            .refuses(&["unknown_reference"]),
        Story::new(
            "a budget warns at 80 %",
            &[OPEN, "2026-01-01 budget groceries 100", "2026-01-10 pay t1 79.99 5411", "2026-01-11 pay t2 0.01 5411"],
            &["2026-01 groceries 80 2"],
        )
        .raises(&["budget_warning raised"]),
        Story::new(
            "a budget just below its threshold does not warn",
            &[OPEN, "2026-01-01 budget groceries 100 0.9", "2026-01-10 pay t1 89.99 5411"],
            &["2026-01 groceries 89.99 1"],
        ),
        Story::new(
            "a budget that is exceeded ends its warning",
            &[OPEN, "2026-01-01 budget groceries 100", "2026-01-10 pay t1 80 5411", "2026-01-11 pay t2 20.01 5411"],
            &["2026-01 groceries 100.01 2"],
        )
        .raises(&["budget_exceeded raised", "budget_warning cleared"]),
        Story::new(
            "a reversal withdraws what it brings below",
            &[OPEN, "2026-01-01 budget groceries 100", "2026-01-10 pay t1 150 5411", "2026-02-11 reverse r1 t1 100"],
            &["2026-01 groceries 50 1"],
        )
        .raises(&["budget_exceeded withdrawn"]),
        Story::new(
            "a further purchase amends",
            &[OPEN, "2026-01-01 budget groceries 100", "2026-01-10 pay t1 150 5411", "2026-01-11 pay t2 1 5411"],
            &["2026-01 groceries 151 2"],
        )
        .raises(&["budget_exceeded amended"]),
        Story::new(
            "each month has the whole budget",
            &[OPEN, "2026-01-01 budget groceries 100", "2026-01-10 pay t1 90 5411", "2026-02-11 pay t2 79 5411"],
            &["2026-01 groceries 90 1", "2026-02 groceries 79 1"],
        )
        .raises(&["budget_warning raised"]),
        Story::new(
            "a new budget is compared with the current month at once",
            &[OPEN, "2026-01-10 pay t1 90 5411", "2026-01-11 budget groceries 50", "2026-01-12 budget groceries 500"],
            &["2026-01 groceries 90 1"],
        )
        .raises(&["budget_exceeded cleared"]),
        Story::new(
            "an older record of a budget changes nothing",
            &[OPEN, "2026-01-10 pay t1 90 5411", "2026-01-12 budget groceries 500", "2026-01-11 budget groceries 50"],
            &["2026-01 groceries 90 1"],
        ),
        Story::new(
            "a deleted budget clears its alerts",
            &[OPEN, "2026-01-01 budget groceries 100", "2026-01-10 pay t1 90 5411", "2026-01-11 no-budget groceries"],
            &["2026-01 groceries 90 1"],
        )
        .raises(&["budget_warning cleared"]),
        Story::new(
            "a budget that changes later leaves months that are over",
            &[
                OPEN,
                "2026-01-01 budget groceries 100",
                "2026-01-10 pay t1 90 5411",
                "2026-02-02 budget groceries 1000",
                "2026-02-03 reverse r1 t1 1",
            ],
            &["2026-01 groceries 89 1"],
        )
        .raises(&["budget_warning amended"]),
        Story::new(
            "a budget is not compared with a month long over",
            &[OPEN, "2026-01-10 pay t1 150 5411", "2026-06-01 budget groceries 100", "2026-06-03 reverse r1 t1 10"],
            &["2026-01 groceries 140 1"],
        ),
        Story::new(
            "a budget that is raised clears its warning, and one that is lowered raises it again",
            &[
                OPEN,
                "2026-01-01 budget groceries 100",
                "2026-01-10 pay t1 90 5411",
                "2026-01-11 budget groceries 200",
                "2026-01-12 budget groceries 110",
            ],
            &["2026-01 groceries 90 1"],
        )
        .raises(&["budget_warning amended"]),
        Story::new(
            "a budget of an earlier time changes nothing",
            &[OPEN, "2026-01-02 budget groceries 100", "2026-01-01 budget groceries 10", "2026-01-10 pay t1 50 5411"],
            &["2026-01 groceries 50 1"],
        ),
        Story::new(
            "a budget of zero is exceeded by the first purchase",
            &[OPEN, "2026-01-01 budget groceries 0", "2026-01-10 pay t1 0.01 5411"],
            &["2026-01 groceries 0.01 1"],
        )
        .raises(&["budget_exceeded raised"]),
        Story::new(
            "a label moves the purchase out of the budget",
            &[OPEN, "2026-01-01 budget groceries 100", "2026-01-10 pay t1 90 5411", "2026-01-11 label t1 gifts"],
            &["2026-01 gifts 90 1"],
        )
        .raises(&["budget_warning withdrawn"]),
        Story::new(
            "30 % more than on the same days of the month before is a spike",
            &[OPEN, "2026-01-10 pay t1 1000 5411", "2026-01-20 pay t2 500 5411", "2026-02-10 pay t3 1300 5411"],
            &["2026-01 groceries 1500 2", "2026-02 groceries 1300 1"],
        )
        .raises(&["spending_spike raised"]),
        Story::new(
            "a cent less is none",
            &[OPEN, "2026-01-10 pay t1 1000 5411", "2026-02-10 pay t3 1299.99 5411"],
            &["2026-01 groceries 1000 1", "2026-02 groceries 1299.99 1"],
        ),
        Story::new(
            "a spike is over once the month before catches up",
            &[OPEN, "2026-01-10 pay t1 1000 5411", "2026-01-20 pay t2 500 5411", "2026-02-10 pay t3 1300 5411", "2026-02-20 pay t4 1 5411"],
            &["2026-01 groceries 1500 2", "2026-02 groceries 1301 2"],
        )
        .raises(&["spending_spike cleared"]),
        Story::new(
            "a reversal withdraws a spike, also in the month after",
            &[OPEN, "2026-01-10 pay t1 1000 5411", "2026-02-10 pay t3 1300 5411", "2026-03-31 reverse r1 t3 1"],
            &["2026-01 groceries 1000 1", "2026-02 groceries 1299 1"],
        )
        .raises(&["spending_spike withdrawn"]),
        Story::new(
            "a late purchase of the month before withdraws a spike",
            &[OPEN, "2026-01-10 pay t1 1000 5411", "2026-02-10 pay t3 1300 5411", "2026-01-09 pay t4 1 5411"],
            &["2026-01 groceries 1001 2", "2026-02 groceries 1300 1"],
        )
        .raises(&["spending_spike withdrawn"]),
    ]
}

#[test]
fn what_customers_spend_and_are_warned_of() {
    for Story { name, records, spending, alerts, refused } in stories() {
        let told = tell(records, None);
        assert_eq!(told.spending(), spending, "{name}");
        assert_eq!(told.alerts(), alerts, "{name}");
        assert_eq!(told.refused(), refused, "{name}");
    }
}

#[test]
fn a_restart_anywhere_changes_nothing() {
    for Story { name, records, .. } in stories() {
        let whole = tell(records, None);
        for cut in 0..=records.len() + 2 {
            let resumed = tell(records, Some(cut));
            assert_eq!(whole.refused(), resumed.refused(), "{name}, cut at {cut}");
            let (whole, resumed) = (&whole.spending, &resumed.spending);
            assert_eq!(history_of(&whole.tables.spending), history_of(&resumed.tables.spending), "{name}, cut at {cut}");
            assert_eq!(history_of(&whole.tables.alerts), history_of(&resumed.tables.alerts), "{name}, cut at {cut}");
            assert_eq!(rows_of(&whole.tables.spending_days), rows_of(&resumed.tables.spending_days), "{name}, cut at {cut}");
            assert_eq!(whole.derived, resumed.derived, "{name}, cut at {cut}");
        }
    }
}

#[test]
fn a_correction_is_the_reason_of_the_rows_that_it_changes() {
    let told = tell(&[OPEN, "2026-01-10 pay t1 40 5411", "2026-02-11 label t1 gifts", "2026-02-12 reverse r1 t1 15"], None);
    let changes = told.spending.tables.spending.changes();
    let reasons: Vec<_> = changes.iter().map(|change| format!("{} {}", change.row.category, change.why)).collect();
    let expected = ["groceries ", "gifts t1 was labelled gifts", "groceries t1 was labelled gifts", "gifts transaction r1 reverses t1"];
    assert_eq!(reasons, expected);
}

#[test]
fn a_customer_is_told_once_when_an_alert_comes_to_stand() {
    let records =
        [OPEN, "2026-01-01 budget groceries 100", "2026-01-10 pay t1 85 5411", "2026-01-11 pay t2 5 5411", "2026-01-12 pay t3 60 5411"];
    let told = tell(&records, None);
    let messages: Vec<_> = told.spending.derived.iter().map(|notice| notice.event.message.to_string()).collect();
    let of = |spent: &str| format!("{spent} of the 100 USD budgeted for groceries in 2026-01 are spent");
    assert_eq!(messages, [of("85"), of("150")]);
}

/// A purchase of a generated month: day, amount, whether it is refunded in full, and the category of a label.
type Generated = (u8, u16, bool, Option<bool>);

proptest! {
    #[test]
    fn sums_are_those_of_adding_up_what_was_not_refunded(
        purchases in proptest::collection::vec((1..29_u8, 1..500_u16, any::<bool>(), any::<Option<bool>>()), 1..20),
        cut in 0..60_usize,
    ) {
        let records: Vec<String> = std::iter::once(OPEN.to_owned()).chain(generated(&purchases)).collect();
        let records: Vec<&str> = records.iter().map(String::as_str).collect();
        let mut sums = std::collections::BTreeMap::<&str, (u32, u32)>::new();
        for (_, amount, is_refunded, label) in &purchases {
            let category = label.map_or("groceries", |is_gift| if is_gift { "gifts" } else { "dining" });
            if !is_refunded {
                let sum = sums.entry(category).or_default();
                *sum = (sum.0 + u32::from(*amount), sum.1 + 1);
            }
        }
        let expected: Vec<_> = sums.iter().map(|(category, (amount, count))| format!("2026-01 {category} {amount} {count}")).collect();
        prop_assert_eq!(tell(&records, Some(cut)).spending(), expected);
    }
}

fn generated(purchases: &[Generated]) -> Vec<String> {
    let bought = purchases.iter().enumerate().map(|(number, (day, amount, ..))| format!("2026-01-{day:02} pay t{number} {amount} 5411"));
    let labels = purchases
        .iter()
        .enumerate()
        .filter_map(|(number, (.., label))| Some(format!("2026-01-30 label t{number} {}", if (*label)? { "gifts" } else { "dining" })));
    let refunds = purchases.iter().enumerate().filter(|(_, purchase)| purchase.2);
    let refunds = refunds.map(|(number, (_, amount, ..))| format!("2026-01-31 reverse r{number} t{number} {amount}"));
    bought.chain(labels).chain(refunds).collect()
}
