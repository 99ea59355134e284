//! Cluster: several processes that run one dataflow, and how they connect.
//!
//! ```text
//!  process 0 ◄── hello ── process 1        each process connects to those of lower number, and waits for the others
//!      ▲  ◄────── hello ────────┐
//!      └───────────────────── process 2
//! ```
//!
//! - The hosts file has an address a line, `HOST:PORT`; line I is process I's. All processes have the same file, the same
//!   configuration, the same number of workers and the same data directory, in which process 0 writes the records. Differences
//!   are reported before anything begins.
//! - Process 0 holds the lock of the data directory, so it decides from which commit all continue.
//! - If a process dies, the others end, each with one message. A supervisor restarts all of them, and they continue from the last
//!   commit.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream, ToSocketAddrs};
use std::path::Path;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use headwater_connectors::parquet::commit::ChainEnd;
use serde::{Deserialize, Serialize};
use timely::communication::AllocatorBuilder;
use timely::communication::Hooks;
use timely::communication::allocator::ProcessBuilder;
use timely::communication::allocator::zero_copy::initialize::initialize_networking_from_sockets;

/// How long processes wait for each other at the beginning.
const PATIENCE: Duration = Duration::from_secs(120);
/// Interval of attempts to connect to a process.
const TRY_AGAIN: Duration = Duration::from_millis(50);
/// Timeout of a greeting.
const GREETING: Duration = Duration::from_secs(10);
/// Maximum length of a greeting in bytes.
const GREETING_BYTES: usize = 4096;

/// The processes of a cluster, and the number of this one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cluster {
    /// The address of each process.
    pub addresses: Vec<String>,
    /// The number of this process.
    pub process: usize,
}

/// The greeting of a process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// Its number.
    pub process: usize,
    /// The number of processes in its hosts file.
    pub processes: usize,
    /// The number of its workers.
    pub workers: usize,
    /// A digest of all settings on which the processes must agree.
    pub configuration: String,
    /// From process 0: the commit from which all continue.
    pub begin: Option<ChainEnd>,
}

/// A cluster whose processes are connected.
pub struct Connected {
    sockets: Vec<Option<TcpStream>>,
    process: usize,
    /// The commit from which all continue.
    pub begin: Option<ChainEnd>,
}

impl Cluster {
    /// Reads a hosts file.
    pub fn read(hosts: &Path, process: usize) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(hosts).with_context(|| format!("--hosts: reading {}", hosts.display()))?;
        let addresses: Vec<_> = text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect();
        for (number, address) in (1..).zip(&addresses) {
            address
                .to_socket_addrs()
                .with_context(|| format!("{}, line {number}: {address:?} is no address: write HOST:PORT", hosts.display()))?;
        }
        if process >= addresses.len() {
            bail!(
                "--process {process}: {} has {} addresses, so processes are numbered 0 to {}",
                hosts.display(),
                addresses.len(),
                addresses.len().saturating_sub(1)
            );
        }
        Ok(Self { addresses, process })
    }

    /// Connects to all other processes.
    pub fn connect(&self, hello: &Hello, stop: &AtomicBool) -> anyhow::Result<Connected> {
        let began = Instant::now();
        let mine = self.addresses.get(self.process).context("a process of the cluster")?;
        let listener = TcpListener::bind(mine).with_context(|| format!("process {}: listening on {mine}", self.process))?;
        listener.set_nonblocking(true)?;
        let mut sockets: Vec<Option<TcpStream>> = self.addresses.iter().map(|_| None).collect();
        let mut begin = hello.begin.clone();
        for (other, address) in self.addresses.iter().enumerate().take(self.process) {
            let socket = loop {
                go_on_waiting(began, stop, || format!("process {other} does not answer at {address}"))?;
                match TcpStream::connect(address) {
                    Ok(socket) => break socket,
                    Err(_) => std::thread::sleep(TRY_AGAIN),
                }
            };
            say(&socket, hello)?;
            let theirs = hear(&socket).with_context(|| format!("process {other} at {address} did not greet back"))?;
            agree(hello, &theirs)?;
            begin = if other == 0 { theirs.begin } else { begin };
            sockets.get_mut(other).into_iter().for_each(|slot| *slot = socket.try_clone().ok());
        }
        while let Some(other) = (self.process + 1..sockets.len()).find(|other| sockets.get(*other).is_some_and(Option::is_none)) {
            go_on_waiting(began, stop, || format!("process {other} did not come"))?;
            match listener.accept() {
                Ok((socket, address)) => {
                    socket.set_nonblocking(false)?;
                    // Not a process of this cluster.
                    let Ok(theirs) = hear(&socket) else {
                        tracing::warn!(%address, "connection from a program outside the cluster");
                        continue;
                    };
                    say(&socket, hello)?;
                    agree(hello, &theirs)?;
                    sockets.get_mut(theirs.process).into_iter().for_each(|slot| *slot = socket.try_clone().ok());
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::sleep(TRY_AGAIN),
                Err(error) => return Err(error).context("waiting for the other processes"),
            }
        }
        for socket in sockets.iter().flatten() {
            socket.set_nodelay(true)?;
            socket.set_read_timeout(None)?;
        }
        Ok(Connected { sockets, process: self.process, begin })
    }
}

fn go_on_waiting(began: Instant, stop: &AtomicBool, missing: impl Fn() -> String) -> anyhow::Result<()> {
    if stop.load(Ordering::Relaxed) {
        bail!("stopped while waiting for the cluster: {}", missing());
    }
    if began.elapsed() > PATIENCE {
        bail!("{}, for {} s: start every process of the file of hosts", missing(), PATIENCE.as_secs());
    }
    Ok(())
}

/// Checks that two processes agree; the error names the difference.
fn agree(mine: &Hello, theirs: &Hello) -> anyhow::Result<()> {
    let (me, other) = (mine.process, theirs.process);
    if me == other || other >= mine.processes {
        bail!("two processes say that they are number {other}: give each its own --process");
    }
    for (what, mine, theirs) in [("processes", mine.processes, theirs.processes), ("workers", mine.workers, theirs.workers)] {
        if mine != theirs {
            bail!("process {me} has {mine} {what}, process {other} has {theirs}: start all with the same");
        }
    }
    if mine.configuration != theirs.configuration {
        bail!("process {me} and process {other} differ in --source, --data or their configuration: start all with the same");
    }
    Ok(())
}

fn say(mut socket: &TcpStream, hello: &Hello) -> anyhow::Result<()> {
    let mut text = serde_json::to_vec(hello)?;
    text.push(b'\n');
    Ok(socket.write_all(&text)?)
}

/// Reads one line and no further byte: the rest belongs to timely.
fn hear(mut socket: &TcpStream) -> anyhow::Result<Hello> {
    socket.set_read_timeout(Some(GREETING))?;
    let (mut text, mut byte) = (Vec::new(), [0]);
    while socket.read(&mut byte)? == 1 && byte != [b'\n'] && text.len() < GREETING_BYTES {
        text.extend(byte);
    }
    Ok(serde_json::from_slice(&text)?)
}

impl Connected {
    /// The workers' channels, and a guard that keeps them open.
    pub fn channels(self, workers: usize) -> std::io::Result<(Vec<AllocatorBuilder>, Box<dyn std::any::Any + Send>)> {
        end_with_the_others();
        let hooks = Hooks::default();
        let within = ProcessBuilder::new_typed_vector(workers, hooks.refill.clone(), hooks.spill.clone());
        let (builders, guard) = initialize_networking_from_sockets(within, self.sockets, self.process, workers, hooks)?;
        Ok((builders.into_iter().map(AllocatorBuilder::Tcp).collect(), Box::new(guard)))
    }
}

/// Ends this process, with one message, when another one ends: timely's network threads then panic.
fn end_with_the_others() {
    static ONCE: Once = Once::new();
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        // Network threads; a worker's panic is handled by the worker.
        let carries = |name: &str| name.starts_with("timely:send-") || name.starts_with("timely:recv-");
        if !std::thread::current().name().is_some_and(carries) {
            return before(panic);
        }
        ONCE.call_once(|| {
            let _ = writeln!(
                std::io::stderr(),
                "headwater: another process of the cluster went away, so this one ends too: start all of them again, they go on from the last commit"
            );
            std::process::exit(1);
        });
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hello(process: usize) -> Hello {
        Hello { process, processes: 2, workers: 1, configuration: "c".to_owned(), begin: None }
    }

    #[test]
    fn hosts_are_checked_line_by_line() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("hosts");
        for (text, process, expected) in [
            ("127.0.0.1:1\n\n 127.0.0.1:2 \n", 1, None),
            ("127.0.0.1:1\n127.0.0.1\n", 0, Some("line 2")),
            ("127.0.0.1:1\n", 1, Some("numbered 0 to 0")),
        ] {
            std::fs::write(&file, text).expect("a file");
            let said = Cluster::read(&file, process).map(|cluster| cluster.addresses.len()).map_err(|error| format!("{error:#}"));
            match expected {
                None => assert_eq!(said, Ok(2)),
                Some(expected) => assert!(said.as_ref().is_err_and(|error| error.contains(expected)), "{said:?}"),
            }
        }
    }

    #[test]
    fn processes_that_disagree_are_told_about_what() {
        assert!(agree(&hello(0), &hello(1)).is_ok());
        for (theirs, expected) in [
            (hello(0), "two processes"),
            (Hello { processes: 3, ..hello(1) }, "2 processes"),
            (Hello { workers: 2, ..hello(1) }, "1 workers"),
            (Hello { configuration: "d".to_owned(), ..hello(1) }, "configuration"),
        ] {
            let said = agree(&hello(0), &theirs).map_err(|error| error.to_string()).expect_err("a disagreement");
            assert!(said.contains(expected), "{said}");
        }
    }
}
