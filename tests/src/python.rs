//! A real Python with packages of its registry, for what other programs make of Headwater's output.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use headwater_connectors::testing::workspace;

/// Exit code of `scripts/python` where there is none.
const MISSING: i32 = 3;

/// A Python with these packages, `NAME==VERSION`; none, with a sentence on standard error, where they cannot be installed.
pub fn with(packages: &[&str]) -> Result<Option<PathBuf>> {
    let output = Command::new(workspace().join("scripts/python")).args(packages).output().context("scripts/python")?;
    let message = String::from_utf8_lossy(&output.stderr);
    if output.status.code() == Some(MISSING) {
        eprintln!("skipped, because there is no Python with {}: {}", packages.join(" "), message.trim());
        return Ok(None);
    }
    ensure!(output.status.success(), "scripts/python: {}: {message}", output.status);
    Ok(Some(String::from_utf8(output.stdout)?.trim().into()))
}
