//! `headwater serve` as a process, and psql that asks it.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use anyhow::{Context, Result, ensure};

use crate::pipeline::binary;

/// A process that serves, and is stopped on drop.
pub struct Serving {
    /// The process.
    pub process: Child,
    /// Its port on the loopback.
    pub port: String,
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Serving {
    /// Starts `headwater serve`, and waits until it listens.
    pub fn start(data: &Path, config: &str) -> Result<Self> {
        let file = data.with_extension("serve.toml");
        std::fs::write(&file, config)?;
        let mut command = Command::new(binary()?);
        command.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(data).arg("--config").arg(&file);
        let mut process = command.stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        BufReader::new(process.stdout.take().context("output")?).read_line(&mut line)?;
        let port = line.split_whitespace().skip_while(|word| *word != "-p").nth(1).map(str::to_owned);
        Ok(Self { process, port: port.with_context(|| format!("no port in {line:?}"))? })
    }

    /// What psql prints, or its error.
    pub fn psql(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Result<Output> {
        psql(&self.port, arguments, environment)
    }

    /// What psql prints; an error if it complains.
    pub fn printed(&self, arguments: &[&str]) -> Result<String> {
        let output = self.psql(arguments, &[])?;
        let (out, errors) = (String::from_utf8(output.stdout)?, String::from_utf8(output.stderr)?);
        ensure!(output.status.success() && errors.is_empty(), "psql {arguments:?}: {out}{errors}");
        Ok(out)
    }
}

/// What psql prints when it is connected to a port, or its error.
pub fn psql(port: &str, arguments: &[&str], environment: &[(&str, &str)]) -> Result<Output> {
    let mut command = Command::new("psql");
    command.args(["-X", "-w", "-h", "127.0.0.1", "-p", port, "-U", "ann", "-d", "headwater"]).args(arguments);
    Ok(command.envs(environment.iter().copied()).output()?)
}

/// A figure of a process by its name in `/proc/PID/status`, memory in KiB; none where the system does not have it.
pub fn figure(process: u32, name: &str) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')?.split_whitespace().next()?.parse().ok())
}

/// Whether psql is installed. If not, a sentence is printed: the test that asks is skipped.
pub fn has_psql() -> bool {
    let has = Command::new("psql").arg("--version").output().is_ok_and(|output| output.status.success());
    if !has {
        println!("skipped: this machine has no psql");
    }
    has
}
