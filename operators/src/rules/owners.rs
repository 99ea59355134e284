//! The customer who owns the account of a transaction, for rules that group by customer.
//!
//! **Key**: the account. A customer's accounts may be on several workers, so their events meet only once the customer is known.
//! **Rows**: none. **State**: the customers whose groups remembered events of the account at the last restart, from `rule_events`.
//!
//! A transaction belongs to the customer who owns its account when it arrives. If it is taken back or captured after the account
//! changed its owner, its former owners are told as well, because it is remembered for one of them.

use std::collections::BTreeSet;
use std::sync::Arc;

use headwater_schemas::events::Event;
use headwater_schemas::tables::{Moment, RememberedEvent, TableReader, TableRegistry, TableSet};
use headwater_schemas::{AccountId, CustomerId, Place, Placed};
use serde::{Deserialize, Serialize};

use super::customers::Customers;
use super::subject::{Grouping, Happened};
use crate::keyed_fold::{Outbox, States, View};

/// The tables of owners: none that they write.
#[derive(Clone, Copy, Debug, Default)]
pub struct OwnerTables;

/// The rows that owners are restored from.
#[derive(Clone, Debug, Default)]
pub struct SavedOwners {
    /// Rows of `rule_events`.
    pub rule_events: Arc<Vec<RememberedEvent>>,
}

impl TableSet for OwnerTables {
    type Saved = SavedOwners;

    fn register(_: &mut impl TableRegistry) -> Self {
        Self
    }

    fn read<T: TableReader>(reader: &mut T) -> Result<SavedOwners, T::Error> {
        Ok(SavedOwners { rule_events: reader.rows()? })
    }
}

/// View that looks up the owner of each transaction's account. What nobody is known to own is left out.
#[derive(Clone, Copy, Debug)]
pub struct Owners;

/// What happened, and the customer who owns its account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// What happened.
    pub what: Happened,
    /// The customer.
    pub customer: CustomerId,
}

crate::fold_operator!(Owners);

impl View for Owners {
    type Key = AccountId;
    type Route = AccountId;
    type Event = Happened;
    type Broadcast = Event;
    type Context = Customers;
    type State = BTreeSet<CustomerId>;
    type Timer = ();
    type Tables = OwnerTables;
    /// The event with its own place, which it keeps.
    type Derived = (Place, Known);
    type Update = ();

    fn key(&self, event: &Happened) -> AccountId {
        event.account().unwrap_or_default()
    }

    fn route(account: &AccountId) -> AccountId {
        *account
    }

    fn learn(&self, customers: &mut Customers, broadcast: Placed<Event>) {
        customers.learn(&broadcast.event);
    }

    fn apply(
        &self,
        customers: &Customers,
        account: &AccountId,
        remembered: &mut BTreeSet<CustomerId>,
        placed: Placed<Happened>,
        out: &mut Outbox<'_, Self>,
    ) {
        let Placed { place, event: what } = placed;
        let mut owners: BTreeSet<_> = customers.owner(account).into_iter().collect();
        if what.is_about_an_earlier_one() {
            owners.extend(customers.former_owners(account).chain(remembered.iter().copied()));
        }
        for customer in owners {
            out.derive((place, Known { what: what.clone(), customer }));
        }
    }

    fn emit(&self, _: &Customers, _: &AccountId, _: &mut BTreeSet<CustomerId>, _: &Moment, _: &OwnerTables) {}

    fn is_forgettable(&self, remembered: &BTreeSet<CustomerId>) -> bool {
        remembered.is_empty()
    }

    fn restore(&self, saved: &SavedOwners, states: &mut States<'_, Self>) {
        let is_of_customer = |row: &&RememberedEvent| row.grouping.as_str() == Grouping::Customer.name();
        for row in saved.rule_events.iter().filter(is_of_customer) {
            let state = row.account_id.and_then(|account| states.of(&account));
            state.into_iter().for_each(|state| {
                state.insert(CustomerId::derived(row.group_key.as_str()));
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use headwater_schemas::tables::EventRole;
    use headwater_schemas::{Correction, Currency, EffectiveTime, EventTime, Id, Offset, Text, Topic};

    use super::*;
    use crate::ledger::{Adjusted, TakenBack};
    use crate::testing::{Emitted, Happening, Happenings, resumed, run};

    /// An event of the account `a`: opened by a customer, or given to one.
    fn owned(second: u64, kind: &str, customer: &str) -> Placed<Happening<Event, Happened>> {
        let more = if kind == "opened" { r#","account_type":"checking","currency":"USD""# } else { "" };
        let text = format!(r#"{{"type":"{kind}","account_id":"a","customer_id":"{customer}"{more},"ts":{second}}}"#);
        let event = Event::decode(Topic::Accounts, None, Some(text.as_bytes())).expect(&text);
        let place = Place::of_record(EffectiveTime::new(second), Topic::Accounts, 0, Offset::new(second));
        Placed { place, event: Happening::Broadcast(event) }
    }

    fn happens(second: u64, what: Happened) -> Placed<Happening<Event, Happened>> {
        let place = Place::of_record(EffectiveTime::new(second), Topic::Transactions, 0, Offset::new(second));
        Placed { place, event: Happening::Event(what) }
    }

    fn reversed() -> Happened {
        let correction = Correction::Reversal { transaction_id: Id::derived("r"), original: Id::derived("t") };
        let (account_id, currency) = (AccountId::derived("a"), Currency::derived("USD"));
        let (counterparty, transaction_id) = (AccountId::external(currency), Id::derived("t"));
        Happened::TakenBack(Arc::new(TakenBack {
            account_id,
            counterparty,
            currency,
            transaction_id,
            captures: None,
            is_restored: false,
            correction,
        }))
    }

    fn captured() -> Happened {
        let (account_id, currency) = (AccountId::derived("a"), Currency::derived("USD"));
        let (counterparty, hold, capture) = (AccountId::external(currency), Id::derived("t"), Id::derived("c"));
        let amount = "1".parse().expect("an amount");
        Happened::Adjusted(Arc::new(Adjusted { account_id, counterparty, currency, hold, amount, counter: None, capture }))
    }

    fn paid() -> Happened {
        let text = r#"{"transaction_id":"u","account_id":"a","type":"payment","amount":"1","currency":"USD","ts":1}"#;
        match Event::decode(Topic::Transactions, None, Some(text.as_bytes())) {
            Ok(Event::Transaction(event)) => Happened::Transaction(event),
            other => panic!("{other:?}"),
        }
    }

    fn customers(said: &Emitted<Owners>) -> Vec<String> {
        said.derived.iter().map(|placed| placed.event.1.customer.to_string()).collect()
    }

    #[test]
    fn what_is_taken_back_or_captured_reaches_every_customer_who_owned_the_account() {
        for (what, expected) in [(reversed(), vec!["c1", "c2", "c3"]), (captured(), vec!["c1", "c2", "c3"]), (paid(), vec!["c3"])] {
            let changes = [owned(1, "opened", "c1"), owned(2, "updated", "c2"), owned(3, "updated", "c3")];
            let said = run(Owners, changes.into_iter().chain([happens(4, what)]).collect());
            assert_eq!(customers(&said), expected);
        }
    }

    #[test]
    fn former_owners_are_known_after_a_restart_that_restores_only_the_present_one() {
        let row = RememberedEvent {
            subject: Text::new("transaction"),
            grouping: Text::new("customer_id"),
            group_key: Text::new("c1"),
            ts: EventTime::from_nanos(1),
            rank: 0,
            partition: 0,
            offset: Offset::ZERO,
            sequence: 0,
            event_id: Id::derived("t"),
            account_id: Some(AccountId::derived("a")),
            role: EventRole::Original,
            is_mirrored: false,
            is_withdrawn: false,
            utc_offset: None,
            fields: Vec::new(),
            undecided: Vec::new(),
        };
        let saved = SavedOwners { rule_events: Arc::new(vec![row]) };
        let before: Happenings<Owners> = vec![owned(3, "opened", "c3")];
        let said = resumed(Owners, &saved, before, vec![happens(4, reversed())]);
        assert_eq!(customers(&said), ["c1", "c3"]);
    }
}
