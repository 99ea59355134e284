//! The valuer: each account's positions, sums and scenario P&L, kept up to date from grid point to grid point.
//!
//! A worker has the accounts that are routed to it, and all marks, terms, rates and closes. At a grid point it values
//! again what changed: a position that traded, all positions of a symbol whose mark moved, what was converted by a rate
//! that changed, every position when the scenarios did. What it says is changes: position rows, contributions to scopes, scenario vectors.

use std::collections::{BTreeMap, BTreeSet};

use headwater_schemas::tables::Position;
use headwater_schemas::{Corrections, Date, EventTime, Factor, Id, Money, Price, Text};
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use super::marks::Mark;
use super::rates::{Path, Rates};
use super::scenarios::Scenarios;
use crate::positions::{AverageCost, Holding};

/// Something that the valuer knows, and that changes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Known {
    /// An instrument's currency and multiplier.
    Instrument {
        /// The instrument.
        symbol: Id,
        /// Its currency.
        currency: Id,
        /// What one unit is worth per point of price.
        multiplier: Factor,
    },
    /// An exchange rate.
    Rate {
        /// The currency that is priced.
        base: Id,
        /// The currency that it is priced in.
        quote: Id,
        /// The rate.
        rate: Factor,
    },
    /// A closing price.
    Close {
        /// The symbol.
        symbol: Id,
        /// The day.
        date: Date,
        /// The price.
        close: Price,
    },
    /// A mark.
    Mark(Mark),
    /// An account's currency and its place in the firm.
    Account {
        /// The account.
        account_id: Id,
        /// Its currency.
        currency: Id,
        /// `firm/desk/book`.
        book: Option<Text>,
    },
    /// What an account has posted of a currency.
    Cash {
        /// The account.
        account_id: Id,
        /// The currency.
        currency: Id,
        /// The posted balance.
        posted: Money,
    },
    /// What an account holds of a symbol.
    Holding(Holding),
    /// Why something else that is said at the same grid point is not what it was.
    Corrected(CorrectedPart, Corrections),
}

/// What was corrected.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum CorrectedPart {
    /// A symbol's mark.
    Mark(Id),
    /// What an account has in the bank.
    Cash(Id),
    /// What an account holds of a symbol.
    Holding(Id, Id),
}

/// What a position, or an account's cash, adds to a scope.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Contribution {
    /// `account:ID` or `book:PATH`.
    pub scope: Id,
    /// The scope's currency, which the sums are in.
    pub currency: Id,
    /// The position's symbol; `None` for cash in the bank.
    pub symbol: Option<Id>,
    /// Market value.
    pub net: Money,
    /// Its magnitude.
    pub gross: Money,
    /// Cash: the position's cash flow, or the posted balance.
    pub cash: Money,
    /// Realized P&L.
    pub realized: Money,
    /// Unrealized P&L.
    pub unrealized: Money,
    /// 1 if it could not be valued: the sums are zero then.
    pub unvalued: i64,
}

/// A worker's part of a scope's P&L in every scenario. It replaces the part that the worker has said before.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ScopeVector {
    /// The scope.
    pub scope: Id,
    /// Whose part it is.
    pub worker: usize,
    /// The P&L in each scenario, in millionths of the scope's currency, by date.
    pub pnl: Vec<i64>,
    /// Positions that the scenarios leave out.
    pub left_out: u64,
}

/// What the valuer says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Valued {
    /// A change of a position's row.
    Position(Position, isize),
    /// A change of what a scope is made of.
    Contribution(Contribution, isize),
    /// A scope's new scenario P&L.
    Vector(ScopeVector),
    /// What was corrected below a position's row that changed.
    CorrectedPosition(Position, Corrections),
    /// What was corrected below a scope.
    CorrectedScope(Id, Corrections),
    /// What of that can have changed its scenario P&L: not its cash. Said whether or not this worker's part changed, so that a
    /// scope's reasons do not depend on who has which account.
    CorrectedExposure(Id, Corrections),
}

/// A position with what was said of it.
#[derive(Debug, Default)]
struct Held {
    sums: AverageCost,
    row: Option<Position>,
    contributions: Vec<Contribution>,
    /// The values that went through the scenarios: per scope.
    exposed: Vec<(Id, Money, bool)>,
}

#[derive(Debug, Default)]
struct Account {
    terms: Option<(Id, Option<Text>)>,
    holdings: BTreeMap<Id, Held>,
    cash: BTreeMap<Id, Money>,
    cash_contributions: Vec<Contribution>,
}

#[derive(Debug, Default)]
struct Vector {
    pnl: Vec<i64>,
    left_out: u64,
}

/// The state.
#[derive(Debug)]
pub struct Valuer {
    worker: usize,
    base_currency: Id,
    instruments: FxHashMap<Id, (Id, Factor)>,
    marks: FxHashMap<Id, Price>,
    rates: Rates,
    scenarios: Scenarios,
    accounts: BTreeMap<Id, Account>,
    holders: FxHashMap<Id, BTreeSet<Id>>,
    converted: FxHashMap<(Id, Id), Converted>,
    vectors: BTreeMap<Id, Vector>,
}

/// What was converted from one currency to another, or was to be: it depends on the rates between them.
#[derive(Debug, Default)]
struct Converted {
    /// The way that was taken.
    path: Option<Path>,
    positions: BTreeSet<(Id, Id)>,
    cash: BTreeSet<Id>,
}

/// What has to be valued again.
#[derive(Default)]
struct Dirty {
    positions: BTreeSet<(Id, Id)>,
    cash: BTreeSet<Id>,
    rates: bool,
    scenarios: bool,
    corrected: BTreeMap<CorrectedPart, Corrections>,
}

impl Valuer {
    /// Knows nothing. Books are valued in `base_currency`; scenarios reach back `window` returns.
    pub fn new(worker: usize, base_currency: Id, window: usize) -> Self {
        Self {
            worker,
            instruments: FxHashMap::default(),
            marks: FxHashMap::default(),
            rates: Rates::new(base_currency.clone()),
            base_currency,
            scenarios: Scenarios::new(window),
            accounts: BTreeMap::new(),
            holders: FxHashMap::default(),
            converted: FxHashMap::default(),
            vectors: BTreeMap::new(),
        }
    }

    /// Knows what was known at a commit, and takes the position rows of then as said already. What is answered are the
    /// contributions and vectors of that moment, for those downstream that have to begin again.
    pub fn restore(&mut self, known: Vec<Known>, rows: Vec<Position>) -> Vec<Valued> {
        let mut said = Vec::new();
        self.advance(0, known.into_iter().map(|known| (known, 1)).collect(), &mut said);
        for row in rows {
            let held = self.accounts.get_mut(&row.account_id).and_then(|account| account.holdings.get_mut(&row.symbol));
            held.into_iter().for_each(|held| held.row = Some(row.clone()));
        }
        said.retain(|valued| !matches!(valued, Valued::Position(..)));
        said
    }

    /// Takes in what changed before the grid point `as_of` (nanoseconds), and says what follows.
    pub fn advance(&mut self, as_of: u64, changes: Vec<(Known, isize)>, said: &mut Vec<Valued>) {
        let mut dirty = Dirty::default();
        // What is replaces what was, so only what is gone altogether would need the retractions, and nothing here goes.
        for (known, _) in changes.into_iter().filter(|(_, diff)| *diff > 0) {
            self.learn(known, &mut dirty);
        }
        let mut scopes = BTreeSet::new();
        if dirty.scenarios {
            self.scenarios.refresh();
            self.forget_vectors(&mut scopes);
            let all =
                self.accounts.iter().flat_map(|(account, state)| state.holdings.keys().map(|symbol| (account.clone(), symbol.clone())));
            dirty.positions = all.collect();
        }
        if dirty.rates {
            self.dirty_converted(&mut dirty);
        }
        for (account, symbol) in &dirty.positions {
            self.value_position(account, symbol, as_of, &mut scopes, said);
        }
        for account in &dirty.cash {
            self.value_cash(account, said);
        }
        self.pass_on(dirty.corrected, as_of, said);
        for scope in scopes {
            if let Some(vector) = self.vectors.get(&scope) {
                let (pnl, left_out) = (vector.pnl.clone(), vector.left_out);
                said.push(Valued::Vector(ScopeVector { scope, worker: self.worker, pnl, left_out }));
            }
        }
    }

    /// Says why: of the positions that became what they are now, and of what was corrected below each scope.
    fn pass_on(&self, corrected: BTreeMap<CorrectedPart, Corrections>, as_of: u64, said: &mut Vec<Valued>) {
        let now = EventTime::from_effective(as_of);
        let (mut scopes, mut exposures) = (BTreeMap::<Id, Corrections>::new(), BTreeMap::<Id, Corrections>::new());
        for (what, corrections) in corrected {
            let (accounts, symbol): (Vec<&Id>, _) = match &what {
                CorrectedPart::Mark(symbol) => (self.holders.get(symbol).into_iter().flatten().collect(), Some(symbol)),
                CorrectedPart::Cash(account) => (vec![account], None),
                CorrectedPart::Holding(account, symbol) => (vec![account], Some(symbol)),
            };
            for account_id in accounts {
                let Some(account) = self.accounts.get(account_id) else { continue };
                let row = symbol.and_then(|symbol| account.holdings.get(symbol)?.row.clone());
                said.extend(row.filter(|row| row.ts == now).map(|row| Valued::CorrectedPosition(row, corrections.clone())));
                let Some((currency, book)) = &account.terms else { continue };
                for (scope, _) in scopes_of(account_id, currency, book.as_deref(), &self.base_currency) {
                    if symbol.is_some() {
                        exposures.entry(scope.clone()).or_default().extend(corrections.clone());
                    }
                    scopes.entry(scope).or_default().extend(corrections.clone());
                }
            }
        }
        said.extend(scopes.into_iter().map(|(scope, corrections)| Valued::CorrectedScope(scope, corrections)));
        said.extend(exposures.into_iter().map(|(scope, corrections)| Valued::CorrectedExposure(scope, corrections)));
    }

    fn learn(&mut self, known: Known, dirty: &mut Dirty) {
        match known {
            Known::Instrument { symbol, currency, multiplier } => {
                self.dirty_symbol(&symbol, dirty);
                self.instruments.insert(symbol, (currency, multiplier));
            }
            Known::Mark(Mark { symbol, price }) => {
                self.dirty_symbol(&symbol, dirty);
                self.marks.insert(symbol, price);
            }
            Known::Rate { base, quote, rate } => {
                self.rates.set(base, quote, rate);
                dirty.rates = true;
            }
            Known::Close { symbol, date, close } => {
                self.scenarios.set(symbol, date, close);
                dirty.scenarios = true;
            }
            Known::Account { account_id, currency, book } => {
                let account = self.accounts.entry(account_id.clone()).or_default();
                account.terms = Some((currency, book));
                dirty.positions.extend(account.holdings.keys().map(|symbol| (account_id.clone(), symbol.clone())));
                dirty.cash.insert(account_id);
            }
            Known::Cash { account_id, currency, posted } => {
                self.accounts.entry(account_id.clone()).or_default().cash.insert(currency, posted);
                dirty.cash.insert(account_id);
            }
            Known::Corrected(what, corrections) => dirty.corrected.entry(what).or_default().extend(corrections),
            Known::Holding(Holding { account_id, symbol, sums }) => {
                let account = self.accounts.entry(account_id.clone()).or_default();
                account.holdings.entry(symbol.clone()).or_default().sums = sums;
                self.holders.entry(symbol.clone()).or_default().insert(account_id.clone());
                dirty.positions.insert((account_id, symbol));
            }
        }
    }

    fn dirty_symbol(&self, symbol: &Id, dirty: &mut Dirty) {
        let holders = self.holders.get(symbol).into_iter().flatten();
        dirty.positions.extend(holders.map(|account| (account.clone(), symbol.clone())));
    }

    /// The rates have changed: what went another way than it would go now.
    fn dirty_converted(&mut self, dirty: &mut Dirty) {
        for ((from, into), converted) in &mut self.converted {
            let path = self.rates.path(from, into);
            if path != converted.path {
                converted.path = path;
                dirty.positions.extend(converted.positions.iter().cloned());
                dirty.cash.extend(converted.cash.iter().cloned());
            }
        }
    }

    /// The scenarios have changed: what every position added so far is taken back at once.
    fn forget_vectors(&mut self, scopes: &mut BTreeSet<Id>) {
        scopes.extend(self.vectors.keys().cloned());
        self.vectors.clear();
        for held in self.accounts.values_mut().flat_map(|account| account.holdings.values_mut()) {
            held.exposed.clear();
        }
    }

    fn value_position(&mut self, account_id: &Id, symbol: &Id, as_of: u64, scopes: &mut BTreeSet<Id>, said: &mut Vec<Valued>) {
        let Some(account) = self.accounts.get_mut(account_id) else { return };
        let Some(held) = account.holdings.get_mut(symbol) else { return };
        let instrument = self.instruments.get(symbol);
        let row = position_row(account_id, symbol, held.sums, instrument, self.marks.get(symbol).copied(), as_of);
        let same = held.row.as_ref().is_some_and(|said| Position { ts: said.ts, ..row.clone() } == *said);
        let row = if same { held.row.clone().unwrap_or(row) } else { row };
        if !same {
            said.extend(held.row.take().map(|old| Valued::Position(old, -1)));
            said.push(Valued::Position(row.clone(), 1));
            held.row = Some(row.clone());
        }
        // Roll up into the account and its books.
        let Some((currency, book)) = &account.terms else { return };
        let scopes_of_position = scopes_of(account_id, currency, book.as_deref(), &self.base_currency);
        for into in scopes_of_position.iter().map(|(_, into)| into) {
            if let Some(converted) = row.currency.as_ref().and_then(|from| converted(&mut self.converted, &self.rates, from, into)) {
                converted.positions.insert((account_id.clone(), symbol.clone()));
            }
        }
        let contribution = |(scope, into): &(Id, Id)| {
            let path = row.currency.as_ref().and_then(|from| self.rates.path(from, into));
            contribution_of(scope, into, &row, path)
        };
        let contributions: Vec<_> = scopes_of_position.iter().map(contribution).collect();
        if contributions != held.contributions {
            said.extend(held.contributions.drain(..).map(|old| Valued::Contribution(old, -1)));
            said.extend(contributions.iter().cloned().map(|new| Valued::Contribution(new, 1)));
            held.contributions = contributions;
        }
        // And through the scenarios.
        let exposed: Vec<_> = held.contributions.iter().map(|part| (part.scope.clone(), part.net, part.unvalued == 0)).collect();
        let unchanged = exposed.len() == held.exposed.len()
            && exposed.iter().zip(&held.exposed).all(|(new, old)| new.0 == old.0 && new.1 == old.1 && new.2 == old.2);
        if !unchanged {
            let old = std::mem::replace(&mut held.exposed, exposed.clone());
            for (sign, parts) in [(-1, old), (1, exposed)] {
                for (scope, value, valued) in parts {
                    let vector = self.vectors.entry(scope.clone()).or_default();
                    let counted = valued && (value.is_zero() || self.scenarios.add_pnl(symbol, value, sign, &mut vector.pnl));
                    if !counted {
                        vector.left_out = if sign > 0 { vector.left_out + 1 } else { vector.left_out.saturating_sub(1) };
                    }
                    scopes.insert(scope);
                }
            }
        }
    }

    fn value_cash(&mut self, account_id: &Id, said: &mut Vec<Valued>) {
        let Some(account) = self.accounts.get_mut(account_id) else { return };
        let Some((currency, book)) = &account.terms else { return };
        let mut contributions = Vec::new();
        for (scope, into) in scopes_of(account_id, currency, book.as_deref(), &self.base_currency) {
            for from in account.cash.keys() {
                if let Some(converted) = converted(&mut self.converted, &self.rates, from, &into) {
                    converted.cash.insert(account_id.clone());
                }
            }
            let converted = account.cash.iter().map(|(from, posted)| self.rates.path(from, &into).and_then(|path| path.convert(*posted)));
            let mut part = Contribution::nothing(scope, into.clone(), None);
            for sum in converted {
                match sum.and_then(|sum| part.cash.checked_add(sum)) {
                    Some(cash) => part.cash = cash,
                    None => part.unvalued += 1,
                }
            }
            contributions.push(part);
        }
        if contributions != account.cash_contributions {
            said.extend(account.cash_contributions.drain(..).map(|old| Valued::Contribution(old, -1)));
            said.extend(contributions.iter().cloned().map(|new| Valued::Contribution(new, 1)));
            account.cash_contributions = contributions;
        }
    }
}

/// Where it is noted what depends on the rates between two currencies; `None` if they are the same.
fn converted<'a>(all: &'a mut FxHashMap<(Id, Id), Converted>, rates: &Rates, from: &Id, into: &Id) -> Option<&'a mut Converted> {
    (from != into).then(|| {
        let pair = (from.clone(), into.clone());
        all.entry(pair).or_insert_with(|| Converted { path: rates.path(from, into), ..Converted::default() })
    })
}

impl Contribution {
    const fn nothing(scope: Id, currency: Id, symbol: Option<Id>) -> Self {
        let zero = Money::ZERO;
        Self { scope, currency, symbol, net: zero, gross: zero, cash: zero, realized: zero, unrealized: zero, unvalued: 0 }
    }
}

fn position_row(
    account_id: &Id,
    symbol: &Id,
    sums: AverageCost,
    instrument: Option<&(Id, Factor)>,
    mark: Option<Price>,
    as_of: u64,
) -> Position {
    let multiplier = instrument.map_or(Factor::whole(1), |(_, multiplier)| *multiplier);
    let market_value = mark.and_then(|mark| Money::notional(mark, sums.quantity, multiplier));
    Position {
        account_id: account_id.clone(),
        symbol: symbol.clone(),
        currency: instrument.map(|(currency, _)| currency.clone()),
        quantity: sums.quantity,
        average_price: sums.average_price(multiplier),
        cost: sums.cost,
        realized_pnl: sums.realized,
        cash_flow: sums.cash_flow,
        mark_price: mark,
        market_value,
        unrealized_pnl: market_value.and_then(|value| value.checked_sub(sums.cost)),
        ts: EventTime::from_effective(as_of),
    }
}

/// The scopes that an account belongs to, with their currencies: itself, and every node of its book path.
fn scopes_of(account_id: &Id, currency: &Id, book: Option<&str>, base: &Id) -> Vec<(Id, Id)> {
    let mut scopes = vec![(Id::derived(format!("account:{account_id}")), currency.clone())];
    let book = book.unwrap_or_default();
    let ends = book.match_indices('/').map(|(end, _)| end).chain((!book.is_empty()).then_some(book.len()));
    scopes.extend(ends.filter_map(|end| book.get(..end)).map(|path| (Id::derived(format!("book:{path}")), base.clone())));
    scopes
}

fn contribution_of(scope: &Id, currency: &Id, row: &Position, path: Option<Path>) -> Contribution {
    let nothing = Contribution::nothing(scope.clone(), currency.clone(), Some(row.symbol.clone()));
    let valued = || {
        let path = path?;
        // A flat position needs no mark.
        let value = if row.quantity.is_zero() { Money::ZERO } else { row.market_value? };
        let net = path.convert(value)?;
        Some(Contribution {
            net,
            gross: net.magnitude(),
            cash: path.convert(row.cash_flow)?,
            realized: path.convert(row.realized_pnl)?,
            unrealized: path.convert(value.checked_sub(row.cost)?)?,
            ..nothing.clone()
        })
    };
    valued().unwrap_or(Contribution { unvalued: 1, ..nothing })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> Id {
        Id::derived(text)
    }

    fn known() -> Vec<(Known, isize)> {
        let sums = AverageCost {
            quantity: headwater_schemas::Quantity::whole(10),
            cost: Money::whole(900),
            realized: Money::ZERO,
            cash_flow: Money::whole(-900),
        };
        vec![
            (Known::Instrument { symbol: id("S"), currency: id("EUR"), multiplier: Factor::whole(1) }, 1),
            (Known::Account { account_id: id("a"), currency: id("EUR"), book: Some("firm/desk".into()) }, 1),
            (Known::Cash { account_id: id("a"), currency: id("EUR"), posted: Money::whole(5000) }, 1),
            (Known::Rate { base: id("EUR"), quote: id("USD"), rate: "1.1".parse().expect("a rate") }, 1),
            (Known::Holding(Holding { account_id: id("a"), symbol: id("S"), sums }), 1),
            (Known::Mark(Mark { symbol: id("S"), price: Price::whole(100) }), 1),
        ]
    }

    fn contributions(said: &[Valued]) -> Vec<String> {
        let text = |valued: &Valued| match valued {
            Valued::Contribution(part, diff) => {
                let symbol = part.symbol.as_ref().map_or("cash", Id::as_str);
                Some(format!(
                    "{diff} {} {symbol} net {} cash {} {} unvalued {}",
                    part.scope, part.net, part.cash, part.currency, part.unvalued
                ))
            }
            _ => None,
        };
        said.iter().filter_map(text).collect()
    }

    #[test]
    fn a_position_rolls_up_into_its_account_and_books_in_their_currencies() {
        let mut valuer = Valuer::new(0, id("USD"), 252);
        let mut said = Vec::new();
        valuer.advance(1_000_000_000, known(), &mut said);
        let expected = [
            "1 account:a S net 1000 cash -900 EUR unvalued 0",
            "1 book:firm S net 1100 cash -990 USD unvalued 0",
            "1 book:firm/desk S net 1100 cash -990 USD unvalued 0",
            "1 account:a cash net 0 cash 5000 EUR unvalued 0",
            "1 book:firm cash net 0 cash 5500 USD unvalued 0",
            "1 book:firm/desk cash net 0 cash 5500 USD unvalued 0",
        ];
        assert_eq!(contributions(&said), expected);
    }

    #[test]
    fn nothing_is_said_again_that_did_not_change() {
        let mut valuer = Valuer::new(0, id("USD"), 252);
        let mut said = Vec::new();
        valuer.advance(1_000_000_000, known(), &mut said);
        said.clear();
        valuer.advance(2_000_000_000, known(), &mut said);
        assert!(said.is_empty(), "{said:?}");
    }

    #[test]
    fn a_rate_changes_what_was_converted_by_it_and_nothing_else() {
        let rate = |base: &str, rate: &str| (Known::Rate { base: id(base), quote: id("USD"), rate: rate.parse().expect("a rate") }, 1);
        let mut valuer = Valuer::new(0, id("USD"), 252);
        let mut said = Vec::new();
        valuer.advance(1_000_000_000, known(), &mut said);
        said.clear();
        valuer.advance(2_000_000_000, vec![rate("GBP", "1.3")], &mut said);
        assert!(said.is_empty(), "{said:?}");
        valuer.advance(3_000_000_000, vec![rate("EUR", "1.2")], &mut said);
        let expected = [
            "-1 book:firm S net 1100 cash -990 USD unvalued 0",
            "-1 book:firm/desk S net 1100 cash -990 USD unvalued 0",
            "1 book:firm S net 1200 cash -1080 USD unvalued 0",
            "1 book:firm/desk S net 1200 cash -1080 USD unvalued 0",
            "-1 book:firm cash net 0 cash 5500 USD unvalued 0",
            "-1 book:firm/desk cash net 0 cash 5500 USD unvalued 0",
            "1 book:firm cash net 0 cash 6000 USD unvalued 0",
            "1 book:firm/desk cash net 0 cash 6000 USD unvalued 0",
        ];
        let mut changed: Vec<_> = contributions(&said);
        changed.retain(|line| line.contains("book:"));
        assert_eq!(changed, expected);
    }

    /// What a fold upstream would have saved: the last of each kind and key.
    fn key(known: &Known) -> (u8, Id, String) {
        match known {
            Known::Instrument { symbol, .. } => (0, symbol.clone(), String::new()),
            Known::Rate { base, quote, .. } => (1, base.clone(), quote.to_string()),
            Known::Close { symbol, date, .. } => (2, symbol.clone(), date.to_string()),
            Known::Mark(mark) => (3, mark.symbol.clone(), String::new()),
            Known::Account { account_id, .. } => (4, account_id.clone(), String::new()),
            Known::Cash { account_id, currency, .. } => (5, account_id.clone(), currency.to_string()),
            Known::Corrected(part, _) => (7, id(&format!("{part:?}")), String::new()),
            Known::Holding(holding) => (6, holding.account_id.clone(), holding.symbol.to_string()),
        }
    }

    proptest::proptest! {
        #[test]
        fn a_restart_in_the_middle_changes_nothing(
            steps in proptest::collection::vec((0..7_u8, 0..3_u8, 1..50_i64), 1..60),
            cut in 0..60_u64,
        ) {
            let symbol = |number: u8| id(&format!("S{number}"));
            let account = |number: u8| id(&format!("a{number}"));
            let currency = |number: u8| id(["USD", "EUR", "GBP"].get(usize::from(number)).expect("a currency"));
            let change = |(kind, number, amount): (u8, u8, i64)| match kind {
                0 => Known::Instrument { symbol: symbol(number), currency: currency(number), multiplier: Factor::whole(1) },
                1 => Known::Rate { base: currency(number), quote: id("USD"), rate: Factor::whole(amount) },
                2 => Known::Close { symbol: symbol(number), date: Date::from_days(i32::try_from(amount).expect("a date")), close: Price::whole(amount) },
                3 => Known::Mark(Mark { symbol: symbol(number), price: Price::whole(amount) }),
                4 => Known::Account { account_id: account(number), currency: currency(number), book: Some("firm/desk".into()) },
                5 => Known::Cash { account_id: account(number), currency: currency((number + 1) % 3), posted: Money::whole(amount) },
                _ => {
                    let sums = AverageCost { quantity: headwater_schemas::Quantity::whole(amount - 25), cost: Money::whole(amount), realized: Money::ZERO, cash_flow: Money::ZERO };
                    Known::Holding(Holding { account_id: account(number), symbol: symbol((number + u8::from(amount > 25)) % 3), sums })
                }
            };
            let mut whole = Valuer::new(0, id("USD"), 10);
            let mut resumed: Option<Valuer> = None;
            let (mut known, mut rows) = (BTreeMap::new(), BTreeMap::new());
            for (as_of, step) in (1..).zip(steps) {
                if as_of == cut + 1 {
                    let mut valuer = Valuer::new(0, id("USD"), 10);
                    valuer.restore(known.values().cloned().collect(), rows.values().cloned().collect());
                    resumed = Some(valuer);
                }
                known.insert(key(&change(step)), change(step));
                let (mut said, mut also) = (Vec::new(), Vec::new());
                whole.advance(as_of, vec![(change(step), 1)], &mut said);
                for valued in &said {
                    if let Valued::Position(row, 1) = valued {
                        rows.insert((row.account_id.clone(), row.symbol.clone()), row.clone());
                    }
                }
                if let Some(resumed) = &mut resumed {
                    resumed.advance(as_of, vec![(change(step), 1)], &mut also);
                    proptest::prop_assert_eq!(said, also);
                }
            }
        }
    }

    #[test]
    fn the_incremental_scenario_pnl_is_that_of_a_valuer_that_starts_at_the_end() {
        let close = |date: i32, price: i64| (Known::Close { symbol: id("S"), date: Date::from_days(date), close: Price::whole(price) }, 1);
        let mark = |price: i64| (Known::Mark(Mark { symbol: id("S"), price: Price::whole(price) }), 1);
        let mut step_by_step = Valuer::new(0, id("USD"), 2);
        let mut said = Vec::new();
        for (time, changes) in
            [known(), vec![close(1, 100), close(2, 110)], vec![mark(90)], vec![close(3, 105), close(4, 100)], vec![mark(120)]]
                .into_iter()
                .enumerate()
        {
            said.clear();
            step_by_step.advance(time as u64, changes, &mut said);
        }
        let mut at_once = Valuer::new(0, id("USD"), 2);
        let mut all = known();
        all.extend([close(1, 100), close(2, 110), close(3, 105), close(4, 100), mark(120)]);
        let mut whole = Vec::new();
        at_once.advance(9, all, &mut whole);
        let vectors = |said: &[Valued]| {
            said.iter()
                .filter_map(|valued| match valued {
                    Valued::Vector(vector) => Some(vector.clone()),
                    _ => None,
                })
                .collect::<Vec<_>>()
        };
        assert_eq!(vectors(&said), vectors(&whole));
        assert!(vectors(&said).iter().all(|vector| vector.pnl.len() == 2 && vector.left_out == 0));
    }
}
