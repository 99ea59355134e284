//! What the matching of orders leaves behind.

use super::{Liquidity, OrderChange, tables};
use crate::events::{OrderType, SelfTrade, Side, TimeInForce, TradingPhase};
use crate::value::{AccountId, EventTime, Id, Money, OwnerId, Price, Quantity, Symbol, Text};

tables! {
    /// One side of one match.
    Append Execution = "executions" by (execution_id) published by symbol {
        /// `<symbol>-<match's sequence>-<b|s>`: the same in every run over the same events. Where that has more than 64
        /// characters, the first 31, `~`, and a digest of it in hex.
        execution_id: Id,
        /// Both sides of a match share it: `<symbol>-<match's sequence>`, shortened like `execution_id`.
        match_id: Id,
        /// The order that was matched.
        order_id: Id,
        /// Whose order it was.
        account_id: AccountId,
        /// The instrument.
        symbol: Symbol,
        /// The order's side.
        side: Side,
        /// The resting order's price.
        price: Price,
        /// How much was matched.
        quantity: Quantity,
        /// What the account pays for it; negative for a rebate.
        fee: Money,
        /// Whether the order rested or came.
        liquidity: Liquidity,
        /// When: the effective time of the order that came.
        ts: EventTime,
    }

    /// One change of one order.
    Append OrderEvent = "order_events" by (order_id, account_id, symbol, sequence) {
        /// The order.
        order_id: Id,
        /// Whose order it is: two accounts may use the same id.
        account_id: AccountId,
        /// The instrument.
        symbol: Symbol,
        /// Counts the symbol's order events, from 1: their order.
        sequence: u64,
        /// What happened.
        event: OrderChange,
        /// Why, as a stable code; NULL where nothing needs explaining.
        reason: Option<Text>,
        /// What can still be matched.
        leaves_quantity: Quantity,
        /// What has been matched so far.
        cumulative_quantity: Quantity,
        /// When.
        ts: EventTime,
    }

    /// An order that rests in the book, or a stop that waits for its trigger: with all that decides its future.
    State OpenOrder = "open_orders" by (symbol, order_id, account_id) {
        /// The instrument.
        symbol: Symbol,
        /// The order.
        order_id: Id,
        /// Whose order it is: two accounts may use the same id.
        account_id: AccountId,
        /// Which way.
        side: Side,
        /// How it names its price.
        order_type: OrderType,
        /// The limit; NULL for a market stop.
        price: Option<Price>,
        /// The trigger of a stop.
        stop_price: Option<Price>,
        /// What can still be matched, shown or hidden.
        leaves_quantity: Quantity,
        /// What has been matched so far.
        cumulative_quantity: Quantity,
        /// How much is shown at a time; NULL if always all.
        display_quantity: Option<Quantity>,
        /// What is shown now.
        shown_quantity: Quantity,
        /// How long it stays.
        time_in_force: TimeInForce,
        /// When a `gtd` order ends.
        expires_at: Option<EventTime>,
        /// Whether it may only rest.
        post_only: bool,
        /// What happens when it would meet an order of its own owner.
        self_trade: SelfTrade,
        /// Who stood behind the account when the order came: customer group, else customer, else account.
        owner_id: OwnerId,
        /// Whether a stop's trigger was met, so that it rests.
        triggered: bool,
        /// Its place among the symbol's orders at the same price: less is earlier.
        priority: u64,
        /// When it last changed.
        ts: EventTime,
    }

    /// The best prices of a symbol's book.
    State TopOfBook = "top_of_book" by (symbol) {
        /// The instrument.
        symbol: Symbol,
        /// The highest price that somebody bids.
        bid: Option<Price>,
        /// How much is bid there, as far as it is shown.
        bid_size: Option<Quantity>,
        /// The lowest price that somebody asks.
        ask: Option<Price>,
        /// How much is asked there, as far as it is shown.
        ask_size: Option<Quantity>,
        /// The price of the last match.
        last_price: Option<Price>,
        /// When it last changed.
        ts: EventTime,
    }

    /// What a symbol's book is besides its orders. Together with `open_orders` and `top_of_book` it is all that the
    /// matching has to know to go on.
    Checkpoint BookState = "book_states" by (symbol) {
        /// The instrument.
        symbol: Symbol,
        /// What the book does with orders.
        phase: TradingPhase,
        /// The price of the last match.
        last_price: Option<Price>,
        /// How many matches there were: the last one's sequence.
        matches: u64,
        /// How many order events there were: the last one's sequence.
        order_events: u64,
        /// How many places in the queue were given away: the last one's priority.
        priorities: u64,
        /// When it last changed.
        ts: EventTime,
    }
}
