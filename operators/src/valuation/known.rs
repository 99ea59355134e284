//! Inputs of the valuation: data of accounts and of the market.

use headwater_schemas::events::{AssetClass, Event};
use headwater_schemas::{AccountId, Corrections, Currency, Date, EventTime, Factor, Money, Placed, Price, Symbol, Text};
use serde::{Deserialize, Serialize};

use super::marks::Mark;
use crate::positions::HoldingSums;

/// A changed input of the valuer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Known {
    /// An instrument's class, currency and multiplier.
    Instrument {
        /// The instrument.
        symbol: Symbol,
        /// Its asset class.
        asset_class: AssetClass,
        /// Its currency.
        currency: Currency,
        /// Value of one unit per point of price.
        multiplier: Factor,
    },
    /// An exchange rate.
    Rate {
        /// The base currency.
        base: Currency,
        /// The quote currency.
        quote: Currency,
        /// The rate.
        rate: Factor,
        /// Its time.
        ts: EventTime,
        /// Whether it is older than a rate may be.
        is_stale: bool,
    },
    /// A closing price.
    Close {
        /// The symbol.
        symbol: Symbol,
        /// The day.
        date: Date,
        /// The price.
        close: Price,
    },
    /// A mark.
    Mark(Mark),
    /// An account's currency and book.
    Account {
        /// The account.
        account_id: AccountId,
        /// Its currency.
        currency: Currency,
        /// `firm/desk/book`.
        book: Option<Text>,
    },
    /// The posted balance of an account in a currency.
    Cash {
        /// The account.
        account_id: AccountId,
        /// The currency.
        currency: Currency,
        /// The posted balance.
        posted: Money,
    },
    /// The holding of an account in a symbol.
    Holding(HoldingSums),
    /// A limit that was set or deleted.
    Limit(Box<Placed<Event>>),
    /// Corrections of another input at the same grid point.
    Corrected(CorrectedPart, Corrections),
}

/// The input that was corrected.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum CorrectedPart {
    /// A symbol's mark.
    Mark(Symbol),
    /// The balances of an account.
    Cash(AccountId),
    /// The holding of an account in a symbol.
    Holding(AccountId, Symbol),
}
