//! Stale feed: a symbol has no quote while others have.
//!
//! The time of a market is that of the latest quote of any symbol of an asset class, by the quotes' own time, as of each grid
//! point: when all quotes stop, so does the time, and nothing is stale. It fires for a symbol whose last quote is more than
//! `stale_after` older than that. A symbol that has never had a quote is not watched, nor is one whose phase on our book is
//! `halted` or `closed`.
//!
//! Each gap has an alert of its own. It is cleared by the next quote, or by a halt or a close; a quote that is late and falls
//! into the time before the alert withdraws it: there was no gap.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use headwater_schemas::events::{AssetClass, Event, TradingPhase};
use headwater_schemas::tables::{Alert, AlertState, LastQuote, Moment, SurveillanceAlert, SurveillanceRule};
use headwater_schemas::{Corrections, EventTime, Nanos, Placed, Symbol};
use serde::{Deserialize, Serialize};

use super::alerts::{AlertKey, Alerts, Finding};
use super::settings::{Span, SurveillanceSettings};
use crate::keyed_fold::{Outbox, States, View};
use crate::matching::PhaseStep;
use crate::reference::Reference;
use crate::valuation::grid::point_of;

/// An event of a feed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum FeedEvent {
    /// The last quote of a symbol has another time.
    Quoted {
        /// The symbol.
        symbol: Symbol,
        /// The quote's own time.
        ts: EventTime,
        /// The reason, if the quote was late.
        why: Corrections,
    },
    /// A phase of our book.
    Phase(PhaseStep),
}

/// View of stale feeds. All symbols have one state, which changes once per symbol and grid point.
#[derive(Clone, Debug)]
pub struct StaleFeeds {
    /// Thresholds.
    pub settings: Arc<SurveillanceSettings>,
}

/// The quotes of a symbol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Feed {
    asset_class: Option<AssetClass>,
    /// The last quote's own time.
    quoted: Option<EventTime>,
    /// The last quote or the end of a halt; none while the symbol is not watched.
    since: Option<EventTime>,
    is_halted: bool,
    /// Time without a quote after which it is stale, in nanoseconds.
    stale_after: u64,
}

/// What surveillance remembers of all feeds.
#[derive(Clone, Debug, Default)]
pub struct FeedHistory {
    feeds: BTreeMap<Symbol, Feed>,
    /// The deadlines of the symbols that are watched and not stale, by asset class.
    deadlines: BTreeMap<Option<AssetClass>, BTreeSet<(EventTime, Symbol)>>,
    /// The time of each market.
    markets: BTreeMap<Option<AssetClass>, EventTime>,
    alerts: Alerts,
    /// The time of the last event.
    now: EventTime,
    touched: BTreeSet<Symbol>,
    emitted: BTreeMap<Symbol, LastQuote>,
}

headwater_schemas::table_set! {
    /// The tables of stale feeds.
    pub struct StaleFeedTables restored from SavedStaleFeeds {
        restored { quotes: LastQuote, saved_alerts: SurveillanceAlert }
        written { alerts: Alert }
    }
}

crate::fold_operator!(StaleFeeds);

impl View for StaleFeeds {
    type Key = ();
    type Route = ();
    type Event = FeedEvent;
    type Broadcast = Event;
    type Context = Reference;
    type State = FeedHistory;
    type Timer = ();
    type Tables = StaleFeedTables;
    type Derived = ();
    type Update = ();

    fn key(&self, _: &FeedEvent) {}

    fn route((): &()) {}

    fn learn(&self, reference: &mut Reference, broadcast: Placed<Event>) {
        reference.learn(&broadcast.event);
    }

    fn apply(&self, reference: &Reference, (): &(), history: &mut FeedHistory, placed: Placed<FeedEvent>, out: &mut Outbox<'_, Self>) {
        let symbol = match placed.event {
            FeedEvent::Quoted { symbol, .. } | FeedEvent::Phase(PhaseStep { symbol, .. }) => symbol,
        };
        let asset_class = reference.instrument(&symbol).map(|instrument| instrument.asset_class);
        let stale_after = self.settings.of(&symbol, asset_class).stale_after.0.get();
        let before = history.feeds.get(&symbol).copied().unwrap_or_default();
        let feed = Feed { asset_class, stale_after, ..before };
        match placed.event {
            FeedEvent::Quoted { ts, why, .. } => {
                history.now = point_of(placed.place);
                let since = if feed.is_halted { None } else { feed.since.max(Some(ts)) };
                if history.change(symbol, before, Feed { quoted: Some(ts), since, ..feed }) {
                    why.into_iter().for_each(|correction| out.correct(correction));
                }
                let market = history.markets.entry(asset_class).or_default();
                *market = ts.max(*market);
            }
            FeedEvent::Phase(step) => {
                history.now = placed.place.event_time();
                let is_halted = matches!(step.now, TradingPhase::Halted | TradingPhase::Closed);
                let since = match (is_halted, feed.is_halted) {
                    (true, _) => None,
                    (false, true) => feed.quoted.map(|_| history.now),
                    (false, false) => feed.since,
                };
                history.change(symbol, before, Feed { is_halted, since, ..feed });
            }
        }
    }

    /// Before rows are emitted, all symbols of a grid point have their latest quotes: now it shows which are stale.
    fn emit(&self, _: &Reference, (): &(), history: &mut FeedHistory, at: &Moment, tables: &StaleFeedTables) {
        history.watch();
        history.emit(at, tables);
    }

    fn restore(&self, saved: &SavedStaleFeeds, states: &mut States<'_, Self>) {
        states.of(&()).into_iter().for_each(|history| *history = FeedHistory::restored(saved));
    }
}

impl Feed {
    /// The time after which it is stale; none while it is not watched.
    fn deadline(&self) -> Option<EventTime> {
        Some(Span(Nanos::new(self.stale_after)).after(self.since.filter(|_| self.quoted.is_some())?))
    }

    fn row(&self, symbol: Symbol) -> LastQuote {
        let Self { asset_class, quoted, since, is_halted, stale_after } = *self;
        LastQuote { symbol, asset_class, quoted, since, is_halted, stale_after, ts: since.or(quoted).unwrap_or_default() }
    }

    const fn of(row: &LastQuote) -> Self {
        let LastQuote { asset_class, quoted, since, is_halted, stale_after, .. } = *row;
        Self { asset_class, quoted, since, is_halted, stale_after }
    }
}

impl FeedHistory {
    /// Follows a change of a symbol, which ends its alert if one stands. Returns whether the alert was withdrawn.
    fn change(&mut self, symbol: Symbol, before: Feed, feed: Feed) -> bool {
        self.feeds.insert(symbol, feed);
        self.touched.insert(symbol);
        if before == feed {
            return false;
        }
        if let Some(deadline) = before.deadline() {
            self.deadlines.entry(before.asset_class).or_default().remove(&(deadline, symbol));
        }
        let is_filled = feed.quoted > before.quoted && feed.quoted <= before.deadline();
        let key = alert_key(symbol, before.since);
        let is_over = self.alerts.stands(&key) && before.since != feed.since;
        if is_over {
            let end = if is_filled { AlertState::Withdrawn } else { AlertState::Cleared };
            self.alerts.set(key, Some(symbol), None, end, self.now, self.now);
        }
        if let Some(deadline) = feed.deadline().filter(|_| !self.alerts.stands(&alert_key(symbol, feed.since))) {
            self.deadlines.entry(feed.asset_class).or_default().insert((deadline, symbol));
        }
        is_over && is_filled
    }

    /// Raises the alerts of the symbols whose deadline is before the time of their market.
    fn watch(&mut self) {
        let mut stale = Vec::new();
        for (asset_class, deadlines) in &mut self.deadlines {
            let market = self.markets.get(asset_class).copied().unwrap_or_default();
            while let Some(first) = deadlines.first().copied().filter(|(deadline, _)| *deadline < market) {
                deadlines.remove(&first);
                stale.push((first.1, market));
            }
        }
        for (symbol, market) in stale {
            let since = self.feeds.get(&symbol).and_then(|feed| feed.since);
            let message = format!("{symbol} has had no quote since {}, and others had until {market}", since.unwrap_or_default());
            let finding = Finding { message, evidence: vec![symbol.to_id()], shares: None };
            let until = EventTime::from_nanos(i64::MAX);
            self.alerts.set(alert_key(symbol, since), Some(symbol), Some(finding), AlertState::Cleared, self.now, until);
        }
    }

    fn emit(&mut self, at: &Moment, tables: &StaleFeedTables) {
        for symbol in std::mem::take(&mut self.touched) {
            let row = self.feeds.get(&symbol).map(|feed| feed.row(symbol));
            let before = row.clone().and_then(|row| self.emitted.insert(symbol, row));
            tables.quotes.replace(at, before, row);
        }
        // An alert that is over has no second life: the next gap has one of its own.
        self.alerts.forget(EventTime::from_nanos(self.now.nanos().saturating_add(1)));
        self.alerts.emit(at, &tables.alerts, &tables.saved_alerts);
    }

    fn restored(saved: &SavedStaleFeeds) -> Self {
        let mut history = Self::default();
        for row in saved.saved_alerts.iter().filter(|row| row.rule == SurveillanceRule::StaleFeed) {
            history.alerts.restore(row, EventTime::from_nanos(i64::MAX));
        }
        for row in saved.quotes.iter() {
            let (symbol, feed) = (row.symbol, Feed::of(row));
            history.feeds.insert(symbol, feed);
            history.emitted.insert(symbol, row.clone());
            let market = history.markets.entry(feed.asset_class).or_default();
            *market = feed.quoted.unwrap_or_default().max(*market);
            if let Some(deadline) = feed.deadline().filter(|_| !history.alerts.stands(&alert_key(symbol, feed.since))) {
                history.deadlines.entry(feed.asset_class).or_default().insert((deadline, symbol));
            }
        }
        history
    }
}

fn alert_key(symbol: Symbol, since: Option<EventTime>) -> AlertKey {
    AlertKey { rule: SurveillanceRule::StaleFeed, subject: symbol.to_id(), period: since }
}
