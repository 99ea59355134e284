//! Faults of disks and folders, and added partitions: the expected reactions.
//!
//! | fault | what happens |
//! |---|---|
//! | the disk is full, or a folder cannot be written | the run ends with one sentence that names the file; the last commit is intact, and once there is room a restart continues |
//! | the data directory cannot be created | one sentence, before anything is read |
//! | a partition or a topic is added | a live run reads it from its beginning, at the clock of that moment |
//! | the progress of what is published is lost | the run ends with one sentence, and publishes nothing again |
//! | brokers are down | a live run waits (`kafka`) |
//! | the wall clock jumps | clocks never go back (`headwater_connectors::source::clock`) |

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use headwater_tests::market;
use headwater_tests::pipeline::{PLAIN, assert_invariants, assert_same, binary, command_with, everything, rows, run, succeed, write_log};

const MANY_COMMITS: &str = "[source]\nstride = 32\n";

#[test]
fn a_full_disk_ends_a_run_with_a_sentence_and_a_restart_goes_on() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let log = folder.path().join("log");
    market::write(&log, &market::workload(12_000, 1, 13))?;
    let source = format!("log:{}", log.display());
    let undisturbed = folder.path().join("undisturbed");
    succeed(command_with(&source, &undisturbed, PLAIN, MANY_COMMITS, "5ms")?.output()?)?;

    // A limit on the size of files, which fails a write with an error, like a full disk.
    let data = folder.path().join("data");
    let plain = command_with(&source, &data, PLAIN, MANY_COMMITS, "5ms")?;
    let limited = |blocks: &str| {
        let mut shell = Command::new("bash");
        shell.args(["-c", &format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"")]);
        shell.arg(plain.get_program()).args(plain.get_args());
        shell
    };
    for blocks in ["16", "40"] {
        let output = limited(blocks).output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.lines().count() == 1 && said.contains("File too large") && said.contains("data/"), "{said}");
    }
    succeed(command_with(&source, &data, PLAIN, MANY_COMMITS, "5ms")?.output()?)?;
    assert_same(&everything(&undisturbed)?, &everything(&data)?, "behind a full disk");
    assert_invariants(&data)
}

#[test]
fn a_folder_that_cannot_be_written_is_named() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let log = folder.path().join("log");
    write_log(&log, "transactions", 0, "")?;
    let source = format!("log:{}", log.display());
    let (file, config) = (folder.path().join("file"), folder.path().join("config.toml"));
    std::fs::write(&file, "")?;
    std::fs::write(&config, "[http]\naddress = \"\"\n[outbox]\ntopics = []\n")?;
    for path in [file.join("data"), "/proc/headwater/data".into()] {
        let mut command = Command::new(binary()?);
        command.args(["run", "--until-end", "--source", &source, "--data"]).arg(&path).arg("--config").arg(&config);
        let output = command.output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.lines().count() == 1 && said.contains(&path.display().to_string()), "{said}");
    }

    // Staging cannot be written: the run ends, and continues once it can.
    let data = folder.path().join("data");
    run(&source, &data, PLAIN)?;
    write_log(
        &log,
        "transactions",
        0,
        "{\"transaction_id\":\"t\",\"account_id\":\"a\",\"type\":\"deposit\",\"amount\":\"1\",\"currency\":\"USD\",\"ts\":\"2026-01-05T10:00:00Z\"}\n",
    )?;
    std::fs::create_dir_all(data.join("balances_history"))?;
    std::fs::write(data.join("balances_history/date=2026-01-05"), "in the way")?;
    let output = command_with(&source, &data, PLAIN, "", "5ms")?.output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(1) && said.contains("balances_history/date=2026-01-05"), "{said}");
    std::fs::remove_file(data.join("balances_history/date=2026-01-05"))?;
    run(&source, &data, PLAIN)?;
    assert_eq!(rows(&data, "SELECT posted FROM balances WHERE account_id = 'a'")?, ["1"]);
    assert_invariants(&data)
}

#[test]
fn committed_rows_are_not_published_again_when_their_progress_is_lost() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (log, data, config) = (folder.path().join("log"), folder.path().join("data"), folder.path().join("config.toml"));
    std::fs::write(&config, "[http]\naddress = \"\"\n[outbox]\ntopics = [\"dead_letters\"]\n")?;
    let run = || -> Result<Output> {
        let mut command = Command::new(binary()?);
        command.args(["run", "--until-end", "--source", &format!("log:{}", log.display()), "--data"]).arg(&data);
        Ok(command.arg("--config").arg(&config).output()?)
    };
    write_log(&log, "transactions", 0, "one\n")?;
    succeed(run()?)?;
    let published = || std::fs::read_to_string(log.join("dead_letters/0.jsonl")).map(|lines| lines.lines().count());
    assert_eq!(published()?, 1);

    write_log(&log, "transactions", 0, "two\n")?;
    std::fs::remove_dir_all(log.join(".outbox"))?;
    let output = run()?;
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("has no progress of headwater-") && said.contains("data/OUTBOX"), "{said}");
    assert_eq!(published()?, 1, "nothing is published again");

    // Its mend: all again, under another id.
    std::fs::remove_file(data.join("OUTBOX"))?;
    succeed(run()?)?;
    assert_eq!(published()?, 3);
    Ok(())
}

#[test]
fn partitions_and_topics_that_are_added_are_read() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (log, data) = (folder.path().join("log"), folder.path().join("data"));
    let deposit = |id: usize| {
        format!(
            "{{\"transaction_id\":\"t{id}\",\"account_id\":\"a{id}\",\"type\":\"deposit\",\"amount\":\"1\",\"currency\":\"USD\",\"ts\":\"2026-01-05T10:00:00Z\"}}\n"
        )
    };
    write_log(&log, "transactions", 0, &deposit(0))?;
    let source = format!("log:{}", log.display());
    let config = folder.path().join("config.toml");
    let text = "[http]\naddress = \"\"\n[commit]\ninterval = \"100ms\"\n[valuation]\ninterval = \"100ms\"\n[source]\ndiscover = \"100ms\"\n[time]\nhorizon = \"87600h\"\n[outbox]\ntopics = []\n";
    std::fs::write(&config, text)?;
    let mut command = Command::new(binary()?);
    command.args(["run", "--workers", "2", "--source", &source, "--data"]).arg(&data).arg("--config").arg(&config);
    let mut process = command.stdout(Stdio::null()).spawn()?;
    let wait_for = |query: &str, expected: &str| -> Result<()> {
        let begun = Instant::now();
        while rows(&data, query).ok().is_none_or(|rows| rows != [expected]) {
            ensure!(begun.elapsed() < Duration::from_secs(60), "{query}: {:?}", rows(&data, query));
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    };
    let sum = "SELECT SUM(posted) FROM balances WHERE account_id LIKE 'a%'";
    wait_for(sum, "1")?;
    write_log(&log, "transactions", 1, &deposit(1))?;
    write_log(&log, "transactions", 2, &deposit(2))?;
    write_log(&log, "market.trades", 0, "{\"symbol\":\"S\",\"price\":\"7\",\"size\":\"1\",\"ts\":\"2026-01-05T10:00:00Z\"}\n")?;
    wait_for(sum, "3")?;
    wait_for("SELECT trade FROM marks", "7")?;
    succeed(Command::new("kill").args(["-TERM", &process.id().to_string()]).output()?)?;
    assert_eq!(process.wait()?.code(), Some(0));
    assert_invariants(&data)?;

    // A restart knows them, and reads no record twice.
    write_log(&log, "transactions", 2, &deposit(3))?;
    let mut command = Command::new(binary()?);
    command.args(["run", "--workers", "2", "--until-end", "--source", &source, "--data"]).arg(&data).arg("--config").arg(&config);
    succeed(command.output()?)?;
    assert_eq!(rows(&data, sum)?, ["4"]);
    assert_invariants(&data)?;

    // A replay knows when they were added, and reads no others: the same files to the byte.
    write_log(&log, "transactions", 3, &deposit(5))?;
    let mut command = Command::new(binary()?);
    command.args(["replay", "--workers", "2", "--source", &source, "--config"]).arg(&config);
    let again = folder.path().join("again");
    succeed(command.arg("--out").arg(&again).arg("--against").arg(&data).output()?)?;
    let head = |data: &Path| std::fs::read_to_string(data.join("HEAD"));
    assert_eq!(head(&again)?, head(&data)?, "equal to the byte");
    Ok(())
}
