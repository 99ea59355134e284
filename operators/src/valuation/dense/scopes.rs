//! Scopes: sums of accounts and books over the parts of all workers.
//!
//! A scope's rows are a function of exact integer sums, which do not depend on the order of additions or the number of workers.
//! Peak and maximum drawdown ([`Drawdown`]) depend on the course of the P&L: they continue from the rows of the last commit, and
//! begin anew when the scope changes its currency.

use headwater_schemas::events::LimitKind;
use headwater_schemas::tables::{Moment, Portfolio, Risk, RiskComponent, StressResult, TableRow, TableWriter};
use headwater_schemas::{Corrections, Currency, Decimal, Money, Nanos, Scope, Statistic, Symbol, Text, Total};
use rustc_hash::FxHashMap;

use super::drawdown::{Drawdown, Seen};
use super::handles::{Named, ScopeHandle, SymbolHandle};
use super::part::{ScenarioChange, ScopePart, SumChange, add_stress};
use super::watch::{LimitWatch, Quiet};
use super::weights::Weights;
use super::{SavedScopes, ScopeTables, ValuationSettings};
use crate::valuation::limits::{Compared, Figure, Measure, MeasureEvent};
use crate::valuation::pnl::Totals;
use crate::valuation::risk::{Estimator, Parts, RiskSettings, StressScenario, WorstScenarios};

/// The scopes that a worker sums.
#[derive(Debug)]
pub(super) struct Scopes {
    scopes: Named<ScopeHandle, ScopeState>,
    symbols: Named<SymbolHandle, ()>,
    risk: Estimator,
    /// How long a fill can be busted, in nanoseconds of effective time.
    bust_horizon: Nanos,
    pub(super) watch: LimitWatch,
    tables: ScopeTables,
    touched: Vec<ScopeHandle>,
}

/// A scope.
#[derive(Debug, Default)]
struct ScopeState {
    currency: Currency,
    sums: SumChange,
    weights: Weights,
    scenarios: ScenarioChange,
    /// Of an account, what its symbols add to its estimates.
    symbols: Vec<Vec<RiskComponent>>,
    /// Of a book, the scenario P&L of the scopes right below it.
    children: FxHashMap<Scope, ScenarioChange>,
    /// The P&L in each stress scenario, in billionths.
    stress: Vec<i128>,
    drawdown: Drawdown,
    portfolio: Option<Portfolio>,
    risk: Vec<Risk>,
    stressed: Vec<StressResult>,
    heaviest: Option<SymbolHandle>,
    quiet: QuietFigures,
    touched: Option<Touched>,
}

#[derive(Debug, Default)]
struct QuietFigures {
    gross: Quiet,
    leverage: Quiet,
    concentration: Quiet,
    var: Quiet,
}

/// What the parts of a grid point affect in a scope.
#[derive(Debug, Default)]
struct Touched {
    scenarios: bool,
    has_traded: bool,
    begins_anew: bool,
    corrections: Corrections,
    exposure_corrections: Corrections,
}

impl Scopes {
    /// Restores the scopes that `is_mine` accepts from the rows of the last commit. The valuers send the parts again.
    pub(super) fn restored(
        settings: &ValuationSettings,
        tables: ScopeTables,
        saved: &SavedScopes,
        is_mine: impl Fn(Scope) -> bool,
    ) -> Self {
        let mut scopes = Named::<ScopeHandle, ScopeState>::default();
        let mut restore = |name: Scope, restore: &mut dyn FnMut(&mut ScopeState)| {
            if is_mine(name) {
                let handle = scopes.intern(name, ScopeState::default);
                scopes.get_mut(handle).into_iter().for_each(restore);
            }
        };
        for row in saved.portfolios.iter() {
            restore(row.scope, &mut |scope| {
                (scope.currency, scope.portfolio) = (row.currency, Some(row.clone()));
            });
        }
        for row in saved.portfolio_peaks.iter() {
            restore(row.scope, &mut |scope| scope.drawdown.restore(row.clone()));
        }
        for row in saved.risk.iter() {
            restore(row.scope, &mut |scope| scope.risk.push(row.clone()));
        }
        for row in saved.stress.iter() {
            restore(row.scope, &mut |scope| scope.stressed.push(row.clone()));
        }
        let ValuationSettings { risk, limits, bust_horizon, .. } = settings.clone();
        Self {
            scopes,
            symbols: Named::default(),
            risk: Estimator::new(risk),
            bust_horizon,
            watch: LimitWatch::new(limits),
            tables,
            touched: Vec::new(),
        }
    }

    /// Adds a part.
    pub(super) fn add(&mut self, part: &ScopePart) {
        let handle = self.scopes.intern(part.scope, ScopeState::default);
        let Some(scope) = self.scopes.get_mut(handle) else { return };
        let touched = scope.touched.get_or_insert_with(|| {
            self.touched.push(handle);
            Touched::default()
        });
        touched.corrections.extend(part.corrections.clone());
        touched.exposure_corrections.extend(part.exposure_corrections.clone());
        if let Some(scenarios) = &part.scenarios {
            touched.scenarios = true;
            scope.scenarios.add(scenarios);
            // An account that changes its book or currency leaves with one part, and enters with another.
            if part.sums.members >= 0 {
                scope.symbols.clone_from(&part.symbols);
            }
        }
        add_stress(&mut scope.stress, &part.stress);
        for (child, scenarios) in &part.children {
            scope.children.entry(*child).or_default().add(scenarios);
        }
        // An account that changes its currency leaves its scope in the old one, and enters it in the new one.
        if part.sums.members >= 0 && scope.currency != part.currency {
            scope.currency = part.currency;
            touched.begins_anew = true;
        }
        touched.has_traded |= part.has_traded;
        scope.sums += part.sums;
        for (symbol, change) in &part.weights {
            let symbol = self.symbols.intern(*symbol, || ());
            scope.weights.add(symbol, *change, &self.symbols);
        }
    }

    /// Emits the rows of the changed scopes, and the figures for limits.
    pub(super) fn settle(&mut self, moment: &Moment, measures: &mut Vec<MeasureEvent>) {
        let limits_changed = self.watch.refresh();
        let mut touched = std::mem::take(&mut self.touched);
        for handle in touched.drain(..) {
            let Some((name, scope)) = self.scopes.named_mut(handle) else { continue };
            let Some(touched) = scope.touched.take() else { continue };
            let SumChange { realized, unrealized, fx, .. } = scope.sums;
            let seen = Seen {
                pnl: realized + unrealized + fx,
                has_traded: touched.has_traded,
                busted_since: touched.corrections.busted_since(),
                begins_anew: touched.begins_anew,
            };
            let sums = Moment { why: touched.corrections, ..moment.clone() };
            let exposure = Moment { why: touched.exposure_corrections, ..moment.clone() };
            let mut figures = Figures { scope: name, watch: &self.watch, measures: &mut *measures };
            if scope.sums.members == 0 {
                scope.leave(&self.tables, &sums, &mut figures);
                continue;
            }
            scope.drawdown.follow(name, seen, self.bust_horizon, moment, &self.tables.portfolio_peaks);
            scope.settle_sums(name, &self.symbols, &self.tables, &sums, &mut figures);
            scope.settle_stress(name, &self.risk.settings.stress, &self.tables, &exposure);
            if touched.scenarios {
                scope.settle_risk(name, &mut self.risk, &self.tables, &exposure, &mut figures);
            }
        }
        self.touched = touched;
        if limits_changed {
            self.compare_all(measures);
        }
    }

    /// Compares current figures with changed limits.
    fn compare_all(&mut self, measures: &mut Vec<MeasureEvent>) {
        for handle in self.scopes.handles() {
            let Some((name, scope)) = self.scopes.named_mut(handle) else { continue };
            let mut figures = Figures { scope: name, watch: &self.watch, measures: &mut *measures };
            let heaviest = scope.heaviest.and_then(|symbol| self.symbols.name(symbol));
            // Without members the scope is another worker's, or is empty.
            if let Some(row) = scope.portfolio.as_ref().filter(|_| scope.sums.members > 0) {
                figures.of_portfolio(row, heaviest, &mut scope.quiet, &Corrections::new());
                figures.of_risk(&scope.scenarios, &scope.risk, &self.risk.settings, &mut scope.quiet, &Corrections::new());
            }
        }
    }
}

impl ScopeState {
    fn settle_sums(
        &mut self,
        name: Scope,
        symbols: &Named<SymbolHandle, ()>,
        tables: &ScopeTables,
        moment: &Moment,
        figures: &mut Figures<'_>,
    ) {
        let gross = Money::from_units(self.sums.gross);
        let heaviest = self.weights.heaviest(gross, symbols);
        let symbol = heaviest.map(|(_, symbol)| symbol);
        let row = self.row(name, heaviest.map(|(weight, _)| weight), moment);
        let is_same = self.portfolio.as_ref().is_some_and(|old| *old == Portfolio { ts: old.ts, ..row.clone() });
        // Right after a restart the previous heaviest symbol is unknown, so there is no change to report.
        let is_known = self.heaviest.is_some() || self.portfolio.is_none();
        let is_another = std::mem::replace(&mut self.heaviest, symbol) != symbol;
        if is_same && !(is_known && is_another) {
            return;
        }
        figures.of_portfolio(&row, symbol.and_then(|symbol| symbols.name(symbol)), &mut self.quiet, &moment.why);
        if !is_same {
            tables.portfolios.insert(moment, row.clone());
            self.portfolio = Some(row);
        }
    }

    /// The row of the portfolio. A column holds the sums of 10^10 of the greatest positions.
    fn row(&self, name: Scope, max_weight: Option<Statistic>, moment: &Moment) -> Portfolio {
        let SumChange { net, gross, cash, realized, unrealized, fx, unvalued, stale, .. } = self.sums;
        let [realized_pnl, unrealized_pnl, fx_pnl] = [realized, unrealized, fx].map(Total::from_units);
        let [net, gross, cash, equity] = [net, gross, cash, cash + net].map(Total::from_units);
        let [unvalued, stale_rates] = [unvalued, stale].map(|count| u64::try_from(count).unwrap_or(0));
        Portfolio {
            scope: name,
            currency: self.currency,
            net_value: net,
            gross_exposure: gross,
            net_exposure: net,
            cash,
            equity,
            leverage: Statistic::ratio(gross.to_statistic(), equity.to_statistic()),
            hhi: max_weight.and_then(|_| self.weights.hhi(gross.money())),
            max_weight,
            realized_pnl,
            unrealized_pnl,
            fx_pnl,
            max_drawdown: self.drawdown.max_drawdown(),
            unvalued,
            stale_rates,
            ts: moment.event_time(),
        }
    }

    fn settle_risk(&mut self, name: Scope, estimator: &mut Estimator, tables: &ScopeTables, moment: &Moment, figures: &mut Figures<'_>) {
        let counts = [self.scenarios.left_out, self.scenarios.filled].map(|count| u64::try_from(count).unwrap_or(0));
        // Without a position in the scenarios there is nothing to estimate.
        let components = self.components(&estimator.settings);
        let rows = match self.scenarios.sums.totals() {
            _ if self.scenarios.counted == 0 => Vec::new(),
            Totals::Narrow(pnl) => estimator.rows(&name, pnl, components, counts, moment.event_time()),
            Totals::Wide(pnl) => estimator.rows(&name, &pnl, components, counts, moment.event_time()),
        };
        // Without rows the figure may have become missing.
        let is_empty = rows.is_empty();
        let has_changed = replace_rows(&mut self.risk, rows, |old, row| Risk { ts: old.ts, ..row }, &tables.risk, moment);
        if is_empty || has_changed {
            figures.of_risk(&self.scenarios, &self.risk, &estimator.settings, &mut self.quiet, &moment.why);
        }
    }

    /// Writes the P&L in each stress scenario that changed, and retracts what other settings had.
    fn settle_stress(&mut self, name: Scope, scenarios: &[StressScenario], tables: &ScopeTables, moment: &Moment) {
        let rows = scenarios.iter().enumerate().map(|(place, scenario)| StressResult {
            scope: name,
            scenario: scenario.name.clone(),
            currency: self.currency,
            pnl: Total::from_units(self.stress.get(place).copied().unwrap_or_default()),
            ts: moment.event_time(),
        });
        replace_rows(&mut self.stressed, rows, |old, row| StressResult { ts: old.ts, ..row }, &tables.stress, moment);
    }

    /// What its symbols or its children add to the historical estimates, for each confidence.
    fn components(&mut self, settings: &RiskSettings) -> Vec<Vec<RiskComponent>> {
        let since = self.scenarios.since;
        self.children.retain(|_, child| child.since == since && (child.counted, child.left_out) != (0, 0));
        if self.children.is_empty() {
            return std::mem::take(&mut self.symbols);
        }
        let worst = WorstScenarios::of_sums(&self.scenarios.sums, settings);
        let mut parts = Parts::default();
        for (child, scenarios) in self.children.iter().filter(|(_, scenarios)| scenarios.counted != 0) {
            parts.add(Text::new(child.as_str()), worst.places().iter().map(|place| scenarios.sums.at(*place)));
        }
        worst.components(&parts, settings)
    }

    /// Retracts the rows of a scope without members: no limit can apply to it.
    fn leave(&mut self, tables: &ScopeTables, moment: &Moment, figures: &mut Figures<'_>) {
        if self.portfolio.is_some() {
            for kind in [LimitKind::GrossExposure, LimitKind::Leverage, LimitKind::Concentration, LimitKind::Var] {
                figures.figure(kind, None, Compared::whole(Figure::Is(Decimal::ZERO)), &mut Quiet::default(), &moment.why);
            }
        }
        let mut old = std::mem::take(self);
        old.portfolio.into_iter().for_each(|row| tables.portfolios.retract(moment, row));
        old.drawdown.clear(moment, &tables.portfolio_peaks);
        old.risk.into_iter().for_each(|row| tables.risk.retract(moment, row));
        old.stressed.into_iter().for_each(|row| tables.stress.retract(moment, row));
    }
}

/// Replaces the rows of a scope. A row that `with_time_of` the old one equals the old one stays as it is. Returns whether any
/// changed.
fn replace_rows<R: TableRow>(
    rows: &mut Vec<R>,
    new: impl IntoIterator<Item = R>,
    with_time_of: impl Fn(&R, R) -> R,
    table: &TableWriter<R>,
    moment: &Moment,
) -> bool {
    let mut old_rows = std::mem::take(rows);
    let mut has_changed = false;
    for row in new {
        let old = old_rows.iter().position(|old| old.cmp_key(&row).is_eq()).map(|place| old_rows.swap_remove(place));
        let same = old.filter(|old| *old == with_time_of(old, row.clone()));
        if same.is_none() {
            table.insert(moment, row.clone());
            has_changed = true;
        }
        rows.push(same.unwrap_or(row));
    }
    has_changed |= !old_rows.is_empty();
    old_rows.into_iter().for_each(|row| table.retract(moment, row));
    has_changed
}

/// The figures of a scope, to be sent to limits.
struct Figures<'a> {
    scope: Scope,
    watch: &'a LimitWatch,
    measures: &'a mut Vec<MeasureEvent>,
}

impl Figures<'_> {
    fn of_portfolio(&mut self, row: &Portfolio, heaviest: Option<Symbol>, quiet: &mut QuietFigures, why: &Corrections) {
        let compared = |figure: Figure| Compared { figure, is_whole: row.unvalued == 0 };
        let gross = Figure::Is(Decimal::from_units(row.gross_exposure.units()));
        self.figure(LimitKind::GrossExposure, None, compared(gross), &mut quiet.gross, why);
        let leverage = match row.leverage {
            _ if row.gross_exposure == Total::ZERO => Figure::Is(Decimal::ZERO),
            Some(leverage) if row.equity > Total::ZERO => Figure::Is(fraction(leverage.value())),
            _ => Figure::NoEquity,
        };
        self.figure(LimitKind::Leverage, None, compared(leverage), &mut quiet.leverage, why);
        let weight = row.max_weight.map_or(Decimal::ZERO, |weight| fraction(weight.value()));
        let heaviest = heaviest.filter(|_| row.max_weight.is_some());
        self.figure(LimitKind::Concentration, heaviest, compared(Figure::Is(weight)), &mut quiet.concentration, why);
    }

    /// Limits compare the VaR of the configured method and confidence.
    fn of_risk(&mut self, scenarios: &ScenarioChange, rows: &[Risk], settings: &RiskSettings, quiet: &mut QuietFigures, why: &Corrections) {
        let (method, confidence) = (settings.limit_method(), Statistic::new(settings.limit_confidence.to_statistic()));
        let row = rows.iter().find(|row| Some(row.method) == method && Some(row.confidence) == confidence);
        // Before there are scenarios no scope has a figure, so none is missing.
        let is_missing = !scenarios.sums.is_empty() && scenarios.counted == 0 && scenarios.left_out != 0;
        let figure = match row {
            Some(row) => Figure::Is(Decimal::from_units(row.var.units().max(0))),
            None if is_missing => Figure::Missing,
            None => Figure::Is(Decimal::ZERO),
        };
        let is_whole = scenarios.left_out == 0 && (row.is_some() || scenarios.counted == 0);
        self.figure(LimitKind::Var, None, Compared { figure, is_whole }, &mut quiet.var, why);
    }

    fn figure(&mut self, kind: LimitKind, symbol: Option<Symbol>, compared: Compared, quiet: &mut Quiet, why: &Corrections) {
        if !self.watch.must_see(kind, compared, quiet) {
            return;
        }
        let measure = Measure { scope: self.scope, kind, symbol, compared };
        if !why.is_empty() {
            self.measures.push(MeasureEvent::Corrected(measure.key(), why.clone()));
        }
        self.measures.push(MeasureEvent::Measured(measure));
    }
}

/// A ratio as a decimal with nine digits, for comparison with a limit. Its magnitude is at most 10^18.
#[expect(clippy::cast_possible_truncation, reason = "bounded just before")]
fn fraction(ratio: f64) -> Decimal {
    Decimal::from_units((ratio.clamp(-1e18, 1e18) * 1e9).round_ties_even() as i128)
}
