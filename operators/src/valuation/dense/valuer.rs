//! The valuer: each account's positions and their contributions to scopes, updated at each grid point.
//!
//! A worker has the accounts that are routed to it, and all marks, terms, rates and closes. At a grid point it revalues what
//! changed: a position that traded, all positions of a symbol whose mark changed, amounts converted by a rate that changed, every
//! position when the scenarios changed. It emits one part per scope that its accounts changed, and a row of `holdings` per
//! holding that changed.

use std::collections::BTreeMap;

use headwater_schemas::events::LimitKind;
use headwater_schemas::tables::{Holding, Moment, PaidIn, RiskComponent, RiskGap, TableWriter};
use headwater_schemas::{AccountId, Corrections, Currency, Decimal, Factor, Money, Price, Scope, Symbol, Text, Tick};
use rustc_hash::FxHashMap;

use super::HoldingTables;
use super::accounts::{Account, Terms};
use super::books::Books;
use super::currencies::Currencies;
use super::gaps::GapRows;
use super::handles::{AccountHandle, CurrencyHandle, HoldingHandle, Named, Rows, SymbolHandle};
use super::part::{ScenarioChange, ScopePart};
use super::scenarios::Scenarios;
use super::watch::{LimitWatch, Quiet};
use super::worth::{PositionScenarios, Valuation, Worth};
use crate::positions::{AverageCost, HoldingSums};
use crate::valuation::known::{CorrectedPart, Known};
use crate::valuation::limits::{Compared, Figure, Measure, MeasureEvent};
use crate::valuation::risk::{Parts, Shocks, StressScenario, WorstScenarios};
use crate::valuation::{LimitDefaults, Mark, RiskSettings};

/// A holding of an account in a symbol.
#[derive(Debug)]
struct Held {
    account: AccountHandle,
    sums: AverageCost,
    /// Its contribution in the account's currency, and in that of its books if it differs.
    own: Worth,
    base: Worth,
    quiet: Quiet,
    /// The shocks at its last valuation.
    shocks: Shocks,
    /// Whether it has to be revalued.
    is_stale: bool,
}

#[derive(Debug, Default)]
struct SymbolState {
    terms: Option<(CurrencyHandle, Factor)>,
    mark: Option<Price>,
    /// Its shocks in the stress scenarios.
    shocks: Shocks,
    holdings: Rows<HoldingHandle, Held>,
}

/// A change of a holding, which adds it to the stale ones if it becomes stale.
type ChangeHeld = fn(&mut Held, (SymbolHandle, HoldingHandle), &mut Vec<(SymbolHandle, HoldingHandle)>);

/// Pending work at a grid point.
#[derive(Debug, Default)]
struct Work {
    /// Holdings to be revalued.
    stale: Vec<(SymbolHandle, HoldingHandle)>,
    /// Holdings whose rows are to be emitted.
    traded: Vec<(SymbolHandle, HoldingHandle)>,
    /// Accounts with new terms.
    terms: Vec<(AccountHandle, Terms)>,
    /// Accounts whose cash is to be revalued.
    cash: Vec<AccountHandle>,
    /// Accounts whose rows of what was paid in are to be emitted.
    funded: Vec<AccountHandle>,
    /// Accounts with a pending part.
    touched: Vec<AccountHandle>,
    rates: bool,
    scenarios: bool,
    corrected: BTreeMap<CorrectedPart, Corrections>,
}

/// Results of a grid point, besides rows.
#[derive(Debug, Default)]
pub(super) struct Valued {
    pub(super) parts: Vec<ScopePart>,
    /// Values of positions, for limits.
    pub(super) measures: Vec<MeasureEvent>,
}

/// State of a worker's valuation.
#[derive(Debug)]
pub(super) struct Valuer {
    base: CurrencyHandle,
    currencies: Currencies,
    accounts: Named<AccountHandle, Account>,
    symbols: Named<SymbolHandle, SymbolState>,
    places: FxHashMap<(AccountHandle, SymbolHandle), HoldingHandle>,
    books: Books,
    scenarios: Scenarios,
    risk: RiskSettings,
    /// The rows of `risk_gaps`, if this worker emits them.
    gaps: Option<GapRows>,
    /// The first tick with the current scenarios; 0 before there are any.
    since: Tick,
    pub(super) watch: LimitWatch,
    work: Work,
    holdings: TableWriter<Holding>,
    paid_in: TableWriter<PaidIn>,
}

impl Valuer {
    /// An empty valuer. Books are valued in `base_currency`.
    pub(super) fn new(base_currency: Currency, risk: &RiskSettings, limits: LimitDefaults, tables: &HoldingTables) -> Self {
        let mut currencies = Currencies::new(base_currency);
        Self {
            base: currencies.currency(base_currency),
            currencies,
            accounts: Named::default(),
            symbols: Named::default(),
            places: FxHashMap::default(),
            books: Books::new(risk.has_components()),
            scenarios: Scenarios::new(risk),
            risk: risk.clone(),
            gaps: None,
            since: Tick::ZERO,
            watch: LimitWatch::new(limits),
            work: Work::default(),
            holdings: tables.holdings.clone(),
            paid_in: tables.paid_in.clone(),
        }
    }

    /// Makes this worker emit `risk_gaps`: one does, because all have the same closes. Restores the rows of the last commit.
    pub(super) fn write_gaps(&mut self, table: TableWriter<RiskGap>, saved: &[RiskGap]) {
        self.gaps = Some(GapRows::new(table, saved));
    }

    /// Restores the inputs of the last commit, and what was paid in until then. Returns the full contributions of the worker's
    /// accounts to their scopes.
    pub(super) fn restore(
        &mut self,
        known: impl Iterator<Item = Known>,
        paid_in: impl Iterator<Item = PaidIn>,
        start_tick: Tick,
    ) -> Vec<ScopePart> {
        known.for_each(|known| self.learn(known));
        paid_in.for_each(|row| self.restore_paid_in(row));
        self.work.traded.clear();
        let mut valued = Valued::default();
        // These scenarios are older than this run: scenarios of its first tick replace them.
        self.value(start_tick.previous(), &mut valued);
        self.watch.forget();
        self.flush(&mut valued);
        // Its accounts were members of these scopes before.
        valued.parts.iter_mut().for_each(|part| part.has_traded = false);
        valued.parts
    }

    /// Applies the changes before the grid point at the end of `moment`'s tick.
    pub(super) fn advance(&mut self, moment: &Moment, changes: impl Iterator<Item = Known>, valued: &mut Valued) {
        changes.for_each(|known| self.learn(known));
        let has_new_scenarios = self.work.scenarios;
        self.value(moment.tick, valued);
        if let Some(gaps) = self.gaps.as_mut().filter(|_| has_new_scenarios) {
            gaps.write(moment, self.scenarios.gaps(), &self.symbols);
        }
        self.write_holdings(moment);
        self.write_paid_in(moment);
        self.pass_corrections_on();
        self.flush(valued);
    }

    fn learn(&mut self, known: Known) {
        match known {
            Known::Instrument { symbol, asset_class, currency, multiplier } => {
                let currency = self.currencies.currency(currency);
                let shocks = StressScenario::shocks(&self.risk.stress, &symbol, asset_class);
                self.change_symbol(symbol, |symbol| (symbol.terms, symbol.shocks) = (Some((currency, multiplier)), shocks));
            }
            Known::Mark(Mark { symbol, price }) => self.change_symbol(symbol, |symbol| symbol.mark = price),
            Known::Rate { base, quote, rate, ts, is_stale } => {
                self.currencies.set(base, quote, rate, ts, is_stale);
                self.work.rates = true;
            }
            Known::Close { symbol, date, close } => {
                let symbol = self.symbols.intern(symbol, SymbolState::default);
                self.scenarios.set(symbol, date, close);
                self.work.scenarios = true;
            }
            Known::Account { account_id, currency, book } => {
                let terms =
                    Terms { currency: self.currencies.currency(currency), book: self.books.of_path(book.as_deref().unwrap_or_default()) };
                let account = self.accounts.intern(account_id, Account::default);
                self.work.terms.push((account, terms));
            }
            Known::Cash { account_id, currency, posted } => {
                let currency = self.currencies.currency(currency);
                let handle = self.accounts.intern(account_id, Account::default);
                let Some(account) = self.accounts.get_mut(handle) else { return };
                account.set_cash(currency, posted);
                if account.is_member() {
                    self.work.cash.push(handle);
                }
            }
            Known::Holding(holding) => self.change_holding(holding),
            Known::Limit(event) => self.watch.learn(*event),
            Known::Corrected(part, corrections) => self.work.corrected.entry(part).or_default().extend(corrections),
        }
    }

    fn restore_paid_in(&mut self, row: PaidIn) {
        let [from, into] = [row.currency, row.converted_to].map(|currency| self.currencies.currency(currency));
        let account = self.accounts.intern(row.account_id, Account::default);
        self.accounts.get_mut(account).into_iter().for_each(|account| account.funding.restore(from, into, row.clone()));
    }

    fn change_symbol(&mut self, symbol: Symbol, change: impl FnOnce(&mut SymbolState)) {
        let handle = self.symbols.intern(symbol, SymbolState::default);
        let Some(symbol) = self.symbols.get_mut(handle) else { return };
        change(symbol);
        symbol.change_holdings(handle, Held::make_stale, &mut self.work.stale);
    }

    fn change_holding(&mut self, HoldingSums { account_id, symbol, sums }: HoldingSums) {
        let (account, symbol) = (self.accounts.intern(account_id, Account::default), self.symbols.intern(symbol, SymbolState::default));
        let Some(state) = self.symbols.get_mut(symbol) else { return };
        let place = *self.places.entry((account, symbol)).or_insert_with(|| {
            let place = state.holdings.push(Held::new(account));
            self.accounts.get_mut(account).into_iter().for_each(|account| account.holdings.push((symbol, place)));
            place
        });
        let Some(held) = state.holdings.get_mut(place) else { return };
        held.sums = sums;
        held.make_stale((symbol, place), &mut self.work.stale);
        self.work.traded.push((symbol, place));
    }

    /// Revalues what has changed.
    fn value(&mut self, tick: Tick, valued: &mut Valued) {
        if self.watch.refresh() {
            // Compares current values with changed limits.
            self.change_every_holding(Held::make_stale);
        }
        if std::mem::take(&mut self.work.scenarios) {
            self.scenarios.refresh();
            self.since = tick.next();
            self.change_every_holding(Held::forget_scenarios);
        }
        if std::mem::take(&mut self.work.rates) {
            for (from, into) in self.currencies.refresh() {
                self.convert_again(from, into);
            }
        }
        for (account, terms) in std::mem::take(&mut self.work.terms) {
            self.change_terms(account, terms, valued);
        }
        let mut stale = std::mem::take(&mut self.work.stale);
        stale.drain(..).for_each(|(symbol, place)| self.value_position(symbol, place, valued));
        self.work.stale = stale;
        let mut cash = std::mem::take(&mut self.work.cash);
        for handle in cash.drain(..) {
            let Some(account) = self.accounts.get_mut(handle) else { continue };
            account.value_cash(handle, self.base, &mut self.currencies, &mut self.work.touched);
            if account.funding.has_changed() {
                self.work.funded.push(handle);
            }
        }
        self.work.cash = cash;
    }

    fn change_every_holding(&mut self, change: ChangeHeld) {
        for handle in self.symbols.handles() {
            let Some(symbol) = self.symbols.get_mut(handle) else { continue };
            symbol.change_holdings(handle, change, &mut self.work.stale);
        }
    }

    /// Marks what a changed path between two currencies converts.
    fn convert_again(&mut self, from: CurrencyHandle, into: CurrencyHandle) {
        let base = self.base;
        let uses = |account: &Account| account.terms.is_some_and(|terms| terms.currency == into || (into == base && terms.book.is_some()));
        for symbol in self.symbols.handles() {
            let Some(state) = self.symbols.get_mut(symbol).filter(|state| state.terms.is_some_and(|(currency, _)| currency == from)) else {
                continue;
            };
            for place in state.holdings.handles() {
                let Some(held) = state.holdings.get_mut(place) else { continue };
                if self.accounts.get(held.account).is_some_and(uses) {
                    held.make_stale((symbol, place), &mut self.work.stale);
                }
            }
        }
        let with_cash = self.accounts.iter().filter(|(_, account)| account.is_member() && uses(account) && account.has_cash_of(from));
        self.work.cash.extend(with_cash.map(|(handle, _)| handle));
    }

    /// Changes the terms of an account, which leaves its scopes with all its contributions and enters the new ones.
    fn change_terms(&mut self, handle: AccountHandle, terms: Terms, valued: &mut Valued) {
        let Some(account) = self.accounts.get_mut(handle).filter(|account| account.terms != Some(terms)) else { return };
        let holdings = account.holdings.clone();
        if account.is_member() {
            account.set_member(false, handle, &mut self.work.touched);
            account.value_cash(handle, self.base, &mut self.currencies, &mut self.work.touched);
            for (symbol, place) in &holdings {
                self.withdraw(*symbol, *place);
            }
            self.flush_account(handle, valued);
        }
        let Some(account) = self.accounts.get_mut(handle) else { return };
        account.terms = Some(terms);
        if account.qualifies() {
            account.set_member(true, handle, &mut self.work.touched);
            self.work.cash.push(handle);
            if !holdings.is_empty() {
                // For the scopes that it enters, its fills begin to count now: their bust takes back what is seen from now on.
                account.trade(handle, &mut self.work.touched);
            }
        } else {
            account.funding.keep([None, None]);
            if account.funding.has_changed() {
                self.work.funded.push(handle);
            }
        }
        for (symbol, place) in holdings {
            let held = self.symbols.get_mut(symbol).and_then(|symbol| symbol.holdings.get_mut(place));
            held.into_iter().for_each(|held| held.make_stale((symbol, place), &mut self.work.stale));
        }
    }

    fn withdraw(&mut self, symbol: SymbolHandle, place: HoldingHandle) {
        let Some(held) = self.symbols.get_mut(symbol).and_then(|symbol| symbol.holdings.get_mut(place)) else { return };
        let Some(account) = self.accounts.get_mut(held.account) else { return };
        let (scenarios, count) = (self.scenarios.of(symbol), self.scenarios.len());
        let (since, is_flat, shocks) = (self.since, held.sums.quantity.is_zero(), [&*held.shocks; 2]);
        let current = PositionScenarios { scenarios, count, since, is_flat, point_value: None, shocks };
        let part = account.part(held.account, &mut self.work.touched);
        for (worth, pending) in [(&mut held.own, &mut part.own), (&mut held.base, &mut part.base)] {
            worth.update(symbol, Valuation::Absent, current, pending);
            // In new scenarios the position has no contribution yet. This may be all that informs the scope of them.
            pending.scenarios.get_or_insert_with(|| ScenarioChange::nothing(self.since, count));
        }
    }

    fn value_position(&mut self, symbol: SymbolHandle, place: HoldingHandle, valued: &mut Valued) {
        let Some((name, state)) = self.symbols.named_mut(symbol) else { return };
        let SymbolState { terms, mark, shocks, holdings } = state;
        let (terms, mark) = (*terms, *mark);
        let Some(held) = holdings.get_mut(place) else { return };
        let market_value = market_value(held.sums, terms, mark);
        let position = held.sums.in_money(multiplier(terms)).zip(market_value);
        held.is_stale = false;
        let Some((account_id, account)) = self.accounts.named_mut(held.account) else { return };
        let Some(account_terms) = account.terms else { return };
        if !account.is_member() {
            account.set_member(true, held.account, &mut self.work.touched);
            self.work.cash.push(held.account);
        }
        let (scenarios, count) = (self.scenarios.of(symbol), self.scenarios.len());
        let is_absolute = scenarios.is_some_and(|scenarios| scenarios.is_absolute);
        let one_point = is_absolute.then(|| Money::notional(Price::whole(1), held.sums.quantity, multiplier(terms))).flatten();
        let (since, is_flat, is_nothing) = (self.since, held.sums.quantity.is_zero(), held.sums == AverageCost::default());
        let shocked = [&*held.shocks, &**shocks];
        let mut in_currency = |into: CurrencyHandle| {
            let path = terms.and_then(|(currency, _)| self.currencies.path(currency, into));
            let point_value = one_point.zip(path).and_then(|(value, path)| path.convert(value));
            // Of a holding whose only fill was busted nothing is left, which is worth nothing in every currency.
            let valuation = if is_nothing { Valuation::NOTHING } else { Valuation::of(position, path) };
            (valuation, PositionScenarios { scenarios, count, since, is_flat, point_value, shocks: shocked })
        };
        let (own, own_scenarios) = in_currency(account_terms.currency);
        let (base, base_scenarios) =
            if account_terms.is_converted(self.base) { in_currency(self.base) } else { (Valuation::Absent, own_scenarios) };
        let figure = own.net().map_or(Figure::Missing, |net| Figure::Is(Decimal::from_units(net.units())));
        if self.watch.must_see(LimitKind::PositionValue, Compared::whole(figure), &mut held.quiet) {
            let scope = account.scope(account_id);
            measure(scope, (account_id, name), figure, &self.work.corrected, &mut valued.measures);
        }
        let part = account.part(held.account, &mut self.work.touched);
        held.own.update(symbol, own, own_scenarios, &mut part.own);
        held.base.update(symbol, base, base_scenarios, &mut part.base);
        held.shocks.clone_from(shocks);
    }

    fn write_holdings(&mut self, moment: &Moment) {
        let mut traded = std::mem::take(&mut self.work.traded);
        for (symbol, place) in traded.drain(..) {
            let Some((name, state)) = self.symbols.name(symbol).zip(self.symbols.get(symbol)) else { continue };
            let Some(held) = state.holdings.get(place) else { continue };
            let Some((account_id, account)) = self.accounts.named_mut(held.account) else { continue };
            if account.is_member() {
                account.trade(held.account, &mut self.work.touched);
            }
            let currency = state.terms.and_then(|(currency, _)| self.currencies.name(currency));
            let row = row(HoldingSums { account_id, symbol: name, sums: held.sums }, currency, state, moment);
            let why = if self.work.corrected.is_empty() {
                Corrections::new()
            } else {
                let part = CorrectedPart::Holding(account_id, name);
                self.work.corrected.get(&part).cloned().unwrap_or_default()
            };
            self.holdings.insert(&Moment { why, ..moment.clone() }, row);
        }
        self.work.traded = traded;
    }

    fn write_paid_in(&mut self, moment: &Moment) {
        for handle in std::mem::take(&mut self.work.funded) {
            let Some((account_id, account)) = self.accounts.named_mut(handle) else { continue };
            account.funding.write(account_id, &self.currencies, moment, &self.paid_in);
        }
    }

    /// Adds corrections to each scope above, whether or not the worker's part changed: so a scope's reasons do not depend on
    /// which worker has which account.
    fn pass_corrections_on(&mut self) {
        for (part, corrections) in std::mem::take(&mut self.work.corrected) {
            let (accounts, affects_exposure): (Vec<AccountHandle>, _) = match &part {
                CorrectedPart::Mark(symbol) => {
                    let symbol = self.symbols.find(*symbol).and_then(|symbol| self.symbols.get(symbol));
                    (symbol.into_iter().flat_map(|symbol| symbol.holdings.iter().map(|(_, held)| held.account)).collect(), true)
                }
                CorrectedPart::Cash(account) => (self.accounts.find(*account).into_iter().collect(), false),
                CorrectedPart::Holding(account, _) => (self.accounts.find(*account).into_iter().collect(), true),
            };
            for handle in accounts {
                let account = self.accounts.get_mut(handle).filter(|account| account.is_member());
                account.into_iter().for_each(|account| account.correct(&corrections, affects_exposure, handle, &mut self.work.touched));
            }
        }
    }

    /// Emits the parts of accounts, then those of books.
    fn flush(&mut self, valued: &mut Valued) {
        let mut touched = std::mem::take(&mut self.work.touched);
        touched.drain(..).for_each(|account| self.flush_account(account, valued));
        self.work.touched = touched;
        let Self { books, symbols, currencies, base, .. } = self;
        let Some(currency) = currencies.name(*base) else { return };
        books.roll_up(|scope, part| valued.parts.extend(part.into_part(scope, currency, symbols)));
    }

    fn flush_account(&mut self, handle: AccountHandle, valued: &mut Valued) {
        let Self { accounts, books, symbols, currencies, base, scenarios, risk, .. } = self;
        let Some(account_id) = accounts.name(handle) else { return };
        let Some(account) = accounts.get_mut(handle) else { return };
        let components = if risk.has_components() { components(account, symbols, scenarios, risk) } else { None };
        let Some(part) = account.flush(account_id, *base, currencies, books, symbols) else { return };
        valued.parts.push(ScopePart { symbols: components.unwrap_or_default(), ..part });
    }
}

impl SymbolState {
    fn change_holdings(&mut self, symbol: SymbolHandle, change: ChangeHeld, stale: &mut Vec<(SymbolHandle, HoldingHandle)>) {
        for place in self.holdings.handles() {
            self.holdings.get_mut(place).into_iter().for_each(|held| change(held, (symbol, place), stale));
        }
    }
}

impl Held {
    fn new(account: AccountHandle) -> Self {
        Self {
            account,
            sums: AverageCost::default(),
            own: Worth::default(),
            base: Worth::default(),
            quiet: Quiet::default(),
            shocks: Shocks::default(),
            is_stale: false,
        }
    }

    fn make_stale(&mut self, place: (SymbolHandle, HoldingHandle), all: &mut Vec<(SymbolHandle, HoldingHandle)>) {
        if !std::mem::replace(&mut self.is_stale, true) {
            all.push(place);
        }
    }

    fn forget_scenarios(&mut self, place: (SymbolHandle, HoldingHandle), all: &mut Vec<(SymbolHandle, HoldingHandle)>) {
        self.own.forget_scenarios();
        self.base.forget_scenarios();
        self.make_stale(place, all);
    }
}

/// What each symbol adds to the estimates of an account, for each confidence; `None` if its scenario P&L does not change.
fn components(
    account: &mut Account,
    symbols: &Named<SymbolHandle, SymbolState>,
    scenarios: &Scenarios,
    risk: &RiskSettings,
) -> Option<Vec<Vec<RiskComponent>>> {
    let worst = WorstScenarios::of_sums(&account.scenarios()?.sums, risk);
    let mut parts = Parts::default();
    for (symbol, place) in &account.holdings {
        let Some((name, state)) = symbols.name(*symbol).zip(symbols.get(*symbol)) else { continue };
        let stake = state.holdings.get(*place).and_then(|held| held.own.stake());
        let Some((stake, of)) = stake.zip(scenarios.of(*symbol)) else { continue };
        parts.add(Text::new(name.as_str()), worst.places().iter().map(|scenario| of.returns.term(stake, *scenario)));
    }
    Some(worst.components(&parts, risk))
}

/// The value of a position, with its corrections.
fn measure(
    scope: Scope,
    (account_id, symbol): (AccountId, Symbol),
    figure: Figure,
    corrected: &BTreeMap<CorrectedPart, Corrections>,
    measures: &mut Vec<MeasureEvent>,
) {
    let measure = Measure { scope, kind: LimitKind::PositionValue, symbol: Some(symbol), compared: Compared::whole(figure) };
    if !corrected.is_empty() {
        let parts = [CorrectedPart::Mark(symbol), CorrectedPart::Holding(account_id, symbol)];
        let corrections = parts.iter().filter_map(|part| corrected.get(part));
        measures.extend(corrections.map(|corrections| MeasureEvent::Corrected(measure.key(), corrections.clone())));
    }
    measures.push(MeasureEvent::Measured(measure));
}

fn multiplier(terms: Option<(CurrencyHandle, Factor)>) -> Factor {
    terms.map_or(Factor::whole(1), |(_, multiplier)| multiplier)
}

/// A flat position needs no mark.
fn market_value(sums: AverageCost, terms: Option<(CurrencyHandle, Factor)>, mark: Option<Price>) -> Option<Money> {
    if sums.quantity.is_zero() {
        return Some(Money::ZERO);
    }
    Money::notional(mark?, sums.quantity, multiplier(terms))
}

fn row(holding: HoldingSums, currency: Option<Currency>, symbol: &SymbolState, moment: &Moment) -> Holding {
    let HoldingSums { account_id, symbol: name, sums } = holding;
    let market_value = symbol.mark.and_then(|mark| market_value(sums, symbol.terms, Some(mark)));
    let money = sums.in_money(multiplier(symbol.terms));
    Holding {
        account_id,
        symbol: name,
        currency,
        quantity: sums.quantity,
        average_price: sums.average_price(),
        cost: sums.cost,
        realized_pnl: money.map(|money| money.realized),
        cash_flow: sums.cash_flow,
        fees: sums.fees,
        mark_price: symbol.mark,
        market_value,
        unrealized_pnl: market_value.zip(money).and_then(|(value, money)| value.checked_sub(money.cost)),
        ts: moment.event_time(),
    }
}
