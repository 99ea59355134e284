//! Benchmark of scenario P&L and VaR: all prices changed, and one.

use std::hint::black_box;

use clap::Args;
use headwater_operators::positions::{AverageCost, HoldingSums};
use headwater_operators::valuation::dense::{HoldingTables, ScopeTables, Standalone, ValuationSettings};
use headwater_operators::valuation::pnl::{Returns, ScenarioSums, Stake};
use headwater_operators::valuation::{Known, LimitDefaults, Mark, RiskSettings};
use headwater_schemas::events::AssetClass;
use headwater_schemas::{AccountId, Clock, Currency, Date, Factor, Money, Nanos, Price, Quantity, Symbol, Tick};

use crate::measure::{Comparison, compare};

/// Arguments of `var`.
#[derive(Args)]
pub(crate) struct VarArguments {
    /// Accounts of one book.
    #[arg(long, default_value_t = 1000)]
    accounts: u32,
    /// Positions of an account.
    #[arg(long, default_value_t = 50)]
    positions: u32,
    /// Symbols.
    #[arg(long, default_value_t = 500)]
    symbols: u32,
    /// Daily returns.
    #[arg(long, default_value_t = 252)]
    scenarios: u16,
    /// Number of rounds.
    #[arg(long, default_value_t = 9)]
    rounds: usize,
}

/// The valuation with its rows of portfolios and risk, and the kernel alone; for comparison, a loop that rounds each term on its
/// own into the sums of the account and of the firm.
pub(crate) fn var(arguments: &VarArguments) -> anyhow::Result<()> {
    let positions = arguments.accounts.saturating_mul(arguments.positions);
    println!(
        "{} accounts of one book, {positions} positions in {} symbols, {} scenarios; VaR and ES at 3 confidences",
        arguments.accounts, arguments.symbols, arguments.scenarios
    );
    let (mut valuation, tables) = opened(arguments);
    let mut tick = 1;
    let mut step = |symbols: u32| {
        tick += 1;
        let changes = (0..symbols).map(|symbol| mark(symbol, tick));
        black_box(valuation.advance(Tick::new(tick), changes));
        let rows = tables.1.risk.take_below(Tick::MAX).len() + tables.1.portfolios.take_below(Tick::MAX).len();
        anyhow::ensure!(rows > 0, "no row changed");
        Ok(())
    };
    let mut bare = Bare::new(arguments);
    let all = compare(arguments.rounds, 1, || step(arguments.symbols), || bare.change(arguments.symbols))?;
    say("all prices", &all);
    let one = compare(arguments.rounds, 1, || step(1), || bare.change(1))?;
    say("one price", &one);

    let daily = returns(7, arguments.scenarios);
    let greatest = daily.iter().fold(0.0_f64, |greatest, daily| greatest.max(daily.abs()));
    let mut sums = ScenarioSums::zeros(daily.len());
    let stakes: Vec<_> = (0..1000).map(|number| Stake::of(Money::whole(1000 + number))).collect();
    let kernel = || {
        stakes.array_windows().for_each(|[old, new]| sums.replace(Returns::new(&daily, greatest), *old, *new));
        black_box(&sums);
        Ok(())
    };
    let mut terms = vec![0_i64; daily.len()];
    let by_itself = || {
        for number in 1000..1999 {
            for (value, sign) in [(number, -1), (number + 1, 1)] {
                add_rounded(f64::from(value) * 1e6, &daily, sign, &mut terms);
            }
        }
        black_box(&terms);
        Ok(())
    };
    let result = compare(arguments.rounds, stakes.len() - 1, kernel, by_itself)?;
    println!("kernel          {:>9.0} ns a revaluation; term by term {:.0} ns; ratio {:.2}", result.ours, result.other, result.ratio());
    Ok(())
}

fn say(what: &str, result: &Comparison) {
    println!(
        "{what:<15} {:>9.2} ms with rows; terms and a sort alone {:.2} ms; ratio {:.2}",
        result.ours / 1e6,
        result.other / 1e6,
        result.ratio()
    );
}

#[expect(clippy::cast_possible_truncation, reason = "small numbers")]
fn add_rounded(millionths: f64, daily: &[f64], sign: i64, sums: &mut [i64]) {
    sums.iter_mut().zip(daily).for_each(|(sum, daily)| *sum += sign * (millionths * daily).round_ties_even() as i64);
}

fn symbol(number: u32) -> Symbol {
    Symbol::derived(format!("S{number}"))
}

fn mark(number: u32, tick: u64) -> Known {
    let cents = i128::from(number % 200) * 50 + 5000 + i128::from(tick % 50);
    Known::Mark(Mark { symbol: symbol(number), price: Some(Price::from_units(cents * 10_000_000)) })
}

/// The symbols and quantities that an account holds.
fn holdings(account: u32, arguments: &VarArguments) -> impl Iterator<Item = (u32, i64)> {
    let (symbols, positions) = (arguments.symbols.max(1), arguments.positions);
    (0..positions).map(move |number| ((account * 7 + number * 10) % symbols, i64::from((account + number * 3) % 90) * 10 - 405))
}

fn returns(number: u32, scenarios: u16) -> Vec<f64> {
    (0..u32::from(scenarios)).map(|day| (f64::from((day + number) * 7919 % 1009) - 504.0) / 40_000.0).collect()
}

fn opened(arguments: &VarArguments) -> (Standalone, (HoldingTables, ScopeTables)) {
    let tables = (HoldingTables::default(), ScopeTables::default());
    let settings = ValuationSettings {
        base_currency: Currency::derived("USD"),
        risk: RiskSettings { window: usize::from(arguments.scenarios), ..RiskSettings::default() },
        limits: LimitDefaults::default(),
        clock: Clock::new(Nanos::new(1), Nanos::new(1)),
        start_tick: Tick::ZERO,
        bust_horizon: Nanos::ZERO,
    };
    let mut valuation = Standalone::new(&settings, &tables.0, &tables.1);
    let usd = || Currency::derived("USD");
    let mut known = Vec::new();
    for number in 0..arguments.symbols {
        known.push(Known::Instrument {
            symbol: symbol(number),
            asset_class: AssetClass::Equity,
            currency: usd(),
            multiplier: Factor::whole(1),
        });
        known.push(mark(number, 0));
        for day in 0..=arguments.scenarios {
            let close = Price::from_units(100_000_000_000 + i128::from((u32::from(day) + number) * 7919 % 1009) * 1_000_000);
            known.push(Known::Close { symbol: symbol(number), date: Date::from_days(i32::from(day)), close });
        }
    }
    for number in 0..arguments.accounts {
        let account = AccountId::derived(format!("A{number}"));
        known.push(Known::Account { account_id: account, currency: usd(), book: Some("firm".into()) });
        known.extend(holdings(number, arguments).map(|(held, quantity)| {
            let cost = Money::whole(quantity * 50);
            let sums = AverageCost { quantity: Quantity::whole(quantity), cost, cash_flow: cost.negated(), fees: Money::ZERO };
            Known::Holding(HoldingSums { account_id: account, symbol: symbol(held), sums })
        }));
    }
    valuation.advance(Tick::new(1), known);
    (valuation, tables)
}

/// The minimal computation of the same figures: each term on its own, sums by account and of all, a sort.
struct Bare {
    returns: Vec<Vec<f64>>,
    values: Vec<f64>,
    /// By symbol: accounts and quantities.
    holders: Vec<Vec<(usize, f64)>>,
    accounts: Vec<Vec<i64>>,
    firm: Vec<i64>,
    change: f64,
}

impl Bare {
    fn new(arguments: &VarArguments) -> Self {
        let mut holders = vec![Vec::new(); arguments.symbols as usize];
        for account in 0..arguments.accounts {
            for (symbol, quantity) in holdings(account, arguments) {
                holders.get_mut(symbol as usize).into_iter().for_each(|holders| {
                    #[expect(clippy::cast_precision_loss, reason = "small numbers")]
                    holders.push((account as usize, quantity as f64));
                });
            }
        }
        let scenarios = usize::from(arguments.scenarios);
        Self {
            returns: (0..arguments.symbols).map(|symbol| returns(symbol, arguments.scenarios)).collect(),
            values: vec![50.0; arguments.symbols as usize],
            holders,
            accounts: vec![vec![0; scenarios]; arguments.accounts as usize],
            firm: vec![0; scenarios],
            change: 0.01,
        }
    }

    fn change(&mut self, symbols: u32) -> anyhow::Result<()> {
        self.change = -self.change;
        let mut touched = vec![false; self.accounts.len()];
        for ((price, holders), daily) in self.values.iter_mut().zip(&self.holders).zip(&self.returns).take(symbols as usize) {
            let (old, new) = (*price, *price + self.change);
            *price = new;
            for (account, quantity) in holders {
                let Some(sums) = self.accounts.get_mut(*account) else { continue };
                touched.get_mut(*account).into_iter().for_each(|touched| *touched = true);
                for (price, sign) in [(old, -1), (new, 1)] {
                    add_rounded(quantity * price * 1e6, daily, sign, sums);
                    add_rounded(quantity * price * 1e6, daily, sign, &mut self.firm);
                }
            }
        }
        let touched = self.accounts.iter().zip(touched).filter(|(_, touched)| *touched).map(|(sums, _)| sums);
        for sums in touched.chain([&self.firm]) {
            let mut sorted = sums.clone();
            sorted.sort_unstable();
            for rank in [13, 7, 3] {
                let worst = sorted.get(..rank).unwrap_or_default();
                black_box((worst.last(), worst.iter().sum::<i64>()));
            }
        }
        Ok(())
    }
}
