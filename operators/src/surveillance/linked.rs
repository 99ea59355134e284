//! Owners of accounts, and the accounts that one owner links.

use std::collections::BTreeSet;

use headwater_schemas::events::{Event, Instrument};
use headwater_schemas::{AccountId, CustomerId, EffectiveTime, OwnerId, Placed, Symbol};
use rustc_hash::FxHashMap;

use crate::reference::Reference;

/// Reference data, with the accounts of each owner: a customer group, else a customer, else the account itself.
///
/// The customers of an account are known for every moment, because all records of accounts come again after a restart. Of a customer
/// only the present group is known.
#[derive(Clone, Debug, Default)]
pub struct Linked {
    reference: Reference,
    customer_accounts: FxHashMap<CustomerId, BTreeSet<AccountId>>,
    owners: FxHashMap<AccountId, KnownOwner>,
    /// Of the few accounts that changed hands: their customers, each with the time until which the account was theirs.
    former: FxHashMap<AccountId, Vec<(EffectiveTime, Option<CustomerId>)>>,
    owned: FxHashMap<OwnerId, BTreeSet<AccountId>>,
}

/// The owner of an account that has a record.
#[derive(Clone, Copy, Debug)]
struct KnownOwner {
    owner: OwnerId,
    /// The effective time of the account's first record.
    since: EffectiveTime,
}

impl Linked {
    /// Applies a broadcast.
    pub(super) fn learn(&mut self, Placed { place, event }: &Placed<Event>) {
        let account = if let Event::Account(event) = event { Some(*event.account_id()) } else { None };
        let before = account.and_then(|account| self.reference.customer_of(&account));
        self.reference.learn(event);
        match event {
            Event::Account(event) => {
                let account = *event.account_id();
                let customer = self.reference.customer_of(&account);
                if let Some(customer) = customer {
                    self.customer_accounts.entry(customer).or_default().insert(account);
                }
                if customer != before && self.owners.contains_key(&account) {
                    self.former.entry(account).or_default().push((place.time, before));
                }
                self.follow(account, place.time);
            }
            Event::Customer(customer) => self.follow_customer(customer.customer_id, place.time),
            Event::Deleted(deleted) => self.follow_customer(CustomerId::derived(&deleted.key), place.time),
            _ => {}
        }
    }

    fn follow_customer(&mut self, customer: CustomerId, now: EffectiveTime) {
        let accounts = self.customer_accounts.get(&customer).cloned().unwrap_or_default();
        accounts.into_iter().for_each(|account| self.follow(account, now));
    }

    /// Follows a change of an account's owner.
    fn follow(&mut self, account: AccountId, now: EffectiveTime) {
        let owner = self.reference.owner(account);
        let known = self.owners.get(&account).copied();
        self.owners.insert(account, KnownOwner { owner, since: known.map_or(now, |known| known.since) });
        let before = known.map(|known| known.owner);
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
        self.owners.get(&account).map_or_else(|| account.of_kind(), |known| known.owner)
    }

    /// The owner whom an account had at a time.
    pub(super) fn owner_at(&self, account: AccountId, time: EffectiveTime) -> OwnerId {
        let Some(known) = self.owners.get(&account).filter(|known| known.since <= time) else { return account.of_kind() };
        let former = self.former.get(&account).and_then(|former| former.iter().find(|(until, _)| time < *until));
        match former {
            Some((_, Some(customer))) => self.reference.owner_of_customer(*customer),
            Some((_, None)) => account.of_kind(),
            None => known.owner,
        }
    }

    /// The other accounts of an owner.
    pub(super) fn others(&self, owner: OwnerId, account: AccountId) -> impl Iterator<Item = AccountId> + '_ {
        self.owned.get(&owner).into_iter().flatten().copied().filter(move |other| *other != account)
    }
}

#[cfg(test)]
mod tests {
    use headwater_schemas::{Offset, Place, Topic};

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
                let event = Event::decode(*topic, Some(key.as_bytes()), value).unwrap();
                linked.learn(&Placed { place: Place::of_record(EffectiveTime::ZERO, *topic, 0, Offset::ZERO), event });
            }
            let account = AccountId::derived("a");
            let found: Vec<_> = linked.others(linked.owner(account), account).map(|other| other.as_str()).collect();
            assert_eq!((linked.owner(account).as_str(), found), (owner, others), "{records:?}");
        }
    }
}
