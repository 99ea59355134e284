//! What is held, and what it is worth.

use super::tables;
use crate::value::{AccountId, Currency, EventTime, Id, Money, Price, Quantity, Scope, Statistic, Symbol, Total};

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
        /// `cost / quantity`, rounded for display; 0 when flat.
        average_price: Price,
        /// What the open quantity cost (negative: what it brought in), as price × quantity, exactly: the state behind the average.
        cost: Money,
        /// What closing trades brought in over their cost, less all fees, with the multiplier of that moment; NULL if no column
        /// can hold it.
        realized_pnl: Option<Money>,
        /// What the trades brought in (negative: cost), as price × quantity, without fees: minus what was bought, plus what was sold.
        cash_flow: Money,
        /// What the trades cost besides.
        fees: Money,
        /// The mark of that moment; NULL before the symbol has one.
        mark_price: Option<Price>,
        /// `quantity × mark × multiplier`.
        market_value: Option<Money>,
        /// `market_value − cost × multiplier`.
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
        net_value: Total,
        /// The sum of the magnitudes of the positions' market values.
        gross_exposure: Total,
        /// Long less short: the same as `net_value`, under the name that desks look for.
        net_exposure: Total,
        /// Posted balances plus the fills' cash flow.
        cash: Total,
        /// `cash + net_value`.
        equity: Total,
        /// Gross exposure over equity; NULL when equity is zero.
        leverage: Option<Statistic>,
        /// Σ weight², where a symbol's weight is its magnitude over gross.
        hhi: Option<Statistic>,
        /// The greatest weight.
        max_weight: Option<Statistic>,
        /// Sum of the positions' realized P&L.
        realized_pnl: Total,
        /// Sum of the positions' unrealized P&L.
        unrealized_pnl: Total,
        /// The greatest fall of P&L, realized and unrealized, from its running peak so far. What is paid in or out is no P&L.
        max_drawdown: Total,
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
        /// What it cost, as price × quantity.
        base_cost: Money,
        /// The cash flow before the first held trade, as price × quantity, without fees.
        base_cash_flow: Money,
        /// The fees before the first held trade.
        base_fees: Money,
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

    /// What a scope's P&L had reached: as of the first change after each trade, as far back as fills can be busted.
    Checkpoint DrawdownState = "portfolio_peaks" by (scope, ts) {
        /// `account:ID` or `book:PATH`.
        scope: Scope,
        /// The running peak of P&L.
        peak: Total,
        /// The greatest fall from it.
        max_drawdown: Total,
        /// Whether an account of the scope has traded since.
        has_traded: bool,
        /// The grid point from which on it holds.
        ts: EventTime,
    }
}
