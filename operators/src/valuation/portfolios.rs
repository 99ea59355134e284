//! Portfolios: the sums of every scope, by differential dataflow, and the drawdown of their equity.
//!
//! Contributions of positions and cash are counted up per scope, with the sums as differences, so that a change costs
//! what it changes and retractions repair everything below them. Weights need all symbols of a scope at once, which is a
//! `reduce`. Ratios are derived last, from the exact sums.
//!
//! Drawdown depends on the path that equity took, so it is a keyed fold over the scope's values, grid point by grid point.

use std::collections::BTreeMap;

use differential_dataflow::operators::CountTotal;
use differential_dataflow::{AsCollection, VecCollection};
use headwater_schemas::tables::{DrawdownState, Portfolio};
use headwater_schemas::{Corrections, EventTime, Id, Money, Placed, Statistic};
use serde::{Deserialize, Serialize};
use timely::dataflow::operators::vec::Map;

use super::Contribution;
use crate::keyed_fold::{Changes, Outbox, Persistent, View};

/// What a scope adds up to at a grid point.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ScopeValue {
    /// `account:ID` or `book:PATH`.
    pub scope: Id,
    /// The currency of the sums.
    pub currency: Id,
    /// The sums.
    pub sums: ScopeSums,
    /// Σ weight² over symbols; `None` without exposure.
    pub hhi: Option<Statistic>,
    /// The greatest weight and its symbol.
    pub heaviest: Option<(Statistic, Id)>,
}

/// The sums of a scope.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ScopeSums {
    /// Market value.
    pub net: Money,
    /// Σ magnitudes of market values.
    pub gross: Money,
    /// Posted balances plus cash flow.
    pub cash: Money,
    /// Realized P&L.
    pub realized: Money,
    /// Unrealized P&L.
    pub unrealized: Money,
    /// Positions that could not be valued.
    pub unvalued: u64,
}

impl ScopeSums {
    /// Cash plus market value.
    pub fn equity(&self) -> Money {
        self.cash.checked_add(self.net).unwrap_or(self.cash)
    }

    /// Gross exposure over equity.
    pub fn leverage(&self) -> Option<Statistic> {
        Statistic::ratio(self.gross.to_statistic(), self.equity().to_statistic())
    }
}

/// Sums as a difference: net, gross, cash; realized, unrealized, unvalued; and how many parts there are, so that a scope
/// whose sums happen to be zero is still there.
type Difference = ((i128, i128, i128), (i128, i128, i64), isize);

/// A part of a scope's value, on the way into one `reduce`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
enum Part {
    Sums(Id, ScopeSums),
    Weight(Id, Money),
}

/// Adds contributions up, per scope.
pub fn portfolios<'scope>(contributions: VecCollection<'scope, u64, Contribution, isize>) -> VecCollection<'scope, u64, ScopeValue, isize> {
    let sums = contributions
        .clone()
        .inner
        .map(|(part, tick, diff)| ((part.scope.clone(), part.currency.clone()), tick, difference(&part, diff)))
        .as_collection()
        .count_total()
        .map(|((scope, currency), sums)| (scope, Part::Sums(currency, scope_sums(sums))));
    let weights = contributions
        .inner
        .flat_map(|(part, tick, diff)| Some(((part.scope, part.symbol?), tick, part.gross.units() * diff as i128)))
        .as_collection()
        .count_total()
        .map(|((scope, symbol), gross)| (scope, Part::Weight(symbol, Money::from_units(gross))));
    sums.concat(weights)
        .reduce_named("portfolios", |scope, parts, values| {
            values.extend(scope_value(scope, parts.iter().map(|(part, _)| *part)).map(|value| (value, 1)));
        })
        .map(|(_, value)| value)
}

/// A contribution, `diff` times.
fn difference(part: &Contribution, diff: isize) -> Difference {
    let times = |sum: Money| sum.units() * diff as i128;
    let first = (times(part.net), times(part.gross), times(part.cash));
    (first, (times(part.realized), times(part.unrealized), part.unvalued * diff as i64), diff)
}

fn scope_sums(((net, gross, cash), (realized, unrealized, unvalued), _): Difference) -> ScopeSums {
    let money = Money::from_units;
    ScopeSums {
        net: money(net),
        gross: money(gross),
        cash: money(cash),
        realized: money(realized),
        unrealized: money(unrealized),
        unvalued: u64::try_from(unvalued).unwrap_or(0),
    }
}

fn scope_value<'a>(scope: &Id, parts: impl Iterator<Item = &'a Part> + Clone) -> Option<ScopeValue> {
    let (currency, sums) = parts.clone().find_map(|part| match part {
        Part::Sums(currency, sums) => Some((currency.clone(), *sums)),
        Part::Weight(..) => None,
    })?;
    let weights = parts.filter_map(|part| match part {
        Part::Weight(symbol, gross) => Statistic::ratio(gross.to_statistic(), sums.gross.to_statistic()).map(|weight| (weight, symbol)),
        Part::Sums(..) => None,
    });
    // Parts come sorted, so the sum of binary numbers is the same in every run.
    let hhi = weights.clone().map(|(weight, _)| weight.value() * weight.value()).sum::<f64>();
    // Among equal weights the first symbol counts.
    let heaviest = weights.reduce(|best, next| if next.0 > best.0 { next } else { best });
    Some(ScopeValue {
        scope: scope.clone(),
        currency,
        sums,
        hhi: heaviest.and_then(|_| Statistic::new(hhi)),
        heaviest: heaviest.map(|(weight, symbol)| (weight, symbol.clone())),
    })
}

/// The view that follows each scope's equity: rows of `portfolios`.
#[derive(Clone, Copy, Debug)]
pub struct Drawdowns;

/// What happens to a scope at a grid point.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ScopeEvent {
    /// It adds up to this now.
    Value(ScopeValue),
    /// Something below it was corrected.
    Corrected(Id, Corrections),
}

/// The path of a scope's equity.
#[derive(Clone, Debug, Default)]
pub struct EquityPath {
    value: Option<ScopeValue>,
    peak: Option<Money>,
    max_drawdown: Money,
    said: Option<Portfolio>,
    said_peak: Option<DrawdownState>,
}

/// A row of one of the tables that portfolios feed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum PortfolioRow {
    /// `portfolios`
    Portfolio(Portfolio),
    /// `portfolio_peaks`
    Peak(DrawdownState),
}

impl EquityPath {
    fn follow(&mut self, value: ScopeValue) {
        let equity = value.sums.equity();
        let peak = self.peak.map_or(equity, |peak| peak.max(equity));
        self.peak = Some(peak);
        self.max_drawdown = self.max_drawdown.max(peak.checked_sub(equity).unwrap_or_default());
        self.value = Some(value);
    }

    /// The scope's row; as it was said, unless it is another one.
    fn row(&self, as_of: u64) -> Option<Portfolio> {
        let row = portfolio(self.value.as_ref()?, self.max_drawdown, as_of);
        let said = self.said.clone().filter(|said| *said == Portfolio { ts: said.ts, ..row.clone() });
        Some(said.unwrap_or(row))
    }

    /// What the drawdown depends on besides the portfolio; as it was said, unless it is another one.
    fn peak_row(&self, scope: &Id, as_of: u64) -> Option<DrawdownState> {
        let heaviest = self.value.as_ref()?.heaviest.as_ref().map(|(_, symbol)| symbol.clone());
        let row = DrawdownState { scope: scope.clone(), peak: self.peak?, heaviest, ts: EventTime::from_effective(as_of) };
        let said = self.said_peak.clone().filter(|said| (said.peak, &said.heaviest) == (row.peak, &row.heaviest));
        Some(said.unwrap_or(row))
    }
}

impl View for Drawdowns {
    type Key = Id;
    type Event = ScopeEvent;
    type Broadcast = ();
    type Context = ();
    type State = EquityPath;
    type Row = PortfolioRow;
    type Derived = ();

    fn key(&self, event: &ScopeEvent) -> Id {
        match event {
            ScopeEvent::Value(value) => value.scope.clone(),
            ScopeEvent::Corrected(scope, _) => scope.clone(),
        }
    }

    fn learn(&self, (): &mut (), _: Placed<()>) {}

    fn apply(&self, (): &(), _: &Id, path: &mut EquityPath, placed: Placed<ScopeEvent>, out: &mut Outbox<Self>) {
        match placed.event {
            ScopeEvent::Value(value) => path.follow(value),
            ScopeEvent::Corrected(_, corrections) => corrections.into_iter().for_each(|correction| out.correct(correction)),
        }
    }

    fn settle(&self, (): &(), scope: &Id, path: &mut EquityPath, as_of: u64, rows: &mut Changes<PortfolioRow>) {
        let row = path.row(as_of);
        rows.replace(path.said.take().map(PortfolioRow::Portfolio), row.clone().map(PortfolioRow::Portfolio));
        path.said = row;
        let peak = path.peak_row(scope, as_of);
        rows.replace(path.said_peak.take().map(PortfolioRow::Peak), peak.clone().map(PortfolioRow::Peak));
        path.said_peak = peak;
    }
}

fn portfolio(value: &ScopeValue, max_drawdown: Money, as_of: u64) -> Portfolio {
    let sums = &value.sums;
    Portfolio {
        scope: value.scope.clone(),
        currency: value.currency.clone(),
        net_value: sums.net,
        gross_exposure: sums.gross,
        net_exposure: sums.net,
        cash: sums.cash,
        equity: sums.equity(),
        leverage: sums.leverage(),
        hhi: value.hhi,
        max_weight: value.heaviest.as_ref().map(|(weight, _)| *weight),
        realized_pnl: sums.realized,
        unrealized_pnl: sums.unrealized,
        max_drawdown,
        unvalued: sums.unvalued,
        ts: EventTime::from_effective(as_of),
    }
}

impl Persistent for Drawdowns {
    type Saved = (Vec<Portfolio>, Vec<DrawdownState>);

    fn save(&self, _: &Id, path: &EquityPath, (rows, states): &mut Self::Saved) {
        rows.extend(path.said.clone());
        states.extend(path.said_peak.clone());
    }

    fn load(&self, (rows, states): Self::Saved) -> Vec<(Id, EquityPath)> {
        let mut states: BTreeMap<_, _> = states.into_iter().map(|state| (state.scope.clone(), state)).collect();
        let path = |row: Portfolio| {
            let state = states.remove(&row.scope)?;
            let value = ScopeValue {
                scope: row.scope.clone(),
                currency: row.currency.clone(),
                sums: ScopeSums {
                    net: row.net_value,
                    gross: row.gross_exposure,
                    cash: row.cash,
                    realized: row.realized_pnl,
                    unrealized: row.unrealized_pnl,
                    unvalued: row.unvalued,
                },
                hhi: row.hhi,
                heaviest: row.max_weight.zip(state.heaviest.clone()),
            };
            let (value, peak, max_drawdown) = (Some(value), Some(state.peak), row.max_drawdown);
            let path = EquityPath { value, peak, max_drawdown, said: Some(row), said_peak: Some(state) };
            Some((path.said.as_ref()?.scope.clone(), path))
        };
        rows.into_iter().filter_map(path).collect()
    }
}

#[cfg(test)]
mod tests {
    use headwater_schemas::Place;
    use headwater_schemas::tables::TableRow;
    use proptest::prelude::*;

    use super::*;
    use crate::testing::{Happening, Happenings, run, run_with_restart};

    fn weight(symbol: &str, gross: i64) -> Part {
        Part::Weight(Id::derived(symbol), Money::whole(gross))
    }

    #[test]
    fn weights_are_over_gross_and_zero_denominators_are_null() {
        let sums = ScopeSums { net: Money::whole(50), gross: Money::whole(100), cash: Money::whole(-50), ..ScopeSums::default() };
        let parts = [Part::Sums(Id::derived("USD"), sums), weight("A", 75), weight("B", 25)];
        let value = scope_value(&Id::derived("s"), parts.iter()).expect("a value");
        assert_eq!(value.hhi, Statistic::new(0.625));
        assert_eq!(value.heaviest, Statistic::new(0.75).map(|weight| (weight, Id::derived("A"))));
        assert_eq!(value.sums.leverage(), None, "equity is zero");
        let flat = [Part::Sums(Id::derived("USD"), ScopeSums::default()), weight("A", 0)];
        assert_eq!(scope_value(&Id::derived("s"), flat.iter()).map(|value| (value.hhi, value.heaviest)), Some((None, None)));
    }

    fn equities(equities: &[i64]) -> Happenings<Drawdowns> {
        let happening = |(time, cash): (u64, &i64)| {
            let sums = ScopeSums { cash: Money::whole(*cash), ..ScopeSums::default() };
            let event = ScopeValue { scope: Id::derived("s"), currency: Id::derived("USD"), sums, hhi: None, heaviest: None };
            let place = Place { time, rank: 200, partition: 0, offset: 0, sequence: 0 };
            Placed { place, event: Happening::Event(ScopeEvent::Value(event)) }
        };
        (1..).zip(equities).map(happening).collect()
    }

    #[test]
    fn drawdown_is_the_greatest_fall_from_the_running_peak() {
        let drawdown = |path: &[i64]| {
            run(Drawdowns, equities(path)).final_rows().into_iter().find_map(|row| match row {
                PortfolioRow::Portfolio(row) => Some(row.max_drawdown),
                PortfolioRow::Peak(_) => None,
            })
        };
        assert_eq!(drawdown(&[100, 120, 90, 130, 115]), Some(Money::whole(30)));
        assert_eq!(drawdown(&[-100, -50]), Some(Money::ZERO));
        assert_eq!(drawdown(&[-50, -100]), Some(Money::whole(50)));
    }

    proptest! {
        #[test]
        fn a_restart_in_the_middle_changes_nothing(path in proptest::collection::vec(-100..100_i64, 1..30), cut in 1..30_usize) {
            let through = |(rows, states): (Vec<Portfolio>, Vec<DrawdownState>)| (
                Portfolio::read_all(&Portfolio::batch(&rows).expect("a batch")).expect("rows"),
                DrawdownState::read_all(&DrawdownState::batch(&states).expect("a batch")).expect("rows"),
            );
            let whole = run(Drawdowns, equities(&path));
            prop_assert_eq!(whole.rows, run_with_restart(Drawdowns, equities(&path), cut, through).rows);
        }
    }
}
