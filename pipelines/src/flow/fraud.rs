//! Fraud scoring: from transactions to decisions.

use std::sync::Arc;

use headwater_operators::fraud::{Fraud, FraudEvent};
use headwater_operators::keyed_fold::Pace;
use headwater_schemas::{Placed, Tick};
use timely::dataflow::StreamVec;

use super::wiring::{Flow, Reference};

/// Scores every transaction that the ledger accepted. Returns the frontier of decisions.
pub(super) fn scores<'scope>(
    flow: &mut Flow<'scope, '_>,
    transactions: StreamVec<'scope, Tick, Placed<FraudEvent>>,
    reference: Reference<'scope>,
) -> anyhow::Result<StreamVec<'scope, Tick, ()>> {
    let view = Fraud::with_horizon(Arc::clone(&flow.settings.fraud), flow.settings.config.horizons().fraud);
    Ok(flow.fold("fraud", view, Pace::Tick, transactions, reference)?.done)
}
