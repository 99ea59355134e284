//! Tables of holdings, portfolios and the state of positions.

use super::{LotMethod, tables};
use crate::Offset;
use crate::value::{AccountId, Currency, EventTime, Id, Money, Price, Quantity, Scope, Statistic, Symbol, Total};

tables! {
    /// The holding of an account in a symbol, with the mark at the grid point of its last change. The value at any other moment
    /// is the SQL view `positions`, over holdings and marks.
    State Holding = "holdings" by (account_id, symbol) published as "positions" by account_id {
        /// The account.
        account_id: AccountId,
        /// The symbol.
        symbol: Symbol,
        /// The instrument's currency, in which all sums of the row are; NULL before the instrument is known.
        currency: Option<Currency>,
        /// Signed quantity: positive long, negative short.
        quantity: Quantity,
        /// `cost / quantity`, rounded for display; 0 when flat.
        average_price: Price,
        /// Exact cost of the open quantity as price × quantity (negative: proceeds), from which the average price is computed.
        cost: Money,
        /// Proceeds of closing trades less their cost and all fees, with the multiplier at that moment; NULL if it does not fit
        /// the column.
        realized_pnl: Option<Money>,
        /// Total proceeds of the trades as price × quantity (negative: cost), without fees: sales less purchases.
        cash_flow: Money,
        /// Total fees of the trades.
        fees: Money,
        /// The mark at that moment; NULL before the symbol has one.
        mark_price: Option<Price>,
        /// `quantity × mark × multiplier`.
        market_value: Option<Money>,
        /// `market_value − cost × multiplier`.
        unrealized_pnl: Option<Money>,
        /// The grid point at which the holding last changed.
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
        /// Long less short: the same as `net_value`, under the name that trading desks use.
        net_exposure: Total,
        /// Posted balances plus the fills' cash flow.
        cash: Total,
        /// `cash + net_value`.
        equity: Total,
        /// Gross exposure over equity; NULL if equity is zero.
        leverage: Option<Statistic>,
        /// Σ weight², where a symbol's weight is its magnitude over gross exposure.
        hhi: Option<Statistic>,
        /// The greatest weight.
        max_weight: Option<Statistic>,
        /// Sum of the positions' realized P&L.
        realized_pnl: Total,
        /// Sum of the positions' unrealized P&L.
        unrealized_pnl: Total,
        /// What exchange rates did to posted balances in foreign currencies: their value less what was paid in, each payment at the
        /// rate of the grid point at which it was first valued. With realized and unrealized P&L it is equity less what was paid in.
        fx_pnl: Total,
        /// The maximum drawdown of P&L (realized, unrealized and FX) from its running peak. Deposits and withdrawals are not P&L.
        max_drawdown: Total,
        /// Number of positions that could not be valued in the scope's currency (no mark, no rate), which the sums leave out.
        unvalued: u64,
        /// Number of positions and balances that are converted with a rate older than `valuation.max_rate_age`.
        stale_rates: u64,
        /// The grid point at which the row last changed.
        ts: EventTime,
    }

    /// A lot of an account that closes its oldest or newest lots first (`positions.lots`): what is open of a trade. Accounts with
    /// average cost have none.
    State OpenLot = "lots" by (account_id, symbol, number) {
        /// The account.
        account_id: AccountId,
        /// The symbol.
        symbol: Symbol,
        /// Which of the lots that the account has opened in the symbol it is, from 1. A bust numbers the lots after its fill anew.
        number: u64,
        /// The fill or the execution that opened it; `carried_over` for what was open when the method of the account changed.
        lot_id: Id,
        /// The own time of the fill or the execution; of what was carried over, when the method changed.
        opened_at: EventTime,
        /// How the account closes lots.
        method: LotMethod,
        /// Signed quantity that is open: positive long, negative short; 0 if it is closed, and was open before the first
        /// held trade. A lot that a held trade has opened has no row once it is closed.
        quantity: Quantity,
        /// Cost of that quantity, as price × quantity.
        cost: Money,
        /// The price at which it was opened; of what was carried over, the average price.
        price: Price,
        /// The quantity before the first held trade. State of the positions, with `position_bases`.
        base_quantity: Quantity,
        /// Cost of that quantity, as price × quantity.
        base_cost: Money,
        /// The grid point at which the row last changed.
        ts: EventTime,
    }

    /// The part of a position that no bust can change any more. State of the positions, with `position_trades`.
    Checkpoint HoldingState = "position_bases" by (account_id, symbol) {
        /// The account.
        account_id: AccountId,
        /// The symbol.
        symbol: Symbol,
        /// The open quantity before the first held trade.
        base_quantity: Quantity,
        /// Cost of that quantity, as price × quantity.
        base_cost: Money,
        /// The cash flow before the first held trade, as price × quantity, without fees.
        base_cash_flow: Money,
        /// The fees before the first held trade.
        base_fees: Money,
        /// Number of lots that were opened before the first held trade; NULL if none was.
        base_lots: Option<u64>,
        /// The grid point at which the row last changed.
        ts: EventTime,
    }

    /// A trade that is recomputed if a bust removes an earlier one. State of the positions.
    Checkpoint HeldTrade = "position_trades" by (account_id, symbol, ts, rank, partition, offset, sequence) {
        /// The account.
        account_id: AccountId,
        /// The symbol.
        symbol: Symbol,
        /// The effective time of its place.
        ts: EventTime,
        /// The topic's rank of its place.
        rank: i32,
        /// The partition of its place.
        partition: i32,
        /// The offset of its place.
        offset: Offset,
        /// The sequence of its place.
        sequence: i64,
        /// The fill, if the trade is one that can be busted.
        fill_id: Option<Id>,
        /// The execution, in an account with lots; NULL with average cost.
        execution_id: Option<Id>,
        /// The trade's own time, in an account with lots; NULL with average cost.
        trade_ts: Option<EventTime>,
        /// How the account's positions are closed.
        method: LotMethod,
        /// Signed quantity: positive bought, negative sold.
        quantity: Quantity,
        /// The price.
        price: Price,
        /// The fee.
        fee: Money,
    }

    /// A bust that waits for its fill. State of the positions.
    Checkpoint PendingBust = "pending_busts" by (account_id, fill_id) {
        /// The account of the expected fill.
        account_id: AccountId,
        /// The fill.
        fill_id: Id,
        /// The bust's own time.
        bust_ts: EventTime,
        /// The partition of its place.
        partition: i32,
        /// The offset of its place.
        offset: Offset,
        /// The effective time of its place.
        ts: EventTime,
    }

    /// What was paid into an account in a foreign currency, at the rates of the grid points at which it was first valued. FX P&L is
    /// the value of the posted balance less that.
    Checkpoint PaidIn = "paid_in" by (account_id, currency, converted_to) {
        /// The account.
        account_id: AccountId,
        /// The currency of the balance.
        currency: Currency,
        /// The currency of a scope of the account: its own, or that of its books.
        converted_to: Currency,
        /// The posted balance that has been converted.
        posted: Total,
        /// The sum of its changes, each converted at the rate of its grid point and rounded once; withdrawals are negative.
        paid_in: Total,
        /// The grid point at which the row last changed.
        ts: EventTime,
    }

    /// Peak and maximum drawdown of a scope's P&L, at the first change after each trade, as far back as fills can be busted.
    Checkpoint DrawdownState = "portfolio_peaks" by (scope, ts) {
        /// `account:ID` or `book:PATH`.
        scope: Scope,
        /// The running peak of P&L.
        peak: Total,
        /// The maximum drawdown from the peak.
        max_drawdown: Total,
        /// Whether an account of the scope has traded since.
        has_traded: bool,
        /// The grid point from which on the row is valid.
        ts: EventTime,
    }
}
