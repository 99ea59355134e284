//! A real Apache Kafka, started by `scripts/kafka` and stopped when it is dropped.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

/// The script's exit code for "no Maven or Java here".
const NOT_HERE: i32 = 3;

/// A broker of this process.
#[derive(Debug)]
pub struct Broker {
    bootstrap: String,
    folder: tempfile::TempDir,
}

fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/kafka")
}

impl Broker {
    /// Starts a broker. `None`, with a sentence, where there is no Maven or Java; with `CI=true` that is an error.
    pub fn start() -> Result<Option<Self>> {
        let folder = tempfile::tempdir()?;
        let output = Command::new(script()).arg("start").arg("--dir").arg(folder.path()).output()?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        if output.status.code() == Some(NOT_HERE) && std::env::var("CI").as_deref() != Ok("true") {
            println!("SKIPPED: the tests with a real Kafka did not run: {said}");
            return Ok(None);
        }
        if !output.status.success() {
            bail!("starting Kafka: {said}");
        }
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let bootstrap = text.split_whitespace().find_map(|word| word.strip_prefix("bootstrap="));
        match bootstrap {
            Some(bootstrap) => Ok(Some(Self { bootstrap: bootstrap.to_owned(), folder })),
            None => bail!("the script did not say where the broker is: {text}"),
        }
    }

    /// The source to give to the pipeline.
    pub fn source(&self) -> String {
        format!("kafka://{}", self.bootstrap)
    }

    /// Ends the broker; [`Broker::restart`] brings it back with its data.
    pub fn stop(&self) -> Result<()> {
        Command::new(script()).arg("stop").arg("--dir").arg(self.folder.path()).output()?;
        Ok(())
    }

    /// Starts it again, on the same port and data.
    pub fn restart(&self) -> Result<()> {
        let output = Command::new(script()).arg("start").arg("--dir").arg(self.folder.path()).output()?;
        if output.status.success() { Ok(()) } else { bail!("restarting Kafka: {}", String::from_utf8_lossy(&output.stderr)) }
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.stop();
    }
}
