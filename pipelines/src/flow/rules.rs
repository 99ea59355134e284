//! Rules: from transactions, payments and attempts to access something to decisions and alerts.

use std::sync::Arc;

use headwater_operators::keyed_fold::Pace;
use headwater_operators::rules::{Happened, Known, Owners, Rules, Subject};
use headwater_schemas::events::Event;
use headwater_schemas::{Placed, Tick, Topic};
use timely::dataflow::StreamVec;
use timely::dataflow::operators::vec::{Filter, Map};
use timely::dataflow::operators::{Concat, Concatenate};

use super::Events;
use super::wiring::{Flow, Reference};

/// Applies every pack to the events that it judges. Returns the frontier of decisions.
pub(super) fn judgements<'scope>(
    flow: &mut Flow<'scope, '_>,
    transactions: StreamVec<'scope, Tick, Placed<Happened>>,
    payments: Events<'scope>,
    reference: Reference<'scope>,
) -> anyhow::Result<StreamVec<'scope, Tick, ()>> {
    let access = flow.take(Topic::Access);
    let happened = transactions.concat(payments.concat(access).flat_map(|Placed { place, event }| {
        let event = match event {
            Event::Payment(event) => Happened::Payment(Arc::new(*event)),
            Event::Access(event) => Happened::Access(Arc::new(*event)),
            _ => return None,
        };
        Some(Placed { place, event })
    }));
    let packs = flow.settings.packs.clone();
    let needs_owners = packs.iter().any(|pack| pack.needs_owners());
    let owned = needs_owners.then(|| owned(flow, happened.clone(), reference.clone())).transpose()?;
    let (mut done, mut subjects) = (Vec::new(), Vec::new());
    for pack in packs {
        let spreading = Arc::clone(&pack);
        let events = match owned.as_ref().filter(|_| pack.needs_owners()) {
            Some(owned) => owned.clone().flat_map(move |Placed { place, event: Known { what, customer } }| {
                spreading.spread(&what, customer).into_iter().map(move |event| Placed { place, event })
            }),
            None => happened.clone().flat_map(move |Placed { place, event }| {
                spreading.spread(&event, None).into_iter().map(move |event| Placed { place, event })
            }),
        };
        let name = format!("rules {}", pack.name());
        let view = Rules::with_horizon(Arc::clone(&pack), flow.settings.config.horizons().fraud);
        let view = if subjects.contains(&pack.subject()) { view.besides_another() } else { view };
        subjects.push(pack.subject());
        done.push(flow.fold(&name, view, Pace::Tick, events, reference.clone())?.done);
    }
    Ok(flow.scope.concatenate(done))
}

/// Transactions, each with the customer who owns its account.
fn owned<'scope>(
    flow: &mut Flow<'scope, '_>,
    happened: StreamVec<'scope, Tick, Placed<Happened>>,
    reference: Reference<'scope>,
) -> anyhow::Result<StreamVec<'scope, Tick, Placed<Known>>> {
    let transactions = happened.filter(|placed| placed.event.is_of(Subject::Transaction));
    let owned = flow.fold("owners", Owners, Pace::Tick, transactions, reference)?.derived;
    // The event itself, and no derived one: it keeps its place.
    Ok(owned.map(|Placed { event: (place, known), .. }| Placed { place, event: known }))
}
