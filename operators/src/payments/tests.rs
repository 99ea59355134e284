//! Every legal path and every illegal status; refunds; the ledger; late, overdue and unknown ones; restarts.

use std::sync::Arc;

use headwater_schemas::events::{Payment, PaymentMethod, PaymentStatus, Transaction, TransactionPhase, TransactionType};
use headwater_schemas::tables::TableSet;
use headwater_schemas::{
    AccountId, Amount, Clock as Ticks, Correction, Currency, CustomerId, EffectiveTime, EventTime, Id, Nanos, Offset, Place, Placed, Text,
    Tick, Topic,
};
use proptest::prelude::*;

use super::*;
use crate::keyed_fold::Fold;
use crate::ledger::{Accepted, CounterAmount, LedgerEvent, TakenBack};
use crate::testing::{Emitted, Happening, Happenings, TestTables, history_of, rows_of, run, run_with_restart};

const VIEW: Payments = Payments { stuck_after: Nanos::new(900), horizon: Nanos::new(10_000), refund_horizon: Nanos::new(50_000) };

/// What happens to payment `p`, or to the clock.
#[derive(Clone, Debug)]
enum What {
    /// A status, with the amount.
    Status(PaymentStatus, i64),
    /// A refund under a key.
    Refund(&'static str, i64),
    /// A status of another customer.
    Stranger(PaymentStatus),
    /// A status without an account.
    WithoutAccount(PaymentStatus),
    /// The ledger accepts a transaction: id, account, amount, the hold that it captures.
    Ledger(&'static str, &'static str, i64, Option<&'static str>),
    /// The ledger accepts transaction `p` of account `a`, an exchange: the amount in euros, and that of the other side in dollars.
    Exchange(i64, i64),
    /// The ledger takes a transaction back.
    TakenBack(&'static str),
    /// The ledger takes back a capture of a hold.
    CaptureTakenBack(&'static str, &'static str),
    /// The ledger restores a capture of a hold.
    CaptureRestored(&'static str, &'static str),
    /// The ledger restores a transaction.
    Restored(&'static str),
    /// Nothing but that time passes.
    Clock,
}
use What::{CaptureRestored, CaptureTakenBack, Clock, Exchange, Ledger, Refund, Restored, Status, Stranger, WithoutAccount};

/// Effective time, own time, and what happens.
type Record = (u64, i64, What);

fn payment(id: &str, status: PaymentStatus, amount: i64, ts: i64) -> Payment {
    Payment {
        payment_id: Id::derived(id),
        customer_id: CustomerId::derived("c"),
        account_id: Some(AccountId::derived("a")),
        merchant_id: Id::derived("m"),
        amount: Amount::whole(amount),
        currency: Currency::derived("USD"),
        method: PaymentMethod::DebitCard,
        status,
        idempotency_key: Some(Text::const_new("key")),
        device_id: None,
        lat: None,
        lon: None,
        ts: EventTime::from_nanos(ts),
    }
}

fn transaction(id: &str, account: &str, amount: i64, hold: Option<&str>, ts: i64) -> Transaction {
    Transaction {
        transaction_id: Id::derived(id),
        account_id: AccountId::derived(account),
        r#type: TransactionType::Payment,
        amount: Amount::whole(amount),
        currency: Currency::derived("USD"),
        counterparty_account: None,
        phase: None,
        pending_id: hold.map(Id::derived),
        reverses: None,
        channel: None,
        merchant: None,
        mcc: None,
        description: None,
        device_id: None,
        lat: None,
        lon: None,
        country: None,
        counter_amount: None,
        counter_currency: None,
        balance_after: None,
        ts: EventTime::from_nanos(ts),
    }
}

fn taken_back(id: &str, hold: Option<&str>, is_restored: bool) -> LedgerEvent {
    let (account_id, transaction_id) = (AccountId::derived("a"), Id::derived(id));
    let correction = Correction::Reversal { transaction_id: Id::derived("r"), original: transaction_id.clone() };
    let (counterparty, currency) = (account_id, Currency::derived("USD"));
    let captures = hold.map(Id::derived);
    LedgerEvent::TakenBack(Arc::new(TakenBack { account_id, counterparty, currency, transaction_id, captures, is_restored, correction }))
}

fn accepted(place: Place, transaction: Transaction) -> LedgerEvent {
    let counter = transaction.counter_amount.zip(transaction.counter_currency);
    let counter = counter.map(|(amount, currency)| CounterAmount { amount, currency });
    LedgerEvent::Accepted(Accepted { record: place, transaction: Arc::new(transaction), counter })
}

fn happenings(records: &[Record]) -> Happenings<Payments> {
    let events = |(offset, (time, ts, what)): (u64, &Record)| {
        let place = Place::of_record(EffectiveTime::new(*time), Topic::Payments, 0, Offset::new(offset));
        let place = place.of_event_at(EventTime::from_nanos(*ts), Nanos::ZERO);
        let status = |payment: Payment| vec![Placed { place, event: PaymentEvent::Status(Box::new(payment)) }];
        match what {
            Status(kind, amount) => status(payment("p", *kind, *amount, *ts)),
            Refund(key, amount) => {
                let refund = payment("p", PaymentStatus::Refunded, *amount, *ts);
                status(Payment { idempotency_key: Some(Text::const_new(key)), ..refund })
            }
            Stranger(kind) => status(Payment { customer_id: CustomerId::derived("d"), ..payment("p", *kind, 100, *ts) }),
            WithoutAccount(kind) => status(Payment { account_id: None, ..payment("p", *kind, 100, *ts) }),
            Ledger(id, account, amount, hold) => {
                let event = accepted(place, transaction(id, account, *amount, *hold, *ts));
                PaymentEvent::of_ledger(Placed { place, event })
            }
            Exchange(amount, counter) => {
                let mut exchange = transaction("p", "a", *amount, None, *ts);
                exchange.currency = Currency::derived("EUR");
                exchange.counter_amount = Some(Amount::whole(*counter));
                exchange.counter_currency = Some(Currency::derived("USD"));
                PaymentEvent::of_ledger(Placed { place, event: accepted(place, exchange) })
            }
            What::TakenBack(id) => PaymentEvent::of_ledger(Placed { place, event: taken_back(id, None, false) }),
            Restored(id) => PaymentEvent::of_ledger(Placed { place, event: taken_back(id, None, true) }),
            CaptureTakenBack(id, hold) => PaymentEvent::of_ledger(Placed { place, event: taken_back(id, Some(hold), false) }),
            CaptureRestored(id, hold) => PaymentEvent::of_ledger(Placed { place, event: taken_back(id, Some(hold), true) }),
            Clock => status(payment("z", PaymentStatus::Failed, 1, *ts)),
        }
    };
    let placed = |(number, placed): (u32, Placed<PaymentEvent>)| Placed {
        place: placed.place.derived(number),
        event: Happening::Event(placed.event),
    };
    (0..).zip(records).flat_map(|record| (0..).zip(events(record)).map(placed).collect::<Vec<_>>()).collect()
}

/// The payment `p` as `status amount refunded ledger stuck`.
fn progress(emitted: &Emitted<Payments>) -> String {
    let rows = rows_of(&emitted.tables.payments_state);
    let row = rows.iter().find(|row| row.payment_id.as_str() == "p");
    row.map_or_else(String::new, |row| {
        let ledger = row.ledger.map_or("-", |ledger| ledger.as_str());
        format!("{} {} {} {ledger}{}", row.status, row.amount, row.refunded, if row.stuck { " stuck" } else { "" })
    })
}

/// The changes of the alerts of payment `p` as `time rule state severity`.
fn alerts(emitted: &Emitted<Payments>) -> Vec<String> {
    let history = history_of(&emitted.tables.alerts);
    let of_p = history.iter().filter(|(_, row, _)| row.subject.as_str() == "p");
    of_p.map(|(_, row, _)| format!("{} {} {} {}", row.ts.nanos(), row.rule, row.state, row.severity)).collect()
}

#[test]
fn each_payment_begins_once_with_the_first_status_that_is_taken() {
    use PaymentStatus::{Completed, Failed, Pending, Refunded};
    let cases: [(&str, &[Record], &[&str]); 5] = [
        ("the later ones are no beginning", &[(1, 1, Status(Pending, 100)), (2, 2, Status(Completed, 90))], &["1 pending 100"]),
        (
            "a refused one is none",
            &[(1, 1, Status(Pending, 100)), (2, 2, Stranger(Completed)), (3, 3, Status(Pending, 5))],
            &["1 pending 100"],
        ),
        (
            "nor is a refund, whenever it comes",
            &[(1, 1, Refund("k", 10)), (2, 2, Status(Completed, 100)), (40_000, 40_000, Refund("l", 10))],
            &["2 completed 100"],
        ),
        ("one that fails begins, too", &[(1, 1, Status(Failed, 100)), (2, 2, Status(Refunded, 5))], &["1 failed 100"]),
        ("no debit of the ledger does", &[(1, 1, Ledger("p", "a", 100, None))], &[]),
    ];
    for (name, records, expected) in cases {
        let text = |emitted: Emitted<Payments>| {
            let begun = emitted.derived.into_iter().map(|derived| derived.event).filter(|first| first.payment.payment_id.as_str() == "p");
            begun.map(|first| format!("{} {} {}", first.record.time.get(), first.payment.status, first.payment.amount)).collect::<Vec<_>>()
        };
        assert_eq!(text(run(VIEW, happenings(records))), expected, "{name}");
        for cut in 1..records.len() {
            let rest = text(run_with_restart(VIEW, happenings(records), cut));
            assert!(expected.ends_with(&rest.iter().map(String::as_str).collect::<Vec<_>>()), "{name}, cut at {cut}: {rest:?}");
        }
    }
}

fn assert_same(whole: &Emitted<Payments>, other: &Emitted<Payments>, what: &str) {
    let (a, b) = (&whole.tables, &other.tables);
    assert_eq!(history_of(&a.payments_state), history_of(&b.payments_state), "{what}");
    assert_eq!(history_of(&a.alerts), history_of(&b.alerts), "{what}");
    assert_eq!(history_of(&a.payment_steps), history_of(&b.payment_steps), "{what}");
    assert_eq!(history_of(&a.payment_postings), history_of(&b.payment_postings), "{what}");
    assert_eq!(history_of(&a.step_alerts), history_of(&b.step_alerts), "{what}");
    assert_eq!(whole.dead_letters, other.dead_letters, "{what}");
}

/// Name, records, the payment `p`, its alerts, dead letters.
type Case = (&'static str, Vec<Record>, &'static str, Vec<&'static str>, Vec<&'static str>);

fn check(cases: Vec<Case>) {
    for (name, records, expected, expected_alerts, expected_letters) in cases {
        let whole = run(VIEW, happenings(&records));
        assert_eq!(progress(&whole), expected, "{name}");
        assert_eq!(alerts(&whole), expected_alerts, "{name}");
        let letters: Vec<_> = whole.dead_letters.iter().map(|letter| format!("{} {}", letter.offset, letter.code)).collect();
        assert_eq!(letters, expected_letters, "{name}");
        for cut in 0..=happenings(&records).len() {
            assert_same(&whole, &run_with_restart(VIEW, happenings(&records), cut), &format!("{name}, cut at {cut}"));
        }
    }
}

/// A status in time.
fn at(time: u64, what: What) -> Record {
    (time, i64::try_from(time).unwrap_or(0), what)
}

use PaymentStatus::{Cancelled, Completed, Failed, Pending, Processing, Refunded};

#[test]
fn a_status_is_legal_where_the_documentation_draws_it_and_nowhere_else() {
    let legal: [(Option<PaymentStatus>, &[PaymentStatus]); 7] = [
        (None, &[Pending, Processing, Completed, Failed, Cancelled]),
        (Some(Pending), &[Processing, Completed, Failed, Cancelled]),
        (Some(Processing), &[Completed, Failed, Cancelled]),
        (Some(Completed), &[Refunded]),
        (Some(Failed), &[]),
        (Some(Cancelled), &[]),
        (Some(Refunded), &[]),
    ];
    for (before, nexts) in legal {
        for next in PaymentStatus::ALL.iter().copied().filter(|next| Some(*next) != before) {
            if before == Some(Refunded) && next == Completed {
                continue; // It was completed before.
            }
            let first = before.into_iter().map(|before| Status(before, 100));
            let first = if before == Some(Refunded) { vec![Status(Completed, 100), Status(Refunded, 10)] } else { first.collect() };
            let records: Vec<_> =
                (1..).zip(first.into_iter().chain([Status(next, 100)])).map(|(number, what)| at(number * 10, what)).collect();
            let emitted = run(VIEW, happenings(&records));
            let rows = rows_of(&emitted.tables.payments_state);
            let (status, alerts) = (rows.first().map(|row| row.status), alerts(&emitted).len());
            let expected = if nexts.contains(&next) { (Some(next), 0) } else { (before, usize::from(before.is_some())) };
            assert_eq!((status, alerts), expected, "{before:?} {next}");
        }
    }
}

#[test]
fn refunds_add_up_to_the_amount_at_most() {
    let paid = || at(10, Status(Completed, 100));
    let ledger = || at(11, Ledger("p", "a", 100, None));
    check(vec![
        ("one in part", vec![paid(), ledger(), at(20, Refund("k1", 30))], "refunded 100 30 matched", vec![], vec![]),
        (
            "several",
            vec![paid(), ledger(), at(20, Refund("k1", 30)), at(30, Refund("k2", 30)), at(40, Refund("k3", 40))],
            "refunded 100 100 matched",
            vec![],
            vec![],
        ),
        (
            "one too many",
            vec![paid(), ledger(), at(20, Refund("k1", 30)), at(30, Refund("k2", 71))],
            "refunded 100 30 matched",
            vec!["30 out_of_order raised medium"],
            vec![],
        ),
        (
            "the same key",
            vec![paid(), ledger(), at(20, Refund("k1", 30)), at(30, Refund("k1", 40))],
            "refunded 100 30 matched",
            vec![],
            vec!["3 conflicting_duplicate"],
        ),
        (
            "within the horizon of refunds, and after it",
            vec![paid(), ledger(), at(50_009, Refund("k1", 30)), at(100_009, Refund("k2", 30)), at(110_010, Clock)],
            "refunded 100 30 matched",
            vec![],
            vec!["3 unknown_reference"],
        ),
        (
            "before the payment, which is late",
            vec![at(20, Refund("k1", 30)), (30, 10, Status(Completed, 100)), at(31, Ledger("p", "a", 100, None))],
            "refunded 100 30 matched",
            vec![],
            vec![],
        ),
        ("before a payment that never comes", vec![at(20, Refund("k1", 30)), at(10_021, Clock)], "", vec![], vec!["0 unknown_reference"]),
    ]);
}

#[test]
fn what_is_overdue_is_an_alert_until_it_comes() {
    check(vec![
        ("not yet", vec![at(10, Status(Pending, 100)), at(909, Clock)], "pending 100 0 -", vec![], vec![]),
        (
            "stuck, until the next status",
            vec![at(10, Status(Pending, 100)), at(1_000, Status(Processing, 100)), at(1_001, Status(Cancelled, 100))],
            "cancelled 100 0 -",
            vec!["910 stuck raised medium", "1000 stuck cleared medium"],
            vec![],
        ),
        (
            "stuck in processing",
            vec![at(10, Status(Pending, 100)), at(20, Status(Processing, 100)), at(1_000, Clock)],
            "processing 100 0 - stuck",
            vec!["920 stuck raised medium"],
            vec![],
        ),
        (
            "a late status takes its place",
            vec![at(20, Status(Completed, 100)), (30, 10, Status(Pending, 99)), at(40, Ledger("p", "a", 100, None))],
            "completed 100 0 matched",
            vec![],
            vec![],
        ),
        (
            "another customer",
            vec![at(10, Status(Pending, 100)), at(20, Stranger(Completed)), at(30, Status(Failed, 100))],
            "failed 100 0 -",
            vec![],
            vec!["1 inconsistent"],
        ),
        (
            "a second outcome",
            vec![at(10, Status(Failed, 100)), at(20, Status(Completed, 100))],
            "failed 100 0 -",
            vec!["20 out_of_order raised medium"],
            vec![],
        ),
        (
            "an outcome is taken once, however late the second",
            vec![at(10, Status(Completed, 100)), at(11, Ledger("p", "a", 100, None)), at(20_000, Status(Completed, 200))],
            "completed 100 0 matched",
            vec![],
            vec!["2 conflicting_duplicate"],
        ),
    ]);
}

#[test]
fn the_ledger_agrees_with_what_was_paid() {
    let paid = || at(10, Status(Completed, 100));
    check(vec![
        (
            "after the payment",
            vec![paid(), at(20, Ledger("p", "a", 100, None)), at(1_000, Clock)],
            "completed 100 0 matched",
            vec![],
            vec![],
        ),
        (
            "before the payment",
            vec![at(5, Ledger("p", "a", 100, None)), paid(), at(1_000, Clock)],
            "completed 100 0 matched",
            vec![],
            vec![],
        ),
        (
            "the capture of its hold",
            vec![paid(), at(20, Ledger("t", "a", 100, Some("p"))), at(1_000, Clock)],
            "completed 100 0 matched",
            vec![],
            vec![],
        ),
        (
            "as a capture",
            vec![paid(), at(20, Ledger("p", "a", 100, Some("h"))), at(1_000, Clock)],
            "completed 100 0 matched",
            vec![],
            vec![],
        ),
        ("no account", vec![at(10, WithoutAccount(Completed)), at(1_000, Clock)], "completed 100 0 -", vec![], vec![]),
        (
            "missing until it comes",
            vec![paid(), at(1_000, Ledger("p", "a", 100, None))],
            "completed 100 0 matched",
            vec!["910 unreconciled raised high", "1000 unreconciled cleared high"],
            vec![],
        ),
        (
            "missing, then different",
            vec![paid(), at(1_000, Ledger("p", "a", 90, None))],
            "completed 100 0 different",
            vec!["910 unreconciled raised high", "1000 unreconciled amended high"],
            vec![],
        ),
        (
            "another account",
            vec![paid(), at(20, Ledger("p", "b", 100, None)), at(1_000, Clock)],
            "completed 100 0 different",
            vec!["910 unreconciled raised high"],
            vec![],
        ),
        (
            "another transaction",
            vec![paid(), at(20, Ledger("t", "a", 100, None)), at(1_000, Clock)],
            "completed 100 0 missing",
            vec!["910 unreconciled raised high"],
            vec![],
        ),
        (
            "taken back, and restored",
            vec![paid(), at(20, Ledger("p", "a", 100, None)), at(500, What::TakenBack("p")), at(1_500, Restored("p"))],
            "completed 100 0 matched",
            vec!["1400 unreconciled raised high", "1500 unreconciled cleared high"],
            vec![],
        ),
        (
            "taken back and refunded",
            vec![paid(), at(20, Ledger("p", "a", 100, None)), at(500, What::TakenBack("p")), at(600, Refund("k", 100)), at(2_000, Clock)],
            "refunded 100 100 matched",
            vec![],
            vec![],
        ),
        (
            "posted, although it failed",
            vec![at(10, Status(Failed, 100)), at(20, Ledger("p", "a", 100, None)), at(1_000, Clock)],
            "failed 100 0 different",
            vec!["920 unreconciled raised high"],
            vec![],
        ),
        (
            "it came more than the horizon before",
            vec![at(5, Ledger("p", "a", 100, None)), at(10_006, Status(Completed, 100))],
            "completed 100 0 missing",
            vec![],
            vec![],
        ),
    ]);
}

/// docs/transfers-and-payments.md: either side of an exchange may be what the payment is about.
#[test]
fn a_payment_agrees_with_either_side_of_an_exchange() {
    let paid = || at(10, Status(Completed, 100));
    check(vec![
        (
            "the other side is what was paid",
            vec![paid(), at(20, Exchange(92, 100)), at(1_000, Clock)],
            "completed 100 0 matched",
            vec![],
            vec![],
        ),
        ("which may come first", vec![at(5, Exchange(92, 100)), paid(), at(1_000, Clock)], "completed 100 0 matched", vec![], vec![]),
        (
            "another amount on the other side",
            vec![paid(), at(20, Exchange(100, 92)), at(1_000, Clock)],
            "completed 100 0 different",
            vec!["910 unreconciled raised high"],
            vec![],
        ),
        (
            "taken back as a whole",
            vec![paid(), at(20, Exchange(92, 100)), at(500, What::TakenBack("p")), at(1_500, Restored("p"))],
            "completed 100 0 matched",
            vec!["1400 unreconciled raised high", "1500 unreconciled cleared high"],
            vec![],
        ),
    ]);
    let different = run(VIEW, happenings(&[paid(), at(20, Exchange(100, 92)), at(1_000, Clock)]));
    let messages: Vec<_> = rows_of(&different.tables.alerts).iter().map(|alert| alert.message.to_string()).collect();
    let expected = "payment p of 100 USD by customer c is completed, and the ledger has posted 92 USD on account a by transaction p";
    assert_eq!(messages, [expected], "the side in the payment's currency");
}

/// docs/transfers-and-payments.md: of several captures those that were reversed in full do not count, unless refunds cover them.
#[test]
fn a_capture_that_was_reversed_counts_no_more() {
    let captured = |hold_at: u64, id: &'static str, amount: i64| at(hold_at, Ledger(id, "a", amount, Some("p")));
    check(vec![
        (
            "several captures add up",
            vec![at(10, Status(Completed, 100)), captured(20, "c1", 60), captured(30, "c2", 40), at(1_000, Clock)],
            "completed 100 0 matched",
            vec![],
            vec![],
        ),
        (
            "one is reversed, and the payment was for the other",
            vec![
                at(10, Status(Completed, 40)),
                captured(20, "c1", 60),
                at(25, CaptureTakenBack("c1", "p")),
                captured(30, "c2", 40),
                at(1_000, Clock),
            ],
            "completed 40 0 matched",
            vec![],
            vec![],
        ),
        (
            "one is reversed, and the payment was for both",
            vec![
                at(10, Status(Completed, 100)),
                captured(20, "c1", 60),
                captured(30, "c2", 40),
                at(500, CaptureTakenBack("c1", "p")),
                at(1_401, Clock),
            ],
            "completed 100 0 different",
            vec!["1400 unreconciled raised high"],
            vec![],
        ),
        (
            "until it is restored",
            vec![
                at(10, Status(Completed, 100)),
                captured(20, "c1", 60),
                captured(30, "c2", 40),
                at(500, CaptureTakenBack("c1", "p")),
                at(1_500, CaptureRestored("c1", "p")),
            ],
            "completed 100 0 matched",
            vec!["1400 unreconciled raised high", "1500 unreconciled cleared high"],
            vec![],
        ),
        (
            "a refund covers it",
            vec![
                at(10, Status(Completed, 100)),
                captured(20, "c1", 60),
                captured(30, "c2", 40),
                at(500, CaptureTakenBack("c1", "p")),
                at(510, Refund("k", 60)),
                at(2_000, Clock),
            ],
            "refunded 100 60 matched",
            vec![],
            vec![],
        ),
        (
            "a smaller refund does not",
            vec![
                at(10, Status(Completed, 100)),
                captured(20, "c1", 60),
                captured(30, "c2", 40),
                at(500, CaptureTakenBack("c1", "p")),
                at(510, Refund("k", 59)),
                at(1_401, Clock),
            ],
            "refunded 100 59 different",
            vec!["1400 unreconciled raised high"],
            vec![],
        ),
        (
            "all are reversed",
            vec![
                at(10, Status(Completed, 100)),
                captured(20, "c1", 60),
                captured(30, "c2", 40),
                at(500, CaptureTakenBack("c1", "p")),
                at(600, CaptureTakenBack("c2", "p")),
                at(1_501, Clock),
            ],
            "completed 100 0 missing",
            vec!["1500 unreconciled raised high"],
            vec![],
        ),
        (
            "a capture of nothing, which releases the hold, is no payment",
            vec![at(10, Status(Cancelled, 100)), captured(20, "c1", 0), at(21, What::TakenBack("p")), at(1_000, Clock)],
            "cancelled 100 0 -",
            vec![],
            vec![],
        ),
    ]);
}

#[test]
fn only_posted_debits_can_be_those_of_payments() {
    let place = Place::of_record(EffectiveTime::new(1), Topic::Transactions, 0, Offset::ZERO);
    let payment = transaction("p", "a", 100, None, 1);
    let ids = |transaction: Transaction| {
        let events = PaymentEvent::of_ledger(Placed { place, event: accepted(place, transaction) });
        events.iter().map(|placed| placed.event.payment_id().to_string()).collect::<Vec<_>>()
    };
    assert_eq!(ids(payment.clone()), ["p"]);
    assert_eq!(ids(transaction("p", "a", 100, Some("h"), 1)), ["p", "h"]);
    assert_eq!(ids(Transaction { phase: Some(TransactionPhase::Pending), ..payment.clone() }), Vec::<String>::new());
    assert_eq!(ids(Transaction { reverses: Some(Id::derived("o")), ..payment.clone() }), Vec::<String>::new());
    assert_eq!(ids(Transaction { r#type: TransactionType::Deposit, ..payment }), Vec::<String>::new());
}

#[test]
fn what_no_payment_claims_is_forgotten() {
    let emitted = run(VIEW, happenings(&[at(5, Ledger("t", "a", 100, None)), at(10_006, Clock)]));
    assert_eq!(rows_of(&emitted.tables.payment_postings), []);
    // One that was not paid is compared with the ledger, too, for as long as the ledger's debit can be reversed.
    let failed = [at(10, Status(Failed, 100)), at(11, Status(Completed, 100))];
    for (end, remembered) in [(20_012, (3, 1)), (50_012, (1, 0))] {
        let emitted = run(VIEW, happenings(&[failed.as_slice(), &[at(end, Clock)]].concat()));
        assert_eq!((rows_of(&emitted.tables.payment_steps).len(), rows_of(&emitted.tables.step_alerts).len()), remembered, "{end}");
        assert_eq!(progress(&emitted), "failed 100 0 -");
    }
}

/// Of two changes of one row in a tick, a removal that comes last wins: the debit's row would be gone.
#[test]
fn a_debit_in_the_tick_in_which_an_earlier_one_is_forgotten_keeps_its_row() {
    let tables = PaymentTables::register(&mut TestTables::default());
    let mut fold = Fold::new(VIEW, tables.clone(), Ticks::new(Nanos::new(5_000), Nanos::new(5_000)));
    let apply = |fold: &mut Fold<Payments>, record: Record| {
        for Placed { place, event } in happenings(&[record]) {
            if let Happening::Event(event) = event {
                fold.apply(Placed { place, event });
            }
        }
    };
    apply(&mut fold, at(10, Ledger("p", "a", 100, None)));
    fold.emit(Tick::new(0), EffectiveTime::ZERO);
    fold.fire(); // at 10,010
    apply(&mut fold, at(10_020, Ledger("p", "a", 50, None)));
    fold.emit(Tick::new(2), EffectiveTime::new(10_000));
    let amounts: Vec<_> = rows_of(&tables.payment_postings).into_iter().map(|row| row.amount).collect();
    assert_eq!(amounts, [Amount::whole(50)]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn a_restart_anywhere_changes_nothing(
        steps in proptest::collection::vec((0..700_u64, 0..3_000_i64, 0..16_usize, 1..4_i64), 1..25),
        cut in 0..25_usize,
    ) {
        let mut time = 10_000;
        let record = |(later, age, what, amount): (u64, i64, usize, i64)| {
            time += later * 3;
            let what = match what {
                0..6 => Status(PaymentStatus::ALL[what], amount),
                6 => Refund("k1", amount),
                7 => Refund("k2", amount),
                8 => Ledger("p", "a", amount, None),
                9 => Ledger("t", "a", amount, Some("p")),
                10 => What::TakenBack("p"),
                11 => Restored("p"),
                12 => Ledger("u", "a", amount, Some("p")),
                13 => CaptureTakenBack("t", "p"),
                14 => CaptureRestored("t", "p"),
                _ => Exchange(amount, 4 - amount),
            };
            (time, i64::try_from(time).unwrap_or(0) - age, what)
        };
        let records: Vec<Record> = steps.into_iter().map(record).collect();
        let whole = run(VIEW, happenings(&records));
        assert_same(&whole, &run_with_restart(VIEW, happenings(&records), cut), "cut");
    }
}
