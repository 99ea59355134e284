//! Orders to executions, executions and fills to positions.

use headwater_operators::keyed_fold::{Corrected, FoldInput, Pace, keyed_fold};
use headwater_operators::matching::{BookRow, Matching};
use headwater_operators::positions::{Holding, PositionEvent, PositionRow, Positions};
use headwater_schemas::Placed;
use headwater_schemas::events::Event;
use headwater_schemas::tables::Execution;
use timely::dataflow::StreamVec;
use timely::dataflow::operators::Concat;
use timely::dataflow::operators::vec::Map;

use differential_dataflow::{AsCollection, VecCollection};

use super::sinks::Sinks;
use super::{Events, FlowSettings};

/// The order book of each symbol.
pub(super) fn matching<'scope>(
    orders: Events<'scope>,
    reference: Events<'scope>,
    ends: StreamVec<'scope, u64, u64>,
    settings: &FlowSettings,
    sinks: &mut Sinks<'scope>,
) -> StreamVec<'scope, u64, Placed<Execution>> {
    let messages = orders.flat_map(|Placed { place, event }| match event {
        Event::Order(event) => Some(Placed { place, event }),
        _ => None,
    });
    let view = Matching::new(settings.matching.clone(), settings.late_after);
    let before = settings.before_with_reference(messages.scope(), &view, &settings.remembered.books);
    let input = FoldInput { events: messages, broadcasts: reference, ends, before };
    let books = keyed_fold("order books", view, input, settings.tick_interval(), Pace::Tick);
    sinks.dead_letters(books.dead_letters);

    let (order_events, open_orders, top_of_book, book_states) = (sinks.add(), sinks.add(), sinks.add(), sinks.add());
    let (open_orders_because, top_of_book_because) = (open_orders.clone(), top_of_book.clone());
    sinks.corrected("commit order books", books.corrected, move |row, tick, corrections| match row {
        BookRow::OpenOrder(row) => open_orders_because.because(row, tick, corrections),
        BookRow::TopOfBook(row) => top_of_book_because.because(row, tick, corrections),
        BookRow::OrderEvent(_) | BookRow::BookState(_) => {}
    });
    sinks.rows("commit order books", books.rows, move |row, tick, diff| match row {
        BookRow::OrderEvent(row) => order_events.push(row, tick, diff),
        BookRow::OpenOrder(row) => open_orders.push(row, tick, diff),
        BookRow::TopOfBook(row) => top_of_book.push(row, tick, diff),
        BookRow::BookState(row) => book_states.push(row, tick, diff),
    });
    let tick_interval = settings.tick_interval();
    let executions = books.derived.clone().map(move |execution| (execution.event, execution.place.time / tick_interval, 1));
    sinks.table("commit executions", executions.as_collection());
    books.derived
}

/// What each account holds, on the grid.
pub(super) fn positions<'scope>(
    executions: StreamVec<'scope, u64, Placed<Execution>>,
    fills: Events<'scope>,
    reference: Events<'scope>,
    ends: StreamVec<'scope, u64, u64>,
    settings: &FlowSettings,
    sinks: &mut Sinks<'scope>,
) -> (VecCollection<'scope, u64, Holding, isize>, Corrected<'scope, Holding>) {
    let executions = executions.map(|execution| execution.map(|execution| PositionEvent::Execution(Box::new(execution))));
    let fills = fills.flat_map(|Placed { place, event }| match event {
        Event::Fill(event) => Some(Placed { place, event: PositionEvent::Fill(event) }),
        _ => None,
    });
    let view = Positions { horizon: settings.horizons.busts, late_after: settings.late_after };
    let before = settings.before_with_reference(fills.scope(), &view, &settings.remembered.positions);
    let input = FoldInput { events: executions.concat(fills), broadcasts: reference, ends, before };
    let positions = keyed_fold("positions", view, input, settings.tick_interval(), Pace::Grid(settings.grid_ticks()));
    sinks.dead_letters(positions.dead_letters);
    let (bases, trades) = (sinks.add(), sinks.add());
    sinks.rows("commit position bases", positions.rows.clone(), move |row, tick, diff| match row {
        PositionRow::Base(row) => bases.push(row, tick, diff),
        PositionRow::Trade(row) => trades.push(row, tick, diff),
        PositionRow::Holding(_) => {}
    });
    let holding = |row| match row {
        PositionRow::Holding(holding) => Some(holding),
        PositionRow::Base(_) | PositionRow::Trade(_) => None,
    };
    let corrected = positions.corrected.flat_map(move |(row, tick, corrections)| Some((holding(row)?, tick, corrections)));
    (positions.rows.flat_map(holding), corrected)
}
