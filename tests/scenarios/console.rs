//! The console through the real binary: its page in a real Chromium, and clients that follow tables and are cut off all the time.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use headwater_connectors::testing::workspace;
use headwater_sql::{Catalog, json_objects};
use headwater_tests::events::Events;
use headwater_tests::exposition::{Live, free_address, get, wait_until};
use headwater_tests::pipeline::{binary, write_log};
use headwater_tests::scripts::python;

/// Tables that are followed: two of states, one of facts.
const FOLLOWED: [&str; 3] = ["balances", "holdings", "ledger_entries"];
/// A record that is none, and that a page must not read as its own.
const HOSTILE: &str = "<img src=x onerror=document.title='hacked'>\n";

/// A process that is killed on drop.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A demo with the console at an address, for some seconds.
fn demo(folder: &Path, address: &str, seconds: u32) -> Result<Command> {
    let config = folder.join("demo.toml");
    std::fs::write(&config, format!("[http]\naddress = \"{address}\"\n[serve]\naddress = \"\"\n[commit]\ninterval = \"200ms\"\n"))?;
    let mut command = Command::new(binary()?);
    command.args(["demo", "--seed", "7", "--for", &format!("{seconds}s"), "--data"]).arg(folder.join("data"));
    command.arg("--config").arg(config).stdout(Stdio::null()).stderr(Stdio::null());
    Ok(command)
}

/// `headwater serve` with the console at an address.
fn serve(data: &Path, address: &str) -> Result<Process> {
    let mut command = Command::new(binary()?);
    command.args(["serve", "--listen", "127.0.0.1:0", "--console", address, "--data"]).arg(data);
    let mut process = command.stdout(Stdio::piped()).spawn()?;
    let mut lines = BufReader::new(process.stdout.take().context("output")?).lines();
    let printed = lines.by_ref().take(2).collect::<std::io::Result<Vec<_>>>()?;
    let process = Process(process);
    let expected = format!("Console: http://{address}/");
    ensure!(printed.last() == Some(&expected), "{printed:?} is printed, not {expected}");
    Ok(process)
}

/// A client that follows a table, and the sum of all changes that it got.
struct Follower {
    table: &'static str,
    last: Option<String>,
    /// How often each row is there, by its JSON.
    rows: BTreeMap<String, i64>,
    cuts: usize,
}

impl Follower {
    fn new(table: &'static str) -> Self {
        Self { table, last: None, rows: BTreeMap::new(), cuts: 0 }
    }

    /// Reads some events, and breaks off. False if the server is not there any more.
    fn read(&mut self, address: &str, events: usize) -> Result<bool> {
        let path = format!("/api/changes?table={}&from=0", self.table);
        let Ok(mut stream) = Events::open(address, &path, self.last.as_deref()) else { return Ok(false) };
        self.cuts += 1;
        for _ in 0..events {
            let Some(event) = stream.read()? else { return Ok(true) };
            for change in event.data.get("changes").and_then(|changes| changes.as_array()).context("changes")? {
                let mut row = change.clone();
                let fields = row.as_object_mut().context("a row")?;
                let diff = fields.remove("diff").and_then(|diff| diff.as_i64()).context("a diff")?;
                // These are of the change, not of the row.
                for of_change in ["tick", "reason", "commit_id"] {
                    fields.remove(of_change);
                }
                *self.rows.entry(row.to_string()).or_default() += diff;
            }
            self.last = Some(event.id);
        }
        Ok(true)
    }

    /// The rows that are there after all changes.
    fn sum(&self) -> Vec<String> {
        assert!(self.rows.values().all(|count| *count >= 0), "{}: a row went that had not come", self.table);
        let left = self.rows.iter().filter(|(_, count)| **count != 0);
        left.flat_map(|(row, count)| std::iter::repeat_n(row.clone(), usize::try_from(*count).unwrap_or(0))).collect()
    }
}

/// The rows of a table, in the order of their JSON.
fn rows(catalog: &Catalog, table: &str) -> Result<Vec<String>> {
    let mut rows = Vec::new();
    for batch in catalog.query(&format!("SELECT * FROM {table}"))? {
        for row in json_objects(&batch?)? {
            let mut row: serde_json::Value = serde_json::from_str(&row)?;
            row.as_object_mut().context("a row")?.remove("commit_id");
            rows.push(row.to_string());
        }
    }
    rows.sort_unstable();
    Ok(rows)
}

/// The last commit with changes of a table.
fn last_commit(catalog: &Catalog, table: &str) -> Result<String> {
    let history = if table == "ledger_entries" { "" } else { "_history" };
    let query = format!("SELECT CAST(MAX(commit_id) AS VARCHAR) AS last FROM {table}{history}");
    let batch = catalog.query(&query)?.next().context("a row")??;
    let row: serde_json::Value = serde_json::from_str(json_objects(&batch)?.first().context("a row")?)?;
    Ok(row.get("last").and_then(|last| last.as_str()).context("a commit")?.to_owned())
}

#[test]
fn a_client_that_is_cut_off_after_every_event_has_the_table() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (data, address) = (folder.path().join("data"), free_address()?);
    let mut live = Live::start(&mut demo(folder.path(), &address, 10)?, address.clone())?;
    wait_until("the first commit", || Ok(get(&address, "/health/startup").is_ok()))?;
    let mut followers = FOLLOWED.map(Follower::new);
    // As long as the demo runs; its end breaks off the streams, too.
    while live.is_running()? {
        for follower in &mut followers {
            if !follower.read(&address, 1)? {
                sleep(Duration::from_millis(50));
            }
        }
    }
    let live_cuts = followers.iter().map(|follower| follower.cuts).min().unwrap_or(0);
    ensure!(live_cuts > 2, "a follower was cut off {live_cuts} times during the run");
    let server = serve(&data, &address)?;
    let catalog = Catalog::open(&data, None)?;
    for follower in &mut followers {
        let last = last_commit(&catalog, follower.table)?;
        while follower.last.as_ref() != Some(&last) {
            ensure!(follower.read(&address, 1)?, "the server ended");
        }
        assert_eq!(follower.sum(), rows(&catalog, follower.table)?, "{}", follower.table);
    }
    drop(server);
    Ok(())
}

#[test]
fn every_point_of_a_stream_can_be_resumed() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (data, address) = (folder.path().join("data"), free_address()?);
    ensure!(demo(folder.path(), &address, 3)?.status()?.success(), "the demo failed");
    let _server = serve(&data, &address)?;
    let catalog = Catalog::open(&data, None)?;
    let path = "/api/changes?table=holdings&from=0&columns=account_id,symbol,quantity&where=change%20%3E%200";
    let last = last_commit(&catalog, "holdings")?;
    let all = read_until(Events::open(&address, path, None)?, &last)?;
    ensure!(all.len() > 2, "{} events", all.len());
    let ids: std::collections::BTreeSet<_> = all.iter().map(|event| &event.id).collect();
    assert_eq!(ids.len(), all.len(), "each id is of one event");
    for (place, event) in all.iter().enumerate().take(all.len() - 1) {
        let rest = read_until(Events::open(&address, path, Some(&event.id))?, &last)?;
        assert_eq!(rest, all[place + 1..], "after {}", event.id);
    }
    Ok(())
}

fn read_until(mut events: Events, last: &str) -> Result<Vec<headwater_tests::events::Event>> {
    let mut all = Vec::new();
    loop {
        let event = events.read()?.context("the stream ended")?;
        let is_last = event.id == last;
        all.push(event);
        if is_last {
            return Ok(all);
        }
    }
}

/// The package that drives the browser; the browser is the system's.
const PLAYWRIGHT: [&str; 1] = ["playwright==1.56.0"];

#[test]
fn the_page_shows_a_demo_in_a_browser() -> Result<()> {
    let Some(browser) = Browser::find()? else { return Ok(()) };
    let folder = tempfile::tempdir()?;
    let address = free_address()?;
    let _live = Live::start(&mut demo(folder.path(), &address, 600)?, address.clone())?;
    wait_until("the first commit", || Ok(get(&address, "/health/startup").is_ok()))?;
    write_log(&folder.path().join("data/log"), "orders", 0, HOSTILE)?;
    write_log(&folder.path().join("data/log"), "transactions", 0, &HOSTILE.repeat(2))?;
    let pictures = std::env::var("HEADWATER_PICTURES").unwrap_or_else(|_| "-".to_owned());
    let mut script = browser.start(&address, &pictures, &[])?;
    ensure!(script.line()? == "done", "the page failed");
    script.succeed()
}

#[test]
fn the_page_comes_back_after_its_server() -> Result<()> {
    let Some(browser) = Browser::find()? else { return Ok(()) };
    let folder = tempfile::tempdir()?;
    let (data, address) = (folder.path().join("data"), free_address()?);
    ensure!(demo(folder.path(), &free_address()?, 20)?.status()?.success(), "the demo failed");
    let mut server = Some(serve(&data, &address)?);
    let mut script = browser.start(&address, "-", &["--restarts"])?;
    loop {
        match script.line()?.as_str() {
            "stop" => drop(server.take()),
            "start" => server = Some(serve(&data, &address)?),
            "done" => return script.succeed(),
            other => anyhow::bail!("the script said {other:?}"),
        }
        script.confirm()?;
    }
}

/// A Chromium and a Python that drives it.
struct Browser {
    python: std::path::PathBuf,
    chromium: String,
}

struct Script {
    process: Child,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

impl Browser {
    /// None, with a sentence on standard error, where one of them is missing.
    fn find() -> Result<Option<Self>> {
        let found = Command::new("sh").args(["-c", "command -v chromium"]).output()?;
        if !found.status.success() {
            eprintln!("skipped, because chromium is not on the PATH (Debian: chromium)");
            return Ok(None);
        }
        let chromium = String::from_utf8(found.stdout)?.trim().to_owned();
        Ok(python(&PLAYWRIGHT)?.map(|python| Self { python, chromium }))
    }

    fn start(&self, address: &str, pictures: &str, more: &[&str]) -> Result<Script> {
        let program = workspace().join("tests/scenarios/console.py");
        let mut command = Command::new(&self.python);
        command.arg(program).arg(format!("http://{address}/")).arg(&self.chromium).arg(pictures).args(more);
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let lines = BufReader::new(process.stdout.take().context("output")?).lines();
        Ok(Script { process, lines })
    }
}

impl Script {
    fn line(&mut self) -> Result<String> {
        Ok(self.lines.next().context("the script failed: its error is above")??)
    }

    fn confirm(&mut self) -> Result<()> {
        Ok(self.process.stdin.as_mut().context("input")?.write_all(b"done\n")?)
    }

    fn succeed(&mut self) -> Result<()> {
        let status = self.process.wait()?;
        ensure!(status.success(), "the script failed: {status}");
        Ok(())
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
