//! Filter of figures that limits have to receive.
//!
//! A figure below all limits of its kind, and below the level at which alerts clear, changes no alert unless one stands. The
//! first such figure after a higher one clears the alert; the following ones are not sent. So of a million figures far below
//! their limits none leaves the worker.

use headwater_schemas::Placed;
use headwater_schemas::events::{Event, LimitKind, LimitScope};

use crate::valuation::limits::{Compared, ExposureLimits, Figure, LimitDefaults, SetLimits, Terms, learn_limit};

/// The kinds of limits whose figures come from the valuation.
const KINDS: [LimitKind; 5] =
    [LimitKind::PositionValue, LimitKind::GrossExposure, LimitKind::Leverage, LimitKind::Concentration, LimitKind::Var];

/// The limits, as far as they determine whether a figure is sent.
#[derive(Debug)]
pub(super) struct LimitWatch {
    limits: ExposureLimits,
    set: SetLimits,
    floors: Vec<(LimitKind, i128)>,
    /// Whether a limit of a customer was set.
    has_customers: bool,
    /// Number of changes of limits.
    generation: u32,
    has_changed: bool,
}

/// What was sent of a figure since a limit changed last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Quiet {
    generation: u32,
    seen: Seen,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Seen {
    /// Its last value was sent and was below the floor: no alert can stand.
    #[default]
    Low,
    /// Its last value was sent as incomplete: a standing alert stays.
    Incomplete,
    /// It was sent as missing: an alert stands.
    Missing,
}

impl LimitWatch {
    /// With the default limits only.
    pub(super) fn new(defaults: LimitDefaults) -> Self {
        let limits = ExposureLimits { defaults };
        let mut watch =
            Self { limits, set: SetLimits::default(), floors: Vec::new(), has_customers: false, generation: 0, has_changed: true };
        watch.refresh();
        watch
    }

    /// Applies a limit that was set or deleted, or an account's customer, effective from [`LimitWatch::refresh`] on.
    pub(super) fn learn(&mut self, event: Placed<Event>) {
        match &event.event {
            // Of another customer other limits may apply, if there are any of customers.
            Event::Account(_) if !self.has_customers => return,
            Event::Limit(limit) => self.has_customers |= matches!(limit.scope, LimitScope::Customer(_)),
            _ => {}
        }
        learn_limit(&mut self.set, event.event);
        self.has_changed = true;
    }

    /// Applies changes of limits: every figure is then compared, and sent once. Returns whether there were any.
    pub(super) fn refresh(&mut self) -> bool {
        let has_changed = std::mem::take(&mut self.has_changed);
        if has_changed {
            self.forget();
            self.floors = KINDS.into_iter().filter_map(|kind| Some((kind, self.floor(kind)?))).collect();
        }
        has_changed
    }

    /// Forgets what was sent, where that is unknown or was not delivered: every figure is sent once more.
    pub(super) const fn forget(&mut self) {
        self.generation += 1;
    }

    /// The level below which no alert is raised or stays, whatever the scope.
    fn floor(&self, kind: LimitKind) -> Option<i128> {
        let suffix = format!("|{kind}");
        let set = self.set.iter().filter(|(key, _)| key.ends_with(&suffix)).map(|(_, limit)| limit.terms());
        set.chain(self.limits.defaults.terms(kind)).map(Terms::floor).min()
    }

    /// Whether the limits have to receive a figure.
    pub(super) fn must_see(&self, kind: LimitKind, compared: Compared, quiet: &mut Quiet) -> bool {
        let floor = self.floors.iter().find(|(floor_of, _)| *floor_of == kind).map(|(_, floor)| *floor);
        let is_high = match compared.figure {
            Figure::Is(value) => floor.is_some_and(|floor| value.units().abs() >= floor),
            Figure::NoEquity => true,
            Figure::Missing => false,
        };
        if is_high {
            *quiet = Quiet::default();
            return true;
        }
        let seen = match compared.figure {
            Figure::Missing => Seen::Missing,
            _ if compared.can_clear() => Seen::Low,
            _ => Seen::Incomplete,
        };
        let now = Quiet { generation: self.generation, seen };
        // Where no alert can stand, no state is kept.
        let is_low = *quiet == Quiet { seen: Seen::Low, ..now };
        if *quiet == now || (is_low && seen == Seen::Incomplete) {
            return false;
        }
        *quiet = now;
        true
    }
}

#[cfg(test)]
mod tests {
    use headwater_schemas::{Decimal, EffectiveTime, Offset, Place, Topic};

    use super::*;

    fn limit(text: &str) -> Placed<Event> {
        let event = Event::decode(Topic::Limits, None, Some(text.as_bytes())).expect("a limit");
        Placed { place: Place::of_record(EffectiveTime::ZERO, Topic::Limits, 0, Offset::ZERO), event }
    }

    #[test]
    fn a_figure_is_sent_while_it_can_change_an_alert() {
        let mut watch = LimitWatch::new(LimitDefaults::default());
        let mut quiet = Quiet::default();
        let figure = |value: i64| Compared::whole(Figure::Is(Decimal::whole(value)));
        let mut sent = |watch: &LimitWatch, value: i64| watch.must_see(LimitKind::PositionValue, figure(value), &mut quiet);
        // A million is the default: alerts are cleared below 750,000.
        for (value, expected) in [(10, true), (20, false), (750_000, true), (-800_000, true), (749_999, true), (749_998, false)] {
            assert_eq!(sent(&watch, value), expected, "{value}");
        }
        watch.learn(limit(r#"{"scope":"account:a","kind":"position_value","value":100,"warn_at":0.5}"#));
        watch.refresh();
        // A warning at 50 clears below 46.875.
        for (value, expected) in [(10, true), (10, false), (50, true), (49, true), (49, true), (46, true), (46, false)] {
            assert_eq!(sent(&watch, value), expected, "{value} with a limit of 100");
        }
    }

    #[test]
    fn without_a_limit_a_figure_is_sent_once_so_that_an_alert_of_an_earlier_limit_clears() {
        let mut watch = LimitWatch::new(LimitDefaults::default());
        let mut quiet = Quiet::default();
        let figure = |value: i64| Compared::whole(Figure::Is(Decimal::whole(value)));
        let mut sent = |watch: &LimitWatch, value: i64| watch.must_see(LimitKind::GrossExposure, figure(value), &mut quiet);
        assert!(sent(&watch, 1_000_000_000), "what was sent before a restart is not known");
        assert!(!sent(&watch, 2_000_000_000));
        watch.learn(limit(r#"{"scope":"book:firm","kind":"gross_exposure","value":100}"#));
        watch.refresh();
        assert!(sent(&watch, 1));
        let deleted = Event::decode(Topic::Limits, Some(b"book:firm|gross_exposure"), None).expect("a deletion");
        watch.learn(Placed { event: deleted, ..limit(r#"{"scope":"default","kind":"var","value":1}"#) });
        watch.refresh();
        assert!(sent(&watch, 1_000_000_000));
        assert!(!sent(&watch, 2_000_000_000));
    }

    #[test]
    fn figures_are_sent_again_when_an_account_has_another_customer_and_customers_have_limits() {
        let account = Event::decode(
            Topic::Accounts,
            None,
            Some(br#"{"type":"updated","account_id":"a","customer_id":"d","ts":"2026-01-05T10:00:00Z"}"#),
        );
        let account = Placed { event: account.expect("an account"), ..limit(r#"{"scope":"default","kind":"var","value":1}"#) };
        let mut watch = LimitWatch::new(LimitDefaults::default());
        watch.learn(account.clone());
        assert!(!watch.refresh(), "no customer has a limit");
        watch.learn(limit(r#"{"scope":"customer:d","kind":"gross_exposure","value":100}"#));
        assert!(watch.refresh());
        watch.learn(account);
        assert!(watch.refresh());
    }

    #[test]
    fn what_is_missing_or_leaves_something_out_is_sent_once_where_an_alert_may_stand() {
        let watch = LimitWatch::new(LimitDefaults::default());
        let mut quiet = Quiet::default();
        let is = |value: i64, is_whole| Compared { figure: Figure::Is(Decimal::whole(value)), is_whole };
        let missing = Compared::whole(Figure::Missing);
        let steps = [(is(10, false), true), (is(11, false), false), (missing, true), (is(10, true), true), (is(10, false), false)];
        let more = [(is(800_000, false), true), (missing, true), (is(800_000, true), true), (is(10, true), true), (missing, true)];
        for (number, (compared, expected)) in steps.into_iter().chain(more).enumerate() {
            assert_eq!(watch.must_see(LimitKind::PositionValue, compared, &mut quiet), expected, "step {number}");
        }
    }
}
