//! Benchmark of reading Kafka to events.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use headwater::simulator::{publish, workload};
use headwater_connectors::kafka::{KafkaConfig, KafkaTransport};
use headwater_connectors::source::{Mode, SourceCounters, SourceProgress, SourceSettings, source};
use headwater_connectors::testing::Broker;
use headwater_connectors::transport::{Publisher, Transport};
use headwater_schemas::events::{Event, Quote, Trade};
use headwater_schemas::{Clock, EffectiveTime, Nanos, Tick, Topic};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{ClientConfig, Message, Offset, TopicPartitionList};

use crate::measure::{compare, count};

/// Arguments of `ingest`.
#[derive(Args)]
pub(crate) struct IngestArguments {
    /// Quotes and trades to read.
    #[arg(long, default_value_t = 1_000_000)]
    events: usize,
    /// Partitions of each of the two topics.
    #[arg(long, default_value_t = 2)]
    partitions: u16,
    /// Number of rounds.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
}

const TOPICS: [Topic; 2] = [Topic::Quotes, Topic::Trades];

/// Reads two topics of a real broker through the source, on one worker: clocks, checks and places. For comparison, a bare
/// consumer reads the same, and `serde_json` makes the same structs.
pub(crate) fn ingest(arguments: &IngestArguments) -> anyhow::Result<()> {
    let broker = Broker::start()?.context("there is no Kafka without Java and Maven")?;
    let config = KafkaConfig { brokers: broker.bootstrap().to_owned(), ..KafkaConfig::default() };
    let transport: Arc<dyn Transport> = Arc::new(KafkaTransport::open(config)?);
    for topic in TOPICS {
        transport.create_topic(topic.as_str(), arguments.partitions)?;
    }
    let records = fill(transport.publisher()?.as_mut(), arguments.events)?;
    println!("{records} quotes and trades in 2 topics of {} partitions", arguments.partitions);

    let expected = records as u64;
    let ours = || {
        let read = through_source(&transport)?;
        if read == expected { Ok(()) } else { bail!("the source read {read} of {expected} records") }
    };
    let bare = || {
        let read = through_bare_consumer(broker.bootstrap(), arguments.partitions, records)?;
        if read == records { Ok(()) } else { bail!("the consumer read {read} of {records} records") }
    };
    let result = compare(arguments.rounds, records, ours, bare)?;
    let million = |nanos: f64| count(1_000_000_000) / nanos / 1e6;
    println!(
        "source {:.0} ns/record ({:.2} M/s); bare consumer with serde_json {:.0} ns ({:.2} M/s); ratio {:.2}",
        result.ours,
        million(result.ours),
        result.other,
        million(result.other),
        result.ratio()
    );
    Ok(())
}

fn fill(publisher: &mut dyn Publisher, events: usize) -> anyhow::Result<usize> {
    let records = workload(1, events * 2)
        .filter(|record| TOPICS.contains(&record.topic) && Event::decode(record.topic, None, Some(&record.value)).is_ok())
        .take(events);
    let sent = publish(records, publisher, |topic| topic.as_str().to_owned())?;
    publisher.flush()?;
    Ok(sent)
}

/// Reads the topics through the pipeline's source; returns the number of events.
fn through_source(transport: &Arc<dyn Transport>) -> anyhow::Result<u64> {
    let mut partitions = BTreeMap::new();
    for topic in TOPICS {
        partitions.insert(topic, transport.partitions(topic.as_str())?);
    }
    let failure = Arc::new(Mutex::new(None));
    let told = Arc::clone(&failure);
    let counters = Arc::<SourceCounters>::default();
    let settings = SourceSettings {
        transport: Arc::clone(transport),
        partitions: Arc::new(partitions),
        names: Arc::default(),
        avro: None,
        start: Arc::default(),
        start_clock: EffectiveTime::ZERO,
        latest: EffectiveTime::MAX,
        discovered: Arc::default(),
        script: Arc::default(),
        stride: 1024,
        audit: false,
        abandoned: Arc::default(),
        clock: Clock::new(Nanos::new(10_000_000), Nanos::new(1_000_000_000)),
        late_after: Nanos::new(50_000_000),
        budget_bytes: 64 << 20,
        grid_lead: 8,
        mode: Mode::Bounded,
        counters: Arc::clone(&counters),
        failure: Arc::new(move |error| {
            if let Ok(mut told) = told.lock() {
                told.get_or_insert(error);
            }
        }),
    };
    let seen = timely::execute_directly(move |worker| {
        use timely::dataflow::operators::core::feedback::{ConnectLoop, Feedback};
        use timely::dataflow::operators::vec::{Filter, Map};
        use timely::dataflow::operators::{Concatenate, Inspect};
        let seen = std::rc::Rc::new(std::cell::Cell::new(0_u64));
        worker.dataflow::<Tick, _, _>(|scope| {
            let (handle, frontier) = scope.feedback::<Vec<()>>(0);
            let output = source(scope, settings, frontier, SourceProgress::default());
            let counted = std::rc::Rc::clone(&seen);
            let events = scope.concatenate(output.events.into_values());
            let events = events.inspect_batch(move |_, batch| counted.set(counted.get() + batch.len() as u64));
            events.filter(|_| false).map(|_| ()).connect_loop(handle);
        });
        while worker.has_dataflows() {
            worker.step_or_park(Some(Duration::from_millis(1)));
        }
        seen.get()
    });
    match failure.lock().ok().and_then(|mut failure| failure.take()) {
        Some(error) => Err(error.into()),
        None => Ok(seen),
    }
}

/// Reads the same records with librdkafka alone.
fn through_bare_consumer(bootstrap: &str, partitions: u16, expected: usize) -> anyhow::Result<usize> {
    // By default it would pause for a second whenever its queue is full.
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("group.id", "bare")
        .set("enable.auto.commit", "false")
        .set("fetch.queue.backoff.ms", "1")
        .set("fetch.wait.max.ms", "10")
        .create()?;
    let mut assignment = TopicPartitionList::new();
    for topic in TOPICS {
        for partition in 0..partitions {
            assignment.add_partition_offset(topic.as_str(), i32::from(partition), Offset::Beginning)?;
        }
    }
    consumer.assign(&assignment)?;
    let mut read = 0;
    while read < expected {
        let message = consumer.poll(Duration::from_secs(10)).context("the consumer waited ten seconds in vain")??;
        let value = message.payload().context("a record without a value")?;
        match message.topic() {
            "market.quotes" => drop(std::hint::black_box(serde_json::from_slice::<Quote>(value)?)),
            _ => drop(std::hint::black_box(serde_json::from_slice::<Trade>(value)?)),
        }
        read += 1;
    }
    Ok(read)
}
