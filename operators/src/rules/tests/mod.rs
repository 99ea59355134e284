//! Tests of fraud scoring as a whole: the pack `banking` case by case, every aggregate, late events, restarts, and a comparison
//! with an independent recomputation.

mod aggregates;
mod banking;
mod base_currency;
mod episodes;
mod exchanges;
mod late;
mod notices;
mod once;
mod packs;
mod recomputed;
mod saved;
mod taken_back;
mod together;
mod versions;

use std::sync::Arc;

use headwater_schemas::events::{Event, Transaction, TransactionType};
use headwater_schemas::tables::{Alert, Decision};
use headwater_schemas::{AccountId, Amount, Correction, Currency, Decimal, EffectiveTime, EventTime, Id, Offset, Place, Placed, Topic};

use super::*;
use crate::ledger::TakenBack;
use crate::testing::{Emitted, Happening, Happenings, rows_of, run};

type Step = Placed<Happening<Event, RuleEvent>>;

const SECOND: i64 = 1_000_000_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// Parses an RFC 3339 time, in nanoseconds.
fn at(text: &str) -> i64 {
    text.parse::<EventTime>().expect(text).nanos()
}

/// A plain transaction: posted, paid, without location, device or channel.
fn transaction(id: &str, ts: i64, amount: &str) -> Transaction {
    Transaction {
        transaction_id: Id::derived(id),
        account_id: AccountId::derived("a"),
        r#type: TransactionType::Payment,
        amount: amount.parse::<Amount>().expect(amount),
        currency: Currency::derived("USD"),
        counterparty_account: None,
        phase: None,
        pending_id: None,
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

/// Sets a location; the longitude is relative to the customer's home at 0° N 1° E, because 0° N 0° E is not a place.
fn located(mut transaction: Transaction, lat: &str, lon: &str) -> Transaction {
    let lon = lon.parse::<Decimal>().ok().and_then(|lon| lon.checked_add(Decimal::whole(1)));
    (transaction.lat, transaction.lon) = (lat.parse().ok(), lon);
    transaction
}

/// The account `a` and its customer, whose record has these fields.
fn customer(fields: &str) -> Vec<Step> {
    let opened = r#"{"type":"opened","account_id":"a","customer_id":"c","account_type":"checking","currency":"USD","ts":0}"#;
    let customer = format!(r#"{{"customer_id":"c"{fields}}}"#);
    [(Topic::Customers, customer.as_str()), (Topic::Accounts, opened)]
        .into_iter()
        .map(|(topic, text)| {
            let event = Event::decode(topic, None, Some(text.as_bytes())).expect(text);
            Placed { place: Place::of_record(EffectiveTime::ZERO, topic, 0, Offset::ZERO), event: Happening::Broadcast(event) }
        })
        .collect()
}

/// Lives at 0° N 1° E, in London time.
const AT_HOME: &str = r#","home_lat":"0","home_lon":"1","timezone":"Europe/London""#;

/// The ledger's event, placed before a step, that a transaction was reversed by another one.
fn taken_back(behind: &Step, account: &str, id: &str, by: &str) -> Step {
    turned(behind, account, id, by, false)
}

/// The ledger's event, placed before a step, that part of a transaction counts again.
fn restored(behind: &Step, account: &str, id: &str, by: &str) -> Step {
    turned(behind, account, id, by, true)
}

fn turned(behind: &Step, account: &str, id: &str, by: &str, is_restored: bool) -> Step {
    let correction = Correction::Reversal { transaction_id: Id::derived(by), original: Id::derived(id) };
    let (account_id, counterparty) = (AccountId::derived(account), AccountId::derived("external:USD"));
    let currency = Currency::derived("USD");
    let taken = TakenBack { account_id, counterparty, currency, transaction_id: Id::derived(id), captures: None, is_restored, correction };
    Placed { place: behind.place.derived(1), event: of_account(Happened::TakenBack(Arc::new(taken))) }
}

/// The event of the account that it names, for packs that group by nothing else.
fn of_account(what: Happened) -> Happening<Event, RuleEvent> {
    let key = GroupKey::Account(what.account().unwrap_or_default());
    Happening::Event(RuleEvent { grouped: 0, key, is_mirrored: false, what })
}

/// The transactions as read from one partition: each at the greatest `ts` so far.
fn arriving(transactions: impl IntoIterator<Item = Transaction>) -> Vec<Step> {
    let mut clock = EffectiveTime::ZERO;
    let placed = transactions.into_iter().zip(0..).map(|(transaction, offset)| {
        clock = clock.max(transaction.ts.effective());
        Placed {
            place: Place::of_record(clock, Topic::Transactions, 0, Offset::new(offset)),
            event: of_account(Happened::Transaction(Arc::new(transaction))),
        }
    });
    placed.collect()
}

fn banking_pack() -> Arc<Pack> {
    Pack::built_in("banking").expect("the pack").expect("its rules")
}

fn banking() -> Rules {
    Rules::new(banking_pack())
}

fn pack(text: &str) -> Arc<Pack> {
    let head = "name = \"p\"\nsubject = \"transaction\"\n[thresholds]\nreview = 10\nblock = 20\n";
    Pack::parse("p.toml", &format!("{head}{text}")).unwrap_or_else(|error| panic!("{error}"))
}

/// Runs the transactions of a customer.
fn run_as(view: Rules, customer_fields: &str, transactions: impl IntoIterator<Item = Transaction>) -> Emitted<Rules> {
    let happenings: Happenings<Rules> = customer(customer_fields).into_iter().chain(arriving(transactions)).collect();
    run(view, happenings)
}

fn decisions(said: &Emitted<Rules>) -> Vec<Decision> {
    rows_of(&said.tables.decisions)
}

fn alerts(said: &Emitted<Rules>) -> Vec<Alert> {
    rows_of(&said.tables.alerts)
}

fn decision_on(said: &Emitted<Rules>, id: &str) -> Decision {
    let found = decisions(said).into_iter().find(|decision| decision.subject_id.as_str() == id);
    found.unwrap_or_else(|| panic!("no decision on {id}"))
}

/// `rule points: evidence` of each reason.
fn reasons(decision: &Decision) -> Vec<String> {
    let words = |evidence: &[headwater_schemas::Text]| evidence.iter().map(|text| text.to_string()).collect::<Vec<_>>().join(" ");
    decision.reasons.iter().map(|reason| format!("{} {}: {}", reason.rule, reason.points, words(&reason.evidence))).collect()
}

/// The rules that fired.
fn fired(decision: &Decision) -> Vec<&str> {
    let fired = decision.reasons.iter().filter(|reason| reason.points.value() > 0.0);
    fired.map(|reason| reason.rule.as_str()).collect()
}

/// The rules that could not be decided.
fn undecided(decision: &Decision) -> Vec<&str> {
    let undecided = decision.reasons.iter().filter(|reason| reason.points.value() <= 0.0);
    undecided.map(|reason| reason.rule.as_str()).collect()
}
