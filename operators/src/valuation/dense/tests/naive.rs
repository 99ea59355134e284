//! A valuation that computes everything from scratch at each grid point.

use std::collections::BTreeMap;

use headwater_schemas::events::AssetClass;
use headwater_schemas::tables::{Portfolio, Risk, RiskComponent, StressResult};
use headwater_schemas::{AccountId, Currency, Date, EventTime, Factor, Money, Price, Scope, Statistic, Symbol, Total};

use super::{Known, RiskSettings};
use crate::positions::AverageCost;
use crate::valuation::Mark;
use crate::valuation::rates::Rates;

#[derive(Default)]
pub(super) struct Naive {
    instruments: BTreeMap<Symbol, (Currency, Factor, AssetClass)>,
    marks: BTreeMap<Symbol, Price>,
    rates: BTreeMap<(Currency, Currency), (Factor, EventTime, bool)>,
    closes: BTreeMap<Date, BTreeMap<Symbol, Price>>,
    accounts: BTreeMap<AccountId, (Currency, Option<String>)>,
    cash: BTreeMap<(AccountId, Currency), Money>,
    holdings: BTreeMap<(AccountId, Symbol), AverageCost>,
    /// The payments in a currency, each with its value in the currency of a scope at the rate of then.
    payments: BTreeMap<(AccountId, Currency, Currency), Vec<(Money, Money)>>,
    /// Currency, peak and greatest drawdown.
    paths: BTreeMap<Scope, (Currency, i128, i128)>,
}

#[derive(Default)]
struct Sums {
    currency: Currency,
    net: i128,
    gross: BTreeMap<Symbol, i128>,
    cash: i128,
    realized: i128,
    unrealized: i128,
    fx: i128,
    unvalued: u64,
    stale: u64,
    pnl: Vec<i64>,
    /// The P&L of each symbol of an account, and of each scope right below a book.
    parts: BTreeMap<String, Vec<i64>>,
    /// The P&L of the scenarios `crash` and `flight`, in billionths.
    stress: [i128; 2],
    counted: u64,
    left_out: u64,
    filled: u64,
}

impl Naive {
    pub(super) fn learn(&mut self, known: &Known) {
        match known.clone() {
            Known::Instrument { symbol, asset_class, currency, multiplier } => {
                self.instruments.insert(symbol, (currency, multiplier, asset_class));
            }
            Known::Rate { base, quote, rate, ts, is_stale } => drop(self.rates.insert((base, quote), (rate, ts, is_stale))),
            Known::Close { symbol, date, close } => {
                self.closes.entry(date).or_default().insert(symbol, close);
            }
            Known::Mark(Mark { symbol, price: Some(price) }) => drop(self.marks.insert(symbol, price)),
            Known::Mark(mark) => drop(self.marks.remove(&mark.symbol)),
            Known::Account { account_id, currency, book } => {
                drop(self.accounts.insert(account_id, (currency, book.map(|book| book.to_string()))));
            }
            Known::Cash { account_id, currency, posted } => drop(self.cash.insert((account_id, currency), posted)),
            Known::Holding(holding) => drop(self.holdings.insert((holding.account_id, holding.symbol), holding.sums)),
            Known::Limit(_) | Known::Corrected(..) => {}
        }
    }

    /// The dates, oldest first: the last four on which half of the symbols with a close on one of the five days before have one.
    fn dates(&self) -> Vec<Date> {
        let counts = |date: &&Date| {
            let before: Vec<_> = self.closes.range(..**date).rev().take(5).flat_map(|(_, day)| day.keys()).collect();
            let active: std::collections::BTreeSet<_> = before.into_iter().collect();
            active.iter().filter(|symbol| self.closes[*date].contains_key(symbol)).count() * 2 >= active.len()
        };
        let all: Vec<Date> = self.closes.keys().filter(counts).copied().collect();
        all[all.len().saturating_sub(4)..].to_vec()
    }

    /// The returns, and whether a close was carried. With six days of closes none is older than five.
    fn returns(&self, symbol: &Symbol) -> Option<(Vec<f64>, bool)> {
        let dates = self.dates();
        let last =
            |date: &Date| self.closes.range(..=*date).rev().find_map(|(of, day)| Some((day.get(symbol)?.to_statistic(), of == date)));
        let prices: Option<Vec<_>> = dates.iter().map(last).collect();
        let prices = prices.filter(|prices| !prices.is_empty())?;
        let is_filled = prices.iter().any(|(_, closed)| !closed);
        Some((prices.windows(2).map(|pair| pair[1].0 / pair[0].0 - 1.0).collect(), is_filled))
    }

    fn scopes_of(&self, account: &AccountId) -> Vec<(Scope, Currency)> {
        let Some((currency, book)) = self.accounts.get(account) else { return Vec::new() };
        let has_position = self.holdings.keys().any(|(holder, _)| **holder == **account);
        if !has_position && book.is_none() {
            return Vec::new();
        }
        let mut scopes = vec![(Scope::derived(format!("account:{account}")), *currency)];
        let mut path = String::new();
        for node in book.iter().flat_map(|book| book.split('/')) {
            path = if path.is_empty() { node.to_owned() } else { format!("{path}/{node}") };
            scopes.push((Scope::derived(format!("book:{path}")), Currency::derived("USD")));
        }
        scopes
    }

    /// Rows of portfolios, risk and stress, without times.
    pub(super) fn tables(&mut self, settings: &RiskSettings) -> (Vec<Portfolio>, Vec<Risk>, Vec<StressResult>) {
        let (mut rates, pivot) = (Rates::default(), Currency::derived("USD"));
        for ((base, quote), (rate, ts, is_stale)) in &self.rates {
            rates.set(*base, *quote, *rate, *ts);
            rates.set_stale(*base, *quote, *is_stale);
        }
        self.pay(&rates);
        let mut scopes = BTreeMap::<Scope, Sums>::new();
        for account in self.accounts.keys() {
            let all = self.scopes_of(account);
            for (place, (scope, currency)) in all.iter().copied().enumerate() {
                // The account is right below the last book.
                let below = (place > 0).then(|| all.get(place + 1).unwrap_or(&all[0]).0.to_string());
                let sums = scopes.entry(scope).or_default();
                sums.currency = currency;
                for ((_, from), posted) in self.cash.iter().filter(|((holder, _), posted)| holder == account && !posted.is_zero()) {
                    match rates.path(from, &currency, &pivot).and_then(|path| path.convert(*posted).zip(Some(path))) {
                        Some((cash, path)) => {
                            sums.cash += cash.units();
                            sums.stale += u64::from(path.is_stale());
                        }
                        None => sums.unvalued += 1,
                    }
                }
                for ((_, from, _), payments) in self.payments.iter().filter(|((holder, _, into), _)| (holder, *into) == (account, currency))
                {
                    let path = rates.path(from, &currency, &pivot).expect("it was paid at a rate");
                    let [posted, paid] =
                        payments.iter().fold([0, 0], |[posted, paid], payment| [posted + payment.0.units(), paid + payment.1.units()]);
                    sums.fx += path.convert(Money::from_units(posted)).expect("small numbers").units() - paid;
                }
                for ((_, symbol), held) in self.holdings.iter().filter(|((holder, _), _)| holder == account) {
                    self.add(symbol, *held, &rates, sums, below.clone().unwrap_or_else(|| symbol.to_string()));
                }
            }
        }
        self.paths.retain(|scope, _| scopes.contains_key(scope));
        let (mut portfolios, mut risk, mut stress) = (Vec::new(), Vec::new(), Vec::new());
        for (scope, sums) in scopes {
            portfolios.push(self.portfolio(&scope, &sums));
            if sums.counted > 0 {
                risk.extend(rows(&scope, &sums, settings));
            }
            stress.extend(["crash", "flight"].iter().zip(sums.stress).map(|(scenario, pnl)| StressResult {
                scope,
                scenario: (*scenario).into(),
                currency: sums.currency,
                pnl: Total::from_units(pnl),
                ts: EventTime::from_nanos(0),
            }));
        }
        (portfolios, risk, stress)
    }

    /// Pays what has changed in foreign balances, at the current rates. An account that enters a scope of another currency pays all
    /// that it has.
    fn pay(&mut self, rates: &Rates) {
        let accounts: Vec<_> = self.accounts.keys().copied().collect();
        let scopes: BTreeMap<_, _> = accounts.into_iter().map(|account| (account, self.scopes_of(&account))).collect();
        self.payments.retain(|(account, _, into), _| scopes[account].iter().any(|(_, currency)| currency == into));
        for ((account, from), posted) in &self.cash {
            for (_, into) in scopes.get(account).into_iter().flatten().filter(|(_, into)| into != from) {
                let payments = self.payments.get(&(*account, *from, *into)).cloned().unwrap_or_default();
                let paid = payments.iter().fold(Money::ZERO, |sum, (amount, _)| sum.checked_add(*amount).expect("small numbers"));
                let change = posted.checked_sub(paid).expect("small numbers");
                let Some(path) = rates.path(from, into, &Currency::derived("USD")).filter(|_| !change.is_zero()) else { continue };
                let payment = (change, path.convert(change).expect("small numbers"));
                self.payments.entry((*account, *from, *into)).or_default().push(payment);
            }
        }
    }

    fn add(&self, symbol: &Symbol, held: AverageCost, rates: &Rates, sums: &mut Sums, part: String) {
        let terms = self.instruments.get(symbol);
        let value = (|| {
            let multiplier = terms?.1;
            let value =
                if held.quantity.is_zero() { Money::ZERO } else { Money::notional(*self.marks.get(symbol)?, held.quantity, multiplier)? };
            let path = rates.path(&terms?.0, &sums.currency, &Currency::derived("USD"))?;
            let scaled = |points: Money| Some(Money::from_units(points.units() * (multiplier.units() / 1_000_000_000)));
            let (cost, cash) = (scaled(held.cost)?, scaled(held.cash_flow)?.checked_sub(held.fees)?);
            let unrealized = path.convert(value.checked_sub(cost)?)?;
            Some((path.convert(value)?, path.convert(cash)?, path.convert(cash.checked_add(cost)?)?, unrealized, path.is_stale()))
        })();
        let is_flat = held.quantity.is_zero();
        let nothing = (held == AverageCost::default()).then_some((Money::ZERO, Money::ZERO, Money::ZERO, Money::ZERO, false));
        let Some((net, cash, realized, unrealized, is_stale)) = nothing.or(value) else {
            sums.unvalued += 1;
            sums.left_out += u64::from(!is_flat);
            return;
        };
        // By a third for `S1`; of the others equities by a fifth in the first scenario, bonds in the second. A holding of nothing has no terms.
        let class = terms.map(|terms| terms.2);
        let shocks = match (symbol.as_str(), class) {
            (_, None) => [0, 0],
            ("S1", _) => [-333_333_333, -333_333_333],
            (_, Some(AssetClass::Equity)) => [-200_000_000, 0],
            (_, Some(AssetClass::Bond)) => [0, 50_000_000],
            _ => [0, 0],
        };
        for (sum, shock) in sums.stress.iter_mut().zip(shocks) {
            *sum += headwater_schemas::value::fixed::quotient(net.units(), shock, 1_000_000_000).expect("small numbers");
        }
        sums.net += net.units();
        *sums.gross.entry(*symbol).or_default() += net.units().abs();
        sums.cash += cash.units();
        sums.realized += realized.units();
        sums.unrealized += unrealized.units();
        sums.stale += u64::from(is_stale);
        sums.pnl.resize(self.dates().len().saturating_sub(1), 0);
        match self.returns(symbol) {
            _ if is_flat => {}
            Some((returns, is_filled)) => {
                sums.counted += 1;
                sums.filled += u64::from(is_filled);
                let millionths = net.to_statistic() * 1e6;
                let part = sums.parts.entry(part).or_insert_with(|| vec![0; returns.len()]);
                for (place, daily) in returns.into_iter().enumerate() {
                    #[expect(clippy::cast_possible_truncation, reason = "small numbers")]
                    let term = (millionths * daily).round_ties_even() as i64;
                    sums.pnl[place] += term;
                    part[place] += term;
                }
            }
            None => sums.left_out += 1,
        }
    }

    fn portfolio(&mut self, scope: &Scope, sums: &Sums) -> Portfolio {
        let total: i128 = sums.gross.values().sum();
        let (net, cash, gross) = (Total::from_units(sums.net), Total::from_units(sums.cash), Total::from_units(total));
        let equity = Total::from_units(sums.net + sums.cash);
        let path = self.paths.entry(*scope).or_insert((sums.currency, 0, 0));
        if path.0 != sums.currency {
            *path = (sums.currency, 0, 0);
        }
        let pnl = sums.realized + sums.unrealized + sums.fx;
        path.1 = path.1.max(pnl);
        path.2 = path.2.max(path.1 - pnl);
        let greatest = sums.gross.values().max().copied().unwrap_or_default();
        let weight = |gross: i128| gross as f64 / total as f64;
        Portfolio {
            scope: *scope,
            currency: sums.currency,
            net_value: net,
            gross_exposure: gross,
            net_exposure: net,
            cash,
            equity,
            leverage: Statistic::ratio(gross.to_statistic(), equity.to_statistic()),
            hhi: Statistic::new(sums.gross.values().map(|gross| weight(*gross).powi(2)).sum()).filter(|_| total != 0),
            max_weight: Statistic::ratio(Money::from_units(greatest).to_statistic(), gross.to_statistic()),
            realized_pnl: Total::from_units(sums.realized),
            unrealized_pnl: Total::from_units(sums.unrealized),
            fx_pnl: Total::from_units(sums.fx),
            max_drawdown: Total::from_units(path.2),
            unvalued: sums.unvalued,
            stale_rates: sums.stale,
            ts: EventTime::from_nanos(0),
        }
    }
}

fn rows(scope: &Scope, sums: &Sums, settings: &RiskSettings) -> Vec<Risk> {
    let loss = |pnl: i64| Total::from_units(-i128::from(pnl) * 1000);
    // With three scenarios, the tail of 95 % and more is the worst one; the first of them, if they are equal.
    let worst = (0..sums.pnl.len()).min_by_key(|place| sums.pnl[*place]);
    let row = |confidence: &headwater_schemas::Decimal| {
        let worst = worst?;
        let var = loss(sums.pnl[worst]);
        let component = |(name, pnl): (&String, &Vec<i64>)| {
            let own = loss(pnl[worst]);
            RiskComponent { component: name.as_str().into(), component_var: own, component_es: own }
        };
        Some(Risk {
            scope: *scope,
            method: settings.methods[0],
            confidence: Statistic::new(confidence.to_statistic())?,
            window: settings.window as u64,
            observations: sums.pnl.len() as u64,
            var,
            expected_shortfall: var,
            left_out: sums.left_out,
            filled: sums.filled,
            components: sums.parts.iter().map(component).collect(),
            ts: EventTime::from_nanos(0),
        })
    };
    settings.confidences.iter().filter_map(row).collect()
}
