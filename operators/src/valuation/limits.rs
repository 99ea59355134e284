//! Exposure limits and their alerts.
//!
//! A measure of a scope (the value of a position, gross exposure, leverage, the greatest weight, VaR) is held against
//! the scope's limit, else the default. At `warn_at` of the limit a warning is raised, above the limit a breach; only
//! below 75 % of it the alert is cleared, so that a measure that swings around its limit raises one alert, not many.
//!
//! - **Key**: scope, kind and symbol. **Rows**: alerts. **State**: the alert that stands. **Ties**: measures come from the
//!   grid, one per key and grid point.
//! - A breach of a position's value proposes a reduction by half in its evidence; it does not trade.

use headwater_schemas::events::{Event, LimitKind, LimitScope};
use headwater_schemas::tables::{Alert, AlertKind, AlertState, LimitAlertState, Moment, Severity};
use headwater_schemas::value::fixed;
use headwater_schemas::{Corrections, Decimal, EventTime, Id, Placed, Scope, Symbol, Text};
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use super::grid::point_of;
use crate::keyed_fold::{Outbox, View};

/// Where an alert is cleared: this part of the limit.
pub(super) const CLEAR_BELOW: i128 = 750_000_000;
/// Where a warning is raised if the limit does not say.
pub(super) const WARN_AT: i128 = 800_000_000;

/// A figure that may have a limit.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Measure {
    /// `account:ID` or `book:PATH`.
    pub scope: Scope,
    /// What it is.
    pub kind: LimitKind,
    /// The position's symbol, for a position's value; the heaviest one, for concentration.
    pub symbol: Option<Symbol>,
    /// The figure: money, or a fraction.
    pub value: Decimal,
}

/// What happens to a figure at a grid point.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MeasureEvent {
    /// It is this now.
    Measured(Measure),
    /// Something below it was corrected.
    Corrected(MeasureKey, Corrections),
}

/// Limits for what has none of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LimitDefaults {
    /// Of one position's market value, in the account's currency. Default 1 000 000.
    #[serde(with = "headwater_schemas::value::decimal_text")]
    pub position_value: Decimal,
    /// Of gross exposure; none by default.
    #[serde(with = "headwater_schemas::value::decimal_text")]
    pub gross_exposure: Option<Decimal>,
    /// Of gross exposure over equity. Default 3.
    #[serde(with = "headwater_schemas::value::decimal_text")]
    pub leverage: Decimal,
    /// Of the greatest weight. Default 0.25.
    #[serde(with = "headwater_schemas::value::decimal_text")]
    pub concentration: Decimal,
    /// Of the one-day 95 % VaR. Default 50 000.
    #[serde(with = "headwater_schemas::value::decimal_text")]
    pub var: Decimal,
}

impl Default for LimitDefaults {
    fn default() -> Self {
        let whole = |number: i64| Decimal::whole(number);
        Self {
            position_value: whole(1_000_000),
            gross_exposure: None,
            leverage: whole(3),
            concentration: Decimal::from_units(250_000_000),
            var: whole(50_000),
        }
    }
}

impl Measure {
    /// What it is of.
    pub fn key(&self) -> MeasureKey {
        // Which symbol is the heaviest may change; the concentration is the scope's.
        let symbol = self.symbol.filter(|_| self.kind == LimitKind::PositionValue);
        (self.scope, self.kind, symbol)
    }
}

impl LimitDefaults {
    pub(super) fn of(&self, kind: LimitKind) -> Option<Decimal> {
        match kind {
            LimitKind::PositionValue => Some(self.position_value),
            LimitKind::GrossExposure => self.gross_exposure,
            LimitKind::Leverage => Some(self.leverage),
            LimitKind::Concentration => Some(self.concentration),
            LimitKind::Var => Some(self.var),
            _ => None,
        }
    }
}

/// The limits that were set, by scope and kind: value and warning level.
pub type SetLimits = FxHashMap<Text, (Decimal, Option<Decimal>)>;

/// The view.
#[derive(Clone, Debug)]
pub struct ExposureLimits {
    /// Limits for what has none of its own.
    pub defaults: LimitDefaults,
}

/// What a measure is of.
pub type MeasureKey = (Scope, LimitKind, Option<Symbol>);

/// The alert that is raised for a measure.
#[derive(Clone, Debug, Default)]
pub struct LimitState {
    standing: Option<Alert>,
    /// Alerts that are to be emitted, each as it is now.
    now: Vec<Alert>,
    emitted_standing: Option<LimitAlertState>,
}

headwater_schemas::table_set! {
    /// The tables of limits.
    pub struct LimitTables restored from SavedLimits {
        restored { limit_alerts: LimitAlertState, alerts: Alert }
    }
}

/// Which measure the alert that stands belongs to.
fn standing((scope, kind, symbol): &MeasureKey, state: &LimitState) -> Option<LimitAlertState> {
    let alert = state.standing.as_ref()?;
    let alert_id = alert.alert_id.clone();
    Some(LimitAlertState { alert_id, scope: *scope, kind: *kind, symbol: *symbol, ts: alert.ts })
}

crate::fold_operator!(ExposureLimits);

impl View for ExposureLimits {
    type Key = MeasureKey;
    type Route = Scope;
    type Event = MeasureEvent;
    type Broadcast = Event;
    type Context = SetLimits;
    type State = LimitState;
    type Timer = ();
    type Tables = LimitTables;
    type Derived = ();
    type Update = ();

    fn key(&self, event: &MeasureEvent) -> MeasureKey {
        match event {
            MeasureEvent::Measured(measure) => measure.key(),
            MeasureEvent::Corrected(key, _) => *key,
        }
    }

    fn route((scope, ..): &MeasureKey) -> Scope {
        *scope
    }

    fn learn(&self, limits: &mut SetLimits, broadcast: Placed<Event>) {
        match broadcast.event {
            Event::Limit(limit) => {
                limits.insert(limit_key(&limit.scope.to_string(), limit.kind), (limit.value, limit.warn_at));
            }
            Event::Deleted(deleted) if deleted.rank == headwater_schemas::Topic::Limits.rank() => {
                limits.remove(&deleted.key);
            }
            _ => {}
        }
    }

    fn apply(&self, limits: &SetLimits, _: &MeasureKey, state: &mut LimitState, placed: Placed<MeasureEvent>, out: &mut Outbox<'_, Self>) {
        let measure = match placed.event {
            MeasureEvent::Measured(measure) => measure,
            MeasureEvent::Corrected(_, corrections) => return corrections.into_iter().for_each(|correction| out.correct(correction)),
        };
        let Some((limit, warn_at)) = self.limit_of(limits, &measure) else { return };
        let level = level(measure.value, limit, warn_at);
        let ts = point_of(placed.place);
        let next = match (&state.standing, level) {
            (None, Level::Below | Level::Between) | (Some(_), Level::Between) => return,
            (None, Level::Warning | Level::Breach) => alert(&measure, limit, level, ts, None),
            (Some(standing), Level::Below) => {
                Alert { state: AlertState::Cleared, message: message(&measure, limit, level), ts, ..standing.clone() }
            }
            (Some(standing), Level::Warning | Level::Breach) if severity(level) == standing.severity => return,
            (Some(standing), Level::Warning | Level::Breach) => alert(&measure, limit, level, ts, Some(standing)),
        };
        state.standing = (next.state != AlertState::Cleared).then(|| next.clone());
        state.now.retain(|alert| alert.alert_id != next.alert_id);
        state.now.push(next);
    }

    fn emit(&self, _: &SetLimits, key: &MeasureKey, state: &mut LimitState, at: &Moment, tables: &LimitTables) {
        let now = standing(key, state);
        tables.limit_alerts.replace(at, state.emitted_standing.take(), now.clone());
        state.emitted_standing = now;
        state.now.drain(..).for_each(|alert| tables.alerts.insert(at, alert));
    }

    fn is_forgettable(&self, state: &LimitState) -> bool {
        state.standing.is_none()
    }

    fn restore(&self, saved: &SavedLimits, is_mine: &dyn Fn(&MeasureKey) -> bool) -> Vec<(MeasureKey, LimitState)> {
        let state = |row: &LimitAlertState| {
            let key = (row.scope, row.kind, row.symbol);
            // Both tables were written in one commit.
            let found = saved.alerts.binary_search_by(|alert| alert.alert_id.cmp(&row.alert_id)).ok();
            let alert = found.and_then(|index| saved.alerts.get(index)).filter(|_| is_mine(&key))?;
            Some((key, LimitState { standing: Some(alert.clone()), now: Vec::new(), emitted_standing: Some(row.clone()) }))
        };
        saved.limit_alerts.iter().filter_map(state).collect()
    }
}

impl ExposureLimits {
    fn limit_of(&self, limits: &SetLimits, measure: &Measure) -> Option<(Decimal, Option<Decimal>)> {
        let own = |scope: &str| limits.get(&limit_key(scope, measure.kind)).copied();
        let by_symbol = measure
            .symbol
            .as_ref()
            .filter(|_| measure.kind == LimitKind::PositionValue)
            .and_then(|symbol| own(&format!("symbol:{symbol}")));
        own(&measure.scope)
            .or(by_symbol)
            .or_else(|| own(&LimitScope::Default.to_string()))
            .or_else(|| self.defaults.of(measure.kind).map(|limit| (limit, None)))
    }
}

fn limit_key(scope: &str, kind: LimitKind) -> Text {
    Text::from(format!("{scope}|{kind}"))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Level {
    Below,
    Between,
    Warning,
    Breach,
}

/// Where a figure stands against its limit. Figures are compared by magnitude: a short position is exposure too.
fn level(value: Decimal, limit: Decimal, warn_at: Option<Decimal>) -> Level {
    let value = value.units().abs();
    let part = |fraction: i128| fixed::product(limit.units(), fraction).unwrap_or(limit.units());
    if value > limit.units() {
        Level::Breach
    } else if value >= part(warn_at.map_or(WARN_AT, Decimal::units)) {
        Level::Warning
    } else if value < part(CLEAR_BELOW) {
        Level::Below
    } else {
        Level::Between
    }
}

const fn severity(level: Level) -> Severity {
    match level {
        Level::Breach => Severity::High,
        _ => Severity::Medium,
    }
}

fn message(measure: &Measure, limit: Decimal, level: Level) -> Text {
    let what = match &measure.symbol {
        Some(symbol) => format!("{} of {} ({symbol})", measure.kind, measure.scope),
        None => format!("{} of {}", measure.kind, measure.scope),
    };
    let verdict = match level {
        Level::Breach => "exceeds",
        Level::Warning => "comes near",
        Level::Below | Level::Between => "is back below 75 % of",
    };
    Text::from(format!("{what} is {}, which {verdict} the limit of {limit}", measure.value))
}

fn alert(measure: &Measure, limit: Decimal, level: Level, ts: EventTime, standing: Option<&Alert>) -> Alert {
    let subject = match measure.symbol.as_ref().filter(|_| measure.kind == LimitKind::PositionValue) {
        Some(symbol) => Id::derived(format!("{}|{symbol}", measure.scope)),
        None => measure.scope.to_id(),
    };
    let id = || Id::shortened(&format!("limit:{}:{subject}:{}", measure.kind, ts.nanos()));
    let mut evidence: Vec<Id> = measure.symbol.map(Symbol::to_id).into_iter().collect();
    if level == Level::Breach && measure.kind == LimitKind::PositionValue {
        evidence.push(Id::derived("propose:reduce_by_50_percent"));
    }
    Alert {
        alert_id: standing.map_or_else(id, |standing| standing.alert_id.clone()),
        kind: if measure.kind == LimitKind::Var { AlertKind::Risk } else { AlertKind::Limit },
        rule: Text::new(measure.kind.as_str()),
        severity: severity(level),
        message: message(measure, limit, level),
        subject,
        state: if standing.is_some() { AlertState::Amended } else { AlertState::Raised },
        evidence,
        ts,
    }
}

#[cfg(test)]
mod tests {
    use headwater_schemas::tables::Change;
    use headwater_schemas::{Place, Topic};
    use proptest::prelude::*;

    use super::*;
    use crate::testing::{Happening, Happenings, history_of, rows_of, run, run_with_restart};

    fn measures(values: &[i64]) -> Happenings<ExposureLimits> {
        let happening = |(time, value): (u64, &i64)| {
            let event =
                Measure { scope: Scope::derived("account:a"), kind: LimitKind::GrossExposure, symbol: None, value: Decimal::whole(*value) };
            let place = Place { time, rank: 200, partition: 0, offset: 0, sequence: 0, is_late: false };
            Placed { place, event: Happening::Event(MeasureEvent::Measured(event)) }
        };
        (1..).zip(values).map(happening).collect()
    }

    fn limit(value: i64) -> Placed<Happening<Event, MeasureEvent>> {
        let text = format!(r#"{{"scope":"account:a","kind":"gross_exposure","value":{value}}}"#);
        let event = Event::decode(Topic::Limits, None, Some(text.as_bytes())).expect("a limit");
        Placed { place: Place::of_record(0, Topic::Limits, 0, 0), event: Happening::Broadcast(event) }
    }

    fn view() -> ExposureLimits {
        ExposureLimits { defaults: LimitDefaults::default() }
    }

    #[test]
    fn an_alert_is_raised_amended_and_cleared_with_hysteresis() {
        let mut happenings = measures(&[79, 80, 100, 101, 90, 76, 75, 74, 74, 101, -101]);
        happenings.push(limit(100));
        let said = run(view(), happenings);
        let text = |change: &Change<Alert>| {
            let Change { row, tick, .. } = change;
            format!("{tick} {} {} {}", row.alert_id, row.state, row.severity)
        };
        let changes: Vec<_> = said.tables.alerts.changes().iter().map(text).collect();
        // What is measured at the last moment before a grid point is told with the grid point's time.
        let id = |time: u64| format!("limit:gross_exposure:account:a:{}", time + 1);
        let expected = [
            format!("2 {} raised medium", id(2)),
            format!("4 {} amended high", id(2)),
            format!("5 {} amended medium", id(2)),
            format!("8 {} cleared medium", id(2)),
            format!("10 {} raised high", id(10)),
        ];
        assert_eq!(changes, expected);
        // Two alerts, and the measure of the one that stands.
        assert_eq!((rows_of(&said.tables.alerts).len(), rows_of(&said.tables.limit_alerts).len()), (2, 1));
    }

    #[test]
    fn without_a_limit_there_is_no_alert() {
        let tables = run(view(), measures(&[1_000_000_000])).tables;
        assert!(tables.alerts.changes().is_empty() && tables.limit_alerts.changes().is_empty());
    }

    proptest! {
        #[test]
        fn a_restart_in_the_middle_changes_nothing(values in proptest::collection::vec(50..120_i64, 1..40), cut in 1..40_usize) {
            let mut happenings = measures(&values);
            happenings.push(limit(100));
            let (whole, resumed) = (run(view(), happenings.clone()), run_with_restart(view(), happenings, cut));
            prop_assert_eq!(history_of(&whole.tables.alerts), history_of(&resumed.tables.alerts));
            prop_assert_eq!(history_of(&whole.tables.limit_alerts), history_of(&resumed.tables.limit_alerts));
        }
    }
}
