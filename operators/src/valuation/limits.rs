//! Exposure limits and their alerts.
//!
//! A figure of a scope (the value of a position, gross exposure, leverage, the greatest weight, VaR) is compared with the scope's
//! limit. Without one, a figure of an account is compared with the limit of its customer; the value of a position before that with
//! the limit of its symbol, and after it with that of the account's book or the nearest one above; else with the default.
//!
//! At `warn_at` of the limit a warning is raised, above the limit a breach. The alert clears only below 75 % of the limit, or below
//! 15/16 of a warning level that is lower than 80 %, so that a figure that swings around either raises one alert, not many. From
//! where a figure is not yet that low, the alert stays as a warning, also of a figure that exceeded the limit just before.
//!
//! - **Key**: scope, kind and symbol. **Rows**: alerts. **State**: the standing alert. **Ties**: figures come from the grid, one
//!   per key and grid point.
//! - Gross exposure without equity is a critical breach of leverage, whatever the limit.
//! - A missing or incomplete figure clears nothing: the alert stays, amended with the reason. If none stands, a missing figure of
//!   a scope with positions raises an alert of kind `feed`, until there is a figure again.
//! - A breach of a position's value proposes in its evidence to halve the position; no trade is made.

use headwater_schemas::events::{Event, LimitKind, LimitScope};
use headwater_schemas::tables::{Alert, AlertKind, AlertState, LimitAlertState, Moment, Severity};
use headwater_schemas::value::fixed;
use headwater_schemas::{AccountId, Corrections, Decimal, EventTime, Id, Placed, Scope, Symbol, Text};
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use super::grid::point_of;
use crate::keyed_fold::{Outbox, States, View};
use crate::newest;
use crate::reference::{Account, Reference};

/// The greatest fraction of the limit below which an alert clears, in billionths.
const CLEAR_BELOW: i128 = 750_000_000;
/// Default of `warn_at`, in billionths of the limit.
const WARN_AT: i128 = 800_000_000;

/// The terms of a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Terms {
    limit: Decimal,
    /// The fraction of it at which to warn, in billionths.
    warn_at: i128,
    /// The fraction of it below which an alert clears, in billionths: lower than that at which it is raised, so that a figure that
    /// swings around either raises one alert.
    clear_below: i128,
}

impl Terms {
    fn of(limit: Decimal, warn_at: Option<Decimal>) -> Self {
        let warn_at = warn_at.map_or(WARN_AT, Decimal::units);
        // As far below the warning as by default.
        let below = fixed::quotient(warn_at, CLEAR_BELOW, WARN_AT).unwrap_or(CLEAR_BELOW);
        Self { limit, warn_at, clear_below: below.min(CLEAR_BELOW) }
    }

    fn part(self, fraction: i128) -> i128 {
        fixed::product(self.limit.units(), fraction).unwrap_or(self.limit.units())
    }

    /// The figure below which no alert is raised or stays.
    pub(super) fn floor(self) -> i128 {
        self.part(self.clear_below).min(self.part(self.warn_at)).min(self.limit.units())
    }

    /// The level of a figure. Figures are compared by magnitude: a short position is exposure, too.
    fn level(self, compared: Compared) -> Level {
        let value = match compared.figure {
            Figure::Is(value) => value.units().abs(),
            Figure::NoEquity => return Level::Boundless,
            Figure::Missing => return Level::Unknown,
        };
        let below = if compared.is_whole { Level::Below } else { Level::Unknown };
        if value == 0 {
            // Also below a limit of zero.
            below
        } else if value > self.limit.units() {
            Level::Breach
        } else if value >= self.part(self.warn_at) {
            Level::Warning
        } else if value < self.part(self.clear_below) {
            below
        } else {
            Level::Between
        }
    }

    /// The fraction below which an alert clears, in percent.
    fn percent(self) -> Decimal {
        Decimal::from_units(self.clear_below.saturating_mul(100))
    }
}

/// A figure that may have a limit.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Measure {
    /// `account:ID` or `book:PATH`.
    pub scope: Scope,
    /// The kind of limit that applies to it.
    pub kind: LimitKind,
    /// The position's symbol, for a position's value; the heaviest one, for concentration.
    pub symbol: Option<Symbol>,
    /// The figure.
    pub compared: Compared,
}

/// A figure for comparison with a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Compared {
    /// The figure.
    pub figure: Figure,
    /// Whether it is complete.
    pub is_whole: bool,
}

/// A figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Figure {
    /// An amount of money, or a fraction.
    Is(Decimal),
    /// Gross exposure with equity at or below zero: beyond any leverage.
    NoEquity,
    /// It cannot be computed.
    Missing,
}

impl Compared {
    /// A complete figure.
    pub const fn whole(figure: Figure) -> Self {
        Self { figure, is_whole: true }
    }

    /// Whether it can clear an alert, if it is low enough.
    pub(super) const fn can_clear(self) -> bool {
        self.is_whole && matches!(self.figure, Figure::Is(_))
    }
}

/// An event of a figure at a grid point.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MeasureEvent {
    /// It has a new value.
    Measured(Measure),
    /// It was corrected.
    Corrected(MeasureKey, Corrections),
}

/// Default limits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LimitDefaults {
    /// For a position's market value, in the account's currency. Default 1 000 000.
    #[serde(with = "headwater_schemas::value::decimal_text")]
    pub position_value: Decimal,
    /// For gross exposure; none by default.
    #[serde(with = "headwater_schemas::value::decimal_text")]
    pub gross_exposure: Option<Decimal>,
    /// For gross exposure over equity. Default 3.
    #[serde(with = "headwater_schemas::value::decimal_text")]
    pub leverage: Decimal,
    /// For the greatest weight. Default 0.25.
    #[serde(with = "headwater_schemas::value::decimal_text")]
    pub concentration: Decimal,
    /// For the one-day VaR at `risk.limit_confidence`. Default 50 000.
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
    /// The key of the figure.
    pub fn key(&self) -> MeasureKey {
        // The concentration is the scope's, whichever symbol is the heaviest.
        let symbol = self.symbol.filter(|_| self.kind == LimitKind::PositionValue);
        (self.scope, self.kind, symbol)
    }

    /// Whether it is a missing figure of a scope. A position without a value has a row that shows it.
    fn is_missing(&self) -> bool {
        self.compared.figure == Figure::Missing && self.kind != LimitKind::PositionValue
    }
}

impl LimitDefaults {
    /// What is wrong with them: below zero, every figure is a breach.
    pub fn problems(&self) -> Vec<String> {
        let limits = [
            ("position_value", Some(self.position_value)),
            ("gross_exposure", self.gross_exposure),
            ("leverage", Some(self.leverage)),
            ("concentration", Some(self.concentration)),
            ("var", Some(self.var)),
        ];
        let negative = limits.into_iter().filter_map(|(key, limit)| Some((key, limit.filter(|limit| *limit < Decimal::ZERO)?)));
        negative.map(|(key, limit)| format!("limits.{key} is {limit}: give 0 or more")).collect()
    }

    pub(super) fn terms(&self, kind: LimitKind) -> Option<Terms> {
        self.of(kind).map(|limit| Terms::of(limit, None))
    }

    fn of(&self, kind: LimitKind) -> Option<Decimal> {
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

/// A limit that was set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SetLimit {
    value: Decimal,
    warn_at: Option<Decimal>,
    /// Its own time; a limit without one counts as the oldest.
    ts: Option<EventTime>,
}

/// The limits, by scope and kind. Of several the one with the latest time of its own counts.
pub type SetLimits = FxHashMap<Text, SetLimit>;

impl SetLimit {
    pub(super) fn terms(self) -> Terms {
        Terms::of(self.value, self.warn_at)
    }
}

/// What the view looks up: the limits that were set, and what accounts belong to.
#[derive(Clone, Debug, Default)]
pub struct LimitContext {
    set: SetLimits,
    accounts: Reference,
}

/// View of exposure limits.
#[derive(Clone, Debug)]
pub struct ExposureLimits {
    /// Default limits.
    pub defaults: LimitDefaults,
}

/// The key of a figure.
pub type MeasureKey = (Scope, LimitKind, Option<Symbol>);

/// State of a figure's alert.
#[derive(Clone, Debug, Default)]
pub struct LimitState {
    standing: Option<Alert>,
    /// Whether it stands only because the figure is incomplete.
    is_kept: bool,
    /// Alerts to be emitted, each in its latest state.
    now: Vec<Alert>,
    emitted_standing: Option<LimitAlertState>,
}

headwater_schemas::table_set! {
    /// The tables of limits.
    pub struct LimitTables restored from SavedLimits {
        restored { limit_alerts: LimitAlertState }
        written { alerts: Alert }
    }
}

/// The saved row of the standing alert.
fn standing((scope, kind, symbol): &MeasureKey, state: &LimitState) -> Option<LimitAlertState> {
    let Alert { alert_id, kind: family, rule, severity, subject, state: last, message, evidence, ts } = state.standing.clone()?;
    let (scope, kind, symbol, is_kept) = (*scope, *kind, *symbol, state.is_kept);
    Some(LimitAlertState { alert_id, family, rule, severity, subject, state: last, message, evidence, scope, kind, symbol, is_kept, ts })
}

/// The standing alert from its saved row.
fn saved_alert(row: &LimitAlertState) -> Alert {
    let LimitAlertState { alert_id, family, rule, severity, subject, state, message, evidence, ts, .. } = row.clone();
    Alert { alert_id, kind: family, rule, severity, subject, state, message, evidence, ts }
}

crate::fold_operator!(ExposureLimits);

impl View for ExposureLimits {
    type Key = MeasureKey;
    type Route = Scope;
    type Event = MeasureEvent;
    type Broadcast = Event;
    type Context = LimitContext;
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

    fn learn(&self, context: &mut LimitContext, broadcast: Placed<Event>) {
        if matches!(broadcast.event, Event::Account(_)) {
            context.accounts.learn(&broadcast.event);
        }
        learn_limit(&mut context.set, broadcast.event);
    }

    fn apply(
        &self,
        context: &LimitContext,
        _: &MeasureKey,
        state: &mut LimitState,
        placed: Placed<MeasureEvent>,
        out: &mut Outbox<'_, Self>,
    ) {
        let measure = match placed.event {
            MeasureEvent::Measured(measure) => measure,
            MeasureEvent::Corrected(_, corrections) => return corrections.into_iter().for_each(|correction| out.correct(correction)),
        };
        let ts = point_of(placed.place);
        let Some(terms) = self.limit_of(context, &measure) else {
            return state.clear(&format!("{} of {} has no limit any more", measure.kind, measure.scope), ts);
        };
        let level = terms.level(measure.compared);
        if measure.compared.figure != Figure::Missing {
            state.clear_missing(&measure, ts);
        }
        let next = match (&state.standing, level) {
            (None, Level::Unknown) if measure.is_missing() => missing(&measure, ts),
            (None, Level::Below | Level::Unknown | Level::Between) => return,
            (Some(_), Level::Unknown) if state.is_kept => return,
            (None, _) => alert(&measure, terms, level, ts, None),
            (Some(standing), Level::Below | Level::Unknown) => {
                let next = if level == Level::Below { AlertState::Cleared } else { AlertState::Amended };
                Alert { state: next, message: message(&measure, terms, level), ts, ..standing.clone() }
            }
            (Some(standing), _) if severity(level) == standing.severity && !state.is_kept => return,
            (Some(standing), _) => alert(&measure, terms, level, ts, Some(standing)),
        };
        state.is_kept = level == Level::Unknown;
        state.put(next);
    }

    fn emit(&self, _: &LimitContext, key: &MeasureKey, state: &mut LimitState, at: &Moment, tables: &LimitTables) {
        // A figure that is known again may be a breach at once: another alert, with a row of its own.
        let now = standing(key, state);
        tables.limit_alerts.replace(at, state.emitted_standing.take(), now.clone());
        state.emitted_standing = now;
        state.now.drain(..).for_each(|alert| tables.alerts.insert(at, alert));
    }

    fn is_forgettable(&self, state: &LimitState) -> bool {
        state.standing.is_none()
    }

    fn restore(&self, saved: &SavedLimits, states: &mut States<'_, Self>) {
        for row in saved.limit_alerts.iter() {
            let Some(state) = states.of(&(row.scope, row.kind, row.symbol)) else { continue };
            let standing = Some(saved_alert(row));
            *state = LimitState { standing, is_kept: row.is_kept, now: Vec::new(), emitted_standing: Some(row.clone()) };
        }
    }
}

impl LimitState {
    /// Stores the next state of an alert.
    fn put(&mut self, next: Alert) {
        self.standing = (next.state != AlertState::Cleared).then(|| next.clone());
        self.now.retain(|alert| alert.alert_id != next.alert_id);
        self.now.push(next);
    }

    /// Clears the alert about a missing figure.
    fn clear_missing(&mut self, measure: &Measure, ts: EventTime) {
        if self.standing.as_ref().is_some_and(|standing| standing.kind == AlertKind::Feed) {
            self.clear(&format!("{} of {} is known again", measure.kind, measure.scope), ts);
        }
    }

    /// Clears the standing alert.
    fn clear(&mut self, message: &str, ts: EventTime) {
        let Some(standing) = &self.standing else { return };
        let cleared = Alert { state: AlertState::Cleared, message: Text::new(message), ts, ..standing.clone() };
        self.is_kept = false;
        self.put(cleared);
    }
}

impl ExposureLimits {
    /// The limit of the narrowest scope that has one.
    fn limit_of(&self, context: &LimitContext, measure: &Measure) -> Option<Terms> {
        let of = |scope: &str| context.set.get(&limit_key(scope, measure.kind)).map(|limit| limit.terms());
        let is_position = measure.kind == LimitKind::PositionValue;
        let symbol = measure.symbol.filter(|_| is_position).map(LimitScope::Symbol);
        let account = measure.scope.strip_prefix("account:").map(AccountId::derived);
        // The limit of a book is for the sums of the book. Of an account's figures it bounds only the values of its positions.
        let above = account.and_then(|account| context.accounts.account(&account)).into_iter().flat_map(Account::scopes);
        let above = above.filter(|scope| is_position || !matches!(scope, LimitScope::Book(_)));
        let wider = symbol.into_iter().chain(above).chain([LimitScope::Default]);
        let set = of(&measure.scope).or_else(|| wider.map(|scope| scope.to_string()).find_map(|scope| of(&scope)));
        set.or_else(|| self.defaults.terms(measure.kind))
    }
}

/// Applies a limit that was set or deleted; ignores other events.
pub(super) fn learn_limit(limits: &mut SetLimits, event: Event) {
    match event {
        Event::Limit(limit) => {
            let key = limit_key(&limit.scope.to_string(), limit.kind);
            newest::put(limits, key, SetLimit { value: limit.value, warn_at: limit.warn_at, ts: limit.ts }, |limit| limit.ts);
        }
        Event::Deleted(deleted) if deleted.rank == headwater_schemas::Topic::Limits.rank() => {
            limits.remove(&deleted.key);
        }
        _ => {}
    }
}

fn limit_key(scope: &str, kind: LimitKind) -> Text {
    Text::from(format!("{scope}|{kind}"))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Level {
    Below,
    /// The figure is incomplete, so its level is unknown.
    Unknown,
    /// Below the warning, and not low enough to clear.
    Between,
    Warning,
    Breach,
    /// Beyond any limit.
    Boundless,
}

const fn severity(level: Level) -> Severity {
    match level {
        Level::Boundless => Severity::Critical,
        Level::Breach => Severity::High,
        _ => Severity::Medium,
    }
}

fn message(measure: &Measure, terms: Terms, level: Level) -> Text {
    let what = match &measure.symbol {
        Some(symbol) => format!("{} of {} ({symbol})", measure.kind, measure.scope),
        None => format!("{} of {}", measure.kind, measure.scope),
    };
    let percent = terms.percent();
    let verdict = match level {
        Level::Breach | Level::Boundless => "exceeds".to_owned(),
        Level::Warning => "comes near".to_owned(),
        Level::Between => format!("is not yet back below {percent} % of"),
        Level::Below => format!("is back below {percent} % of"),
        Level::Unknown => format!("leaves out what cannot be valued, so it is not known to be back below {percent} % of"),
    };
    let value = match measure.compared.figure {
        Figure::Is(value) if level != Level::Unknown => format!(" is {value}, which"),
        Figure::NoEquity => " has gross exposure and no equity, which".to_owned(),
        Figure::Is(_) | Figure::Missing => String::new(),
    };
    Text::from(format!("{what}{value} {verdict} the limit of {}", terms.limit))
}

fn alert(measure: &Measure, terms: Terms, level: Level, ts: EventTime, standing: Option<&Alert>) -> Alert {
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
        message: message(measure, terms, level),
        subject,
        state: if standing.is_some() { AlertState::Amended } else { AlertState::Raised },
        evidence,
        ts,
    }
}

/// The alert of a scope with positions whose figure is missing.
fn missing(measure: &Measure, ts: EventTime) -> Alert {
    let (kind, scope) = (measure.kind, measure.scope);
    let message = format!(
        "{kind} of {scope} is not known: none of its positions has a mark, a rate and closes; risk_gaps names symbols without closes"
    );
    Alert {
        alert_id: Id::shortened(&format!("feed:{kind}:{scope}:{}", ts.nanos())),
        kind: AlertKind::Feed,
        rule: Text::new(kind.as_str()),
        severity: Severity::Medium,
        message: Text::from(message),
        subject: scope.to_id(),
        state: AlertState::Raised,
        evidence: Vec::new(),
        ts,
    }
}

#[cfg(test)]
mod tests {
    use headwater_schemas::events::ErrorCode;
    use headwater_schemas::tables::Change;
    use headwater_schemas::{EffectiveTime, Offset, Place, Topic};
    use proptest::prelude::*;

    use super::*;
    use crate::testing::{Happening, Happenings, history_of, rows_of, run, run_with_restart};

    fn measures(values: &[i64]) -> Happenings<ExposureLimits> {
        let happening = |(time, value): (u64, &i64)| {
            let compared = Compared::whole(Figure::Is(Decimal::whole(*value)));
            let event = Measure { scope: Scope::derived("account:a"), kind: LimitKind::GrossExposure, symbol: None, compared };
            let place =
                Place { time: EffectiveTime::new(time), rank: 200, partition: 0, offset: Offset::ZERO, sequence: 0, is_late: false };
            Placed { place, event: Happening::Event(MeasureEvent::Measured(event)) }
        };
        (1..).zip(values).map(happening).collect()
    }

    fn limit(value: i64) -> Placed<Happening<Event, MeasureEvent>> {
        let text = format!(r#"{{"scope":"account:a","kind":"gross_exposure","value":{value}}}"#);
        let event = Event::decode(Topic::Limits, None, Some(text.as_bytes())).expect("a limit");
        Placed { place: Place::of_record(EffectiveTime::ZERO, Topic::Limits, 0, Offset::ZERO), event: Happening::Broadcast(event) }
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
        // A figure of the last moment before a grid point gets the grid point's time.
        let id = |time: u64| format!("limit:gross_exposure:account:a:{}", time + 1);
        let expected = [
            format!("2 {} raised medium", id(2)),
            format!("4 {} amended high", id(2)),
            format!("5 {} amended medium", id(2)),
            format!("8 {} cleared medium", id(2)),
            format!("10 {} raised high", id(10)),
        ];
        assert_eq!(changes, expected);
        // Two alerts, and the saved row of the standing one.
        assert_eq!((rows_of(&said.tables.alerts).len(), rows_of(&said.tables.limit_alerts).len()), (2, 1));
    }

    #[test]
    fn an_alert_is_a_warning_once_the_limit_is_not_exceeded_however_far_the_figure_falls() {
        // At 78 % the alert stays. It is no breach any more, whether or not there was a figure above 80 % in between.
        for figures in [&[101, 78, 77, 74][..], &[101, 90, 78, 74]] {
            let mut happenings = measures(figures);
            happenings.push(limit(100));
            for cut in 0..=happenings.len() {
                let alerts = run_with_restart(view(), happenings.clone(), cut).tables.alerts;
                let changes: Vec<_> =
                    history_of(&alerts).into_iter().map(|(_, row, _)| format!("{} {}", row.state, row.severity)).collect();
                assert_eq!(changes, ["raised high", "amended medium", "cleared medium"], "{figures:?}, cut at {cut}");
            }
        }
        let mut happenings = measures(&[101, 78]);
        happenings.push(limit(100));
        let messages: Vec<_> =
            run(view(), happenings).tables.alerts.changes().iter().map(|change| change.row.message.to_string()).collect();
        assert_eq!(
            messages.last().map(String::as_str),
            Some("gross_exposure of account:a is 78, which is not yet back below 75 % of the limit of 100")
        );
    }

    #[test]
    fn nothing_clears_because_a_figure_is_missing_or_leaves_something_out() {
        let whole = |value: i64| Compared::whole(Figure::Is(Decimal::whole(value)));
        let part = |value: i64| Compared { is_whole: false, ..whole(value) };
        let (missing, no_equity) = (Compared::whole(Figure::Missing), Compared::whole(Figure::NoEquity));
        // (figures against a limit of 100, resulting alerts)
        let cases: [(&str, &[Compared], &[&str]); 10] = [
            (
                "it is low without what is missing",
                &[whole(90), part(10), part(11), whole(10)],
                &["raised medium", "amended medium", "cleared medium"],
            ),
            ("it is missing", &[whole(101), missing, missing, whole(101)], &["raised high", "amended high", "amended high"]),
            ("what is there is enough for a breach", &[part(101), part(90)], &["raised high", "amended medium"]),
            (
                "what was missing is back, and it is not low enough",
                &[whole(90), part(10), whole(78)],
                &["raised medium", "amended medium", "amended medium"],
            ),
            ("no alert begins because something is left out", &[part(10), whole(10)], &[]),
            (
                "a missing figure is an alert of its own",
                &[missing, missing, part(10), missing],
                &["raised medium", "cleared medium", "raised medium"],
            ),
            (
                "a figure that comes back high",
                &[missing, whole(101), missing],
                &["raised medium", "cleared medium", "raised high", "amended high"],
            ),
            (
                "a figure that comes back high clears once",
                &[missing, whole(101), whole(10), whole(11)],
                &["raised medium", "cleared medium", "raised high", "cleared high"],
            ),
            ("exposure without equity is beyond any limit", &[no_equity, no_equity, whole(10)], &["raised critical", "cleared critical"]),
            ("a breach loses its equity", &[whole(101), no_equity, whole(101)], &["raised high", "amended critical", "amended high"]),
        ];
        for (name, figures, expected) in cases {
            let happenings = |figures: &[Compared]| {
                let mut happenings = measures(&vec![0; figures.len()]);
                for (happening, figure) in happenings.iter_mut().zip(figures) {
                    if let Happening::Event(MeasureEvent::Measured(measure)) = &mut happening.event {
                        measure.compared = *figure;
                    }
                }
                happenings.push(limit(100));
                happenings
            };
            let said = run(view(), happenings(figures));
            let changes: Vec<_> =
                said.tables.alerts.changes().iter().map(|change| format!("{} {}", change.row.state, change.row.severity)).collect();
            assert_eq!(changes, *expected, "{name}");
            let standing = rows_of(&said.tables.alerts).into_iter().filter(|alert| alert.state != AlertState::Cleared);
            let saved = rows_of(&said.tables.limit_alerts).into_iter().map(|row| row.alert_id);
            assert!(standing.map(|alert| alert.alert_id).eq(saved), "{name}: what stands is saved, and nothing else");
            for cut in 0..=figures.len() + 1 {
                let resumed = run_with_restart(view(), happenings(figures), cut);
                assert_eq!(history_of(&said.tables.alerts), history_of(&resumed.tables.alerts), "{name}, cut at {cut}");
            }
        }
    }

    #[test]
    fn an_alert_whose_limit_is_deleted_clears() {
        let deleted = Event::decode(Topic::Limits, Some(b"account:a|gross_exposure"), None).expect("a deletion");
        let place = Place::of_record(EffectiveTime::new(3), Topic::Limits, 0, Offset::ZERO);
        let mut happenings = measures(&[101, 102, 102, 500]);
        happenings.extend([limit(100), Placed { place, event: Happening::Broadcast(deleted) }]);
        for cut in 0..=happenings.len() {
            let alerts = run_with_restart(view(), happenings.clone(), cut).tables.alerts;
            let changes: Vec<_> = history_of(&alerts).into_iter().map(|(_, row, _)| format!("{} {}", row.state, row.message)).collect();
            let expected = [
                "raised gross_exposure of account:a is 101, which exceeds the limit of 100",
                "cleared gross_exposure of account:a has no limit any more",
            ];
            assert_eq!(changes, expected, "cut at {cut}");
        }
    }

    #[test]
    fn a_figure_that_swings_around_a_low_warning_raises_one_alert() {
        // (warn_at, figures against a limit of 100, states): an alert clears at 93.75 % of the warning, as with 80 and 75 %.
        for (warn_at, figures, expected) in [
            ("0.5", &[51, 49, 51, 47, 46, 51][..], &["raised", "cleared", "raised"][..]),
            ("0.9", &[91, 76, 75, 74], &["raised", "cleared"]),
            ("0", &[1, 0], &["raised", "cleared"]),
        ] {
            let text = format!(r#"{{"scope":"account:a","kind":"gross_exposure","value":100,"warn_at":{warn_at}}}"#);
            let event = Event::decode(Topic::Limits, None, Some(text.as_bytes())).expect("a limit");
            let place = Place::of_record(EffectiveTime::ZERO, Topic::Limits, 0, Offset::ZERO);
            let mut happenings = measures(figures);
            happenings.push(Placed { place, event: Happening::Broadcast(event) });
            let alerts = run(view(), happenings).tables.alerts;
            let states: Vec<_> = alerts.changes().iter().map(|change| change.row.state.to_string()).collect();
            assert_eq!(states, expected, "warn_at {warn_at}");
            if warn_at == "0.5" {
                let messages: Vec<_> = alerts.changes().iter().map(|change| change.row.message.to_string()).collect();
                assert!(
                    messages.iter().any(|message| message.ends_with("is 46, which is back below 46.875 % of the limit of 100")),
                    "{messages:?}"
                );
            }
        }
    }

    #[test]
    fn a_limit_that_nothing_can_have_is_refused() {
        for (scope, kind, is_taken) in [
            ("symbol:S", "position_value", true),
            ("symbol:S", "order_quantity", true),
            ("symbol:S", "var", false),
            ("symbol:S", "daily_transfer", false),
            ("book:firm", "position_value", true),
            ("book:firm", "leverage", true),
            ("book:firm", "transaction_amount", false),
            ("customer:c", "concentration", true),
            ("customer:c", "daily_withdrawal", true),
            ("account:a", "var", true),
            ("default", "daily_transfer", true),
        ] {
            let text = format!(r#"{{"scope":"{scope}","kind":"{kind}","value":1}}"#);
            let refused = Event::decode(Topic::Limits, None, Some(text.as_bytes())).err().map(|bad| bad.code);
            assert_eq!(refused, (!is_taken).then_some(ErrorCode::Unsupported), "{kind} of {scope}");
        }
    }

    #[test]
    fn the_limit_of_the_narrowest_scope_counts() {
        let opened = r#"{"type":"opened","account_id":"a","customer_id":"c","account_type":"investment","currency":"USD","book":"firm/desk","ts":1}"#;
        let moved = r#"{"type":"updated","account_id":"a","customer_id":"d","book":"other","ts":2}"#;
        let told = |accounts: &[&str], limits: &[(&str, i64)], kind: LimitKind| {
            let mut context = LimitContext::default();
            // A symbol has no other limit than one of positions.
            let limits = limits.iter().filter(|(scope, _)| kind == LimitKind::PositionValue || !scope.starts_with("symbol"));
            let limits = limits.map(|(scope, value)| (Topic::Limits, format!(r#"{{"scope":"{scope}","kind":"{kind}","value":{value}}}"#)));
            let accounts = accounts.iter().map(|text| (Topic::Accounts, (*text).to_owned()));
            for (topic, text) in accounts.chain(limits) {
                let event = Event::decode(topic, None, Some(text.as_bytes())).expect("an event");
                let place = Place::of_record(EffectiveTime::ZERO, topic, 0, Offset::ZERO);
                view().learn(&mut context, Placed { place, event });
            }
            context
        };
        let all = [("account:a", 7), ("symbol:S", 6), ("customer:c", 5), ("book:firm/desk", 4), ("book:firm", 3), ("default", 2)];
        let of = |accounts: &[&str], limits: &[(&str, i64)], scope: &str, kind: LimitKind| {
            let compared = Compared::whole(Figure::Is(Decimal::ZERO));
            let measure = Measure { scope: Scope::derived(scope), kind, symbol: Some(Symbol::derived("S")), compared };
            view().limit_of(&told(accounts, limits, kind), &measure).map(|terms| terms.limit)
        };
        for (number, (scope, value)) in all.iter().enumerate() {
            let from_here = &all[number..];
            assert_eq!(
                of(&[opened], from_here, "account:a", LimitKind::PositionValue),
                Some(Decimal::whole(*value)),
                "{scope} of a position"
            );
        }
        let cases = [
            ("a sum of an account has no limit of a book", vec![opened], &all[3..], "account:a", Some(2)),
            ("but of its customer", vec![opened], &all[2..], "account:a", Some(5)),
            ("another account", vec![opened], &all[..], "account:b", Some(2)),
            ("before it is opened", vec![], &all[1..], "account:a", Some(2)),
            ("after it moved", vec![opened, moved], &all[1..], "account:a", Some(2)),
            ("a book has its own", vec![opened], &all[3..], "book:firm/desk", Some(4)),
            ("and not that of a book above", vec![opened], &all[4..], "book:firm/desk", Some(2)),
            ("none", vec![opened], &[][..], "account:a", None),
        ];
        for (name, accounts, limits, scope, expected) in cases {
            assert_eq!(of(&accounts, limits, scope, LimitKind::GrossExposure), expected.map(Decimal::whole), "{name}");
        }
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
