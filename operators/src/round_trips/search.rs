//! The search for round trips.

use std::collections::BTreeSet;

use headwater_schemas::value::fixed;
use headwater_schemas::{AccountId, Decimal, EventTime, Nanos};

use super::graph::Graph;
use super::transfer::{Order, Transfer};

/// Bounds of a round trip, and of the search for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// The longest time from the first hop to the last one.
    pub window: Nanos,
    /// The greatest number of hops.
    pub hops: usize,
    /// The least amount of a hop, as a fraction of that of the hop before.
    pub share: Decimal,
    /// The number of transfers that are looked at of those that an account received, or sent.
    pub fan: usize,
}

impl Bounds {
    /// The time a window before another one.
    fn before(&self, ts: EventTime) -> EventTime {
        EventTime::from_nanos(ts.nanos().saturating_sub(self.window_nanos()))
    }

    /// The time a window after another one.
    pub(super) fn after(&self, ts: EventTime) -> EventTime {
        EventTime::from_nanos(ts.nanos().saturating_add(self.window_nanos()))
    }

    fn window_nanos(&self) -> i64 {
        i64::try_from(self.window.get()).unwrap_or(i64::MAX)
    }

    /// Whether a hop moves enough of the amount of the hop before.
    fn passes_on(&self, before: &Transfer, after: &Transfer) -> bool {
        // An amount has at most 90 bits, and a fraction of one at most 30.
        let least = before.amount.units().saturating_mul(self.share.units());
        after.amount.units().saturating_mul(fixed::ONE) >= least
    }
}

/// Consecutive hops, in their order. There is at least one.
#[derive(Clone, Debug)]
pub(super) struct Path<'a> {
    first: &'a Transfer,
    last: &'a Transfer,
    hops: Vec<&'a Transfer>,
}

impl<'a> Path<'a> {
    fn of(transfer: &'a Transfer) -> Self {
        Self { first: transfer, last: transfer, hops: vec![transfer] }
    }

    fn after(&self, first: &'a Transfer) -> Self {
        Self { first, last: self.last, hops: [&[first], self.hops.as_slice()].concat() }
    }

    fn followed_by(&self, last: &'a Transfer) -> Self {
        Self { first: self.first, last, hops: [self.hops.as_slice(), &[last]].concat() }
    }

    pub(super) const fn first(&self) -> &'a Transfer {
        self.first
    }

    pub(super) const fn last(&self) -> &'a Transfer {
        self.last
    }

    pub(super) fn hops(&self) -> &[&'a Transfer] {
        &self.hops
    }

    fn is_closed(&self) -> bool {
        self.last.payee == self.first.payer
    }

    /// Whether money of an account is paid on the path.
    fn is_paid_by(&self, account: &AccountId) -> bool {
        self.hops.iter().any(|hop| hop.payer == *account)
    }

    /// Whether its last hop is the latest one. That can only be otherwise if all have the same time, and each turn of the cycle
    /// would be a trip.
    fn ends_with_the_latest(&self) -> bool {
        self.first.order.ts < self.last.order.ts || self.hops.iter().all(|hop| hop.order <= self.last.order)
    }
}

/// A search for round trips.
#[derive(Clone, Copy)]
pub(super) struct Search<'a> {
    pub(super) graph: &'a Graph,
    pub(super) bounds: &'a Bounds,
}

impl<'a> Search<'a> {
    /// The trip that a transfer ends: the shortest one; of several, the one whose hops come latest, compared from the last hop
    /// back.
    pub(super) fn trip_that_ends_with(self, transfer: &'a Transfer) -> Option<Path<'a>> {
        self.trip(Path::of(transfer)).filter(|_| transfer.counts)
    }

    /// The last hops of trips through a transfer, and the transfer itself.
    pub(super) fn ends_of_trips_through(self, transfer: &'a Transfer) -> BTreeSet<Order> {
        let mut ends = BTreeSet::from([transfer.order]);
        let mut tails = self.followed(&Path::of(transfer));
        while let Some(tail) = tails.pop() {
            tails.extend(self.followed(&tail));
            let end = tail.last.order;
            if !ends.contains(&end) && self.trip(tail).is_some() {
                ends.insert(end);
            }
        }
        ends
    }

    /// The trip that ends with some hops. Paths of equal length stay ordered, those with later hops first.
    fn trip(self, tail: Path<'a>) -> Option<Path<'a>> {
        if tail.is_closed() {
            return Some(tail).filter(Path::ends_with_the_latest);
        }
        // Nothing comes back to an account that sends nothing: most payees are such.
        if !self.graph.has_sent(&tail.last.payee) {
            return None;
        }
        let mut paths = vec![tail];
        while !paths.is_empty() {
            if let Some(trip) = paths.iter().find_map(|path| self.closed(path)) {
                return Some(trip);
            }
            paths = paths.iter().flat_map(|path| self.preceded(path)).collect();
        }
        None
    }

    /// The path after a transfer from the account that its last hop pays.
    fn closed(self, path: &Path<'a>) -> Option<Path<'a>> {
        if path.hops.len() >= self.bounds.hops {
            return None;
        }
        let payments = self.graph.paid_until(&path.last.payee, &path.first.payer, path.first.order.ts);
        let mut trips = self.within_reach(payments, path).map(|first| path.after(first));
        trips.find(Path::ends_with_the_latest)
    }

    /// The path after each transfer that its first payer received, if it can still be closed.
    fn preceded(self, path: &Path<'a>) -> Vec<Path<'a>> {
        if path.hops.len().saturating_add(2) > self.bounds.hops {
            return Vec::new();
        }
        // The longest paths are the most, and nearly none of them can be closed.
        let is_longest = path.hops.len().saturating_add(2) == self.bounds.hops;
        let can_be_closed = |first: &&Transfer| !is_longest || self.graph.has_paid(&path.last.payee, &first.payer);
        let received = self.graph.received_until(&path.first.payer, path.first.order.ts);
        let others = self.within_reach(received, path).filter(|first| first.payer != path.last.payee && !path.is_paid_by(&first.payer));
        others.filter(can_be_closed).map(|first| path.after(first)).collect()
    }

    /// Those of the latest transfers that can precede a path.
    fn within_reach(self, latest_first: impl Iterator<Item = &'a Transfer>, path: &Path<'a>) -> impl Iterator<Item = &'a Transfer> {
        let (next, earliest) = (path.first, self.bounds.before(path.last.order.ts));
        let reached = latest_first.take_while(move |transfer| transfer.order.ts >= earliest).take(self.bounds.fan);
        reached.filter(move |transfer| self.bounds.passes_on(transfer, next))
    }

    /// The path before each transfer that its last payee sent, if it is not closed.
    fn followed(self, path: &Path<'a>) -> Vec<Path<'a>> {
        if path.hops.len() >= self.bounds.hops || path.is_closed() {
            return Vec::new();
        }
        let latest = self.bounds.after(path.first.order.ts);
        let sent = self.graph.sent_from(&path.last.payee, path.last.order.ts);
        let reached = sent.take_while(|transfer| transfer.order.ts <= latest).take(self.bounds.fan);
        let is_next = |transfer: &&Transfer| {
            let is_free = transfer.payee == path.first.payer || !path.is_paid_by(&transfer.payee);
            is_free && self.bounds.passes_on(path.last, transfer)
        };
        reached.filter(is_next).map(|last| path.followed_by(last)).collect()
    }
}
