//! Metrics of a run: they follow Prometheus's conventions, and a real Prometheus can evaluate boards and alerts.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use headwater_connectors::testing::workspace;
use headwater_schemas::Topic;
use headwater_tests::exposition::{Family, Live, families, free_address, wait_until};
use headwater_tests::pipeline::binary;
use headwater_tests::prometheus::{Prometheus, dashboard, promtool};
use serde_json::Value;

const BOARDS: [&str; 2] = ["freshness.json", "pipeline.json"];

/// Exported only by a run that reads Kafka.
const OF_KAFKA: &str = "headwater_partition_lag_records";

/// Units at the end of a name, before `_total`, and as they are written in help texts.
const UNITS: [(&str, &str); 15] = [
    ("seconds", "second"),
    ("bytes", "byte"),
    ("records", "record"),
    ("letters", "records rejected"),
    ("events", "event"),
    ("rows", "row"),
    ("commits", "commit"),
    ("schemas", "schema"),
    ("requests", "request"),
    ("reports", "reports"),
    ("files", "file"),
    ("fds", "file descriptor"),
    ("threads", "thread"),
    ("id", "number"),
    ("info", "always 1"),
];

#[test]
fn a_run_exports_metrics_by_the_conventions_and_as_dashboards_name_them() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let demo = Live::demo(folder.path())?;
    let text = demo.text()?;
    drop(demo);
    let exported = families(&text)?;
    for (name, family) in &exported {
        assert_named_by_the_conventions(name, family);
        assert_labels_are_bounded(name, family);
    }
    if let Some(linted) = promtool(&["check", "metrics"], &text)? {
        let said = [linted.stdout, linted.stderr].concat();
        assert!(linted.status.success() && said.is_empty(), "promtool check metrics: {}", String::from_utf8_lossy(&said));
    }
    assert_eq!(described(&exported), documented()?, "what a run exports, and the table of docs/dashboards.md");
    let known: BTreeSet<&str> = exported.keys().map(String::as_str).chain([OF_KAFKA]).collect();
    for file in BOARDS.into_iter().chain(["alerts.yml", "alerts.test.yml"]) {
        let named = named_in(&std::fs::read_to_string(dashboard(file))?);
        assert!(!named.is_empty(), "{file} names no metric");
        let unknown: Vec<_> = named.iter().filter(|name| !known.contains(base(name, &exported))).collect();
        assert!(unknown.is_empty(), "{file} names metrics that no run exports: {unknown:?}");
    }
    Ok(())
}

#[test]
fn probes_are_answered_while_brokers_are_away_at_the_start() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (config, address, nobody) = (folder.path().join("config.toml"), free_address()?, free_address()?);
    std::fs::write(&config, format!("[http]\naddress = \"{address}\"\n"))?;
    let mut command = Command::new(binary()?);
    command.args(["run", "--source", &format!("kafka://{nobody}"), "--data"]).arg(folder.path().join("data"));
    let run = Live::start(command.arg("--config").arg(&config), address)?;
    wait_until("the run answers", || Ok(run.answers_ok("/health/live")))?;
    assert!(!run.answers_ok("/health/startup") && !run.answers_ok("/health/ready"), "nothing is read");
    assert!(run.text()?.contains("headwater_build_info"));
    run.terminate()
}

#[test]
fn every_expression_of_boards_and_alerts_is_answered_by_a_real_prometheus() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let demo = Live::demo(folder.path())?;
    let Some(prometheus) = Prometheus::start(folder.path(), &demo.address)? else { return Ok(()) };
    wait_until("five scrapes", || Ok(!prometheus.query("count_over_time(headwater_commits_total[1m]) >= 5")?.is_empty()))?;
    let healthy = |alert: &Value| alert.get("health").is_some_and(|health| health == "ok");
    wait_until("alerts are evaluated", || {
        let alerts = prometheus.alerts()?;
        let failed = alerts.iter().find(|alert| alert.get("lastError").is_some());
        ensure!(failed.is_none(), "an alert cannot be evaluated: {failed:?}");
        Ok(!alerts.is_empty() && alerts.iter().all(healthy))
    })?;
    let of_alerts = prometheus.alerts()?.into_iter().filter_map(|alert| Some(alert.get("query")?.as_str()?.to_owned()));
    let mut expressions: Vec<_> = of_alerts.collect();
    assert_eq!(expressions.len(), std::fs::read_to_string(dashboard("alerts.yml"))?.matches("- alert:").count());
    for board in BOARDS {
        let of_board = expressions_of(board)?;
        assert!(!of_board.is_empty(), "{board} has no expressions");
        expressions.extend(of_board);
    }
    for expression in expressions {
        prometheus.query(&expression)?;
        assert_has_data(&prometheus, &expression)?;
    }
    Ok(())
}

/// Asserts that an expression yields series, with comparisons changed to keep the series that they would drop. In this run it may
/// yield none only if it asks for Kafka, or for what is absent.
fn assert_has_data(prometheus: &Prometheus, expression: &str) -> Result<()> {
    let absent = expression.strip_prefix("absent(").and_then(|rest| rest.strip_suffix(')'));
    if let Some(present) = absent {
        assert!(prometheus.query(expression)?.is_empty(), "{expression}: a run is scraped");
        return assert_has_data(prometheus, present);
    }
    let unfiltered = [" > ", " == "].iter().fold(expression.to_owned(), |text, by| text.replace(by, &format!("{by}bool ")));
    let is_empty = prometheus.query(&unfiltered)?.is_empty();
    let of_kafka = named_in(expression).iter().all(|name| name == OF_KAFKA);
    assert_eq!(is_empty, of_kafka, "{unfiltered}: series of a run that reads a log");
    Ok(())
}

/// Expressions of a board, as Grafana asks them of all instances.
fn expressions_of(board: &str) -> Result<Vec<String>> {
    let board: Value = serde_json::from_str(&std::fs::read_to_string(dashboard(board))?)?;
    let list = |value: &Value, pointer: &str| value.pointer(pointer).and_then(Value::as_array).cloned().unwrap_or_default();
    let panels = list(&board, "/panels");
    let targets = panels.iter().flat_map(|panel| list(panel, "/targets"));
    let mut expressions = targets
        .map(|target| Some(target.get("expr")?.as_str()?.replace("$instance", ".*").replace("$__rate_interval", "1m")))
        .collect::<Option<Vec<_>>>()
        .context("a target without an expression")?;
    for variable in list(&board, "/templating/list") {
        let Some(query) = variable.pointer("/query/query").and_then(Value::as_str) else { continue };
        let asked = query.strip_prefix("label_values(").and_then(|query| query.strip_suffix(')'));
        let (metric, label) = asked.and_then(|asked| asked.split_once(", ")).with_context(|| format!("no label_values: {query}"))?;
        expressions.push(format!("group by ({label}) ({metric})"));
    }
    Ok(expressions)
}

fn assert_named_by_the_conventions(name: &str, family: &Family) {
    let is_word = |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    assert!(name.starts_with("headwater_") && name.split('_').all(is_word), "{name} is not headwater_<noun>_<unit>");
    assert!(["counter", "gauge", "histogram"].contains(&family.kind.as_str()), "{name} is a {}", family.kind);
    assert_eq!(name.ends_with("_total"), family.kind == "counter", "{name} is a {}", family.kind);
    let unit = name.trim_end_matches("_total").rsplit('_').next().unwrap_or_default();
    let known = UNITS.iter().find(|(known, _)| *known == unit);
    assert!(known.is_some(), "{name} ends in no unit");
    let (help, word) = (&family.help, known.map_or("", |(_, word)| word));
    assert!(help.ends_with('.') && help.to_lowercase().contains(word), "{name}: the help text lacks its unit, or a full stop: {help}");
    assert!(unit != "info" || family.series.iter().all(|series| (series.value - 1.0).abs() < f64::EPSILON), "{name} is not 1");
}

/// Values of labels are a fixed set, or as many as there are partitions, workers or operators.
fn assert_labels_are_bounded(name: &str, family: &Family) {
    let topics: BTreeSet<&str> = Topic::ALL.iter().map(|topic| topic.as_str()).collect();
    for series in &family.series {
        for (label, value) in &series.labels {
            let bounded = match label.as_str() {
                "topic" => topics.contains(value.as_str()),
                "partition" | "worker" => value.parse::<u8>().is_ok(),
                "operator" => value.chars().all(|letter| letter.is_ascii_alphabetic() || letter == ' '),
                "version" => value == env!("CARGO_PKG_VERSION"),
                "le" => family.kind == "histogram",
                _ => false,
            };
            assert!(bounded, "{name}: {label} = {value:?}");
        }
    }
}

/// Type and labels of each metric.
type Described = BTreeMap<String, (String, String)>;

fn described(exported: &BTreeMap<String, Family>) -> Described {
    let row = |(name, family): (&String, &Family)| {
        let labels: Vec<_> = family.labels().into_iter().collect();
        (name.clone(), (family.kind.clone(), labels.join(" ")))
    };
    exported.iter().map(row).collect()
}

/// The table of `docs/dashboards.md`, without metrics that only a run on Kafka exports.
fn documented() -> Result<Described> {
    let text = std::fs::read_to_string(workspace().join("docs/dashboards.md"))?;
    let row = |line: &str| {
        let mut cells = line.strip_prefix("| `headwater_")?.split('|').map(|cell| cell.trim_matches([' ', '`']));
        let (name, kind, labels) = (cells.next()?, cells.next()?, cells.next()?);
        let mut labels: Vec<_> = labels.split("`, `").filter(|label| !label.is_empty()).collect();
        labels.sort_unstable();
        Some((format!("headwater_{name}"), (kind.to_owned(), labels.join(" "))))
    };
    Ok(text.lines().filter_map(row).filter(|(name, _)| name != OF_KAFKA).collect())
}

/// Names of metrics in a text.
fn named_in(text: &str) -> BTreeSet<String> {
    let words = text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
    words.filter(|word| word.starts_with("headwater_")).map(str::to_owned).collect()
}

/// The metric of a series' name: a histogram has series for its buckets, sum and count.
fn base<'a>(name: &'a str, exported: &BTreeMap<String, Family>) -> &'a str {
    let of_histogram = ["_bucket", "_sum", "_count"].iter().find_map(|part| name.strip_suffix(part));
    of_histogram.filter(|base| exported.get(*base).is_some_and(|family| family.kind == "histogram")).unwrap_or(name)
}
