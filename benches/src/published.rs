//! Benchmark of latency from an event to its published decision, Kafka to Kafka, in a live run.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use clap::Args;
use headwater::config::Config;
use headwater::run::{Run, run};
use headwater::simulator::{Record, Simulator, SimulatorSettings, publish};
use headwater_connectors::kafka::{KafkaConfig, KafkaTransport};
use headwater_connectors::testing::Broker;
use headwater_connectors::transport::Transport;
use headwater_schemas::Topic;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{ClientConfig, Message, Offset, TopicPartitionList};
use serde::Deserialize;

use crate::latency::now;
use crate::measure::quantile;

/// Arguments of `published`.
#[derive(Args)]
pub(crate) struct PublishedArguments {
    /// Events per second; about a tenth of them are transactions and payments, which are decided about.
    #[arg(long, default_value_t = 2_000)]
    rate: u32,
    /// Seconds of publishing.
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// Whether decisions wait for their commit.
    #[arg(long)]
    committed: bool,
    /// Worker threads of the pipeline.
    #[arg(long, default_value_t = 1)]
    workers: usize,
}

/// Time of publishing before measuring: until the initial records are committed.
const WARM_UP: Duration = Duration::from_secs(10);
/// Interval at which producers publish.
const STEP: Duration = Duration::from_millis(5);
/// Time for the last decisions.
const COOL_DOWN: Duration = Duration::from_secs(3);
/// The topic of decisions.
const DECISIONS: &str = "decisions";

/// When each subject of a decision was sent.
type Sent = Mutex<BTreeMap<String, Instant>>;

/// Publishes at a steady rate to a real broker, and consumes the decisions: from the record's `send` to the decision's arrival.
pub(crate) fn published(arguments: &PublishedArguments) -> anyhow::Result<()> {
    let broker = Broker::start()?.context("there is no Kafka without Java and Maven")?;
    let mut config = Config::default();
    config.http.address = String::new();
    config.time.idle_allowance = Duration::from_millis(10);
    config.outbox.topics = vec![DECISIONS.to_owned()];
    if !arguments.committed {
        config.outbox.eager = vec![DECISIONS.to_owned()];
    }
    let transport: Arc<dyn Transport> =
        Arc::new(KafkaTransport::open(KafkaConfig { brokers: broker.bootstrap().to_owned(), ..KafkaConfig::default() })?);
    for topic in Topic::ALL.iter().map(|topic| topic.as_str()).chain([DECISIONS]) {
        transport.create_topic(topic, 1)?;
    }
    let settings = SimulatorSettings { start: now(), ..SimulatorSettings::default() }.at_rate(arguments.rate);
    let mut simulator = Simulator::new(settings);
    let mut publisher = transport.publisher()?;
    publish(simulator.opening(), publisher.as_mut(), |topic| topic.as_str().to_owned())?;
    publisher.flush()?;

    let (stop, sent) = (Arc::new(AtomicBool::new(false)), Arc::new(Sent::default()));
    let producer = {
        let (stop, sent, seconds) = (Arc::clone(&stop), Arc::clone(&sent), arguments.seconds);
        thread::spawn(move || -> anyhow::Result<()> {
            let began = Instant::now();
            while began.elapsed() < WARM_UP + Duration::from_secs(seconds) {
                let records: Vec<Record> = simulator.advance(now()).into_iter().collect();
                let at = Instant::now();
                if began.elapsed() > WARM_UP
                    && let Ok(mut sent) = sent.lock()
                {
                    sent.extend(records.iter().filter_map(subject).map(|subject| (subject, at)));
                }
                publish(records, publisher.as_mut(), |topic| topic.as_str().to_owned())?;
                publisher.flush()?;
                thread::sleep(STEP);
            }
            thread::sleep(COOL_DOWN);
            stop.store(true, Ordering::Relaxed);
            Ok(())
        })
    };
    let consumer = {
        let (stop, sent, bootstrap) = (Arc::clone(&stop), Arc::clone(&sent), broker.bootstrap().to_owned());
        thread::spawn(move || consume(&bootstrap, &sent, &stop))
    };
    let folder = tempfile::tempdir()?;
    run(Run { workers: arguments.workers, stop, ..Run::new(transport, folder.path().join("data"), config) })?;
    producer.join().map_err(|_| anyhow::anyhow!("the producer died"))??;
    let mut waited = consumer.join().map_err(|_| anyhow::anyhow!("the consumer died"))??;
    waited.sort_unstable();
    ensure!(!waited.is_empty(), "no decision arrived");
    let at = |part| quantile(&waited, part).as_millis();
    println!(
        "{} events/s, decisions {}: from event to decision p50 {} ms, p90 {} ms, p99 {} ms, most {} ms ({} decisions; {} had none)",
        arguments.rate,
        if arguments.committed { "after their commit" } else { "before their commit" },
        at(500),
        at(900),
        at(990),
        at(1000),
        waited.len(),
        sent.lock().map_or(0, |sent| sent.len()),
    );
    Ok(())
}

/// The transaction that a record is about. A repeated record is about the same.
fn subject(record: &Record) -> Option<String> {
    #[derive(Deserialize)]
    struct Transaction {
        transaction_id: String,
    }
    let transaction = || serde_json::from_slice::<Transaction>(&record.value).ok();
    (record.topic == Topic::Transactions).then(transaction).flatten().map(|transaction| transaction.transaction_id)
}

/// How long each subject waited for its first decision.
fn consume(bootstrap: &str, sent: &Sent, stop: &AtomicBool) -> anyhow::Result<Vec<Duration>> {
    #[derive(Deserialize)]
    struct Decision {
        subject_id: String,
    }
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("group.id", "bench")
        .set("enable.auto.commit", "false")
        .set("isolation.level", "read_committed")
        .set("fetch.wait.max.ms", "5")
        .create()?;
    let mut assignment = TopicPartitionList::new();
    assignment.add_partition_offset(DECISIONS, 0, Offset::Beginning)?;
    consumer.assign(&assignment)?;
    let mut waited = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let Some(message) = consumer.poll(Duration::from_millis(100)) else { continue };
        let message = message?;
        let arrived = Instant::now();
        let Decision { subject_id } = serde_json::from_slice(message.payload().context("a decision without a value")?)?;
        let sent = sent.lock().ok().and_then(|mut sent| sent.remove(&subject_id));
        waited.extend(sent.map(|sent| arrived.duration_since(sent)));
    }
    Ok(waited)
}
