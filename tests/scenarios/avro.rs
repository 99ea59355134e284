//! Avro through a real schema registry and a real Apache Kafka: what Confluent's client produces has the tables of the same events as
//! JSON, what is published it reads back, and a registry that is away is waited for.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use headwater_connectors::kafka::{KafkaConfig, KafkaTransport};
use headwater_connectors::testing::{Broker, workspace};
use headwater_connectors::transport::Transport;
use headwater_schemas::Topic;
use headwater_schemas::events::Event;
use headwater_sql::{Catalog, json_objects};
use headwater_tests::market;
use headwater_tests::pipeline::{PLAIN, Way, assert_same, binary, command_with, headwater, rows, succeed, tables, write_log};
use headwater_tests::registry::Registry;
use headwater_tests::scripts::python;
use serde_json::Value;

/// Confluent's client with what it needs for Avro.
const CLIENT: [&str; 2] = ["confluent-kafka[avro]==2.16.1", "fastavro==1.13.1"];

/// A broker, a registry, and a folder. `None` where one of them cannot be started.
fn setup() -> Result<Option<(Broker, Registry, tempfile::TempDir)>> {
    let Some(registry) = Registry::start()? else { return Ok(None) };
    let Some(broker) = Broker::start()? else { return Ok(None) };
    Ok(Some((broker, registry, tempfile::tempdir()?)))
}

fn source(broker: &Broker) -> String {
    format!("kafka://{}", broker.bootstrap())
}

/// Creates the topics.
fn create_topics(broker: &Broker) -> Result<()> {
    succeed(headwater(&["topics", "--source", &source(broker)])?)
}

/// Runs the script with Confluent's client; returns what it printed.
fn client(python: &Path, action: &str, broker: &Broker, registry: &Registry, more: &[&str]) -> Result<String> {
    let mut command = Command::new(python);
    command.arg(headwater_connectors::testing::workspace().join("tests/scenarios/avro.py"));
    let output = command.args([action, broker.bootstrap(), registry.url()]).args(more).output()?;
    ensure!(output.status.success(), "avro.py {action}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}

/// Writes the simulated records that are events to a log: what no event can say, no schema can either. Returns the topics.
fn write_events(log: &Path) -> Result<Vec<String>> {
    let mut files = market::workload(4_000, 1, 9);
    for ((topic, _), lines) in &mut files {
        let topic = Topic::from_word(topic).context("a topic")?;
        lines.retain(|line| Event::decode(topic, None, Some(line.as_bytes())).is_ok());
    }
    market::write(log, &files)?;
    Ok(files.into_keys().map(|(topic, _)| topic).collect())
}

fn listed(names: &[impl AsRef<str>]) -> String {
    let quoted: Vec<_> = names.iter().map(|name| format!("{:?}", name.as_ref())).collect();
    format!("[{}]", quoted.join(", "))
}

/// The tables, and what rejected events have in common in both formats.
fn comparable(data: &Path) -> Result<BTreeMap<&'static str, Vec<String>>> {
    let mut tables = tables(data)?;
    let mut letters = rows(data, "SELECT topic, code, error, ts FROM dead_letters")?;
    letters.sort_unstable();
    tables.insert("dead_letters", letters);
    Ok(tables)
}

/// What is published, and the rows that it must be.
const PUBLISHED: [(&str, &str); 6] = [
    ("executions", "SELECT * EXCEPT (commit_id) FROM executions"),
    ("positions", "SELECT * EXCEPT (change, tick, reason, commit_id) FROM holdings_history WHERE change = 1"),
    ("decisions", "SELECT * EXCEPT (change, tick, reason, commit_id) FROM decisions_history WHERE change = 1"),
    ("alerts", "SELECT * EXCEPT (change, tick, reason, commit_id) FROM alerts_history WHERE change = 1"),
    ("notifications", "SELECT * EXCEPT (change, tick, reason, commit_id) FROM notifications_history WHERE change = 1"),
    ("dead_letters", "SELECT * EXCEPT (commit_id) FROM dead_letters"),
];

/// A record without its id and without missing values, with every number as a float.
fn compared(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let known = fields.iter().filter(|(name, value)| *name != "id" && !value.is_null());
            known.map(|(name, value)| (name.clone(), compared(value))).collect::<serde_json::Map<_, _>>().into()
        }
        Value::Array(items) => items.iter().map(compared).collect(),
        Value::Number(number) => Value::from(number.as_f64()),
        other => other.clone(),
    }
}

/// Fails if the records that Confluent's client reads are not the committed rows.
fn assert_published(data: &Path, printed: &str) -> Result<()> {
    let mut actual = BTreeMap::<String, Vec<String>>::new();
    for line in printed.lines() {
        let record: Value = serde_json::from_str(line)?;
        let topic = record.get("topic").and_then(Value::as_str).context("a topic")?.to_owned();
        let value = record.get("value").context("a value")?;
        ensure!(value.get("id").and_then(Value::as_str).is_some_and(|id| id.len() == 32), "an id: {record}");
        actual.entry(topic).or_default().push(compared(value).to_string());
    }
    for (topic, query) in PUBLISHED {
        let mut expected = Vec::new();
        for batch in Catalog::open(data, None)?.query(query)? {
            for object in json_objects(&batch?)? {
                expected.push(compared(&serde_json::from_str(&object)?).to_string());
            }
        }
        let actual = actual.entry(topic.to_owned()).or_default();
        expected.sort_unstable();
        actual.sort_unstable();
        for (expected, actual) in expected.iter().zip(actual.iter()) {
            assert_eq!(expected, actual, "{topic}");
        }
        assert_eq!(expected.len(), actual.len(), "{topic}");
        println!("{topic}: {} records", expected.len());
    }
    assert!(actual.values().filter(|records| !records.is_empty()).count() >= 4, "something is published");
    Ok(())
}

#[test]
fn what_confluents_client_produces_has_the_tables_of_json_and_what_is_published_it_reads() -> Result<()> {
    let Some((broker, registry, folder)) = setup()? else { return Ok(()) };
    let Some(python) = python(&CLIENT)? else { return Ok(()) };
    let log = folder.path().join("log");
    let topics = write_events(&log)?;
    let (by_json, by_avro, killed) = (folder.path().join("by-json"), folder.path().join("by-avro"), folder.path().join("killed"));
    // Through a broker as well: where events have no id, their offset names them.
    let as_json = "[source]\ntopic_prefix = \"json.\"\n";
    let config = folder.path().join("json.toml");
    std::fs::write(&config, as_json)?;
    let config = config.display().to_string();
    succeed(headwater(&["topics", "--source", &source(&broker), "--config", &config])?)?;
    for topic in &topics {
        let file = log.join(topic).join("0.jsonl").display().to_string();
        succeed(headwater(&["publish", "--source", &source(&broker), "--config", &config, topic, &file])?)?;
    }
    succeed(command_with(&source(&broker), &by_json, PLAIN, as_json, "200ms")?.output()?)?;
    create_topics(&broker)?;
    client(&python, "produce", &broker, &registry, &[&log.display().to_string()])?;

    let read = format!("[source]\nstride = 64\navro = {}\n{}", listed(&topics), registry.section());
    let names = PUBLISHED.map(|(topic, _)| topic);
    let published = format!("{read}[outbox]\navro = {}\n", listed(&names));
    let way = Way { workers: 2, ..PLAIN };
    succeed(command_with(&source(&broker), &by_avro, way, &published, "200ms")?.output()?)?;
    assert_same(&comparable(&by_json)?, &comparable(&by_avro)?, "JSON and Avro");
    assert_published(&by_avro, &client(&python, "consume", &broker, &registry, &names)?)?;

    // A run that is killed reads the rest; a replay repeats it.
    let mut command = command_with(&source(&broker), &killed, PLAIN, &read, "5ms")?;
    let status = command.env("HEADWATER_KILL_AT", "published:1").stderr(Stdio::null()).status()?;
    assert_eq!(status.code(), None, "it is killed");
    succeed(command_with(&source(&broker), &killed, way, &read, "5ms")?.output()?)?;
    assert_same(&comparable(&by_json)?, &comparable(&killed)?, "killed and restarted");
    let [data, again, config] =
        [killed.clone(), folder.path().join("again"), killed.with_extension("toml")].map(|path| path.display().to_string());
    succeed(headwater(&["replay", "--source", &source(&broker), "--out", &again, "--against", &data, "--config", &config])?)
}

/// The schema of transactions, with a new field for each version.
fn transactions_schema(version: u32) -> String {
    let texts = ["transaction_id", "account_id", "type", "currency"].map(|name| format!("{{\"name\": \"{name}\", \"type\": \"string\"}}"));
    format!(
        "{{\"type\": \"record\", \"name\": \"Transaction\", \"fields\": [{}, \
         {{\"name\": \"amount\", \"type\": {{\"type\": \"bytes\", \"logicalType\": \"decimal\", \"precision\": 20, \"scale\": 2}}}}, \
         {{\"name\": \"ts\", \"type\": {{\"type\": \"long\", \"logicalType\": \"timestamp-millis\"}}}}, \
         {{\"name\": \"note{version}\", \"type\": [\"null\", \"string\"]}}]}}",
        texts.join(", ")
    )
}

/// A deposit of one cent more than the number, framed, a minute ago: a live run refuses those of other days.
fn deposit(schema_id: u32, number: u8) -> Vec<u8> {
    let mut record = [&[0][..], &schema_id.to_be_bytes()].concat();
    for text in [&format!("t{number}"), "a1", "deposit", "USD"] {
        record.push(u8::try_from(text.len() * 2).unwrap_or(u8::MAX));
        record.extend_from_slice(text.as_bytes());
    }
    // Two bytes: a hundred times the number, and one.
    record.push(4);
    record.extend_from_slice(&(u16::from(number) * 100 + 1).to_be_bytes());
    let mut millis = (headwater::wall_clock::now().get() / 1_000_000 - 60_000 + u64::from(number)) * 2;
    while millis >= 0x80 {
        record.push(u8::try_from(millis & 0x7f).unwrap_or_default() | 0x80);
        millis >>= 7;
    }
    record.extend([u8::try_from(millis).unwrap_or_default(), 0]);
    record
}

/// Publishes values to `transactions`.
fn publish(broker: &Broker, values: &[Vec<u8>]) -> Result<()> {
    let transport = KafkaTransport::open(KafkaConfig { brokers: broker.bootstrap().to_owned(), ..KafkaConfig::default() })?;
    let mut publisher = transport.publisher()?;
    for value in values {
        publisher.send("transactions", None, Some(value))?;
    }
    Ok(publisher.flush()?)
}

/// A live run.
struct Live {
    data: PathBuf,
    config: PathBuf,
    source: String,
    process: Option<Child>,
}

impl Live {
    fn start(&mut self) -> Result<()> {
        let mut command = Command::new(binary()?);
        command.args(["run", "--source", &self.source, "--config"]).arg(&self.config).arg("--data").arg(&self.data);
        self.process = Some(command.spawn()?);
        Ok(())
    }

    fn kill(&mut self) -> Result<()> {
        let mut process = self.process.take().context("it runs")?;
        process.kill()?;
        process.wait()?;
        Ok(())
    }

    fn stop(&mut self) -> Result<()> {
        let mut process = self.process.take().context("it runs")?;
        Command::new("kill").arg(process.id().to_string()).status()?;
        let status = process.wait()?;
        ensure!(status.success(), "{status}");
        Ok(())
    }

    /// Waits until the account has so much.
    fn wait_for(&self, posted: &str) -> Result<()> {
        let begun = Instant::now();
        while self.posted() != [posted] {
            ensure!(begun.elapsed() < Duration::from_secs(120), "{:?} is not {posted}", self.posted());
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(())
    }

    fn posted(&self) -> Vec<String> {
        rows(&self.data, "SELECT posted FROM balances WHERE account_id = 'a1'").unwrap_or_default()
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

#[test]
fn a_registry_that_is_away_is_waited_for_and_nothing_is_lost() -> Result<()> {
    let Some((broker, registry, folder)) = setup()? else { return Ok(()) };
    create_topics(&broker)?;
    let ids = [1, 2, 3].map(|version| registry.register("transactions-value", &transactions_schema(version)));
    let [first, second, third] = ids.map(Result::unwrap_or_default);
    ensure!(first > 0 && first < second && second < third, "ids of the registry: {first}, {second}, {third}");
    let (data, config) = (folder.path().join("live"), folder.path().join("live.toml"));
    let text = "[http]\naddress = \"\"\n[commit]\ninterval = \"100ms\"\n[outbox]\ntopics = []\n[source]\navro = [\"transactions\"]\n";
    std::fs::write(&config, format!("{text}{}timeout_ms = 1000\n", registry.section()))?;
    let mut live = Live { data, config, source: source(&broker), process: None };
    live.start()?;
    publish(&broker, &[deposit(first, 1)])?;
    live.wait_for("1.01")?;

    registry.stop()?;
    // The second one has to wait, and time with it.
    publish(&broker, &[deposit(first, 2), deposit(second, 3), deposit(first, 4)])?;
    std::thread::sleep(Duration::from_secs(5));
    assert_eq!(live.posted(), ["1.01"], "nothing is guessed, and nothing is committed beyond it");
    live.kill()?;
    // After a restart, no schema is known.
    live.start()?;
    publish(&broker, &[deposit(third, 5)])?;
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(live.posted(), ["1.01"]);
    let bounded = folder.path().join("bounded");
    let more = format!("[source]\navro = [\"transactions\"]\n{}timeout_ms = 1000\n", registry.section());
    let output = command_with(&source(&broker), &bounded, PLAIN, &more, "1s")?.output()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "a bounded run does not hang: {said}");
    assert!(said.contains("does not answer: is it running") && said.contains(registry.url()), "{said}");

    registry.restart()?;
    live.wait_for("15.05")?;
    live.stop()?;
    let no_letters = |data: &Path| rows(data, "SELECT code, error FROM dead_letters");
    assert_eq!(no_letters(&live.data)?, [] as [String; 0]);
    succeed(command_with(&source(&broker), &bounded, PLAIN, &more, "1s")?.output()?)?;
    let entries = "SELECT transaction_id, amount FROM ledger_entries ORDER BY 1, 2";
    assert_eq!(rows(&bounded, entries)?, rows(&live.data, entries)?, "the same rows");
    assert_eq!(no_letters(&bounded)?, [] as [String; 0]);
    Ok(())
}

#[test]
fn wrong_records_are_dead_letters_with_their_bytes_and_a_schema_that_is_refused_is_a_sentence() -> Result<()> {
    let Some((broker, registry, folder)) = setup()? else { return Ok(()) };
    create_topics(&broker)?;
    let id = registry.register("transactions-value", &transactions_schema(1))?;
    let good = deposit(id, 1);
    let cut_off = good.get(..good.len() - 4).unwrap_or_default().to_vec();
    let unknown = deposit(77_777, 2);
    let negative = [&deposit(id, 3)[..23], &[2, 0xff], &deposit(id, 3)[26..]].concat();
    let wrong: [(&str, Vec<u8>); 6] = [
        ("not_framed", b"{\"transaction_id\":\"t1\"}".to_vec()),
        ("not_framed", vec![0, 0]),
        ("unknown_schema", unknown),
        ("bad_avro", cut_off),
        ("bad_avro", [&good[..], b"more"].concat()),
        ("negative_number", negative.clone()),
    ];
    let values: Vec<_> = wrong.iter().map(|(_, value)| value.clone()).chain([good, deposit(id, 4)]).collect();
    publish(&broker, &values)?;
    let data = folder.path().join("data");
    let more = format!("[source]\navro = [\"transactions\"]\n{}", registry.section());
    succeed(command_with(&source(&broker), &data, PLAIN, &more, "1s")?.output()?)?;
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let expected: Vec<_> = wrong.iter().map(|(code, value)| format!("{code},{}", hex(value))).collect();
    assert_eq!(rows(&data, "SELECT code, encode(value, 'hex') FROM dead_letters ORDER BY \"offset\"")?, expected);
    assert_eq!(rows(&data, "SELECT posted FROM balances WHERE account_id = 'a1'")?, ["5.02"], "good records arrive");
    let shown = rows(&data, "SELECT text FROM dead_letters WHERE code = 'negative_number'")?;
    assert!(shown.first().is_some_and(|text| text.contains("\"\"amount\"\":\"\"-0.01\"\"")), "the event is readable: {shown:?}");

    // Published with a schema that consumers of before could not read.
    registry.demand_compatibility()?;
    let other = "{\"type\": \"record\", \"name\": \"executions\", \"namespace\": \"headwater\", \"fields\": [{\"name\": \"symbol\", \"type\": \"long\"}]}";
    registry.register("executions-value", other)?;
    let more = format!("[outbox]\navro = [\"executions\"]\n{}", registry.section());
    let refused = command_with(&source(&broker), &folder.path().join("refused"), PLAIN, &more, "1s")?.output()?;
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(said.contains("registering the schema of executions-value") && said.contains("not compatible"), "{said}");
    Ok(())
}

#[test]
fn a_log_carries_no_avro_and_the_schemas_of_published_topics_are_printed() -> Result<()> {
    let folder = tempfile::tempdir()?;
    write_log(&folder.path().join("log"), "labels", 0, "{\"subject_id\":\"t\",\"label\":\"x\",\"ts\":1}\n")?;
    let log = format!("log:{}", folder.path().join("log").display());
    let more = "[source]\navro = [\"labels\"]\n[registry]\nurl = \"http://127.0.0.1:9\"\n";
    let refused = command_with(&log, &folder.path().join("data"), PLAIN, more, "1s")?.output()?;
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(refused.status.code() == Some(1) && said.contains("source.avro and outbox.avro need Kafka"), "{said}");

    let printed = headwater(&["schema", "executions"])?;
    let schema: Value = serde_json::from_slice(&printed.stdout)?;
    assert_eq!((&schema["name"], &schema["namespace"]), (&Value::from("executions"), &Value::from("headwater")));
    let price = schema["fields"].as_array().into_iter().flatten().find(|field| field["name"] == "price").context("a price")?;
    assert_eq!(price["type"], serde_json::json!({ "type": "bytes", "logicalType": "decimal", "precision": 28, "scale": 9 }));
    let printed = headwater(&["schema", "--format", "json", "executions"])?;
    let stored = std::fs::read(workspace().join("schemas/json/published/executions.schema.json"))?;
    assert_eq!(serde_json::from_slice::<Value>(&printed.stdout)?, serde_json::from_slice::<Value>(&stored)?);
    let unknown = headwater(&["schema", "orders"])?;
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("\"orders\" is not published: give one of"), "{unknown:?}");
    Ok(())
}
