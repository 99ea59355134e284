//! What operators know of the market, of terms and of reference data. States of the folds that follow them.

use super::tables;
use crate::value::{AccountId, Currency, Date, EventTime, Factor, Price, Symbol, Text};

tables! {
    /// The price that a symbol's positions are valued at, with the last prices that it is made of.
    State MarkPrice = "marks" by (symbol) {
        /// The symbol.
        symbol: Symbol,
        /// The mark: the mid, else the trade, else the close; NULL where there is none of them.
        mark: Option<Price>,
        /// The middle of the last quote; NULL if a side is missing.
        mid: Option<Price>,
        /// The time of the last quote.
        quote_ts: Option<EventTime>,
        /// The last trade, of the market or of our own book.
        trade: Option<Price>,
        /// Its time.
        trade_ts: Option<EventTime>,
        /// The last close.
        close: Option<Price>,
        /// Its day.
        close_date: Option<Date>,
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
        /// The rate's own time.
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
        /// The record's own time; the beginning if it has none.
        written: EventTime,
        /// The effective time of its record.
        ts: EventTime,
    }

    /// Where an account belongs, each part from the record that is the newest by its own time.
    Checkpoint AccountTerms = "account_terms" by (account_id) {
        /// The account.
        account_id: AccountId,
        /// Its currency; NULL before a record says it.
        currency: Option<Currency>,
        /// The time of the record that says the currency.
        currency_ts: Option<EventTime>,
        /// `firm/desk/book`.
        book: Option<Text>,
        /// The time of the record that says the book.
        book_ts: Option<EventTime>,
        /// The effective time of the last record that changed one of them.
        ts: EventTime,
    }

    /// A record of reference data that still counts: the newest of each key by its own time, and of accounts every one.
    Checkpoint ReferenceRecord = "reference_records" by (topic, key, ts, partition, offset) {
        /// The topic.
        topic: Text,
        /// The record's key.
        key: Text,
        /// The record's own time; the beginning if it has none.
        written: EventTime,
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
