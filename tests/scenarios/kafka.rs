//! A real Apache Kafka: the same topics through a broker give the same rows as through a log, also while the broker is down, and
//! every row is published once.
//!
//! `HEADWATER_BROKER_AWAY=60 cargo test --workspace --test scenarios kafka` stops the broker for a minute.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Result;
use headwater_connectors::kafka::{KafkaConfig, KafkaTransport};
use headwater_connectors::testing::Broker;
use headwater_connectors::transport::{RawRecord, ReadStatus, Transport};
use headwater_schemas::Offset;
use headwater_sql::{Catalog, json_objects};
use headwater_tests::bucket::{ObjectStore, with_credentials};
use headwater_tests::market;
use headwater_tests::pipeline::{
    PLAIN, Way, assert_invariants, assert_same, binary, command_with, headwater, run, succeed, tables, write_log,
};
use headwater_tests::prices::{self, Fill};

use crate::real_prices::{assert_recomputed, write_market};

/// The source argument of the pipeline.
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

/// A broker, and a folder for its test. `None` where no broker can be started.
fn setup() -> Result<Option<(Broker, tempfile::TempDir)>> {
    let Some(broker) = Broker::start()? else { return Ok(None) };
    Ok(Some((broker, tempfile::tempdir()?)))
}

/// Writes a market with a bad record and a deposit to a log, and publishes it to the broker.
fn publish_market(broker: &Broker, log: &Path, days: usize, fills: &[Fill]) -> Result<()> {
    write_market(log, days, fills)?;
    write_log(
        log,
        "transactions",
        0,
        "not json\n{\"transaction_id\":\"t1\",\"account_id\":\"a1\",\"type\":\"deposit\",\"amount\":\"5\",\"currency\":\"USD\",\"ts\":\"2022-12-28T10:00:00Z\"}\n",
    )?;
    succeed(headwater(&["topics", "--source", &source(broker), "--partitions", "1"])?)?;
    copy_to(broker, log)
}

#[test]
fn a_broker_that_is_away_at_the_start_is_a_sentence_and_no_hang() -> Result<()> {
    let Some((broker, _folder)) = setup()? else { return Ok(()) };
    broker.stop()?;
    let away = headwater(&["topics", "--source", &source(&broker)])?;
    assert_eq!(away.status.code(), Some(1));
    let said = String::from_utf8_lossy(&away.stderr).into_owned();
    assert!(said.contains("is the broker running"), "{said}");
    broker.restart()?;
    succeed(headwater(&["topics", "--source", &source(&broker), "--partitions", "1"])?)
}

/// All 8,313 days of real prices.
#[test]
fn real_prices_through_a_broker_and_a_log_give_the_rows_of_the_recomputation() -> Result<()> {
    let Some((broker, folder)) = setup()? else { return Ok(()) };
    let (log, fills) = (folder.path().join("log"), prices::fills(400, 4, 6, 3));
    publish_market(&broker, &log, 8_313, &fills)?;
    let (by_log, by_kafka) = (folder.path().join("by-log"), folder.path().join("by-kafka"));
    run(&format!("log:{}", log.display()), &by_log, PLAIN)?;
    run(&source(&broker), &by_kafka, Way { workers: 2, tick: "10ms" })?;
    assert_same(&tables(&by_log)?, &tables(&by_kafka)?, "log and Kafka");
    assert_invariants(&by_kafka)?;
    assert_recomputed(&by_kafka, &fills)
}

#[test]
fn a_live_run_waits_for_a_broker_that_goes_away_and_sigterm_ends_it_cleanly() -> Result<()> {
    let Some((broker, folder)) = setup()? else { return Ok(()) };
    publish_market(&broker, &folder.path().join("log"), 320, &prices::fills(300, 4, 6, 3))?;
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
    let away = std::env::var("HEADWATER_BROKER_AWAY").ok().map_or(Ok(0), |seconds| seconds.parse())?;
    std::thread::sleep(Duration::from_secs(away));
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
    Ok(())
}

/// As after a topic was deleted and created anew, or a cluster was set up again beside an old data directory.
#[test]
fn a_topic_with_other_records_is_refused_although_it_has_as_many() -> Result<()> {
    let Some((broker, folder)) = setup()? else { return Ok(()) };
    let (source, data, events) = (source(&broker), folder.path().join("data"), folder.path().join("events.jsonl"));
    let publish = |config: &str, ids: std::ops::Range<usize>| -> Result<()> {
        let deposit = |id| {
            format!(
                "{{\"transaction_id\":\"t{id}\",\"account_id\":\"a\",\"type\":\"deposit\",\"amount\":\"1\",\"currency\":\"USD\",\"ts\":\"2026-01-05T10:00:00Z\"}}\n"
            )
        };
        std::fs::write(&events, ids.map(deposit).collect::<String>())?;
        succeed(headwater(&["topics", "--source", &source, "--config", config])?)?;
        succeed(headwater(&["publish", "--source", &source, "--config", config, "transactions", &events.display().to_string()])?)
    };
    let (first, second) = (folder.path().join("first.toml"), folder.path().join("second.toml"));
    for (config, alias) in [(&first, "first"), (&second, "second")] {
        let aliases = format!("[source]\naliases = {{ \"transactions\" = \"{alias}\" }}\n");
        std::fs::write(config, format!("[http]\naddress = \"\"\n[outbox]\ntopics = []\n{aliases}"))?;
    }
    let (first, second) = (first.display().to_string(), second.display().to_string());
    let (path, until_end) = (data.display().to_string(), "--until-end");
    let run_with = |config: &str, more: &[&str]| {
        headwater(&[&["run", until_end, "--source", &source, "--data", &path, "--config", config], more].concat())
    };
    publish(&first, 0..10)?;
    succeed(run_with(&first, &[])?)?;
    publish(&second, 100..115)?;
    let refused = run_with(&second, &[])?;
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(said.contains("topic second, partition 0") && said.contains("before offset 10") && said.contains("created anew"), "{said}");
    let listed = headwater(&["topics", "--source", &source, "--config", &second, "--data", &path])?;
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    let line = listed.lines().find(|line| line.starts_with("second ")).unwrap_or_default();
    assert!(line.ends_with('-'), "its lag is not that of the topic that was read: {line}");

    // The same topic is read on, and the other one from its beginning if the gap is accepted.
    publish(&first, 10..12)?;
    succeed(run_with(&first, &[])?)?;
    let posted = || headwater_tests::pipeline::rows(&data, "SELECT posted FROM balances WHERE account_id = 'a'");
    assert_eq!(posted()?, ["12"]);
    succeed(run_with(&second, &["--accept-gaps"])?)?;
    assert_eq!(posted()?, ["27"]);
    Ok(())
}

/// The published topics as a consumer of committed records sees them: for each, the records in order.
fn consumed(broker: &Broker, prefix: &str) -> Result<BTreeMap<String, Vec<String>>> {
    let transport = KafkaTransport::open(KafkaConfig { brokers: broker.bootstrap().to_owned(), ..KafkaConfig::default() })?;
    let mut topics = BTreeMap::new();
    for name in ["executions", "decisions", "positions", "alerts", "notifications", "dead_letters"] {
        let (topic, mut records) = (format!("{prefix}{name}"), Vec::new());
        let partitions = transport.partitions(&topic)?;
        if partitions.is_empty() {
            continue;
        }
        let mut reader = transport.reader(Box::new(|| ()))?;
        for partition in partitions {
            let (slot, begun) = (reader.assign(&topic, partition.partition, Offset::ZERO)?, Instant::now());
            let mut keep = |record: RawRecord<'_>| {
                records.push(String::from_utf8_lossy(record.value.unwrap_or_default()).into_owned());
                ControlFlow::Continue(())
            };
            while reader.read(slot, 1024, &mut keep)? != ReadStatus::End {
                anyhow::ensure!(begun.elapsed() < Duration::from_secs(60), "{topic} has no end");
            }
        }
        records.sort_unstable();
        let ids: BTreeSet<_> = records.iter().filter_map(|record| record.get(..40)).collect();
        assert_eq!(ids.len(), records.len(), "{topic}: each id once");
        topics.insert(name.to_owned(), records);
    }
    Ok(topics)
}

/// Runs are killed before and after a transaction is committed, and the broker is killed, too.
#[test]
fn runs_that_are_killed_publish_what_one_publishes_that_nobody_disturbed() -> Result<()> {
    let Some((broker, folder)) = setup()? else { return Ok(()) };
    let (broker, folder) = (&broker, folder.path());
    let log = folder.join("market");
    market::write(&log, &market::workload(4_000, 1, 9))?;
    succeed(headwater(&["topics", "--source", &source(broker), "--config", &prefixed(folder, "m.")?])?)?;
    for topic in std::fs::read_dir(&log)? {
        let (path, name) = (topic?.path(), |path: &Path| path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned());
        let file = path.join("0.jsonl").display().to_string();
        succeed(headwater(&["publish", "--source", &source(broker), "--config", &prefixed(folder, "m.")?, &name(&path), &file])?)?;
    }
    let run_as = |name: &str, kill_at: Option<&str>| -> Result<Option<i32>> {
        let aliases = ["executions", "decisions", "positions", "alerts", "notifications", "dead_letters"]
            .map(|topic| format!("{topic} = \"{name}.{topic}\""));
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

/// Stops a feeder on drop, also when an assertion fails: the test would wait for it for ever.
struct Stops<'a>(&'a AtomicBool);

impl Drop for Stops<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Publishes matching orders, and deposits: one of each every few milliseconds, up to 300 ms late, until stopped.
fn feed(bootstrap: &str, stop: &AtomicBool) -> Result<usize> {
    let transport = KafkaTransport::open(KafkaConfig { brokers: bootstrap.to_owned(), ..KafkaConfig::default() })?;
    let (mut publisher, mut dice) = (transport.publisher()?, prices::Dice(77));
    let mut sent = 0;
    while !stop.load(Ordering::Relaxed) {
        let late = |dice: &mut prices::Dice| headwater::wall_clock::now().get() - dice.below(300) * 1_000_000;
        let (side, owner) = if dice.below(2) == 0 { ("buy", "buyer") } else { ("sell", "seller") };
        let symbol = format!("S{}", dice.below(3));
        let order = format!(
            r#"{{"type":"new","order_id":"o{sent}","account_id":"{owner}","symbol":"{symbol}","side":"{side}","order_type":"limit","time_in_force":"gtc","quantity":{},"price":"{}","ts":{}}}"#,
            1 + dice.below(9),
            95 + dice.below(10),
            late(&mut dice)
        );
        publisher.send("e.orders", Some(symbol.as_bytes()), Some(order.as_bytes()))?;
        let account = format!("a{}", dice.below(5));
        let deposit = format!(
            r#"{{"transaction_id":"t{sent}","account_id":"{account}","type":"deposit","amount":"1","currency":"USD","ts":{}}}"#,
            late(&mut dice)
        );
        publisher.send("e.transactions", Some(account.as_bytes()), Some(deposit.as_bytes()))?;
        publisher.flush()?;
        sent += 1;
        std::thread::sleep(Duration::from_millis(dice.below(8)));
    }
    Ok(sent)
}

/// The published records of a topic without ids, and the rows of a query as the same JSON.
fn as_published(data: &Path, query: &str) -> Result<Vec<String>> {
    let mut objects = Vec::new();
    for batch in Catalog::open(data, None)?.query(query)? {
        objects.extend(json_objects(&batch?)?);
    }
    objects.sort_unstable();
    Ok(objects)
}

fn without_ids(records: &[String]) -> Vec<String> {
    let mut rest: Vec<_> = records.iter().filter_map(|record| Some(format!("{{{}", record.split_once(',')?.1))).collect();
    rest.sort_unstable();
    rest
}

/// A live run that is killed repeatedly while records arrive late: it publishes exactly the rows that are committed in the end.
#[test]
fn what_leaves_before_its_commit_is_published_once() -> Result<()> {
    let Some((broker, folder)) = setup()? else { return Ok(()) };
    let (broker, folder) = (&broker, folder.path());
    let (data, configured) = (folder.join("eager"), eager_topics(broker, folder)?);
    let live = |workers: &str| -> Result<Command> {
        let mut command = Command::new(binary()?);
        command.args(["run", "--source", &source(broker), "--config", &configured, "--workers", workers]).arg("--data").arg(&data);
        Ok(command)
    };
    // The second of two processes reads, too: decisions of its wall clock go to the first one's journal.
    let hosts = crate::cluster::hosts(folder, 2)?;
    let of_two = |number: &str| -> Result<Command> {
        let mut command = live("1")?;
        command.arg("--hosts").arg(&hosts).args(["--process", number]);
        Ok(command)
    };
    let (stop, mut ahead) = (AtomicBool::new(false), 0);
    let sent = std::thread::scope(|scope| -> Result<usize> {
        let feeder = scope.spawn(|| feed(broker.bootstrap(), &stop));
        let stops = Stops(&stop);
        let mut dice = prices::Dice(5);
        for (processes, kill_at) in
            [(1, None), (2, Some("journaled:0")), (1, Some("sent:3")), (2, None), (1, Some("published:4")), (2, None), (1, None)]
        {
            let mut second = if processes == 2 { Some(of_two("1")?.stderr(Stdio::null()).spawn()?) } else { None };
            let mut first = if processes == 2 { of_two("0")? } else { live(if dice.below(2) == 0 { "1" } else { "2" })? };
            let mut process = first.envs(kill_at.map(|at| ("HEADWATER_KILL_AT", at))).spawn()?;
            let patience = Duration::from_millis(if kill_at.is_some() { 20_000 } else { 3_500 + dice.below(2_000) });
            assert_eq!(killed_after(&mut process, patience)?, None, "killed at {kill_at:?}");
            let ended = second.as_mut().map(std::process::Child::wait).transpose()?;
            assert!(ended.is_none_or(|status| status.code() == Some(1)), "the other process of two ends, too: {ended:?}");
            let published = consumed(broker, "e.")?.get("executions").map_or(0, Vec::len);
            let committed = as_published(&data, "SELECT execution_id FROM executions").map_or(0, |rows| rows.len());
            println!("{processes} killed at {kill_at:?}: {published} executions published, {committed} committed");
            ahead += usize::from(published > committed);
        }
        drop(stops);
        feeder.join().map_err(|_| anyhow::anyhow!("the feeder panicked"))?
    })?;
    assert!(ahead > 0, "executions were published before their commit");

    let process = live("1")?.spawn()?;
    stop_after(process, all_arrived(&data, sent))?;
    assert_published_as_committed(broker, &data, &configured)
}

/// The same with a bucket: the run continues on another machine, which has neither the journal nor the commits in its folder.
#[test]
fn what_leaves_before_its_commit_is_published_once_whatever_machine_continues() -> Result<()> {
    let Some((broker, folder)) = setup()? else { return Ok(()) };
    let Some(store) = ObjectStore::start()? else { return Ok(()) };
    let (broker, folder) = (&broker, folder.path());
    let (configured, with_bucket) = (eager_topics(broker, folder)?, folder.join("bucket.toml"));
    std::fs::write(&with_bucket, format!("{}{}", std::fs::read_to_string(&configured)?, store.section("eager")))?;
    let live = |machine: usize| -> Result<Command> {
        let mut command = Command::new(binary()?);
        command.args(["run", "--source", &source(broker), "--config"]).arg(&with_bucket);
        with_credentials(command.arg("--data").arg(folder.join(format!("machine{machine}"))));
        Ok(command)
    };
    let (stop, mut ahead, kills) =
        (AtomicBool::new(false), 0, ["journaled:0", "sent:3", "shared:4", "published:5", "recorded:6", "journaled:0"]);
    let sent = std::thread::scope(|scope| -> Result<usize> {
        let feeder = scope.spawn(|| feed(broker.bootstrap(), &stop));
        let stops = Stops(&stop);
        for (machine, kill_at) in kills.into_iter().enumerate() {
            let mut process = live(machine)?.env("HEADWATER_KILL_AT", kill_at).spawn()?;
            assert_eq!(killed_after(&mut process, Duration::from_secs(20))?, None, "killed at {kill_at}");
            let published = consumed(broker, "e.")?.get("executions").map_or(0, Vec::len);
            let committed = as_published(&folder.join(format!("machine{machine}")), "SELECT execution_id FROM executions");
            ahead += usize::from(published > committed.map_or(0, |rows| rows.len()));
        }
        drop(stops);
        feeder.join().map_err(|_| anyhow::anyhow!("the feeder panicked"))?
    })?;
    assert!(ahead > 0, "executions were published before their commit");

    let data = folder.join(format!("machine{}", kills.len()));
    let process = live(kills.len())?.spawn()?;
    stop_after(process, all_arrived(&data, sent))?;
    assert_published_as_committed(broker, &data, &configured)
}

/// Waits until a process ends, and kills it after a while. Returns its exit code; `None` if a signal ended it.
fn killed_after(process: &mut Child, patience: Duration) -> Result<Option<i32>> {
    let begun = Instant::now();
    while process.try_wait()?.is_none() && begun.elapsed() < patience {
        std::thread::sleep(Duration::from_millis(10));
    }
    process.kill()?;
    Ok(process.wait()?.code())
}

/// Waits until all deposits that were sent are committed.
fn all_arrived(data: &Path, sent: usize) -> Result<()> {
    wait_for(data, &format!("SELECT 1 FROM (SELECT SUM(posted) AS posted FROM balances WHERE account_id LIKE 'a%') WHERE posted = {sent}"))
}

/// Stops a live run, also if what it was to do was not seen, and fails then.
fn stop_after(mut process: Child, seen: Result<()>) -> Result<()> {
    Command::new("kill").arg(process.id().to_string()).status()?;
    let status = process.wait()?;
    seen?;
    assert!(status.success(), "{status:?}");
    Ok(())
}

/// Creates topics for runs that publish before their commits, with some instruments. Returns their configuration file.
fn eager_topics(broker: &Broker, folder: &Path) -> Result<String> {
    let config = folder.join("eager.toml");
    let text = "[time]\nidle_allowance = \"10ms\"\n[http]\naddress = \"\"\n[source]\ntopic_prefix = \"e.\"\n[commit]\ninterval = \"1s\"\n\
                [outbox]\ntopics = [\"executions\", \"decisions\"]\neager = [\"executions\", \"decisions\"]\n";
    std::fs::write(&config, text)?;
    let configured = config.display().to_string();
    succeed(headwater(&["topics", "--source", &source(broker), "--config", &configured, "--partitions", "2"])?)?;
    let instrument = |number| {
        format!("{{\"symbol\":\"S{number}\",\"asset_class\":\"equity\",\"currency\":\"USD\",\"tick_size\":\"0.01\",\"lot_size\":\"1\"}}\n")
    };
    publish_eager(broker, &configured, "instruments", &(0..3).map(instrument).collect::<String>())?;
    Ok(configured)
}

/// Publishes records to one of those topics.
fn publish_eager(broker: &Broker, configured: &str, topic: &str, records: &str) -> Result<()> {
    let file = Path::new(configured).with_file_name(format!("{topic}.jsonl"));
    std::fs::write(&file, records)?;
    succeed(headwater(&["publish", "--source", &source(broker), "--config", configured, topic, &file.display().to_string()])?)
}

/// Fails if other executions or decisions were published than are committed, or if a replay makes other rows: the decisions of the
/// wall clock are in the tables.
fn assert_published_as_committed(broker: &Broker, data: &Path, configured: &str) -> Result<()> {
    let published = consumed(broker, "e.")?;
    for (topic, query) in [
        ("executions", "SELECT * EXCEPT (commit_id) FROM executions"),
        ("decisions", "SELECT * EXCEPT (change, tick, reason, commit_id) FROM decisions_history WHERE change = 1"),
    ] {
        let (expected, actual) = (as_published(data, query)?, without_ids(published.get(topic).map_or(&[], Vec::as_slice)));
        assert!(expected.len() > 200, "{topic}: {} rows", expected.len());
        for (expected, actual) in expected.iter().zip(&actual) {
            assert_eq!(expected, actual, "{topic}");
        }
        assert_eq!(expected.len(), actual.len(), "{topic}");
    }
    assert_invariants(data)?;
    let mut replay = Command::new(binary()?);
    replay.args(["replay", "--source", &source(broker), "--config", configured]).arg("--out").arg(data.with_file_name("eager-again"));
    succeed(replay.arg("--against").arg(data).output()?)
}

/// Rules that change again and again in a live run: what was computed beyond a change does not leave.
#[test]
fn what_leaves_before_its_commit_is_decided_by_the_rules_in_force() -> Result<()> {
    let Some((broker, folder)) = setup()? else { return Ok(()) };
    let (broker, folder) = (&broker, folder.path());
    let (data, configured) = (folder.join("eager"), eager_topics(broker, folder)?);
    let mut live = Command::new(binary()?);
    live.args(["run", "--source", &source(broker), "--config", &configured, "--workers", "2"]).arg("--data").arg(&data);
    let process = live.spawn()?;
    let stop = AtomicBool::new(false);
    let changed = std::thread::scope(|scope| -> Result<usize> {
        let feeder = scope.spawn(|| feed(broker.bootstrap(), &stop));
        let stops = Stops(&stop);
        let changed = (1..=4).try_for_each(|version| {
            // The pack of before gives multiples of ten.
            let pack = format!(
                "name = \"banking\"\nsubject = \"transaction\"\n[thresholds]\nreview = 1\nblock = 90\n\
                 [[rule]]\nname = \"any\"\nwhen = \"amount > 0\"\npoints = {version}1\n"
            );
            let (pack, now) = (serde_json::Value::from(pack), headwater::wall_clock::now());
            let of_version = format!("\"ruleset\":\"banking\",\"version\":\"{version}\",\"ts\":{now}");
            let proposed = format!("{{\"type\":\"proposed\",{of_version},\"actor\":\"ann\",\"pack\":{pack}}}\n");
            let approved = format!("{{\"type\":\"approved\",{of_version},\"actor\":\"bob\"}}\n");
            publish_eager(broker, &configured, "rules", &format!("{proposed}{approved}"))?;
            wait_for(&data, &format!("SELECT 1 FROM decisions WHERE score = {version}1 LIMIT 1"))
        });
        drop(stops);
        let sent = feeder.join().map_err(|_| anyhow::anyhow!("the feeder panicked"))?;
        changed.and(sent)
    });
    stop_after(process, changed.and_then(|sent| all_arrived(&data, sent)))?;
    let versions = headwater_tests::pipeline::rows(&data, "SELECT version, state FROM rule_versions ORDER BY 1")?;
    assert_eq!(versions, ["1,superseded", "2,superseded", "3,superseded", "4,effective"]);
    assert_published_as_committed(broker, &data, &configured)
}
