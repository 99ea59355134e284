//! The checkpoints of market surveillance.

use super::{AlertState, Severity, SurveillanceRule, WatchedKind, tables};
use crate::Offset;
use crate::events::{AssetClass, Side};
use crate::value::{AccountId, Currency, Date, EventTime, Factor, Id, Money, OwnerId, Price, Quantity, Symbol, Text, Total};

tables! {
    /// An event of a book within reach of a rule of surveillance. State of surveillance.
    Checkpoint WatchedEvent = "surveillance_events" by (symbol, ts, partition, offset, sequence) {
        /// The instrument.
        symbol: Symbol,
        /// The effective time of its record.
        ts: EventTime,
        /// The partition of its record.
        partition: i32,
        /// The offset of its record.
        offset: Offset,
        /// Its number among the events of its record.
        sequence: i64,
        /// Whether it is an order, a cancel or an execution.
        kind: WatchedKind,
        /// The account.
        account_id: AccountId,
        /// The owner of the account at the time: customer group, else customer, else account.
        owner_id: OwnerId,
        /// The side of the order.
        side: Side,
        /// The quantity: ordered, cancelled or executed.
        quantity: Quantity,
        /// The price of an execution.
        price: Option<Price>,
        /// The order, or the execution.
        event_id: Id,
        /// The match of an execution.
        match_id: Option<Id>,
    }

    /// Messages and executions of an account in a symbol on a day. State of surveillance.
    Checkpoint OrderCounts = "surveillance_counts" by (symbol, account_id) {
        /// The instrument.
        symbol: Symbol,
        /// The account.
        account_id: AccountId,
        /// The day of the counts, in UTC.
        day: Date,
        /// Order messages of the day.
        messages: u64,
        /// Executions of the day.
        executions: u64,
        /// Times of the latest order messages.
        message_times: Vec<EventTime>,
        /// Times of the latest executions.
        execution_times: Vec<EventTime>,
        /// Time of the last order message or execution.
        ts: EventTime,
    }

    /// The market's volume of a symbol in a second, from `market.trades`. State of surveillance.
    Checkpoint MarketVolume = "surveillance_volumes" by (symbol, ts) {
        /// The instrument.
        symbol: Symbol,
        /// The end of the second, by the trades' own time.
        ts: EventTime,
        /// The sum of the trades' sizes.
        volume: Total,
    }

    /// The value of one of the latest orders of an account. State of surveillance.
    Checkpoint OrderValue = "surveillance_order_values" by (account_id, currency, slot) {
        /// The account.
        account_id: AccountId,
        /// The currency of the instrument.
        currency: Currency,
        /// The number of the order among the account's in the currency, modulo the number of orders that are remembered.
        slot: i32,
        /// The number of the order, from 0.
        number: u64,
        /// Price × quantity × multiplier, without its sign.
        value: Money,
        /// The effective time of the order.
        ts: EventTime,
    }

    /// What an owner has traded on a day. State of surveillance.
    Checkpoint TradedVolume = "surveillance_traded" by (owner_id, day, asset_class, currency) {
        /// The owner: customer group, else customer, else account.
        owner_id: OwnerId,
        /// The day, in UTC.
        day: Date,
        /// The asset class of the instruments.
        asset_class: AssetClass,
        /// The currency of the instruments.
        currency: Currency,
        /// The sum of the quantities, bought and sold.
        quantity: Total,
        /// The sum of price × quantity × multiplier, bought and sold.
        value: Total,
        /// Time of the last change.
        ts: EventTime,
    }

    /// What the fills of an account in a symbol count as from a time on, for as long as they can be busted. State of surveillance.
    Checkpoint CountedFill = "surveillance_fills" by (symbol, account_id, ts) {
        /// The instrument.
        symbol: Symbol,
        /// The account.
        account_id: AccountId,
        /// The effective time of the first of these fills.
        ts: EventTime,
        /// The day of the last of them, in UTC.
        day: Date,
        /// The owner of the account: customer group, else customer, else account.
        owner_id: OwnerId,
        /// The asset class of the instrument; NULL if it is not known.
        asset_class: Option<AssetClass>,
        /// The currency of the instrument; NULL if it is not known.
        currency: Option<Currency>,
        /// The multiplier of the instrument; NULL if it is not known.
        multiplier: Option<Factor>,
    }

    /// The last quote of a symbol. State of surveillance.
    Checkpoint LastQuote = "surveillance_quotes" by (symbol) {
        /// The instrument.
        symbol: Symbol,
        /// Its asset class; NULL if it is not known.
        asset_class: Option<AssetClass>,
        /// The last quote's own time.
        quoted: Option<EventTime>,
        /// The last quote, or the end of a halt; NULL while the symbol is not watched.
        since: Option<EventTime>,
        /// Whether its phase on our book is `halted` or `closed`.
        is_halted: bool,
        /// Time without a quote after which it is stale, in nanoseconds.
        stale_after: u64,
        /// Time of the last change.
        ts: EventTime,
    }

    /// An alert of surveillance that may still change. State of surveillance.
    Checkpoint SurveillanceAlert = "surveillance_alerts" by (alert_id) {
        /// The alert.
        alert_id: Id,
        /// The rule.
        rule: SurveillanceRule,
        /// The instrument, where the rule is about one.
        symbol: Option<Symbol>,
        /// The account, owner or symbol.
        subject: Id,
        /// The beginning of the day, or the close, that the alert is about; NULL for an episode.
        period: Option<EventTime>,
        /// The state of the alert.
        state: AlertState,
        /// The severity.
        severity: Severity,
        /// The message.
        message: Text,
        /// The ids of the events that caused it.
        evidence: Vec<Id>,
        /// For `marking_the_close`: the account's quantity.
        quantity: Option<Quantity>,
        /// For `marking_the_close`: the symbol's volume.
        volume: Option<Total>,
        /// When the condition last held.
        last_ts: EventTime,
        /// Time of the last change of the alert.
        ts: EventTime,
    }
}
