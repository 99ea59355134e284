//! Commits in a bucket: a run continues wherever it is started again, two runs never mix, and a store that is away is waited for.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};
use headwater_connectors::parquet::commit::Step;
use headwater_tests::bucket::{Gate, ObjectStore, section, with_credentials};
use headwater_tests::exposition::wait_until;
use headwater_tests::market;
use headwater_tests::pipeline::{
    PLAIN, Way, assert_invariants, assert_same, binary, command_with, everything, headwater, published, succeed, write_log,
};
use headwater_tests::prices::Dice;

use crate::crash::{MANY_COMMITS, last_commit};

/// As [`MANY_COMMITS`], without topics, for runs that share their records. With a bucket, commits are fewer: archives sooner.
const NO_TOPICS: &str = "[source]\nstride = 2\ngrid_lead = 1\n[upkeep]\nevery = 1\ngrace = \"0s\"\nwhole_from_changes = 500\n";

fn run_command(log: &Path, data: &Path, workers: u16, more: &str) -> Result<Command> {
    let mut command = command_with(&format!("log:{}", log.display()), data, Way { workers, ..PLAIN }, more, "5ms")?;
    with_credentials(command.stdout(Stdio::null()).stderr(Stdio::piped()));
    Ok(command)
}

fn log_of(folder: &Path, name: &str, records: usize) -> Result<PathBuf> {
    let log = folder.join(name);
    market::write(&log, &market::workload(records, 2, 7))?;
    Ok(log)
}

/// Receives the bucket into a new folder, proves it, and returns its rows.
fn mirrored(folder: &Path, name: &str, bucket: &str) -> Result<BTreeMap<String, Vec<String>>> {
    let (data, config) = (folder.join(name), folder.join(format!("{name}.toml")));
    std::fs::write(&config, bucket)?;
    let output = with_credentials(Command::new(binary()?).args(["mirror", "--config"]).arg(&config).arg("--data").arg(&data)).output()?;
    succeed(output)?;
    succeed(headwater(&["verify", "--data", &data.display().to_string()])?)?;
    everything(&data)
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Sends a signal to a process of this test.
fn signal(process: &Child, name: &str) -> Result<()> {
    succeed(Command::new("kill").arg(format!("-{name}")).arg(process.id().to_string()).output()?)
}

#[test]
fn a_run_that_is_killed_anywhere_continues_on_the_same_machine_or_another() -> Result<()> {
    let Some(store) = ObjectStore::start()? else { return Ok(()) };
    let folder = tempfile::tempdir()?;
    let log = log_of(folder.path(), "log", 12_000)?;
    let undisturbed = folder.path().join("undisturbed");
    succeed(run_command(&log, &undisturbed, 2, MANY_COMMITS)?.output()?)?;
    let expected = (everything(&undisturbed)?, published(&log)?);

    let settings = MANY_COMMITS.replace("every = 2", "every = 1");
    // A log has no journal: nothing is published before its commit.
    let steps: Vec<_> = Step::ALL.into_iter().filter(|step| *step != Step::Journaled).collect();
    let mut dice = Dice(5);
    let (mut killed, mut machines, mut round) = (BTreeMap::<String, usize>::new(), 0, 0);
    while killed.len() < steps.len() {
        round += 1;
        anyhow::ensure!(round < 20, "every step is reached at some time: {killed:?}");
        let (bucket, before) = (store.section(&format!("killed{round}")), killed.clone());
        let log = log_of(folder.path(), &format!("log{round}"), 12_000)?;
        let mut data = folder.path().join(format!("machine{machines}"));
        // A round may end before the last steps: the next one tries only those, in a run that is whole again.
        for step in steps.iter().filter(|step| !before.contains_key(&step.name())) {
            // What is archived lies behind, by as many commits as there are between two archives.
            let at = if *step == Step::Archived { 1 } else { last_commit(&data) + 1 + dice.below(2) };
            let workers = u16::try_from(1 + dice.below(3))?;
            let mut run = run_command(&log, &data, workers, &format!("{settings}{bucket}"))?;
            let output = run.env("HEADWATER_KILL_AT", format!("{}:{at}", step.name())).output()?;
            if output.status.code().is_some() {
                // It has ended before.
                succeed(output)?;
                break;
            }
            *killed.entry(step.name()).or_default() += 1;
            // Every other time the machine is lost with its folder.
            if dice.below(2) == 0 {
                machines += 1;
                data = folder.path().join(format!("machine{machines}"));
            }
        }
        succeed(run_command(&log, &data, 1, &format!("{settings}{bucket}"))?.output()?)?;
        let what = format!("round {round} on {machines} machines, after {killed:?}");
        assert_same(&expected.0, &everything(&data)?, &what);
        assert_same(&expected.1, &published(&log)?, &format!("topics of {what}"));
        assert_same(&expected.0, &mirrored(folder.path(), &format!("mirror{round}"), &bucket)?, &format!("mirror of {what}"));
        assert_invariants(&data)?;
        machines += 1;
    }
    println!("killed: {killed:?} on {machines} machines in {round} rounds");
    Ok(())
}

#[test]
fn a_run_that_another_one_has_overtaken_changes_nothing_and_says_so() -> Result<()> {
    let Some(store) = ObjectStore::start()? else { return Ok(()) };
    let folder = tempfile::tempdir()?;
    let log = log_of(folder.path(), "log", 20_000)?;
    let bucket = store.section("rivals");
    let (stale, fresh) = (folder.path().join("stale"), folder.path().join("fresh"));
    let paused = run_command(&log, &stale, 1, &format!("{NO_TOPICS}{bucket}"))?.spawn()?;
    wait_until("some commits", || Ok(last_commit(&stale) > 1))?;
    signal(&paused, "STOP")?;

    // It takes the place of the paused one, with other files for the same commits.
    succeed(run_command(&log, &fresh, 3, &format!("{NO_TOPICS}{bucket}"))?.output()?)?;
    let expected = everything(&fresh)?;
    signal(&paused, "CONT")?;
    let output = paused.wait_with_output()?;
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(said(&output).contains("another run writes this bucket"), "{}", said(&output));
    assert_same(&expected, &mirrored(folder.path(), "mirror", &bucket)?, "the bucket after both");

    // Restarted, it continues from the bucket's last commit.
    succeed(run_command(&log, &stale, 1, &format!("{NO_TOPICS}{bucket}"))?.output()?)?;
    assert_same(&expected, &everything(&stale)?, "the folder that was overtaken");
    Ok(())
}

#[test]
fn a_directory_moves_into_a_bucket_and_another_directory_does_not() -> Result<()> {
    let Some(store) = ObjectStore::start()? else { return Ok(()) };
    let folder = tempfile::tempdir()?;
    let (log, data, bucket) = (log_of(folder.path(), "log", 12_000)?, folder.path().join("data"), store.section("moved"));
    // Killed, so that there are segments.
    let output = run_command(&log, &data, 2, NO_TOPICS)?.env("HEADWATER_KILL_AT", "cleared:4").output()?;
    assert_eq!(output.status.code(), None, "{}", said(&output));
    succeed(run_command(&log, &data, 1, &format!("{NO_TOPICS}{bucket}"))?.output()?)?;
    let expected = everything(&data)?;
    assert_same(&expected, &mirrored(folder.path(), "mirror", &bucket)?, "the bucket");

    // As after a crash between the last record that was received and HEAD.
    std::fs::remove_file(folder.path().join("mirror/HEAD"))?;
    succeed(run_command(&log, &folder.path().join("mirror"), 1, &format!("{NO_TOPICS}{bucket}"))?.output()?)?;

    let (other_log, other) = (log_of(folder.path(), "other_log", 2_000)?, folder.path().join("other"));
    succeed(run_command(&other_log, &other, 1, NO_TOPICS)?.output()?)?;
    let output = run_command(&other_log, &other, 1, &format!("{NO_TOPICS}{bucket}"))?.output()?;
    assert!(!output.status.success() && said(&output).contains("is not the one in s3://risk/moved"), "{}", said(&output));
    let config = folder.path().join("mirror.toml");
    let mut mirror = Command::new(binary()?);
    let output = with_credentials(mirror.args(["mirror", "--config"]).arg(&config).arg("--data").arg(&other)).output()?;
    assert!(!output.status.success() && said(&output).contains("is not the one in s3://risk/moved"), "{}", said(&output));
    assert_same(&expected, &mirrored(folder.path(), "again", &bucket)?, "the bucket after what was refused");
    Ok(())
}

/// Starts a command again and again, and kills each after a while, `step` milliseconds longer each time, until one ends by itself.
/// Returns how many were killed.
fn until_one_ends(mut command: impl FnMut() -> Result<Command>, step: u64, dice: &mut Dice) -> Result<u64> {
    for killed in 0.. {
        let mut process = command()?.stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
        std::thread::sleep(Duration::from_millis(20 + dice.below(step) + step * killed));
        if process.try_wait()?.is_none() {
            process.kill()?;
            process.wait()?;
            continue;
        }
        succeed(process.wait_with_output()?)?;
        return Ok(killed);
    }
    unreachable!("the loop has no end")
}

#[test]
fn a_folder_that_is_killed_while_it_gives_or_receives_is_whole_in_the_end() -> Result<()> {
    let Some(store) = ObjectStore::start()? else { return Ok(()) };
    let folder = tempfile::tempdir()?;
    let (log, data, bucket) = (log_of(folder.path(), "log", 12_000)?, folder.path().join("data"), store.section("given"));
    succeed(run_command(&log, &data, 2, NO_TOPICS)?.output()?)?;
    let (expected, mut dice) = (everything(&data)?, Dice(23));
    let given = until_one_ends(|| run_command(&log, &data, 1, &format!("{NO_TOPICS}{bucket}")), 150, &mut dice)?;
    assert_same(&expected, &mirrored(folder.path(), "mirror", &bucket)?, &format!("what was given, after {given} kills"));

    let (received, config) = (folder.path().join("received"), folder.path().join("received.toml"));
    std::fs::write(&config, &bucket)?;
    let mirror = || {
        let mut mirror = Command::new(binary()?);
        with_credentials(mirror.args(["mirror", "--config"]).arg(&config).arg("--data").arg(&received));
        Ok(mirror)
    };
    let mirrored = until_one_ends(mirror, 60, &mut dice)?;
    assert_same(&expected, &everything(&received)?, &format!("what was received, after {mirrored} kills"));
    succeed(headwater(&["verify", "--data", &received.display().to_string()])?)?;

    // A run on another machine receives what it continues from.
    let (machine, more) = (folder.path().join("machine"), log_of(folder.path(), "more", 14_000)?);
    let resumed = until_one_ends(|| run_command(&more, &machine, 1, &format!("{NO_TOPICS}{bucket}")), 400, &mut dice)?;
    // The same two runs without a bucket: a run that ends has a valuation of its end.
    let alone = folder.path().join("alone");
    succeed(run_command(&log, &alone, 1, NO_TOPICS)?.output()?)?;
    succeed(run_command(&more, &alone, 1, NO_TOPICS)?.output()?)?;
    assert_same(&everything(&alone)?, &everything(&machine)?, &format!("what continued, after {resumed} kills"));
    println!("killed while giving {given}, receiving {mirrored}, continuing {resumed} times");
    assert!(given > 1 && mirrored > 1 && resumed > 1, "each is killed: {given}, {mirrored}, {resumed}");
    Ok(())
}

#[test]
fn a_store_over_tls_must_show_a_certificate_that_is_trusted() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let Some(store) = ObjectStore::start_with_tls(folder.path())? else { return Ok(()) };
    let (log, data) = (log_of(folder.path(), "log", 2_000)?, folder.path().join("data"));
    let section = store.section("secure");
    let bucket = |ca: &str| format!("{NO_TOPICS}{section}{ca}");
    let refused = |ca: &str| -> Result<String> {
        let output = run_command(&log, &data, 1, &bucket(ca))?.output()?;
        anyhow::ensure!(output.status.code() == Some(1), "{}", said(&output));
        Ok(said(&output))
    };
    let untrusted = refused("")?;
    assert!(untrusted.contains("its certificate is not trusted") && untrusted.contains("bucket.ca"), "{untrusted}");
    let (nothing, absent) = (folder.path().join("nothing.pem"), folder.path().join("absent.pem"));
    std::fs::write(&nothing, "")?;
    let named = |path: &Path| format!("ca = \"{}\"\n", path.display());
    let empty = refused(&named(&nothing))?;
    assert!(empty.contains("nothing.pem") && empty.contains("it has no certificate"), "{empty}");
    assert!(refused(&named(&absent))?.contains("absent.pem"));

    let trusted = named(&folder.path().join("ca.pem"));
    succeed(run_command(&log, &data, 1, &bucket(&trusted))?.output()?)?;
    assert_same(&everything(&data)?, &mirrored(folder.path(), "mirror", &format!("{section}{trusted}"))?, "the mirror over TLS");
    Ok(())
}

#[test]
fn a_file_that_is_sent_in_parts_arrives_whole() -> Result<()> {
    let Some(store) = ObjectStore::start()? else { return Ok(()) };
    let folder = tempfile::tempdir()?;
    let (log, data, bucket) = (log_of(folder.path(), "log", 500)?, folder.path().join("data"), store.section("parts"));
    // What cannot be read is kept as it is: random texts, which hardly get smaller.
    let mut dice = Dice(11);
    let mut letter = || u8::try_from(dice.below(64)).map_or('0', |letter| char::from(b'0' + letter));
    let unreadable: String = (1..=16_000_000).map(|place| if place % 8_000 == 0 { '\n' } else { letter() }).collect();
    write_log(&log, "transactions", 0, &unreadable)?;
    let mut run = command_with(&format!("log:{}", log.display()), &data, PLAIN, &bucket, "60s")?;
    succeed(with_credentials(&mut run).output()?)?;
    assert_same(&everything(&data)?, &mirrored(folder.path(), "mirror", &bucket)?, "the mirror");
    let files = headwater(&["files", "dead_letters", "--data", &folder.path().join("mirror").display().to_string()])?;
    let sizes = String::from_utf8(files.stdout)?.lines().map(|file| Ok(std::fs::metadata(file)?.len())).collect::<Result<Vec<_>>>()?;
    assert!(sizes.iter().any(|size| *size > 16 << 20), "files of {sizes:?} bytes: none is sent in parts of 8 MiB, the last a rest");
    Ok(())
}

#[test]
fn a_mirror_follows_a_run_and_is_whole_at_every_commit() -> Result<()> {
    let Some(store) = ObjectStore::start()? else { return Ok(()) };
    let folder = tempfile::tempdir()?;
    let (log, data, bucket) = (log_of(folder.path(), "log", 12_000)?, folder.path().join("data"), store.section("followed"));
    let (mirror, config) = (folder.path().join("mirror"), folder.path().join("mirror.toml"));
    std::fs::write(&config, format!("[upkeep]\ngrace = \"5s\"\n{bucket}"))?;
    let run = run_command(&log, &data, 1, &format!("{}{bucket}", NO_TOPICS.replace("grace = \"0s\"", "grace = \"5s\"")))?.spawn()?;
    let mut following = Command::new(binary()?);
    following.args(["mirror", "--follow", "--config"]).arg(&config).arg("--data").arg(&mirror).stdout(Stdio::null()).stderr(Stdio::piped());
    let following = with_credentials(&mut following).spawn()?;
    let mut seen = Vec::new();
    wait_until("a mirror that follows", || {
        let last = last_commit(&mirror);
        if last > 0 && seen.last() != Some(&last) {
            // What it has can be read while it receives more.
            assert_invariants(&mirror)?;
            seen.push(last);
        }
        Ok(seen.len() >= 3)
    })?;
    succeed(run.wait_with_output()?)?;
    let last = last_commit(&data);
    wait_until("the last commit in the mirror", || Ok(last_commit(&mirror) == last))?;
    signal(&following, "TERM")?;
    succeed(following.wait_with_output()?)?;
    assert_same(&everything(&data)?, &everything(&mirror)?, "the mirror");
    succeed(headwater(&["verify", "--data", &mirror.display().to_string()])?)
}

#[test]
fn a_store_that_is_away_is_waited_for_and_not_for_ever() -> Result<()> {
    let Some(store) = ObjectStore::start()? else { return Ok(()) };
    let folder = tempfile::tempdir()?;
    let (log, data, gate) = (log_of(folder.path(), "log", 20_000)?, folder.path().join("data"), Gate::before(&store)?);
    let bucket = section(gate.endpoint(), "away");
    let run = run_command(&log, &data, 1, &format!("{NO_TOPICS}{bucket}"))?.spawn()?;
    wait_until("some commits", || Ok(last_commit(&data) > 1))?;
    gate.close();
    std::thread::sleep(Duration::from_secs(6));
    gate.open();
    let output = run.wait_with_output()?;
    assert!(said(&output).contains("waiting for the bucket") && said(&output).contains("answers again"), "{}", said(&output));
    succeed(output)?;
    let expected = everything(&data)?;
    assert_same(&expected, &mirrored(folder.path(), "mirror", &store.section("away"))?, "the bucket");

    gate.close();
    let impatient = format!("{NO_TOPICS}{bucket}patience_seconds = 1\n");
    let output = run_command(&log, &data, 1, &impatient)?.output()?;
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("did not answer for bucket.patience_seconds"), "{}", said(&output));
    gate.open();
    succeed(run_command(&log, &data, 1, &impatient)?.output()?)?;
    assert_same(&expected, &everything(&data)?, "after the store came back");

    let missing = section(store.endpoint(), "x").replace("s3://risk/", "s3://nowhere/");
    let output = run_command(&log, &folder.path().join("missing"), 1, &format!("{NO_TOPICS}{missing}"))?.output()?;
    assert!(!output.status.success() && said(&output).contains("there is no such bucket"), "{}", said(&output));
    Ok(())
}

#[test]
fn processes_on_machines_of_their_own_share_the_bucket_alone() -> Result<()> {
    let Some(store) = ObjectStore::start()? else { return Ok(()) };
    let folder = tempfile::tempdir()?;
    let (log, bucket) = (log_of(folder.path(), "log", 12_000)?, store.section("cluster"));
    let alone = folder.path().join("alone");
    succeed(run_command(&log, &alone, 1, NO_TOPICS)?.output()?)?;
    let expected = everything(&alone)?;
    let hosts = crate::cluster::hosts(folder.path(), 2)?;
    let start = |number: usize, machine: &str, kill_at: Option<&str>| -> Result<Child> {
        let mut command = run_command(&log, &folder.path().join(machine), 1, &format!("{NO_TOPICS}{bucket}"))?;
        command.arg("--hosts").arg(&hosts).args(["--process", &number.to_string()]);
        command.envs(kill_at.map(|at| ("HEADWATER_KILL_AT", at)));
        Ok(command.spawn()?)
    };
    // Each of the two dies once, early: how many commits there are depends on the machine. Then both machines are others.
    for (first, second) in [(None, Some("uploaded:2")), (Some("shared:1"), None)] {
        let processes = [start(0, "first", first)?, start(1, "second", second)?];
        for process in processes {
            let output = process.wait_with_output()?;
            assert_ne!(output.status.code(), Some(0), "{}", said(&output));
        }
    }
    let processes = [start(0, "third", None)?, start(1, "fourth", None)?];
    for process in processes {
        succeed(process.wait_with_output()?)?;
    }
    let third = folder.path().join("third");
    assert_same(&expected, &everything(&third)?, "four machines");
    assert_invariants(&third)?;
    let left = std::fs::read_dir(folder.path().join("fourth").join("staging")).context("its staging folder")?.count();
    assert_eq!(left, 0, "a process that only sends keeps nothing");
    assert_same(&expected, &mirrored(folder.path(), "mirror", &bucket)?, "the bucket");
    Ok(())
}
