//! The console through the real binary: its page in a real Chromium, and clients that follow tables and are cut off all the time.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use headwater_connectors::testing::workspace;
use headwater_sql::{Catalog, json_objects};
use headwater_tests::events::Events;
use headwater_tests::exposition::{Live, free_address, get, wait_until};
use headwater_tests::pipeline::{PLAIN, binary, command_with, run, succeed, write_log};
use headwater_tests::scripts::python;
use headwater_tests::serving::figure;

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

/// Deposits of a day, one a minute.
fn deposits(day: u32, count: u32) -> String {
    let deposit = |number: u32| {
        let (account, hour, minute) = (number % 5, number / 60 % 24, number % 60);
        format!(
            "{{\"transaction_id\":\"t{day}-{number}\",\"account_id\":\"a{account}\",\"type\":\"deposit\",\"amount\":\"1\",\"currency\":\"USD\",\"ts\":\"2026-01-{day:02}T{hour:02}:{minute:02}:00Z\"}}\n"
        )
    };
    (0..count).map(deposit).collect()
}

#[test]
fn a_follower_whose_changes_were_dropped_is_told_and_starts_anew() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (log, data, address) = (folder.path().join("log"), folder.path().join("data"), free_address()?);
    let more = "[source]\nstride = 32\n[upkeep]\nevery = 2\nwhole_from_changes = 200\nretention = { balances_history = \"24h\" }\n";
    let run = |day: u32| {
        write_log(&log, "transactions", 0, &deposits(day, 600))?;
        succeed(command_with(&format!("log:{}", log.display()), &data, PLAIN, more, "1ms")?.output()?)
    };
    (5..=9).try_for_each(run)?;
    let _server = serve(&data, &address)?;
    for (from, last) in [("0", None), ("1", None), ("0", Some("1")), ("0", Some("1:1"))] {
        let refused = Events::open(&address, &format!("/api/changes?table=balances&from={from}"), last).err();
        let refused = refused.with_context(|| format!("the changes after {from}, {last:?} are there"))?.to_string();
        let expected = ["410", "read the table as it is, and follow it from the commit of that answer"];
        ensure!(expected.iter().all(|part| refused.contains(part)), "{refused}");
    }
    // As the answer asks for: the rows as they are, and what comes after their commit.
    let answer = statement(&address, "SELECT COUNT(*) FROM balances")?;
    ensure!(answer.get("rows").is_some(), "{answer}");
    let commit = answer.get("commit_id").and_then(serde_json::Value::as_u64).context("a commit")?;
    let mut events = Events::open(&address, &format!("/api/changes?table=balances&from={commit}"), None)?;
    run(10)?;
    let first = events.read()?.context("the stream ended")?;
    ensure!(first.data.get("commit_id").and_then(serde_json::Value::as_u64) > Some(commit), "{first:?}");
    Ok(())
}

/// The answer of the API to a statement.
fn statement(address: &str, sql: &str) -> Result<serde_json::Value> {
    let mut stream = TcpStream::connect(address)?;
    let head =
        format!("POST /api/sql HTTP/1.0\r\nHost: {address}\r\nContent-Type: application/sql\r\nContent-Length: {}\r\n\r\n", sql.len());
    stream.write_all((head + sql).as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (_, body) = answer.split_once("\r\n\r\n").with_context(|| answer.clone())?;
    serde_json::from_str(body).with_context(|| answer.clone())
}

/// Clients that follow a table and read nothing of it.
const STALLED: usize = 40;
/// Records that are rejected, and KiB of each: more than the system takes for a client that does not read.
const REJECTED: usize = 300;
const SIZE: usize = 40;

#[test]
fn clients_that_read_nothing_cost_neither_memory_nor_threads() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (log, data, address) = (folder.path().join("log"), folder.path().join("data"), free_address()?);
    write_log(&log, "transactions", 0, &format!("{}\n", "x".repeat(SIZE << 10)).repeat(REJECTED))?;
    run(&format!("log:{}", log.display()), &data, PLAIN)?;
    let server = serve(&data, &address)?;
    let path = "/api/changes?table=dead_letters&from=0&columns=text";
    // A client that reads all of it: what it takes is not counted below.
    let mut events = Events::open(&address, path, None)?;
    let mut rows = 0;
    while rows < REJECTED {
        let event = events.read()?.context("the stream ended")?;
        rows += event.data.get("changes").and_then(serde_json::Value::as_array).map_or(0, Vec::len);
    }
    let status = |name: &str| figure(server.0.id(), name);
    let (Some(memory), Some(threads)) = (status("VmRSS"), status("Threads")) else {
        println!("skipped: this system does not tell how much memory a process has");
        return Ok(());
    };
    let stalled = (0..STALLED).map(|_| {
        let mut stream = TcpStream::connect(&address)?;
        write!(stream, "GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n")?;
        Ok(stream)
    });
    let stalled = stalled.collect::<Result<Vec<_>>>()?;
    // Longer than the server waits for a client before it drops what it keeps for it. Then half of what they have not read is too much.
    sleep(Duration::from_secs(8));
    let too_much = u64::try_from(STALLED * REJECTED * SIZE / 2)?;
    let is_little = || {
        let memory = status("VmRSS").context("memory")?.saturating_sub(memory);
        Ok(memory < too_much && status("Threads").context("threads")?.saturating_sub(threads) < 16)
    };
    wait_until("little memory and few threads", is_little)?;
    ensure!(statement(&address, "SELECT 1")?.get("rows").is_some(), "others are not answered");
    // The places of those that have gone are free.
    drop(stalled);
    let all = || (0..STALLED).map(|_| Events::open(&address, "/api/commits", None)).collect::<Result<Vec<_>>>();
    wait_until("places", || Ok(all().is_ok()))
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
