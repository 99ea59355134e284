//! Deduplication: events with an identity pass through admission, all others bypass it.

use std::collections::BTreeMap;
use std::sync::Arc;

use headwater_operators::admission::Admission;
use headwater_operators::keyed_fold::Pace;
use headwater_operators::ledger::returns::concerns_returns;
use headwater_schemas::events::Event;
use headwater_schemas::{Placed, Topic};
use timely::container::CapacityContainerBuilder;
use timely::dataflow::operators::core::partition::Partition;
use timely::dataflow::operators::generic::operator::empty;
use timely::dataflow::operators::{Concat, Concatenate};

use super::Events;
use super::wiring::Flow;

/// The streams of events for the other parts.
pub(super) struct Admitted<'scope> {
    pub(super) accounts: Events<'scope>,
    pub(super) orders: Events<'scope>,
    pub(super) fills: Events<'scope>,
    /// Transactions that concern one account alone.
    pub(super) transactions: Events<'scope>,
    pub(super) payments: Events<'scope>,
    pub(super) transfers: Events<'scope>,
    /// Transactions that another account can return, and reversals.
    pub(super) returnable: Events<'scope>,
}

/// The topics whose events have identities.
const WITH_IDENTITY: [Topic; 6] = [Topic::Accounts, Topic::Orders, Topic::Fills, Topic::Transactions, Topic::Payments, Topic::Transfers];

pub(super) fn admit<'scope>(flow: &mut Flow<'scope, '_>) -> anyhow::Result<Admitted<'scope>> {
    let scope = flow.scope;
    let all: Vec<_> = WITH_IDENTITY.iter().map(|topic| flow.take(*topic)).collect();
    let mut halves = scope.concatenate(all).partition::<CapacityContainerBuilder<Vec<_>>, _, _>(2, |event: Placed<Event>| {
        (u64::from(event.event.identity().is_some()), event)
    });
    let (identified, others) = match (halves.pop(), halves.pop()) {
        (Some(identified), Some(others)) => (identified, others),
        _ => (empty(scope), empty(scope)),
    };
    let horizons = flow.settings.config.horizons();
    // As long as a transaction can be reversed, its id cannot be reused.
    let remembered = BTreeMap::from([(Topic::Transactions, flow.settings.config.ledger.reversal_horizon.into())]);
    let duplicates = Arc::clone(&flow.settings.duplicates);
    let view = Admission { horizon: horizons.horizon, horizons: horizons.topics, remembered, duplicates };
    let broadcasts = flow.no_broadcasts();
    let admitted = flow.fold("admission", view, Pace::Tick, identified, broadcasts)?.derived;

    // An admitted event keeps its record's place, because it is not a derived event.
    let mut by_topic = admitted
        .concat(others)
        .partition::<CapacityContainerBuilder<Vec<_>>, _, _>(WITH_IDENTITY.len() as u64 + 1, |event: Placed<Event>| {
            let place = event.place.derived(0);
            (part_of(&event.event) as u64, Placed { place, event: event.event })
        })
        .into_iter();
    let mut next = || by_topic.next().unwrap_or_else(|| empty(scope));
    let (accounts, orders, fills, transactions) = (next(), next(), next(), next());
    let (payments, transfers) = (next(), next());
    Ok(Admitted { accounts, orders, fills, transactions, payments, transfers, returnable: next() })
}

/// The index of an event's stream: that of its topic, or the last one.
fn part_of(event: &Event) -> usize {
    match event {
        Event::Transaction(transaction) if concerns_returns(transaction) => WITH_IDENTITY.len(),
        event => WITH_IDENTITY.iter().position(|known| *known == event.topic()).unwrap_or(0),
    }
}
