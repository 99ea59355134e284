//! The command line's exit codes and sentences. (This target also makes `cargo test` build the binary, which the scenarios
//! of the workspace run.)

use std::io::Result;
use std::process::{Command, Output};

fn headwater(arguments: &[&str]) -> Result<Output> {
    Command::new(env!("CARGO_BIN_EXE_headwater")).args(arguments).output()
}

#[test]
fn usage_errors_exit_with_2_and_failures_with_1_and_a_sentence() -> Result<()> {
    assert_eq!(headwater(&["--help"])?.status.code(), Some(0));
    assert_eq!(headwater(&["run"])?.status.code(), Some(2));
    assert_eq!(headwater(&["run", "--source", "nowhere", "--data", "x"])?.status.code(), Some(2));
    let failed = headwater(&["sql", "--data", "/nonexistent-directory", "SELECT 1"])?;
    assert_eq!(failed.status.code(), Some(1));
    let said = String::from_utf8_lossy(&failed.stderr).into_owned();
    assert!(said.starts_with("headwater: ") && said.contains("/nonexistent-directory"), "{said}");
    Ok(())
}
