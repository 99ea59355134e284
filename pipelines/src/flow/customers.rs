//! Customers' views: from marks and watched prices to price alerts, from purchases, labels and budgets to spending.

use std::sync::Arc;

use headwater_operators::customers::{
    AccountPurchase, Categories, LabelledPurchases, Notice, Notifications, PriceAlerts, PriceEvent, PurchaseEvent, Purchases, Spending,
    SpendingEvent,
};
use headwater_operators::keyed_fold::Pace;
use headwater_operators::valuation::MarkEvent;
use headwater_schemas::events::Event;
use headwater_schemas::{Placed, Tick, Topic};
use timely::dataflow::StreamVec;
use timely::dataflow::operators::Concat;
use timely::dataflow::operators::vec::Map;

use super::Events;
use super::wiring::{Flow, Reference};

/// What customers are to be told.
type Notices<'scope> = StreamVec<'scope, Tick, Placed<Notice>>;

/// Raises an alert when a mark reaches a watched price.
pub(super) fn price_alerts<'scope>(
    flow: &mut Flow<'scope, '_>,
    marks: StreamVec<'scope, Tick, Placed<MarkEvent>>,
    watchlists: Events<'scope>,
) -> anyhow::Result<Notices<'scope>> {
    // The other records of watchlists come with the mark of their place.
    let deleted = watchlists.flat_map(|Placed { place, event }| {
        let key = match event {
            Event::Deleted(deleted) if deleted.rank == Topic::Watchlists.rank() => Some(deleted.key),
            _ => None,
        };
        let unwatched: Vec<_> = key.iter().flat_map(|key| PriceEvent::unwatched(key)).collect();
        unwatched.into_iter().map(move |event| Placed { place, event })
    });
    let events = marks.map(|event| event.map(PriceEvent::Mark)).concat(deleted);
    let view = PriceAlerts { hysteresis: flow.settings.config.customers.price_hysteresis };
    let broadcasts = flow.no_broadcasts();
    Ok(flow.fold("price alerts", view, Pace::Tick, events, broadcasts)?.derived)
}

/// Sums what customers spend, and compares it with budgets and the month before.
pub(super) fn spending<'scope>(
    flow: &mut Flow<'scope, '_>,
    spent: StreamVec<'scope, Tick, Placed<AccountPurchase>>,
    accounts: Events<'scope>,
    labels: Events<'scope>,
    reference: Reference<'scope>,
) -> anyhow::Result<Notices<'scope>> {
    let config = &flow.settings.config;
    let (settings, reversal_horizon) = (config.customers.clone(), config.ledger.reversal_horizon.into());
    let waiting_horizon = config.horizons().of(Topic::Labels);
    let accounts = accounts.flat_map(|Placed { place, event }| match event {
        Event::Account(event) => Some(Placed { place, event: AccountPurchase::Account(event) }),
        _ => None,
    });
    let view = Purchases { categories: Categories::new(&settings.merchants), waiting_horizon: reversal_horizon };
    let purchases = own_places(flow.fold("purchases", view, Pace::Tick, spent.concat(accounts), reference.clone())?.derived);
    let labels = labels.flat_map(|Placed { place, event }| match event {
        Event::Label(label) if !label.is_verdict() => Some(Placed { place, event: PurchaseEvent::Label(label) }),
        _ => None,
    });
    let view = LabelledPurchases { reversal_horizon, waiting_horizon, opening_horizon: reversal_horizon };
    let broadcasts = flow.no_broadcasts();
    let changes = own_places(flow.fold("labelled purchases", view, Pace::Tick, purchases.concat(labels), broadcasts)?.derived);
    let changes = changes.map(|change| change.map(|change| SpendingEvent::Spent(Box::new(change))));
    let budgets = flow.take(Topic::Budgets).flat_map(|Placed { place, event }| {
        let events: Vec<_> = match event {
            Event::Budget(budget) => vec![SpendingEvent::Budget(budget)],
            Event::Deleted(deleted) => SpendingEvent::no_budget(&deleted.key).collect(),
            _ => Vec::new(),
        };
        events.into_iter().map(move |event| Placed { place, event })
    });
    let view = Spending { settings, reversal_horizon };
    Ok(flow.fold("spending", view, Pace::Tick, changes.concat(budgets), reference)?.derived)
}

/// Turns notices into notifications.
pub(super) fn notifications<'scope>(
    flow: &mut Flow<'scope, '_>,
    notices: Notices<'scope>,
    reference: Reference<'scope>,
) -> anyhow::Result<()> {
    let view = Notifications { settings: Arc::new(flow.settings.config.notifications.clone()) };
    flow.fold("notifications", view, Pace::Tick, notices, reference)?;
    Ok(())
}

/// Derived events that name their places.
fn own_places<E: 'static>(derived: StreamVec<'_, Tick, Placed<Placed<E>>>) -> StreamVec<'_, Tick, Placed<E>> {
    derived.map(|derived| derived.event)
}
