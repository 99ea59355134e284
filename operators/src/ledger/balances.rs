//! Balances: sums of postings.
//!
//! - **Key**: account. **Rows**: [`Balance`], one per currency, once per tick. **Updates**: [`Cash`]. **State**: two sums per
//!   currency.
//! - A balance exists from the account's opening on, or from its first posting if that is earlier.
//! - Available = posted − held + the account's overdraft limit, in the account's own currency. It follows changes of the limit at
//!   once, because account events are events of the key, too.
//! - A posting that would overflow a sum is a dead letter (`overflow`); that takes 10^11 amounts of the greatest magnitude.

use std::collections::BTreeMap;
use std::sync::Arc;

use headwater_schemas::events::{AccountEvent, ErrorCode, Event};
use headwater_schemas::tables::{Balance, DeadLetter, Moment, TableWriter};
use headwater_schemas::{AccountId, Currency, EventTime, Money, Place, Placed, Text, Topic, Total};
use serde::{Deserialize, Serialize};

use super::Posting;
use crate::keyed_fold::{Outbox, Updates, View};
use crate::reference::{Account, Reference};

/// View of balances. Rows are emitted per tick; valuations get the posted balance on the grid.
#[derive(Clone, Copy, Debug)]
pub struct Balances;

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

/// The balances of an account, by currency.
#[derive(Clone, Debug, Default)]
pub struct BalanceState(BTreeMap<Currency, Sums>);

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

crate::fold_operator!(Balances);

impl View for Balances {
    type Key = AccountId;
    type Route = AccountId;
    type Event = BalanceEvent;
    type Broadcast = Event;
    type Context = Reference;
    type State = BalanceState;
    type Timer = ();
    type Tables = TableWriter<Balance>;
    type Derived = ();
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

    fn learn(&self, reference: &mut Reference, broadcast: Placed<Event>) {
        if matches!(broadcast.event, Event::Account(_)) {
            reference.learn(&broadcast.event);
        }
    }

    fn apply(&self, _: &Reference, _: &AccountId, state: &mut BalanceState, placed: Placed<BalanceEvent>, out: &mut Outbox<'_, Self>) {
        let Placed { place, event } = placed;
        match event {
            BalanceEvent::Posting(posting) => state.post(place, posting, out),
            BalanceEvent::Account(event) => state.follow(&event),
        }
    }

    fn emit(&self, reference: &Reference, account: &AccountId, state: &mut BalanceState, at: &Moment, table: &TableWriter<Balance>) {
        let terms = reference.account(account);
        for (currency, sums) in &mut state.0 {
            let row = sums.row(account, currency, overdraft(terms, currency));
            table.replace(at, sums.emitted.take(), Some(row.clone()));
            sums.emitted = Some(row);
        }
    }

    fn update(&self, _: &Reference, account: &AccountId, state: &mut BalanceState, at: &Moment, updates: &mut Updates<Cash>) {
        for (currency, sums) in state.0.iter_mut().filter(|(_, sums)| sums.told != sums.posted) {
            updates.push(at, Cash { account_id: *account, currency: *currency, posted: sums.posted.money() });
            sums.told = sums.posted;
        }
    }

    fn restore(&self, saved: &Arc<Vec<Balance>>, is_mine: &dyn Fn(&AccountId) -> bool) -> Vec<(AccountId, BalanceState)> {
        let mut accounts = BTreeMap::<AccountId, BalanceState>::new();
        for row in saved.iter().filter(|row| is_mine(&row.account_id)) {
            let Balance { posted, pending: held, ts, .. } = *row;
            let sums = Sums { posted, held, ts: Some(ts), emitted: Some(row.clone()), told: posted };
            accounts.entry(row.account_id).or_default().0.insert(row.currency, sums);
        }
        accounts.into_iter().collect()
    }
}

/// The overdraft limit in a currency; zero in other currencies than the account's own.
fn overdraft(terms: Option<&Account>, currency: &Currency) -> Money {
    let limit = terms.filter(|terms| terms.currency.value.as_ref() == Some(currency)).and_then(|terms| terms.overdraft_limit.value);
    limit.map_or(Money::ZERO, |limit| limit.money())
}

impl BalanceState {
    fn post(&mut self, place: Place, posting: Posting, out: &mut Outbox<'_, Balances>) {
        let sums = self.0.entry(posting.currency).or_default();
        let Some((posted, held)) = sums.with(&posting) else { return out.refuse(overflow(place, &posting)) };
        (sums.posted, sums.held) = (posted, held);
        sums.ts = sums.ts.max(Some(posting.ts));
        posting.correction.into_iter().for_each(|correction| out.correct(*correction));
    }

    /// Applies an account event. The limit is looked up when rows are emitted.
    fn follow(&mut self, event: &AccountEvent) {
        match event {
            AccountEvent::Opened(opened) => self.see(Some(&opened.currency), event.ts()),
            AccountEvent::Updated(updated) if updated.currency.is_some() || updated.overdraft_limit.is_some() => {
                self.see(updated.currency.as_ref(), event.ts());
            }
            _ => {}
        }
    }

    /// Notes that terms changed, and opens the balance in their currency if it does not exist yet.
    fn see(&mut self, currency: Option<&Currency>, ts: EventTime) {
        if let Some(currency) = currency {
            self.0.entry(*currency).or_default();
        }
        self.0.values_mut().for_each(|sums| sums.ts = sums.ts.max(Some(ts)));
    }
}

impl Sums {
    /// The sums after a posting; `None` if they, or the available balance, overflow their columns.
    fn with(&self, posting: &Posting) -> Option<(Total, Total)> {
        let (posted, held) = (self.posted.checked_add(posting.posted)?, self.held.checked_add(posting.held)?);
        posted.checked_sub(held)?.checked_add(GREATEST_OVERDRAFT).map(|_| (posted, held))
    }

    fn row(&self, account: &AccountId, currency: &Currency, overdraft: Money) -> Balance {
        // In range: a posting that leaves no room for the limit is rejected.
        let free = self.posted.units().saturating_sub(self.held.units());
        let available = Total::from_units(free.saturating_add(overdraft.units()));
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
const GREATEST_OVERDRAFT: Money = Money::from_units(10_i128.pow(27));

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
