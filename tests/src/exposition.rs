//! Health of a live run, and its metrics as Prometheus reads them.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use headwater_connectors::testing;

use crate::pipeline::{binary, succeed, write_log};

/// How long a process may take to reach a state, on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(120);

/// Number of invalid lines that [`Live::demo`] publishes.
pub const NO_EVENTS: u16 = 20;

/// A live run that is stopped on drop.
pub struct Live {
    process: Child,
    /// Address of metrics and health, `HOST:PORT`.
    pub address: String,
}

impl Live {
    /// Starts a run with metrics and health at an address.
    pub fn start(command: &mut Command, address: String) -> Result<Self> {
        Ok(Self { process: command.stdout(Stdio::null()).spawn()?, address })
    }

    /// Starts a demo, publishes [`NO_EVENTS`] lines that become dead letters, and waits until they are counted.
    pub fn demo(folder: &Path) -> Result<Self> {
        let (data, config, address) = (folder.join("data"), folder.join("config.toml"), free_address()?);
        std::fs::write(&config, format!("[http]\naddress = \"{address}\"\n[serve]\naddress = \"\"\n"))?;
        let mut command = Command::new(binary()?);
        command.args(["demo", "--data"]).arg(&data).arg("--config").arg(&config);
        let demo = Self::start(&mut command, address)?;
        wait_until("the demo's first commit", || Ok(demo.answers_ok("/health/startup")))?;
        write_log(&data.join("log"), "orders", 0, &"no event\n".repeat(usize::from(NO_EVENTS)))?;
        let rejected = || Ok(demo.families()?.get("headwater_dead_letters_total").map_or(0.0, Family::sum));
        wait_until("dead letters", || rejected().map(|count| count >= f64::from(NO_EVENTS)))?;
        Ok(demo)
    }

    /// Whether its process has not ended.
    pub fn is_running(&mut self) -> Result<bool> {
        Ok(self.process.try_wait()?.is_none())
    }

    /// Stops it with SIGTERM; an error unless it ends well.
    pub fn terminate(mut self) -> Result<()> {
        succeed(Command::new("kill").args(["-TERM", &self.process.id().to_string()]).output()?)?;
        let status = self.process.wait()?;
        ensure!(status.success(), "after SIGTERM: {status}");
        Ok(())
    }

    /// Whether a request for a path succeeds.
    pub fn answers_ok(&self, path: &str) -> bool {
        get(&self.address, path).is_ok()
    }

    /// Its metrics in Prometheus's text format.
    pub fn text(&self) -> Result<String> {
        get(&self.address, "/metrics")
    }

    /// Its metrics by name.
    pub fn families(&self) -> Result<BTreeMap<String, Family>> {
        families(&self.text()?)
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        stop(&mut self.process);
    }
}

/// Kills a process that a test started, and waits for its end.
pub(crate) fn stop(process: &mut Child) {
    let _ = process.kill();
    let _ = process.wait();
}

/// An address on the loopback on which nothing listens.
pub fn free_address() -> Result<String> {
    free_addresses(1)?.pop().context("an address")
}

/// Addresses on the loopback on which nothing listens, with consecutive ports.
pub fn free_addresses(count: u16) -> Result<Vec<String>> {
    Ok(testing::free_addresses(count)?.iter().map(SocketAddr::to_string).collect())
}

/// Waits until a condition holds.
pub fn wait_until(what: &str, mut holds: impl FnMut() -> Result<bool>) -> Result<()> {
    let began = Instant::now();
    while !holds()? {
        ensure!(began.elapsed() < PATIENCE, "{what}: not within {} s", PATIENCE.as_secs());
        sleep(Duration::from_millis(100));
    }
    Ok(())
}

/// The body of an HTTP response; an error unless its status is 200.
pub fn get(address: &str, path: &str) -> Result<String> {
    let mut stream = TcpStream::connect(address).with_context(|| format!("connecting to {address}"))?;
    // Version 1.0: the answer comes in one piece, and the connection ends with it.
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").with_context(|| format!("{address}{path}: no answer: {answer}"))?;
    let status = head.split(' ').nth(1);
    ensure!(status == Some("200"), "{address}{path}: {head}: {body}");
    Ok(body.to_owned())
}

/// A metric, with all its series.
#[derive(Clone, Debug, Default)]
pub struct Family {
    /// Help text.
    pub help: String,
    /// `counter`, `gauge` or `histogram`.
    pub kind: String,
    /// Series; a histogram's are those of its buckets, sum and count.
    pub series: Vec<Series>,
}

/// A series and its value.
#[derive(Clone, Debug)]
pub struct Series {
    /// Labels by name.
    pub labels: BTreeMap<String, String>,
    /// Value.
    pub value: f64,
}

impl Family {
    /// Sum over all series.
    pub fn sum(&self) -> f64 {
        self.series.iter().map(|series| series.value).sum()
    }

    /// Names of labels, without a histogram's `le`.
    pub fn labels(&self) -> BTreeSet<&str> {
        self.series.iter().flat_map(|series| series.labels.keys()).map(String::as_str).filter(|name| *name != "le").collect()
    }
}

/// Reads Prometheus's text format: of each metric the help text, the type, and then its series.
pub fn families(text: &str) -> Result<BTreeMap<String, Family>> {
    let mut families = BTreeMap::<String, Family>::new();
    let mut current = String::new();
    for line in text.lines() {
        let broken = || format!("no line of metrics: {line}");
        if let Some(described) = line.strip_prefix("# HELP ") {
            let (name, help) = described.split_once(' ').with_context(broken)?;
            name.clone_into(&mut current);
            families.entry(current.clone()).or_default().help = help.to_owned();
        } else if let Some(typed) = line.strip_prefix("# TYPE ") {
            let (name, kind) = typed.split_once(' ').with_context(broken)?;
            name.clone_into(&mut current);
            families.entry(current.clone()).or_default().kind = kind.to_owned();
        } else {
            let (series, value) = line.rsplit_once(' ').with_context(broken)?;
            let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
            ensure!(name.starts_with(&current), "{line}: after the type of {current}");
            let series = Series { labels: labels_of(labels).with_context(broken)?, value: value.parse().with_context(broken)? };
            families.entry(current.clone()).or_default().series.push(series);
        }
    }
    Ok(families)
}

/// Labels of `a="x",b="y"}`; no value of ours has a quote in it.
fn labels_of(text: &str) -> Option<BTreeMap<String, String>> {
    let labels = text.strip_suffix('}')?;
    let pairs = labels.strip_suffix('"').into_iter().flat_map(|labels| labels.split("\","));
    pairs.map(|pair| pair.split_once("=\"").map(|(name, value)| (name.to_owned(), value.to_owned()))).collect()
}
