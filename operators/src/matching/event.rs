//! Events that a book derives, for views that follow it.

use headwater_schemas::events::{Side, TradingPhase};
use headwater_schemas::tables::Execution;
use headwater_schemas::{AccountId, Id, Price, Quantity, Symbol};
use serde::{Deserialize, Serialize};

/// An event of a book, at the place of the record that caused it. A message follows the executions that it caused.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum BookEvent {
    /// One side of a match.
    Execution(Execution),
    /// An order message.
    Message(BookMessage),
    /// A new trading phase of the symbol. It follows the executions of the uncrossing.
    Phase(PhaseStep),
}

/// A change of the trading phase of a symbol; possibly to the same phase again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PhaseStep {
    /// The instrument.
    pub symbol: Symbol,
    /// The phase before.
    pub before: TradingPhase,
    /// The phase now.
    pub now: TradingPhase,
}

/// An order, an amendment or a cancel, and its result.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct BookMessage {
    /// The order.
    pub order_id: Id,
    /// The account.
    pub account_id: AccountId,
    /// The instrument.
    pub symbol: Symbol,
    /// The result.
    pub outcome: Outcome,
}

/// The result of an order message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Outcome {
    /// A new order was accepted.
    Accepted {
        /// Its side.
        side: Side,
        /// Its quantity.
        quantity: Quantity,
        /// Its limit, else its trigger, else the price at which it was expected to trade.
        price: Option<Price>,
    },
    /// The account cancelled an order, or amended it to no more than what is filled.
    Cancelled {
        /// Its side.
        side: Side,
        /// The quantity that was not filled.
        quantity: Quantity,
    },
    /// An order was amended and stays in the book, or the message was rejected.
    Other,
}

impl BookEvent {
    /// The instrument.
    pub const fn symbol(&self) -> &Symbol {
        match self {
            Self::Execution(execution) => &execution.symbol,
            Self::Message(message) => &message.symbol,
            Self::Phase(step) => &step.symbol,
        }
    }

    /// The execution, if it is one.
    pub fn execution(self) -> Option<Execution> {
        match self {
            Self::Execution(execution) => Some(execution),
            Self::Message(_) | Self::Phase(_) => None,
        }
    }
}
