//! Transactions to legs, legs to balances.

use differential_dataflow::VecCollection;
use headwater_operators::keyed_fold::{Corrected, FoldInput, Pace, keyed_fold};
use headwater_operators::ledger::{Balances, LedgerEvent, Posting, PostingRow, Postings, TakenBack};
use headwater_schemas::Placed;
use headwater_schemas::events::Event;
use headwater_schemas::tables::Balance;
use timely::dataflow::StreamVec;
use timely::dataflow::operators::generic::operator::empty;
use timely::dataflow::operators::vec::Map;

use super::sinks::Sinks;
use super::{Events, FlowSettings};

/// What the ledger says to others.
pub(super) struct Posted<'scope> {
    pub(super) postings: StreamVec<'scope, u64, Placed<Posting>>,
    pub(super) taken_back: StreamVec<'scope, u64, Placed<TakenBack>>,
}

/// What each transaction does to balances; its legs are `ledger_entries`.
pub(super) fn postings<'scope>(
    transactions: Events<'scope>,
    ends: StreamVec<'scope, u64, u64>,
    settings: &FlowSettings,
    sinks: &mut Sinks<'scope>,
) -> Posted<'scope> {
    let scope = transactions.scope();
    let transactions = transactions.flat_map(|Placed { place, event }| match event {
        Event::Transaction(event) => Some(Placed { place, event }),
        _ => None,
    });
    let view = Postings { reversal_horizon: settings.reversal_horizon, late_after: settings.late_after };
    let before = settings.before(scope, &view, &settings.remembered.posted);
    let input = FoldInput { events: transactions, broadcasts: empty(scope), ends, before };
    let postings = keyed_fold("postings", view, input, settings.tick_interval(), Pace::Tick);
    sinks.dead_letters(postings.dead_letters);
    let (entries, posted) = (sinks.add(), sinks.add());
    sinks.rows("commit ledger entries", postings.rows, move |row, tick, diff| match row {
        PostingRow::Entry(row) => entries.push(row, tick, diff),
        PostingRow::Posted(row) => posted.push(row, tick, diff),
    });
    let taken_back = postings.derived.clone().flat_map(|Placed { place, event }| match event {
        LedgerEvent::TakenBack(event) => Some(Placed { place, event }),
        LedgerEvent::Posting(_) => None,
    });
    let postings = postings.derived.flat_map(|Placed { place, event }| match event {
        LedgerEvent::Posting(event) => Some(Placed { place, event }),
        LedgerEvent::TakenBack(_) => None,
    });
    Posted { postings, taken_back }
}

/// The balances: once per tick for the table, once per grid point for valuations, which is what comes back.
pub(super) fn balances<'scope>(
    postings: StreamVec<'scope, u64, Placed<Posting>>,
    reference: Events<'scope>,
    ends: StreamVec<'scope, u64, u64>,
    settings: &FlowSettings,
    sinks: &mut Sinks<'scope>,
) -> (VecCollection<'scope, u64, Balance, isize>, Corrected<'scope, Balance>) {
    let before = || settings.before_with_reference(postings.scope(), &Balances, &settings.remembered.balances);
    let input = || FoldInput { events: postings.clone(), broadcasts: reference.clone(), ends: ends.clone(), before: before() };
    let per_tick = keyed_fold("balances", Balances, input(), settings.tick_interval(), Pace::Tick);
    sinks.table_with_reasons("commit balances", per_tick.rows, per_tick.corrected);
    let on_grid = keyed_fold("balances on the grid", Balances, input(), settings.tick_interval(), Pace::Grid(settings.grid_ticks()));
    (on_grid.rows, on_grid.corrected)
}
