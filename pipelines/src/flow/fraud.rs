//! Transactions to decisions.

use std::sync::Arc;

use headwater_operators::fraud::{Fraud, FraudEvent};
use headwater_operators::keyed_fold::Pace;
use headwater_operators::ledger::TakenBack;
use headwater_schemas::Placed;
use headwater_schemas::events::Event;
use timely::dataflow::StreamVec;
use timely::dataflow::operators::Concat;
use timely::dataflow::operators::vec::Map;

use super::Events;
use super::wiring::{Flow, Reference};

/// Scores every transaction. What comes back is the frontier of decisions.
pub(super) fn scores<'scope>(
    flow: &mut Flow<'scope, '_>,
    transactions: Events<'scope>,
    taken_back: StreamVec<'scope, u64, Placed<TakenBack>>,
    reference: Reference<'scope>,
) -> anyhow::Result<StreamVec<'scope, u64, ()>> {
    let transactions = transactions.flat_map(|Placed { place, event }| match event {
        Event::Transaction(event) => Some(Placed { place, event: FraudEvent::Transaction(event) }),
        _ => None,
    });
    let taken_back = taken_back.map(|taken| taken.map(FraudEvent::TakenBack));
    let view = Fraud::with_horizon(Arc::clone(&flow.settings.fraud), flow.settings.config.horizons().fraud);
    Ok(flow.fold("fraud", view, Pace::Tick, transactions.concat(taken_back), reference)?.done)
}
