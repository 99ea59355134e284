//! Reading of one partition.

use std::collections::VecDeque;

use headwater_schemas::events::{BadRecord, ErrorCode, Event};
use headwater_schemas::tables::{Audit, DeadLetter, Remap};
use headwater_schemas::{Clock, Digest, EffectiveTime, EventTime, Nanos, Offset, Place, Placed, Sequence, Text, Tick, Topic};
use timely::dataflow::operators::Capability;

use super::ahead::{Allowance, GridLead};
use super::avro::{AvroReading, Transcoded};
use super::clock::PartitionClock;
use super::held::HeldRecord;
use super::last_record::LastRead;
use super::progress::{Crossing, Position};
use super::script::{Remapped, Script};
use super::size;
use crate::transport::{RawRecord, TransportError};

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
    /// The record before which it waits for a schema.
    pub(super) held: Option<HeldRecord>,
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
    /// Whether the last record of a partition is noted.
    pub(super) notes_last: bool,
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
    /// The last record, if it is noted.
    last: LastRead,
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
    /// If the topic carries Avro.
    avro: Option<AvroReading>,
    /// The JSON of the last record of Avro.
    json: Vec<u8>,
}

/// Whether a record was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    Done,
    /// Its schema is not there yet: nothing has changed, and it is to be read again.
    AwaitsSchema,
}

/// The value of a record as an event is decoded from it.
enum Content<'a> {
    /// JSON, or a tombstone.
    Plain(Option<&'a [u8]>),
    /// JSON that was made of Avro, with the schema of an id.
    OfAvro(u32, &'a [u8]),
    Bad(BadRecord),
}

impl<'a> Content<'a> {
    fn json(&self) -> Option<&'a [u8]> {
        match self {
            Self::Plain(value) => *value,
            Self::OfAvro(_, json) => Some(json),
            Self::Bad(_) => None,
        }
    }
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
        avro: Option<AvroReading>,
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
            last: LastRead::resuming(from.last),
            interval,
            remapped: remapped.unwrap_or_default(),
            refused: refused.unwrap_or_default(),
            floor: script.floors.get(&(topic, number)).copied(),
            range,
            is_past: false,
            avro,
            json: Vec::new(),
        }
    }

    /// The current position.
    pub(super) fn position(&mut self) -> Position {
        Position { last: self.last.record(), ..self.place_in_partition() }
    }

    /// The current position without the last record, whose digest takes longer.
    fn place_in_partition(&self) -> Position {
        Position { offset: self.offset, clock: self.clock.told(), sequence: self.sequence, hash: self.hash, last: None }
    }

    /// Reads one record into the stride, unless its schema is not there yet.
    pub(super) fn read(&mut self, record: RawRecord<'_>, around: Surroundings, stride: &mut Stride) -> Result<Reading, TransportError> {
        if self.is_past {
            return Ok(Reading::Done);
        }
        let mut json = std::mem::take(&mut self.json);
        let content = self.content(record, &mut json);
        if let Ok(Some(content)) = &content {
            self.place(record, content, around, stride);
        }
        let reading = content.map(|content| if content.is_some() { Reading::Done } else { Reading::AwaitsSchema });
        self.json = json;
        reading
    }

    /// The value of a record as JSON; `None` if its schema is not there yet.
    fn content<'a>(&mut self, record: RawRecord<'a>, json: &'a mut Vec<u8>) -> Result<Option<Content<'a>>, TransportError> {
        let (Some(avro), Some(value), None) = (&mut self.avro, record.value, record.cut_from) else {
            return Ok(Some(Content::Plain(record.value)));
        };
        Ok(match avro.transcode(value, json) {
            Transcoded::Json(id) => Some(Content::OfAvro(id, json)),
            Transcoded::Bad(bad) => Some(Content::Bad(bad)),
            Transcoded::Pending => None,
            Transcoded::Refused(id, why) => {
                let object = format!("{}/{} at offset {}, which has the schema of id {id}", self.topic, self.number, record.offset);
                return Err(TransportError { attempt: "reading", object, cause: why.to_string().into(), retry: false });
            }
        })
    }

    /// Gives a record its place, and emits what it is.
    fn place(&mut self, record: RawRecord<'_>, content: &Content<'_>, around: Surroundings, stride: &mut Stride) {
        let bytes = record.key.map_or(0, <[u8]>::len) + record.value.map_or(0, <[u8]>::len);
        stride.records += 1;
        stride.bytes += bytes as u64;
        let (decoded, by_wall) = self.decode(record, content, around.latest);
        let ts = decoded.as_ref().ok().and_then(Event::ts);

        // Determines the record's place.
        let (before, clock) = (self.place_in_partition(), self.clock);
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
        let tick = around.clock.tick_of(effective.time);
        let interval = around.clock.interval_of(tick);
        let is_new_interval = interval != self.interval && effective.time >= self.range.0;
        if is_new_interval {
            self.interval = interval;
            stride.crossings.push(Crossing { tick, position: Position { last: self.last.record(), ..before } });
        }
        self.offset = record.next_offset;
        if around.notes_last {
            self.last.note(record);
        }
        if effective.time < self.range.0 {
            // A record before the range does not advance the clock: the first record in the range has a later time.
            self.clock = clock;
            return;
        }
        let place = Place::of_record(effective.time, self.topic, self.number, record.offset);
        let place = ts.map_or(place, |ts| place.of_event_at(ts, around.late_after));
        if effective.remapped || by_wall {
            stride.remap.push((remap_row(place, self.topic, tick), tick, 1));
        }

        // Emits the result.
        // As JSON, texts may be longer.
        let bytes = bytes.max(content.json().map_or(0, <[u8]>::len));
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
                stride.dead_letters.push((dead_letter(place, self.topic, record, content, bad), tick, 1));
            }
        }
    }

    /// Decodes a record. The second value is whether the wall clock decided its rejection.
    fn decode(&mut self, record: RawRecord<'_>, content: &Content<'_>, latest: EffectiveTime) -> (Result<Event, BadRecord>, bool) {
        while self.refused.pop_front_if(|offset| *offset < record.offset).is_some() {}
        let was_refused = self.refused.pop_front_if(|offset| *offset == record.offset).is_some();
        if let Some(bytes) = record.cut_from {
            return (Err(BadRecord::too_large(bytes)), false);
        }
        let of = |json| Event::decode(self.topic, record.key, json).and_then(|event| event.in_nanoseconds(json));
        let decoded = match content {
            Content::Plain(value) => of(*value),
            Content::OfAvro(id, json) => of(Some(*json)).map_err(|bad| bad.of_avro(*id)),
            Content::Bad(bad) => Err(bad.clone()),
        };
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

fn dead_letter(place: Place, topic: Topic, record: RawRecord<'_>, content: &Content<'_>, bad: BadRecord) -> DeadLetter {
    let of_avro = match content {
        Content::OfAvro(_, json) => Some(Text::new(String::from_utf8_lossy(json))),
        Content::Plain(_) | Content::Bad(_) => None,
    };
    let letter = DeadLetter {
        topic: Text::const_new(topic.as_str()),
        partition: i32::from(place.partition),
        offset: place.offset,
        ts: place.event_time(),
        key: None,
        value: None,
        text: of_avro,
        code: Text::const_new(bad.code.as_str()),
        error: Text::from(bad.message),
    };
    letter.with_record(record.key, record.value)
}
