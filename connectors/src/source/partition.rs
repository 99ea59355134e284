//! Reading of one partition.

use std::collections::VecDeque;

use headwater_schemas::events::{BadRecord, ErrorCode, Event};
use headwater_schemas::tables::{Audit, DeadLetter, Remap};
use headwater_schemas::{Clock, Digest, EffectiveTime, EventTime, Nanos, Offset, Place, Placed, Sequence, Text, Tick, Topic};
use timely::dataflow::operators::Capability;

use super::ahead::{Allowance, GridLead};
use super::clock::PartitionClock;
use super::progress::{Crossing, Position};
use super::script::{Remapped, Script};
use super::size;
use crate::transport::RawRecord;

/// The capabilities of a partition, one per output, all at the tick of its clock.
pub(super) struct Capabilities {
    pub(super) events: Capability<Tick>,
    pub(super) dead_letters: Capability<Tick>,
    pub(super) remap: Capability<Tick>,
    pub(super) audit: Capability<Tick>,
    pub(super) ends: Capability<Tick>,
}

impl Capabilities {
    pub(super) fn downgrade(&mut self, tick: Tick) {
        for capability in [&mut self.events, &mut self.dead_letters, &mut self.remap, &mut self.audit, &mut self.ends] {
            if *capability.time() < tick {
                capability.downgrade(&tick);
            }
        }
    }

    pub(super) fn tick(&self) -> Tick {
        *self.events.time()
    }
}

/// A partition that is being read.
pub(super) struct Partition {
    pub(super) course: Course,
    /// Its handle in the reader.
    pub(super) slot: usize,
    /// Its handle in [`super::SourceProgress`].
    pub(super) progress: usize,
    /// In a bounded run, the offset at which it ends.
    pub(super) end: Option<Offset>,
    /// The offset at which reading began.
    pub(super) begin: Offset,
    pub(super) at_end: bool,
    pub(super) lead: GridLead,
    pub(super) capabilities: Capabilities,
}

/// A row that is added to a table at a tick.
pub(super) type Addition<R> = (R, Tick, isize);

/// The results of a stride of records.
#[derive(Default)]
pub(super) struct Stride {
    pub(super) events: Vec<Placed<Event>>,
    pub(super) dead_letters: Vec<Addition<DeadLetter>>,
    pub(super) remap: Vec<Addition<Remap>>,
    pub(super) audit: Vec<Addition<Audit>>,
    pub(super) crossings: Vec<Crossing>,
    pub(super) records: u64,
    /// Bytes of keys and values.
    pub(super) bytes: u64,
    /// Bytes in memory of the decoded results.
    pub(super) decoded_bytes: u64,
    /// The same by the last tick of each grid interval, ascending.
    pub(super) decoded: Vec<(Tick, u64)>,
}

impl Stride {
    pub(super) fn clear(&mut self) {
        self.events.clear();
        self.dead_letters.clear();
        self.remap.clear();
        self.audit.clear();
        self.crossings.clear();
        self.decoded.clear();
        (self.records, self.bytes, self.decoded_bytes) = (0, 0, 0);
    }

    /// Whether the allowance is used up.
    pub(super) fn has_used_up(&self, allowance: Allowance) -> bool {
        self.decoded_bytes >= allowance.bytes || self.crossings.len() >= allowance.grid_points
    }

    /// Counts the result of a record, in the interval that the last crossing began.
    fn count(&mut self, tick: Tick, is_new_interval: bool, bytes: u64) {
        self.decoded_bytes += bytes;
        match self.decoded.last_mut().filter(|_| !is_new_interval) {
            Some((last, sum)) => (*last, *sum) = (tick, *sum + bytes),
            None => self.decoded.push((tick, bytes)),
        }
    }
}

/// Inputs to the reading of a record that do not depend on the partition.
#[derive(Clone, Copy)]
pub(super) struct Surroundings {
    pub(super) clock: Clock,
    /// Whether accepted records are audited.
    pub(super) audit: bool,
    /// By how much an event's effective time may exceed its own time without the event being late.
    pub(super) late_after: Nanos,
    /// The greatest event time accepted where the transport has no timestamps.
    pub(super) latest: EffectiveTime,
    /// The wall clock in a live run.
    pub(super) wall: Option<EffectiveTime>,
}

/// By how much an event's time may exceed its transport timestamp, in nanoseconds.
const FUTURE_ALLOWANCE: i64 = Nanos::DAY.get().cast_signed();

/// State of a partition's reading that each record advances.
pub(super) struct Course {
    pub(super) topic: Topic,
    pub(super) number: u16,
    pub(super) clock: PartitionClock,
    /// The offset to read next.
    pub(super) offset: Offset,
    /// The number of accepted records, and the audit's hash of the last of them.
    pub(super) sequence: Sequence,
    pub(super) hash: Digest<32>,
    /// The grid interval of the last record.
    pub(super) interval: u64,
    /// In a replay: the remaining records whose clocks the wall clock decided.
    pub(super) remapped: VecDeque<Remapped>,
    /// In a replay: the offsets of the remaining records that the wall clock rejected.
    pub(super) refused: VecDeque<Offset>,
    /// An offset, and the minimum clock from that offset on.
    pub(super) floor: Option<Remapped>,
    /// Range of effective times that are emitted: from the first, before the second.
    pub(super) range: (EffectiveTime, EffectiveTime),
    /// Whether a record after the range was met.
    pub(super) is_past: bool,
}

impl Course {
    /// Resumes from a position. All effective times are at or after the start of the tick of `not_before`.
    pub(super) fn resuming(
        topic: Topic,
        number: u16,
        from: Position,
        not_before: EffectiveTime,
        around: Surroundings,
        script: &Script,
    ) -> Self {
        let remapped = script.remap.get(&(topic, number)).map(|records| records.iter().copied().collect());
        let refused = script.refused.get(&(topic, number)).map(|offsets| offsets.iter().copied().collect());
        let range = (if Script::is_known(topic) { EffectiveTime::ZERO } else { script.from }, script.to);
        let clock = PartitionClock::resuming(from.clock, not_before);
        // A partition that a live run discovers may begin while the commit that closes at this interval's start is open: so the
        // first record crosses in any case.
        let interval = around.clock.interval_of(around.clock.tick_of(not_before)).saturating_sub(1);
        Self {
            topic,
            number,
            clock,
            offset: from.offset,
            sequence: from.sequence,
            hash: from.hash,
            interval,
            remapped: remapped.unwrap_or_default(),
            refused: refused.unwrap_or_default(),
            floor: script.floors.get(&(topic, number)).copied(),
            range,
            is_past: false,
        }
    }

    /// The current position.
    pub(super) fn position(&self) -> Position {
        Position { offset: self.offset, clock: self.clock.told(), sequence: self.sequence, hash: self.hash }
    }

    /// Reads one record into the stride.
    pub(super) fn read(&mut self, record: RawRecord<'_>, around: Surroundings, stride: &mut Stride) {
        if self.is_past {
            return;
        }
        let bytes = record.key.map_or(0, <[u8]>::len) + record.value.map_or(0, <[u8]>::len);
        stride.records += 1;
        stride.bytes += bytes as u64;
        let (decoded, by_wall) = self.decode(record, around.latest);
        let ts = decoded.as_ref().ok().and_then(Event::ts);

        // Determines the record's place.
        let (before, clock) = (self.position(), self.clock);
        if let Some((_, floor)) = self.floor.take_if(|(offset, _)| *offset <= record.offset) {
            self.clock.lift(floor);
        }
        while self.remapped.pop_front_if(|(offset, _)| *offset < record.offset).is_some() {}
        let effective = match self.remapped.pop_front_if(|(offset, _)| *offset == record.offset) {
            Some((_, clock)) => self.clock.follow(clock),
            None => self.clock.advance(ts.map(EventTime::effective), around.wall),
        };
        if effective.time >= self.range.1 {
            (self.is_past, self.clock) = (true, clock);
            return;
        }
        self.offset = record.next_offset;
        if effective.time < self.range.0 {
            // A record before the range does not advance the clock: the first record in the range has a later time.
            self.clock = clock;
            return;
        }
        let tick = around.clock.tick_of(effective.time);
        let interval = around.clock.interval_of(tick);
        let is_new_interval = interval != self.interval;
        if is_new_interval {
            self.interval = interval;
            stride.crossings.push(Crossing { tick, position: before });
        }
        let place = Place::of_record(effective.time, self.topic, self.number, record.offset);
        let place = ts.map_or(place, |ts| place.of_event_at(ts, around.late_after));
        if effective.remapped || by_wall {
            stride.remap.push((remap_row(place, self.topic, tick), tick, 1));
        }

        // Emits the result.
        match decoded {
            Ok(event) => {
                stride.count(tick, is_new_interval, size::of_event(&event, bytes) + if around.audit { size::OF_AUDIT } else { 0 });
                if around.audit {
                    stride.audit.push((self.accept(place, &event, record), tick, 1));
                }
                stride.events.push(Placed { place, event });
            }
            Err(bad) => {
                stride.count(tick, is_new_interval, size::of_dead_letter(&bad, bytes));
                stride.dead_letters.push((dead_letter(place, self.topic, record, bad), tick, 1));
            }
        }
    }

    /// Decodes a record. The second value is whether the wall clock decided its rejection.
    fn decode(&mut self, record: RawRecord<'_>, latest: EffectiveTime) -> (Result<Event, BadRecord>, bool) {
        while self.refused.pop_front_if(|offset| *offset < record.offset).is_some() {}
        let was_refused = self.refused.pop_front_if(|offset| *offset == record.offset).is_some();
        if let Some(bytes) = record.cut_from {
            return (Err(BadRecord::too_large(bytes)), false);
        }
        let decoded = Event::decode(self.topic, record.key, record.value).and_then(|event| event.in_nanoseconds(record.value));
        match (decoded, record.timestamp_ms) {
            (Ok(event), Some(stamped)) => (not_from_the_future(event, stamped), false),
            (Ok(event), None) => match event.ts().filter(|ts| was_refused || ts.effective() > latest) {
                Some(ts) => (Err(from_the_future(ts, "the wall clock", None)), true),
                None => (Ok(event), false),
            },
            (Err(bad), _) => (Err(bad), false),
        }
    }

    /// The next row of the audit.
    fn accept(&mut self, place: Place, event: &Event, record: RawRecord<'_>) -> Audit {
        self.sequence = self.sequence.next();
        let mut row = Audit {
            topic: Text::const_new(self.topic.as_str()),
            partition: i32::from(self.number),
            sequence: self.sequence,
            offset: record.offset,
            event_id: event.identity().map(|identity| Text::new(identity.id)),
            event_ts: event.ts(),
            ts: place.event_time(),
            content: Audit::content_of(record.key, record.value),
            hash: Digest::ZERO,
        };
        row.hash = row.chained(&self.hash);
        self.hash = row.hash;
        row
    }
}

/// The row with the clock that a record got from the wall clock.
fn remap_row(place: Place, topic: Topic, tick: Tick) -> Remap {
    Remap {
        topic: Text::const_new(topic.as_str()),
        partition: i32::from(place.partition),
        offset: place.offset,
        tick,
        clock: place.time,
        ts: place.event_time(),
    }
}

/// Rejects an event that is more than a day later than its record's timestamp.
fn not_from_the_future(event: Event, stamped_ms: i64) -> Result<Event, BadRecord> {
    let stamped = EventTime::from_nanos(stamped_ms.saturating_mul(1_000_000));
    match event.ts().filter(|ts| ts.nanos().saturating_sub(stamped.nanos()) > FUTURE_ALLOWANCE) {
        Some(ts) => Err(from_the_future(ts, "the record's own timestamp", Some(stamped))),
        None => Ok(event),
    }
}

fn from_the_future(ts: EventTime, than: &str, at: Option<EventTime>) -> BadRecord {
    let at = at.map_or_else(String::new, |at| format!(" {at}"));
    let message = format!("ts {ts} is more than a day after {than}{at}: correct the producer's clock or unit and send it again");
    BadRecord { code: ErrorCode::FutureTimestamp, message }
}

fn dead_letter(place: Place, topic: Topic, record: RawRecord<'_>, bad: BadRecord) -> DeadLetter {
    let letter = DeadLetter {
        topic: Text::const_new(topic.as_str()),
        partition: i32::from(place.partition),
        offset: place.offset,
        ts: place.event_time(),
        key: None,
        value: None,
        text: None,
        code: Text::const_new(bad.code.as_str()),
        error: Text::from(bad.message),
    };
    letter.with_record(record.key, record.value)
}
