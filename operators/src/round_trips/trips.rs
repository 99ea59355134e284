//! Round trips that were found, and their alerts.

use std::collections::{BTreeMap, BTreeSet};

use headwater_schemas::tables::{Alert, AlertKind, AlertState, Moment, RoundTrip, Severity};
use headwater_schemas::{Currency, EventTime, Id, Text};

use super::search::Path;
use super::transfer::Order;
use super::view::RoundTripTables;
use crate::alerts::Raised;

/// The rule's name.
const RULE: &str = "round_trip";
const SEVERITY: Severity = Severity::High;

/// The trips of a currency, by their last hop.
#[derive(Clone, Debug, Default)]
pub(super) struct Trips {
    trips: BTreeMap<Order, Trip>,
    /// Those that changed since rows were emitted.
    touched: BTreeSet<Order>,
}

/// A trip, standing or over.
#[derive(Clone, Debug)]
struct Trip {
    row: RoundTrip,
    /// The row that was emitted last.
    emitted: Option<RoundTrip>,
    /// Whether its last hop is forgotten.
    is_forgotten: bool,
}

impl Trips {
    pub(super) fn is_empty(&self) -> bool {
        self.trips.is_empty()
    }

    /// The trips that a transfer is a hop of, among those that end in a span of time.
    pub(super) fn with(&self, id: &Id, from: EventTime, to: EventTime) -> BTreeSet<Order> {
        let within = self.trips.range(Order::first_of(from)..).take_while(|(order, _)| order.ts <= to);
        within.filter(|(_, trip)| trip.row.transactions.contains(id)).map(|(order, _)| *order).collect()
    }

    /// Notes which trip a transfer ends now, if any, and which event changed that. Returns whether it is another one than before.
    pub(super) fn settle(&mut self, end: Order, path: Option<&Path<'_>>, currency: &Currency, cause: &Id, now: EventTime) -> bool {
        let before = self.trips.get(&end).map(|trip| &trip.row);
        let Some(row) = next(before, path, currency, cause, now) else { return false };
        self.touched.insert(end);
        match self.trips.get_mut(&end) {
            Some(trip) => trip.row = row,
            None => drop(self.trips.insert(end, Trip { row, emitted: None, is_forgotten: false })),
        }
        true
    }

    /// Forgets the trip that a transfer ends, once its rows are emitted.
    pub(super) fn forget(&mut self, end: &Order) {
        if let Some(trip) = self.trips.get_mut(end) {
            trip.is_forgotten = true;
            self.touched.insert(*end);
        }
    }

    /// Emits the rows of trips that changed. The alert of a forgotten trip stays.
    pub(super) fn emit(&mut self, at: &Moment, tables: &RoundTripTables) {
        for end in std::mem::take(&mut self.touched) {
            let Some(trip) = self.trips.get_mut(&end) else { continue };
            let (row, before) = (trip.row.clone(), trip.emitted.replace(trip.row.clone()));
            tables.alerts.replace(at, before.as_ref().map(alert), Some(alert(&row)));
            let remembered = (!trip.is_forgotten).then_some(row);
            if remembered.is_none() {
                self.trips.remove(&end);
            }
            tables.round_trips.replace(at, before, remembered);
        }
    }

    /// Restores a trip.
    pub(super) fn restore(&mut self, row: &RoundTrip) {
        let partition = u16::try_from(row.partition).unwrap_or(u16::MAX);
        let end = Order { ts: row.ts, partition, offset: row.offset };
        self.trips.insert(end, Trip { row: row.clone(), emitted: Some(row.clone()), is_forgotten: false });
    }
}

/// The row of a trip after a change; none if nothing changed.
fn next(before: Option<&RoundTrip>, path: Option<&Path<'_>>, currency: &Currency, cause: &Id, now: EventTime) -> Option<RoundTrip> {
    let raised = before.map(raised);
    match (path, before) {
        (Some(path), _) => {
            let changed = Raised::next(raised, Some(SEVERITY), AlertState::Withdrawn, now)?;
            let row = row(path, currency, changed);
            let is_new = before.is_none_or(|before| before.ended_by.is_some() || before.message != row.message);
            is_new.then_some(row)
        }
        (None, Some(before)) if raised.is_some_and(Raised::stands) => {
            let Raised { state, severity, ts } = Raised::next(raised, None, AlertState::Withdrawn, now)?;
            Some(RoundTrip { ended_by: Some(cause.clone()), alert_state: state, alert_severity: severity, alert_ts: ts, ..before.clone() })
        }
        (None, _) => None,
    }
}

const fn raised(row: &RoundTrip) -> Raised {
    Raised { state: row.alert_state, severity: row.alert_severity, ts: row.alert_ts }
}

fn row(path: &Path<'_>, currency: &Currency, raised: Raised) -> RoundTrip {
    let end = path.last();
    RoundTrip {
        transaction_id: end.id.clone(),
        account_id: path.first().payer,
        currency: *currency,
        transactions: path.hops().iter().map(|hop| hop.id.clone()).collect(),
        message: Text::from(message(path, currency)),
        ended_by: None,
        alert_state: raised.state,
        alert_severity: raised.severity,
        alert_ts: raised.ts,
        partition: end.order.partition.into(),
        offset: end.order.offset,
        ts: end.order.ts,
    }
}

fn message(path: &Path<'_>, currency: &Currency) -> String {
    let (first, last) = (path.first(), path.last());
    let over: Vec<_> = path.hops().iter().skip(1).map(|hop| hop.payer.as_str()).collect();
    let steps: Vec<_> = path.hops().iter().map(|hop| format!("{} {}", hop.id, hop.amount)).collect();
    format!(
        "{} {currency} that account {} sent at {} came back as {} over {} at {} ({})",
        first.amount,
        first.payer,
        first.order.ts,
        last.amount,
        over.join(", "),
        last.order.ts,
        steps.join(", ")
    )
}

/// The alert about a trip. Its evidence is the path, and then the event that ended it.
fn alert(row: &RoundTrip) -> Alert {
    let mut message = row.message.to_string();
    if let Some(cause) = &row.ended_by {
        message += &format!(": no longer since {cause}");
    }
    Alert {
        alert_id: Id::shortened(&format!("aml:{RULE}:{}", row.transaction_id)),
        kind: AlertKind::Aml,
        rule: Text::new(RULE),
        severity: row.alert_severity,
        subject: row.account_id.to_id(),
        state: row.alert_state,
        message: Text::from(message),
        evidence: row.transactions.iter().chain(&row.ended_by).cloned().collect(),
        ts: row.alert_ts,
    }
}
