//! Mistakes of producers and files: wrong clocks, files out of order, replaced or wrongly named, bounded runs that are cut
//! anywhere; and the messages about them.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use anyhow::{Context, Result};
use headwater_tests::pipeline::{
    PLAIN, Way, assert_invariants, assert_same, binary, command, command_with, headwater, rows, run, succeed, tables, write_log,
};

/// A time on 2026-01-05, `ms` milliseconds after 14:30:00Z.
fn at(ms: i64) -> String {
    headwater_schemas::EventTime::from_nanos(1_767_623_400_000_000_000 + ms * 1_000_000).to_string()
}

fn fill(id: &str, ts: &str) -> String {
    format!(
        "{{\"type\":\"fill\",\"fill_id\":\"{id}\",\"account_id\":\"a\",\"symbol\":\"S\",\"side\":\"buy\",\"quantity\":\"1\",\"price\":\"10\",\"ts\":\"{ts}\"}}\n"
    )
}

fn deposit(id: &str, account: &str, ts: &str) -> String {
    format!(
        "{{\"transaction_id\":\"{id}\",\"account_id\":\"{account}\",\"type\":\"deposit\",\"amount\":\"1\",\"currency\":\"USD\",\"ts\":{ts}}}\n"
    )
}

fn instrument() -> &'static str {
    "{\"symbol\":\"S\",\"asset_class\":\"equity\",\"currency\":\"USD\",\"tick_size\":\"0.01\",\"lot_size\":\"1\"}\n"
}

/// A folder with a log of one instrument.
fn log_in(folder: &Path) -> Result<(PathBuf, String)> {
    let log = folder.join("log");
    write_log(&log, "instruments", 0, instrument())?;
    let source = format!("log:{}", log.display());
    Ok((log, source))
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn replay(source: &str, data: &Path, out: &Path, workers: u16) -> Result<Output> {
    let mut command = Command::new(binary()?);
    command.args(["replay", "--workers", &workers.to_string(), "--source", source, "--out"]).arg(out);
    Ok(command.arg("--against").arg(data).arg("--config").arg(data.with_extension("toml")).output()?)
}

#[test]
fn one_record_of_the_year_2261_takes_no_other_with_it() -> Result<()> {
    for (topic, record) in [
        ("fills", fill("late", "2261-01-01T00:00:00Z")),
        (
            "market.quotes",
            "{\"symbol\":\"S\",\"bid\":\"1\",\"ask\":\"2\",\"bid_size\":\"1\",\"ask_size\":\"1\",\"ts\":\"2261-01-01T00:00:00Z\"}\n"
                .to_owned(),
        ),
    ] {
        let folder = tempfile::tempdir()?;
        let (log, source) = log_in(folder.path())?;
        let data = folder.path().join("data");
        write_log(&log, "fills", 0, &fill("f1", &at(0)))?;
        write_log(&log, topic, 0, &record)?;
        write_log(&log, "fills", 0, &(fill("f2", &at(1_000)) + &fill("f3", &at(2_000))))?;
        run(&source, &data, PLAIN)?;
        // Nor in the next run.
        write_log(&log, "fills", 0, &fill("f4", &at(3_000)))?;
        run(&source, &data, PLAIN)?;
        assert_eq!(rows(&data, "SELECT topic, code FROM dead_letters")?, [format!("{topic},future_timestamp")]);
        assert_eq!(rows(&data, "SELECT quantity FROM holdings")?, ["4"], "{topic}");
        assert_eq!(rows(&data, "SELECT topic FROM remap")?, [topic], "the wall clock decided");
        assert_invariants(&data)?;
        let output = replay(&source, &data, &folder.path().join("again"), 2)?;
        assert!(output.status.success(), "{}", said(&output));
        assert_eq!(rows(&folder.path().join("again"), "SELECT code FROM dead_letters")?, ["future_timestamp"], "a replay follows it");
    }
    Ok(())
}

#[test]
fn what_was_rejected_is_summed_up_with_its_query_and_the_mend() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (log, source) = log_in(folder.path())?;
    let data = folder.path().join("data");
    // Five days of one account, then of another.
    let days = |account: &str| {
        (0..5).map(|day| deposit(&format!("{account}{day}"), account, &format!("\"{}\"", at(day * 86_400_000)))).collect::<String>()
    };
    let lines = days("a") + &days("b") + &deposit("c", "c", "1767623400000") + &deposit("d", "d", "1767623400");
    write_log(&log, "transactions", 0, &lines)?;
    let output = command_with(&source, &data, PLAIN, "[outbox]\n", "200ms")?.output()?;
    let summary = said(&output);
    assert!(output.status.success(), "{summary}");
    // The fourth day of b is 24 hours before the fifth of a, which is within the horizon.
    for expected in
        ["5 records are dead letters", "too_late", "bad_time", "looks like ", "publish --sort", "time.horizon", "FROM dead_letters"]
    {
        assert!(summary.contains(expected), "{expected} in {summary}");
    }
    assert_eq!(rows(&data, "SELECT code, COUNT(*) FROM dead_letters GROUP BY code ORDER BY code")?, ["bad_time,2", "too_late,3"]);
    let query = summary.rsplit_once(" '").and_then(|(_, query)| query.trim().strip_suffix('\'')).context("a query")?;
    assert_eq!(rows(&data, query)?.len(), 5, "{query}");
    let units = rows(&data, "SELECT error FROM dead_letters WHERE code = 'bad_time' ORDER BY \"offset\"")?;
    assert!(units.iter().zip(["milliseconds", "seconds"]).all(|(error, unit)| error.contains(&format!(" {unit} "))), "{units:?}");
    // Also from the topics alone, and from the tables.
    for more in [vec![], vec!["--data".to_owned(), data.display().to_string()]] {
        let arguments: Vec<_> = ["topics", "--source", &source].into_iter().map(str::to_owned).chain(more).collect();
        let output = headwater(&arguments.iter().map(String::as_str).collect::<Vec<_>>())?;
        let shown = said(&output);
        assert!(
            shown.contains("5 records are dead letters") && shown.contains("too_late         3") && shown.contains("publish --sort"),
            "{shown}"
        );
        assert_eq!(shown.contains("committed"), arguments.len() > 3, "{shown}");
    }

    // Sorted and with the right units, nothing is rejected and nothing is reported.
    let sorted = folder.path().join("sorted");
    let file = folder.path().join("file.jsonl");
    std::fs::write(&file, format!("\u{feff}{}{}", days("a"), days("b")))?;
    let target = format!("log:{}", sorted.display());
    succeed(headwater(&["publish", "--sort", "--source", &target, "transactions", &file.display().to_string()])?)?;
    let data = folder.path().join("well");
    let output = command(&target, &data, PLAIN)?.output()?;
    assert!(output.status.success() && said(&output).is_empty(), "{}", said(&output));
    assert_eq!(rows(&data, "SELECT SUM(posted) FROM balances WHERE account_id IN ('a', 'b')")?, ["10"]);
    Ok(())
}

#[test]
fn a_partition_that_is_added_with_old_records_is_in_the_summary() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (log, source) = log_in(folder.path())?;
    let data = folder.path().join("data");
    write_log(&log, "fills", 0, &fill("f1", &at(5 * 86_400_000)))?;
    run(&source, &data, PLAIN)?;
    write_log(&log, "fills", 1, &(fill("f2", &at(0)) + &fill("f3", &at(1))))?;
    let output = command(&source, &data, PLAIN)?.output()?;
    let summary = said(&output);
    assert!(
        summary.contains("2 records are dead letters") && summary.contains("too_late") && summary.contains("time.horizon"),
        "{summary}"
    );
    Ok(())
}

#[test]
fn a_file_that_is_not_what_was_read_is_named_and_its_acceptance_stays() -> Result<()> {
    type Change = fn(&Path, &str) -> std::io::Result<()>;
    let cases: [(&str, Change, &str); 3] = [
        (
            "replaced by a longer one",
            |path, more| std::fs::write(path, format!("{}{more}", more.replace("new", "other"))),
            "is not what was read",
        ),
        (
            "moved away, and begun anew",
            |path, more| {
                std::fs::rename(path, path.with_extension("old"))?;
                std::fs::write(path, more)
            },
            "created anew",
        ),
        (
            "cut off and grown",
            |path, more| {
                let file = std::fs::File::options().write(true).open(path)?;
                file.set_len(file.metadata()?.len() / 2)?;
                std::fs::File::options().append(true).open(path)?.write_all(format!("\n{more}{more}").as_bytes())
            },
            "is not what was read",
        ),
    ];
    for (case, change, expected) in cases {
        let folder = tempfile::tempdir()?;
        let (log, source) = log_in(folder.path())?;
        let data = folder.path().join("data");
        write_log(&log, "fills", 0, &(0..4).map(|number| fill(&format!("f{number}"), &at(number))).collect::<String>())?;
        run(&source, &data, PLAIN)?;
        // A file that only grew is accepted.
        write_log(&log, "fills", 0, &fill("f4", &at(4)))?;
        run(&source, &data, PLAIN)?;
        change(&log.join("fills/0.jsonl"), &(fill("new1", &at(10)) + &fill("new2", &at(11)) + &fill("new3", &at(12))))?;
        let refused = command(&source, &data, PLAIN)?.output()?;
        let message = said(&refused);
        let is_named = message.contains("topic fills, partition 0") && message.contains(expected) && message.contains("--accept-gaps");
        assert!(refused.status.code() == Some(1) && is_named, "{case}: {message}");
        // Accepted once is accepted for good: also by a run that has nothing else to commit.
        succeed(command(&source, &data, PLAIN)?.arg("--accept-gaps").output()?)?;
        let commit = rows(&data, "SELECT MAX(commit_id) FROM commits")?.concat();
        let record = std::fs::read_to_string(data.join(format!("commits/{commit}.json")))?;
        assert!(record.contains("\"gaps\": [") && record.contains("\"from\":"), "{case}: {record}");
        run(&source, &data, PLAIN).with_context(|| format!("{case}: without the flag"))?;
        assert_invariants(&data)?;
    }
    Ok(())
}

#[test]
fn an_edit_in_the_middle_of_a_file_is_found_by_a_replay() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (log, source) = log_in(folder.path())?;
    let data = folder.path().join("data");
    let records: Vec<_> = (0..100).map(|number| fill(&format!("f{number}"), &at(number))).collect();
    write_log(&log, "fills", 0, &records.concat())?;
    run(&source, &data, PLAIN)?;
    // The same price in as many bytes: no table but the audit can show it.
    let edited = records[50].replace(r#""price":"10""#, r#""price":10  "#);
    let text = records.concat().replace(&records[50], &edited);
    assert!(edited != records[50] && text.len() == records.concat().len());
    std::fs::write(log.join("fills/0.jsonl"), text)?;
    run(&source, &data, PLAIN).context("a fingerprint covers the beginning and the end")?;
    let compared = replay(&source, &data, &folder.path().join("again"), 1)?;
    let (message, offset) = (said(&compared), records[..50].concat().len());
    let is_named = message.contains("audit: 0 gained, 0 lost, 50 changed") && message.contains(&format!("< fills,0,51,{offset},f50,"));
    assert!(compared.status.code() == Some(1) && is_named && message.contains("1 tables differ"), "{message}");
    Ok(())
}

#[test]
fn an_accepted_gap_is_committed_without_a_record() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (log, source) = log_in(folder.path())?;
    let data = folder.path().join("data");
    write_log(&log, "fills", 0, &fill("f1", &at(0)))?;
    run(&source, &data, PLAIN)?;
    std::fs::write(log.join("fills/0.jsonl"), "")?;
    assert_eq!(command(&source, &data, PLAIN)?.output()?.status.code(), Some(1));
    succeed(command(&source, &data, PLAIN)?.arg("--accept-gaps").output()?)?;
    let commits = rows(&data, "SELECT COUNT(*) FROM commits")?;
    run(&source, &data, PLAIN)?;
    assert_eq!(rows(&data, "SELECT COUNT(*) FROM commits")?, commits, "nothing came since");
    assert_eq!(rows(&data, "SELECT quantity FROM holdings")?, ["1"], "the tables keep what was read");
    Ok(())
}

#[test]
fn a_dead_letter_has_the_bytes_of_its_record_whoever_refused_it() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (log, source) = log_in(folder.path())?;
    let data = folder.path().join("data");
    let payment = |amount: &str| {
        format!(
            "{{ \"transaction_id\":\"t1\", \"account_id\":\"a\",\"type\":\"deposit\",\"amount\":{amount},\"currency\":\"USD\",\"ts\":\"{}\",\"desk\":\"é 7\"}}",
            at(0)
        )
    };
    let bytes = b"{\"transaction_id\":\"\xff\"}";
    write_log(&log, "transactions", 0, &(payment("4.00") + "\n" + &payment("5.00") + "\n"))?;
    let path = log.join("transactions/0.jsonl");
    std::fs::File::options().append(true).open(path)?.write_all(&[bytes.as_slice(), b"\n"].concat())?;
    run(&source, &data, PLAIN)?;
    let letters = rows(
        &data,
        "SELECT code, CAST(CAST(value AS VARCHAR) = text AS VARCHAR), text FROM dead_letters WHERE code = 'conflicting_duplicate'",
    )?;
    let expected = payment("5.00").replace('"', "\"\"");
    assert_eq!(letters, [format!("conflicting_duplicate,true,\"{expected}\"")], "as it was written, with the producer's field");
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(rows(&data, "SELECT value FROM dead_letters WHERE code = 'not_utf8'")?, [hex]);
    Ok(())
}

#[test]
fn what_is_not_read_is_named_once() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (log, source) = log_in(folder.path())?;
    let data = folder.path().join("data");
    write_log(&log, "fills", 0, &fill("f1", &at(0)))?;
    for (topic, file) in [("fills", "part-1.jsonl"), ("fills", "00.jsonl"), ("fill", "0.jsonl")] {
        std::fs::create_dir_all(log.join(topic))?;
        std::fs::write(log.join(topic).join(file), fill("f2", &at(1)))?;
    }
    let output = command(&source, &data, PLAIN)?.output()?;
    let shown = headwater(&["topics", "--source", &source])?;
    for told in [said(&output), said(&shown)] {
        for name in ["fills/part-1.jsonl", "fills/00.jsonl", "log/fill:"] {
            assert_eq!(told.matches(name).count(), 1, "{name} in {told}");
        }
    }
    assert_eq!(rows(&data, "SELECT quantity FROM holdings")?, ["1"]);
    Ok(())
}

/// What `headwater topics` shows of a partition: its end, what is committed of it, and the lag.
fn position_in(shown: &str, topic: &str) -> Result<[String; 3]> {
    let line = shown.lines().find(|line| line.split_whitespace().next() == Some(topic)).context("a line")?;
    let words: Vec<_> = line.split_whitespace().skip(3).map(str::to_owned).collect();
    words.try_into().map_err(|words| anyhow::anyhow!("{words:?} in {shown}"))
}

#[test]
fn blank_lines_that_end_a_log_are_no_lag() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (log, source) = log_in(folder.path())?;
    let data = folder.path().join("data");
    let first = fill("f1", &at(0));
    write_log(&log, "fills", 0, &first)?;
    write_log(&log, "fills", 0, "\n  \n")?;
    run(&source, &data, PLAIN)?;
    let shown = || -> Result<String> { Ok(said(&headwater(&["topics", "--source", &source, "--data", &data.display().to_string()])?)) };
    let end = first.len() + 4;
    assert_eq!(position_in(&shown()?, "fills")?, [end.to_string(), first.len().to_string(), "0".to_owned()]);
    let second = fill("f2", &at(1));
    write_log(&log, "fills", 0, &second)?;
    let lag = (4 + second.len()).to_string();
    assert_eq!(position_in(&shown()?, "fills")?, [(end + second.len()).to_string(), first.len().to_string(), lag]);
    Ok(())
}

#[test]
fn a_directory_that_never_read_a_source_has_no_position_in_it() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (log, source) = log_in(folder.path())?;
    write_log(&log, "fills", 0, &fill("f1", &at(0)))?;
    let (data, other_log) = (folder.path().join("data"), folder.path().join("other"));
    run(&source, &data, PLAIN)?;
    write_log(&other_log, "fills", 0, &fill("f2", &at(1)))?;
    write_log(&other_log, "orders", 0, "")?;
    let other = format!("log:{}", other_log.display());
    let shown = said(&headwater(&["topics", "--source", &other, "--data", &data.display().to_string()])?);
    let end = fill("f2", &at(1)).len().to_string();
    assert_eq!(position_in(&shown, "fills")?, [end, "-".to_owned(), "-".to_owned()]);
    assert!(shown.contains("not of this source: ") && shown.contains("which has read other records there"), "{shown}");
    assert!(!shown.contains(": 1 positions"), "{shown}");
    let shown = said(&headwater(&["topics", "--source", &source, "--data", &data.display().to_string()])?);
    assert!(position_in(&shown, "fills")?[2] == "0" && !shown.contains("not of this source"), "{shown}");
    Ok(())
}

#[test]
fn a_folder_that_is_no_data_directory_is_an_error() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (empty, missing) = (folder.path().display().to_string(), folder.path().join("missing").display().to_string());
    for data in [&empty, &missing] {
        for arguments in [vec!["verify", "--data", data], vec!["sql", "--data", data, "SELECT 1"], vec!["files", "--data", data]] {
            let output = headwater(&arguments)?;
            let message = said(&output);
            assert!(
                output.status.code() == Some(1) && message.contains("is no data directory") && message.contains(data.as_str()),
                "{message}"
            );
        }
    }
    Ok(())
}

#[test]
fn a_replay_of_nothing_is_a_wrong_use() -> Result<()> {
    let arguments = ["replay", "--source", "log:x", "--out", "y", "--from", "2026-01-06T00:00:00Z", "--to", "2026-01-05T00:00:00Z"];
    let output = headwater(&arguments)?;
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(said(&output).contains("--from is not before --to"), "{}", said(&output));
    Ok(())
}

#[test]
fn a_demo_that_was_killed_can_be_finished() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let data = folder.path().join("demo");
    let config = folder.path().join("config.toml");
    std::fs::write(&config, "[http]\naddress = \"\"\n[serve]\naddress = \"\"\n")?;
    let demo = || -> Result<Command> {
        let mut demo = Command::new(binary()?);
        demo.arg("demo").arg("--data").arg(&data).arg("--config").arg(&config);
        Ok(demo)
    };
    let mut process = demo()?.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    let began = std::time::Instant::now();
    while !data.join("HEAD").exists() && began.elapsed().as_secs() < 60 {
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    process.kill()?;
    process.wait()?;
    let refused = said(&demo()?.output()?);
    let source = format!("log:{}", data.join("log").display());
    let mend = format!("headwater run --source {source} --data {} --until-end", data.display());
    assert!(refused.contains(&mend), "{refused}");
    succeed(headwater(&[
        "run",
        "--source",
        &source,
        "--data",
        &data.display().to_string(),
        "--until-end",
        "--config",
        &config.display().to_string(),
    ])?)?;
    assert_invariants(&data)
}

fn order(id: &str, account: &str, side: &str, more: &str, ms: i64) -> String {
    format!(
        "{{\"type\":\"new\",\"order_id\":\"{id}\",\"account_id\":\"{account}\",\"symbol\":\"S\",\"side\":\"{side}\",\"order_type\":\"limit\",\"quantity\":\"1\",\"price\":\"99\",{more},\"ts\":\"{}\"}}\n",
        at(ms)
    )
}

/// Runs a log in two parts: the content of each topic's file before and after the cut.
fn run_in_parts(folder: &Path, topics: &[(&str, Vec<String>)], cut: usize, workers: u16) -> Result<(PathBuf, String)> {
    let (log, source) = log_in(folder)?;
    let data = folder.join("data");
    let way = Way { workers, ..PLAIN };
    let mut left = cut;
    let parts: Vec<_> = topics.iter().map(|(topic, lines)| (topic, lines.split_at(std::mem::take(&mut left).min(lines.len())))).collect();
    for (topic, (before, _)) in &parts {
        write_log(&log, topic, 0, &before.concat())?;
    }
    run(&source, &data, way)?;
    for (topic, (_, after)) in &parts {
        write_log(&log, topic, 0, &after.concat())?;
    }
    run(&source, &data, way)?;
    Ok((data, source))
}

#[test]
fn bounded_runs_are_the_same_wherever_they_are_cut() -> Result<()> {
    let gtd = |ms: i64| format!("\"time_in_force\":\"gtd\",\"expires_at\":\"{}\"", at(ms));
    let gtc = "\"time_in_force\":\"gtc\"";
    let orders = vec![
        order("o1", "ann", "buy", &gtd(500), 100),
        order("o2", "bob", "sell", gtc, 200),
        order("o3", "ann", "buy", &gtd(600), 300),
        order("o4", "bob", "sell", gtc, 700),
        order("o5", "ann", "buy", "\"time_in_force\":\"gtd\",\"expires_at\":\"9999-12-31T23:59:59Z\"", 701),
        order("o6", "ann", "buy", &gtd(5_000), 1_300),
        order("o7", "bob", "sell", gtc, 1_301),
        order("o8", "bob", "sell", gtc, 9_000),
    ];
    let topics = [("orders", orders)];
    let whole = tempfile::tempdir()?;
    let (expected, _) = run_in_parts(whole.path(), &topics, 0, 1)?;
    let executed = rows(&expected, "SELECT order_id FROM executions ORDER BY ts, order_id")?;
    assert_eq!(executed, ["o1", "o2", "o4", "o5", "o6", "o7"], "o3 expired at t+0.6");
    let expected = tables(&expected)?;
    for cut in 1..8 {
        for workers in [1, 2] {
            let folder = tempfile::tempdir()?;
            let (data, source) = run_in_parts(folder.path(), &topics, cut, workers)?;
            let what = format!("cut after {cut}, {workers} workers");
            assert_same(&expected, &tables(&data)?, &what);
            assert_eq!(rows(&data, "SELECT * FROM remap")?, Vec::<String>::new(), "{what}: nothing was lifted");
            assert_invariants(&data)?;
            let again = folder.path().join("again");
            let output = replay(&source, &data, &again, workers)?;
            assert!(output.status.success(), "{what}: {}", said(&output));
            assert_eq!(std::fs::read(again.join("HEAD"))?, std::fs::read(data.join("HEAD"))?, "{what}: equal to the byte");
        }
    }
    Ok(())
}

#[test]
fn a_record_of_the_very_next_nanosecond_is_in_time() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (log, source) = log_in(folder.path())?;
    let data = folder.path().join("data");
    let ts = |nanos: u32| format!("2026-01-05T14:30:00.{nanos:09}Z");
    for number in 0..5 {
        write_log(&log, "fills", 0, &fill(&format!("f{number}"), &ts(123_456_789 + number)))?;
        run(&source, &data, PLAIN)?;
    }
    assert_eq!(rows(&data, "SELECT quantity FROM holdings")?, ["5"]);
    assert_eq!(rows(&data, "SELECT * FROM remap")?, Vec::<String>::new());
    assert_eq!(rows(&data, "SELECT COUNT(*) FROM commits")?, ["5"]);
    // A late record counts at the clock, as it would in one run.
    write_log(&log, "fills", 0, &fill("late", &ts(1)))?;
    run(&source, &data, PLAIN)?;
    assert_eq!(rows(&data, "SELECT quantity FROM holdings")?, ["6"]);
    assert_eq!(rows(&data, "SELECT * FROM remap")?, Vec::<String>::new());
    assert_invariants(&data)
}
