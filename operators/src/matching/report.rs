//! Reports of a book.

use headwater_schemas::tables::{Liquidity, OrderChange};
use headwater_schemas::value::{AccountId, Id, Price, Quantity};

use super::reason::Reason;

/// Reports of a book, each list in order. The caller owns and reuses it, so that the book does not allocate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reports {
    /// Changes of orders.
    pub changes: Vec<Change>,
    /// Matches.
    pub matches: Vec<Match>,
}

impl Reports {
    /// Clears the lists and keeps their capacity.
    pub fn clear(&mut self) {
        self.changes.clear();
        self.matches.clear();
    }
}

/// A change of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Sequence number of the change in its book, from 1.
    pub sequence: u64,
    /// The order.
    pub order_id: Id,
    /// The account.
    pub account_id: AccountId,
    /// The kind of change.
    pub change: OrderChange,
    /// The reason, if any.
    pub reason: Option<Reason>,
    /// The remaining quantity: zero once an order has ended.
    pub leaves: Quantity,
    /// The filled quantity.
    pub filled: Quantity,
}

/// The fields of an order in a change.
#[derive(Clone, Copy, Debug)]
pub(super) struct Subject<'a> {
    pub(super) order_id: &'a Id,
    pub(super) account_id: &'a AccountId,
    pub(super) leaves: Quantity,
    pub(super) filled: Quantity,
}

impl Subject<'_> {
    /// One side of a match.
    pub(super) fn party(&self, liquidity: Liquidity) -> Party {
        Party { order_id: self.order_id.clone(), account_id: *self.account_id, liquidity }
    }
}

/// Two orders that traded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Match {
    /// Sequence number of the match in its book, from 1.
    pub sequence: u64,
    /// The price.
    pub price: Price,
    /// The quantity.
    pub quantity: Quantity,
    /// The buyer.
    pub buyer: Party,
    /// The seller.
    pub seller: Party,
}

/// One side of a match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Party {
    /// The order.
    pub order_id: Id,
    /// The account.
    pub account_id: AccountId,
    /// Whether the order was resting or incoming.
    pub liquidity: Liquidity,
}
