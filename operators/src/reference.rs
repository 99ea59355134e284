//! Reference data: the accumulated records of the table topics and `accounts`, for views that look them up.
//!
//! Each worker applies the same broadcasts in the same order, so all have the same data. Missing data is unknown, which is not an
//! error: an account may trade before it is opened, and each view decides how to treat that.

use std::sync::Arc;

use headwater_schemas::events::{
    AccountEvent, AccountOpened, AccountType, AccountUpdated, Customer, Deleted, Event, Instrument, Limit, LimitKind, LimitScope,
};
use headwater_schemas::{AccountId, Amount, Currency, CustomerId, EventTime, OwnerId, Scope, Symbol, Text, Topic};
use rustc_hash::FxHashMap;

use crate::newest::{self, Newest};

/// Reference data as of the broadcasts so far.
#[derive(Clone, Debug, Default)]
pub struct Reference {
    instruments: FxHashMap<Symbol, Arc<Instrument>>,
    accounts: FxHashMap<AccountId, Account>,
    customers: FxHashMap<CustomerId, Arc<Customer>>,
    limits: FxHashMap<LimitKind, FxHashMap<LimitScope, Arc<Limit>>>,
}

/// The data of an account. Nearly every account has one event, that of its opening: then this is the event itself, which all views
/// share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account(Known);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Known {
    /// It was opened, and nothing else happened.
    Opened(Arc<AccountOpened>),
    Merged(Box<Merged>),
}

/// The data of an account, merged from its events: each event gives some of the fields. Of two events with the same field, the
/// one with the later time of its own counts; of equal times, the one with the later place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Merged {
    customer_id: Newest<Option<CustomerId>>,
    currency: Newest<Option<Currency>>,
    book: Newest<Option<Text>>,
    overdraft_limit: Newest<Option<Amount>>,
    account_type: Newest<Option<AccountType>>,
    opened_at: Option<EventTime>,
    is_closed: Newest<bool>,
    is_frozen: Newest<bool>,
}

/// Whether an account may be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AccountStatus {
    /// It may be used.
    #[default]
    Open,
    /// Blocked until it is unfrozen.
    Frozen,
    /// Blocked until it is opened again.
    Closed,
}

impl Reference {
    /// Applies a broadcast; ignores events that are not reference data.
    pub fn learn(&mut self, event: &Event) {
        match event {
            Event::Instrument(instrument) => {
                newest::put(&mut self.instruments, instrument.symbol, Arc::clone(instrument), |instrument| instrument.ts);
            }
            Event::Customer(customer) => {
                newest::put(&mut self.customers, customer.customer_id, Arc::clone(customer), |customer| customer.ts);
            }
            Event::Limit(limit) => {
                newest::put(self.limits.entry(limit.kind).or_default(), limit.scope.clone(), Arc::clone(limit), |limit| limit.ts);
            }
            Event::Account(event) => {
                self.accounts.entry(*event.account_id()).and_modify(|account| account.learn(event)).or_insert_with(|| Account::of(event));
            }
            Event::Deleted(deleted) => self.forget(deleted),
            _ => {}
        }
    }

    fn forget(&mut self, deleted: &Deleted) {
        let key = deleted.key.as_str();
        match Topic::from_rank(deleted.rank) {
            Some(Topic::Instruments) => drop(self.instruments.remove(&Symbol::derived(key))),
            Some(Topic::Customers) => drop(self.customers.remove(&CustomerId::derived(key))),
            Some(Topic::Limits) => self.forget_limit(key),
            _ => {}
        }
    }

    fn forget_limit(&mut self, key: &str) {
        let Some((scope, kind)) = key.rsplit_once('|') else { return };
        let (Ok(scope), Some(kind)) = (scope.parse::<LimitScope>(), LimitKind::from_word(kind)) else { return };
        if let Some(limits) = self.limits.get_mut(&kind) {
            limits.remove(&scope);
        }
    }

    /// An instrument.
    pub fn instrument(&self, symbol: &Symbol) -> Option<&Instrument> {
        self.instruments.get(symbol).map(Arc::as_ref)
    }

    /// An account.
    pub fn account(&self, account_id: &AccountId) -> Option<&Account> {
        self.accounts.get(account_id)
    }

    /// A customer.
    pub fn customer(&self, customer_id: &CustomerId) -> Option<&Customer> {
        self.customers.get(customer_id).map(Arc::as_ref)
    }

    /// The customer of an account, if it is known.
    pub fn customer_of(&self, account_id: &AccountId) -> Option<CustomerId> {
        self.account(account_id)?.customer_id()
    }

    /// The owner of an account, as far as is known: its customer's group, else the customer, else the account itself.
    pub fn owner(&self, account_id: AccountId) -> OwnerId {
        self.customer_of(&account_id).map_or_else(|| account_id.of_kind(), |customer_id| self.owner_of_customer(customer_id))
    }

    /// The owner of a customer's accounts: its group, else the customer.
    pub fn owner_of_customer(&self, customer_id: CustomerId) -> OwnerId {
        self.customer(&customer_id).and_then(|customer| customer.group_id).unwrap_or(customer_id.of_kind())
    }

    /// The least limit of a kind among those of the account and its customer. The default applies if neither has one.
    pub fn account_limit(&self, kind: LimitKind, account_id: &AccountId) -> Option<&Limit> {
        let limits = self.limits.get(&kind)?;
        let customer = self.customer_of(account_id).map(LimitScope::Customer);
        let own = [LimitScope::Account(*account_id)].into_iter().chain(customer);
        let least = own.filter_map(|scope| limits.get(&scope)).min_by_key(|limit| limit.value);
        least.or_else(|| limits.get(&LimitScope::Default)).map(Arc::as_ref)
    }

    /// The least limit of a kind among those of the account, its customer, its book and all books above, and the symbol. The
    /// default applies if none of them has one.
    pub fn limit(&self, kind: LimitKind, account_id: &AccountId, symbol: &Symbol) -> Option<&Limit> {
        let limits = self.limits.get(&kind)?;
        let default = limits.get(&LimitScope::Default);
        if limits.len() == usize::from(default.is_some()) {
            return default.map(Arc::as_ref);
        }
        let above = self.account(account_id).into_iter().flat_map(Account::scopes);
        let own = [LimitScope::Account(*account_id), LimitScope::Symbol(*symbol)];
        let least = own.into_iter().chain(above).filter_map(|scope| limits.get(&scope)).min_by_key(|limit| limit.value);
        least.or(default).map(Arc::as_ref)
    }
}

impl Account {
    /// An account after its first event.
    fn of(event: &AccountEvent) -> Self {
        match event {
            AccountEvent::Opened(opened) => Self(Known::Opened(Arc::clone(opened))),
            other => {
                let mut merged = Merged::default();
                merged.learn(other);
                Self(Known::Merged(Box::new(merged)))
            }
        }
    }

    /// Applies an event of the account. Events come in the order of their places, so of equal times the later one counts.
    fn learn(&mut self, event: &AccountEvent) {
        match &mut self.0 {
            Known::Merged(merged) => merged.learn(event),
            Known::Opened(opened) => {
                let mut merged = Merged::default();
                merged.open(opened);
                merged.learn(event);
                self.0 = Known::Merged(Box::new(merged));
            }
        }
    }

    /// The customer who owns it.
    pub(crate) fn customer_id(&self) -> Option<CustomerId> {
        match &self.0 {
            Known::Opened(opened) => Some(opened.customer_id),
            Known::Merged(merged) => merged.customer_id.value,
        }
    }

    /// Its currency.
    pub(crate) fn currency(&self) -> Option<Currency> {
        match &self.0 {
            Known::Opened(opened) => Some(opened.currency),
            Known::Merged(merged) => merged.currency.value,
        }
    }

    /// Its book path in the firm: `firm/desk/book`.
    fn book(&self) -> Option<&str> {
        match &self.0 {
            Known::Opened(opened) => opened.book.as_deref(),
            Known::Merged(merged) => merged.book.value.as_deref(),
        }
    }

    /// The scopes of limits that it belongs to, the narrower first: its customer, its book, and the books above it.
    pub(crate) fn scopes(&self) -> impl Iterator<Item = LimitScope> {
        let books = self.book().into_iter().flat_map(books_above).map(LimitScope::Book);
        self.customer_id().map(LimitScope::Customer).into_iter().chain(books)
    }

    /// How far below zero the balance may be.
    pub(crate) fn overdraft_limit(&self) -> Option<Amount> {
        match &self.0 {
            Known::Opened(opened) => opened.overdraft_limit,
            Known::Merged(merged) => merged.overdraft_limit.value,
        }
    }

    /// Its type.
    pub(crate) fn account_type(&self) -> Option<AccountType> {
        match &self.0 {
            Known::Opened(opened) => Some(opened.account_type),
            Known::Merged(merged) => merged.account_type.value,
        }
    }

    /// When it was opened; of an account that was opened again, the last time.
    pub(crate) fn opened_at(&self) -> Option<EventTime> {
        match &self.0 {
            Known::Opened(opened) => Some(opened.ts),
            Known::Merged(merged) => merged.opened_at,
        }
    }

    /// Its status. An account stays closed, whether frozen or not, until it is opened again.
    pub(crate) fn status(&self) -> AccountStatus {
        match &self.0 {
            Known::Opened(_) => AccountStatus::Open,
            Known::Merged(merged) => merged.status(),
        }
    }
}

impl Merged {
    const fn status(&self) -> AccountStatus {
        match (self.is_closed.value, self.is_frozen.value) {
            (true, _) => AccountStatus::Closed,
            (false, true) => AccountStatus::Frozen,
            (false, false) => AccountStatus::Open,
        }
    }

    fn learn(&mut self, event: &AccountEvent) {
        let ts = event.ts();
        match event {
            AccountEvent::Opened(opened) => self.open(opened),
            AccountEvent::Updated(updated) => self.update(updated),
            AccountEvent::Frozen(_) => {
                self.is_frozen.put(true, ts);
            }
            AccountEvent::Unfrozen(_) => {
                self.is_frozen.put(false, ts);
            }
            AccountEvent::Closed(_) => {
                self.is_closed.put(true, ts);
            }
        }
    }

    fn open(&mut self, opened: &AccountOpened) {
        let ts = opened.ts;
        self.is_closed.put(false, ts);
        self.is_frozen.put(false, ts);
        self.customer_id.put(Some(opened.customer_id), ts);
        self.currency.put(Some(opened.currency), ts);
        self.book.put(opened.book.clone(), ts);
        self.overdraft_limit.put(opened.overdraft_limit, ts);
        self.account_type.put(Some(opened.account_type), ts);
        self.opened_at = self.opened_at.max(Some(ts));
    }

    fn update(&mut self, updated: &AccountUpdated) {
        let ts = updated.ts;
        put_given(&mut self.customer_id, updated.customer_id, ts);
        put_given(&mut self.currency, updated.currency, ts);
        put_given(&mut self.account_type, updated.account_type, ts);
        put_given(&mut self.book, updated.book.clone(), ts);
        put_given(&mut self.overdraft_limit, updated.overdraft_limit, ts);
    }
}

/// Sets a field if an event gives it.
fn put_given<T>(field: &mut Newest<Option<T>>, value: Option<T>, ts: EventTime) {
    if value.is_some() {
        field.put(value, ts);
    }
}

/// `firm/desk/book`, `firm/desk`, `firm`.
fn books_above(path: &str) -> impl Iterator<Item = Scope> {
    std::iter::successors(Some(path), |path| path.rsplit_once('/').map(|(above, _)| above)).map(Scope::derived)
}

#[cfg(test)]
mod tests {
    use headwater_schemas::{Decimal, Name};

    use super::*;

    /// Reference data from a list of records, each a topic and a value; a leading `-` deletes the key.
    fn told(records: &[(Topic, &str)]) -> Reference {
        let mut reference = Reference::default();
        for (topic, value) in records {
            let event = match value.strip_prefix('-') {
                Some(key) => Event::decode(*topic, Some(key.as_bytes()), None),
                None => Event::decode(*topic, None, Some(value.as_bytes())),
            };
            reference.learn(&event.unwrap());
        }
        reference
    }

    fn name<K>(text: &str) -> Name<K> {
        Name::new(text).unwrap()
    }

    const OPENED: (Topic, &str) = (
        Topic::Accounts,
        r#"{"type":"opened","account_id":"a","customer_id":"c","account_type":"investment","currency":"USD","book":"firm/desk/a","ts":1}"#,
    );

    #[test]
    fn the_owner_is_the_group_else_the_customer_else_the_account() {
        let grouped = (Topic::Customers, r#"{"customer_id":"c","group_id":"g"}"#);
        let alone = (Topic::Customers, r#"{"customer_id":"c"}"#);
        for (records, owner) in [
            (vec![], "a"),
            (vec![OPENED], "c"),
            (vec![OPENED, alone], "c"),
            (vec![OPENED, grouped], "g"),
            (vec![grouped, OPENED], "g"),
            (vec![OPENED, grouped, (Topic::Customers, "-c")], "c"),
        ] {
            assert_eq!(told(&records).owner(name("a")), name(owner), "{records:?}");
        }
    }

    #[test]
    fn the_least_of_the_scopes_counts_and_the_default_only_without_them() {
        let limit = |scope: &str, value: u32| format!(r#"{{"scope":"{scope}","kind":"order_quantity","value":"{value}"}}"#);
        let told_limits = |limits: &[(&str, u32)]| {
            let records: Vec<String> = limits.iter().map(|(scope, value)| limit(scope, *value)).collect();
            told(&std::iter::once(OPENED).chain(records.iter().map(|record| (Topic::Limits, record.as_str()))).collect::<Vec<_>>())
        };
        for (limits, expected) in [
            (&[][..], None),
            (&[("default", 5)], Some(5)),
            (&[("default", 5), ("account:a", 9)], Some(9)),
            (&[("default", 5), ("account:b", 9)], Some(5)),
            (&[("account:a", 9), ("symbol:S", 8), ("customer:c", 7), ("book:firm", 6)], Some(6)),
            (&[("book:firm/desk/a", 4), ("book:firm/desk", 3), ("book:fir", 1)], Some(3)),
        ] {
            let told = told_limits(limits);
            let found = told.limit(LimitKind::OrderQuantity, &name("a"), &name("S")).map(|limit| limit.value);
            assert_eq!(found, expected.map(Decimal::whole), "{limits:?}");
        }
        let mut told = told_limits(&[("default", 5), ("account:a", 9)]);
        told.learn(&Event::decode(Topic::Limits, Some(b"account:a|order_quantity"), None).unwrap());
        assert_eq!(told.limit(LimitKind::OrderQuantity, &name("a"), &name("S")).map(|limit| limit.value), Some(Decimal::whole(5)));
    }

    #[test]
    fn an_account_stays_closed_until_it_is_opened_again() {
        let event = |word: &'static str| (Topic::Accounts, word);
        let frozen = event(r#"{"type":"frozen","account_id":"a","ts":2}"#);
        let unfrozen = event(r#"{"type":"unfrozen","account_id":"a","ts":3}"#);
        let closed = event(r#"{"type":"closed","account_id":"a","ts":4}"#);
        let again = event(r#"{"type":"opened","account_id":"a","customer_id":"c","account_type":"investment","currency":"USD","ts":5}"#);
        for (records, status) in [
            (vec![OPENED, frozen], AccountStatus::Frozen),
            (vec![OPENED, frozen, unfrozen], AccountStatus::Open),
            (vec![OPENED, closed, unfrozen], AccountStatus::Closed),
            (vec![OPENED, closed, frozen], AccountStatus::Closed),
            (vec![OPENED, closed, again], AccountStatus::Open),
            (vec![OPENED, again, closed], AccountStatus::Open),
            (vec![OPENED, frozen, closed, again], AccountStatus::Open),
            (vec![OPENED, closed, OPENED], AccountStatus::Closed),
            (vec![OPENED, unfrozen, frozen], AccountStatus::Open),
            (vec![frozen, OPENED], AccountStatus::Frozen),
            (vec![frozen], AccountStatus::Frozen),
        ] {
            assert_eq!(told(&records).account(&name("a")).map(Account::status), Some(status), "{records:?}");
        }
    }

    #[test]
    fn of_two_events_of_an_account_the_later_by_its_own_time_counts() {
        let updated = |ts: u32, fields: &str| format!(r#"{{"type":"updated","account_id":"a","ts":{ts},{fields}}}"#);
        let limit = |limit: u32| format!(r#""overdraft_limit":{limit}"#);
        let told_limit = |records: &[&str]| {
            let told = told(&records.iter().map(|record| (Topic::Accounts, *record)).collect::<Vec<_>>());
            told.account(&name("a")).and_then(Account::overdraft_limit).map(|limit| limit.to_string())
        };
        let (three, five, also_five) = (updated(3, &limit(30)), updated(5, &limit(50)), updated(5, &limit(55)));
        let other = updated(9, r#""currency":"EUR""#);
        for (records, expected) in [
            (vec![OPENED.1, &three, &five], "50"),
            (vec![OPENED.1, &five, &three], "50"),
            (vec![&five, OPENED.1, &three], "50"),
            (vec![&five, &three, &other, OPENED.1], "50"),
            (vec![OPENED.1, &five, &also_five], "55"),
            (vec![OPENED.1, &also_five, &five], "50"),
        ] {
            assert_eq!(told_limit(&records).as_deref(), Some(expected), "{records:?}");
        }
    }

    #[test]
    fn the_type_of_an_account_is_the_latest_by_its_own_time() {
        let updated = |ts: u32, fields: &str| format!(r#"{{"type":"updated","account_id":"a","ts":{ts},{fields}}}"#);
        let (loan, savings) = (updated(3, r#""account_type":"loan""#), updated(5, r#""account_type":"savings""#));
        for (records, expected) in [
            (vec![], None),
            (vec![OPENED.1], Some(AccountType::Investment)),
            (vec![OPENED.1, &loan, &savings], Some(AccountType::Savings)),
            (vec![&savings, &loan, OPENED.1], Some(AccountType::Savings)),
            (vec![OPENED.1, &loan, &updated(4, r#""currency":"EUR""#)], Some(AccountType::Loan)),
        ] {
            let told = told(&records.iter().map(|record| (Topic::Accounts, *record)).collect::<Vec<_>>());
            assert_eq!(told.account(&name("a")).and_then(Account::account_type), expected, "{records:?}");
        }
    }

    #[test]
    fn of_two_records_of_a_key_the_later_by_its_own_time_counts() {
        let limit = |value: u32, ts: &str| format!(r#"{{"scope":"default","kind":"order_quantity","value":{value}{ts}}}"#);
        let (none, three, five, also_five) = (limit(1, ""), limit(3, r#","ts":3"#), limit(5, r#","ts":5"#), limit(55, r#","ts":5"#));
        let deleted = "-default|order_quantity".to_owned();
        for (records, expected) in [
            (vec![&three, &five], Some(5)),
            (vec![&five, &three], Some(5)),
            (vec![&five, &none], Some(5)),
            (vec![&none, &limit(2, "")], Some(2)),
            (vec![&five, &also_five], Some(55)),
            (vec![&five, &deleted, &three], Some(3)),
        ] {
            let records: Vec<_> = records.into_iter().map(|record| (Topic::Limits, record.as_str())).collect();
            let found = told(&records).limit(LimitKind::OrderQuantity, &name("a"), &name("S")).map(|limit| limit.value);
            assert_eq!(found, expected.map(Decimal::whole), "{records:?}");
        }
    }

    #[test]
    fn an_update_changes_what_it_says_and_nothing_else() {
        let updated = (Topic::Accounts, r#"{"type":"updated","account_id":"a","currency":"EUR","ts":2}"#);
        let reference = told(&[OPENED, updated]);
        let account = reference.account(&name("a")).unwrap();
        assert_eq!((account.currency().as_deref(), account.customer_id().as_deref()), (Some("EUR"), Some("c")));
    }
}
