//! Owners of accounts, and the accounts that one owner links.

use std::collections::BTreeSet;

use headwater_schemas::events::{Event, Instrument};
use headwater_schemas::{AccountId, CustomerId, OwnerId, Symbol};
use rustc_hash::FxHashMap;

use crate::reference::Reference;

/// Reference data, with the accounts of each owner: a customer group, else a customer, else the account itself.
#[derive(Clone, Debug, Default)]
pub struct Linked {
    reference: Reference,
    customer_accounts: FxHashMap<CustomerId, BTreeSet<AccountId>>,
    owners: FxHashMap<AccountId, OwnerId>,
    owned: FxHashMap<OwnerId, BTreeSet<AccountId>>,
}

impl Linked {
    /// Applies a broadcast.
    pub(super) fn learn(&mut self, event: &Event) {
        self.reference.learn(event);
        match event {
            Event::Account(event) => {
                let account = *event.account_id();
                if let Some(customer) = self.reference.customer_of(&account) {
                    self.customer_accounts.entry(customer).or_default().insert(account);
                }
                self.follow(account);
            }
            Event::Customer(customer) => self.follow_customer(customer.customer_id),
            Event::Deleted(deleted) => self.follow_customer(CustomerId::derived(&deleted.key)),
            _ => {}
        }
    }

    fn follow_customer(&mut self, customer: CustomerId) {
        let accounts = self.customer_accounts.get(&customer).cloned().unwrap_or_default();
        accounts.into_iter().for_each(|account| self.follow(account));
    }

    /// Follows a change of an account's owner.
    fn follow(&mut self, account: AccountId) {
        let owner = self.reference.owner(account);
        let before = self.owners.insert(account, owner);
        let left = before.filter(|before| *before != owner).and_then(|before| self.owned.get_mut(&before));
        if let Some(accounts) = left {
            accounts.remove(&account);
        }
        self.owned.entry(owner).or_default().insert(account);
    }

    /// An instrument.
    pub(super) fn instrument(&self, symbol: &Symbol) -> Option<&Instrument> {
        self.reference.instrument(symbol)
    }

    /// The owner of an account; of an unknown one, the account itself.
    pub(super) fn owner(&self, account: AccountId) -> OwnerId {
        self.owners.get(&account).copied().unwrap_or_else(|| account.of_kind())
    }

    /// The other accounts of an owner.
    pub(super) fn others(&self, owner: OwnerId, account: AccountId) -> impl Iterator<Item = AccountId> + '_ {
        self.owned.get(&owner).into_iter().flatten().copied().filter(move |other| *other != account)
    }
}

#[cfg(test)]
mod tests {
    use headwater_schemas::Topic;

    use super::*;

    #[test]
    fn accounts_are_linked_by_customer_and_group_as_of_the_records_so_far() {
        let opened = |account: &str, customer: &str| {
            let fields = format!(r#""account_id":"{account}","customer_id":"{customer}","account_type":"investment","currency":"USD""#);
            (Topic::Accounts, Some(format!(r#"{{"type":"opened",{fields},"ts":1}}"#)), account.to_owned())
        };
        let moved = |account: &str, customer: &str| {
            let text = format!(r#"{{"type":"updated","account_id":"{account}","customer_id":"{customer}","ts":2}}"#);
            (Topic::Accounts, Some(text), account.to_owned())
        };
        let grouped = |customer: &str, group: &str| {
            (Topic::Customers, Some(format!(r#"{{"customer_id":"{customer}","group_id":"{group}"}}"#)), customer.to_owned())
        };
        let deleted = |customer: &str| (Topic::Customers, None, customer.to_owned());
        let (a, b, c) = (opened("a", "x"), opened("b", "x"), opened("c", "y"));
        for (records, owner, others) in [
            (vec![], "a", vec![]),
            (vec![a.clone()], "x", vec![]),
            (vec![a.clone(), b.clone(), c.clone()], "x", vec!["b"]),
            (vec![a.clone(), b.clone(), c.clone(), moved("b", "y")], "x", vec![]),
            (vec![grouped("x", "g"), grouped("y", "g"), a.clone(), b.clone(), c.clone()], "g", vec!["b", "c"]),
            (vec![a.clone(), c.clone(), grouped("x", "g"), grouped("y", "g")], "g", vec!["c"]),
            (vec![a, c, grouped("x", "g"), grouped("y", "g"), deleted("y")], "g", vec![]),
        ] {
            let mut linked = Linked::default();
            for (topic, value, key) in &records {
                let value = value.as_deref().map(str::as_bytes);
                linked.learn(&Event::decode(*topic, Some(key.as_bytes()), value).unwrap());
            }
            let account = AccountId::derived("a");
            let found: Vec<_> = linked.others(linked.owner(account), account).map(|other| other.as_str()).collect();
            assert_eq!((linked.owner(account).as_str(), found), (owner, others), "{records:?}");
        }
    }
}
