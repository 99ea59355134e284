//! Tables of market data, terms and reference data.

use super::tables;
use crate::Offset;
use crate::events::AssetClass;
use crate::value::{AccountId, Currency, Date, EventTime, Factor, Price, Symbol, Text};

tables! {
    /// The price at which a symbol's positions are valued, and the last prices that determine it.
    State MarkPrice = "marks" by (symbol) {
        /// The symbol.
        symbol: Symbol,
        /// The mark: the mid, else the trade, else the close; NULL if there is none of them.
        mark: Option<Price>,
        /// The mid of the last quote; NULL if a side is missing.
        mid: Option<Price>,
        /// The time of the last quote.
        quote_ts: Option<EventTime>,
        /// The last trade, of the market or of our own book.
        trade: Option<Price>,
        /// Time of the last trade.
        trade_ts: Option<EventTime>,
        /// The last close.
        close: Option<Price>,
        /// Date of the last close.
        close_date: Option<Date>,
        /// The grid point at which the row last changed.
        ts: EventTime,
    }

    /// The last rate of a pair of currencies.
    Checkpoint LastRate = "last_rates" by (base, quote) {
        /// The base currency.
        base: Currency,
        /// The quote currency.
        quote: Currency,
        /// Units of `quote` per unit of `base`.
        rate: Factor,
        /// The time from which on the rate is older than `valuation.max_rate_age`; NULL before that time.
        stale_since: Option<EventTime>,
        /// The rate's own time.
        ts: EventTime,
    }

    /// A closing price.
    Checkpoint ClosingPrice = "closing_prices" by (symbol, date) {
        /// The symbol.
        symbol: Symbol,
        /// The date of the close.
        date: Date,
        /// The price.
        close: Price,
        /// The effective time of its record.
        ts: EventTime,
    }

    /// The terms by which an instrument's positions are valued.
    State InstrumentTerms = "instrument_terms" by (symbol) {
        /// The symbol.
        symbol: Symbol,
        /// Its asset class.
        asset_class: AssetClass,
        /// The currency of its prices.
        currency: Currency,
        /// Value of one unit per point of price.
        multiplier: Factor,
        /// The record's own time; the epoch if it has none.
        written: EventTime,
        /// The effective time of its record.
        ts: EventTime,
    }

    /// Currency and book of an account, each from the newest record that gives it, by the record's own time.
    Checkpoint AccountTerms = "account_terms" by (account_id) {
        /// The account.
        account_id: AccountId,
        /// The account's currency; NULL before a record gives it.
        currency: Option<Currency>,
        /// The time of the record that gives the currency.
        currency_ts: Option<EventTime>,
        /// `firm/desk/book`.
        book: Option<Text>,
        /// The time of the record that gives the book.
        book_ts: Option<EventTime>,
        /// The effective time of the last record that changed one of them.
        ts: EventTime,
    }

    /// A record of reference data: the newest of each key by its own time, and of accounts every record.
    Checkpoint ReferenceRecord = "reference_records" by (topic, key, ts, partition, offset) {
        /// The topic.
        topic: Text,
        /// The record's key.
        key: Text,
        /// The record's own time; the epoch if it has none.
        written: EventTime,
        /// The record's effective time.
        ts: EventTime,
        /// The record's partition.
        partition: i32,
        /// The record's offset.
        offset: Offset,
        /// The record's JSON.
        value: Text,
    }
}
