//! Programs that a script of `scripts/` finds or fetches.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use headwater_connectors::testing::workspace;

/// Exit code of a script whose program is not there and cannot be fetched.
const MISSING: i32 = 3;

/// The path that a script prints; none, with a sentence on standard error, where there is no such program.
fn program(script: &str, arguments: &[&str]) -> Result<Option<PathBuf>> {
    let output = Command::new(workspace().join("scripts").join(script)).args(arguments).output();
    let output = output.with_context(|| format!("scripts/{script}"))?;
    let message = String::from_utf8_lossy(&output.stderr);
    if output.status.code() == Some(MISSING) {
        eprintln!("skipped, because there is no {script}: {}", message.trim());
        return Ok(None);
    }
    ensure!(output.status.success(), "scripts/{script}: {}: {message}", output.status);
    Ok(Some(String::from_utf8(output.stdout)?.trim().into()))
}

/// An hledger.
pub fn hledger() -> Result<Option<PathBuf>> {
    program("hledger", &[])
}

/// A Python with these packages of its registry, `NAME==VERSION`.
pub fn python(packages: &[&str]) -> Result<Option<PathBuf>> {
    program("python", packages)
}
