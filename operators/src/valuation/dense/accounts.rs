//! Accounts: their scopes, and their contributions to them.

use headwater_schemas::events::LimitScope;
use headwater_schemas::{AccountId, Corrections, Money, Scope};

use super::books::Books;
use super::currencies::Currencies;
use super::funding::Funding;
use super::handles::{AccountHandle, BookHandle, CurrencyHandle, HoldingHandle, Named, SymbolHandle};
use super::part::{Pending, ScenarioChange, ScopePart};

/// Currency and book of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Terms {
    pub(super) currency: CurrencyHandle,
    pub(super) book: Option<BookHandle>,
}

/// An account.
#[derive(Debug, Default)]
pub(super) struct Account {
    /// Its own scope, once it was named.
    scope: Option<Scope>,
    pub(super) terms: Option<Terms>,
    pub(super) holdings: Vec<(SymbolHandle, HoldingHandle)>,
    cash: Vec<(CurrencyHandle, Money)>,
    /// What was paid in in foreign currencies.
    pub(super) funding: Funding,
    /// The contribution of its cash in its own currency, and in that of its books.
    own_cash: CashWorth,
    base_cash: CashWorth,
    /// Whether it is a member of its scopes: it has a position or a book.
    is_member: bool,
    pending: Option<Box<AccountPart>>,
    /// The P&L of its own scope in each scenario; only if there are components.
    scenarios: Option<Box<ScenarioChange>>,
}

/// The contribution of an account to its own scope and, if their currency differs, to its books.
#[derive(Debug, Default)]
pub(super) struct AccountPart {
    pub(super) own: Pending,
    pub(super) base: Pending,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct CashWorth {
    cash: i128,
    fx: i128,
    unvalued: i64,
    stale: i64,
}

impl Terms {
    /// The currencies of its scopes.
    const fn currencies(self, base: CurrencyHandle) -> [Option<CurrencyHandle>; 2] {
        [Some(self.currency), if self.book.is_some() { Some(base) } else { None }]
    }

    /// Whether its books have another currency.
    pub(super) fn is_converted(self, base: CurrencyHandle) -> bool {
        self.book.is_some() && self.currency != base
    }
}

impl Account {
    /// The scope of the account itself.
    pub(super) fn scope(&mut self, account_id: AccountId) -> Scope {
        *self.scope.get_or_insert_with(|| LimitScope::Account(account_id).name())
    }

    /// Whether it is a member of its scopes.
    pub(super) const fn is_member(&self) -> bool {
        self.is_member
    }

    /// Whether it should be a member of its scopes.
    pub(super) fn qualifies(&self) -> bool {
        self.terms.is_some_and(|terms| terms.book.is_some() || !self.holdings.is_empty())
    }

    /// Sets the posted balance of a currency.
    pub(super) fn set_cash(&mut self, currency: CurrencyHandle, posted: Money) {
        match self.cash.iter_mut().find(|(of, _)| *of == currency) {
            Some((_, cash)) => *cash = posted,
            None => self.cash.push((currency, posted)),
        }
    }

    /// Whether it has a balance in the currency.
    pub(super) fn has_cash_of(&self, currency: CurrencyHandle) -> bool {
        self.cash.iter().any(|(of, _)| *of == currency)
    }

    /// The pending contribution. If it is new, the account is added to `touched`.
    pub(super) fn part(&mut self, account: AccountHandle, touched: &mut Vec<AccountHandle>) -> &mut AccountPart {
        self.pending.get_or_insert_with(|| {
            touched.push(account);
            Box::default()
        })
    }

    /// Adds it, with its cash, to its scopes, or removes it from them.
    pub(super) fn set_member(&mut self, is_member: bool, account: AccountHandle, touched: &mut Vec<AccountHandle>) {
        if self.is_member == is_member {
            return;
        }
        self.is_member = is_member;
        let change = if is_member { 1 } else { -1 };
        let part = self.part(account, touched);
        part.own.sums.members += change;
        part.base.sums.members += change;
    }

    /// Revalues the cash.
    pub(super) fn value_cash(
        &mut self,
        account: AccountHandle,
        base: CurrencyHandle,
        currencies: &mut Currencies,
        touched: &mut Vec<AccountHandle>,
    ) {
        let terms = self.terms.filter(|_| self.is_member);
        // An account that leaves its scopes may enter others at once.
        terms.into_iter().for_each(|terms| self.funding.keep(terms.currencies(base)));
        let own = terms.map(|terms| self.cash_worth(terms.currency, currencies)).unwrap_or_default();
        let converted = terms.filter(|terms| terms.is_converted(base));
        let in_base = converted.map(|_| self.cash_worth(base, currencies)).unwrap_or_default();
        let (old, old_in_base) = (std::mem::replace(&mut self.own_cash, own), std::mem::replace(&mut self.base_cash, in_base));
        if (old, old_in_base) != (own, in_base) {
            let part = self.part(account, touched);
            own.add_difference(old, &mut part.own);
            in_base.add_difference(old_in_base, &mut part.base);
        }
    }

    /// The worth of the cash in the currency of a scope.
    fn cash_worth(&mut self, into: CurrencyHandle, currencies: &mut Currencies) -> CashWorth {
        let mut worth = CashWorth::default();
        for (from, posted) in self.cash.iter().copied() {
            if from == into {
                worth.cash += posted.units();
                continue;
            }
            // Nothing needs no rate. A restart sends the balances of zero, too.
            if posted.is_zero() && !self.funding.has(from, into) {
                continue;
            }
            let path = currencies.path(from, into);
            let fx = self.funding.follow(from, into, posted, path);
            if posted.is_zero() {
                worth.fx += fx.unwrap_or(0);
                continue;
            }
            match path.and_then(|path| Some((path.convert(posted)?, path.is_stale()))).zip(fx) {
                Some(((sum, is_stale), fx)) => {
                    worth.cash += sum.units();
                    worth.fx += fx;
                    worth.stale += i64::from(is_stale);
                }
                None => worth.unvalued += 1,
            }
        }
        worth
    }

    /// Notes that it traded.
    pub(super) fn trade(&mut self, account: AccountHandle, touched: &mut Vec<AccountHandle>) {
        let part = self.part(account, touched);
        (part.own.has_traded, part.base.has_traded) = (true, true);
    }

    /// Adds corrections.
    pub(super) fn correct(
        &mut self,
        corrections: &Corrections,
        affects_exposure: bool,
        account: AccountHandle,
        touched: &mut Vec<AccountHandle>,
    ) {
        let part = self.part(account, touched);
        part.own.correct(corrections, affects_exposure);
        part.base.correct(corrections, affects_exposure);
    }

    /// The P&L of its own scope in each scenario with the pending change; `None` if that does not change it.
    pub(super) fn scenarios(&mut self) -> Option<&ScenarioChange> {
        let change = self.pending.as_ref()?.own.scenarios.as_ref()?;
        let scenarios = self.scenarios.get_or_insert_default();
        scenarios.add(change);
        Some(scenarios)
    }

    /// Emits the account's own part, and adds its contribution to its books.
    pub(super) fn flush<S>(
        &mut self,
        account_id: AccountId,
        base: CurrencyHandle,
        currencies: &Currencies,
        books: &mut Books,
        symbols: &Named<SymbolHandle, S>,
    ) -> Option<ScopePart> {
        let terms = self.terms?;
        let AccountPart { own, base: in_base } = *self.pending.take()?;
        let scope = self.scope(account_id);
        if let Some(book) = terms.book {
            books.add(book, scope, if terms.is_converted(base) { &in_base } else { &own });
        }
        own.into_part(scope, currencies.name(terms.currency)?, symbols)
    }
}

impl CashWorth {
    const fn add_difference(self, old: Self, part: &mut Pending) {
        part.sums.cash += self.cash - old.cash;
        part.sums.fx += self.fx - old.fx;
        part.sums.unvalued += self.unvalued - old.unvalued;
        part.sums.stale += self.stale - old.stale;
    }
}
