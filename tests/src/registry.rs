//! A real schema registry.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use headwater_connectors::registry::{RegistryConfig, SchemaRegistry};
use headwater_connectors::testing::{may_skip, workspace};
use tempfile::TempDir;

/// Exit code of `scripts/registry` where Java or Maven is missing.
const NOTHING_TO_RUN_IT_WITH: i32 = 3;

/// A real Apicurio registry for one test, on the loopback, with its schemas in a file. It is stopped on drop, and ends with this process
/// in any case.
pub struct Registry {
    directory: TempDir,
    url: String,
}

impl Registry {
    /// Starts a registry. `None`, with a sentence on standard error, where Java or Maven is missing; in CI (`CI=true`) that is an error.
    pub fn start() -> Result<Option<Self>> {
        let directory = TempDir::new()?;
        let output = started(directory.path())?;
        if output.status.code() == Some(NOTHING_TO_RUN_IT_WITH) && may_skip() {
            eprintln!("skipped, because no schema registry can be started: {}", String::from_utf8_lossy(&output.stderr).trim());
            return Ok(None);
        }
        let printed = done(&output)?;
        let url = printed.split_whitespace().find_map(|word| word.strip_prefix("url=")).context("it printed no address")?.to_owned();
        Ok(Some(Self { directory, url }))
    }

    /// Its address, as `registry.url` has it.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Section `[registry]` with its address.
    pub fn section(&self) -> String {
        format!("[registry]\nurl = \"{}\"\n", self.url)
    }

    /// Stops the registry.
    pub fn stop(&self) -> Result<()> {
        done(&command("stop", self.directory.path()).output()?).map(drop)
    }

    /// Starts it again after [`Self::stop`], with the same schemas, ids and address.
    pub fn restart(&self) -> Result<()> {
        done(&started(self.directory.path())?).map(drop)
    }

    /// Registers an Avro schema; returns its id.
    pub fn register(&self, subject: &str, schema: &str) -> Result<u32> {
        let config = RegistryConfig { url: self.url.clone(), timeout_ms: 30_000, ..RegistryConfig::default() };
        Ok(SchemaRegistry::open(&config, Arc::default())?.register(subject, schema)?.id)
    }

    /// Demands that new schemas of a subject can read what was written with those of before.
    pub fn demand_compatibility(&self) -> Result<()> {
        let address = self.url.strip_prefix("http://").context("a URL")?;
        let (host, path) = address.split_once('/').context("a path")?;
        let body = "{\"compatibility\":\"BACKWARD\"}";
        let mut stream = TcpStream::connect(host)?;
        write!(
            stream,
            "PUT /{path}/config HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        ensure!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        Ok(())
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        if let Err(error) = self.stop() {
            eprintln!("the registry of {} could not be stopped: {error}", self.directory.path().display());
        }
    }
}

fn started(directory: &Path) -> Result<Output> {
    Ok(command("start", directory).args(["--for", &std::process::id().to_string()]).output()?)
}

fn command(action: &str, directory: &Path) -> Command {
    let mut command = Command::new(workspace().join("scripts/registry"));
    command.arg(action).arg("--dir").arg(directory);
    command
}

fn done(output: &Output) -> Result<String> {
    ensure!(output.status.success(), "scripts/registry: {}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim());
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
