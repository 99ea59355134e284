//! The remembered transfers of a currency, and which account paid which.

use std::collections::VecDeque;
use std::collections::hash_map::Entry;
use std::hash::Hash;

use headwater_schemas::{AccountId, EventTime, Id};
use rustc_hash::FxHashMap;

use super::transfer::{Order, Transfer};

/// The remembered transfers of a currency. Those that count can be found by their accounts.
#[derive(Clone, Debug, Default)]
pub(super) struct Graph {
    transfers: FxHashMap<Order, Transfer>,
    ids: FxHashMap<Id, Order>,
    sent: FxHashMap<AccountId, Timeline>,
    received: FxHashMap<AccountId, Timeline>,
    /// By payer and payee.
    between: FxHashMap<(AccountId, AccountId), Timeline>,
}

impl Graph {
    pub(super) fn is_empty(&self) -> bool {
        self.transfers.is_empty()
    }

    pub(super) fn get(&self, order: &Order) -> Option<&Transfer> {
        self.transfers.get(order)
    }

    /// The transfer of a transaction.
    pub(super) fn order_of(&self, id: &Id) -> Option<Order> {
        self.ids.get(id).copied()
    }

    /// Adds a transfer.
    pub(super) fn insert(&mut self, transfer: Transfer) {
        self.ids.insert(transfer.id.clone(), transfer.order);
        self.link(&transfer);
        self.transfers.insert(transfer.order, transfer);
    }

    /// Forgets a transfer.
    pub(super) fn remove(&mut self, order: &Order) -> Option<Transfer> {
        let transfer = self.transfers.remove(order)?;
        self.ids.remove(&transfer.id);
        self.unlink(&transfer);
        Some(transfer)
    }

    /// Changes a transfer, but neither its order nor its accounts.
    pub(super) fn change(&mut self, order: &Order, change: impl FnOnce(&mut Transfer)) {
        let Some(mut transfer) = self.transfers.remove(order) else { return };
        self.unlink(&transfer);
        change(&mut transfer);
        self.link(&transfer);
        self.transfers.insert(*order, transfer);
    }

    /// Notes that the row of a transfer is emitted, and returns the transfer.
    pub(super) fn emitted(&mut self, order: &Order) -> Option<&Transfer> {
        let transfer = self.transfers.get_mut(order)?;
        transfer.is_emitted = true;
        Some(transfer)
    }

    fn link(&mut self, Transfer { order, payer, payee, counts, .. }: &Transfer) {
        if *counts {
            self.sent.entry(*payer).or_default().insert(*order);
            self.received.entry(*payee).or_default().insert(*order);
            self.between.entry((*payer, *payee)).or_default().insert(*order);
        }
    }

    fn unlink(&mut self, Transfer { order, payer, payee, counts, .. }: &Transfer) {
        if *counts {
            remove(&mut self.sent, *payer, order);
            remove(&mut self.received, *payee, order);
            remove(&mut self.between, (*payer, *payee), order);
        }
    }

    /// Whether an account has sent anything.
    pub(super) fn has_sent(&self, payer: &AccountId) -> bool {
        self.sent.contains_key(payer)
    }

    /// Whether an account has paid another one.
    pub(super) fn has_paid(&self, payer: &AccountId, payee: &AccountId) -> bool {
        self.between.contains_key(&(*payer, *payee))
    }

    /// What an account received until a time, latest first.
    pub(super) fn received_until(&self, payee: &AccountId, ts: EventTime) -> impl Iterator<Item = &Transfer> {
        self.received.get(payee).into_iter().flat_map(move |timeline| timeline.until(ts)).filter_map(|order| self.get(order))
    }

    /// What an account received from another one until a time, latest first.
    pub(super) fn paid_until(&self, payer: &AccountId, payee: &AccountId, ts: EventTime) -> impl Iterator<Item = &Transfer> {
        let timeline = self.between.get(&(*payer, *payee));
        timeline.into_iter().flat_map(move |timeline| timeline.until(ts)).filter_map(|order| self.get(order))
    }

    /// What an account sent from a time on, earliest first.
    pub(super) fn sent_from(&self, payer: &AccountId, ts: EventTime) -> impl Iterator<Item = &Transfer> {
        self.sent.get(payer).into_iter().flat_map(move |timeline| timeline.from(ts)).filter_map(|order| self.get(order))
    }
}

fn remove<K: Eq + Hash>(timelines: &mut FxHashMap<K, Timeline>, key: K, order: &Order) {
    if let Entry::Occupied(mut timeline) = timelines.entry(key) {
        timeline.get_mut().remove(order);
        if timeline.get().0.is_empty() {
            timeline.remove();
        }
    }
}

/// Transfers in their order. Most are added at the end, and forgotten at the front.
#[derive(Clone, Debug, Default)]
struct Timeline(VecDeque<Order>);

impl Timeline {
    fn insert(&mut self, order: Order) {
        match self.0.back() {
            Some(last) if *last >= order => {
                let place = self.0.partition_point(|other| *other < order);
                self.0.insert(place, order);
            }
            _ => self.0.push_back(order),
        }
    }

    fn remove(&mut self, order: &Order) {
        if let Ok(place) = self.0.binary_search(order) {
            self.0.remove(place);
        }
    }

    /// Those until a time, latest first.
    fn until(&self, ts: EventTime) -> impl Iterator<Item = &Order> {
        self.0.range(..self.0.partition_point(|order| order.ts <= ts)).rev()
    }

    /// Those from a time on, earliest first.
    fn from(&self, ts: EventTime) -> impl Iterator<Item = &Order> {
        self.0.range(self.0.partition_point(|order| order.ts < ts)..)
    }
}
