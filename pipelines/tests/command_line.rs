//! Tests of exit codes and messages of the command line. (This target also makes `cargo test` build the binary, which the
//! scenarios of the workspace run.)

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

#[test]
fn cargo_run_without_a_name_means_headwater() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let root = std::path::PathBuf::from(std::env::var("CARGO_MANIFEST_DIR")?).join("..");
    let workspace: toml::Table = std::fs::read_to_string(root.join("Cargo.toml"))?.parse()?;
    let members = workspace.get("workspace").and_then(|workspace| workspace.get("default-members")).and_then(toml::Value::as_array);
    let mut with_binaries = Vec::new();
    for member in members.ok_or("no default-members")?.iter().filter_map(toml::Value::as_str) {
        let manifest: toml::Table = std::fs::read_to_string(root.join(member).join("Cargo.toml"))?.parse()?;
        if manifest.contains_key("bin") || root.join(member).join("src/main.rs").exists() {
            with_binaries.push(member.to_owned());
        }
    }
    assert_eq!(with_binaries, ["pipelines"]);
    Ok(())
}
