//! A real Kafka broker.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

/// Exit code of `scripts/kafka` when Java or Maven is missing.
const NOTHING_TO_RUN_IT_WITH: i32 = 3;

/// A real Kafka broker for one test, on the loopback. It is stopped on drop, and ends with this process in any case.
#[derive(Debug)]
pub struct Broker {
    directory: TempDir,
    bootstrap: String,
    secure: Option<String>,
}

impl Broker {
    /// Starts a broker. `None`, with a sentence on standard error, where Java or Maven is missing; in CI (`CI=true`) that is an
    /// error.
    pub fn start() -> io::Result<Option<Self>> {
        Self::start_with(&[])
    }

    /// Starts a broker with one more listener, for TLS and SASL: SCRAM-SHA-512, user and password `headwater`.
    pub fn start_secure() -> io::Result<Option<Self>> {
        Self::start_with(&["--secure"])
    }

    fn start_with(more: &[&str]) -> io::Result<Option<Self>> {
        let directory = TempDir::new()?;
        let output = command("start", directory.path()).args(["--for", &std::process::id().to_string()]).args(more).output()?;
        if output.status.code() == Some(NOTHING_TO_RUN_IT_WITH) && super::may_skip() {
            eprintln!("skipped, because no Kafka broker can be started: {}", String::from_utf8_lossy(&output.stderr).trim());
            return Ok(None);
        }
        let bootstrap = address(&output, "bootstrap=")?;
        let secure = address(&output, "secure=").ok();
        Ok(Some(Self { directory, bootstrap, secure }))
    }

    /// Its bootstrap address, `HOST:PORT`.
    pub fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    /// Its address for TLS and SASL, and the certificate to trust.
    pub fn secure(&self) -> Option<(&str, PathBuf)> {
        Some((self.secure.as_deref()?, self.directory.path().join("ca.pem")))
    }

    /// Kills the broker, like a crash.
    pub fn kill(&self) -> io::Result<()> {
        done(&command("kill", self.directory.path()).output()?)
    }

    /// Stops the broker gracefully.
    pub fn stop(&self) -> io::Result<()> {
        done(&command("stop", self.directory.path()).output()?)
    }

    /// Stops the broker's process without ending it: connections stay open, and nothing is answered.
    pub fn pause(&self) -> io::Result<()> {
        self.signal("-STOP")
    }

    /// Continues after [`Self::pause`].
    pub fn unpause(&self) -> io::Result<()> {
        self.signal("-CONT")
    }

    fn signal(&self, signal: &str) -> io::Result<()> {
        let pid = std::fs::read_to_string(self.directory.path().join("pid"))?;
        done(&Command::new("kill").arg(signal).arg(pid.trim()).output()?)
    }

    /// Restarts the broker after [`Self::kill`] or [`Self::stop`], with the same data and address.
    pub fn restart(&self) -> io::Result<()> {
        done(&command("start", self.directory.path()).args(["--for", &std::process::id().to_string()]).output()?)
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        if let Err(error) = self.kill() {
            eprintln!("the Kafka broker of {} could not be stopped: {error}", self.directory.path().display());
        }
    }
}

fn command(action: &str, directory: &Path) -> Command {
    let mut command = Command::new(super::workspace().join("scripts/kafka"));
    command.arg(action).arg("--dir").arg(directory);
    command
}

fn done(output: &Output) -> io::Result<()> {
    if output.status.success() {
        return Ok(());
    }
    Err(io::Error::other(format!("scripts/kafka: {}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim())))
}

/// Extracts an address from the output of `scripts/kafka start`.
fn address(output: &Output, name: &str) -> io::Result<String> {
    done(output)?;
    let printed = String::from_utf8_lossy(&output.stdout);
    let address = printed.split_whitespace().find_map(|word| word.strip_prefix(name));
    address.map(str::to_owned).ok_or_else(|| io::Error::other(format!("scripts/kafka printed no address: {printed}")))
}
