//! Transactions to legs, legs to balances.

use headwater_operators::keyed_fold::{Pace, Updated};
use headwater_operators::ledger::{BalanceEvent, Balances, Cash, LedgerEvent, Posting, Postings, TakenBack};
use headwater_schemas::events::Event;
use headwater_schemas::{Placed, Topic};
use timely::dataflow::StreamVec;
use timely::dataflow::operators::Concat;
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
pub(super) fn postings<'scope>(
    flow: &mut Flow<'scope, '_>,
    transactions: Events<'scope>,
    reference: Reference<'scope>,
) -> anyhow::Result<Posted<'scope>> {
    let transactions = transactions.flat_map(|Placed { place, event }| match event {
        Event::Transaction(event) => Some(Placed { place, event }),
        _ => None,
    });
    let ledger = &flow.settings.config.ledger;
    let view = Postings {
        reversal_horizon: nanos(ledger.reversal_horizon),
        waiting_horizon: flow.settings.config.horizons().of(Topic::Transactions),
        allows_overcapture: ledger.overcapture,
    };
    let derived = flow.fold("postings", view, Pace::Tick, transactions, reference)?.derived;
    let (postings, taken_back) = derived.ok_err(|Placed { place, event }| match event {
        LedgerEvent::Posting(event) => Ok(Placed { place, event }),
        LedgerEvent::TakenBack(event) => Err(Box::new(Placed { place, event })),
    });
    Ok(Posted { postings, taken_back: taken_back.map(|taken| *taken) })
}

/// The balances: rows once per tick, and what valuations know once per grid point. They begin with, and follow, their accounts.
pub(super) fn balances<'scope>(
    flow: &mut Flow<'scope, '_>,
    postings: StreamVec<'scope, u64, Placed<Posting>>,
    accounts: Events<'scope>,
    reference: Reference<'scope>,
) -> anyhow::Result<StreamVec<'scope, u64, Updated<Cash>>> {
    let postings = postings.map(|posting| posting.map(BalanceEvent::Posting));
    let accounts = accounts.flat_map(|Placed { place, event }| match event {
        Event::Account(event) => Some(Placed { place, event: BalanceEvent::Account(event) }),
        _ => None,
    });
    Ok(flow.fold("balances", Balances, Pace::Tick, postings.concat(accounts), reference)?.updates)
}
