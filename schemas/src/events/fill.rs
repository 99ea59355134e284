//! Fills from other venues.

use super::Side;
use super::json::{event, typed_events};
use crate::value::{AccountId, EventTime, Id, Money, Price, Quantity, Symbol, Text};

typed_events! {
    /// A fill from another venue, or the bust of one.
    FillEvent {
        /// A fill.
        "fill" => Fill(Box<Fill>),
        /// The bust of a fill, which cancels it.
        "bust" => Bust(Box<Bust>),
    }
}

event! {
    /// A fill from another venue.
    Fill {
        /// The fill.
        fill_id: Id,
        /// The account that traded.
        account_id: AccountId,
        /// The instrument.
        symbol: Symbol,
        /// Buy or sell.
        side: Side,
        /// The quantity.
        quantity: Quantity,
        /// The price.
        price: Price,
        /// Fee of the account, in the instrument's currency; negative for a rebate.
        fee: Option<Money>,
        /// The order that was filled.
        order_id: Option<Id>,
        /// The venue.
        venue: Option<Text>,
        /// Time of the trade.
        ts: EventTime,
    }
}

event! {
    /// The bust of a fill, which cancels it.
    Bust {
        /// The fill.
        fill_id: Id,
        /// The account that traded.
        account_id: AccountId,
        /// Time of the bust.
        ts: EventTime,
    }
}

impl FillEvent {
    /// The account that traded.
    pub const fn account_id(&self) -> &AccountId {
        match self {
            Self::Fill(event) => &event.account_id,
            Self::Bust(event) => &event.account_id,
        }
    }

    /// The fill.
    pub const fn fill_id(&self) -> &Id {
        match self {
            Self::Fill(event) => &event.fill_id,
            Self::Bust(event) => &event.fill_id,
        }
    }
}
