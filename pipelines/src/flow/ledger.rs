//! Transactions to legs, legs to balances.

use headwater_operators::keyed_fold::{Pace, Updated};
use headwater_operators::ledger::{Balances, Cash, LedgerEvent, Posting, Postings, TakenBack};
use headwater_schemas::Placed;
use headwater_schemas::events::Event;
use timely::dataflow::StreamVec;
use timely::dataflow::operators::core::OkErr;
use timely::dataflow::operators::vec::Map;

use super::Events;
use super::wiring::{Flow, Reference};
use crate::config::nanos;

/// What the ledger derives for others.
pub(super) struct Posted<'scope> {
    pub(super) postings: StreamVec<'scope, u64, Placed<Posting>>,
    pub(super) taken_back: StreamVec<'scope, u64, Placed<TakenBack>>,
}

/// What each transaction does to balances; its legs are `ledger_entries`.
pub(super) fn postings<'scope>(flow: &mut Flow<'scope, '_>, transactions: Events<'scope>) -> anyhow::Result<Posted<'scope>> {
    let transactions = transactions.flat_map(|Placed { place, event }| match event {
        Event::Transaction(event) => Some(Placed { place, event }),
        _ => None,
    });
    let view = Postings { reversal_horizon: nanos(flow.settings.config.ledger.reversal_horizon) };
    let broadcasts = flow.no_broadcasts();
    let derived = flow.fold("postings", view, Pace::Tick, transactions, broadcasts)?.derived;
    let (postings, taken_back) = derived.ok_err(|Placed { place, event }| match event {
        LedgerEvent::Posting(event) => Ok(Placed { place, event }),
        LedgerEvent::TakenBack(event) => Err(Box::new(Placed { place, event })),
    });
    Ok(Posted { postings, taken_back: taken_back.map(|taken| *taken) })
}

/// The balances: rows once per tick, and what valuations know once per grid point.
pub(super) fn balances<'scope>(
    flow: &mut Flow<'scope, '_>,
    postings: StreamVec<'scope, u64, Placed<Posting>>,
    reference: Reference<'scope>,
) -> anyhow::Result<StreamVec<'scope, u64, Updated<Cash>>> {
    Ok(flow.fold("balances", Balances, Pace::Tick, postings, reference)?.updates)
}
