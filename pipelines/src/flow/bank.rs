//! The bank's processes: transfers and payments.

use headwater_operators::keyed_fold::Pace;
use headwater_operators::payments::{PaymentEvent, Payments};
use headwater_operators::transfers::Transfers;
use headwater_schemas::events::Event;
use headwater_schemas::{Placed, Tick, Topic};
use timely::dataflow::StreamVec;
use timely::dataflow::operators::Concat;
use timely::dataflow::operators::vec::Map;

use super::Events;
use super::wiring::Flow;

/// Follows transfers from step to step.
pub(super) fn transfers<'scope>(flow: &mut Flow<'scope, '_>, transfers: Events<'scope>) -> anyhow::Result<()> {
    let transfers = transfers.flat_map(|Placed { place, event }| match event {
        Event::Transfer(event) => Some(Placed { place, event }),
        _ => None,
    });
    let config = &flow.settings.config;
    let view = Transfers { stuck_after: config.transfers.stuck_after.into(), horizon: config.horizons().of(Topic::Transfers) };
    let broadcasts = flow.no_broadcasts();
    flow.fold("transfers", view, Pace::Tick, transfers, broadcasts).map(drop)
}

/// Follows payments from status to status, and compares them with what the ledger has settled.
pub(super) fn payments<'scope>(
    flow: &mut Flow<'scope, '_>,
    payments: Events<'scope>,
    settled: StreamVec<'scope, Tick, Placed<PaymentEvent>>,
) -> anyhow::Result<()> {
    let payments = payments.flat_map(|Placed { place, event }| match event {
        Event::Payment(event) => Some(Placed { place, event: PaymentEvent::Status(event) }),
        _ => None,
    });
    let config = &flow.settings.config;
    let view = Payments {
        stuck_after: config.payments.stuck_after.into(),
        horizon: config.horizons().of(Topic::Payments),
        refund_horizon: config.ledger.reversal_horizon.into(),
    };
    let broadcasts = flow.no_broadcasts();
    flow.fold("payments", view, Pace::Tick, payments.concat(settled), broadcasts).map(drop)
}
