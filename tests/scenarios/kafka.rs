//! A real Apache Kafka: the same topics through a broker give the same rows as through a log.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use anyhow::Result;
use headwater_connectors::kafka::{KafkaConfig, KafkaTransport};
use headwater_connectors::testing::Broker;
use headwater_connectors::transport::{ReadStatus, Transport};
use headwater_tests::market;
use headwater_tests::pipeline::{
    PLAIN, Way, assert_invariants, assert_same, binary, command_with, headwater, run, succeed, tables, write_log,
};
use headwater_tests::prices;

use crate::real_prices::{assert_recomputed, write_market};

/// The source to give to the pipeline.
fn source(broker: &Broker) -> String {
    format!("kafka://{}", broker.bootstrap())
}

/// Publishes every topic of a log to a broker.
fn copy_to(broker: &Broker, log: &Path) -> Result<()> {
    for topic in ["instruments", "accounts", "market.closes", "fills", "transactions"] {
        let file = log.join(topic).join("0.jsonl");
        if file.exists() {
            let file = file.display().to_string();
            succeed(headwater(&["publish", "--source", &source(broker), topic, &file])?)?;
        }
    }
    Ok(())
}

/// All 8,313 days of real prices, through a broker and through a log, and against the recomputation. One test, because
/// it owns the broker.
#[test]
fn real_prices_through_a_real_broker() -> Result<()> {
    let Some(broker) = Broker::start()? else { return Ok(()) };
    let folder = tempfile::tempdir()?;
    let log = folder.path().join("log");
    let fills = prices::fills(400, 4, 6, 3);
    write_market(&log, 8_313, &fills)?;
    write_log(
        &log,
        "transactions",
        0,
        "not json\n{\"transaction_id\":\"t1\",\"account_id\":\"a1\",\"type\":\"deposit\",\"amount\":\"5\",\"currency\":\"USD\",\"ts\":\"2022-12-28T10:00:00Z\"}\n",
    )?;

    // A broker that is away at the start: the question fails with a sentence, not with a hang.
    broker.stop()?;
    let away = headwater(&["topics", "--source", &source(&broker)])?;
    assert_eq!(away.status.code(), Some(1));
    let said = String::from_utf8_lossy(&away.stderr).into_owned();
    assert!(said.contains("is the broker running"), "{said}");
    broker.restart()?;

    succeed(headwater(&["topics", "--source", &source(&broker), "--partitions", "1"])?)?;
    copy_to(&broker, &log)?;
    let (by_log, by_kafka) = (folder.path().join("by-log"), folder.path().join("by-kafka"));
    run(&format!("log:{}", log.display()), &by_log, PLAIN)?;
    run(&source(&broker), &by_kafka, Way { workers: 2, tick: "10ms" })?;
    assert_same(&tables(&by_log)?, &tables(&by_kafka)?, "log and Kafka");
    assert_invariants(&by_kafka)?;
    assert_recomputed(&by_kafka, &fills)?;

    // A live run while the broker goes away in the middle: it waits, reads on, and SIGTERM ends it cleanly.
    let live = folder.path().join("live");
    let config = folder.path().join("live.toml");
    std::fs::write(&config, "[http]\naddress = \"\"\n[commit]\ninterval = \"100ms\"\n")?;
    let mut process = Command::new(binary()?)
        .args(["run", "--source", &source(&broker)])
        .arg("--data")
        .arg(&live)
        .arg("--config")
        .arg(&config)
        .spawn()?;
    wait_for(&live, "SELECT 1 FROM balances WHERE account_id = 'a1' AND posted = 5")?;
    broker.stop()?;
    broker.restart()?;
    let late = folder.path().join("late.jsonl");
    std::fs::write(
        &late,
        "{\"transaction_id\":\"t2\",\"account_id\":\"a1\",\"type\":\"deposit\",\"amount\":\"7\",\"currency\":\"USD\",\"ts\":\"2022-12-28T11:00:00Z\"}\n",
    )?;
    succeed(headwater(&["publish", "--source", &source(&broker), "transactions", &late.display().to_string()])?)?;
    let arrived = wait_for(
        &live,
        "SELECT 1 FROM balances WHERE account_id = 'a1' AND posted = 12 UNION ALL SELECT 1 FROM dead_letters WHERE code = 'too_late'",
    );
    Command::new("kill").arg(process.id().to_string()).status()?;
    let status = process.wait()?;
    arrived?;
    assert!(status.success(), "SIGTERM ends a run cleanly: {status:?}");
    assert_outbox_is_exact(&broker, folder.path())
}

/// What a consumer that reads what is committed sees of the published topics: of each, the records in their order.
fn consumed(broker: &Broker, prefix: &str) -> Result<BTreeMap<String, Vec<String>>> {
    let transport = KafkaTransport::open(KafkaConfig { brokers: broker.bootstrap().to_owned(), ..KafkaConfig::default() })?;
    let mut topics = BTreeMap::new();
    for name in ["executions", "decisions", "positions", "alerts", "dead_letters"] {
        let (topic, mut records) = (format!("{prefix}{name}"), Vec::new());
        let mut reader = transport.reader(Box::new(|| ()))?;
        let slot = reader.assign(&topic, 0, 0)?;
        let begun = std::time::Instant::now();
        while reader.read(slot, 1024, &mut |record| records.push(String::from_utf8_lossy(record.value.unwrap_or_default()).into_owned()))?
            != ReadStatus::End
        {
            anyhow::ensure!(begun.elapsed() < std::time::Duration::from_secs(60), "{topic} has no end");
        }
        records.sort_unstable();
        let ids: BTreeSet<_> = records.iter().filter_map(|record| record.get(..40)).collect();
        assert_eq!(ids.len(), records.len(), "{topic}: each id once");
        topics.insert(name.to_owned(), records);
    }
    Ok(topics)
}

/// Runs that are killed before and after a transaction is committed, while the broker dies too, publish what one publishes
/// that nobody disturbed.
fn assert_outbox_is_exact(broker: &Broker, folder: &Path) -> Result<()> {
    let log = folder.join("market");
    market::write(&log, &market::workload(4_000, 1, 9))?;
    succeed(headwater(&["topics", "--source", &source(broker), "--config", &prefixed(folder, "m.")?])?)?;
    for topic in std::fs::read_dir(&log)? {
        let (path, name) = (topic?.path(), |path: &Path| path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned());
        let file = path.join("0.jsonl").display().to_string();
        succeed(headwater(&["publish", "--source", &source(broker), "--config", &prefixed(folder, "m.")?, &name(&path), &file])?)?;
    }
    let run_as = |name: &str, kill_at: Option<&str>| -> Result<Option<i32>> {
        let aliases =
            ["executions", "decisions", "positions", "alerts", "dead_letters"].map(|topic| format!("{topic} = \"{name}.{topic}\""));
        let more = format!("[source]\nstride = 32\ntopic_prefix = \"m.\"\naliases = {{ {} }}\n[outbox]\n", aliases.join(", "));
        let mut command = command_with(&source(broker), &folder.join(name), PLAIN, &more, "5ms")?;
        if let Some(at) = kill_at {
            command.env("HEADWATER_KILL_AT", at);
        }
        let output = command.output()?;
        if output.status.code().is_some() {
            succeed(output)?;
            return Ok(Some(0));
        }
        Ok(None)
    };
    assert_eq!(run_as("undisturbed", None)?, Some(0));
    for at in ["sent:1", "sent:1", "recorded:1"] {
        assert_eq!(run_as("killed", Some(at))?, None, "killed at {at}");
    }
    broker.kill()?;
    broker.restart()?;
    assert_eq!(run_as("killed", None)?, Some(0));
    let (expected, actual) = (consumed(broker, "m.undisturbed.")?, consumed(broker, "m.killed.")?);
    assert!(expected.values().filter(|records| !records.is_empty()).count() >= 4, "something is published");
    assert_same(&expected, &actual, "published topics");
    Ok(())
}

fn prefixed(folder: &Path, prefix: &str) -> Result<String> {
    let file = folder.join("prefixed.toml");
    std::fs::write(&file, format!("[source]\ntopic_prefix = \"{prefix}\"\n"))?;
    Ok(file.display().to_string())
}

/// Waits until a query has rows.
fn wait_for(data: &Path, query: &str) -> Result<()> {
    let begun = std::time::Instant::now();
    while begun.elapsed() < std::time::Duration::from_secs(120) {
        if headwater_tests::pipeline::rows(data, query).is_ok_and(|rows| !rows.is_empty()) {
            return Ok(());
        }
        std::thread::sleep(std::time::Duration::from_millis(200));
    }
    anyhow::bail!("nothing came of {query}")
}
