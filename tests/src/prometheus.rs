//! A real Prometheus that scrapes a run, and its `promtool`. Where they are not installed, a test prints that it skips them and passes.

use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use anyhow::{Context, Result};
use headwater_connectors::testing::workspace;
use serde_json::Value;

use crate::exposition::{free_address, get, stop, wait_until};

/// A file of `dashboards/`.
pub fn dashboard(name: &str) -> PathBuf {
    workspace().join("dashboards").join(name)
}

/// A Prometheus of one test, on the loopback, with the alerts of `dashboards/`. It is stopped when dropped.
pub struct Prometheus {
    process: Child,
    address: String,
}

impl Prometheus {
    /// Starts one that scrapes a target, `HOST:PORT`, once a second. `None`, with a sentence on standard error, where there is no
    /// `prometheus` on the PATH.
    pub fn start(folder: &Path, target: &str) -> Result<Option<Self>> {
        let (config, address) = (folder.join("prometheus.yml"), free_address()?);
        let alerts = dashboard("alerts.yml").canonicalize()?;
        let text = format!(
            "global: {{ scrape_interval: 1s, evaluation_interval: 1s }}\nrule_files: [\"{}\"]\nscrape_configs:\n  - job_name: headwater\n    static_configs: [{{ targets: [\"{target}\"] }}]\n",
            alerts.display()
        );
        std::fs::write(&config, text)?;
        let mut command = Command::new("prometheus");
        command.arg(format!("--config.file={}", config.display()));
        command.arg(format!("--storage.tsdb.path={}", folder.join("prometheus").display()));
        command.arg(format!("--web.listen-address={address}")).arg("--log.level=error");
        let Some(process) = installed("prometheus", command.stdout(Stdio::null()).spawn())? else { return Ok(None) };
        let prometheus = Self { process, address };
        wait_until("Prometheus", || Ok(get(&prometheus.address, "/-/ready").is_ok()))?;
        Ok(Some(prometheus))
    }

    /// Labels and value of each series that an expression gives now; an error if Prometheus refuses the expression.
    pub fn query(&self, expression: &str) -> Result<Vec<Value>> {
        let answer = self.get(&format!("/api/v1/query?query={}", encoded(expression))).with_context(|| expression.to_owned())?;
        let result = answer.pointer("/data/result").and_then(Value::as_array).with_context(|| format!("{expression}: {answer}"))?;
        Ok(result.clone())
    }

    /// The alerts, each with `name`, `query` and `health`.
    pub fn alerts(&self) -> Result<Vec<Value>> {
        let answer = self.get("/api/v1/rules?type=alert")?;
        let groups = answer.pointer("/data/groups").and_then(Value::as_array).with_context(|| format!("no groups: {answer}"))?;
        Ok(groups.iter().filter_map(|group| group.get("rules")?.as_array()).flatten().cloned().collect())
    }

    fn get(&self, path: &str) -> Result<Value> {
        Ok(serde_json::from_str(&get(&self.address, path)?)?)
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        stop(&mut self.process);
    }
}

/// Runs `promtool` with a text as its input. `None`, with a sentence on standard error, where it is not on the PATH.
pub fn promtool(arguments: &[&str], input: &str) -> Result<Option<Output>> {
    let mut command = Command::new("promtool");
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let Some(mut process) = installed("promtool", command.spawn())? else { return Ok(None) };
    process.stdin.take().context("promtool has no input")?.write_all(input.as_bytes())?;
    Ok(Some(process.wait_with_output()?))
}

/// A started process; `None` if its program is not installed.
fn installed(program: &str, started: std::io::Result<Child>) -> Result<Option<Child>> {
    match started {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            eprintln!("skipped, because {program} is not on the PATH (Debian: prometheus)");
            Ok(None)
        }
        started => Ok(Some(started.with_context(|| format!("starting {program}"))?)),
    }
}

/// An expression, percent-encoded for a URL.
fn encoded(expression: &str) -> String {
    let of_byte = |byte: u8| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    expression.bytes().map(of_byte).collect()
}
