//! One partition as the source reads it.

use headwater_schemas::events::{BadRecord, ErrorCode, Event};
use headwater_schemas::tables::{DeadLetter, Remap};
use headwater_schemas::{EventTime, Place, Placed, Text, Topic};
use timely::dataflow::operators::Capability;

use super::ahead::Ahead;
use super::clock::PartitionClock;
use crate::transport::RawRecord;

/// Where reading of a partition begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StartPosition {
    /// The first offset to read.
    pub offset: u64,
    /// The clock before it, in nanoseconds since the epoch.
    pub clock: u64,
}

/// The right to send, for each output of a partition: all at the tick of its clock.
pub(super) struct Capabilities {
    pub(super) events: Capability<u64>,
    pub(super) dead_letters: Capability<u64>,
    pub(super) remap: Capability<u64>,
    pub(super) ends: Capability<u64>,
}

impl Capabilities {
    pub(super) fn downgrade(&mut self, tick: u64) {
        for capability in [&mut self.events, &mut self.dead_letters, &mut self.remap, &mut self.ends] {
            if *capability.time() < tick {
                capability.downgrade(&tick);
            }
        }
    }

    pub(super) fn tick(&self) -> u64 {
        *self.events.time()
    }
}

/// A partition that is being read.
pub(super) struct Partition {
    pub(super) topic: Topic,
    pub(super) number: u16,
    /// What the reader calls it.
    pub(super) slot: usize,
    /// What [`super::SourceProgress`] calls it.
    pub(super) progress: usize,
    pub(super) clock: PartitionClock,
    /// The offset that is read next.
    pub(super) offset: u64,
    /// In a bounded run, the offset at which it ends.
    pub(super) end: Option<u64>,
    pub(super) at_end: bool,
    pub(super) ahead: Ahead,
    pub(super) capabilities: Capabilities,
}

/// What a stride of records became.
#[derive(Default)]
pub(super) struct Stride {
    pub(super) events: Vec<Placed<Event>>,
    pub(super) dead_letters: Vec<DeadLetter>,
    pub(super) remap: Vec<Remap>,
    pub(super) records: u64,
    pub(super) bytes: u64,
}

impl Stride {
    pub(super) fn clear(&mut self) {
        self.events.clear();
        self.dead_letters.clear();
        self.remap.clear();
        (self.records, self.bytes) = (0, 0);
    }
}

/// What the reading of a record depends on, besides the partition.
#[derive(Clone, Copy)]
pub(super) struct Surroundings {
    pub(super) tick_interval: u64,
    /// Records below this tick are committed already.
    pub(super) start_tick: u64,
    /// The wall clock in a live run.
    pub(super) wall: Option<u64>,
}

/// A record may claim to be at most this much later than its transport says it is.
const FUTURE_ALLOWANCE: i64 = EventTime::DAY.cast_signed();

/// Reads one record into the stride.
pub(super) fn read_record(
    topic: Topic,
    number: u16,
    clock: &mut PartitionClock,
    record: RawRecord<'_>,
    around: Surroundings,
    stride: &mut Stride,
) {
    let bytes = record.key.map_or(0, <[u8]>::len) + record.value.map_or(0, <[u8]>::len);
    stride.records += 1;
    stride.bytes += bytes as u64;
    let decoded = Event::decode(topic, record.key, record.value).and_then(|event| not_from_the_future(event, record.timestamp_ms));
    let ts = decoded.as_ref().ok().and_then(Event::ts).map(EventTime::effective);
    let effective = clock.advance(ts, around.wall);
    let tick = effective.time / around.tick_interval;
    if tick < around.start_tick {
        return;
    }
    let place = Place::of_record(effective.time, topic, number, record.offset);
    if effective.remapped {
        stride.remap.push(remap_row(topic, number, record.offset, tick, effective.time));
    }
    match decoded {
        Ok(event) => stride.events.push(Placed { place, event }),
        Err(bad) => stride.dead_letters.push(dead_letter(place, topic, record, &bad)),
    }
}

/// The row that says which clock a record got.
pub(super) fn remap_row(topic: Topic, number: u16, offset: u64, tick: u64, clock: u64) -> Remap {
    Remap { topic: Text::new(topic.as_str()), partition: i32::from(number), offset, tick, clock, ts: EventTime::from_effective(clock) }
}

fn not_from_the_future(event: Event, timestamp_ms: Option<i64>) -> Result<Event, BadRecord> {
    let (Some(ts), Some(stamped)) = (event.ts(), timestamp_ms) else { return Ok(event) };
    if ts.nanos().saturating_sub(stamped.saturating_mul(1_000_000)) <= FUTURE_ALLOWANCE {
        return Ok(event);
    }
    let message = format!(
        "ts {ts} is more than a day after the record's own timestamp {}: correct the producer's clock or unit and send it again",
        EventTime::from_nanos(stamped.saturating_mul(1_000_000))
    );
    Err(BadRecord { code: ErrorCode::FutureTimestamp, message })
}

fn dead_letter(place: Place, topic: Topic, record: RawRecord<'_>, bad: &BadRecord) -> DeadLetter {
    let text = |bytes: &[u8]| Text::new(String::from_utf8_lossy(bytes));
    DeadLetter {
        topic: Text::new(topic.as_str()),
        partition: i32::from(place.partition),
        offset: place.offset,
        ts: place.event_time(),
        key: record.key.map(text),
        value: record.value.map(text),
        code: Text::new(bad.code.as_str()),
        error: Text::new(&bad.message),
    }
}
