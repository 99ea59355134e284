//! What operators know of the market, of terms and of reference data. States of the folds that follow them.

use super::tables;
use crate::value::{AccountId, Currency, Date, EventTime, Factor, Price, Symbol, Text};

tables! {
    /// The price that a symbol's positions are valued at, with the last prices that it is made of.
    State MarkPrice = "marks" by (symbol) {
        /// The symbol.
        symbol: Symbol,
        /// The mark: the mid, else the trade, else the close.
        mark: Price,
        /// The middle of the last quote that had both sides.
        mid: Option<Price>,
        /// The last trade.
        trade: Option<Price>,
        /// The last close.
        close: Option<Price>,
        /// The grid point at which the mark became what it is.
        ts: EventTime,
    }

    /// The last rate of a pair of currencies.
    Checkpoint LastRate = "last_rates" by (base, quote) {
        /// The currency that is priced.
        base: Currency,
        /// The currency that it is priced in.
        quote: Currency,
        /// Units of `quote` for one of `base`.
        rate: Factor,
        /// Its effective time.
        ts: EventTime,
    }

    /// A closing price.
    Checkpoint ClosingPrice = "closing_prices" by (symbol, date) {
        /// The symbol.
        symbol: Symbol,
        /// The day.
        date: Date,
        /// The price.
        close: Price,
        /// The effective time of its record.
        ts: EventTime,
    }

    /// What an instrument's positions are valued by.
    State InstrumentTerms = "instrument_terms" by (symbol) {
        /// The symbol.
        symbol: Symbol,
        /// The currency of its prices.
        currency: Currency,
        /// What one unit is worth per point of price.
        multiplier: Factor,
        /// The effective time of its record.
        ts: EventTime,
    }

    /// Where an account belongs.
    Checkpoint AccountTerms = "account_terms" by (account_id) {
        /// The account.
        account_id: AccountId,
        /// Its currency.
        currency: Currency,
        /// `firm/desk/book`.
        book: Option<Text>,
        /// The effective time of its record.
        ts: EventTime,
    }

    /// A record of reference data that still counts: the last of each key, and of accounts every one.
    Checkpoint ReferenceRecord = "reference_records" by (topic, key, ts, partition, offset) {
        /// The topic.
        topic: Text,
        /// The record's key.
        key: Text,
        /// Its effective time.
        ts: EventTime,
        /// Its partition.
        partition: i32,
        /// Its offset.
        offset: u64,
        /// Its JSON.
        value: Text,
    }
}
