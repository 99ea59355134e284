//! Tests against a real broker, which all steps share because it takes seconds to start.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures::executor::block_on;
use headwater_schemas::Offset;
use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use rdkafka::{ClientConfig, Offset as KafkaOffset, TopicPartitionList};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata, Subscriber, span};

use super::reader::KafkaReader;
use super::{KafkaConfig, KafkaTransport};
use crate::fault::with_causes;
use crate::testing::Broker;
use crate::transport::{Outgoing, PartitionState, ReadStatus, Reader, Transport, TransportError, partition_of};

type TestResult<T = ()> = Result<T, Box<dyn std::error::Error>>;

/// Longer than any step takes on a busy machine.
const DEADLINE: Duration = Duration::from_secs(60);

#[test]
fn against_a_real_broker() -> TestResult {
    let begin = Instant::now();
    let Some(broker) = Broker::start()? else { return Ok(()) };
    eprintln!("{:>6} ms: the broker answers", begin.elapsed().as_millis());
    type Step = (&'static str, fn(&Broker) -> TestResult);
    let steps: [Step; 14] = [
        ("records come back from the partition of their key", records_come_back_from_the_partition_of_their_key),
        ("an end lies behind the markers of transactions", an_end_lies_behind_the_markers_of_transactions),
        ("a partition may be added later", a_partition_may_be_added_later),
        ("a reader goes on with another consumer", a_reader_goes_on_with_another_consumer),
        ("an offset that is not there is named", an_offset_that_is_not_there_is_named),
        ("single records are read again", single_records_are_read_again),
        ("a partition that is not read holds nobody back", a_partition_that_is_not_read_holds_nobody_back),
        ("an announced offset is seen by the group", an_announced_offset_is_seen_by_the_group),
        ("the progress of an outbox is found, however many partitions its topic has", the_progress_of_an_outbox_is_found),
        ("an outbox that is fenced says what to do", an_outbox_that_is_fenced_says_what_to_do),
        ("the end of a broker that hangs is doubted", the_end_of_a_broker_that_hangs_is_doubted),
        ("a deleted topic is an error", a_deleted_topic_is_an_error),
        ("a broker may go away and come back", a_broker_may_go_away_and_come_back),
        ("a broker may be away at the start", a_broker_may_be_away_at_the_start),
    ];
    for (name, step) in steps {
        step(&broker).map_err(|error| format!("{name}: {error}"))?;
        eprintln!("{:>6} ms: {name}", begin.elapsed().as_millis());
    }
    Ok(())
}

/// Brokers that answer with errors: what passes is tried again, and what does not says why, although librdkafka reports the records of both
/// as purged.
#[test]
fn a_transaction_that_fails_says_why_and_whether_to_try_again() -> TestResult {
    let mock = MockCluster::new(1)?;
    mock.create_topic("progress", 1, 1)?;
    mock.create_topic("published", 1, 1)?;
    let transport = KafkaTransport::open(KafkaConfig { brokers: mock.bootstrap_servers(), timeout_ms: 1000, ..KafkaConfig::default() })?;
    for (answer, retry, expected) in [
        // The brokers forget an id that was not used for a week.
        (RDKafkaRespErr::RD_KAFKA_RESP_ERR_INVALID_PRODUCER_ID_MAPPING, true, "InvalidProducerIdMapping"),
        (RDKafkaRespErr::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, false, "ask the brokers' administrator for the permission"),
    ] {
        let mut outbox = transport.outbox("failing", "progress")?;
        mock.request_errors(RDKafkaApiKey::AddPartitionsToTxn, &[answer]);
        let error = outbox.publish(&[outgoing()], "1", &mut || ()).map_or_else(Ok, |()| Err("a transaction that was refused"))?;
        let said = with_causes(&error);
        assert_eq!(error.retry, retry, "{said}");
        assert!(said.contains("the outbox failing") && said.contains(expected), "{said}");
        mock.clear_request_errors(RDKafkaApiKey::AddPartitionsToTxn);
        transport.outbox("failing", "progress")?.publish(&[outgoing()], "1", &mut || ())?;
    }
    Ok(())
}

/// Values by partition, in order, each with its offset.
type Records = BTreeMap<u16, Vec<(u64, String)>>;

/// A reader of some partitions, and the records it has handed out.
struct Reading {
    reader: KafkaReader,
    slots: BTreeMap<u16, usize>,
    records: Records,
}

impl Reading {
    fn begin(transport: &KafkaTransport, topic: &str, partitions: &[(u16, u64)]) -> TestResult<Self> {
        let reader = KafkaReader::open(transport.cluster.config(), Arc::new(|| ()), Arc::clone(&transport.silent_readers))?;
        let mut reading = Self { reader, slots: BTreeMap::new(), records: Records::new() };
        for (partition, from) in partitions {
            let slot = reading.reader.assign(topic, *partition, Offset::new(*from))?;
            reading.slots.insert(*partition, slot);
        }
        Ok(reading)
    }

    /// Reads each partition once.
    fn step(&mut self, max_records: usize) -> Result<Vec<ReadStatus>, TransportError> {
        let mut statuses = Vec::new();
        for (partition, slot) in &self.slots {
            let records = self.records.entry(*partition).or_default();
            statuses.push(self.reader.read(*slot, max_records, &mut |record| {
                assert_eq!(record.next_offset, record.offset.next());
                records.push((record.offset.get(), String::from_utf8_lossy(record.value.unwrap_or_default()).into_owned()));
                ControlFlow::Continue(())
            })?);
        }
        Ok(statuses)
    }

    /// Reads until all partitions are at their ends and `count` records have arrived.
    fn until_end(&mut self, count: usize) -> TestResult {
        until_end(&mut [self], count)
    }

    /// Reads until something fails.
    fn until_error(&mut self) -> TestResult<TransportError> {
        let begin = Instant::now();
        while begin.elapsed() < DEADLINE {
            if let Err(error) = self.step(100) {
                return Ok(error);
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Err("nothing failed".into())
    }

    fn count(&self) -> usize {
        self.records.values().map(Vec::len).sum()
    }

    fn values(&self) -> Vec<&str> {
        self.records.values().flatten().map(|(_, value)| value.as_str()).collect()
    }
}

/// Reads until all partitions of all readings are at their ends, with `count` records each.
fn until_end(readings: &mut [&mut Reading], count: usize) -> TestResult {
    let begin = Instant::now();
    loop {
        let mut ended = true;
        for reading in readings.iter_mut() {
            let statuses = reading.step(7)?;
            ended &= reading.count() >= count && statuses.iter().all(|status| *status == ReadStatus::End);
            if begin.elapsed() > DEADLINE {
                return Err(format!("{} of {count} records came, and {statuses:?}", reading.count()).into());
            }
        }
        if ended {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn open(broker: &Broker) -> Result<KafkaTransport, TransportError> {
    KafkaTransport::open(config(broker))
}

fn config(broker: &Broker) -> KafkaConfig {
    KafkaConfig { brokers: broker.bootstrap().to_owned(), ..KafkaConfig::default() }
}

fn client(broker: &Broker) -> ClientConfig {
    config(broker).client()
}

/// Publishes `value-0` … with keys, or without.
fn publish(transport: &KafkaTransport, topic: &str, numbers: std::ops::Range<usize>) -> TestResult {
    let mut publisher = transport.publisher()?;
    for number in numbers {
        publisher.send(topic, Some(format!("key-{}", number % 17).as_bytes()), Some(format!("value-{number}").as_bytes()))?;
    }
    Ok(publisher.flush()?)
}

fn values(numbers: std::ops::Range<usize>) -> Vec<String> {
    let mut values: Vec<String> = numbers.map(|number| format!("value-{number}")).collect();
    values.sort();
    values
}

fn sorted(values: Vec<&str>) -> Vec<&str> {
    let mut values = values;
    values.sort_unstable();
    values
}

fn records_come_back_from_the_partition_of_their_key(broker: &Broker) -> TestResult {
    let transport = open(broker)?;
    assert_eq!(transport.partitions("keyed")?, []);
    assert!(transport.create_topic("keyed", 3)?);
    assert!(!transport.create_topic("keyed", 3)?);
    let missing = transport.publisher()?.send("missing", None, Some(b"x")).map_err(|error| with_causes(&error));
    assert!(missing.is_err_and(|error| error.contains("missing") && error.contains("headwater topics")));

    let mut publisher = transport.publisher()?;
    for number in 0..300 {
        let key = format!("key-{number}");
        publisher.send("keyed", Some(key.as_bytes()), Some(key.as_bytes()))?;
    }
    publisher.send("keyed", Some(b""), Some(b""))?;
    publisher.send("keyed", Some(b"gone"), None)?;
    for _ in 0..3 {
        publisher.send("keyed", None, Some(b"unkeyed"))?;
    }
    publisher.flush()?;
    with_headers(broker, "keyed")?;

    let states = transport.partitions("keyed")?;
    assert_eq!(states.iter().map(|state| (state.partition, state.low.get())).collect::<Vec<_>>(), [(0, 0), (1, 0), (2, 0)]);
    assert_eq!(states.iter().map(|state| state.high.get()).sum::<u64>(), 306);

    let woken = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&woken);
    let mut reader = transport.reader(Box::new(move || {
        count.fetch_add(1, Ordering::Relaxed);
    }))?;
    let mut unkeyed = Vec::new();
    let mut total = 0;
    for state in &states {
        let slot = reader.assign("keyed", state.partition, Offset::ZERO)?;
        let mut offset = Offset::ZERO;
        let begin = Instant::now();
        while reader.read(slot, 10, &mut |record| {
            total += 1;
            assert_eq!(record.offset, offset, "each record once, in order");
            offset = offset.next();
            assert!(record.timestamp_ms.is_some_and(|timestamp| timestamp > 1_500_000_000_000));
            match (record.key, record.value) {
                (Some(key), Some(value)) => assert_eq!((key, partition_of(key, 3)), (value, state.partition)),
                (Some(key), None) => assert_eq!(key, b"gone"),
                (None, _) => unkeyed.push(state.partition),
            }
            ControlFlow::Continue(())
        })? != ReadStatus::End
        {
            assert!(begin.elapsed() < DEADLINE, "no end after {offset} of {} records", state.high);
            std::thread::sleep(Duration::from_millis(1));
        }
        assert_eq!(offset, state.high);
    }
    assert_eq!(total, 306);
    assert_eq!(unkeyed, [0, 1, 2], "records without a key go to one partition after the other");
    assert!(woken.load(Ordering::Relaxed) > 0, "a reader that waited is woken");
    let begin = Instant::now();
    while reader.high_watermark(0) != Some(states[0].high) {
        reader.read(0, 1, &mut |_| ControlFlow::Continue(()))?;
        assert!(begin.elapsed() < DEADLINE, "no high watermark");
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

/// Publishes a record as other producers write it.
fn with_headers(broker: &Broker, topic: &str) -> TestResult {
    let producer: BaseProducer = client(broker).create()?;
    let headers = OwnedHeaders::new().insert(Header { key: "trace", value: Some("x") });
    let key = "with-headers";
    let partition = partition_of(key.as_bytes(), 3).into();
    producer.send(BaseRecord::to(topic).key(key).payload(key).headers(headers).partition(partition)).map_err(|(error, _)| error)?;
    Ok(producer.flush(DEADLINE)?)
}

fn an_end_lies_behind_the_markers_of_transactions(broker: &Broker) -> TestResult {
    let transport = open(broker)?;
    transport.create_topic("transactions", 1)?;
    let mut transactional = client(broker);
    transactional.set("transactional.id", "test").set("transaction.timeout.ms", "60000");
    let producer: BaseProducer = transactional.create()?;
    producer.init_transactions(DEADLINE)?;
    let send = |value: &str| -> TestResult {
        producer.send(BaseRecord::<(), str>::to("transactions").payload(value).partition(0)).map_err(|(error, _)| error)?;
        Ok(producer.flush(DEADLINE)?)
    };

    producer.begin_transaction()?;
    send("committed")?;
    producer.commit_transaction(DEADLINE)?;
    producer.begin_transaction()?;
    send("aborted")?;
    send("aborted, too")?;
    producer.abort_transaction(DEADLINE)?;
    // committed, marker, aborted, aborted, marker; brokers write the last marker after they have answered.
    let begin = Instant::now();
    while transport.partitions("transactions")? != [PartitionState { partition: 0, low: Offset::ZERO, high: Offset::new(5) }] {
        assert!(begin.elapsed() < DEADLINE, "the transactions do not end");
    }
    let mut reading = Reading::begin(&transport, "transactions", &[(0, 0)])?;
    reading.until_end(1)?;
    assert_eq!(reading.values(), ["committed"]);

    // An open transaction holds back the end, and every record after it.
    producer.begin_transaction()?;
    send("late")?;
    publish(&transport, "transactions", 0..1)?;
    assert_eq!(transport.partitions("transactions")?, [PartitionState { partition: 0, low: Offset::ZERO, high: Offset::new(5) }]);
    let mut second = Reading::begin(&transport, "transactions", &[(0, 1)])?;
    second.until_end(0)?;
    assert_eq!((second.count(), reading.step(10)?), (0, vec![ReadStatus::End]));
    producer.commit_transaction(DEADLINE)?;
    reading.until_end(3)?;
    assert_eq!(reading.records[&0], [(0, "committed".into()), (5, "late".into()), (6, "value-0".into())]);
    Ok(())
}

fn a_partition_may_be_added_later(broker: &Broker) -> TestResult {
    let transport = open(broker)?;
    transport.create_topic("growing", 1)?;
    publish(&transport, "growing", 0..100)?;
    let mut reading = Reading::begin(&transport, "growing", &[(0, 40)])?;
    while reading.count() == 0 {
        reading.step(5)?;
    }

    let admin: AdminClient<DefaultClientContext> = client(broker).create()?;
    block_on(admin.create_partitions(&[NewPartitions::new("growing", 2)], &AdminOptions::new()))?;
    let begin = Instant::now();
    while transport.partitions("growing").map_or(0, |partitions| partitions.len()) < 2 {
        assert!(begin.elapsed() < DEADLINE, "no second partition");
    }
    publish(&transport, "growing", 100..200)?;
    let slot = reading.reader.assign("growing", 1, Offset::ZERO)?;
    reading.slots.insert(1, slot);
    reading.until_end(160)?;
    assert!(reading.records[&1].len() > 10, "the second partition has records");
    assert_eq!(sorted(reading.values()), values(40..200));
    Ok(())
}

/// As after a broker's answer that there are no brokers: each record comes once, and the ends are found.
fn a_reader_goes_on_with_another_consumer(broker: &Broker) -> TestResult {
    let transport = open(broker)?;
    transport.create_topic("reopened", 3)?;
    publish(&transport, "reopened", 0..100)?;
    let mut reading = Reading::begin(&transport, "reopened", &[(0, 0), (1, 0), (2, 0)])?;
    reading.reader.reopen()?;
    while reading.count() < 30 {
        reading.step(3)?;
    }
    reading.reader.reopen()?;
    reading.until_end(100)?;
    reading.reader.reopen()?;
    assert_eq!(reading.step(10)?, [ReadStatus::Waiting; 3], "the ends are asked for again");
    publish(&transport, "reopened", 100..120)?;
    reading.until_end(120)?;
    assert_eq!(sorted(reading.values()), values(0..120));
    Ok(())
}

fn an_offset_that_is_not_there_is_named(broker: &Broker) -> TestResult {
    let transport = open(broker)?;
    transport.create_topic("short", 1)?;
    publish(&transport, "short", 0..10)?;
    let error = with_causes(&Reading::begin(&transport, "short", &[(0, 50)])?.until_error()?);
    for expected in ["short/0", "offset 50", "begins at offset 0", "ends at 10", "made anew", "Restore it"] {
        assert!(error.contains(expected), "{expected}: {error}");
    }

    let admin: AdminClient<DefaultClientContext> = client(broker).create()?;
    let mut before = TopicPartitionList::new();
    before.add_partition_offset("short", 0, KafkaOffset::Offset(4))?;
    block_on(admin.delete_records(&before, &AdminOptions::new()))?;
    let error = Reading::begin(&transport, "short", &[(0, 3)])?.until_error()?;
    for expected in ["short/0", "offset 3", "begins at offset 4", "ends at 10", "retention"] {
        assert!(with_causes(&error).contains(expected), "{expected}: {}", with_causes(&error));
    }
    assert!(!error.retry);
    Ok(())
}

fn single_records_are_read_again(broker: &Broker) -> TestResult {
    let transport = open(broker)?;
    transport.create_topic("again", 2)?;
    publish(&transport, "again", 0..500)?;
    let mut all = Reading::begin(&transport, "again", &[(0, 0), (1, 0)])?;
    all.until_end(500)?;
    let mut records = transport.records().ok_or("Kafka has no records")?;
    let all: Vec<_> =
        all.records.iter().flat_map(|(partition, of)| of.iter().map(|(offset, value)| (*partition, *offset, value))).collect();
    // In order, backwards, and alternating between partitions.
    let back = all.iter().rev().step_by(97);
    let across = all.iter().step_by(211).chain(all.iter().skip(5).step_by(180));
    for (partition, offset, value) in all.iter().step_by(7).chain(back).chain(across) {
        assert_eq!(records.value("again", *partition, Offset::new(*offset))?, value.as_bytes(), "{partition} {offset}");
    }
    Ok(())
}

fn a_partition_that_is_not_read_holds_nobody_back(broker: &Broker) -> TestResult {
    let transport = KafkaTransport::open(KafkaConfig { queue_kib: 64, ..config(broker) })?;
    transport.create_topic("paused", 2)?;
    let mut publisher = transport.publisher()?;
    let key_of = |partition| (0..).map(|number: u32| number.to_string()).find(|key| partition_of(key.as_bytes(), 2) == partition);
    let keys: Vec<String> = (0..2).filter_map(key_of).collect();
    let value = "x".repeat(1000);
    for _ in 0..3000 {
        for key in &keys {
            publisher.send("paused", Some(key.as_bytes()), Some(value.as_bytes()))?;
        }
    }
    publisher.flush()?;
    let mut reading = Reading::begin(&transport, "paused", &[(0, 0), (1, 0)])?;
    let paused = reading.slots.remove(&1).ok_or("no slot")?;
    reading.until_end(3000)?;
    reading.slots.insert(1, paused);
    reading.until_end(6000)?;
    let offsets = |partition: u16| reading.records[&partition].iter().map(|(offset, _)| *offset).collect::<Vec<_>>();
    assert_eq!((offsets(0), offsets(1)), ((0..3000).collect(), (0..3000).collect()));
    Ok(())
}

fn an_announced_offset_is_seen_by_the_group(broker: &Broker) -> TestResult {
    let transport = open(broker)?;
    transport.create_topic("announced", 1)?;
    publish(&transport, "announced", 0..10)?;
    let mut reading = Reading::begin(&transport, "announced", &[(0, 0)])?;
    reading.until_end(10)?;
    let tool: BaseConsumer = client(broker).set("group.id", "headwater").create()?;
    let mut asked = TopicPartitionList::new();
    asked.add_partition("announced", 0);
    let begin = Instant::now();
    loop {
        // Repeated, because the group has no coordinator yet when a broker is new.
        reading.reader.announce(0, Offset::new(7))?;
        reading.step(1)?;
        let committed = tool.committed_offsets(asked.clone(), Duration::from_secs(5))?;
        if committed.elements().iter().all(|element| element.offset() == KafkaOffset::Offset(7)) {
            return Ok(());
        }
        assert!(begin.elapsed() < DEADLINE, "the group sees {committed:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The key of some of these ids belongs to another partition than the first.
fn the_progress_of_an_outbox_is_found(broker: &Broker) -> TestResult {
    let transport = open(broker)?;
    transport.create_topic("progress", 5)?;
    transport.create_topic("published", 1)?;
    for id in ["a", "b", "c", "d"] {
        let mut outbox = transport.outbox(id, "progress")?;
        assert_eq!(outbox.progress()?, None, "{id}");
        outbox.publish(&[outgoing()], "1", &mut || ())?;
        outbox.publish(&[], "2", &mut || ())?;
        assert_eq!(transport.outbox(id, "progress")?.progress()?.as_deref(), Some("2"), "{id}");
    }
    Ok(())
}

fn outgoing() -> Outgoing {
    Outgoing { topic: "published".to_owned(), key: "key".to_owned(), value: b"{}".to_vec() }
}

fn an_outbox_that_is_fenced_says_what_to_do(broker: &Broker) -> TestResult {
    let transport = open(broker)?;
    let mut first = transport.outbox("fenced", "progress")?;
    first.publish(&[], "1", &mut || ())?;
    let mut second = transport.outbox("fenced", "progress")?;
    let error = first.publish(&[outgoing()], "2", &mut || ()).map_or_else(Ok, |()| Err("two outboxes of one id publish"))?;
    let said = with_causes(&error);
    assert!(!error.retry && said.contains("the outbox fenced") && said.contains("stop one of them"), "{said}");
    second.publish(&[], "3", &mut || ())?;
    assert_eq!(second.progress()?.as_deref(), Some("3"));
    Ok(())
}

/// A process that is stopped keeps its connections: nothing breaks, and nothing is answered.
fn the_end_of_a_broker_that_hangs_is_doubted(broker: &Broker) -> TestResult {
    let transport = open(broker)?;
    transport.create_topic("hanging", 1)?;
    publish(&transport, "hanging", 0..10)?;
    let mut reading = Reading::begin(&transport, "hanging", &[(0, 0)])?;
    reading.until_end(10)?;
    broker.pause()?;
    let doubted = until_waiting(&mut reading);
    broker.unpause()?;
    doubted?;
    publish(&transport, "hanging", 10..20)?;
    reading.until_end(20)
}

/// Reads until the only partition is not at its end. A request that is not answered times out only after a minute.
fn until_waiting(reading: &mut Reading) -> TestResult {
    let begin = Instant::now();
    while reading.step(10)? != [ReadStatus::Waiting] {
        if begin.elapsed() > DEADLINE / 2 {
            return Err("a broker that hangs is believed to have no more records".into());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

fn a_deleted_topic_is_an_error(broker: &Broker) -> TestResult {
    // Without this, a topic that is younger than 30 seconds may be missing for as long.
    let propagation = BTreeMap::from([("topic.metadata.propagation.max.ms".to_owned(), "500".to_owned())]);
    let transport = KafkaTransport::open(KafkaConfig { properties: propagation, ..config(broker) })?;
    transport.create_topic("deleted", 1)?;
    publish(&transport, "deleted", 0..10)?;
    let mut reading = Reading::begin(&transport, "deleted", &[(0, 0)])?;
    reading.until_end(10)?;
    let admin: AdminClient<DefaultClientContext> = client(broker).create()?;
    block_on(admin.delete_topics(&["deleted"], &AdminOptions::new()))?;
    let error = reading.until_error()?;
    let said = with_causes(&error);
    assert!(!error.retry && said.contains("deleted/0 from offset 10") && said.contains("was deleted"), "{said}");
    Ok(())
}

/// Captures the connector's log lines at INFO and above.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<Vec<String>>>);

impl Told {
    fn lines(&self) -> Vec<String> {
        self.0.lock().map(|lines| lines.clone()).unwrap_or_default()
    }
}

impl Subscriber for Told {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= Level::INFO && metadata.target().starts_with("headwater_connectors::kafka")
    }

    fn event(&self, event: &Event<'_>) {
        struct Message(String);
        impl Visit for Message {
            fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
                self.0 += &format!(" {field}={value:?}");
            }
        }
        let mut message = Message(event.metadata().level().to_string());
        event.record(&mut message);
        self.0.lock().expect("nobody panicked").push(message.0);
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }
    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

fn a_broker_may_go_away_and_come_back(broker: &Broker) -> TestResult {
    let told = Told::default();
    tracing::subscriber::with_default(told.clone(), || go_away_and_come_back(broker, &told))?;
    let lines = told.lines();
    let [away, back] = lines.as_slice() else { return Err(format!("it is told once each: {lines:?}").into()) };
    assert!(away.starts_with("WARN message=brokers do not answer") && away.contains("lasting/"), "{away}");
    assert!(back.starts_with("INFO message=all partitions answer again"), "{back}");
    Ok(())
}

fn go_away_and_come_back(broker: &Broker, told: &Told) -> TestResult {
    let transport = open(broker)?;
    transport.create_topic("lasting", 3)?;
    publish(&transport, "lasting", 1..3000)?;
    let mut publisher = transport.publisher()?;
    publisher.send("lasting", Some(b"key-0"), Some(b"value-0"))?;
    publisher.flush()?;
    let mut reading = Reading::begin(&transport, "lasting", &[(0, 0), (1, 0), (2, 0)])?;
    while reading.count() < 1000 {
        reading.step(50)?;
    }
    let mut at_end = Reading::begin(&transport, "lasting", &[(0, 0), (1, 0), (2, 0)])?;
    at_end.until_end(3000)?;
    let impatient = KafkaTransport::open(KafkaConfig { delivery_timeout_ms: 1000, ..config(broker) })?;
    let mut impatient = impatient.publisher()?;
    impatient.send("lasting", Some(b"key-3000"), Some(b"value-3000"))?;
    impatient.flush()?;

    broker.kill()?;
    for _ in 0..3 {
        impatient.send("lasting", Some(b"lost"), Some(b"lost"))?;
    }
    let lost = impatient.flush().map_or_else(|error| error, |()| panic!("a flush without a broker"));
    for expected in ["publishing to lasting/", "3 records were not stored", "is the broker running"] {
        assert!(lost.retry && with_causes(&lost).contains(expected), "{expected}: {lost}");
    }
    publisher.send("lasting", Some(b"key-0"), Some(b"value-3001"))?;
    let begin = Instant::now();
    while at_end.step(50)? != [ReadStatus::Waiting; 3] {
        assert!(begin.elapsed() < DEADLINE, "a partition whose broker is away is not at its end");
    }
    while told.lines().is_empty() {
        assert_eq!(at_end.step(50)?, [ReadStatus::Waiting; 3]);
        assert!(begin.elapsed() < DEADLINE, "nobody tells that the broker is away");
        std::thread::sleep(Duration::from_millis(5));
    }
    // This reader had fetched everything up to the end, and read a third of it: those records are not lost. Whether it already
    // knows that the broker is down depends on timing, so its end is not asserted.
    for _ in 0..50 {
        reading.step(50)?;
        std::thread::sleep(Duration::from_millis(2));
    }
    assert!(reading.count() >= 3000);

    broker.restart()?;
    publisher.flush()?;
    publish(&transport, "lasting", 3002..4000)?;
    until_end(&mut [&mut reading, &mut at_end], 4000)?;
    assert_eq!(sorted(reading.values()), values(0..4000));
    assert_eq!(reading.records, at_end.records);
    for records in reading.records.values() {
        assert!(records.windows(2).all(|pair| pair[0].0 < pair[1].0), "in order, each once");
    }
    Ok(())
}

fn a_broker_may_be_away_at_the_start(broker: &Broker) -> TestResult {
    broker.stop()?;
    let transport = KafkaTransport::open(KafkaConfig { timeout_ms: 1000, ..config(broker) })?;
    let begin = Instant::now();
    let error = transport.partitions("lasting").map_or_else(|error| error, |states| panic!("{states:?}"));
    let said = with_causes(&error);
    assert!(error.retry && said.contains("is the broker running"), "{said}");
    assert!(begin.elapsed() < DEADLINE / 4);
    let mut reading = Reading::begin(&transport, "lasting", &[(0, 0), (1, 0), (2, 0)])?;
    for _ in 0..100 {
        assert_eq!(reading.step(50)?, [ReadStatus::Waiting; 3]);
        reading.reader.announce(0, Offset::ZERO)?;
        std::thread::sleep(Duration::from_millis(5));
    }
    // Dropping a reader while the broker is down must not wait for the broker.
    let begin = Instant::now();
    drop(Reading::begin(&transport, "lasting", &[(0, 0)])?);
    assert!(begin.elapsed() < DEADLINE / 4);

    broker.restart()?;
    reading.until_end(4000)?;
    assert_eq!(sorted(reading.values()), values(0..4000));
    Ok(())
}
