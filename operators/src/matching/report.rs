//! What a book says.

use headwater_schemas::tables::{Liquidity, OrderChange};
use headwater_schemas::value::{AccountId, Id, Price, Quantity};

use super::reason::Reason;

/// What a book said, each list in order. Kept by the caller, so that the book allocates nothing for it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reports {
    /// What happened to orders.
    pub changes: Vec<Change>,
    /// What was traded.
    pub matches: Vec<Match>,
}

impl Reports {
    /// Forgets what was said and keeps the room for more.
    pub fn clear(&mut self) {
        self.changes.clear();
        self.matches.clear();
    }
}

/// What happened to an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Counts the book's changes, from 1.
    pub sequence: u64,
    /// The order.
    pub order_id: Id,
    /// Whose it is.
    pub account_id: AccountId,
    /// What happened.
    pub change: OrderChange,
    /// Why, where that needs saying.
    pub reason: Option<Reason>,
    /// What can still be matched: nothing, once an order has ended.
    pub leaves: Quantity,
    /// What has been matched so far.
    pub filled: Quantity,
}

/// What a change says about an order.
#[derive(Clone, Copy, Debug)]
pub(super) struct Subject<'a> {
    pub(super) order_id: &'a Id,
    pub(super) account_id: &'a AccountId,
    pub(super) leaves: Quantity,
    pub(super) filled: Quantity,
}

impl Subject<'_> {
    /// The party to a match.
    pub(super) fn party(&self, liquidity: Liquidity) -> Party {
        Party { order_id: self.order_id.clone(), account_id: *self.account_id, liquidity }
    }
}

/// Two orders that traded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Match {
    /// Counts the book's matches, from 1.
    pub sequence: u64,
    /// At which price.
    pub price: Price,
    /// How much.
    pub quantity: Quantity,
    /// Who bought.
    pub buyer: Party,
    /// Who sold.
    pub seller: Party,
}

/// One side of a match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Party {
    /// The order.
    pub order_id: Id,
    /// Whose it is.
    pub account_id: AccountId,
    /// Whether it rested or came.
    pub liquidity: Liquidity,
}
