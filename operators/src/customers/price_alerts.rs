//! Price alerts: a symbol's mark reaches a price that a customer watches.
//!
//! - **Key**: symbol. **Rows**: an alert (`price_crossed`) for each crossing. **Derived**: a notice for the customer. **State**: the watches of the symbol, each with its
//!   phase ([`WatchPhase`]); [`PriceWatch`].
//! - A watch of direction `above` is crossed when the mark comes to the price or above it from below, one of direction `below`
//!   when the mark comes to it or below it from above. The mark is that of valuations, at each of its changes: a price that
//!   comes and goes between two grid points is seen.
//! - A crossing is an edge. A price that the mark has reached already when it is first watched, or at the first mark of the
//!   symbol, is crossed only after the mark was on the other side of it.
//! - **Hysteresis**: after a crossing the mark has to come back by a fraction of the price before it can cross it again. Then the
//!   alert is cleared; the next crossing raises another one.
//! - Of two records of a watch the one with the later time of its own counts. **Ties**: the later place wins. A record that
//!   repeats direction and price changes nothing; any other one clears the alert, as does a deletion.
//! - **Cost**: a mark that crosses nothing is compared with two prices, however many are watched.

use std::collections::{BTreeMap, BTreeSet};

use headwater_schemas::events::{Direction, Watch};
use headwater_schemas::tables::{Alert, AlertKind, AlertState, Moment, NotificationKind, PriceWatch, Severity, WatchPhase};
use headwater_schemas::value::fixed;
use headwater_schemas::{CustomerId, Decimal, EventTime, Id, Place, Placed, Price, Symbol, Text};
use serde::{Deserialize, Serialize};

use super::notice::Notice;
use crate::keyed_fold::{Outbox, States, View};
use crate::touched::Touched;
use crate::valuation::MarkEvent;

/// View of price alerts.
#[derive(Clone, Copy, Debug)]
pub struct PriceAlerts {
    /// How far the mark has to come back before it can cross the price again, as a fraction of the price.
    pub hysteresis: Decimal,
}

/// An event of a symbol's watches.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum PriceEvent {
    /// The mark changed, or a price is watched.
    Mark(MarkEvent),
    /// A price is no longer watched.
    Unwatched {
        /// The customer.
        customer_id: CustomerId,
        /// The symbol.
        symbol: Symbol,
    },
}

impl PriceEvent {
    /// What the deletion of a key of `watchlists` ends. A customer's or symbol's name may contain the separator of the key, so all
    /// watches of that key end.
    pub fn unwatched(key: &str) -> impl Iterator<Item = Self> {
        key.match_indices('|').filter_map(|(at, separator)| {
            let (customer, symbol) = (key.get(..at)?, key.get(at + separator.len()..)?);
            Some(Self::Unwatched { customer_id: CustomerId::new(customer).ok()?, symbol: Symbol::new(symbol).ok()? })
        })
    }
}

headwater_schemas::table_set! {
    /// The tables of price alerts.
    pub struct PriceAlertTables restored from SavedPriceAlerts {
        restored { price_watches: PriceWatch }
        written { alerts: Alert }
    }
}

/// The watches of a symbol.
#[derive(Clone, Debug, Default)]
pub struct WatchState {
    watches: BTreeMap<CustomerId, Watched>,
    /// Prices at which a watch changes its phase when the mark rises to them.
    rising: BTreeSet<(Price, CustomerId)>,
    /// Prices at which a watch changes its phase when the mark falls to them.
    falling: BTreeSet<(Price, CustomerId)>,
    /// Watches that wait for the first mark.
    unpriced: BTreeSet<CustomerId>,
    touched: Touched<CustomerId, PriceWatch>,
    /// Alerts to be emitted, each in its latest state.
    now: Vec<Alert>,
}

/// A watched price.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Watched {
    direction: Direction,
    price: Price,
    written: Option<EventTime>,
    phase: WatchPhase,
    alert_id: Option<Id>,
    ts: EventTime,
}

/// A movement of the mark that changes a phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trigger {
    RisesTo(Price),
    FallsTo(Price),
    IsKnown,
}

crate::fold_operator!(PriceAlerts);

impl View for PriceAlerts {
    type Key = Symbol;
    type Route = Symbol;
    type Event = PriceEvent;
    type Broadcast = ();
    type Context = ();
    type State = WatchState;
    type Timer = ();
    type Tables = PriceAlertTables;
    type Derived = Notice;
    type Update = ();

    fn key(&self, event: &PriceEvent) -> Symbol {
        match event {
            PriceEvent::Mark(MarkEvent::Moved { mark, .. }) => mark.symbol,
            PriceEvent::Mark(MarkEvent::Watched { watch, .. }) => watch.symbol,
            PriceEvent::Unwatched { symbol, .. } => *symbol,
        }
    }

    fn route(symbol: &Symbol) -> Symbol {
        *symbol
    }

    fn learn(&self, (): &mut (), _: Placed<()>) {}

    fn apply(&self, (): &(), symbol: &Symbol, state: &mut WatchState, placed: Placed<PriceEvent>, out: &mut Outbox<'_, Self>) {
        let Placed { place, event } = placed;
        match event {
            PriceEvent::Mark(MarkEvent::Moved { mark, correction }) => {
                let Some(price) = mark.price else { return };
                if self.follow(symbol, state, place, price, out) {
                    correction.into_iter().for_each(|correction| out.correct(*correction));
                }
            }
            PriceEvent::Mark(MarkEvent::Watched { watch, mark }) => self.watch(state, place, &watch, mark),
            PriceEvent::Unwatched { customer_id, .. } => self.unwatch(symbol, state, place, customer_id),
        }
    }

    fn emit(&self, (): &(), symbol: &Symbol, state: &mut WatchState, at: &Moment, tables: &PriceAlertTables) {
        let watches = &state.watches;
        state.touched.emit(at, &tables.price_watches, |customer_id| Some(watches.get(customer_id)?.row(*customer_id, *symbol)));
        state.now.drain(..).for_each(|alert| tables.alerts.insert(at, alert));
    }

    fn is_forgettable(&self, state: &WatchState) -> bool {
        state.watches.is_empty()
    }

    fn restore(&self, saved: &SavedPriceAlerts, states: &mut States<'_, Self>) {
        for row in saved.price_watches.iter() {
            let Some(state) = states.of(&row.symbol) else { continue };
            let watched = Watched::restored(row);
            state.expect(row.customer_id, self.trigger(&watched));
            state.watches.insert(row.customer_id, watched);
        }
    }
}

impl PriceAlerts {
    /// Moves the watches that a mark reaches to their next phases. Returns whether there were any.
    fn follow(&self, symbol: &Symbol, state: &mut WatchState, place: Place, mark: Price, out: &mut Outbox<'_, Self>) -> bool {
        let reached = state.take_reached(mark);
        for customer_id in &reached {
            let Some(before) = state.touch(symbol, *customer_id) else { continue };
            let phase = before.phase_at(mark);
            match phase {
                WatchPhase::Crossed => {
                    let notice = state.raise(symbol, *customer_id, place, mark);
                    notice.into_iter().for_each(|notice| out.derive(notice));
                }
                WatchPhase::Armed => {
                    state
                        .clear(symbol, *customer_id, place, |watched| format!("{symbol} is at {mark}, away from {}", watched.what(symbol)));
                }
                WatchPhase::Beyond | WatchPhase::Unpriced => {}
            }
            if let Some(watched) = state.watches.get_mut(customer_id) {
                (watched.phase, watched.ts) = (phase, place.event_time());
                let trigger = self.trigger(watched);
                state.expect(*customer_id, trigger);
            }
        }
        !reached.is_empty()
    }

    /// Applies a record of a watch.
    fn watch(&self, state: &mut WatchState, place: Place, watch: &Watch, mark: Option<Price>) {
        let Watch { customer_id, symbol, direction, price, ts: written } = watch.clone();
        let before = state.watches.get(&customer_id);
        if before.is_some_and(|before| before.written > written) {
            return;
        }
        let is_repeated = before.is_some_and(|before| (before.direction, before.price) == (direction, price));
        state.touch(&symbol, customer_id);
        if is_repeated {
            return state.watches.get_mut(&customer_id).into_iter().for_each(|watched| watched.written = written);
        }
        self.unwatch(&symbol, state, place, customer_id);
        let watched = Watched::new(direction, price, written, mark, place.event_time());
        state.expect(customer_id, self.trigger(&watched));
        state.watches.insert(customer_id, watched);
    }

    /// Ends a watch, if there is one.
    fn unwatch(&self, symbol: &Symbol, state: &mut WatchState, place: Place, customer_id: CustomerId) {
        let Some(trigger) = state.touch(symbol, customer_id).map(|watched| self.trigger(watched)) else { return };
        state.expect_no_more(customer_id, trigger);
        state.clear(symbol, customer_id, place, |watched| format!("{} is no longer watched", watched.what(symbol)));
        state.watches.remove(&customer_id);
    }

    /// The movement of the mark that a watch waits for.
    fn trigger(&self, watched: &Watched) -> Trigger {
        let Watched { direction, price, phase, .. } = watched;
        // At least the smallest step, so that a mark is never at both prices.
        let part = fixed::product(price.units().saturating_abs(), self.hysteresis.units()).unwrap_or(0).max(1);
        let back = match phase {
            WatchPhase::Unpriced => return Trigger::IsKnown,
            WatchPhase::Armed => 0,
            WatchPhase::Beyond => 1,
            WatchPhase::Crossed => part,
        };
        match (direction, phase) {
            (Direction::Above, WatchPhase::Armed) => Trigger::RisesTo(*price),
            (Direction::Below, WatchPhase::Armed) => Trigger::FallsTo(*price),
            (Direction::Above, _) => Trigger::FallsTo(Price::from_units(price.units().saturating_sub(back))),
            (Direction::Below, _) => Trigger::RisesTo(Price::from_units(price.units().saturating_add(back))),
        }
    }
}

impl WatchState {
    /// Waits for a movement of the mark.
    fn expect(&mut self, customer_id: CustomerId, trigger: Trigger) {
        match trigger {
            Trigger::RisesTo(price) => self.rising.insert((price, customer_id)),
            Trigger::FallsTo(price) => self.falling.insert((price, customer_id)),
            Trigger::IsKnown => self.unpriced.insert(customer_id),
        };
    }

    /// Stops waiting for a movement of the mark.
    fn expect_no_more(&mut self, customer_id: CustomerId, trigger: Trigger) {
        match trigger {
            Trigger::RisesTo(price) => self.rising.remove(&(price, customer_id)),
            Trigger::FallsTo(price) => self.falling.remove(&(price, customer_id)),
            Trigger::IsKnown => self.unpriced.remove(&customer_id),
        };
    }

    /// Takes the watches that wait for a movement to this mark: by their prices, then by customer.
    fn take_reached(&mut self, mark: Price) -> Vec<CustomerId> {
        let mut reached: Vec<_> = std::mem::take(&mut self.unpriced).into_iter().collect();
        while let Some((_, customer_id)) = self.rising.first().copied().filter(|(price, _)| *price <= mark) {
            self.rising.pop_first();
            reached.push(customer_id);
        }
        while let Some((_, customer_id)) = self.falling.last().copied().filter(|(price, _)| *price >= mark) {
            self.falling.pop_last();
            reached.push(customer_id);
        }
        reached
    }

    /// Notes the row of a watch before it changes. Returns the watch.
    fn touch(&mut self, symbol: &Symbol, customer_id: CustomerId) -> Option<&Watched> {
        let watched = self.watches.get(&customer_id);
        self.touched.note(customer_id, || watched.map(|watched| watched.row(customer_id, *symbol)));
        watched
    }

    /// Raises the alert of a crossing. Returns the notice for the customer.
    fn raise(&mut self, symbol: &Symbol, customer_id: CustomerId, place: Place, mark: Price) -> Option<Notice> {
        let watched = self.watches.get_mut(&customer_id)?;
        let alert_id = alert_id(symbol, customer_id, place);
        watched.alert_id = Some(alert_id.clone());
        let message = format!("{symbol} is at {mark}, {}", watched.what(symbol));
        let alert = alert(alert_id, symbol, customer_id, AlertState::Raised, message, place);
        let Alert { rule, subject, message, .. } = alert.clone();
        self.now.push(alert);
        Some(Notice { customer_id, kind: NotificationKind::Price, rule, subject, message })
    }

    /// Clears the alert of a watch, if one stands.
    fn clear(&mut self, symbol: &Symbol, customer_id: CustomerId, place: Place, message: impl Fn(&Watched) -> String) {
        let Some(watched) = self.watches.get_mut(&customer_id) else { return };
        let Some(alert_id) = watched.alert_id.take() else { return };
        let message = message(watched);
        self.now.retain(|alert| alert.alert_id != alert_id);
        self.now.push(alert(alert_id, symbol, customer_id, AlertState::Cleared, message, place));
    }
}

impl Watched {
    fn new(direction: Direction, price: Price, written: Option<EventTime>, mark: Option<Price>, ts: EventTime) -> Self {
        let unpriced = Self { direction, price, written, phase: WatchPhase::Unpriced, alert_id: None, ts };
        let phase = mark.map_or(WatchPhase::Unpriced, |mark| unpriced.phase_at(mark));
        Self { phase, ..unpriced }
    }

    /// The phase after a mark that the watch waited for.
    fn phase_at(&self, mark: Price) -> WatchPhase {
        let is_reached = match self.direction {
            Direction::Above => mark >= self.price,
            Direction::Below => mark <= self.price,
        };
        match self.phase {
            _ if !is_reached => WatchPhase::Armed,
            WatchPhase::Armed => WatchPhase::Crossed,
            WatchPhase::Unpriced => WatchPhase::Beyond,
            phase @ (WatchPhase::Beyond | WatchPhase::Crossed) => phase,
        }
    }

    /// The watched price, in a sentence.
    fn what(&self, symbol: &Symbol) -> String {
        format!("the watched price of {symbol}, {} or {}", self.price, self.direction)
    }

    fn row(&self, customer_id: CustomerId, symbol: Symbol) -> PriceWatch {
        let Self { direction, price, written, phase, alert_id, ts } = self.clone();
        PriceWatch { customer_id, symbol, direction, price, written, phase, alert_id, ts }
    }

    fn restored(row: &PriceWatch) -> Self {
        let PriceWatch { direction, price, written, phase, alert_id, ts, .. } = row.clone();
        Self { direction, price, written, phase, alert_id, ts }
    }
}

/// The id of a crossing's alert. It has the place of the price that crossed, because several may have the same effective time.
fn alert_id(symbol: &Symbol, customer_id: CustomerId, place: Place) -> Id {
    let Place { time, rank, partition, offset, sequence, .. } = place;
    Id::shortened(&format!("price:{customer_id}|{symbol}:{time}.{rank}.{partition}.{offset}.{sequence}"))
}

fn alert(alert_id: Id, symbol: &Symbol, customer_id: CustomerId, state: AlertState, message: String, place: Place) -> Alert {
    Alert {
        alert_id,
        kind: AlertKind::Price,
        rule: Text::const_new("price_crossed"),
        severity: Severity::Low,
        subject: Id::derived(format!("{customer_id}|{symbol}")),
        state,
        message: Text::from(message),
        evidence: vec![symbol.to_id()],
        ts: place.event_time(),
    }
}

#[cfg(test)]
mod tests {
    use headwater_schemas::events::Event;
    use headwater_schemas::{Correction, EffectiveTime, Nanos, Offset, Tick, Topic};
    use proptest::prelude::*;

    use super::*;
    use crate::testing::{Happening, Happenings, history_of, rows_of, run, run_with_restart};
    use crate::valuation::Mark;

    const VIEW: PriceAlerts = PriceAlerts { hysteresis: Decimal::from_units(5_000_000) };

    fn symbol() -> Symbol {
        Symbol::derived("S")
    }

    /// A watch's record, or its deletion: `above 100` and `below 100` with an own time after `@`, `delete`, all for customer `C`.
    fn watch_event(text: &str, mark: Option<Price>) -> PriceEvent {
        if text == "delete" {
            return PriceEvent::unwatched("C|S").next().unwrap();
        }
        let (direction, rest) = text.split_once(' ').unwrap();
        let (price, ts) =
            rest.split_once('@').map_or((rest, String::new()), |(price, ts)| (price, format!(r#","ts":{ts}000000000000000000"#)));
        let json = format!(r#"{{"customer_id":"C","symbol":"S","direction":"{direction}","price":"{price}"{ts}}}"#);
        let Ok(Event::Watch(watch)) = Event::decode(Topic::Watchlists, None, Some(json.as_bytes())) else { panic!("{text}") };
        PriceEvent::Mark(MarkEvent::Watched { watch, mark })
    }

    /// Events from marks (`99.5`) and records of a watch, one per nanosecond.
    fn happenings(texts: &[&str]) -> Happenings<PriceAlerts> {
        let mut mark = None;
        let happening = |(time, text): (u64, &&str)| {
            let event = match text.parse::<Price>() {
                Ok(price) => {
                    mark = Some(price);
                    PriceEvent::Mark(MarkEvent::Moved { mark: Mark { symbol: symbol(), price: mark }, correction: None })
                }
                Err(_) => watch_event(text, mark),
            };
            Placed {
                place: Place::of_record(EffectiveTime::new(time), Topic::Quotes, 0, Offset::new(time)),
                event: Happening::Event(event),
            }
        };
        (1..).zip(texts).map(happening).collect()
    }

    /// The changes of alerts: time, state, and the time at which the alert was raised.
    fn alerts(texts: &[&str]) -> Vec<String> {
        let history = history_of(&run(VIEW, happenings(texts)).tables.alerts);
        let raised = |row: &Alert| row.alert_id.as_str().split([':', '.']).nth(2).map(str::to_owned).unwrap_or_default();
        history.iter().map(|(time, row, _)| format!("{time} {} {}", row.state, raised(row))).collect()
    }

    /// What happens, mark by mark, and the changes of alerts.
    const CASES: &[(&str, &[&str], &[&str])] = &[
        ("a mark that comes to the price from below crosses it", &["99", "above 100", "99.999999999", "100"], &["4 raised 4"]),
        ("a mark that stays below crosses nothing", &["99", "above 100", "99.999999999"], &[]),
        ("a mark that comes to the price from above crosses it", &["101", "below 100", "100.000000001", "100"], &["4 raised 4"]),
        ("a mark that jumps over the price crosses it", &["99", "above 100", "250"], &["3 raised 3"]),
        ("the first mark is no crossing", &["above 100", "101", "102"], &[]),
        ("a price that the mark has reached already is no crossing", &["100", "above 100", "101"], &[]),
        ("a mark that was beyond the price comes back, then crosses", &["101", "above 100", "99.999999999", "100"], &["4 raised 4"]),
        ("the first mark below the price arms it", &["above 100", "99", "100"], &["3 raised 3"]),
        (
            "a mark that swings by less than half a percent crosses once",
            &["99", "above 100", "100", "99.500000001", "100"],
            &["3 raised 3"],
        ),
        (
            "a mark that comes back by half a percent clears the alert, and can cross again",
            &["99", "above 100", "100", "99.5", "100"],
            &["3 raised 3", "4 cleared 3", "5 raised 5"],
        ),
        (
            "the same from above",
            &["101", "below 100", "100", "100.499999999", "100", "100.5", "99"],
            &["3 raised 3", "6 cleared 3", "7 raised 7"],
        ),
        ("a deleted watch clears its alert", &["99", "above 100", "101", "delete", "99", "101"], &["3 raised 3", "4 cleared 3"]),
        ("a deletion of nothing changes nothing", &["delete", "99", "101"], &[]),
        (
            "another price clears the alert, and is watched from the mark of that moment",
            &["99", "above 100", "101", "above 102", "101.9", "102"],
            &["3 raised 3", "4 cleared 3", "6 raised 6"],
        ),
        ("a repeated record changes nothing", &["99", "above 100", "101", "above 100", "100.1", "101"], &["3 raised 3"]),
        ("an older record changes nothing", &["99", "above 100@3", "above 98@2", "99.5", "above 98", "100"], &["6 raised 6"]),
        ("of equal times the later place wins", &["99", "above 100@3", "above 110@3", "100"], &[]),
        (
            "prices below zero cross, too",
            &["-40", "above -37.63", "-37.63", "-37.8", "-37.818150001", "-37"],
            &["3 raised 3", "5 cleared 3", "6 raised 6"],
        ),
        (
            "a price of zero has the smallest hysteresis",
            &["-1", "above 0", "0", "-0.000000001", "0"],
            &["3 raised 3", "4 cleared 3", "5 raised 5"],
        ),
    ];

    #[test]
    fn an_alert_is_raised_at_each_crossing() {
        for (name, texts, expected) in CASES {
            assert_eq!(alerts(texts), *expected, "{name}");
        }
    }

    #[test]
    fn a_restart_anywhere_changes_nothing() {
        for (name, texts, _) in CASES {
            let whole = run(VIEW, happenings(texts));
            for cut in 0..=texts.len() {
                let resumed = run_with_restart(VIEW, happenings(texts), cut);
                assert_eq!(history_of(&whole.tables.alerts), history_of(&resumed.tables.alerts), "{name}, cut at {cut}");
                assert_eq!(rows_of(&whole.tables.price_watches), rows_of(&resumed.tables.price_watches), "{name}, cut at {cut}");
            }
        }
    }

    #[test]
    fn a_price_that_comes_late_is_the_reason_of_the_alerts_it_changes() {
        let correction = Correction::Late { topic: Topic::Quotes, id: symbol().to_id(), lateness: Nanos::new(5) };
        let mut happenings = happenings(&["99", "above 100", "101"]);
        if let Some(Happening::Event(PriceEvent::Mark(MarkEvent::Moved { correction: late, .. }))) =
            happenings.last_mut().map(|happening| &mut happening.event)
        {
            *late = Some(Box::new(correction.clone()));
        }
        let changes = run(VIEW, happenings).tables.alerts.changes();
        let reasons: Vec<_> = changes.into_iter().map(|change| change.why).collect();
        assert_eq!(reasons, [[correction].into_iter().collect()]);
    }

    #[test]
    fn the_deletion_of_a_key_with_several_separators_ends_every_watch_of_that_key() {
        let text = |event: PriceEvent| match event {
            PriceEvent::Unwatched { customer_id, symbol } => format!("{customer_id} {symbol}"),
            PriceEvent::Mark(_) => String::new(),
        };
        assert_eq!(PriceEvent::unwatched("a|b|c").map(text).collect::<Vec<_>>(), ["a b|c", "a|b c"]);
        assert_eq!(PriceEvent::unwatched("abc").count(), 0);
    }

    /// The times of crossings by comparing each mark with the watched price.
    fn crossings(direction: Direction, price: i64, marks: &[i64]) -> Vec<u64> {
        let sign = if direction == Direction::Above { 1 } else { -1 };
        let (mut is_armed, mut has_crossed, mut times) = (false, false, Vec::new());
        for (time, mark) in (2..).zip(marks) {
            // Hundredths, so that half a percent of the price is exact in twenty-thousandths.
            let distance = sign * (mark - price);
            let is_back = if has_crossed { distance * 200 <= -price.abs() && distance < 0 } else { distance < 0 };
            if is_armed && distance >= 0 {
                times.push(time);
                (is_armed, has_crossed) = (false, true);
            } else if is_back {
                is_armed = true;
            }
        }
        times
    }

    proptest! {
        #[test]
        fn crossings_are_those_of_comparing_every_mark(
            direction in prop_oneof![Just(Direction::Above), Just(Direction::Below)],
            price in 9_990..10_010_i64,
            marks in proptest::collection::vec(9_900..10_100_i64, 1..60),
            cut in 0..60_usize,
        ) {
            let hundredths = |number: i64| format!("{}.{:02}", number / 100, number % 100);
            let texts: Vec<String> = std::iter::once(format!("{direction} {}", hundredths(price))).chain(marks.iter().map(|mark| hundredths(*mark))).collect();
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            let raised: Vec<Tick> = history_of(&run_with_restart(VIEW, happenings(&texts), cut).tables.alerts)
                .into_iter()
                .filter(|(_, row, _)| row.state == AlertState::Raised)
                .map(|(time, ..)| time)
                .collect();
            let expected: Vec<_> = crossings(direction, price, &marks).into_iter().map(Tick::new).collect();
            prop_assert_eq!(raised, expected);
        }
    }
}
