//! Tests from records of transactions and accounts to balances: case by case, and properties.

mod alerts;
mod enforcement;
mod exchanges;
mod holds;
mod interest;

use std::collections::BTreeMap;
use std::sync::Arc;

use headwater_schemas::events::Event;
use headwater_schemas::tables::{Balance, PostedTransaction};
use headwater_schemas::{AccountId, Currency, EffectiveTime, Money, Nanos, Offset, Place, Placed, Topic};
use proptest::prelude::*;

use super::returns::concerns_returns;
use super::*;
use crate::testing::{Emitted, Happening, Happenings, history_of, rows_of, run, run_with_restart, run_with_restart_beside};

const POSTINGS: Postings = Postings {
    reversal_horizon: Nanos::MAX,
    waiting_horizon: Nanos::new(1000),
    hold_expiry: None,
    captures: Captures { over: false, partial: false },
    enforces: false,
};
/// Horizons so short that a property test forgets transactions and rejects waiting ones.
const FORGETFUL: Postings = Postings {
    reversal_horizon: Nanos::new(12),
    waiting_horizon: Nanos::new(5),
    hold_expiry: Some(Nanos::new(9)),
    captures: Captures { over: true, partial: true },
    enforces: false,
};

/// Records of one partition per topic: `fields`, or `@TIME fields` for an effective time other than the next one. Defaults of the
/// fields: account `a`, USD, and the effective time.
fn events(records: &[&str]) -> Vec<Placed<Event>> {
    let mut time = 0;
    let event = |record: &&str| {
        time += 1;
        let fields = match record.strip_prefix('@').and_then(|record| record.split_once(' ')) {
            Some((at, fields)) => {
                time = at.parse().expect("a time");
                fields
            }
            None => record,
        };
        let is_of = |field: &str| fields.contains(&format!("\"{field}\":"));
        let topic = match () {
            () if is_of("transaction_id") => Topic::Transactions,
            () if is_of("scope") => Topic::Limits,
            () if is_of("timezone") => Topic::Customers,
            () => Topic::Accounts,
        };
        let mut text = format!("{{{fields}");
        for (name, default) in [("account_id", r#""a""#), ("currency", r#""USD""#), ("ts", &time.to_string())] {
            let is_given = fields.contains(&format!("\"{name}\":"));
            if !(is_given || topic == Topic::Accounts && name == "currency") {
                text += &format!(r#","{name}":{default}"#);
            }
        }
        let event = Event::decode(topic, None, Some(format!("{text}}}").as_bytes())).unwrap_or_else(|error| panic!("{text}: {error}"));
        Placed { place: Place::of_record(EffectiveTime::new(time), topic, 0, Offset::new(time)), event }
    };
    records.iter().map(event).collect()
}

/// The transactions that pass through the returns.
fn to_returns(events: &[Placed<Event>]) -> Happenings<Returns> {
    let happening = |Placed { place, event }: &Placed<Event>| match event {
        Event::Transaction(transaction) if concerns_returns(transaction) => {
            Returnable::all(transaction).map(|event| Placed { place: *place, event: Happening::Event(event) }).collect()
        }
        _ => Vec::new(),
    };
    events.iter().flat_map(happening).collect()
}

/// Returns with the horizons of postings.
const fn returns_of(view: Postings) -> Returns {
    Returns { reversal_horizon: view.reversal_horizon, waiting_horizon: view.waiting_horizon }
}

fn to_postings(view: Postings, events: &[Placed<Event>]) -> Happenings<Postings> {
    let happening = |Placed { place, event }: &Placed<Event>| {
        let event = match event {
            Event::Transaction(transaction) if concerns_returns(transaction) => return None,
            Event::Transaction(transaction) => Happening::Event(Owned::from(Arc::clone(transaction))),
            other => Happening::Broadcast(other.clone()),
        };
        Some(Placed { place: *place, event })
    };
    let owned = run(returns_of(view), to_returns(events)).derived.into_iter();
    let owned = owned.map(|Placed { place, event }| Placed { place: place.derived(place.sequence - 1), event: Happening::Event(event) });
    events.iter().filter_map(happening).chain(owned).collect()
}

fn to_balances(events: &[Placed<Event>], derived: &[Placed<LedgerEvent>]) -> Happenings<Balances> {
    let postings = derived.iter().filter_map(|derived| match &derived.event {
        LedgerEvent::Posting(posting) => {
            Some(Placed { place: derived.place, event: Happening::Event(BalanceEvent::Posting(posting.clone())) })
        }
        _ => None,
    });
    let accounts = events.iter().flat_map(|Placed { place, event }| match event {
        Event::Account(account) => {
            let (broadcast, own) = (Happening::Broadcast(event.clone()), Happening::Event(BalanceEvent::Account(account.clone())));
            vec![Placed { place: *place, event: broadcast }, Placed { place: *place, event: own }]
        }
        _ => vec![],
    });
    accounts.chain(postings).collect()
}

/// The balances as `account currency posted held available`, without those of the outside.
fn balances_of(emitted: &Emitted<Balances>) -> Vec<String> {
    let text = |row: &Balance| format!("{} {} {} {} {}", row.account_id, row.currency, row.posted, row.pending, row.available);
    rows_of(&emitted.tables.balances).iter().filter(|row| !row.account_id.is_contra()).map(text).collect()
}

/// The currencies in which the posted balances of all accounts, those of the outside included, do not sum to zero.
fn unbalanced(emitted: &Emitted<Balances>) -> Vec<String> {
    let mut sums = BTreeMap::<_, i128>::new();
    for row in rows_of(&emitted.tables.balances) {
        *sums.entry(row.currency).or_default() += row.posted.units();
    }
    sums.into_iter().filter(|(_, sum)| *sum != 0).map(|(currency, sum)| format!("{currency} {sum}")).collect()
}

/// The balances that result from records, and the rejected records as `offset code`.
fn outcome(view: Postings, records: &[&str]) -> (Vec<String>, Vec<String>) {
    let events = events(records);
    let posted = run(view, to_postings(view, &events));
    let balances = run(Balances::default(), to_balances(&events, &posted.derived));
    let letters = posted.dead_letters.iter().chain(&balances.dead_letters);
    assert_eq!(unbalanced(&balances), Vec::<String>::new(), "all accounts and the world outside add up to nothing");
    (balances_of(&balances), letters.map(|letter| format!("{} {}", letter.offset, letter.code)).collect())
}

/// Name, records, balances, rejected records.
type Case<'a> = (&'a str, &'a [&'a str], &'a [&'a str], &'a [&'a str]);

fn check(view: Postings, cases: &[Case<'_>]) {
    for (name, records, balances, rejected) in cases {
        let strings = |texts: &[&str]| texts.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(outcome(view, records), (strings(balances), strings(rejected)), "{name}");
    }
}

const DEPOSIT: &str = r#""transaction_id":"d","type":"deposit","amount":"100""#;
const HOLD: &str = r#""transaction_id":"h","type":"payment","amount":"60","phase":"pending""#;
const PAYMENT: &str = r#""transaction_id":"p","type":"payment","amount":"40""#;

#[test]
fn postings_and_transfers() {
    check(
        POSTINGS,
        &[
            ("a deposit comes from outside", &[DEPOSIT], &["a USD 100 0 100"], &[]),
            (
                "a transfer has two legs of ours",
                &[DEPOSIT, r#""transaction_id":"t","type":"transfer","amount":"30","counterparty_account":"b""#],
                &["a USD 70 0 70", "b USD 30 0 30"],
                &[],
            ),
            (
                "a void without pending_id releases nothing",
                &[r#""transaction_id":"t","type":"payment","amount":"1","phase":"void""#],
                &[],
                &["1 missing_field"],
            ),
            (
                "a reversal is not pending",
                &[PAYMENT, r#""transaction_id":"t","type":"payment","amount":"1","phase":"pending","reverses":"p""#],
                &["a USD -40 0 -40"],
                &["2 inconsistent"],
            ),
        ],
    );
}

#[test]
fn a_return_by_the_recipient_may_come_before_its_transfer() {
    let transfer = r#""transaction_id":"t","type":"transfer","amount":"80","counterparty_account":"b""#;
    let back = r#""transaction_id":"r","account_id":"b","type":"transfer","amount":"50","reverses":"t""#;
    let restored = r#""transaction_id":"rr","account_id":"b","type":"transfer","amount":"20","reverses":"r""#;
    let too_much = r#""transaction_id":"m","account_id":"b","type":"transfer","amount":"40","reverses":"t""#;
    let late = format!("@2000 {transfer}");
    check(
        POSTINGS,
        &[
            ("the return after its transfer", &[DEPOSIT, transfer, back], &["a USD 70 0 70", "b USD 30 0 30"], &[]),
            ("the return before it", &[DEPOSIT, back, transfer], &["a USD 70 0 70", "b USD 30 0 30"], &[]),
            ("a return that is returned, before both", &[DEPOSIT, restored, back, transfer], &["a USD 50 0 50", "b USD 50 0 50"], &[]),
            (
                "two returns of more than the transfer",
                &[DEPOSIT, back, too_much, transfer],
                &["a USD 70 0 70", "b USD 30 0 30"],
                &["3 refused"],
            ),
            ("a transfer after the horizon", &[DEPOSIT, back, &late], &["a USD 20 0 20", "b USD 80 0 80"], &["2 unknown_reference"]),
        ],
    );
}

#[test]
fn the_outside_returns_nothing_if_it_is_named() {
    let payment = r#""transaction_id":"t","type":"payment","amount":"80","counterparty_account":"external:USD""#;
    let back = r#""transaction_id":"r","type":"payment","amount":"50","reverses":"t""#;
    let by_name = r#""transaction_id":"r","type":"payment","amount":"50","reverses":"t","counterparty_account":"external:USD""#;
    check(
        POSTINGS,
        &[
            ("it is paid", &[DEPOSIT, payment], &["a USD 20 0 20"], &[]),
            ("the account takes it back", &[DEPOSIT, payment, back], &["a USD 70 0 70"], &[]),
            ("also by name", &[DEPOSIT, payment, by_name], &["a USD 70 0 70"], &[]),
            ("also before it", &[DEPOSIT, by_name, payment], &["a USD 70 0 70"], &[]),
        ],
    );
    let returns = run(returns_of(POSTINGS), to_returns(&events(&[DEPOSIT, payment])));
    assert!(rows_of(&returns.tables.received_transfers).is_empty(), "nobody remembers it for a return");
}

#[test]
fn either_account_may_reverse_a_reversal() {
    let transfer = r#""transaction_id":"t","type":"transfer","amount":"80","counterparty_account":"b""#;
    let back = r#""transaction_id":"r","type":"transfer","amount":"50","reverses":"t","counterparty_account":"b""#;
    let by = |account: &str, amount: &str| {
        format!(r#""transaction_id":"rr","account_id":"{account}","type":"transfer","amount":"{amount}","reverses":"r""#)
    };
    let (by_a, by_b, too_much) = (by("a", "20"), by("b", "20"), by("b", "51"));
    let named = format!(r#"{by_b},"counterparty_account":"a""#);
    let again = r#""transaction_id":"rrr","type":"transfer","amount":"5","reverses":"rr","counterparty_account":"b""#;
    let once_more = r#""transaction_id":"rrrr","account_id":"b","type":"transfer","amount":"5","reverses":"rrr""#;
    let by_another = by("c", "20");
    let later = r#"@3000 "transaction_id":"l","type":"deposit","amount":"1""#;
    let restored = &["a USD 50 0 50", "b USD 50 0 50"];
    check(
        POSTINGS,
        &[
            ("the sender", &[DEPOSIT, transfer, back, &by_a], restored, &[]),
            ("the recipient", &[DEPOSIT, transfer, back, &by_b], restored, &[]),
            ("the recipient, who names the sender", &[DEPOSIT, transfer, back, &named], restored, &[]),
            ("before the reversal", &[DEPOSIT, transfer, &by_b, back], restored, &[]),
            ("before the transfer", &[DEPOSIT, back, &by_b, transfer], restored, &[]),
            ("before both", &[DEPOSIT, &by_b, back, transfer], restored, &[]),
            ("but not more than it", &[DEPOSIT, transfer, back, &too_much], &["a USD 70 0 70", "b USD 30 0 30"], &["4 refused"]),
            ("and the next one", &[DEPOSIT, transfer, back, &by_b, again], &["a USD 55 0 55", "b USD 45 0 45"], &[]),
            ("and the one after that", &[DEPOSIT, transfer, back, &by_b, again, once_more], restored, &[]),
            ("nobody else", &[DEPOSIT, transfer, back, &by_another, later], &["a USD 71 0 71", "b USD 30 0 30"], &["4 unknown_reference"]),
        ],
    );
}

#[test]
fn holds_and_what_resolves_them() {
    let posted = r#""transaction_id":"c","type":"payment","amount":"45","pending_id":"h""#;
    let void = r#""transaction_id":"v","type":"payment","amount":"60","phase":"void","pending_id":"h""#;
    let to_b = r#""transaction_id":"h","type":"transfer","amount":"60","phase":"pending","counterparty_account":"b""#;
    check(
        POSTINGS,
        &[
            ("a hold takes from what is available", &[DEPOSIT, HOLD], &["a USD 100 60 40"], &[]),
            ("posting less releases the rest", &[DEPOSIT, HOLD, posted], &["a USD 55 0 55"], &[]),
            (
                "a hold is resolved once",
                &[DEPOSIT, HOLD, void, posted, r#""transaction_id":"w","type":"payment","amount":"60","phase":"void","pending_id":"h""#],
                &["a USD 100 0 100"],
                &["4 refused", "5 refused"],
            ),
            (
                "a void in another currency is inconsistent",
                &[HOLD, r#""transaction_id":"v","type":"payment","amount":"60","currency":"EUR","phase":"void","pending_id":"h""#],
                &["a USD 0 60 -60"],
                &["2 inconsistent"],
            ),
            (
                "so is a capture in another currency",
                &[HOLD, r#""transaction_id":"c","type":"payment","amount":"60","currency":"EUR","pending_id":"h""#],
                &["a USD 0 60 -60"],
                &["2 inconsistent"],
            ),
            (
                "a capture without a counterparty takes that of the hold",
                &[DEPOSIT, to_b, r#""transaction_id":"c","type":"transfer","amount":"50","pending_id":"h""#],
                &["a USD 50 0 50", "b USD 50 0 50"],
                &[],
            ),
            (
                "a capture to another counterparty is inconsistent",
                &[to_b, r#""transaction_id":"c","type":"transfer","amount":"50","counterparty_account":"x","pending_id":"h""#],
                &["a USD 0 60 -60", "b USD 0 0 0"],
                &["2 inconsistent"],
            ),
            (
                "a capture of another type is inconsistent",
                &[DEPOSIT, HOLD, r#""transaction_id":"c","type":"deposit","amount":"60","pending_id":"h""#],
                &["a USD 100 60 40"],
                &["3 inconsistent"],
            ),
            (
                "so is a void of another type",
                &[HOLD, r#""transaction_id":"v","type":"fee","amount":"60","phase":"void","pending_id":"h""#],
                &["a USD 0 60 -60"],
                &["2 inconsistent"],
            ),
            (
                "a hold of zero is a hold, and is resolved once",
                &[
                    r#""transaction_id":"h","type":"payment","amount":"0","phase":"pending""#,
                    r#""transaction_id":"v","type":"payment","amount":"0","phase":"void","pending_id":"h""#,
                    r#""transaction_id":"w","type":"payment","amount":"0","phase":"void","pending_id":"h""#,
                ],
                &["a USD 0 0 0"],
                &["3 refused"],
            ),
            (
                "more than was held is refused",
                &[DEPOSIT, HOLD, r#""transaction_id":"c","type":"payment","amount":"60.01","pending_id":"h""#],
                &["a USD 100 60 40"],
                &["3 refused"],
            ),
            (
                "a posting is no hold",
                &[PAYMENT, r#""transaction_id":"v","type":"payment","amount":"40","phase":"void","pending_id":"p""#],
                &["a USD -40 0 -40"],
                &["2 unknown_reference"],
            ),
        ],
    );
    let more = r#""transaction_id":"c","type":"payment","amount":"72","pending_id":"h""#;
    check(
        Postings { captures: Captures { over: true, partial: false }, ..POSTINGS },
        &[("more than was held may be posted where that is allowed", &[DEPOSIT, HOLD, more], &["a USD 28 0 28"], &[])],
    );
}

#[test]
fn reversals_and_what_reverses_them() {
    let chargeback = r#""transaction_id":"cb","type":"payment","amount":"40","reverses":"p""#;
    let won = r#""transaction_id":"won","type":"payment","amount":"40","reverses":"cb""#;
    let refund = r#""transaction_id":"rf","type":"payment","amount":"40","reverses":"p""#;
    check(
        POSTINGS,
        &[
            (
                "in all at most the original amount is reversed",
                &[
                    PAYMENT,
                    r#""transaction_id":"r1","type":"payment","amount":"15","reverses":"p""#,
                    r#""transaction_id":"r2","type":"payment","amount":"26","reverses":"p""#,
                    r#""transaction_id":"r3","type":"payment","amount":"25","reverses":"p""#,
                ],
                &["a USD 0 0 0"],
                &["3 refused"],
            ),
            ("a refund after a chargeback is too much", &[PAYMENT, chargeback, refund], &["a USD 0 0 0"], &["3 refused"]),
            (
                "a chargeback that was reversed leaves the payment to be refunded",
                &[PAYMENT, chargeback, won, refund],
                &["a USD 0 0 0"],
                &[],
            ),
            (
                "what restored a payment is not reversed once the payment is refunded",
                &[PAYMENT, chargeback, won, refund, r#""transaction_id":"again","type":"payment","amount":"40","reverses":"won""#],
                &["a USD 0 0 0"],
                &["5 refused"],
            ),
            (
                "a reversal in part restores a part",
                &[
                    PAYMENT,
                    chargeback,
                    r#""transaction_id":"won","type":"payment","amount":"10","reverses":"cb""#,
                    r#""transaction_id":"rf","type":"payment","amount":"11","reverses":"p""#,
                    r#""transaction_id":"rg","type":"payment","amount":"10","reverses":"p""#,
                ],
                &["a USD 0 0 0"],
                &["4 refused"],
            ),
            (
                "a reversal turns back the legs of the original, whatever its own type",
                &[DEPOSIT, r#""transaction_id":"r","type":"deposit","amount":"100","reverses":"d""#],
                &["a USD 0 0 0"],
                &[],
            ),
            (
                "a reversal from another counterparty is inconsistent",
                &[PAYMENT, r#""transaction_id":"r","type":"payment","amount":"40","counterparty_account":"x","reverses":"p""#],
                &["a USD -40 0 -40"],
                &["2 inconsistent"],
            ),
            (
                "a hold is no posting",
                &[HOLD, r#""transaction_id":"r","type":"payment","amount":"60","reverses":"h""#],
                &["a USD 0 60 -60"],
                &["2 unknown_reference"],
            ),
        ],
    );
}

#[test]
fn either_account_of_a_transfer_may_return_it() {
    const TRANSFER: &str = r#""transaction_id":"t","type":"transfer","amount":"30","counterparty_account":"b""#;
    let by = |id: &str, account: &str, amount: &str, reverses: &str, other: &str| {
        let other = if other.is_empty() { String::new() } else { format!(r#","counterparty_account":"{other}""#) };
        format!(r#""transaction_id":"{id}","account_id":"{account}","type":"transfer","amount":"{amount}","reverses":"{reverses}"{other}"#)
    };
    let back = &["a USD 100 0 100", "b USD 0 0 0"][..];
    let sent = &["a USD 70 0 70", "b USD 30 0 30"][..];
    let from_b = by("r", "b", "30", "t", "");
    let hold = r#""transaction_id":"h","type":"transfer","amount":"30","counterparty_account":"b","phase":"pending""#;
    let capture = r#""transaction_id":"c","type":"transfer","amount":"30","counterparty_account":"b","pending_id":"h""#;
    check(
        POSTINGS,
        &[
            ("the sender", &[DEPOSIT, TRANSFER, &by("r", "a", "30", "t", "")], back, &[]),
            ("the sender, naming the recipient", &[DEPOSIT, TRANSFER, &by("r", "a", "30", "t", "b")], back, &[]),
            ("the recipient", &[DEPOSIT, TRANSFER, &from_b], back, &[]),
            ("the recipient, naming the sender", &[DEPOSIT, TRANSFER, &by("r", "b", "30", "t", "a")], back, &[]),
            ("the recipient, naming another", &[DEPOSIT, TRANSFER, &by("r", "b", "30", "t", "x")], sent, &["3 inconsistent"]),
            ("more than was sent", &[DEPOSIT, TRANSFER, &by("r", "b", "31", "t", "")], sent, &["3 refused"]),
            (
                "both, each a part",
                &[DEPOSIT, TRANSFER, &by("r", "b", "10", "t", ""), &by("s", "a", "20", "t", ""), &by("u", "b", "1", "t", "")],
                back,
                &["5 refused"],
            ),
            ("no third account", &[DEPOSIT, TRANSFER, &by("r", "x", "30", "t", "")], sent, &[]),
            ("the recipient takes the return back", &[DEPOSIT, TRANSFER, &from_b, &by("s", "b", "30", "r", "")], sent, &[]),
            ("the sender sends it again", &[DEPOSIT, TRANSFER, &from_b, &by("s", "a", "30", "r", "")], sent, &[]),
            (
                "and the recipient returns it again",
                &[DEPOSIT, TRANSFER, &from_b, &by("s", "a", "30", "r", ""), &by("u", "b", "30", "t", "")],
                back,
                &[],
            ),
            ("what was held first", &[DEPOSIT, hold, capture, &by("r", "b", "30", "c", "")], back, &[]),
        ],
    );
}

#[test]
fn the_recipient_of_a_capture_that_does_not_name_it_may_return_it_and_names_the_sender() {
    let hold = r#""transaction_id":"h","type":"transfer","amount":"30","counterparty_account":"b","phase":"pending""#;
    let capture = r#""transaction_id":"c","type":"transfer","amount":"30","pending_id":"h""#;
    let by = |id: &str, account: &str, amount: &str, reverses: &str, other: &str| {
        let fields = format!(r#""amount":"{amount}","reverses":"{reverses}","counterparty_account":"{other}""#);
        format!(r#""transaction_id":"{id}","account_id":"{account}","type":"transfer",{fields}"#)
    };
    let (back, sent) = (&["a USD 100 0 100", "b USD 0 0 0"][..], &["a USD 70 0 70", "b USD 30 0 30"][..]);
    let from_b = by("r", "b", "30", "c", "a");
    let plain = r#""transaction_id":"p","type":"transfer","amount":"5""#;
    let (late, later) = (format!("@2000 {capture}"), r#"@2000 "transaction_id":"l","type":"deposit","amount":"0""#);
    check(
        POSTINGS,
        &[
            ("after the capture", &[DEPOSIT, hold, capture, &from_b], back, &[]),
            ("a part of it", &[DEPOSIT, hold, capture, &by("r", "b", "10", "c", "a")], &["a USD 80 0 80", "b USD 20 0 20"], &[]),
            ("before the capture", &[DEPOSIT, hold, &from_b, capture], back, &[]),
            ("before the capture and its hold", &[DEPOSIT, &from_b, capture, hold], back, &[]),
            ("more than was captured", &[DEPOSIT, hold, capture, &by("r", "b", "31", "c", "a")], sent, &["4 refused"]),
            ("twice", &[DEPOSIT, hold, capture, &from_b, &by("s", "b", "1", "c", "a")], back, &["5 refused"]),
            ("by the sender", &[DEPOSIT, hold, capture, &by("r", "a", "30", "c", "b")], back, &[]),
            (
                "by the sender, and the recipient reverses that",
                &[DEPOSIT, hold, capture, &by("r", "a", "30", "c", "b"), &by("s", "b", "30", "r", "a")],
                sent,
                &[],
            ),
            ("the recipient takes the return back", &[DEPOSIT, hold, capture, &from_b, &by("s", "b", "30", "r", "a")], sent, &[]),
            ("the sender sends it again", &[DEPOSIT, hold, capture, &from_b, &by("s", "a", "30", "r", "b")], sent, &[]),
            ("a return of the return that comes before both", &[DEPOSIT, hold, &by("s", "b", "30", "r", "a"), &from_b, capture], sent, &[]),
            ("no third account", &[DEPOSIT, hold, capture, &by("r", "x", "30", "c", "a")], sent, &["4 unknown_reference"]),
            ("a third account before it", &[DEPOSIT, hold, &by("r", "x", "30", "c", "a"), capture], sent, &["3 unknown_reference"]),
            (
                "of a hold that it never was",
                &[DEPOSIT, capture, &from_b, later],
                &["a USD 100 0 100"],
                &["2 unknown_reference", "3 unknown_reference"],
            ),
            ("that comes too late", &[DEPOSIT, hold, &from_b, &late], sent, &["3 unknown_reference"]),
            (
                "with a payment to the outside",
                &[DEPOSIT, plain, &by("r", "b", "5", "p", "a"), later],
                &["a USD 95 0 95"],
                &["3 unknown_reference"],
            ),
        ],
    );
}

/// `id taken back` and `id restored`, in order.
fn turns(records: &[&str]) -> Vec<String> {
    let turn = |derived: &Placed<LedgerEvent>| match &derived.event {
        LedgerEvent::TakenBack(turn) => {
            Some(format!("{} {}", turn.transaction_id, if turn.is_restored { "restored" } else { "taken back" }))
        }
        _ => None,
    };
    run(POSTINGS, to_postings(POSTINGS, &events(records))).derived.iter().filter_map(turn).collect()
}

#[test]
fn who_counts_transactions_learns_what_was_taken_back_and_restored() {
    let chargeback = r#""transaction_id":"cb","type":"payment","amount":"40","reverses":"p""#;
    let part = r#""transaction_id":"won","type":"payment","amount":"1","reverses":"cb""#;
    let rest = r#""transaction_id":"rest","type":"payment","amount":"39","reverses":"cb""#;
    let void = r#""transaction_id":"v","type":"payment","amount":"60","phase":"void","pending_id":"h""#;
    assert_eq!(turns(&[PAYMENT, chargeback, part, rest]), ["p taken back", "p restored", "cb taken back"]);
    assert_eq!(turns(&[HOLD, void]), ["h taken back"]);
    let capture = r#""transaction_id":"c","type":"payment","amount":"60","pending_id":"h""#;
    let refund = r#""transaction_id":"r","type":"payment","amount":"60","reverses":"c""#;
    let won = r#""transaction_id":"w","type":"payment","amount":"5","reverses":"r""#;
    let expected = ["c taken back", "h taken back", "c restored", "h restored"];
    assert_eq!(turns(&[HOLD, capture, refund, won]), expected, "a capture with its hold");
}

/// docs/rules.md: a reversal to the last unit withdraws a decision. That of a return is among those of the account that sent it.
#[test]
fn the_account_that_sent_a_return_learns_that_it_was_taken_back() {
    let transfer = r#""transaction_id":"t","type":"transfer","amount":"40","counterparty_account":"b""#;
    let back = r#""transaction_id":"r","account_id":"b","type":"transfer","amount":"40","reverses":"t""#;
    let again = r#""transaction_id":"w","type":"transfer","amount":"40","reverses":"r""#;
    let learned = run(POSTINGS, to_postings(POSTINGS, &events(&[transfer, back, again]))).derived.into_iter();
    let turn = |event| if let LedgerEvent::TakenBack(turn) = event { Some(turn) } else { None };
    let turns = learned.filter_map(|derived| turn(derived.event)).map(|turn| {
        format!(
            "{} of {} and {} {}",
            turn.transaction_id,
            turn.account_id,
            turn.counterparty,
            if turn.is_restored { "restored" } else { "taken back" }
        )
    });
    assert_eq!(
        turns.collect::<Vec<_>>(),
        ["t of a and b taken back", "r of a and b taken back", "r of b and a taken back", "t of a and b restored"]
    );
}

/// `id amount` for each change of what counts, in order, with `held` if it is of an open hold.
fn remains(view: Postings, records: &[&str]) -> Vec<String> {
    let remains = |derived: &Placed<LedgerEvent>| match &derived.event {
        LedgerEvent::Remains(remains) => {
            let held = if remains.is_held { " held" } else { "" };
            Some(format!("{} {}{held}", remains.transaction_id, remains.amount))
        }
        _ => None,
    };
    run(view, to_postings(view, &events(records))).derived.iter().filter_map(remains).collect()
}

#[test]
fn who_sums_amounts_learns_what_remains() {
    let part = r#""transaction_id":"r","type":"payment","amount":"15","reverses":"p""#;
    let won = r#""transaction_id":"w","type":"payment","amount":"5","reverses":"r""#;
    assert_eq!(remains(POSTINGS, &[PAYMENT, part, won]), ["p 25", "p 30"], "a refund, of which a part is taken back");
    let void = r#""transaction_id":"v","type":"payment","amount":"60","phase":"void","pending_id":"h""#;
    assert_eq!(remains(POSTINGS, &[HOLD, void]), ["h 0"]);
    let capture = r#""transaction_id":"c","type":"payment","amount":"45","pending_id":"h""#;
    let refund = r#""transaction_id":"r","type":"payment","amount":"5","reverses":"c""#;
    assert_eq!(remains(POSTINGS, &[HOLD, capture, refund]), ["h 45", "h 40"], "a capture counts as its hold");
    let whole = r#""transaction_id":"c","type":"payment","amount":"60","pending_id":"h""#;
    assert_eq!(remains(POSTINGS, &[HOLD, whole]), ["h 60"], "a hold is resolved by a capture of all that was held");
    let parts = Postings { captures: Captures { partial: true, ..POSTINGS.captures }, ..POSTINGS };
    let expected = ["h 55 held", "h 40"];
    assert_eq!(remains(parts, &[HOLD, capture, refund, void]), expected, "what is still held counts, until it is released");
}

#[test]
fn what_comes_before_the_one_it_names_waits_for_it() {
    let capture = r#""transaction_id":"c","type":"payment","amount":"45","pending_id":"h""#;
    let void = r#""transaction_id":"v","type":"payment","amount":"60","phase":"void","pending_id":"h""#;
    let reversal = r#""transaction_id":"r","type":"payment","amount":"40","reverses":"p""#;
    let won = r#""transaction_id":"w","type":"payment","amount":"15","reverses":"r""#;
    let later = r#"@2000 "transaction_id":"l","type":"deposit","amount":"1""#;
    check(
        POSTINGS,
        &[
            ("a capture", &[DEPOSIT, capture, HOLD], &["a USD 55 0 55"], &[]),
            ("the first of two that resolve it", &[DEPOSIT, void, capture, HOLD], &["a USD 100 0 100"], &["3 refused"]),
            ("a reversal, and the reversal of that", &[won, reversal, PAYMENT], &["a USD -15 0 -15"], &[]),
            (
                "for the horizon",
                &[capture, "@1001 \"transaction_id\":\"h\",\"type\":\"payment\",\"amount\":\"60\",\"phase\":\"pending\""],
                &["a USD -45 0 -45"],
                &[],
            ),
            (
                "and no longer",
                &[capture, reversal, later, "@3000 \"transaction_id\":\"h\",\"type\":\"payment\",\"amount\":\"60\",\"phase\":\"pending\""],
                &["a USD 1 60 -59"],
                &["1 unknown_reference", "2 unknown_reference"],
            ),
            (
                "a transaction that never is",
                &[r#""transaction_id":"x","type":"payment","amount":"1","reverses":"x""#, later],
                &["a USD 1 0 1"],
                &["1 unknown_reference"],
            ),
        ],
    );
}

#[test]
fn interest_is_charged_to_credit_and_loan_accounts() {
    let interest = r#""transaction_id":"i","type":"interest","amount":"2.50""#;
    let spent = r#""transaction_id":"s","type":"payment","amount":"100""#;
    for (account_type, balance) in
        [("credit", "-102.5"), ("loan", "-102.5"), ("checking", "-97.5"), ("savings", "-97.5"), ("investment", "-97.5")]
    {
        let opened = format!(r#""type":"opened","customer_id":"c","account_type":"{account_type}","currency":"USD""#);
        let expected = vec![format!("a USD {balance} 0 {balance}")];
        assert_eq!(outcome(POSTINGS, &[&opened, spent, interest]), (expected, vec![]), "{account_type}");
    }
}

#[test]
fn available_follows_the_account_at_once() {
    let opened = |fields: &str| format!(r#""type":"opened","customer_id":"c","account_type":"checking","currency":"USD"{fields}"#);
    let (plain, overdraft) = (opened(""), opened(r#","overdraft_limit":1000"#));
    let updated = |fields: &str| format!(r#""type":"updated",{fields}"#);
    let (none, euros) = (updated(r#""overdraft_limit":0"#), updated(r#""currency":"EUR""#));
    let older = updated(r#""overdraft_limit":7,"ts":0"#);
    check(
        POSTINGS,
        &[
            ("a balance exists from the opening on", &[&plain], &["a USD 0 0 0"], &[]),
            ("with its limit", &[&overdraft, DEPOSIT], &["a USD 100 0 1100"], &[]),
            ("a limit falls", &[&overdraft, DEPOSIT, &none], &["a USD 100 0 100"], &[]),
            ("an account is opened later than its payment", &[PAYMENT, &overdraft], &["a USD -40 0 960"], &[]),
            ("an older limit that comes late changes nothing", &[&overdraft, DEPOSIT, &older], &["a USD 100 0 1100"], &[]),
            ("a currency changes", &[&overdraft, DEPOSIT, &euros], &["a EUR 0 0 1000", "a USD 100 0 100"], &[]),
        ],
    );
}

#[test]
fn sums_beyond_the_greatest_amount_are_exact() {
    let deposits: Vec<_> = (0..12).map(|n| format!(r#""transaction_id":"d{n}","type":"deposit","amount":"999999999999999999""#)).collect();
    let holds: Vec<_> =
        (0..12).map(|n| format!(r#""transaction_id":"h{n}","type":"payment","amount":"999999999999999999","phase":"pending""#)).collect();
    let records: Vec<_> = deposits.iter().chain(&holds).map(String::as_str).collect();
    let (twelve, outside) = ("11999999999999999988", "-11999999999999999988");
    let events = events(&records);
    let posted = run(POSTINGS, to_postings(POSTINGS, &events));
    let balances = rows_of(&run(Balances::default(), to_balances(&events, &posted.derived)).tables.balances);
    let texts: Vec<_> = balances.iter().map(|row| format!("{} {} {} {}", row.account_id, row.posted, row.pending, row.available)).collect();
    assert_eq!(texts, [format!("a {twelve} {twelve} 0"), format!("external:USD {outside} 0 {outside}")]);
}

/// The last balances sent to valuations, without zeros.
fn told(emitted: &Emitted<Balances>) -> BTreeMap<(String, String), String> {
    let last = emitted.updates.iter().map(|(cash, ..)| ((cash.account_id.to_string(), cash.currency.to_string()), cash.posted.to_string()));
    let mut told: BTreeMap<_, _> = last.collect();
    told.retain(|_, posted| posted != "0");
    told
}

fn arbitrary() -> impl Strategy<Value = Vec<String>> {
    let one = (0..8_u8, 0..16_u8, 0..100_u32, 0..3_u8);
    proptest::collection::vec(one, 1..40).prop_map(|steps| {
        let text = |((kind, target, amount, other), id): ((u8, u8, u32, u8), usize)| {
            let amount = if amount % 5 == 0 { 0 } else { amount };
            let id = format!(r#""transaction_id":"t{id}","amount":"{amount}""#);
            let exchange = format!(r#","counter_amount":"{}","counter_currency":"EUR""#, amount.min(u32::from(target)));
            let exchange = if other == 1 { exchange.as_str() } else { "" };
            let counterparty = if other < 2 { r#","counterparty_account":"b""# } else { "" };
            match kind {
                0 => format!(r#"{id},"type":"deposit","balance_after":"{}""#, target * 10),
                1 => format!(r#"{id},"type":"payment","phase":"pending"{counterparty}{exchange}"#),
                2 => format!(r#"{id},"type":"payment","pending_id":"t{target}"{exchange}"#),
                3 => format!(r#"{id},"type":"payment","phase":"void","pending_id":"t{target}""#),
                4 => format!(r#"{id},"type":"payment","reverses":"t{target}"{counterparty}{exchange}"#),
                5 if other == 0 => {
                    format!(r#"{id},"account_id":"b","type":"payment","reverses":"t{target}","counterparty_account":"a""#)
                }
                5 => format!(r#"{id},"account_id":"b","type":"payment","reverses":"t{target}""#),
                6 if amount % 4 == 1 => format!(r#""type":"{}""#, ["frozen", "closed", "unfrozen"][usize::from(target % 3)]),
                6 => format!(r#""type":"opened","customer_id":"c","account_type":"credit","currency":"USD","overdraft_limit":{amount}"#),
                _ => format!(r#"{id},"type":"transfer"{counterparty}{exchange}"#),
            }
        };
        steps.into_iter().zip(0..).map(text).collect()
    })
}

/// Sums of amounts by currency.
fn sums(amounts: impl Iterator<Item = (Currency, Money)>) -> BTreeMap<Currency, i128> {
    let mut sums = BTreeMap::new();
    amounts.for_each(|(currency, amount)| *sums.entry(currency).or_default() += amount.units());
    sums
}

/// What is held by account, without zeros.
fn held_of(balances: &[Balance]) -> BTreeMap<(AccountId, Currency), i128> {
    let held = balances.iter().map(|row| ((row.account_id, row.currency), row.pending.units()));
    held.filter(|(_, held)| *held != 0).collect()
}

/// The sums of what open holds hold, by the account that would pay. All holds of these tests are debits.
fn open_holds(posted: &[PostedTransaction]) -> BTreeMap<(AccountId, Currency), i128> {
    let mut sums = BTreeMap::<_, i128>::new();
    for row in posted.iter().filter(|row| row.pending && !row.account_id.is_contra()) {
        *sums.entry((row.account_id, row.currency)).or_default() += row.left.units();
    }
    sums.retain(|_, sum| *sum != 0);
    sums
}

/// The returns with a restart after `cut` transactions, whose reversals that wait are restored from the rows of the postings.
fn returns_with_restart(view: Postings, events: &[Placed<Event>], cut: usize) -> Emitted<Returns> {
    // A reversal that two accounts learn of is not cut in two.
    let cut = to_returns(events.get(..cut).unwrap_or(events)).len();
    run_with_restart_beside(returns_of(view), to_returns(events), cut, |saved, last| {
        let before: Vec<_> = events.iter().filter(|event| Some(event.place) <= last).cloned().collect();
        saved.waiting_transactions = Arc::new(rows_of(&run(view, to_postings(view, &before)).tables.waiting_transactions));
    })
}

proptest! {
    #[test]
    fn legs_always_sum_to_zero_and_holds_are_never_negative(texts in arbitrary()) {
        let events = events(&texts.iter().map(String::as_str).collect::<Vec<_>>());
        for view in [POSTINGS, FORGETFUL] {
            let said = run(view, to_postings(view, &events));
            let postings = said.derived.iter().filter_map(|said| match &said.event {
                LedgerEvent::Posting(posting) => Some((posting.currency, posting.posted)),
                _ => None,
            });
            prop_assert!(sums(postings).values().all(|sum| *sum == 0));
            let entries = rows_of(&said.tables.ledger_entries);
            prop_assert!(sums(entries.iter().map(|entry| (entry.currency, entry.amount))).values().all(|sum| *sum == 0));
            let balances = rows_of(&run(Balances::default(), to_balances(&events, &said.derived)).tables.balances);
            prop_assert!(balances.iter().all(|row| row.pending.units() >= 0));
            // The remaining amount of a posting is between zero and its amount.
            let posted = rows_of(&said.tables.posted_transactions);
            prop_assert!(posted.iter().all(|row| row.left.units() >= 0 && row.left <= row.amount.magnitude()));
            // The amount that is held of an account is the sum of what its open holds still hold.
            prop_assert_eq!(held_of(&balances), open_holds(&posted));
        }
    }

    #[test]
    fn a_restart_in_the_middle_changes_nothing(texts in arbitrary(), cut in 0..40_usize) {
        let events = events(&texts.iter().map(String::as_str).collect::<Vec<_>>());
        let whole = run(FORGETFUL, to_postings(FORGETFUL, &events));
        let cut_postings = run_with_restart(FORGETFUL, to_postings(FORGETFUL, &events), cut);
        prop_assert_eq!(history_of(&whole.tables.ledger_entries), history_of(&cut_postings.tables.ledger_entries));
        prop_assert_eq!(history_of(&whole.tables.posted_transactions), history_of(&cut_postings.tables.posted_transactions));
        prop_assert_eq!(history_of(&whole.tables.waiting_transactions), history_of(&cut_postings.tables.waiting_transactions));
        prop_assert_eq!(history_of(&whole.tables.alerts), history_of(&cut_postings.tables.alerts));
        prop_assert_eq!(&whole.dead_letters, &cut_postings.dead_letters);
        prop_assert_eq!(&whole.derived, &cut_postings.derived);
        let (all, again) = (run(returns_of(FORGETFUL), to_returns(&events)), returns_with_restart(FORGETFUL, &events, cut));
        prop_assert_eq!(history_of(&all.tables.received_transfers), history_of(&again.tables.received_transfers));
        prop_assert_eq!(&all.derived, &again.derived);
        let happenings = to_balances(&events, &whole.derived);
        let (whole, cut) = (run(Balances::default(), happenings.clone()), run_with_restart(Balances::default(), happenings, cut));
        prop_assert_eq!(history_of(&whole.tables.balances), history_of(&cut.tables.balances));
        prop_assert_eq!(history_of(&whole.tables.alerts), history_of(&cut.tables.alerts));
        prop_assert_eq!(history_of(&whole.tables.ledger_alerts), history_of(&cut.tables.ledger_alerts));
        prop_assert_eq!(told(&whole), told(&cut));
    }

    #[test]
    fn what_names_a_transaction_may_come_before_or_after_it(kind in 0..4_u8, amount in 0..80_u32) {
        let transfer = r#""transaction_id":"t","type":"transfer","amount":"40","counterparty_account":"b""#;
        let named = match kind {
            0 => PAYMENT,
            1 | 2 => HOLD,
            _ => transfer,
        };
        let naming = match kind {
            0 => format!(r#""transaction_id":"n","type":"payment","amount":"{amount}","reverses":"p""#),
            1 => format!(r#""transaction_id":"n","type":"payment","amount":"{amount}","pending_id":"h""#),
            2 => format!(r#""transaction_id":"n","type":"payment","amount":"{amount}","phase":"void","pending_id":"h""#),
            _ => format!(r#""transaction_id":"n","account_id":"b","type":"transfer","amount":"{amount}","reverses":"t""#),
        };
        let (before, after) = (outcome(POSTINGS, &[&naming, named]), outcome(POSTINGS, &[named, &naming]));
        prop_assert_eq!(before.0, after.0);
        prop_assert_eq!(before.1.len(), after.1.len());
    }
}
