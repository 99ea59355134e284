//! What surveillance remembers of a symbol, its rows, and restoring it from them.

use std::collections::BTreeMap;

use headwater_schemas::tables::{
    Alert, CountedFill, MarketVolume, Moment, OrderCounts, SurveillanceAlert, SurveillanceRule, WatchedEvent, WatchedKind,
};
use headwater_schemas::{AccountId, Date, EventTime, Nanos, Symbol};
use rustc_hash::FxHashMap;

use super::alerts::Alerts;
use super::books::BookSurveillance;
use super::fills::Fills;
use super::recent::Recent;
use super::settings::{Span, SurveillanceSettings};
use super::trader::{Counts, Trader};
use super::volumes::Volumes;
use crate::keyed_fold::States;

/// What surveillance remembers of a symbol.
#[derive(Clone, Debug, Default)]
pub struct BookHistory {
    pub(super) traders: FxHashMap<AccountId, Trader>,
    /// Cancels within the window of layering.
    pub(super) cancels: Recent,
    /// Executions within the longest window.
    pub(super) trades: Recent,
    /// Number of the first execution within the window of layering.
    pub(super) layered: u64,
    /// Orders of linked accounts within the window of front running.
    pub(super) orders: Recent,
    pub(super) volumes: Volumes,
    pub(super) fills: Fills,
    pub(super) alerts: Alerts,
    /// Number of accounts with counts of each day.
    days: BTreeMap<Date, u64>,
    /// Accounts whose rows are to be emitted.
    touched: Vec<AccountId>,
}

headwater_schemas::table_set! {
    /// The tables of the surveillance of books.
    pub struct BookSurveillanceTables restored from SavedBookSurveillance {
        restored {
            events: WatchedEvent,
            counts: OrderCounts,
            volumes: MarketVolume,
            fills: CountedFill,
            saved_alerts: SurveillanceAlert
        }
        written { alerts: Alert }
    }
}

const SECOND: Span = Span(Nanos::new(1_000_000_000));
const MINUTE: i64 = 60_000_000_000;

/// The beginning of a day.
pub(super) fn beginning(day: Date) -> EventTime {
    EventTime::from_nanos(Date::from_days(day.days().saturating_sub(1)).end().nanos().saturating_add(1))
}

/// The first whole minute after a time: what is over is forgotten then, so a busy key sets few timers.
pub(super) fn minute_after(time: EventTime) -> EventTime {
    EventTime::from_nanos(time.nanos().div_euclid(MINUTE).saturating_add(1).saturating_mul(MINUTE))
}

/// The time after which the counts of a day are not read.
pub(super) fn end_of_counts(settings: &SurveillanceSettings, day: Date) -> EventTime {
    settings.stuffing_window.after(day.end())
}

impl BookHistory {
    /// When something is to be forgotten.
    pub(super) fn due(&self, view: &BookSurveillance) -> Option<EventTime> {
        let settings = &view.settings;
        let ends = [
            self.cancels.first_ts().map(|ts| settings.layering_window.after(ts)),
            self.trades.first_ts().map(|ts| settings.trades_window().after(ts)),
            self.orders.first_ts().map(|ts| settings.front_running_window.after(ts)),
            self.volumes.first().map(|second| settings.close_window.after(SECOND.after(second))),
            self.days.keys().next().map(|day| end_of_counts(settings, *day)),
            self.fills.first_end(Span(view.busts)),
            self.alerts.until(),
        ];
        ends.into_iter().flatten().min().map(minute_after)
    }

    /// Moves the windows on to a time, and forgets what is over.
    pub(super) fn advance(&mut self, view: &BookSurveillance, now: EventTime) {
        let is_due = self.due(view).is_some_and(|due| due <= now);
        self.advance_windows(&view.settings, now);
        if is_due {
            self.fills.forget(Span(view.busts), now);
            self.forget(&view.settings, now);
        }
    }

    fn advance_windows(&mut self, settings: &SurveillanceSettings, now: EventTime) {
        while let Some(row) = self.cancels.pop_before(settings.layering_window.before(now)) {
            self.with_trader(row.account_id, |trader| trader.drop_cancel(row.side, row.quantity));
        }
        let layered_since = settings.layering_window.before(now);
        while let Some((account, side, quantity)) =
            self.trades.get(self.layered).filter(|row| row.ts < layered_since).map(|row| (row.account_id, row.side, row.quantity))
        {
            self.layered = self.layered.saturating_add(1);
            self.with_trader(account, |trader| trader.age_trade(side, quantity));
        }
        while let Some(row) = self.trades.pop_before(settings.trades_window().before(now)) {
            self.with_trader(row.account_id, Trader::drop_trade);
        }
        while self.orders.pop_before(settings.front_running_window.before(now)).is_some() {}
    }

    /// Changes an account, and forgets it if nothing is known of it any more.
    fn with_trader(&mut self, account: AccountId, change: impl FnOnce(&mut Trader)) {
        let Some(trader) = self.traders.get_mut(&account) else { return };
        change(trader);
        if trader.is_idle() {
            self.traders.remove(&account);
        }
    }

    fn forget(&mut self, settings: &SurveillanceSettings, now: EventTime) {
        self.volumes.forget(SECOND.before(settings.close_window.before(now)));
        self.alerts.forget(now);
        let is_over = |day: &Date| end_of_counts(settings, *day) < now;
        if !self.days.keys().next().is_some_and(is_over) {
            return;
        }
        self.days.retain(|day, _| !is_over(day));
        for (account, trader) in &mut self.traders {
            if trader.counts.as_ref().is_some_and(|counts| is_over(&counts.day)) {
                trader.counts = None;
                if !std::mem::replace(&mut trader.is_touched, true) {
                    self.touched.push(*account);
                }
            }
        }
    }

    /// The counts of an account on a day, which are about to change.
    pub(super) fn counts(&mut self, account: AccountId, day: Date) -> &mut Counts {
        let trader = self.traders.entry(account).or_default();
        if !std::mem::replace(&mut trader.is_touched, true) {
            self.touched.push(account);
        }
        let before = trader.counts.as_ref().map(|counts| counts.day);
        let counts = trader.counts.get_or_insert_default();
        if before != Some(day) {
            counts.begin(day);
            *self.days.entry(day).or_default() += 1;
            if let Some(before) = before {
                drop_day(&mut self.days, before);
            }
        }
        counts
    }

    pub(super) fn is_empty(&self) -> bool {
        let windows = self.cancels.is_empty() && self.trades.is_empty() && self.orders.is_empty();
        windows && self.traders.is_empty() && self.volumes.is_empty() && self.fills.is_empty() && self.alerts.is_empty()
    }

    pub(super) fn emit(&mut self, symbol: Symbol, at: &Moment, tables: &BookSurveillanceTables) {
        for account in std::mem::take(&mut self.touched) {
            self.with_trader(account, |trader| {
                trader.is_touched = false;
                let row = trader.counts.as_ref().map(|counts| counts.row(symbol, account));
                let before = std::mem::replace(&mut trader.emitted, row.clone());
                tables.counts.replace(at, before, row);
            });
        }
        [&mut self.cancels, &mut self.trades, &mut self.orders].into_iter().for_each(|recent| recent.emit(at, &tables.events));
        self.volumes.emit(symbol, at, &tables.volumes);
        self.fills.emit(symbol, at, &tables.fills);
        self.alerts.emit(at, &tables.alerts, &tables.saved_alerts);
    }

    fn restore_event(&mut self, row: &WatchedEvent) {
        match row.kind {
            WatchedKind::Order => {
                self.orders.restore(row.clone());
            }
            WatchedKind::Cancel => {
                let number = self.cancels.restore(row.clone());
                self.traders.entry(row.account_id).or_default().add_cancel(number, row.side, row.quantity);
            }
            WatchedKind::Execution => {
                let number = self.trades.restore(row.clone());
                self.traders.entry(row.account_id).or_default().add_trade(number, row.side, row.quantity);
            }
        }
    }

    fn restore_counts(&mut self, row: &OrderCounts) {
        *self.days.entry(row.day).or_default() += 1;
        let trader = self.traders.entry(row.account_id).or_default();
        trader.counts = Some(Counts::restored(row));
        trader.emitted = Some(row.clone());
    }
}

fn drop_day(days: &mut BTreeMap<Date, u64>, day: Date) {
    if let Some(accounts) = days.get_mut(&day) {
        *accounts = accounts.saturating_sub(1);
        if *accounts == 0 {
            days.remove(&day);
        }
    }
}

impl SavedBookSurveillance {
    /// Restores the symbols. `until` is the time after which a saved alert cannot change; none for an alert of another view.
    pub(super) fn restore(&self, states: &mut States<'_, BookSurveillance>, until: impl Fn(&SurveillanceAlert) -> Option<EventTime>) {
        let mut events: Vec<_> = self.events.iter().filter(|row| states.have(&row.symbol)).collect();
        events.sort();
        for row in events {
            states.of(&row.symbol).into_iter().for_each(|history| history.restore_event(row));
        }
        for row in self.counts.iter() {
            states.of(&row.symbol).into_iter().for_each(|history| history.restore_counts(row));
        }
        for row in self.volumes.iter() {
            states.of(&row.symbol).into_iter().for_each(|history| history.volumes.restore(row));
        }
        for row in self.fills.iter() {
            states.of(&row.symbol).into_iter().for_each(|history| history.fills.restore(row));
        }
        for row in self.saved_alerts.iter() {
            let Some((symbol, until)) = row.symbol.zip(until(row)) else { continue };
            states.of(&symbol).into_iter().for_each(|history| history.alerts.restore(row, until));
        }
    }
}

/// Whether alerts of a rule are those of books.
pub(super) const fn is_of_books(rule: SurveillanceRule) -> bool {
    !matches!(rule, SurveillanceRule::FatFinger | SurveillanceRule::LargeTrader | SurveillanceRule::StaleFeed)
}
