//! Fills from other venues.

use super::Side;
use super::json::{event, typed_events};
use crate::value::{AccountId, EventTime, Id, Money, Price, Quantity, Symbol, Text};

typed_events! {
    /// A fill from another venue, or the taking back of one.
    FillEvent {
        /// A fill.
        "fill" => Fill(Box<Fill>),
        /// The taking back of a fill.
        "bust" => Bust(Bust),
    }
}

event! {
    /// A fill from another venue.
    Fill {
        /// The fill.
        fill_id: Id,
        /// Whose it is.
        account_id: AccountId,
        /// The instrument.
        symbol: Symbol,
        /// Which way.
        side: Side,
        /// How much.
        quantity: Quantity,
        /// At which price.
        price: Price,
        /// What the account pays for it, in the instrument's currency; negative for a rebate.
        fee: Option<Money>,
        /// The order behind it.
        order_id: Option<Id>,
        /// Where.
        venue: Option<Text>,
        /// When.
        ts: EventTime,
    }
}

event! {
    /// The taking back of a fill.
    Bust {
        /// The fill.
        fill_id: Id,
        /// Whose it was.
        account_id: AccountId,
        /// When.
        ts: EventTime,
    }
}

impl FillEvent {
    /// Whose fill it is.
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
