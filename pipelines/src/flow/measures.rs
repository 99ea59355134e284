//! The figures that are held against limits.

use headwater_operators::valuation::limits::MeasureKey;
use headwater_operators::valuation::{Measure, ScopeValue};
use headwater_schemas::events::LimitKind;
use headwater_schemas::tables::{Position, Risk, RiskMethod};
use headwater_schemas::{Decimal, Id, Placed, Statistic};

fn measure(place: &Placed<impl Sized>, scope: &Id, kind: LimitKind, symbol: Option<Id>, value: Decimal) -> Placed<Measure> {
    Placed { place: place.place, event: Measure { scope: scope.clone(), kind, symbol, value } }
}

/// The figures of a scope's sums that have limits.
pub(super) fn of_scope(scope: Id) -> [MeasureKey; 3] {
    [LimitKind::GrossExposure, LimitKind::Leverage, LimitKind::Concentration].map(|kind| (scope.clone(), kind, None))
}

pub(super) fn of_position(row: &Position) -> MeasureKey {
    (Id::derived(format!("account:{}", row.account_id)), LimitKind::PositionValue, Some(row.symbol.clone()))
}

pub(super) fn of_risk(row: &Risk) -> MeasureKey {
    (row.scope.clone(), LimitKind::Var, None)
}

/// Whether limits are about it: the VaR at 95 %, by the first of the configured methods.
pub(super) fn is_limited(row: &Risk, method: Option<RiskMethod>) -> bool {
    Some(row.method) == method && (row.confidence.value() - 0.95).abs() < 1e-9
}

pub(super) fn measures_of_scope(value: Placed<ScopeValue>) -> Vec<Placed<Measure>> {
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

pub(super) fn measure_of_position(position: Placed<Position>) -> Option<Placed<Measure>> {
    let row = &position.event;
    let (scope, kind, symbol) = of_position(row);
    let value = Decimal::from_units(row.market_value?.units());
    Some(measure(&position, &scope, kind, symbol, value))
}

pub(super) fn measure_of_risk(risk: &Placed<Risk>) -> Placed<Measure> {
    let row = &risk.event;
    let loss = Decimal::from_units(row.var.units().max(0));
    measure(risk, &row.scope, LimitKind::Var, None, loss)
}

/// A ratio as a decimal with nine digits, to be compared with a limit. Beyond 18 digits it is as good as infinite.
#[expect(clippy::cast_possible_truncation, reason = "bounded just before")]
fn fraction(ratio: f64) -> Decimal {
    Decimal::from_units((ratio.clamp(-1e18, 1e18) * 1e9).round_ties_even() as i128)
}
