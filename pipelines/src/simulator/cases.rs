//! Planted cases: what the pipeline has to find, and in which events.

use std::collections::BTreeMap;

use headwater_schemas::events::{Event, OrderEvent};
use headwater_schemas::{EventTime, Id};

use super::schedule::Planned;

/// Number of cases of each name that are kept: the newest ones.
const KEPT: usize = 3;

/// A planted case of misconduct or failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlantedCase {
    /// Name of what was planted.
    pub name: &'static str,
    /// Time of its first event.
    pub at: EventTime,
    /// Time from which it can be found: that of its last event, or when a step of it is overdue.
    pub complete_at: EventTime,
    /// Rules that have to find it.
    pub rules: &'static [&'static str],
    /// Ids of its events; for accesses, the actor.
    pub ids: Vec<Id>,
}

impl PlantedCase {
    /// The case of planned events. `None` without events that have an id.
    pub(super) fn of(name: &'static str, rules: &'static [&'static str], planned: &[Planned]) -> Option<Self> {
        let at = planned.iter().filter_map(|planned| planned.event.ts()).min()?;
        let complete_at = planned.iter().map(|planned| planned.at).max()?;
        let ids: Vec<Id> = planned.iter().filter_map(|planned| id_of(&planned.event)).collect();
        (!ids.is_empty()).then_some(Self { name, at, complete_at: EventTime::from_nanos(complete_at), rules, ids })
    }
}

/// Id by which a decision or an alert names an event.
fn id_of(event: &Event) -> Option<Id> {
    match event {
        Event::Transaction(transaction) => Some(transaction.transaction_id.clone()),
        Event::Payment(payment) => Some(payment.payment_id.clone()),
        Event::Transfer(step) => Some(step.transfer_id().clone()),
        Event::Order(OrderEvent::New(order)) => Some(order.order_id.clone()),
        Event::Access(access) => Some(access.actor.clone()),
        _ => None,
    }
}

/// The planted cases so far, by name.
#[derive(Clone, Debug, Default)]
pub(super) struct PlantedCases {
    by_name: BTreeMap<&'static str, Planted>,
}

/// The cases of one name.
#[derive(Clone, Debug, Default)]
struct Planted {
    count: u64,
    newest: Vec<PlantedCase>,
}

impl PlantedCases {
    pub(super) fn extend(&mut self, cases: impl IntoIterator<Item = PlantedCase>) {
        cases.into_iter().for_each(|case| self.add(case));
    }

    fn add(&mut self, case: PlantedCase) {
        let planted = self.by_name.entry(case.name).or_default();
        planted.count += 1;
        if planted.newest.len() >= KEPT {
            planted.newest.remove(0);
        }
        planted.newest.push(case);
    }

    /// Number of cases.
    pub(super) fn count(&self) -> u64 {
        self.by_name.values().map(|planted| planted.count).sum()
    }

    /// The cases that are kept, by time.
    pub(super) fn newest(&self) -> Vec<PlantedCase> {
        let mut newest: Vec<_> = self.by_name.values().flat_map(|planted| planted.newest.iter().cloned()).collect();
        newest.sort_by_key(|case| (case.at, case.name));
        newest
    }
}
