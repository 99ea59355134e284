//! Purchases: the transactions by which customers spend, with customer, local date and category.
//!
//! - **Reads** the payments and withdrawals that the ledger accepted, each once, and what remains of them; events of accounts.
//!   Captures, voids and reversals are no purchases of their own: they change what remains.
//! - A payment to another account of the same customer is not spending, nor are transfers, fees and interest.
//! - **Key**: the account. **Rows**: [`WaitingPurchase`]. **Derived**: [`PurchaseEvent`]s, each at a place of its own: of purchases
//!   that meet at a customer no two have the same.
//! - Customer, date and category are looked up once, when the purchase arrives. A purchase of an account that is not opened yet
//!   waits for that; after [`Purchases::waiting_horizon`] it is an `unknown_reference`.

use std::collections::BTreeMap;
use std::sync::Arc;

use headwater_schemas::events::{AccountEvent, ErrorCode, Event, Label, Transaction, TransactionPhase, TransactionType};
use headwater_schemas::tables::{Moment, TableWriter, WaitingPurchase};
use headwater_schemas::{
    AccountId, Amount, Correction, Currency, CustomerId, Date, EffectiveTime, EventTime, Id, Nanos, Place, Placed, Text, Topic,
};
use serde::{Deserialize, Serialize};

use super::buyers::Buyers;
use super::category::Categories;
use super::rejected;
use crate::keyed_fold::{Outbox, States, View};
use crate::ledger::Remains;
use crate::touched::Touched;

/// View of purchases.
#[derive(Clone, Debug)]
pub struct Purchases {
    /// The rules of categories.
    pub categories: Categories,
    /// How long a purchase waits for the opening of its account.
    pub waiting_horizon: Nanos,
}

/// An event of an account.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum AccountPurchase {
    /// The ledger accepted a transaction.
    Accepted(Arc<Transaction>),
    /// The ledger changed what counts of one.
    Remains(Arc<Remains>),
    /// An event of the account itself.
    Account(AccountEvent),
}

/// A purchase of a customer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Purchase {
    /// The transaction.
    pub transaction_id: Id,
    /// The customer.
    pub customer_id: CustomerId,
    /// The local date.
    pub date: Date,
    /// The category by the rules.
    pub category: Text,
    /// The currency.
    pub currency: Currency,
    /// The amount that counts.
    pub amount: Amount,
    /// Whether it is a hold that is not resolved yet.
    pub is_held: bool,
    /// The correction that it is, if it is late.
    pub correction: Option<Correction>,
}

/// An event of a purchase.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum PurchaseEvent {
    /// A customer bought something.
    Bought(Box<Purchase>),
    /// What counts of it changed.
    Remains(Arc<Remains>),
    /// A person assigned a category to it.
    Label(Box<Label>),
    /// It waits for the opening of its account.
    Waits(Id),
    /// It no longer waits, and is no purchase of the customer who opened the account.
    Dropped(Id),
}

/// Purchases that wait for the opening of their account.
#[derive(Clone, Debug, Default)]
pub struct WaitingPurchases {
    waiting: BTreeMap<Id, Waiting>,
    touched: Touched<Id, WaitingPurchase>,
}

/// A purchase without its customer.
#[derive(Clone, Debug)]
struct Waiting {
    place: Place,
    ts: EventTime,
    category: Text,
    currency: Currency,
    /// What counts of it.
    amount: Amount,
    /// Whether it is a hold that is not resolved yet.
    is_held: bool,
    /// The account that receives it.
    counterparty: Option<AccountId>,
}

impl Waiting {
    fn row(&self, account_id: AccountId, transaction_id: Id) -> WaitingPurchase {
        WaitingPurchase {
            account_id,
            transaction_id,
            category: self.category.clone(),
            currency: self.currency,
            amount: self.amount,
            is_held: self.is_held,
            counterparty_account: self.counterparty,
            written: self.ts,
            partition: i32::from(self.place.partition),
            offset: self.place.offset,
            is_late: self.place.is_late,
            ts: self.place.event_time(),
        }
    }

    fn restored(row: &WaitingPurchase) -> Option<Self> {
        let place = Place::of_record(row.ts.effective(), Topic::Transactions, u16::try_from(row.partition).ok()?, row.offset);
        Some(Self {
            place: Place { is_late: row.is_late, ..place },
            ts: row.written,
            category: row.category.clone(),
            currency: row.currency,
            amount: row.amount,
            is_held: row.is_held,
            counterparty: row.counterparty_account,
        })
    }
}

crate::fold_operator!(Purchases);

impl View for Purchases {
    type Key = AccountId;
    type Route = AccountId;
    type Event = AccountPurchase;
    type Broadcast = Event;
    type Context = Buyers;
    type State = WaitingPurchases;
    type Timer = Id;
    type Tables = TableWriter<WaitingPurchase>;
    type Derived = Placed<PurchaseEvent>;
    type Update = ();

    fn key(&self, event: &AccountPurchase) -> AccountId {
        match event {
            AccountPurchase::Accepted(transaction) => transaction.account_id,
            AccountPurchase::Remains(remains) => remains.account_id,
            AccountPurchase::Account(event) => *event.account_id(),
        }
    }

    fn route(account: &AccountId) -> AccountId {
        *account
    }

    fn learn(&self, buyers: &mut Buyers, broadcast: Placed<Event>) {
        buyers.learn(&broadcast.event);
    }

    fn apply(
        &self,
        buyers: &Buyers,
        account: &AccountId,
        state: &mut WaitingPurchases,
        placed: Placed<AccountPurchase>,
        out: &mut Outbox<'_, Self>,
    ) {
        let Placed { place, event } = placed;
        match event {
            AccountPurchase::Accepted(transaction) => {
                let (id, bought) = (transaction.transaction_id.clone(), self.bought(place, &transaction));
                match buyers.customer(account) {
                    Some(customer_id) => {
                        let event = purchase_of(buyers, customer_id, id, bought);
                        event.into_iter().for_each(|event| out.derive(Placed { place, event }));
                    }
                    None => self.wait(*account, state, id, bought, out),
                }
            }
            AccountPurchase::Remains(remains) => match state.touch(*account, &remains.transaction_id) {
                Some(waiting) => (waiting.amount, waiting.is_held) = (remains.amount, remains.is_held),
                None => out.derive(Placed { place, event: PurchaseEvent::Remains(remains) }),
            },
            AccountPurchase::Account(_) => {
                if let Some(customer_id) = buyers.customer(account) {
                    self.release(buyers, customer_id, *account, state, place, out);
                }
            }
        }
    }

    fn timer(&self, _: &Buyers, account: &AccountId, state: &mut WaitingPurchases, id: Id, place: Place, out: &mut Outbox<'_, Self>) {
        if state.touch(*account, &id).is_none() {
            return;
        }
        let Some(waiting) = state.waiting.remove(&id) else { return };
        let record = Place { time: place.time, ..waiting.place };
        let error = format!("the account {account} was not opened within the horizon, so {id} is nobody's purchase: open the account");
        out.refuse(rejected(record, Text::new(account.as_str()), ErrorCode::UnknownReference, error));
    }

    fn emit(&self, _: &Buyers, account: &AccountId, state: &mut WaitingPurchases, at: &Moment, table: &TableWriter<WaitingPurchase>) {
        let WaitingPurchases { waiting, touched } = state;
        touched.emit(at, table, |id| Some(waiting.get(id)?.row(*account, id.clone())));
    }

    fn is_forgettable(&self, state: &WaitingPurchases) -> bool {
        state.waiting.is_empty()
    }

    fn restore(&self, saved: &Arc<Vec<WaitingPurchase>>, states: &mut States<'_, Self>) {
        for row in saved.iter() {
            let Some(waiting) = Waiting::restored(row) else { continue };
            let Some(state) = states.of(&row.account_id) else { continue };
            state.waiting.insert(row.transaction_id.clone(), waiting);
        }
    }

    fn timers(&self, _: &AccountId, state: &WaitingPurchases) -> Vec<(EffectiveTime, Id)> {
        state.waiting.iter().map(|(id, waiting)| (self.expiry(waiting), id.clone())).collect()
    }
}

impl Purchases {
    fn bought(&self, place: Place, transaction: &Transaction) -> Waiting {
        Waiting {
            place,
            ts: transaction.ts,
            category: self.categories.of(transaction),
            currency: transaction.currency,
            amount: transaction.amount,
            is_held: transaction.phase == Some(TransactionPhase::Pending),
            counterparty: transaction.counterparty_account,
        }
    }

    /// The effective time at which a purchase has waited too long.
    const fn expiry(&self, waiting: &Waiting) -> EffectiveTime {
        waiting.place.time.saturating_add(self.waiting_horizon)
    }

    /// Keeps a purchase until its account is opened.
    fn wait(&self, account: AccountId, state: &mut WaitingPurchases, id: Id, bought: Waiting, out: &mut Outbox<'_, Self>) {
        out.set_timer(self.expiry(&bought), id.clone());
        out.derive(Placed { place: bought.place, event: PurchaseEvent::Waits(id.clone()) });
        state.touch(account, &id);
        state.waiting.insert(id, bought);
    }

    /// Derives the purchases that waited, in the order of their places.
    fn release(
        &self,
        buyers: &Buyers,
        customer_id: CustomerId,
        account: AccountId,
        state: &mut WaitingPurchases,
        place: Place,
        out: &mut Outbox<'_, Self>,
    ) {
        for id in state.waiting.keys().cloned().collect::<Vec<_>>() {
            state.touch(account, &id);
        }
        let mut released: Vec<_> = std::mem::take(&mut state.waiting).into_iter().collect();
        released.sort_by_key(|(_, waiting)| waiting.place);
        for (sequence, (id, waiting)) in (1..).zip(released) {
            out.cancel_timer(self.expiry(&waiting), id.clone());
            let event = purchase_of(buyers, customer_id, id.clone(), waiting).unwrap_or(PurchaseEvent::Dropped(id));
            out.derive(Placed { place: place.derived(sequence), event });
        }
    }
}

/// The purchase of a customer. What a customer pays to an account of the same customer is none.
fn purchase_of(buyers: &Buyers, customer_id: CustomerId, transaction_id: Id, bought: Waiting) -> Option<PurchaseEvent> {
    let receiver = bought.counterparty.and_then(|account| buyers.customer(&account));
    if receiver == Some(customer_id) {
        return None;
    }
    let late = |lateness| Correction::Late { topic: Topic::Transactions, id: transaction_id.clone(), lateness };
    let purchase = Purchase {
        customer_id,
        date: buyers.date(&customer_id, bought.ts),
        category: bought.category,
        currency: bought.currency,
        amount: bought.amount,
        is_held: bought.is_held,
        correction: bought.place.lateness(bought.ts).map(late),
        transaction_id,
    };
    Some(PurchaseEvent::Bought(Box::new(purchase)))
}

impl WaitingPurchases {
    /// Notes the row of a purchase that waits, before it changes. Returns the purchase.
    fn touch(&mut self, account: AccountId, id: &Id) -> Option<&mut Waiting> {
        let Self { waiting, touched } = self;
        let waiting = waiting.get_mut(id);
        let row = waiting.as_ref().map(|waiting| waiting.row(account, id.clone()));
        touched.note(id.clone(), || row);
        waiting
    }
}

/// Whether a transaction may be a purchase: a payment or withdrawal that refers to no other one.
pub fn is_purchase(transaction: &Transaction) -> bool {
    let is_original = transaction.pending_id.is_none() && transaction.reverses.is_none();
    is_original && matches!(transaction.r#type, TransactionType::Payment | TransactionType::Withdrawal)
}
