//! Enforcement: what breaks a rule of the ledger is refused, instead of being posted with an alert.
//!
//! Whether a debit is covered depends on every earlier transaction that concerns its account, and those depend on the funds of
//! other accounts. So with enforcement the transactions of all accounts have one key, and are decided in the order of their places
//! on one worker. A refusal is final: later events do not change it.

use headwater_schemas::events::{ErrorCode, Transaction};
use headwater_schemas::tables::Balance;
use headwater_schemas::{AccountId, Currency, EffectiveTime, Id, Money, Total};
use rustc_hash::FxHashMap;

use super::balances::{GREATEST_OVERDRAFT, Holder};
use super::debits::{Debits, Limits};
use super::transactions::{Counted, Effect, Refusal};
use crate::reference::AccountStatus;

/// Decides whether the effects of a transaction may be posted.
pub(super) trait Gate {
    /// Admits effects, or names the rule that they break. Admitted effects count for later ones. `debit` is the transaction, if it
    /// is a debit of the account that it names, and neither resolves nor reverses another one: such have limits.
    fn admit(&mut self, effects: &[Effect], debit: Option<&Transaction>) -> Result<(), Refusal>;

    /// Takes note of what counts of an earlier transaction of an account.
    fn count(&mut self, account: &AccountId, counted: &Counted);

    /// Takes note that a transaction of an account is forgotten.
    fn forget(&mut self, account: &AccountId, id: Id, now: EffectiveTime);
}

/// Admits everything: what breaks a rule raises an alert.
#[derive(Clone, Copy, Debug)]
pub(super) struct Everything;

impl Gate for Everything {
    fn admit(&mut self, _: &[Effect], _: Option<&Transaction>) -> Result<(), Refusal> {
        Ok(())
    }

    fn count(&mut self, _: &AccountId, _: &Counted) {}

    fn forget(&mut self, _: &AccountId, _: Id, _: EffectiveTime) {}
}

/// An account and a currency.
type Balanced = (AccountId, Currency);

/// What each account has, by currency: the posted amount less what is held, without the overdraft limit.
#[derive(Clone, Debug, Default)]
pub(super) struct Funds(FxHashMap<Balanced, Total>);

impl Funds {
    /// Restores the funds of a balance.
    pub(super) fn restore(&mut self, row: &Balance) {
        // In range: `available` is the same amount plus the limit.
        let free = Total::from_units(row.posted.units().saturating_sub(row.pending.units()));
        self.0.insert((row.account_id, row.currency), free);
    }

    fn of(&self, account: AccountId, currency: Currency) -> Total {
        self.0.get(&(account, currency)).copied().unwrap_or_default()
    }
}

/// Admits what breaks no rule.
#[derive(Debug)]
pub(super) struct Enforced<'a> {
    pub(super) funds: &'a mut Funds,
    pub(super) debits: &'a mut Debits,
    pub(super) limits: Limits<'a>,
}

impl Gate for Enforced<'_> {
    fn admit(&mut self, effects: &[Effect], debit: Option<&Transaction>) -> Result<(), Refusal> {
        effects.iter().try_for_each(|effect| self.check_status(effect))?;
        let changed = self.after(effects)?;
        for ((account, currency), free) in &changed {
            self.check_funds(*account, *currency, *free)?;
        }
        if let Some(debit) = debit {
            self.debits.admit(debit, self.limits)?;
        }
        self.funds.0.extend(changed);
        Ok(())
    }

    fn count(&mut self, account: &AccountId, counted: &Counted) {
        self.debits.count(account, counted);
    }

    fn forget(&mut self, account: &AccountId, id: Id, now: EffectiveTime) {
        self.debits.forget(account, id, now);
    }
}

impl Enforced<'_> {
    /// An account that is not open is not used: no money moves, and none is held.
    fn check_status(&self, effect: &Effect) -> Result<(), Refusal> {
        let account = &effect.leg.account_id;
        let is_used = effect.is_use();
        match self.holder(account).status() {
            AccountStatus::Frozen if is_used => Err((
                ErrorCode::FrozenAccount,
                format!("account {account} is frozen: once it is unfrozen, send the transaction under a new transaction_id"),
            )),
            AccountStatus::Closed if is_used => {
                Err((ErrorCode::ClosedAccount, format!("account {account} is closed: use another account, or open it again first")))
            }
            _ => Ok(()),
        }
    }

    /// The funds of the accounts that effects concern, after them.
    fn after(&self, effects: &[Effect]) -> Result<Vec<(Balanced, Total)>, Refusal> {
        let mut changed = Vec::<(Balanced, Total)>::new();
        for effect in effects {
            let (account, currency) = (effect.leg.account_id, effect.leg.currency);
            let before = changed.iter().find(|(key, _)| *key == (account, currency)).map(|(_, free)| *free);
            let before = before.unwrap_or_else(|| self.funds.of(account, currency));
            let free =
                effect.freed().and_then(|freed| before.checked_add(freed)).filter(|free| free.checked_add(GREATEST_OVERDRAFT).is_some());
            let free = free.ok_or_else(|| {
                (
                    ErrorCode::Overflow,
                    format!("the balance of {account} in {currency} would not fit 38 digits: check the unit of the amount"),
                )
            })?;
            changed.retain(|(key, _)| *key != (account, currency));
            changed.push(((account, currency), free));
        }
        Ok(changed)
    }

    /// A debit leaves at least nothing. A credit may come to an account that is below that.
    fn check_funds(&self, account: AccountId, currency: Currency, free: Total) -> Result<(), Refusal> {
        let holder = self.holder(&account);
        let limit = holder.overdraft(&currency);
        let before = self.funds.of(account, currency);
        let is_covered = free.checked_add(limit).is_none_or(|available| available >= Total::ZERO);
        if free >= before || is_covered || holder.may_owe() {
            return Ok(());
        }
        let available = before.checked_add(limit).unwrap_or(before);
        let debit = before.checked_sub(free).unwrap_or_default();
        let error = format!(
            "the available balance of {account} is {available} {currency}, and the debit is {debit}: pay in or raise overdraft_limit, \
             then send it under a new transaction_id"
        );
        Err((ErrorCode::InsufficientFunds, error))
    }

    fn holder<'a>(&'a self, account: &'a AccountId) -> Holder<'a> {
        Holder { account, terms: self.limits.accounts.account(account) }
    }
}

impl Effect {
    /// What the effect adds to the available balance; none if that does not fit an amount.
    fn freed(&self) -> Option<Money> {
        let posted = if self.moves { self.leg.amount } else { Money::ZERO };
        posted.checked_sub(self.held)
    }
}
