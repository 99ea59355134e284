//! What is held, and what it is worth.

use super::tables;
use crate::value::{AccountId, Currency, EventTime, Factor, Id, Money, Price, Quantity, Scope, Statistic, Symbol};

tables! {
    /// What an account holds of a symbol, with the mark of the grid point at which the holding changed. What it is worth at any other
    /// moment is the SQL view `positions`, over holdings and marks.
    State Holding = "holdings" by (account_id, symbol) published as "positions" by account_id {
        /// Whose.
        account_id: AccountId,
        /// Of what.
        symbol: Symbol,
        /// The instrument's currency, which all sums of the row are in; NULL before the instrument is known.
        currency: Option<Currency>,
        /// Above zero: long. Below: short.
        quantity: Quantity,
        /// `cost / (quantity × multiplier)`, rounded for display; 0 when flat.
        average_price: Price,
        /// What the open quantity cost (negative: what it brought in), exactly: the state behind the average.
        cost: Money,
        /// What closing trades brought in over their cost, less all fees.
        realized_pnl: Money,
        /// What the trades brought in (negative: cost), fees included: minus what was bought, plus what was sold.
        cash_flow: Money,
        /// The mark of that moment; NULL before the symbol has one.
        mark_price: Option<Price>,
        /// `quantity × mark × multiplier`.
        market_value: Option<Money>,
        /// `market_value − cost`.
        unrealized_pnl: Option<Money>,
        /// The grid point at which the holding became what it is.
        ts: EventTime,
    }

    /// The sums of an account, or of a node of the book path over all accounts below it.
    State Portfolio = "portfolios" by (scope) {
        /// `account:ID` or `book:PATH`.
        scope: Scope,
        /// The account's currency; the base currency for books.
        currency: Currency,
        /// Market value of all positions, short ones negative.
        net_value: Money,
        /// The sum of the magnitudes of the positions' market values.
        gross_exposure: Money,
        /// Long less short: the same as `net_value`, under the name that desks look for.
        net_exposure: Money,
        /// Posted balances plus the fills' cash flow.
        cash: Money,
        /// `cash + net_value`.
        equity: Money,
        /// Gross exposure over equity; NULL when equity is zero.
        leverage: Option<Statistic>,
        /// Σ weight², where a symbol's weight is its magnitude over gross.
        hhi: Option<Statistic>,
        /// The greatest weight.
        max_weight: Option<Statistic>,
        /// Sum of the positions' realized P&L.
        realized_pnl: Money,
        /// Sum of the positions' unrealized P&L.
        unrealized_pnl: Money,
        /// The greatest fall of equity from its running peak so far.
        max_drawdown: Money,
        /// The positions that could not be valued in the scope's currency (no mark, no rate), which the sums leave out.
        unvalued: u64,
        /// The grid point at which the row became what it is.
        ts: EventTime,
    }

    /// The part of a position that no bust can change any more. State of the positions, with `position_trades`.
    Checkpoint HoldingState = "position_bases" by (account_id, symbol) {
        /// Whose.
        account_id: AccountId,
        /// Of what.
        symbol: Symbol,
        /// The open quantity before the first held trade.
        base_quantity: Quantity,
        /// What it cost.
        base_cost: Money,
        /// The realized P&L before the first held trade.
        base_realized: Money,
        /// The cash flow before the first held trade.
        base_cash_flow: Money,
        /// The grid point at which the row became what it is.
        ts: EventTime,
    }

    /// A trade that is folded again if a bust takes back one before it. State of the positions.
    Checkpoint HeldTrade = "position_trades" by (account_id, symbol, ts, rank, partition, offset, sequence) {
        /// Whose.
        account_id: AccountId,
        /// Of what.
        symbol: Symbol,
        /// The effective time of its place.
        ts: EventTime,
        /// The topic's rank of its place.
        rank: i32,
        /// The partition of its place.
        partition: i32,
        /// The offset of its place.
        offset: u64,
        /// The sequence of its place.
        sequence: i64,
        /// The fill, if it is one that can be busted.
        fill_id: Option<Id>,
        /// Above zero: bought.
        quantity: Quantity,
        /// At which price.
        price: Price,
        /// What it cost besides.
        fee: Money,
        /// What one unit was worth per point of price.
        multiplier: Factor,
    }

    /// A bust that waits for its fill. State of the positions.
    Checkpoint PendingBust = "pending_busts" by (account_id, fill_id) {
        /// Whose the fill will be.
        account_id: AccountId,
        /// The fill.
        fill_id: Id,
        /// The bust's own time.
        bust_ts: EventTime,
        /// The partition of its place.
        partition: i32,
        /// The offset of its place.
        offset: u64,
        /// The effective time of its place.
        ts: EventTime,
    }

    /// What the drawdown of a scope depends on besides its row in `portfolios`. State of the portfolios.
    Checkpoint DrawdownState = "portfolio_peaks" by (scope) {
        /// `account:ID` or `book:PATH`.
        scope: Scope,
        /// The running peak of equity.
        peak: Money,
        /// The grid point at which the row became what it is.
        ts: EventTime,
    }
}
