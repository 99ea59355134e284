//! Running aggregates over windows: each event enters a window once and leaves it once.
//!
//! The cost of an event does not depend on how many events its window holds. Sums and sums of squares are integers, so an event that
//! leaves subtracts exactly what it added, and a rebuilt aggregate equals one that was updated.

use std::collections::VecDeque;

use ethnum::I256;
use headwater_schemas::Text;
use headwater_schemas::value::fixed;
use rustc_hash::FxHashMap;

use super::expression::{Node, Value};
use super::geo::Location;
use super::median::Median;
use super::pack::{Aggregate, AggregateKind, Kept, Window};
use super::record::{Alone, Record};
use super::ring::Ring;

/// A value that can be a key or be counted as distinct.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Atom {
    Number(i128),
    Nanos(i64),
    Text(Text),
    Word(u8),
    Location(Location),
}

impl Atom {
    fn of(value: Value<'_>) -> Option<Self> {
        match value {
            Value::Number(units) => Some(Self::Number(units)),
            Value::Time(nanos) | Value::Span(nanos) => Some(Self::Nanos(nanos)),
            Value::Text(text) => Some(Self::Text(Text::new(text))),
            Value::Word(code) => Some(Self::Word(code)),
            Value::Location(place) => Some(Self::Location(place)),
            Value::Nothing | Value::Unknown | Value::Bool(_) | Value::Estimate(_) => None,
        }
    }
}

/// One aggregate of one account.
#[derive(Clone, Debug)]
pub(super) struct Running {
    /// The first event of the window.
    from: usize,
    /// Whether the event before `from` ended a window, so that none can begin earlier.
    is_bounded: bool,
    /// None while no event of the window counts, as for most aggregates of an account: they are about other events than it has.
    tallies: Option<Box<Tallies>>,
}

#[derive(Clone, Debug)]
enum Tallies {
    One(Tally),
    ByKey(FxHashMap<Atom, Tally>),
}

impl Tallies {
    fn new(aggregate: &Aggregate) -> Self {
        match aggregate.key {
            Some(_) => Self::ByKey(FxHashMap::default()),
            None => Self::One(Tally::new(aggregate.kind)),
        }
    }

    fn is_empty(&self) -> bool {
        match self {
            Self::One(tally) => tally.is_empty(),
            Self::ByKey(tallies) => tallies.is_empty(),
        }
    }
}

/// Sums of numbers and of their squares.
#[derive(Clone, Debug, Default)]
struct Sums {
    sum: I256,
    squares: I256,
}

#[derive(Clone, Debug)]
enum Tally {
    /// `count`, `sum`, `avg`.
    Sum { count: u32, sum: i128 },
    /// `stddev`.
    Squares { count: u32, sums: Box<Sums> },
    /// `median`.
    Median(Box<Median>),
    /// `last`.
    Last(Option<usize>),
    /// `max`: events with a greater value than all later ones. `first_seen`: all events.
    Queue(VecDeque<(usize, i128)>),
    /// `distinct`: number of events with each value.
    Distinct(FxHashMap<Atom, u32>),
}

impl Tally {
    fn new(kind: AggregateKind) -> Self {
        match kind {
            AggregateKind::Count | AggregateKind::Sum | AggregateKind::Average => Self::Sum { count: 0, sum: 0 },
            AggregateKind::Deviation => Self::Squares { count: 0, sums: Box::default() },
            AggregateKind::Median => Self::Median(Box::default()),
            AggregateKind::Last => Self::Last(None),
            AggregateKind::Max | AggregateKind::FirstSeen => Self::Queue(VecDeque::new()),
            AggregateKind::Distinct => Self::Distinct(FxHashMap::default()),
        }
    }

    fn is_empty(&self) -> bool {
        match self {
            Self::Sum { count, .. } | Self::Squares { count, .. } => *count == 0,
            Self::Median(values) => values.is_empty(),
            Self::Last(last) => last.is_none(),
            Self::Queue(queue) => queue.is_empty(),
            Self::Distinct(values) => values.is_empty(),
        }
    }

    fn add(&mut self, kind: AggregateKind, index: usize, value: Value<'_>) {
        match self {
            Self::Sum { count, sum } => {
                *count += 1;
                *sum = sum.saturating_add(units(value));
            }
            Self::Squares { count, sums } => {
                let units = I256::from(units(value));
                *count += 1;
                sums.sum += units;
                sums.squares += units * units;
            }
            Self::Median(values) => values.add(units(value)),
            Self::Last(last) => *last = Some(index),
            Self::Queue(queue) => {
                let value = if kind == AggregateKind::Max { units(value) } else { 0 };
                while kind == AggregateKind::Max && queue.back().is_some_and(|(_, last)| *last < value) {
                    queue.pop_back();
                }
                queue.push_back((index, value));
            }
            Self::Distinct(values) => {
                if let Some(atom) = Atom::of(value) {
                    *values.entry(atom).or_default() += 1;
                }
            }
        }
    }

    fn remove(&mut self, index: usize, value: Value<'_>) {
        match self {
            Self::Sum { count, sum } => {
                *count = count.saturating_sub(1);
                *sum = sum.saturating_sub(units(value));
            }
            Self::Squares { count, sums } => {
                let units = I256::from(units(value));
                *count = count.saturating_sub(1);
                sums.sum -= units;
                sums.squares -= units * units;
            }
            Self::Median(values) => values.remove(units(value)),
            Self::Last(last) => {
                if *last == Some(index) {
                    *last = None;
                }
            }
            Self::Queue(queue) => {
                if queue.front().is_some_and(|(first, _)| *first == index) {
                    queue.pop_front();
                }
            }
            Self::Distinct(values) => {
                let Some(atom) = Atom::of(value) else { return };
                if let Some(count) = values.get_mut(&atom) {
                    *count -= 1;
                    if *count == 0 {
                        values.remove(&atom);
                    }
                }
            }
        }
    }

    fn value<'r>(&self, aggregate: &Aggregate, ring: &'r Ring, kept: &Kept) -> Value<'r> {
        match (self, aggregate.kind) {
            (Self::Sum { count, .. }, AggregateKind::Count) => whole(*count),
            (Self::Sum { sum, .. }, AggregateKind::Sum) => Value::Number(*sum),
            (Self::Sum { count, sum }, _) => fixed::quotient(*sum, 1, i128::from(*count)).map_or(Value::Nothing, Value::Number),
            (Self::Squares { count, sums }, _) => deviation(*count, sums.sum, sums.squares),
            (Self::Median(values), _) => values.value().map_or(Value::Nothing, Value::Number),
            (Self::Distinct(values), _) => whole(u32::try_from(values.len()).unwrap_or(u32::MAX)),
            (Self::Last(_) | Self::Queue(_), kind) => {
                let Some(record) = self.witness().and_then(|index| ring.get(index)) else { return Value::Nothing };
                match aggregate.field {
                    Some(field) if kind != AggregateKind::FirstSeen => record.field(field, kept),
                    _ => Value::Time(record.order.ts),
                }
            }
        }
    }

    /// The one event that the value comes from, where there is one.
    fn witness(&self) -> Option<usize> {
        match self {
            Self::Last(last) => *last,
            Self::Queue(queue) => queue.front().map(|(index, _)| *index),
            _ => None,
        }
    }
}

/// The number that an event adds to a sum: that of a number or a time; 0 for a count, which needs no field.
fn units(value: Value<'_>) -> i128 {
    match value {
        Value::Number(units) => units,
        Value::Time(nanos) => i128::from(nanos),
        _ => 0,
    }
}

fn whole<'a>(count: u32) -> Value<'a> {
    Value::Number(i128::from(count) * fixed::ONE)
}

/// The sample's standard deviation: √((n Σx² − (Σx)²) / (n (n − 1))), exact under the root.
fn deviation<'a>(count: u32, sum: I256, squares: I256) -> Value<'a> {
    if count < 2 {
        return Value::Nothing;
    }
    let n = I256::from(count);
    let spread = n.checked_mul(squares).zip(sum.checked_mul(sum)).and_then(|(left, right)| left.checked_sub(right));
    let Some(spread) = spread else { return Value::Unknown };
    let variance = spread.as_f64() / (f64::from(count) * (f64::from(count) - 1.0));
    Value::Estimate(variance.sqrt() / fixed::ONE as f64)
}

/// An aggregate with what it needs to read events.
#[derive(Clone, Copy)]
pub(super) struct Reading<'a> {
    pub(super) aggregate: &'a Aggregate,
    pub(super) kept: &'a Kept,
    pub(super) ring: &'a Ring,
}

impl<'a> Reading<'a> {
    /// The time since which an event counts for a later one.
    pub(super) fn since(self, record: &Record) -> i64 {
        match self.aggregate.window {
            Window::Rolling(length) => record.order.ts.saturating_sub(length),
            Window::Day | Window::Month => {
                let begins = self.aggregate.window.begins_at().map_or(Value::Unknown, |field| record.field(field, self.kept));
                if let Value::Time(begins) = begins { begins } else { record.order.ts }
            }
        }
    }

    /// The first event of the window of an event of index `index`, and whether the one before it ended a window.
    pub(super) fn first(self, record: &Record, index: usize) -> (usize, bool) {
        let oldest = self.ring.first_since(self.since(record));
        if self.aggregate.from.is_some() {
            let begins = |earlier: &usize| self.ring.get(*earlier).is_some_and(|earlier| self.begins_with(earlier));
            return ((oldest..index).find(begins).unwrap_or(index), false);
        }
        if self.aggregate.since.is_none() {
            return (oldest, false);
        }
        let ends = |earlier: &usize| self.ring.get(*earlier).is_some_and(|earlier| self.ends_with(earlier));
        (oldest..index).rev().find(ends).map_or((oldest, false), |last| (last + 1, true))
    }

    /// Whether the windows of later events begin after an event.
    pub(super) fn ends_with(self, record: &Record) -> bool {
        self.is_bound(self.aggregate.since.as_ref(), record)
    }

    /// Whether the windows of later events may begin with an event.
    pub(super) fn begins_with(self, record: &Record) -> bool {
        self.is_bound(self.aggregate.from.as_ref(), record)
    }

    fn is_bound(self, condition: Option<&Node>, record: &Record) -> bool {
        let is_true = |condition: &Node| condition.evaluate(&Alone { record, kept: self.kept }).is_true();
        condition.is_some_and(|condition| self.sees(record) && is_true(condition))
    }

    /// Whether an event is one of those that the aggregate is about. A withdrawn event is none.
    fn sees(self, record: &Record) -> bool {
        let is_own = !record.is_mirrored || self.aggregate.is_of_party;
        !record.is_withdrawn && is_own && self.aggregate.followers.admit(record.role)
    }

    /// The value that an event contributes, if it belongs to the aggregate.
    pub(super) fn contribution(self, record: &'a Record) -> Option<Value<'a>> {
        if !self.sees(record) {
            return None;
        }
        if let Some(filter) = &self.aggregate.filter {
            let scope = Alone { record, kept: self.kept };
            if !filter.evaluate(&scope).is_true() {
                return None;
            }
        }
        match self.aggregate.field {
            Some(field) => Some(record.field(field, self.kept)).filter(|value| !value.is_unknown()),
            None => Some(Value::Nothing),
        }
    }
}

impl Running {
    /// An empty aggregate whose window begins at the event of index `from`.
    const fn new((from, is_bounded): (usize, bool)) -> Self {
        Self { from, is_bounded, tallies: None }
    }

    /// The aggregate as it is before the event of index `index`, of which `record` is the one to be judged.
    pub(super) fn rebuilt(reading: Reading<'_>, record: &Record, index: usize) -> Self {
        let (from, is_bounded) = reading.first(record, index);
        let mut running = Self::new((from, is_bounded));
        (from..index).for_each(|earlier| running.add(reading, earlier));
        running
    }

    /// Moves the window to the one of an event; the aggregate holds all events before it.
    pub(super) fn move_to(&mut self, reading: Reading<'_>, record: &Record, index: usize) {
        let before = index.checked_sub(1).and_then(|before| reading.ring.get(before));
        if before.is_some_and(|before| reading.ends_with(before)) {
            *self = Self::new((index, true));
            return;
        }
        if self.is_idle(reading.aggregate) {
            self.from = index;
            return;
        }
        let since = reading.since(record);
        // Only a day can begin earlier than that of the event before: the customer has moved to another time zone.
        let is_of_calendar = reading.aggregate.window.begins_at().is_some();
        if is_of_calendar && !self.is_bounded && reading.ring.first_since(since) < self.from {
            *self = Self::rebuilt(reading, record, index);
        } else {
            self.expire(reading, since);
            self.skip(reading, index);
        }
    }

    /// Whether no event of the window counts, and none of it can count for a later window.
    fn is_idle(&self, aggregate: &Aggregate) -> bool {
        let Aggregate { window, since, from, .. } = aggregate;
        matches!(window, Window::Rolling(_)) && since.is_none() && from.is_none() && self.tallies.is_none()
    }

    /// Removes the events before the one with which the window begins, if it begins with one of a kind.
    fn skip(&mut self, reading: Reading<'_>, index: usize) {
        if reading.aggregate.from.is_none() {
            return;
        }
        while self.from < index && reading.ring.get(self.from).is_some_and(|record| !reading.begins_with(record)) {
            self.remove(reading, self.from);
            self.from += 1;
        }
    }

    /// Adds an event.
    pub(super) fn add(&mut self, reading: Reading<'_>, index: usize) {
        let Some(record) = reading.ring.get(index) else { return };
        let Some(value) = reading.contribution(record) else { return };
        let kind = reading.aggregate.kind;
        let key = match reading.aggregate.key.map(|key| Atom::of(record.field(key, reading.kept))) {
            Some(None) => return,
            key => key.flatten(),
        };
        let tallies = self.tallies.get_or_insert_with(|| Box::new(Tallies::new(reading.aggregate)));
        match (&mut **tallies, key) {
            (Tallies::One(tally), _) => tally.add(kind, index, value),
            (Tallies::ByKey(tallies), Some(key)) => {
                tallies.entry(key).or_insert_with(|| Tally::new(kind)).add(kind, index, value);
            }
            (Tallies::ByKey(_), None) => {}
        }
    }

    fn remove(&mut self, reading: Reading<'_>, index: usize) {
        let Some(record) = reading.ring.get(index) else { return };
        let Some(tallies) = &mut self.tallies else { return };
        let Some(value) = reading.contribution(record) else { return };
        match (&mut **tallies, reading.aggregate.key) {
            (Tallies::One(tally), _) => tally.remove(index, value),
            (Tallies::ByKey(tallies), Some(key)) => {
                let Some(key) = Atom::of(record.field(key, reading.kept)) else { return };
                if let Some(tally) = tallies.get_mut(&key) {
                    tally.remove(index, value);
                    if tally.is_empty() {
                        tallies.remove(&key);
                    }
                }
            }
            (Tallies::ByKey(_), None) => {}
        }
        self.tallies.take_if(|tallies| tallies.is_empty());
    }

    /// Removes events whose `ts` is before `oldest`.
    pub(super) fn expire(&mut self, reading: Reading<'_>, oldest: i64) {
        while reading.ring.get(self.from).is_some_and(|record| record.order.ts < oldest) {
            self.remove(reading, self.from);
            self.from += 1;
            self.is_bounded = false;
        }
    }

    fn tally(&self, reading: Reading<'_>, record: &Record) -> Result<Option<&Tally>, Value<'static>> {
        let key = reading.aggregate.key.map(|key| Atom::of(record.field(key, reading.kept)).ok_or(Value::Unknown)).transpose()?;
        Ok(match (self.tallies.as_deref(), key) {
            (Some(Tallies::One(tally)), _) => Some(tally),
            (Some(Tallies::ByKey(tallies)), Some(key)) => tallies.get(&key),
            (Some(Tallies::ByKey(_)), None) | (None, _) => None,
        })
    }

    /// Value of the aggregate for an event; unknown if the event lacks the key field.
    pub(super) fn value<'r>(&self, reading: Reading<'r>, record: &Record) -> Value<'r> {
        match self.tally(reading, record) {
            Ok(Some(tally)) => tally.value(reading.aggregate, reading.ring, reading.kept),
            Ok(None) => Tally::new(reading.aggregate.kind).value(reading.aggregate, reading.ring, reading.kept),
            Err(unknown) => unknown,
        }
    }

    /// The one event that the value comes from, where there is one.
    pub(super) fn witness(&self, reading: Reading<'_>, record: &Record) -> Option<usize> {
        self.tally(reading, record).ok().flatten().and_then(Tally::witness)
    }
}
