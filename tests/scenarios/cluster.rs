//! One run in several processes, over loopback.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};
use headwater_tests::exposition::{Live, free_addresses, wait_until};
use headwater_tests::market;
use headwater_tests::pipeline::{PLAIN, Way, assert_invariants, assert_same, binary, command_with, everything, succeed, write_log};

/// A file with the addresses of processes, on which nothing listens.
pub(crate) fn hosts(folder: &Path, count: u16) -> Result<PathBuf> {
    let lines: String = free_addresses(count)?.iter().map(|address| format!("{address}\n")).collect();
    let file = folder.join("hosts");
    std::fs::write(&file, lines)?;
    Ok(file)
}

fn process(source: &str, data: &Path, hosts: &Path, number: usize) -> Result<Command> {
    let mut command = command_with(source, data, PLAIN, "[source]\nstride = 32\n", "5ms")?;
    command.arg("--hosts").arg(hosts).args(["--process", &number.to_string()]).stdout(Stdio::null()).stderr(Stdio::piped());
    Ok(command)
}

fn finish(child: Child) -> Result<(Option<i32>, String)> {
    let output = child.wait_with_output()?;
    Ok((output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned()))
}

#[test]
fn two_processes_make_the_same_rows_also_after_one_of_them_died() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let log = folder.path().join("log");
    market::write(&log, &market::workload(12_000, 2, 5))?;
    let source = format!("log:{}", log.display());
    let alone = folder.path().join("alone");
    succeed(command_with(&source, &alone, PLAIN, "[source]\nstride = 32\n", "5ms")?.output()?)?;
    let expected = everything(&alone)?;

    let (data, hosts) = (folder.path().join("data"), hosts(folder.path(), 2)?);
    let start = |number: usize| -> Result<Child> { Ok(process(&source, &data, &hosts, number)?.spawn()?) };

    // The second process dies in the middle, and the first one ends with it.
    let second = process(&source, &data, &hosts, 1)?.env("HEADWATER_KILL_AT", "renamed:3").spawn()?;
    let (code, said) = finish(start(0)?)?;
    assert_eq!(code, Some(1), "{said}");
    assert_eq!(said.lines().count(), 1, "one message: {said}");
    assert!(said.contains("another process of the cluster went away"), "{said}");
    let (killed, its) = finish(second)?;
    assert_eq!(killed, None, "it was killed: {its}");

    // Both continue from the last commit.
    let second = start(1)?;
    let (code, said) = finish(start(0)?)?;
    assert_eq!(code, Some(0), "{said}");
    let (code, said) = finish(second)?;
    assert_eq!(code, Some(0), "{said}");
    assert_same(&expected, &everything(&data)?, "two processes");
    assert_invariants(&data)?;

    // A single process with another number of workers continues from the commits of two.
    succeed(command_with(&source, &data, Way { workers: 3, ..PLAIN }, "", "5ms")?.output()?)?;
    assert_same(&expected, &everything(&data)?, "one process behind two");
    Ok(())
}

/// Number of strides of a process whose results are committed.
fn committed_strides(process: &Live) -> Result<f64> {
    let families = process.families()?;
    let buckets = &families.get("headwater_read_to_commit_seconds").context("a histogram")?.series;
    let all = buckets.iter().find(|series| series.labels.get("le").is_some_and(|le| le == "+Inf"));
    Ok(all.context("a bucket of all")?.value)
}

#[test]
fn every_process_of_a_live_cluster_is_ready_and_measures_what_it_reads() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (log, config) = (folder.path().join("log"), folder.path().join("config.toml"));
    // Enough partitions for each process to have some.
    let append = || -> Result<()> {
        let partitions = ["orders", "transactions"].into_iter().flat_map(|topic| (0..8).map(move |partition| (topic, partition)));
        partitions.into_iter().try_for_each(|(topic, partition)| write_log(&log, topic, partition, "no event\n"))
    };
    append()?;
    let (addresses, hosts) = (free_addresses(2)?, hosts(folder.path(), 2)?);
    let first = addresses.first().context("an address")?;
    std::fs::write(&config, format!("[http]\naddress = \"{first}\"\n[outbox]\ntopics = []\n"))?;
    let start = |(number, address): (usize, &String)| {
        let mut command = Command::new(binary()?);
        command.arg("run").arg("--source").arg(format!("log:{}", log.display())).arg("--data").arg(folder.path().join("data"));
        command.arg("--config").arg(&config).arg("--hosts").arg(&hosts).args(["--process", &number.to_string()]).stderr(Stdio::null());
        Live::start(&mut command, address.clone())
    };
    let processes = addresses.iter().enumerate().map(start).collect::<Result<Vec<_>>>()?;
    for process in &processes {
        let address = &process.address;
        wait_until(&format!("{address} is started"), || Ok(process.answers_ok("/health/startup")))?;
        wait_until(&format!("{address} is ready"), || Ok(process.answers_ok("/health/ready")))?;
        wait_until(&format!("a commit of what {address} read"), || Ok(committed_strides(process)? > 0.0))?;
    }
    let before = processes.iter().map(committed_strides).collect::<Result<Vec<_>>>()?;
    append()?;
    for (process, before) in processes.iter().zip(before) {
        wait_until(&format!("a commit of what {} read then", process.address), || Ok(committed_strides(process)? > before))?;
    }
    Ok(())
}

#[test]
fn processes_that_do_not_fit_together_say_why() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let log = folder.path().join("log");
    write_log(&log, "transactions", 0, "")?;
    let source = format!("log:{}", log.display());
    let (data, hosts) = (folder.path().join("data"), hosts(folder.path(), 2)?);
    let first = process(&source, &data, &hosts, 0)?.spawn()?;
    let second = process(&source, &data, &hosts, 1)?.args(["--accept-gaps"]).env("RUST_LOG", "off").spawn()?;
    let (first, second) = (finish(first)?, finish(second)?);
    assert_eq!((first.0, second.0), (Some(0), Some(0)), "{} {}", first.1, second.1);

    let first = process(&source, &data, &hosts, 0)?.spawn()?;
    let other = command_with(&source, &data, Way { workers: 2, ..PLAIN }, "", "5ms")?
        .arg("--hosts")
        .arg(&hosts)
        .args(["--process", "1"])
        .stderr(Stdio::piped())
        .spawn()?;
    for (code, said) in [finish(first)?, finish(other)?] {
        assert_eq!(code, Some(1));
        assert!(said.contains("workers") && said.contains("start all with the same"), "{said}");
    }
    let out_of_range = process(&source, &data, &hosts, 2)?.output()?;
    let said = String::from_utf8(out_of_range.stderr).context("a text")?;
    assert!(said.contains("--process 2") && said.contains("numbered 0 to 1"), "{said}");
    Ok(())
}
