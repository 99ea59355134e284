//! Tests of the valuation: compared with a recomputation from scratch, restarted, and on several workers.

mod dataflow;
mod fx;
mod naive;
mod steps;

use std::collections::BTreeMap;

use headwater_schemas::events::AssetClass;
use headwater_schemas::tables::{Alert, DrawdownState, Holding, Moment, PaidIn, Portfolio, Risk, StressResult, TableRow, TableWriter};
use headwater_schemas::{AccountId, Clock, Currency, EffectiveTime, EventTime, Id, Nanos, Placed, Symbol, Tick};
use proptest::prelude::*;

use self::naive::Naive;
use self::steps::{Step, account_of, key, route_of, steps};
use super::scopes::Scopes;
use super::valuer::{Valued, Valuer};
use super::*;
use crate::testing::{Happening, history_of, run};
use crate::valuation::{CorrectedPart, ExposureLimits, Shock, StressScenario};

const CLOCK: Clock = Clock::new(Nanos::new(1000), Nanos::new(1000));

fn settings() -> RiskSettings {
    RiskSettings { window: 3, stress: stress(), ..RiskSettings::default() }
}

/// Equities lose a fifth, `S1` a third of its price; bonds gain.
fn stress() -> Vec<StressScenario> {
    let shock = |units: i128| Shock(headwater_schemas::Decimal::from_units(units));
    let crash = StressScenario {
        name: "crash".into(),
        asset_classes: [(AssetClass::Equity, shock(-200_000_000))].into(),
        symbols: [(Symbol::derived("S1"), shock(-333_333_333))].into(),
    };
    let flight = StressScenario { name: "flight".into(), asset_classes: [(AssetClass::Bond, shock(50_000_000))].into(), ..crash.clone() };
    vec![crash, flight]
}

fn valuation_settings() -> ValuationSettings {
    let base_currency = Currency::derived("USD");
    ValuationSettings {
        base_currency,
        risk: settings(),
        limits: limits(),
        clock: CLOCK,
        start_tick: Tick::ZERO,
        bust_horizon: Nanos::new(3000),
    }
}

fn limits() -> LimitDefaults {
    LimitDefaults { gross_exposure: Some(headwater_schemas::Decimal::whole(300)), ..LimitDefaults::default() }
}

/// The current rows of a table, by key.
#[derive(Clone, Debug, PartialEq)]
struct Now<R>(Vec<R>);

impl<R> Default for Now<R> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<R: TableRow> Now<R> {
    /// Applies the changes, and names the tables that changed because of corrections.
    fn take(&mut self, table: &TableWriter<R>, reasons: &mut Vec<String>) {
        for change in table.take_below(Tick::MAX) {
            if !change.why.is_empty() {
                reasons.push(format!("{}: {}", R::SPEC.name, change.why));
            }
            let old = self.0.iter().position(|row| row.cmp_key(&change.row).is_eq());
            if let Some(old) = old {
                assert_ne!((&self.0[old], change.gone), (&change.row, false), "a row is written again");
                self.0.swap_remove(old);
            }
            assert!(old.is_some() || !change.gone, "{:?} was not there", change.row);
            if !change.gone {
                self.0.push(change.row);
            }
        }
        self.0.sort_by(TableRow::cmp_key);
    }

    /// The rows as a restart reads them.
    fn read_back(&self) -> Vec<R> {
        R::read_all(&R::batch(&self.0).expect("a batch")).expect("rows")
    }
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Tables {
    holdings: Now<Holding>,
    paid_in: Now<PaidIn>,
    portfolios: Now<Portfolio>,
    peaks: Now<DrawdownState>,
    risk: Now<Risk>,
    stress: Now<StressResult>,
}

/// The valuation of several workers, without a dataflow.
struct Workers {
    valuers: Vec<Valuer>,
    scopes: Vec<Scopes>,
    tables: (HoldingTables, ScopeTables),
    now: Tables,
    measures: Vec<Placed<MeasureEvent>>,
    /// The tables that changed at the last grid point because of corrections.
    reasons: Vec<String>,
}

impl Workers {
    fn new(count: usize) -> Self {
        Self::restored(count, &BTreeMap::new(), Tables::default(), Tick::ZERO)
    }

    fn restored(count: usize, known: &BTreeMap<steps::Key, Known>, now: Tables, start_tick: Tick) -> Self {
        let tables = (HoldingTables::default(), ScopeTables::default());
        let scopes = |worker: usize| {
            let saved = SavedScopes {
                portfolios: now.portfolios.read_back().into(),
                portfolio_peaks: now.peaks.read_back().into(),
                risk: now.risk.read_back().into(),
                stress: now.stress.read_back().into(),
            };
            Scopes::restored(&valuation_settings(), tables.1.clone(), &saved, |scope| route_of(scope, count) == worker)
        };
        let valuer = |_| Valuer::new(Currency::derived("USD"), &settings(), limits(), &tables.0);
        let (valuers, scopes) = ((0..count).map(valuer).collect(), (0..count).map(scopes).collect());
        let mut workers = Self { valuers, scopes, tables, now, measures: Vec::new(), reasons: Vec::new() };
        for (worker, valuer) in workers.valuers.iter_mut().enumerate() {
            let known = known.values().filter(|known| account_of(known).is_none_or(|account| route_of(account, count) == worker));
            let paid_in = workers.now.paid_in.read_back().into_iter().filter(|row| route_of(row.account_id, count) == worker);
            for part in valuer.restore(known.cloned(), paid_in, start_tick) {
                let scopes = &mut workers.scopes[route_of(part.scope, count)];
                scopes.add(&part);
            }
        }
        for limit in known.values() {
            if let Known::Limit(event) = limit {
                workers.scopes.iter_mut().for_each(|scopes| scopes.watch.learn((**event).clone()));
            }
        }
        workers
    }

    fn advance(&mut self, tick: Tick, changes: &[Known], sends_all: bool) {
        let count = self.valuers.len();
        let moment = Moment::new(tick, CLOCK.end_of(tick));
        for (worker, valuer) in self.valuers.iter_mut().enumerate() {
            let mut valued = Valued::default();
            let changes = changes.iter().filter(|known| account_of(known).is_none_or(|account| route_of(account, count) == worker));
            if sends_all {
                valuer.watch.forget();
            }
            valuer.advance(&moment, changes.cloned(), &mut valued);
            valued.parts.iter().for_each(|part| self.scopes[route_of(part.scope, count)].add(part));
            self.measures.extend(valued.measures.into_iter().map(|measure| at_grid_point(measure, tick, CLOCK)));
        }
        for scopes in &mut self.scopes {
            for known in changes {
                if let Known::Limit(event) = known {
                    scopes.watch.learn((**event).clone());
                }
            }
            if sends_all {
                scopes.watch.forget();
            }
            let mut measures = Vec::new();
            scopes.settle(&moment, &mut measures);
            self.measures.extend(measures.into_iter().map(|measure| at_grid_point(measure, tick, CLOCK)));
        }
        self.reasons.clear();
        self.now.holdings.take(&self.tables.0.holdings, &mut self.reasons);
        self.now.paid_in.take(&self.tables.0.paid_in, &mut self.reasons);
        self.now.portfolios.take(&self.tables.1.portfolios, &mut self.reasons);
        self.now.peaks.take(&self.tables.1.portfolio_peaks, &mut self.reasons);
        self.now.risk.take(&self.tables.1.risk, &mut self.reasons);
        // Of the same corrections as the portfolio.
        self.now.stress.take(&self.tables.1.stress, &mut Vec::new());
    }
}

/// The alerts that result from figures, given the limits set meanwhile.
fn alerts(steps: &[Step], measures: &[Placed<MeasureEvent>]) -> Vec<(Tick, Alert, bool)> {
    let limits_set = steps.iter().flat_map(|step| &step.changes).filter_map(|known| match known {
        Known::Limit(event) => Some(Placed { place: event.place, event: Happening::Broadcast(event.event.clone()) }),
        _ => None,
    });
    let measures = measures.iter().map(|measure| measure.clone().map(Happening::Event));
    history_of(&run(ExposureLimits { defaults: limits() }, limits_set.chain(measures).collect()).tables.alerts)
}

proptest! {
    #[test]
    fn rows_are_those_of_a_computation_from_scratch(steps in steps(), workers in 1..4_usize) {
        let (mut dense, mut naive) = (Workers::new(workers), Naive::default());
        for step in &steps {
            dense.advance(step.tick, &step.changes, false);
            step.changes.iter().for_each(|known| naive.learn(known));
            let expected = naive.tables(&settings());
            let without_time = |mut rows: Vec<Portfolio>| { rows.iter_mut().for_each(|row| row.ts = EventTime::from_nanos(0)); rows };
            let close = |one: Option<headwater_schemas::Statistic>, other: Option<headwater_schemas::Statistic>| match (one, other) {
                (Some(one), Some(other)) => (one.value() - other.value()).abs() < 1e-14,
                (one, other) => one.is_none() && other.is_none(),
            };
            let (mut portfolios, mut wanted) = (without_time(dense.now.portfolios.0.clone()), expected.0);
            prop_assert_eq!(portfolios.len(), wanted.len());
            for (row, wanted) in portfolios.iter_mut().zip(&mut wanted) {
                prop_assert!(close(row.hhi.take(), wanted.hhi.take()));
            }
            prop_assert_eq!(portfolios, wanted);
            let mut risk = dense.now.risk.0.clone();
            risk.iter_mut().for_each(|row| row.ts = EventTime::from_nanos(0));
            prop_assert_eq!(risk, expected.1);
            let mut stress = dense.now.stress.0.clone();
            stress.iter_mut().for_each(|row| row.ts = EventTime::from_nanos(0));
            prop_assert_eq!(stress, expected.2);
        }
    }

    #[test]
    fn a_restart_on_other_workers_changes_nothing(steps in steps(), cut in 0..40_usize, workers in 1..4_usize, others in 1..4_usize) {
        let mut whole = Workers::new(workers);
        let mut resumed: Option<Workers> = None;
        let mut known = BTreeMap::new();
        for (number, step) in steps.iter().enumerate() {
            if number == cut {
                resumed = Some(Workers::restored(others, &known, whole.now.clone(), step.tick));
            }
            whole.advance(step.tick, &step.changes, false);
            if let Some(resumed) = &mut resumed {
                resumed.advance(step.tick, &step.changes, false);
                prop_assert_eq!(&whole.now, &resumed.now);
            }
            known.extend(step.changes.iter().map(|known| (key(known), known.clone())));
        }
    }

    #[test]
    fn figures_that_are_not_sent_change_no_alert(steps in steps(), workers in 1..3_usize) {
        let (mut some, mut all) = (Workers::new(workers), Workers::new(1));
        for step in &steps {
            some.advance(step.tick, &step.changes, false);
            all.advance(step.tick, &step.changes, true);
        }
        prop_assert!(some.measures.len() <= all.measures.len());
        prop_assert_eq!(alerts(&steps, &some.measures), alerts(&steps, &all.measures));
    }
}

#[test]
fn an_account_with_neither_position_nor_book_has_no_portfolio() {
    let mut workers = Workers::new(2);
    let account = |account: &str, book: Option<&str>| Known::Account {
        account_id: AccountId::derived(account),
        currency: Currency::derived("USD"),
        book: book.map(Into::into),
    };
    let cash = |account: &str| Known::Cash {
        account_id: AccountId::derived(account),
        currency: Currency::derived("USD"),
        posted: headwater_schemas::Money::whole(5),
    };
    let scopes = |workers: &Workers| workers.now.portfolios.0.iter().map(|row| format!("{} {}", row.scope, row.cash)).collect::<Vec<_>>();
    workers.advance(Tick::new(1), &[account("a", None), account("b", Some("firm/desk")), cash("a"), cash("b")], false);
    assert_eq!(scopes(&workers), ["account:b 5", "book:firm 5", "book:firm/desk 5"]);
    // The moved account leaves the old book; a node without members has no row.
    workers.advance(Tick::new(2), &[account("b", Some("firm/other")), account("a", Some("firm"))], false);
    assert_eq!(scopes(&workers), ["account:a 5", "account:b 5", "book:firm 10", "book:firm/other 5"]);
    workers.advance(Tick::new(3), &[account("a", None), account("b", None)], false);
    assert!(scopes(&workers).is_empty());
}

#[test]
fn corrections_reach_the_account_and_the_books_above_it() {
    use headwater_schemas::{Correction, Corrections};
    let (symbol, account_id) = (Symbol::derived("S"), AccountId::derived("a"));
    let why = |fill: &str| -> Corrections {
        [Correction::Bust { traded: EffectiveTime::ZERO, fill_id: Id::derived(fill) }].into_iter().collect()
    };
    let mark = |price: i64| Known::Mark(crate::valuation::Mark { symbol, price: Some(headwater_schemas::Price::whole(price)) });
    let (currency, multiplier) = (Currency::derived("USD"), headwater_schemas::Factor::whole(1));
    let instrument = Known::Instrument { symbol, asset_class: AssetClass::Equity, currency, multiplier };
    let mut workers = Workers::new(3);
    workers.advance(
        Tick::new(1),
        &[instrument, steps::opened("a", "USD", Some("firm/desk")), steps::holding("a", "S", 9), mark(10)],
        false,
    );
    assert!(workers.reasons.is_empty());

    let corrected = Known::Corrected(CorrectedPart::Holding(account_id, symbol), why("F1"));
    workers.advance(Tick::new(2), &[steps::holding("a", "S", 8), corrected], false);
    let reason = |table: &str, fill: &str| format!("{table}: fill {fill} was busted");
    let [row, scope] = ["holdings", "portfolios"].map(|table| reason(table, "F1"));
    assert_eq!(workers.reasons, [row, scope.clone(), scope.clone(), scope]);

    // A corrected mark changes values; no holding changes.
    workers.advance(Tick::new(3), &[mark(11), Known::Corrected(CorrectedPart::Mark(symbol), why("F2"))], false);
    let scope = reason("portfolios", "F2");
    assert_eq!(workers.reasons, [scope.clone(), scope.clone(), scope]);
}
