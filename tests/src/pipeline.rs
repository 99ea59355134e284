//! The pipeline as its users run it: the real binary, its exit code, its tables.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use anyhow::{Context, Result, bail};
use headwater_schemas::tables::declarations;
use headwater_sql::{Catalog, Format, QueryResult};
use serde_json::Value;

/// Tables with positions in topics, or decisions of the wall clock.
const OF_THE_RUN: [&str; 11] = [
    "remap",
    "audit",
    "reference_records",
    "rule_events",
    "position_trades",
    "waiting_transactions",
    "transfer_steps",
    "payment_steps",
    "round_trip_transfers",
    "round_trips",
    "surveillance_events",
];

/// The tables whose rows must not depend on how a run was made.
fn independent_tables() -> impl Iterator<Item = &'static str> {
    declarations().into_iter().map(|declaration| declaration.spec.name).filter(|name| !OF_THE_RUN.contains(name))
}

/// The binary, in the folder of the running test.
pub fn binary() -> Result<PathBuf> {
    let test = std::env::current_exe()?;
    let folder = test.parent().and_then(Path::parent).context("the test has no target folder")?;
    let binary = folder.join("headwater");
    if !binary.exists() {
        bail!("{} is missing: run the tests with `cargo test --workspace`, which builds it", binary.display());
    }
    Ok(binary)
}

/// Parameters of a run.
#[derive(Clone, Copy, Debug)]
pub struct Way {
    /// Threads.
    pub workers: u16,
    /// The tick interval, as written in the configuration.
    pub tick: &'static str,
}

/// The default way.
pub const PLAIN: Way = Way { workers: 1, tick: "10ms" };

/// Files are merged early and removed at once: so every scenario also tests that results do not depend on upkeep.
const UPKEEP: &str = "[upkeep]\nevery = 4\ngrace = \"0s\"\nwhole_from_changes = 500\n";

/// The command of a bounded run.
pub fn command(source: &str, data: &Path, way: Way) -> Result<Command> {
    command_with(source, data, way, "", "200ms")
}

/// The same with more configuration, and another commit interval.
pub fn command_with(source: &str, data: &Path, way: Way, more: &str, interval: &str) -> Result<Command> {
    let config = data.with_extension("toml");
    let tick = way.tick;
    // Several runs of a scenario read the same log, so they do not publish to it unless they ask for it.
    let outbox = if more.contains("[outbox]") { "" } else { "[outbox]\ntopics = []\n" };
    let upkeep = if more.contains("[upkeep]") { "" } else { UPKEEP };
    let text =
        format!("[time]\ntick_interval = \"{tick}\"\n[http]\naddress = \"\"\n[commit]\ninterval = \"{interval}\"\n{upkeep}{outbox}{more}");
    std::fs::write(&config, text)?;
    let mut command = Command::new(binary()?);
    command.args(["run", "--until-end", "--source", source, "--workers", &way.workers.to_string()]);
    command.arg("--data").arg(data).arg("--config").arg(config);
    Ok(command)
}

/// Runs to the source's end.
pub fn run(source: &str, data: &Path, way: Way) -> Result<()> {
    succeed(command(source, data, way)?.output()?)
}

/// Starts a bounded run without waiting for it.
pub fn start(source: &str, data: &Path, way: Way) -> Result<Child> {
    Ok(command(source, data, way)?.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?)
}

/// The published topics, line by line, in the order of arrival. Lines of different keys may arrive in another order, those of one
/// key may not.
pub fn published(log: &Path) -> Result<BTreeMap<String, Vec<String>>> {
    let mut topics = BTreeMap::new();
    for name in ["executions", "decisions", "positions", "alerts", "dead_letters"] {
        let text = std::fs::read_to_string(log.join(name).join("0.jsonl")).with_context(|| format!("topic {name}"))?;
        let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
        lines.sort_unstable();
        let distinct = lines.windows(2).all(|pair| matches!(pair, [a, b] if a != b));
        assert!(distinct, "{name}: a record came twice");
        topics.insert(name.to_owned(), lines);
    }
    Ok(topics)
}

/// Any other command of the binary.
pub fn headwater(arguments: &[&str]) -> Result<Output> {
    Ok(Command::new(binary()?).args(arguments).output()?)
}

/// Replays a run on a log with its configuration, and fails if a table differs.
pub fn replay(log: &Path, out: &Path, against: &Path) -> Result<()> {
    let text = |path: &Path| path.display().to_string();
    let [source, out, data, config] = [format!("log:{}", text(log)), text(out), text(against), text(&against.with_extension("toml"))];
    succeed(headwater(&["replay", "--source", &source, "--out", &out, "--against", &data, "--config", &config])?)
}

/// Fails with the process's output if it failed.
pub fn succeed(output: Output) -> Result<()> {
    if !output.status.success() {
        bail!("exit {:?}: {}", output.status.code(), String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}

/// Writes a topic's partition into a log.
pub fn write_log(log: &Path, topic: &str, partition: u16, records: &str) -> Result<()> {
    let folder = log.join(topic);
    std::fs::create_dir_all(&folder)?;
    let mut file = std::fs::File::options().create(true).append(true).open(folder.join(format!("{partition}.jsonl")))?;
    file.write_all(records.as_bytes())?;
    Ok(())
}

/// The result of a query, as lines of CSV without the header.
pub fn rows(data: &Path, query: &str) -> Result<Vec<String>> {
    let catalog = Catalog::open(data, None)?;
    let mut text = Vec::new();
    catalog.query(query)?.write(Format::Csv, &mut text)?;
    Ok(String::from_utf8(text)?.lines().skip(1).map(str::to_owned).collect())
}

/// The rows of an answer, a JSON object each: decimals are texts.
pub fn objects(answer: QueryResult) -> Result<Vec<Value>> {
    let mut text = Vec::new();
    answer.write(Format::Json, &mut text)?;
    Ok(serde_json::from_slice(&text)?)
}

/// The names in a folder that end so, in order, without the ending.
pub fn names_in(folder: &Path, ending: &str) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        names.extend(entry?.file_name().to_string_lossy().strip_suffix(ending).map(str::to_owned));
    }
    names.sort_unstable();
    Ok(names)
}

/// A shell that runs a script, with a folder's programs before all others.
pub fn shell(script: &str, programs: &Path) -> Command {
    let path = std::env::var("PATH").unwrap_or_default();
    let mut command = Command::new("bash");
    command.args(["-e", "-o", "pipefail", "-c", script]).env("PATH", format!("{}:{path}", programs.display()));
    command
}

/// All rows of all tables, in order, without values that differ by definition: commit ids, and offsets where transports count
/// differently.
pub fn tables(data: &Path) -> Result<BTreeMap<&'static str, Vec<String>>> {
    let table = |name: &'static str| {
        let except = if name == "dead_letters" { "commit_id, \"offset\", \"partition\", \"key\"" } else { "commit_id" };
        let mut rows = rows(data, &format!("SELECT * EXCEPT ({except}) FROM {name}"))?;
        rows.sort_unstable();
        Ok((name, rows))
    };
    independent_tables().map(table).collect()
}

/// The same for two runs on the same topics with the same tick: also what depends on offsets, and every change.
pub fn everything(data: &Path) -> Result<BTreeMap<String, Vec<String>>> {
    let relations = rows(data, "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'")?;
    let stored = relations.into_iter().filter(|name| {
        let table = name.strip_suffix("_history").unwrap_or(name);
        headwater_sql::tables().iter().any(|known| known.spec.name == table)
    });
    let table = |name: String| {
        let mut rows = rows(data, &format!("SELECT * EXCEPT (commit_id) FROM {name}"))?;
        rows.sort_unstable();
        Ok((name, rows))
    };
    stored.map(table).collect()
}

/// Compares all tables; the error names the first difference.
pub fn assert_same<N: Ord + std::fmt::Display>(expected: &BTreeMap<N, Vec<String>>, actual: &BTreeMap<N, Vec<String>>, what: &str) {
    for (table, rows) in expected {
        let others = actual.get(table).map(Vec::as_slice).unwrap_or_default();
        for (left, right) in rows.iter().zip(others) {
            assert_eq!(left, right, "{what}: {table} differs");
        }
        assert_eq!(rows.len(), others.len(), "{what}: {table} has another number of rows");
    }
}

/// Asserts the invariants of every run: legs sum to zero, realized + unrealized = cash flow + market value, no book is crossed.
pub fn assert_invariants(data: &Path) -> Result<()> {
    let data_argument = data.display().to_string();
    succeed(headwater(&["verify", "--data", &data_argument])?)?;
    assert_eq!(rows(data, "SELECT * FROM crossed_books")?, Vec::<String>::new(), "crossed books");
    Ok(())
}
