//! How late events may be: one horizon for all, and others for a topic or a view.

use std::collections::BTreeMap;
use std::time::Duration;

use headwater_schemas::Topic;
use serde::Deserialize;

use crate::config::{Span, nanos};

/// Horizons that are not `time.horizon`.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HorizonConfig {
    /// How late an order may be, and how long its id is known.
    pub orders: Option<Span>,
    /// The same of fills and busts.
    pub fills: Option<Span>,
    /// The same of transactions.
    pub transactions: Option<Span>,
    /// The same of payments.
    pub payments: Option<Span>,
    /// The same of transfers.
    pub transfers: Option<Span>,
    /// How long a fill can be busted.
    pub busts: Option<Span>,
    /// How late a transaction may be and still be scored, with those that it changes. Later, it is a dead letter of the scoring
    /// (`too_late`), although it is posted.
    pub fraud: Option<Span>,
}

/// How late events may be, in nanoseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Horizons {
    /// Of all topics,
    pub horizon: u64,
    /// but these.
    pub topics: BTreeMap<Topic, u64>,
    /// Of a bust, behind its fill.
    pub busts: u64,
    /// Of what is scored.
    pub fraud: u64,
}

impl HorizonConfig {
    /// With the horizon of all others.
    pub fn resolved(&self, horizon: Duration) -> Horizons {
        let nanos = |Span(span): Span| nanos(span);
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
    /// How late an event of a topic may be.
    pub fn of(&self, topic: Topic) -> u64 {
        self.topics.get(&topic).copied().unwrap_or(self.horizon)
    }

    /// How late anything may be.
    pub fn longest(&self) -> u64 {
        self.topics.values().copied().fold(self.horizon, u64::max)
    }
}
