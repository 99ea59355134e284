//! What the valuation knows of accounts and of the market.

use headwater_schemas::events::Event;
use headwater_schemas::{AccountId, Corrections, Currency, Date, EventTime, Factor, Money, Placed, Price, Symbol, Text};
use serde::{Deserialize, Serialize};

use super::marks::Mark;
use crate::positions::HoldingSums;

/// Something that the valuer knows, and that changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Known {
    /// An instrument's currency and multiplier.
    Instrument {
        /// The instrument.
        symbol: Symbol,
        /// Its currency.
        currency: Currency,
        /// What one unit is worth per point of price.
        multiplier: Factor,
    },
    /// An exchange rate.
    Rate {
        /// The currency that is priced.
        base: Currency,
        /// The currency that it is priced in.
        quote: Currency,
        /// The rate.
        rate: Factor,
        /// Its time.
        ts: EventTime,
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
    /// An account's currency and its place in the firm.
    Account {
        /// The account.
        account_id: AccountId,
        /// Its currency.
        currency: Currency,
        /// `firm/desk/book`.
        book: Option<Text>,
    },
    /// What an account has posted of a currency.
    Cash {
        /// The account.
        account_id: AccountId,
        /// The currency.
        currency: Currency,
        /// The posted balance.
        posted: Money,
    },
    /// What an account holds of a symbol.
    Holding(HoldingSums),
    /// A limit that was set or deleted.
    Limit(Box<Placed<Event>>),
    /// Why something else at the same grid point is not what it was.
    Corrected(CorrectedPart, Corrections),
}

/// What was corrected.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum CorrectedPart {
    /// A symbol's mark.
    Mark(Symbol),
    /// What an account has in the bank.
    Cash(AccountId),
    /// What an account holds of a symbol.
    Holding(AccountId, Symbol),
}
