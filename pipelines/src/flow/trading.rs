//! Trading: from orders to executions, from executions and fills to positions.

use headwater_operators::keyed_fold::{ByAccount, FoldOutput, Pace, Updated};
use headwater_operators::matching::{BookEvent, Matching};
use headwater_operators::positions::{FillChange, HoldingSums, PositionEvent, Positions};
use headwater_schemas::events::Event;
use headwater_schemas::tables::Execution;
use headwater_schemas::{Placed, Tick};
use timely::dataflow::StreamVec;
use timely::dataflow::operators::Concat;
use timely::dataflow::operators::vec::Map;

use super::Events;
use super::wiring::{Flow, Reference};

/// The order book of each symbol; derives executions.
pub(super) fn matching<'scope>(
    flow: &mut Flow<'scope, '_>,
    orders: Events<'scope>,
    reference: Reference<'scope>,
) -> anyhow::Result<FoldOutput<'scope, Matching>> {
    let messages = orders.flat_map(|Placed { place, event }| match event {
        Event::Order(event) => Some(Placed { place, event }),
        _ => None,
    });
    let view = Matching::new(flow.settings.config.matching.clone());
    flow.fold("order books", view, Pace::Tick, messages, reference)
}

/// The executions among the events of books.
pub(super) fn executions(events: StreamVec<'_, Tick, Placed<BookEvent>>) -> StreamVec<'_, Tick, Placed<Execution>> {
    events.flat_map(|Placed { place, event }| Some(Placed { place, event: event.execution()? }))
}

/// Results of positions.
pub(super) struct Held<'scope> {
    /// The holdings of each account, on the grid.
    pub(super) holdings: ByAccount<StreamVec<'scope, Tick, Updated<HoldingSums>>>,
    /// The fills that count, and those that no longer do.
    pub(super) fills: StreamVec<'scope, Tick, Placed<FillChange>>,
}

/// The positions of each account.
pub(super) fn positions<'scope>(
    flow: &mut Flow<'scope, '_>,
    executions: StreamVec<'scope, Tick, Placed<Execution>>,
    fills: Events<'scope>,
) -> anyhow::Result<Held<'scope>> {
    let executions = executions.map(|execution| execution.map(|execution| PositionEvent::Execution(Box::new(execution))));
    let fills = fills.flat_map(|Placed { place, event }| match event {
        Event::Fill(event) => Some(Placed { place, event: PositionEvent::Fill(event) }),
        _ => None,
    });
    let config = &flow.settings.config;
    let view = Positions { horizon: config.horizons().busts, settings: config.positions.clone() };
    let broadcasts = flow.no_broadcasts();
    let output = flow.fold("positions", view, Pace::Grid, executions.concat(fills), broadcasts)?;
    let fills = output.derived.clone();
    Ok(Held { holdings: ByAccount::updates(output), fills })
}
