//! Tables of order matching.

use super::{Liquidity, OrderChange, tables};
use crate::events::{OrderType, SelfTrade, Side, TimeInForce, TradingPhase};
use crate::value::{AccountId, EventTime, Id, Money, OwnerId, Price, Quantity, Symbol, Text};

tables! {
    /// One side of one match.
    Append Execution = "executions" by (execution_id) published by symbol {
        /// `<symbol>-<match's sequence>-<b|s>`: equal in every run over the same events. If longer than 64 characters, the first
        /// 31, `~`, and a digest of it in hexadecimal.
        execution_id: Id,
        /// The id of the match, shared by both sides: `<symbol>-<match's sequence>`, shortened like `execution_id`.
        match_id: Id,
        /// The order that was matched.
        order_id: Id,
        /// The account of the order.
        account_id: AccountId,
        /// The instrument.
        symbol: Symbol,
        /// The order's side.
        side: Side,
        /// The resting order's price.
        price: Price,
        /// The matched quantity.
        quantity: Quantity,
        /// Fee of the account; negative for a rebate.
        fee: Money,
        /// Whether the order was resting, incoming, or in an auction.
        liquidity: Liquidity,
        /// Effective time of the incoming order.
        ts: EventTime,
    }

    /// One change of one order.
    Append OrderEvent = "order_events" by (order_id, account_id, symbol, sequence) {
        /// The order.
        order_id: Id,
        /// The account of the order: two accounts may use the same id.
        account_id: AccountId,
        /// The instrument.
        symbol: Symbol,
        /// Sequence number of the event within the symbol, from 1.
        sequence: u64,
        /// The kind of change.
        event: OrderChange,
        /// The reason as a stable code; NULL if none is needed.
        reason: Option<Text>,
        /// The remaining quantity.
        leaves_quantity: Quantity,
        /// The filled quantity.
        cumulative_quantity: Quantity,
        /// Effective time of the change.
        ts: EventTime,
    }

    /// A resting order, or a stop that waits for its trigger, with its complete state.
    State OpenOrder = "open_orders" by (symbol, order_id, account_id) {
        /// The instrument.
        symbol: Symbol,
        /// The order.
        order_id: Id,
        /// The account of the order: two accounts may use the same id.
        account_id: AccountId,
        /// Buy or sell.
        side: Side,
        /// Market, limit, stop or stop limit.
        order_type: OrderType,
        /// The limit; NULL for a stop without one.
        price: Option<Price>,
        /// The trigger of a stop.
        stop_price: Option<Price>,
        /// The remaining quantity, displayed or hidden.
        leaves_quantity: Quantity,
        /// The filled quantity.
        cumulative_quantity: Quantity,
        /// The displayed part of the quantity; NULL if all is displayed.
        display_quantity: Option<Quantity>,
        /// The currently displayed quantity.
        shown_quantity: Quantity,
        /// How long the order is valid.
        time_in_force: TimeInForce,
        /// Expiry time of a `gtd` order.
        expires_at: Option<EventTime>,
        /// Whether it must not trade on entry.
        post_only: bool,
        /// Self-trade prevention mode.
        self_trade: SelfTrade,
        /// The owner at entry: customer group, else customer, else account.
        owner_id: OwnerId,
        /// Whether a stop has been triggered, so that it rests.
        triggered: bool,
        /// Time priority among the symbol's orders at the same price: smaller is earlier.
        priority: u64,
        /// Time of the last change.
        ts: EventTime,
    }

    /// The best prices of a symbol's book.
    State TopOfBook = "top_of_book" by (symbol) {
        /// The instrument.
        symbol: Symbol,
        /// The highest bid price.
        bid: Option<Price>,
        /// The displayed quantity at the bid.
        bid_size: Option<Quantity>,
        /// The lowest ask price.
        ask: Option<Price>,
        /// The displayed quantity at the ask.
        ask_size: Option<Quantity>,
        /// The price of the last match.
        last_price: Option<Price>,
        /// Time of the last change.
        ts: EventTime,
    }

    /// The state of a symbol's book besides its orders. Together with `open_orders` and `top_of_book` it is the complete state of
    /// matching.
    Checkpoint BookState = "book_states" by (symbol) {
        /// The instrument.
        symbol: Symbol,
        /// The trading phase.
        phase: TradingPhase,
        /// The price of the last match.
        last_price: Option<Price>,
        /// Number of matches: the sequence of the last one.
        matches: u64,
        /// Number of order events: the sequence of the last one.
        order_events: u64,
        /// Number of assigned priorities: the priority of the last one.
        priorities: u64,
        /// Time of the last change.
        ts: EventTime,
    }
}
