//! The figures that are held against limits, and the alerts that come of it.

use headwater_operators::keyed_fold::{Corrected, FoldInput, Pace, keyed_fold};
use headwater_operators::valuation::limits::MeasureKey;
use headwater_operators::valuation::{ExposureLimits, LimitRow, Measure, MeasureEvent, ScopeValue};
use headwater_schemas::events::LimitKind;
use headwater_schemas::tables::{Position, Risk, RiskMethod};
use headwater_schemas::{Decimal, Id, Placed, Statistic};
use timely::dataflow::StreamVec;
use timely::dataflow::operators::vec::Map;
use timely::dataflow::operators::{Concat, Concatenate};

use super::grid::corrected_at;
use super::sinks::Sinks;
use super::{Events, FlowSettings};

/// Figures as they are at a grid point, and what was corrected below them.
type Figure<'scope, R, K> = (StreamVec<'scope, u64, Placed<R>>, Corrected<'scope, K>);

/// What may have limits.
pub(super) struct Figures<'scope> {
    pub(super) scopes: Figure<'scope, ScopeValue, Id>,
    pub(super) positions: Figure<'scope, Position, Position>,
    pub(super) risk: Figure<'scope, Risk, Risk>,
}

/// Holds figures against limits.
pub(super) fn limits<'scope>(
    figures: Figures<'scope>,
    reference: Events<'scope>,
    ends: StreamVec<'scope, u64, u64>,
    settings: &FlowSettings,
    sinks: &mut Sinks<'scope>,
) {
    let scope = reference.scope();
    let tick_interval = settings.tick_interval();
    let (scopes, corrected_scopes) = figures.scopes;
    let (positions, corrected_positions) = figures.positions;
    let (risk, corrected_risk) = figures.risk;
    let method = settings.risk.methods.first().copied();
    let measures = scope.concatenate([
        scopes.flat_map(measures_of_scope),
        positions.flat_map(measure_of_position),
        risk.flat_map(move |risk| is_limited(&risk.event, method).then(|| measure_of_risk(&risk))),
    ]);
    let corrected = scope.concatenate([
        corrected_scopes.flat_map(|(scope, tick, corrections)| of_scope(scope).map(|key| (key, tick, corrections.clone()))),
        corrected_positions.flat_map(|(row, tick, corrections)| Some((of_position(&row), tick, corrections))),
        corrected_risk.flat_map(move |(row, tick, corrections)| is_limited(&row, method).then(|| (of_risk(&row), tick, corrections))),
    ]);
    let corrected = corrected_at(corrected, tick_interval, MeasureEvent::Corrected);
    let view = ExposureLimits { defaults: settings.limits.clone() };
    let before = settings.before_with_reference(scope, &view, &settings.remembered.limits);
    let input = FoldInput {
        events: measures.map(|measure| measure.map(MeasureEvent::Measured)).concat(corrected),
        broadcasts: reference,
        ends,
        before,
    };
    let limits = keyed_fold("limits", view, input, tick_interval, Pace::Tick);
    let (alerts, standing) = (sinks.alerts(), sinks.add());
    let because = alerts.clone();
    sinks.corrected("commit limit alerts", limits.corrected, move |row, tick, corrections| match row {
        LimitRow::Alert(row) => because.because(row, tick, corrections),
        LimitRow::Standing(_) => {}
    });
    sinks.rows("commit limit alerts", limits.rows, move |row, tick, diff| match row {
        LimitRow::Alert(row) => alerts.push(row, tick, diff),
        LimitRow::Standing(row) => standing.push(row, tick, diff),
    });
}

fn measure(place: &Placed<impl Sized>, scope: &Id, kind: LimitKind, symbol: Option<Id>, value: Decimal) -> Placed<Measure> {
    Placed { place: place.place, event: Measure { scope: scope.clone(), kind, symbol, value } }
}

/// The figures of a scope's sums that have limits.
fn of_scope(scope: Id) -> [MeasureKey; 3] {
    [LimitKind::GrossExposure, LimitKind::Leverage, LimitKind::Concentration].map(|kind| (scope.clone(), kind, None))
}

fn of_position(row: &Position) -> MeasureKey {
    (Id::derived(format!("account:{}", row.account_id)), LimitKind::PositionValue, Some(row.symbol.clone()))
}

fn of_risk(row: &Risk) -> MeasureKey {
    (row.scope.clone(), LimitKind::Var, None)
}

/// Whether limits are about it: the VaR at 95 %, by the first of the configured methods.
fn is_limited(row: &Risk, method: Option<RiskMethod>) -> bool {
    Some(row.method) == method && (row.confidence.value() - 0.95).abs() < 1e-9
}

fn measures_of_scope(value: Placed<ScopeValue>) -> Vec<Placed<Measure>> {
    let scope = &value.event;
    let fraction = |statistic: Statistic| fraction(statistic.value());
    let gross = Decimal::from_units(scope.sums.gross.units());
    let mut measures = vec![measure(&value, &scope.scope, LimitKind::GrossExposure, None, gross)];
    // Without equity leverage has no value: nothing to hold against a limit, and nothing that would clear an alert.
    measures.extend(scope.sums.leverage().map(|leverage| measure(&value, &scope.scope, LimitKind::Leverage, None, fraction(leverage))));
    let (weight, symbol) = scope.heaviest.clone().map_or((Decimal::ZERO, None), |(weight, symbol)| (fraction(weight), Some(symbol)));
    measures.push(measure(&value, &scope.scope, LimitKind::Concentration, symbol, weight));
    measures
}

fn measure_of_position(position: Placed<Position>) -> Option<Placed<Measure>> {
    let row = &position.event;
    let (scope, kind, symbol) = of_position(row);
    let value = Decimal::from_units(row.market_value?.units());
    Some(measure(&position, &scope, kind, symbol, value))
}

fn measure_of_risk(risk: &Placed<Risk>) -> Placed<Measure> {
    let row = &risk.event;
    let loss = Decimal::from_units(row.var.units().max(0));
    measure(risk, &row.scope, LimitKind::Var, None, loss)
}

/// A ratio as a decimal with nine digits, to be compared with a limit. Beyond 18 digits it is as good as infinite.
#[expect(clippy::cast_possible_truncation, reason = "bounded just before")]
fn fraction(ratio: f64) -> Decimal {
    Decimal::from_units((ratio.clamp(-1e18, 1e18) * 1e9).round_ties_even() as i128)
}
