//! Tests of exit codes and messages of the command line. (This target also makes `cargo test` build the binary, which the
//! scenarios of the workspace run.)

use std::fs::OpenOptions;
use std::io::Result;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use rustix::process::Signal;

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

/// A device that takes nothing, like a full disk.
fn full() -> Result<Stdio> {
    Ok(OpenOptions::new().write(true).open("/dev/full")?.into())
}

/// A pipe whose reader has gone.
fn closed() -> Result<Stdio> {
    let (reader, writer) = std::io::pipe()?;
    drop(reader);
    Ok(writer.into())
}

/// A folder with a configuration that serves nothing, and an embedded log.
fn workplace() -> Result<(tempfile::TempDir, String, String)> {
    let folder = tempfile::tempdir()?;
    let config = folder.path().join("c.toml");
    std::fs::write(&config, "[http]\naddress = \"\"\n[serve]\naddress = \"\"\n")?;
    let source = format!("log:{}", folder.path().join("log").display());
    Ok((folder, config.display().to_string(), source))
}

#[test]
fn a_closed_pipe_does_not_end_the_work_of_a_command() -> Result<()> {
    let (folder, config, source) = workplace()?;
    let quiet = |arguments: &[&str]| -> Result<Output> {
        Command::new(env!("CARGO_BIN_EXE_headwater")).args(arguments).stdout(closed()?).stderr(Stdio::piped()).output()
    };
    let (data, tables) = (folder.path().join("demo").display().to_string(), folder.path().join("tables").display().to_string());
    let exported = folder.path().join("exported");
    let out = exported.display().to_string();
    let commands: [&[&str]; 8] = [
        &["topics", "--source", &source],
        &["schema", "executions"],
        &["report"],
        &["demo", "--for", "1s", "--config", &config, "--data", &data],
        &["run", "--source", &source, "--config", &config, "--data", &tables, "--until-end"],
        &["export", "--data", &data, "--format", "csv", "--out", &out, "--table", "balances", "--table", "executions"],
        &["verify", "--data", &data],
        &["sql", "--data", &data, "SELECT * FROM balances; SELECT * FROM executions"],
    ];
    for arguments in commands {
        let output = quiet(arguments)?;
        let notices = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {notices}");
        assert!(!notices.contains("panicked") && !notices.contains("Broken pipe"), "{arguments:?}: {notices}");
    }
    assert!(folder.path().join("log/fills/0.jsonl").exists() && folder.path().join("log/labels/0.jsonl").exists(), "all topics");
    assert!(exported.join("balances.csv").exists() && exported.join("executions.csv").exists(), "both tables");
    let differs = quiet(&["verify", "--data", "/nonexistent-directory"])?;
    assert_eq!(differs.status.code(), Some(1), "a failure keeps its exit code");
    Ok(())
}

#[test]
fn output_that_cannot_be_written_is_named_and_lost_notices_fail_nothing() -> Result<()> {
    let (folder, config, source) = workplace()?;
    let file = folder.path().join("labels.jsonl");
    std::fs::write(&file, "{\"subject_id\":\"a\",\"label\":\"fraud\",\"ts\":\"2026-01-05T00:00:00Z\"}\n")?;
    for arguments in [&["schema", "executions"][..], &["topics", "--source", &source], &["report"]] {
        let output = Command::new(env!("CARGO_BIN_EXE_headwater")).args(arguments).stdout(full()?).stderr(Stdio::piped()).output()?;
        let notices = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {notices}");
        assert!(notices.starts_with("headwater: standard output: "), "{arguments:?}: {notices}");
    }
    let publish = ["publish", "--source", &source, "--config", &config, "labels", &file.display().to_string()];
    for stderr in [full()?, closed()?] {
        let output = Command::new(env!("CARGO_BIN_EXE_headwater")).args(publish).stderr(stderr).output()?;
        assert_eq!(output.status.code(), Some(0));
    }
    assert_eq!(lines(&folder.path().join("log/labels/0.jsonl"))?, 2);
    Ok(())
}

/// A live run on many records, of which the first two are rejected, that gets a signal while it reads: exit code and notices.
fn signalled(signal: Signal) -> Result<(tempfile::TempDir, Output)> {
    let (folder, config, source) = workplace()?;
    let labels = folder.path().join("log/labels");
    std::fs::create_dir_all(&labels)?;
    let good = "{\"subject_id\":\"a\",\"label\":\"fraud\",\"ts\":\"2026-01-05T00:00:00Z\"}\n".repeat(300_000);
    std::fs::write(labels.join("0.jsonl"), format!("nonsense\nnonsense\n{good}"))?;
    let data = folder.path().join("data");
    let run = ["run", "--source", &source, "--config", &config, "--data", &data.display().to_string()];
    let mut child = Command::new(env!("CARGO_BIN_EXE_headwater")).args(run).stderr(Stdio::piped()).spawn()?;
    while !data.join("LOCK").exists() && child.try_wait()?.is_none() {
        std::thread::sleep(Duration::from_millis(5));
    }
    std::thread::sleep(Duration::from_millis(150));
    rustix::process::kill_process(rustix::process::Pid::from_child(&child), signal)?;
    Ok((folder, child.wait_with_output()?))
}

#[test]
fn a_stopped_run_counts_the_dead_letters_that_are_committed() -> Result<()> {
    // What `nohup` started ignores that a terminal closes, and so does what it starts.
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| u64::from_str_radix(line.strip_prefix("SigIgn:")?.trim(), 16).ok());
    let ignores_hangups = ignored.is_some_and(|signals| signals & 1 != 0);
    for signal in [Signal::TERM, Signal::HUP].into_iter().filter(|signal| *signal == Signal::TERM || !ignores_hangups) {
        let (folder, output) = signalled(signal)?;
        let notices = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(0), "{signal:?}: {notices}");
        let data = folder.path().join("data").display().to_string();
        let count = |query: &str| -> Result<String> {
            Ok(String::from_utf8_lossy(&headwater(&["sql", "--data", &data, "--format", "csv", query])?.stdout).into_owned())
        };
        let (letters, last) =
            (count("SELECT count(*) AS n FROM dead_letters")?, count("SELECT coalesce(max(commit_id), 0) AS n FROM commits")?);
        assert_eq!(notices.contains("2 records are dead letters of this run"), letters == "n\n2\n", "{signal:?}: {letters} {notices}");
        assert_eq!(notices.contains("stopped before the first commit"), last == "n\n0\n", "{signal:?}: {last} {notices}");
    }
    Ok(())
}

fn lines(file: &Path) -> Result<usize> {
    Ok(std::fs::read_to_string(file)?.lines().count())
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
