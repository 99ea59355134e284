//! An account in a symbol: its counts of a day, and its sums within the window of layering.

use std::collections::VecDeque;

use headwater_schemas::events::Side;
use headwater_schemas::tables::OrderCounts;
use headwater_schemas::{AccountId, Date, EventTime, Quantity, Symbol};

/// Sums of one side within the window of layering.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct SideSums {
    /// Number of cancelled orders.
    pub(super) orders: u64,
    /// Cancelled quantity, in billionths.
    pub(super) cancelled: i128,
    /// Executed quantity, in billionths.
    pub(super) executed: i128,
}

/// Counts of a day, and times within the window of quote stuffing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) day: Date,
    pub(super) messages: u64,
    pub(super) executions: u64,
    pub(super) message_times: VecDeque<EventTime>,
    pub(super) execution_times: VecDeque<EventTime>,
    /// Time of the last message or execution.
    ts: EventTime,
}

/// An account in a symbol.
#[derive(Clone, Debug, Default)]
pub(super) struct Trader {
    pub(super) counts: Option<Counts>,
    /// Numbers of its cancels within the window of layering.
    pub(super) cancels: VecDeque<u64>,
    /// Numbers of its remembered executions.
    pub(super) trades: VecDeque<u64>,
    buys: SideSums,
    sells: SideSums,
    /// Whether its row is to be emitted.
    pub(super) is_touched: bool,
    pub(super) emitted: Option<OrderCounts>,
}

impl Trader {
    pub(super) const fn side(&self, side: Side) -> &SideSums {
        match side {
            Side::Buy => &self.buys,
            Side::Sell => &self.sells,
        }
    }

    const fn side_mut(&mut self, side: Side) -> &mut SideSums {
        match side {
            Side::Buy => &mut self.buys,
            Side::Sell => &mut self.sells,
        }
    }

    pub(super) fn add_cancel(&mut self, number: u64, side: Side, quantity: Quantity) {
        self.cancels.push_back(number);
        let sums = self.side_mut(side);
        sums.orders = sums.orders.saturating_add(1);
        sums.cancelled = sums.cancelled.saturating_add(quantity.units());
    }

    /// The account's earliest cancel leaves the window.
    pub(super) fn drop_cancel(&mut self, side: Side, quantity: Quantity) {
        self.cancels.pop_front();
        let sums = self.side_mut(side);
        sums.orders = sums.orders.saturating_sub(1);
        sums.cancelled = sums.cancelled.saturating_sub(quantity.units());
    }

    pub(super) fn add_trade(&mut self, number: u64, side: Side, quantity: Quantity) {
        self.trades.push_back(number);
        let sums = self.side_mut(side);
        sums.executed = sums.executed.saturating_add(quantity.units());
    }

    /// An execution leaves the window of layering. It is still remembered.
    pub(super) fn age_trade(&mut self, side: Side, quantity: Quantity) {
        let sums = self.side_mut(side);
        sums.executed = sums.executed.saturating_sub(quantity.units());
    }

    /// The account's earliest execution is no longer remembered.
    pub(super) fn drop_trade(&mut self) {
        self.trades.pop_front();
    }

    /// Whether nothing is known of the account.
    pub(super) fn is_idle(&self) -> bool {
        self.counts.is_none() && self.cancels.is_empty() && self.trades.is_empty() && !self.is_touched && self.emitted.is_none()
    }
}

impl Counts {
    /// Counts on a new day. Times within the window are kept.
    pub(super) fn begin(&mut self, day: Date) {
        (self.day, self.messages, self.executions) = (day, 0, 0);
    }

    /// Counts an order message. `oldest` is the beginning of the window of quote stuffing.
    pub(super) fn add_message(&mut self, now: EventTime, oldest: EventTime) {
        self.messages = self.messages.saturating_add(1);
        self.message_times.push_back(now);
        self.advance(now, oldest);
    }

    /// Counts an execution.
    pub(super) fn add_execution(&mut self, now: EventTime, oldest: EventTime) {
        self.executions = self.executions.saturating_add(1);
        self.execution_times.push_back(now);
        self.advance(now, oldest);
    }

    fn advance(&mut self, now: EventTime, oldest: EventTime) {
        self.ts = now;
        for times in [&mut self.message_times, &mut self.execution_times] {
            while times.front().is_some_and(|time| *time < oldest) {
                times.pop_front();
            }
        }
    }

    pub(super) fn row(&self, symbol: Symbol, account_id: AccountId) -> OrderCounts {
        let Self { day, messages, executions, message_times, execution_times, ts } = self;
        OrderCounts {
            symbol,
            account_id,
            day: *day,
            messages: *messages,
            executions: *executions,
            message_times: message_times.iter().copied().collect(),
            execution_times: execution_times.iter().copied().collect(),
            ts: *ts,
        }
    }

    pub(super) fn restored(row: &OrderCounts) -> Self {
        Self {
            day: row.day,
            messages: row.messages,
            executions: row.executions,
            message_times: row.message_times.iter().copied().collect(),
            execution_times: row.execution_times.iter().copied().collect(),
            ts: row.ts,
        }
    }
}
