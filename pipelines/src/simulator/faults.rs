//! Simulated faults: records that are repeated, contradict each other, or are malformed.

use std::sync::Arc;

use headwater_schemas::events::{Event, Fill, FillEvent, Transaction};
use headwater_schemas::{Amount, Quantity};

use super::SimulatorSettings;
use super::dice::{Dice, Purpose};
use super::record::Record;
use super::schedule::MILLISECOND;

/// A kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// A repetition of an earlier record, with the same bytes.
    Repeated,
    /// A record with the id of an earlier one and another content.
    Conflicting,
    /// A record that is not an event.
    Malformed,
}

/// One in this many transactions and fills is repeated.
const REPEATED_ONE_IN: u64 = 100;
/// Average number of records between two conflicting ones.
const CONFLICTING_EVERY: u64 = 5_000;
/// Average number of records between two malformed ones.
const MALFORMED_EVERY: u64 = 3_000;

/// State of the simulated faults.
#[derive(Clone, Debug)]
pub(super) struct Faults {
    dice: Dice,
    until_conflict: u64,
    until_malformed: u64,
}

/// A faulty record, and when it is published.
pub(super) type Planned = (i64, Fault, Record);

impl Faults {
    pub(super) fn new(settings: &SimulatorSettings) -> Self {
        let mut dice = Dice::new(settings.seed, Purpose::Faults);
        let until_conflict = countdown(&mut dice, CONFLICTING_EVERY);
        let until_malformed = countdown(&mut dice, MALFORMED_EVERY);
        Self { dice, until_conflict, until_malformed }
    }

    /// The faulty records that follow a correct one.
    pub(super) fn after(&mut self, now: i64, event: &Event, record: &Record) -> Vec<Planned> {
        let mut planned = Vec::new();
        planned.extend(self.repeat(now, event, record));
        planned.extend(self.contradict(now, event));
        planned.extend(self.garble(now, record));
        planned
    }

    fn repeat(&mut self, now: i64, event: &Event, record: &Record) -> Option<Planned> {
        let repeats = matches!(event, Event::Transaction(_) | Event::Fill(_)) && self.dice.one_in(REPEATED_ONE_IN);
        repeats.then(|| (now + self.dice.between(20, 1_500) * MILLISECOND, Fault::Repeated, record.clone()))
    }

    fn contradict(&mut self, now: i64, event: &Event) -> Option<Planned> {
        self.until_conflict = self.until_conflict.saturating_sub(1);
        if self.until_conflict > 0 {
            return None;
        }
        let record = Record::of(&contradiction(event)?)?;
        self.until_conflict = countdown(&mut self.dice, CONFLICTING_EVERY);
        Some((now + self.dice.between(100, 2_000) * MILLISECOND, Fault::Conflicting, record))
    }

    fn garble(&mut self, now: i64, record: &Record) -> Option<Planned> {
        self.until_malformed = self.until_malformed.saturating_sub(1);
        if self.until_malformed > 0 {
            return None;
        }
        self.until_malformed = countdown(&mut self.dice, MALFORMED_EVERY);
        let value = garbled(&record.value, self.dice.below(5));
        Some((now, Fault::Malformed, Record { value, ..record.clone() }))
    }
}

fn countdown(dice: &mut Dice, mean: u64) -> u64 {
    mean / 2 + dice.below(mean + 1)
}

/// The same event with another body, if it has an identity.
fn contradiction(event: &Event) -> Option<Event> {
    match event {
        Event::Transaction(event) => {
            let amount = Amount::from_units(event.amount.units() + 1_000_000_000);
            Some(Event::Transaction(Arc::new(Transaction { amount, ..(**event).clone() })))
        }
        Event::Fill(FillEvent::Fill(fill)) => {
            let quantity = Quantity::from_units(fill.quantity.units() + 1_000_000_000);
            Some(Event::Fill(FillEvent::Fill(Box::new(Fill { quantity, ..(**fill).clone() }))))
        }
        _ => None,
    }
}

/// Bytes that are no longer an event. Every way works on every topic whose events have a time.
pub(super) fn garbled(value: &[u8], way: u64) -> Vec<u8> {
    let text = String::from_utf8_lossy(value);
    match way {
        0 => value.iter().copied().take(value.len() / 2).collect(),
        1 => text.replace("\"ts\":", "\"when\":").into_bytes(),
        2 => text.replace("\"ts\":\"", "\"ts\":\"about ").into_bytes(),
        3 => value.iter().copied().chain([0xff]).collect(),
        _ => b"producer restarted, state lost".to_vec(),
    }
}
