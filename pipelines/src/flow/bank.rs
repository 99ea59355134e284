//! The bank's processes: transfers and payments, money that comes back to its payer, and the retention of records.

use std::sync::Arc;

use headwater_operators::keyed_fold::Pace;
use headwater_operators::payments::{FirstStatus, PaymentEvent, Payments};
use headwater_operators::retention::Retention;
use headwater_operators::round_trips::{Movement, RoundTrips};
use headwater_operators::rules::Happened;
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

/// Follows payments from status to status, and compares them with what the ledger has settled. Returns each payment once, for rules.
pub(super) fn payments<'scope>(
    flow: &mut Flow<'scope, '_>,
    payments: Events<'scope>,
    settled: StreamVec<'scope, Tick, Placed<PaymentEvent>>,
) -> anyhow::Result<StreamVec<'scope, Tick, Placed<Happened>>> {
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
    let begun = flow.fold("payments", view, Pace::Tick, payments.concat(settled), broadcasts)?.derived;
    Ok(begun.map(|Placed { event: FirstStatus { record, payment }, .. }| Placed { place: record, event: Happened::Payment(payment) }))
}

/// The pack whose rule `round_trip` is.
const AML: &str = "aml";

/// Finds round trips among the transfers that the ledger accepted, if the rules against money laundering are applied.
pub(super) fn round_trips<'scope>(flow: &mut Flow<'scope, '_>, happened: StreamVec<'scope, Tick, Placed<Happened>>) -> anyhow::Result<()> {
    if flow.settings.packs.iter().all(|pack| pack.name() != AML) {
        return Ok(());
    }
    let movements = happened.flat_map(|Placed { place, event }| Some(Placed { place, event: Movement::of(event)? }));
    let config = &flow.settings.config;
    let view = RoundTrips { bounds: config.aml.round_trips.bounds(), horizon: config.horizons().fraud };
    let broadcasts = flow.no_broadcasts();
    flow.fold("round trips", view, Pace::Tick, movements, broadcasts).map(drop)
}

/// Raises an alert when the records of a closed account need not be kept any longer.
pub(super) fn retention<'scope>(flow: &mut Flow<'scope, '_>, accounts: Events<'scope>) -> anyhow::Result<()> {
    let accounts = accounts.flat_map(|Placed { place, event }| match event {
        Event::Account(event) => Some(Placed { place, event }),
        _ => None,
    });
    let view = Retention { settings: Arc::new(flow.settings.config.compliance.settings()) };
    let broadcasts = flow.no_broadcasts();
    flow.fold("retention", view, Pace::Tick, accounts, broadcasts).map(drop)
}
