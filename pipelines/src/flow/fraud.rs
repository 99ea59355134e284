//! Transactions to decisions.

use std::sync::Arc;

use differential_dataflow::VecCollection;
use headwater_operators::fraud::{Fraud, FraudEvent, FraudRow};
use headwater_operators::keyed_fold::{FoldInput, Pace, keyed_fold};
use headwater_operators::ledger::TakenBack;
use headwater_schemas::Placed;
use headwater_schemas::events::Event;
use timely::dataflow::StreamVec;
use timely::dataflow::operators::Concat;
use timely::dataflow::operators::vec::Map;

use super::sinks::Sinks;
use super::{Events, FlowSettings};

/// Scores every transaction; what comes back is all that scoring says.
pub(super) fn scores<'scope>(
    transactions: Events<'scope>,
    taken_back: StreamVec<'scope, u64, Placed<TakenBack>>,
    reference: Events<'scope>,
    ends: StreamVec<'scope, u64, u64>,
    settings: &FlowSettings,
    sinks: &mut Sinks<'scope>,
) -> VecCollection<'scope, u64, FraudRow, isize> {
    let transactions = transactions.flat_map(|Placed { place, event }| match event {
        Event::Transaction(event) => Some(Placed { place, event: FraudEvent::Transaction(event) }),
        _ => None,
    });
    let taken_back = taken_back.map(|taken| taken.map(FraudEvent::TakenBack));
    let view = Fraud::with_horizon(Arc::clone(&settings.fraud), settings.horizons.fraud);
    let before = settings.before_with_reference(transactions.scope(), &view, &settings.remembered.fraud);
    let input = FoldInput { events: transactions.concat(taken_back), broadcasts: reference, ends, before };
    let scores = keyed_fold("fraud", view, input, settings.tick_interval(), Pace::Tick);
    sinks.dead_letters(scores.dead_letters);
    let (decisions, alerts, events) = (sinks.add(), sinks.alerts(), sinks.add());
    let (decisions_because, alerts_because) = (decisions.clone(), alerts.clone());
    sinks.corrected("commit decisions", scores.corrected, move |row, tick, corrections| match row {
        FraudRow::Decision(row) => decisions_because.because(row, tick, corrections),
        FraudRow::Alert(row) => alerts_because.because(row, tick, corrections),
        FraudRow::Event(_) => {}
    });
    sinks.rows("commit decisions", scores.rows.clone(), move |row, tick, diff| match row {
        FraudRow::Decision(row) => decisions.push(row, tick, diff),
        FraudRow::Alert(row) => alerts.push(row, tick, diff),
        FraudRow::Event(row) => events.push(*row, tick, diff),
    });
    scores.rows
}
