//! Round trips: case by case, against an exhaustive search, through hubs, and over restarts.

mod cases;
mod exhaustive;
mod hubs;

use std::sync::Arc;

use headwater_schemas::events::{Event, Transaction};
use headwater_schemas::tables::Alert;
use headwater_schemas::{AccountId, Correction, Currency, Decimal, EffectiveTime, EventTime, Id, Nanos, Offset, Place, Placed, Topic};

use super::*;
use crate::ledger::{Adjusted, TakenBack};
use crate::testing::{Emitted, Happening, Happenings, history_of, rows_of, run, run_with_restart};

const MINUTE: u64 = 60_000_000_000;
const DAY: u64 = 1_440;

/// The view with the default bounds.
const VIEW: RoundTrips =
    RoundTrips { bounds: Bounds { window: Nanos::DAY, hops: 5, share: Decimal::from_units(800_000_000), fan: 20 }, horizon: Nanos::DAY };

/// What happens, with its own time in minutes. A transfer's effective time is the greatest of its own times so far, or later.
#[derive(Clone, Copy, Debug)]
enum What<'a> {
    /// A transfer: time, id, payer, payee, amount.
    Pays(u64, &'a str, &'a str, &'a str, u32),
    /// Further fields of a transfer.
    With(u64, &'a str, &'a str),
    /// A transfer is taken back by another transaction.
    Back(u64, &'a str, &'a str),
    /// It counts again, because the other transaction was taken back.
    Again(u64, &'a str, &'a str),
    /// A hold is captured for another amount.
    Captured(u64, &'a str, u32),
}
use What::*;

impl What<'_> {
    const fn minute(&self) -> u64 {
        match self {
            Pays(minute, ..) | With(minute, ..) | Back(minute, ..) | Again(minute, ..) | Captured(minute, ..) => *minute,
        }
    }

    fn event(&self) -> Option<Movement> {
        let taken = |id: &str, by: &str, is_restored| {
            let correction = Correction::Reversal { transaction_id: Id::derived(by), original: Id::derived(id) };
            let (account_id, counterparty, currency) = (AccountId::derived("a"), AccountId::derived("b"), Currency::derived("USD"));
            Some(Movement::TakenBack(Arc::new(TakenBack {
                account_id,
                counterparty,
                currency,
                transaction_id: Id::derived(id),
                captures: None,
                is_restored,
                correction,
            })))
        };
        match self {
            Pays(minute, id, payer, payee, amount) => {
                let fields = format!(r#""account_id":"{payer}","counterparty_account":"{payee}","amount":"{amount}""#);
                Movement::of(crate::rules::Happened::Transaction(transaction(*minute, id, &fields)))
            }
            With(minute, id, fields) => Movement::of(crate::rules::Happened::Transaction(transaction(*minute, id, fields))),
            Back(_, id, by) => taken(id, by, false),
            Again(_, id, by) => taken(id, by, true),
            Captured(_, id, amount) => Some(Movement::Adjusted(Arc::new(Adjusted {
                account_id: AccountId::derived("a"),
                counterparty: AccountId::derived("b"),
                currency: Currency::derived("USD"),
                hold: Id::derived(*id),
                amount: headwater_schemas::Amount::whole((*amount).into()),
                counter: None,
                capture: Id::derived("capture"),
            }))),
        }
    }
}

/// A transfer in USD, unless the fields say something else.
fn transaction(minute: u64, id: &str, fields: &str) -> Arc<Transaction> {
    let mut text = format!(r#"{{"transaction_id":"{id}","ts":{},{fields}"#, minute * MINUTE);
    for (name, default) in [("type", "transfer"), ("currency", "USD")] {
        if !fields.contains(&format!("\"{name}\":")) {
            text += &format!(r#","{name}":"{default}""#);
        }
    }
    match Event::decode(Topic::Transactions, None, Some(format!("{text}}}").as_bytes())) {
        Ok(Event::Transaction(transaction)) => transaction,
        other => panic!("{text}: {other:?}"),
    }
}

/// Events as read from one partition: each at the greatest time so far.
fn happenings(events: &[What<'_>]) -> Happenings<RoundTrips> {
    let mut clock = 0;
    let happening = |(number, what): (u64, &What<'_>)| {
        clock = what.minute().max(clock);
        let ts = EventTime::from_effective(EffectiveTime::new(what.minute() * MINUTE));
        let place = Place::of_record(EffectiveTime::new(clock * MINUTE), Topic::Transactions, 0, Offset::new(number));
        Some(Placed { place: place.of_event_at(ts, Nanos::ZERO), event: Happening::Event(what.event()?) })
    };
    (1..).zip(events).filter_map(happening).collect()
}

fn found(events: &[What<'_>]) -> Emitted<RoundTrips> {
    run(VIEW, happenings(events))
}

/// The alerts as `state subject: evidence`.
fn alerts(emitted: &Emitted<RoundTrips>) -> Vec<String> {
    let evidence = |row: &Alert| row.evidence.iter().map(|id| id.as_str()).collect::<Vec<_>>().join(" ");
    let text = |row: &Alert| format!("{} {}: {}", row.state.as_str(), row.subject, evidence(row));
    rows_of(&emitted.tables.alerts).iter().map(text).collect()
}
