//! Balances: sums of postings.
//!
//! - **Key**: account. **Rows**: [`Balance`], one per currency, once per tick; alerts, and [`LedgerAlertState`] for those that
//!   stand. **Updates**: [`Cash`]. **State**: two sums per currency, the standing alerts,
//!   and the interest of the month.
//! - A balance exists from the account's opening on, or from its first posting if that is earlier.
//! - Available = posted − held + the account's overdraft limit, in the account's own currency. It follows changes of the limit at
//!   once, because account events are events of the key, too.
//! - A debit that leaves less than nothing available, a frozen or closed account that is used, and a reported balance that differs
//!   raise alerts. Contra accounts (the outside, positions in a currency) raise none.
//! - Interest accrues at the end of each day ([`super::interest`]).
//! - A posting that would overflow a sum is a dead letter (`overflow`); that takes 10^11 amounts of the greatest magnitude.

use headwater_schemas::events::{AccountEvent, AccountType, ErrorCode, Event, TransactionPhase};
use headwater_schemas::tables::{
    Alert, Balance, DeadLetter, InterestAccrual, InterestPoint, InterestState, LedgerAlertState, LedgerEntry, LedgerRule, Moment,
};
use headwater_schemas::{AccountId, Correction, Currency, Date, EffectiveTime, EventTime, Id, Money, Place, Placed, Text, Topic, Total};
use serde::{Deserialize, Serialize};

use super::Posting;
use super::interest::{Accruals, Bearer, InterestSettings, Rates, rate_of};
use super::watch::{Watch, mismatch};
use crate::keyed_fold::{Outbox, States, Updates, View};
use crate::reference::{Account, AccountStatus, Reference};
use crate::small_map::SmallMap;

/// View of balances. Rows are emitted per tick; valuations get the posted balance on the grid.
#[derive(Clone, Copy, Debug, Default)]
pub struct Balances {
    /// Interest of the accounts.
    pub interest: InterestSettings,
    /// The accounts whose balances it sums.
    pub of: BalancesOf,
}

/// The accounts of a view of balances.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BalancesOf {
    /// All.
    #[default]
    All,
    /// Accounts of customers, whose interest is posted against those of another view.
    Customers,
    /// Contra accounts.
    Contra,
}

impl BalancesOf {
    fn include(self, account: &AccountId) -> bool {
        match self {
            Self::All => true,
            Self::Customers => !account.is_contra(),
            Self::Contra => account.is_contra(),
        }
    }
}

/// Data of accounts: their terms, and the history of their rates.
#[derive(Clone, Debug, Default)]
pub struct BalanceContext {
    reference: Reference,
    rates: Rates,
}

/// An event of an account's balances.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum BalanceEvent {
    /// A posting of a leg.
    Posting(Posting),
    /// An event of the account: its opening, or a change of its terms.
    Account(AccountEvent),
}

/// The posted balance of an account in a currency.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Cash {
    /// The account.
    pub account_id: AccountId,
    /// The currency.
    pub currency: Currency,
    /// The posted balance.
    pub posted: Money,
}

/// The balances of an account, by currency, and its alerts.
#[derive(Clone, Debug, Default)]
pub struct BalanceState {
    sums: SmallMap<Currency, Sums>,
    /// None for most accounts.
    watch: Option<Box<Watch>>,
    /// None for accounts without a rate.
    interest: Option<Box<Accruals>>,
}

/// The sums of an account in a currency.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Sums {
    posted: Total,
    held: Total,
    ts: Option<EventTime>,
    emitted: Option<Balance>,
    /// The posted balance last sent to valuations; zero if none was sent.
    told: Total,
}

headwater_schemas::table_set! {
    /// The tables of balances.
    pub struct BalanceTables restored from SavedBalances {
        restored {
            balances: Balance,
            ledger_alerts: LedgerAlertState,
            interest_states: InterestState,
            interest_points: InterestPoint,
        }
        written { alerts: Alert, interest_accruals: InterestAccrual, ledger_entries: LedgerEntry }
    }
}

crate::fold_operator!(Balances);

impl View for Balances {
    type Key = AccountId;
    type Route = AccountId;
    type Event = BalanceEvent;
    type Broadcast = Event;
    type Context = BalanceContext;
    type State = BalanceState;
    type Timer = ();
    type Tables = BalanceTables;
    /// The other leg of interest.
    type Derived = Posting;
    type Update = Cash;

    const UPDATES: bool = true;

    fn key(&self, event: &BalanceEvent) -> AccountId {
        match event {
            BalanceEvent::Posting(posting) => posting.account_id,
            BalanceEvent::Account(event) => *event.account_id(),
        }
    }

    fn route(account: &AccountId) -> AccountId {
        *account
    }

    fn learn(&self, context: &mut BalanceContext, broadcast: Placed<Event>) {
        if let Event::Account(event) = &broadcast.event {
            context.reference.learn(&broadcast.event);
            context.rates.learn(event, broadcast.place.event_time());
        }
    }

    fn apply(
        &self,
        context: &BalanceContext,
        account: &AccountId,
        state: &mut BalanceState,
        placed: Placed<BalanceEvent>,
        out: &mut Outbox<'_, Self>,
    ) {
        let Placed { place, event } = placed;
        let holder = Holder { account, terms: context.reference.account(account) };
        match event {
            BalanceEvent::Posting(posting) => state.post(place, posting, holder, out),
            BalanceEvent::Account(event) => {
                state.follow(&event, place, holder);
                self.restate(context, state, &event, place, holder, out);
            }
        }
        self.schedule(context, state, place.event_time().date(), place, holder, out);
    }

    /// The end of a day that accrues.
    fn timer(
        &self,
        context: &BalanceContext,
        account: &AccountId,
        state: &mut BalanceState,
        (): (),
        place: Place,
        out: &mut Outbox<'_, Self>,
    ) {
        let holder = Holder { account, terms: context.reference.account(account) };
        let bearer = self.bearer(context, state, holder);
        let Some(interest) = state.interest.as_mut().filter(|interest| interest.due().is_some()) else { return };
        let currency = interest.currency();
        if let Some((date, amount)) = interest.close(bearer, place.time).filter(|_| self.interest.post) {
            self.post_interest(state, Interest { date, currency, amount }, place, holder, out);
        }
        self.schedule(context, state, place.event_time().date().next(), place, holder, out);
    }

    fn emit(&self, context: &BalanceContext, account: &AccountId, state: &mut BalanceState, at: &Moment, tables: &BalanceTables) {
        let holder = Holder { account, terms: context.reference.account(account) };
        for (currency, sums) in state.sums.iter_mut() {
            let row = sums.row(account, currency, holder.overdraft(currency));
            tables.balances.replace(at, sums.emitted.take(), Some(row.clone()));
            sums.emitted = Some(row);
        }
        if let Some(watch) = &mut state.watch {
            watch.emit(account, at, tables);
        }
        state.watch.take_if(|watch| watch.is_idle());
        if let Some(interest) = &mut state.interest {
            interest.emit(account, at, tables);
        }
    }

    fn update(&self, _: &BalanceContext, account: &AccountId, state: &mut BalanceState, at: &Moment, updates: &mut Updates<Cash>) {
        for (currency, sums) in state.sums.iter_mut().filter(|(_, sums)| sums.told != sums.posted) {
            updates.push(at, Cash { account_id: *account, currency: *currency, posted: sums.posted.money() });
            sums.told = sums.posted;
        }
    }

    fn restore(&self, saved: &SavedBalances, states: &mut States<'_, Self>) {
        let is_included = |account: &AccountId| self.of.include(account);
        for row in saved.balances.iter().filter(|row| is_included(&row.account_id)) {
            let Some(state) = states.of(&row.account_id) else { continue };
            let Balance { posted, pending: held, ts, .. } = *row;
            let sums = Sums { posted, held, ts: Some(ts), emitted: Some(row.clone()), told: posted };
            state.sums.insert(row.currency, sums);
        }
        for row in saved.ledger_alerts.iter().filter(|row| is_included(&row.account_id)) {
            let Some(state) = states.of(&row.account_id) else { continue };
            state.watch.get_or_insert_default().restore(row);
        }
        let mut points: Vec<_> = saved.interest_points.iter().filter(|row| states.have(&row.account_id)).collect();
        points.sort_by_key(|row| (row.account_id, row.date));
        for row in saved.interest_states.iter().filter(|row| is_included(&row.account_id)) {
            let Some(state) = states.of(&row.account_id) else { continue };
            let from = points.partition_point(|point| point.account_id < row.account_id);
            let to = points.partition_point(|point| point.account_id <= row.account_id);
            let restored = Accruals::restore(row, points.get(from..to).unwrap_or_default());
            state.interest = Some(Box::new(restored));
        }
    }

    fn timers(&self, _: &AccountId, state: &BalanceState) -> Vec<(EffectiveTime, ())> {
        state.interest.as_ref().and_then(|interest| interest.due()).map(|due| (due, ())).into_iter().collect()
    }
}

/// The interest of a month.
#[derive(Clone, Copy)]
struct Interest {
    /// The last day of the month.
    date: Date,
    currency: Currency,
    /// Positive if paid to the account.
    amount: Money,
}

impl Balances {
    /// What the account's interest depends on.
    fn bearer<'a>(&self, context: &'a BalanceContext, state: &BalanceState, holder: Holder<'a>) -> Bearer<'a> {
        let terms = holder.terms.filter(|terms| terms.status() != AccountStatus::Closed);
        let currency = terms.and_then(Account::currency);
        let accrues_in = state.interest.as_ref().map(|interest| interest.currency()).or(currency);
        let posted = accrues_in.and_then(|currency| state.sums.get(&currency)).map_or(Total::ZERO, |sums| sums.posted);
        Bearer {
            account: holder.account,
            account_type: holder.terms.and_then(Account::account_type),
            currency,
            posted,
            rates: &context.rates,
            day_count: self.interest.day_count,
        }
    }

    /// Sets the timer for the end of a day that accrues, from `date` on.
    fn schedule(
        &self,
        context: &BalanceContext,
        state: &mut BalanceState,
        date: Date,
        place: Place,
        holder: Holder<'_>,
        out: &mut Outbox<'_, Self>,
    ) {
        let closes = state.interest.as_ref().and_then(|interest| interest.due());
        if closes.is_some_and(|time| time <= date.end().effective()) {
            return;
        }
        let bearer = self.bearer(context, state, holder);
        if state.interest.is_none() {
            state.interest = Accruals::of(bearer, place.event_time()).map(Box::new);
        }
        let due = state.interest.as_mut().and_then(|interest| interest.schedule(bearer, date, place.time));
        if let Some(due) = due {
            due.cancelled.into_iter().for_each(|time| out.cancel_timer(time, ()));
            out.set_timer(due.set, ());
        }
    }

    /// A rate counts from the day of its own time.
    fn restate(
        &self,
        context: &BalanceContext,
        state: &mut BalanceState,
        event: &AccountEvent,
        place: Place,
        holder: Holder<'_>,
        out: &mut Outbox<'_, Self>,
    ) {
        if rate_of(event).is_none() {
            return;
        }
        let bearer = self.bearer(context, state, holder);
        let is_changed = state.interest.as_mut().is_some_and(|interest| interest.restate(bearer, place.time));
        if let Some(lateness) = place.lateness(event.ts()).filter(|_| is_changed) {
            out.correct(Correction::Late { topic: Topic::Accounts, id: holder.account.to_id(), lateness });
        }
    }

    /// Posts the interest of a month against the outside.
    fn post_interest(&self, state: &mut BalanceState, interest: Interest, place: Place, holder: Holder<'_>, out: &mut Outbox<'_, Self>) {
        let Interest { date, currency, amount } = interest;
        let day = date.to_string();
        let month = day.get(..7).unwrap_or(&day);
        let transaction_id = Id::shortened(&format!("interest-{}-{month}", holder.account));
        let ts = place.event_time();
        let outside = AccountId::external(currency);
        for (number, (account_id, amount)) in [(*holder.account, amount), (outside, amount.negated())].into_iter().enumerate() {
            out.tables().ledger_entries.insert(
                out.at(),
                LedgerEntry {
                    entry_id: Id::shortened(&format!("interest-{}-{month}-{}", holder.account, number + 1)),
                    transaction_id: transaction_id.clone(),
                    account_id,
                    currency,
                    amount,
                    phase: TransactionPhase::Posted,
                    ts,
                },
            );
            let posting = Posting {
                account_id,
                currency,
                posted: amount,
                held: Money::ZERO,
                is_use: true,
                transaction_id: transaction_id.clone(),
                balance_after: None,
                ts,
                correction: None,
            };
            if account_id == outside {
                out.derive(posting);
            } else {
                state.post(place, posting, holder, out);
            }
        }
    }
}

/// An account and its terms, as far as they are known.
#[derive(Clone, Copy)]
pub(super) struct Holder<'a> {
    pub(super) account: &'a AccountId,
    pub(super) terms: Option<&'a Account>,
}

impl Holder<'_> {
    /// The overdraft limit in a currency; zero in other currencies than the account's own.
    pub(super) fn overdraft(self, currency: &Currency) -> Money {
        let limit = self.terms.filter(|terms| terms.currency().as_ref() == Some(currency)).and_then(Account::overdraft_limit);
        limit.map_or(Money::ZERO, |limit| limit.money())
    }

    /// Whether it owes by its nature, so that a balance below zero breaks no rule.
    pub(super) fn may_owe(self) -> bool {
        let account_type = self.terms.and_then(Account::account_type);
        self.account.is_contra() || matches!(account_type, Some(AccountType::Credit | AccountType::Loan))
    }

    pub(super) fn status(self) -> AccountStatus {
        self.terms.map_or(AccountStatus::Open, |terms| terms.status())
    }
}

impl BalanceState {
    fn post(&mut self, place: Place, posting: Posting, holder: Holder<'_>, out: &mut Outbox<'_, Balances>) {
        if self.sums.update(posting.currency, |sums| sums.take(&posting)).is_none() {
            return out.refuse(overflow(place, &posting));
        }
        if !holder.account.is_contra() {
            self.watch_status(&posting, place, holder);
            self.watch_funds(&posting, place, holder);
            self.watch_report(&posting, place, holder);
        }
        posting.correction.into_iter().for_each(|correction| out.correct(*correction));
    }

    /// Applies an account event. The limit is looked up when rows are emitted.
    fn follow(&mut self, event: &AccountEvent, place: Place, holder: Holder<'_>) {
        match event {
            AccountEvent::Opened(opened) => self.see(Some(&opened.currency), event.ts()),
            AccountEvent::Updated(updated) if updated.currency.is_some() || updated.overdraft_limit.is_some() => {
                self.see(updated.currency.as_ref(), event.ts());
            }
            _ => {}
        }
        self.satisfy_status(place, holder);
        for currency in self.sums.iter().map(|(currency, _)| *currency).collect::<Vec<_>>() {
            self.satisfy_funds(currency, None, place, holder);
        }
    }

    /// Notes that terms changed, and opens the balance in their currency if it does not exist yet.
    fn see(&mut self, currency: Option<&Currency>, ts: EventTime) {
        if let Some(currency) = currency {
            self.sums.update(*currency, |_| ());
        }
        self.sums.iter_mut().for_each(|(_, sums)| sums.ts = sums.ts.max(Some(ts)));
    }

    /// A frozen or closed account is used if money moves, or is held. A hold of zero is a hold.
    fn watch_status(&mut self, posting: &Posting, place: Place, holder: Holder<'_>) {
        let (rule, word) = match holder.status() {
            AccountStatus::Open => return,
            AccountStatus::Frozen => (LedgerRule::FrozenAccount, "frozen"),
            AccountStatus::Closed => (LedgerRule::ClosedAccount, "closed"),
        };
        if posting.is_use {
            let message = format!("account {} is {word}, and was used by transaction {}", holder.account, posting.transaction_id);
            let watch = self.watch.get_or_insert_default();
            watch.warn((rule, None), holder.account, message, &posting.transaction_id, place.event_time());
        }
    }

    fn satisfy_status(&mut self, place: Place, holder: Holder<'_>) {
        let Some(watch) = &mut self.watch else { return };
        let status = holder.status();
        if status != AccountStatus::Frozen {
            let message = format!("account {} is not frozen any more", holder.account);
            watch.satisfy((LedgerRule::FrozenAccount, None), message, None, place.event_time());
        }
        if status != AccountStatus::Closed {
            let message = format!("account {} is open again", holder.account);
            watch.satisfy((LedgerRule::ClosedAccount, None), message, None, place.event_time());
        }
    }

    /// A debit, which lowers what is available, must not leave less than nothing.
    fn watch_funds(&mut self, posting: &Posting, place: Place, holder: Holder<'_>) {
        let available = self.available(posting.currency, holder);
        if available >= Total::ZERO || holder.may_owe() {
            return self.satisfy_funds(posting.currency, posting.correction.as_deref(), place, holder);
        }
        if posting.posted < posting.held {
            let message = format!("the available balance of {} is {available} {}", holder.account, posting.currency);
            let key = (LedgerRule::InsufficientFunds, Some(posting.currency));
            self.watch.get_or_insert_default().warn(key, holder.account, message, &posting.transaction_id, place.event_time());
        }
    }

    fn satisfy_funds(&mut self, currency: Currency, correction: Option<&Correction>, place: Place, holder: Holder<'_>) {
        let key = (LedgerRule::InsufficientFunds, Some(currency));
        if self.watch.as_ref().is_none_or(|watch| !watch.stands(key)) {
            return;
        }
        let available = self.available(currency, holder);
        if let Some(watch) = self.watch.as_mut().filter(|_| available >= Total::ZERO || holder.may_owe()) {
            let message = format!("the available balance of {} is {available} {currency}", holder.account);
            watch.satisfy(key, message, correction, place.event_time());
        }
    }

    /// The balance that the producer reports is the posted one after the transaction.
    fn watch_report(&mut self, posting: &Posting, place: Place, holder: Holder<'_>) {
        let (Some(reported), Some(sums)) = (posting.balance_after, self.sums.get(&posting.currency)) else { return };
        let key = (LedgerRule::BalanceMismatch, Some(posting.currency));
        if sums.posted.units() != reported.units() {
            let message = mismatch(holder.account, &posting.currency, sums.posted.units(), reported);
            self.watch.get_or_insert_default().warn(key, holder.account, message, &posting.transaction_id, place.event_time());
        } else if let Some(watch) = &mut self.watch {
            let message = format!("the balance of {} in {} is the reported one again", holder.account, posting.currency);
            watch.satisfy(key, message, posting.correction.as_deref(), place.event_time());
        }
    }

    fn available(&self, currency: Currency, holder: Holder<'_>) -> Total {
        self.sums.get(&currency).map_or(Total::ZERO, |sums| sums.available(holder.overdraft(&currency)))
    }
}

impl Sums {
    /// Adds a posting, unless the sums, or the available balance, would overflow their columns: then `None`.
    fn take(&mut self, posting: &Posting) -> Option<()> {
        let (posted, held) = (self.posted.checked_add(posting.posted)?, self.held.checked_add(posting.held)?);
        posted.checked_sub(held)?.checked_add(GREATEST_OVERDRAFT)?;
        (self.posted, self.held, self.ts) = (posted, held, self.ts.max(Some(posting.ts)));
        Some(())
    }

    /// Posted less held plus the overdraft limit. It is in range: a posting that leaves no room for the limit is rejected.
    const fn available(&self, overdraft: Money) -> Total {
        let free = self.posted.units().saturating_sub(self.held.units());
        Total::from_units(free.saturating_add(overdraft.units()))
    }

    fn row(&self, account: &AccountId, currency: &Currency, overdraft: Money) -> Balance {
        let available = self.available(overdraft);
        Balance {
            account_id: *account,
            currency: *currency,
            posted: self.posted,
            pending: self.held,
            available,
            ts: self.ts.unwrap_or_default(),
        }
    }
}

/// More than any overdraft limit: amounts have at most 18 integer digits.
pub(super) const GREATEST_OVERDRAFT: Money = Money::from_units(10_i128.pow(27));

/// The dead letter of a posting that would overflow a sum.
fn overflow(place: Place, posting: &Posting) -> DeadLetter {
    DeadLetter {
        topic: Text::new(Topic::Transactions.as_str()),
        partition: i32::from(place.partition),
        offset: place.offset,
        ts: place.event_time(),
        key: Some(Text::new(posting.account_id.as_str())),
        value: None,
        text: None,
        code: Text::new(ErrorCode::Overflow.as_str()),
        error: Text::from(format!(
            "the balance of {} in {} does not fit 38 digits: its legs are in ledger_entries; correct the books by hand",
            posting.account_id, posting.currency
        )),
    }
}
