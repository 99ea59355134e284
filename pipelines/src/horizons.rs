//! Horizons: how late events may be, by default and for single topics or views.

use std::collections::BTreeMap;
use std::time::Duration;

use headwater_schemas::{Nanos, Topic};
use serde::Deserialize;

use crate::config::Span;

/// Section `[horizons]`. The default of each is `time.horizon`.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HorizonConfig {
    /// How late an order may be, and how long its id is remembered.
    pub orders: Option<Span>,
    /// The same for fills and busts.
    pub fills: Option<Span>,
    /// The same for transactions.
    pub transactions: Option<Span>,
    /// The same for payments.
    pub payments: Option<Span>,
    /// The same for transfers.
    pub transfers: Option<Span>,
    /// How long a fill can be busted.
    pub busts: Option<Span>,
    /// How late a transaction may be and still be scored. A later one is posted, and a dead letter of the scoring (`too_late`).
    /// Also how old a decision may be that a late event, a void or a reversal changes. A decision is withdrawn with its transaction for
    /// as much longer as the longest window of rules.
    pub fraud: Option<Span>,
}

/// How late events may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Horizons {
    /// Horizon of topics that have none of their own.
    pub horizon: Nanos,
    /// Horizons of single topics.
    pub topics: BTreeMap<Topic, Nanos>,
    /// How long a fill can be busted.
    pub busts: Nanos,
    /// Horizon of fraud scoring.
    pub fraud: Nanos,
}

impl HorizonConfig {
    /// Resolves what is not given to `horizon`.
    pub fn resolved(&self, horizon: Duration) -> Horizons {
        let nanos = |Span(span): Span| Nanos::from(span);
        let own = [
            (Topic::Orders, self.orders),
            (Topic::Fills, self.fills),
            (Topic::Transactions, self.transactions),
            (Topic::Payments, self.payments),
            (Topic::Transfers, self.transfers),
        ];
        let horizon = nanos(Span(horizon));
        Horizons {
            horizon,
            topics: own.into_iter().filter_map(|(topic, own)| Some((topic, nanos(own?)))).collect(),
            busts: self.busts.map_or(horizon, nanos),
            fraud: self.fraud.map_or(horizon, nanos),
        }
    }
}

impl Horizons {
    /// Horizon of a topic.
    pub fn of(&self, topic: Topic) -> Nanos {
        self.topics.get(&topic).copied().unwrap_or(self.horizon)
    }

    /// The longest horizon of a topic.
    pub fn longest(&self) -> Nanos {
        self.topics.values().copied().fold(self.horizon, Nanos::max)
    }
}
