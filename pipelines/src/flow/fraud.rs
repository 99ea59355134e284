//! Transactions to decisions.

use std::sync::Arc;

use differential_dataflow::VecCollection;
use headwater_operators::fraud::{Fraud, FraudRow};
use headwater_operators::keyed_fold::{FoldInput, Pace, keyed_fold};
use headwater_schemas::Placed;
use headwater_schemas::events::Event;
use headwater_schemas::tables::Decision;
use timely::dataflow::StreamVec;
use timely::dataflow::operators::vec::Map;

use super::sinks::Sinks;
use super::{Events, FlowSettings};

/// Scores every transaction.
pub(super) fn scores<'scope>(
    transactions: Events<'scope>,
    reference: Events<'scope>,
    ends: StreamVec<'scope, u64, u64>,
    settings: &FlowSettings,
    sinks: &mut Sinks<'scope>,
) -> VecCollection<'scope, u64, Decision, isize> {
    let transactions = transactions.flat_map(|Placed { place, event }| match event {
        Event::Transaction(event) => Some(Placed { place, event }),
        _ => None,
    });
    let view = Fraud::with_horizon(Arc::clone(&settings.fraud), settings.horizons.fraud);
    let before = settings.before_with_reference(transactions.scope(), &view, &settings.remembered.fraud);
    let input = FoldInput { events: transactions, broadcasts: reference, ends, before };
    let scores = keyed_fold("fraud", view, input, settings.tick_interval(), Pace::Tick);
    sinks.dead_letters(scores.dead_letters);
    let (decisions, alerts, events) = (sinks.add(), sinks.alerts(), sinks.add());
    sinks.rows("commit decisions", scores.rows.clone(), move |row, tick, diff| match row {
        FraudRow::Decision(row) => decisions.push(row, tick, diff),
        FraudRow::Alert(row) => alerts.push(row, tick, diff),
        FraudRow::Event(row) => events.push(*row, tick, diff),
    });
    scores.rows.flat_map(|row| match row {
        FraudRow::Decision(row) => Some(row),
        FraudRow::Alert(_) | FraudRow::Event(_) => None,
    })
}
