//! Reader of Kafka.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use headwater_schemas::Offset;
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::base_consumer::PartitionQueue;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::{Offset as KafkaOffset, TopicPartitionList};

use super::KafkaConfig;
use super::context::{Brokers, Context, Watched};
use super::failure::{failure, is_passing, is_refusal};
use super::leave;
use crate::transport::{RawRecord, ReadStatus, Reader, TransportError};

/// How long a partition may stay unanswered before it is logged, and how long requests may before its end is doubted.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long a partition may stay unanswered before a consumer that is connected with no broker is replaced.
const REOPENS_AFTER: Duration = Duration::from_secs(30);
/// Events of the common queue that are served before a read, at most.
const EVENTS: usize = 64;

/// Reads its assigned partitions, each from a queue of its own.
pub(super) struct KafkaReader {
    /// Declared before the consumer, so that queues are dropped first.
    slots: Vec<Slot>,
    consumer: Arc<BaseConsumer<Context>>,
    opened: Instant,
    config: KafkaConfig,
    wake: Arc<dyn Fn() + Send + Sync>,
    /// Whether the common queue has events: errors, statistics, log lines.
    events: Arc<AtomicBool>,
    /// Whether partitions of this reader are unanswered, and the number of this process's readers for which that holds.
    silent: bool,
    silent_readers: Arc<AtomicUsize>,
}

struct Slot {
    topic: String,
    partition: i32,
    queue: PartitionQueue<Context>,
    watched: Arc<Watched>,
    /// The offset to read next.
    next: i64,
    standing: Standing,
    /// Since when requests have been unanswered.
    silent_since: Option<Instant>,
}

/// Whether a partition is at its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// There may be more records.
    Reading,
    /// The broker confirmed that there are no more records.
    AtEnd,
    /// A connection broke: an end in the queue may have been reported before the broker went down.
    Doubtful,
}

/// Why a slot stopped handing out records.
enum Stop {
    /// The limit was reached, or the sink broke.
    Limit,
    Empty,
    DoubtfulEnd,
    Failed(KafkaError),
}

impl KafkaReader {
    /// Opens a reader. `silent_readers` is shared by all readers of a transport, so that an outage is logged once, and its end
    /// once.
    pub(super) fn open(
        config: &KafkaConfig,
        wake: Arc<dyn Fn() + Send + Sync>,
        silent_readers: Arc<AtomicUsize>,
    ) -> Result<Self, TransportError> {
        let events = Arc::new(AtomicBool::new(true));
        let consumer = consumer(config, &wake, &events)?;
        Ok(Self {
            slots: Vec::new(),
            consumer,
            opened: Instant::now(),
            config: config.clone(),
            wake,
            events,
            silent: false,
            silent_readers,
        })
    }

    /// Whether the consumer will find no broker any more, or seems so.
    fn is_lost(&self) -> bool {
        let waits = || self.opened.elapsed() > REOPENS_AFTER && self.slots.iter().any(|slot| slot.is_silent_for(REOPENS_AFTER));
        match self.consumer.context().brokers() {
            Brokers::Connected => false,
            Brokers::Down => waits(),
            Brokers::Forgotten => true,
        }
    }

    /// Replaces the consumer. Each partition is read on where it was read to.
    pub(super) fn reopen(&mut self) -> Result<(), TransportError> {
        self.note_positions(|_, _| true)?;
        let consumer = consumer(&self.config, &self.wake, &self.events)?;
        for slot in &mut self.slots {
            let (queue, watched) = attach(&consumer, &slot.topic, slot.partition, slot.next, &self.wake)?;
            watched.continue_from(&slot.watched);
            (slot.queue, slot.watched, slot.standing) = (queue, watched, Standing::Reading);
        }
        leave(std::mem::replace(&mut self.consumer, consumer));
        self.opened = Instant::now();
        // What came before the consumer had its callback raised no flag.
        self.events.store(true, Ordering::Release);
        tracing::debug!("brokers are looked for with a new consumer");
        Ok(())
    }

    /// Serves the common queue, which has all events that are not about one partition.
    fn serve(&mut self) -> Result<(), TransportError> {
        let rounds = if self.events.swap(false, Ordering::AcqRel) { EVENTS } else { 1 };
        for _ in 0..rounds {
            let event = self.consumer.poll(Duration::ZERO).map(|event| event.map(|message| (message.topic().to_owned(), message.offset())));
            match event {
                None | Some(Err(KafkaError::PartitionEOF(_))) => {}
                Some(Err(error)) => self.connection_failed(&error)?,
                Some(Ok((topic, offset))) => {
                    let cause =
                        format!("the record at offset {offset} came by the wrong queue: this is a bug of the connector, report it").into();
                    return Err(TransportError { attempt: "reading", object: topic, cause, retry: false });
                }
            }
        }
        if self.consumer.context().take_news() {
            self.doubt_ends_of_unanswered()?;
        }
        if self.is_lost() { self.reopen() } else { Ok(()) }
    }

    /// Requests the ends again of partitions whose broker hangs: an end holds only as long as its broker answers.
    fn doubt_ends_of_unanswered(&mut self) -> Result<(), TransportError> {
        // A broker may hold back a fetch for this long.
        let patience = PATIENCE + Duration::from_millis(u64::from(self.config.fetch_wait_ms));
        self.ask_again(|_, slot| slot.standing == Standing::AtEnd && slot.watched.unanswered() > patience)
    }

    /// Handles a connection that broke or was refused. If waiting resolves it, every end becomes doubtful and is requested again.
    fn connection_failed(&mut self, error: &KafkaError) -> Result<(), TransportError> {
        let code = error.rdkafka_error_code();
        if matches!(error, KafkaError::MessageConsumptionFatal(_)) || code.is_some_and(is_refusal) {
            return Err(failure("reading from", "Kafka", error, &self.consumer.context().reason()));
        }
        // Other errors are not about partitions. They were logged; announcing reports errors of the group.
        if !code.is_some_and(is_passing) {
            return Ok(());
        }
        for slot in self.slots.iter_mut().filter(|slot| slot.standing == Standing::Reading) {
            slot.standing = Standing::Doubtful;
        }
        self.ask_again(|_, slot| slot.standing == Standing::AtEnd)
    }

    /// Fetches partitions again from their positions, so that their brokers report the ends again.
    fn ask_again(&mut self, which: impl Fn(usize, &Slot) -> bool) -> Result<(), TransportError> {
        if !self.slots.iter().enumerate().any(|(index, slot)| which(index, slot)) {
            return Ok(());
        }
        self.note_positions(&which)?;
        let failed = |error: KafkaError| failure("reading from", "Kafka", &error, "");
        let mut again = TopicPartitionList::new();
        for (_, slot) in self.slots.iter_mut().enumerate().filter(|(index, slot)| which(*index, slot)) {
            slot.standing = Standing::Reading;
            again.add_partition_offset(&slot.topic, slot.partition, KafkaOffset::Offset(slot.next)).map_err(failed)?;
        }
        // A zero timeout makes the call return at once.
        self.consumer.seek_partitions(again, Duration::ZERO).map(drop).map_err(failed)
    }

    /// Notes how far librdkafka is: it has also passed the transaction markers after the last record.
    fn note_positions(&mut self, which: impl Fn(usize, &Slot) -> bool) -> Result<(), TransportError> {
        let positions = self.consumer.position().map_err(|error| failure("reading from", "Kafka", &error, ""))?;
        for (_, slot) in self.slots.iter_mut().enumerate().filter(|(index, slot)| which(*index, slot)) {
            if let Some(KafkaOffset::Offset(position)) = positions.find_partition(&slot.topic, slot.partition).map(|found| found.offset()) {
                slot.next = slot.next.max(position);
            }
        }
        Ok(())
    }

    /// Handles an error of a partition: waits, or returns the error if waiting cannot resolve it.
    fn partition_failed(&self, slot: usize, error: &KafkaError) -> Result<(), TransportError> {
        let Some(slot) = self.slots.get(slot) else { return Ok(()) };
        let code = error.rdkafka_error_code();
        let reason = self.consumer.context().reason();
        match code {
            Some(code) if is_passing(code) => Ok(()),
            Some(RDKafkaErrorCode::AutoOffsetReset) => Err(self.not_there(slot, &reason)),
            _ => Err(failure("reading", &format!("{slot} from offset {}", slot.next), error, &reason)),
        }
    }

    /// The error of an offset that the partition does not have.
    fn not_there(&self, slot: &Slot, reason: &str) -> TransportError {
        let Slot { topic, partition, next, .. } = slot;
        let cause = match self.consumer.fetch_watermarks(topic, *partition, self.config.timeout()) {
            Ok((low, high)) if *next < low => format!(
                "offset {next} is not there any more: the partition begins at offset {low} and ends at {high}. What lay between was removed \
                 (retention) before it was read. Restore it, or read what is left from {low} on with --accept-gaps, and let topics \
                 keep their records for longer"
            ),
            Ok((low, high)) if *next > high => format!(
                "offset {next} is not there: the partition begins at offset {low} and ends at {high}. The topic was made anew, or lost its end. \
                 Restore it, or read it from {low} on with --accept-gaps"
            ),
            Ok((low, high)) => format!(
                "what was read up to offset {next} is not what the partition holds now, from offset {low} to {high} ({reason}). Restore it, or \
                 read it from {low} on with --accept-gaps"
            ),
            Err(error) => format!("offset {next} is not there ({reason}); which offsets are could not be asked: {error}"),
        };
        TransportError { attempt: "reading", object: slot.to_string(), cause: cause.into(), retry: false }
    }

    /// Logs once when partitions have been unanswered for a while, and once when all answer again.
    fn watch_silence(&mut self, slot: usize) {
        let Some(current) = self.slots.get(slot) else { return };
        if !self.silent && current.is_silent() {
            self.silent = true;
            if self.silent_readers.fetch_add(1, Ordering::Relaxed) == 0 {
                let is_hanging = current.watched.unanswered() > PATIENCE;
                let hangs = || "the connection is open, and requests stay unanswered".to_owned();
                let reason = if is_hanging { hangs() } else { self.consumer.context().reason() };
                tracing::warn!(partition = %current, reason, "brokers do not answer; waiting for them");
            }
        } else if self.silent && current.silent_since.is_none() && !self.slots.iter().any(Slot::is_silent) {
            self.silent = false;
            if self.silent_readers.fetch_sub(1, Ordering::Relaxed) == 1 {
                tracing::info!("all partitions answer again; reading continues");
            }
        }
    }
}

/// A consumer whose common queue sets the flag when it has events.
fn consumer(
    config: &KafkaConfig,
    wake: &Arc<dyn Fn() + Send + Sync>,
    events: &Arc<AtomicBool>,
) -> Result<Arc<BaseConsumer<Context>>, TransportError> {
    let mut settings = config.consumer();
    // High watermarks, and whether there are brokers. They wait in memory until they are polled, as a reader always does.
    settings.set("statistics.interval.ms", "1000");
    let consumer = BaseConsumer::from_config_and_context(&settings, Context::default());
    let mut consumer = consumer.map_err(|error| failure("configuring a consumer for", &config.brokers, &error, ""))?;
    let (flag, call) = (Arc::clone(events), Arc::clone(wake));
    consumer.set_nonempty_callback(move || {
        flag.store(true, Ordering::Release);
        call();
    });
    Ok(Arc::new(consumer))
}

/// Begins to read a partition at an offset: its queue, and the cell of what statistics say of it.
fn attach(
    consumer: &Arc<BaseConsumer<Context>>,
    topic: &str,
    partition: i32,
    next: i64,
    wake: &Arc<dyn Fn() + Send + Sync>,
) -> Result<(PartitionQueue<Context>, Arc<Watched>), TransportError> {
    let failed = |error: KafkaError| failure("assigning", &format!("{topic}/{partition}"), &error, "");
    let mut assignment = TopicPartitionList::new();
    assignment.add_partition_offset(topic, partition, KafkaOffset::Offset(next)).map_err(failed)?;
    // The queue is split off first, so that no record of the partition reaches the common queue.
    let queue = consumer.split_partition_queue(topic, partition);
    let mut queue = queue.ok_or_else(|| failed(KafkaError::MessageConsumption(RDKafkaErrorCode::UnknownPartition)))?;
    let wake = Arc::clone(wake);
    queue.set_nonempty_callback(move || wake());
    consumer.incremental_assign(&assignment).map_err(failed)?;
    Ok((queue, consumer.context().watch(topic, partition)))
}

impl Drop for KafkaReader {
    fn drop(&mut self) {
        if self.silent {
            self.silent_readers.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Reader for KafkaReader {
    fn assign(&mut self, topic: &str, partition: u16, from: Offset) -> Result<usize, TransportError> {
        let (partition, next) = (i32::from(partition), i64::try_from(from.get()).unwrap_or(i64::MAX));
        let (queue, watched) = attach(&self.consumer, topic, partition, next, &self.wake)?;
        self.slots.push(Slot { topic: topic.to_owned(), partition, queue, watched, next, standing: Standing::Reading, silent_since: None });
        Ok(self.slots.len() - 1)
    }

    fn read(
        &mut self,
        slot: usize,
        max_records: usize,
        sink: &mut dyn FnMut(RawRecord<'_>) -> ControlFlow<()>,
    ) -> Result<ReadStatus, TransportError> {
        self.serve()?;
        let Some(reading) = self.slots.get_mut(slot) else { return Ok(ReadStatus::Waiting) };
        let stop = reading.hand_out(max_records, sink);
        let at_end = reading.standing == Standing::AtEnd;
        match stop {
            Stop::Limit => return Ok(ReadStatus::More),
            Stop::Empty => {}
            Stop::DoubtfulEnd => self.ask_again(|index, _| index == slot)?,
            Stop::Failed(error) => self.partition_failed(slot, &error)?,
        }
        self.watch_silence(slot);
        Ok(if at_end { ReadStatus::End } else { ReadStatus::Waiting })
    }

    fn high_watermark(&self, slot: usize) -> Option<Offset> {
        self.slots.get(slot).and_then(|slot| u64::try_from(slot.watched.high()).ok()).map(Offset::new)
    }

    fn announce(&mut self, slot: usize, offset: Offset) -> Result<(), TransportError> {
        let Some(slot) = self.slots.get(slot) else { return Ok(()) };
        let mut offsets = TopicPartitionList::new();
        let added =
            offsets.add_partition_offset(&slot.topic, slot.partition, KafkaOffset::Offset(i64::try_from(offset.get()).unwrap_or(i64::MAX)));
        let result: KafkaResult<()> = added.and_then(|()| self.consumer.commit(&offsets, CommitMode::Async));
        if result.is_err() {
            self.consumer.context().announced(&result);
        }
        Ok(())
    }
}

impl Slot {
    /// Hands out the records of its queue, without waiting.
    fn hand_out(&mut self, max_records: usize, sink: &mut dyn FnMut(RawRecord<'_>) -> ControlFlow<()>) -> Stop {
        let mut given = 0;
        while given < max_records {
            match self.queue.poll(Duration::ZERO) {
                Some(Ok(message)) => {
                    let offset = message.offset();
                    if self.standing == Standing::AtEnd {
                        self.standing = Standing::Reading;
                    }
                    self.silent_since = None;
                    // A fetch begins at a batch, which may contain earlier records.
                    if offset >= self.next {
                        self.next = offset + 1;
                        given += 1;
                        if sink(raw_record(&message, offset)).is_break() {
                            return Stop::Limit;
                        }
                    }
                }
                Some(Err(KafkaError::PartitionEOF(_))) if self.standing == Standing::Doubtful => return Stop::DoubtfulEnd,
                Some(Err(KafkaError::PartitionEOF(_))) => {
                    self.standing = Standing::AtEnd;
                    self.silent_since = None;
                }
                Some(Err(error)) => return Stop::Failed(error),
                None => {
                    self.emptied();
                    return Stop::Empty;
                }
            }
        }
        Stop::Limit
    }

    fn is_silent(&self) -> bool {
        self.is_silent_for(PATIENCE)
    }

    fn is_silent_for(&self, patience: Duration) -> bool {
        self.silent_since.is_some_and(|since| since.elapsed() > patience)
    }

    /// Called when the queue has no records left from before a connection broke.
    fn emptied(&mut self) {
        if self.standing == Standing::Doubtful {
            self.standing = Standing::Reading;
        }
        if self.standing == Standing::Reading && self.silent_since.is_none() {
            self.silent_since = Some(Instant::now());
        }
    }
}

impl std::fmt::Display for Slot {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}/{}", self.topic, self.partition)
    }
}

fn raw_record<'a>(message: &'a impl Message, offset: i64) -> RawRecord<'a> {
    let offset = u64::try_from(offset).map_or(Offset::ZERO, Offset::new);
    RawRecord {
        offset,
        next_offset: offset.next(),
        key: message.key(),
        value: message.payload(),
        timestamp_ms: message.timestamp().to_millis(),
        cut_from: None,
    }
}
