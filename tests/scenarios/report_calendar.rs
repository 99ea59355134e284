//! The calendar of reports: documents by event time, from the commits at which they are due, whoever makes them and whenever.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use anyhow::{Context, Result, ensure};
use headwater_schemas::Digest;
use headwater_tests::exposition::{Family, Live, free_address, wait_until};
use headwater_tests::pipeline::{PLAIN, Way, assert_invariants, binary, command_with, headwater, replay, rows, succeed, write_log};
use serde_json::Value;

/// Good Friday and Easter Monday of 2026.
const HOLIDAYS: &str = "date,name\n2026-04-03,Good Friday\n2026-04-06,Easter Monday\n";

const CALENDAR: &str = "[reports]\nfolder = \"reports\"\nsettle = \"10m\"\nholidays = \"holidays.csv\"\n\
    [[reports.calendar]]\nreport = \"access-review\"\non = \"business_day\"\n\
    [[reports.calendar]]\nreport = \"large-cash\"\non = \"friday\"\nformats = [\"json\", \"html\"]\n\
    [[reports.calendar]]\nreport = \"account-statement\"\non = \"last_business_day\"\naccount = \"A\"\n\
    [[reports.calendar]]\nreport = \"transaction-summary\"\non = \"quarter\"\nformats = [\"csv\", \"xml\"]\n";

/// Three weeks around the end of March, read in three runs, each of which is one commit: the first and the last time of each.
const RUNS: [(&str, &str); 3] = [
    ("2026-03-16T08:00:00Z", "2026-03-20T12:00:00Z"),
    // Five minutes too early for the reports of March.
    ("2026-03-20T13:00:00Z", "2026-04-01T00:05:00Z"),
    ("2026-04-01T12:00:00Z", "2026-04-06T12:00:00Z"),
];

/// Each document, with its commit.
const DOCUMENTS: [(&str, u64); 22] = [
    ("2026-03-16/access-review.json", 1),
    ("2026-03-17/access-review.json", 1),
    ("2026-03-18/access-review.json", 1),
    ("2026-03-19/access-review.json", 1),
    ("2026-03-20/access-review.json", 2),
    ("2026-03-20/large-cash-friday.json", 2),
    ("2026-03-20/large-cash-friday.html", 2),
    ("2026-03-23/access-review.json", 2),
    ("2026-03-24/access-review.json", 2),
    ("2026-03-25/access-review.json", 2),
    ("2026-03-26/access-review.json", 2),
    ("2026-03-27/access-review.json", 2),
    ("2026-03-27/large-cash-friday.json", 2),
    ("2026-03-27/large-cash-friday.html", 2),
    ("2026-03-30/access-review.json", 2),
    ("2026-03-31/access-review.json", 3),
    ("2026-03-31/account-statement-A-last_business_day.json", 3),
    ("2026-03-31/transaction-summary-quarter.csv", 3),
    ("2026-03-31/transaction-summary-quarter.xml", 3),
    ("2026-04-01/access-review.json", 3),
    ("2026-04-02/access-review.json", 3),
    // Friday is a holiday.
    ("2026-04-02/large-cash-friday.json", 3),
];
/// The last one, in its other format.
const LAST: (&str, u64) = ("2026-04-02/large-cash-friday.html", 3);

/// The records of one of the runs: a deposit and an access at noon of each day, and the first and the last time.
fn records(run: usize) -> Result<[(&'static str, String); 3]> {
    let (first, last) = RUNS.get(run).copied().context("a run")?;
    let mut times = vec![first.to_owned()];
    let (mut day, end) = (first[..10].parse::<headwater_schemas::Date>().map_err(anyhow::Error::msg)?, &last[..10]);
    while day.to_string().as_str() < end {
        times.push(format!("{day}T12:30:00Z"));
        day = day.next();
    }
    times.push(last.to_owned());
    let deposit = |time: &String| {
        format!(
            "{{\"transaction_id\":\"{time}\",\"account_id\":\"A\",\"type\":\"deposit\",\"channel\":\"cash\",\"amount\":\"11000\",\"currency\":\"USD\",\"ts\":\"{time}\"}}\n"
        )
    };
    let access = |time: &String| format!("{{\"actor\":\"eve\",\"action\":\"read\",\"outcome\":\"denied\",\"ts\":\"{time}\"}}\n");
    let opened = "{\"type\":\"opened\",\"account_id\":\"A\",\"customer_id\":\"C\",\"account_type\":\"checking\",\"currency\":\"USD\",\"ts\":\"2026-03-16T08:00:00Z\"}\n";
    Ok([
        ("accounts", if run == 0 { opened.to_owned() } else { String::new() }),
        ("transactions", times.iter().map(deposit).collect()),
        ("access", times.iter().map(access).collect()),
    ])
}

fn write(log: &Path, run: usize) -> Result<()> {
    records(run)?.into_iter().try_for_each(|(topic, lines)| write_log(log, topic, 0, &lines))
}

/// The command of a run that is one commit, with a calendar.
fn command(log: &Path, data: &Path, workers: u16, calendar: &str) -> Result<Command> {
    fs::write(data.with_file_name("holidays.csv"), HOLIDAYS)?;
    command_with(&format!("log:{}", log.display()), data, Way { workers, ..PLAIN }, calendar, "1h")
}

/// A data directory after all runs, each on what is in the log by then.
fn run_all(log: &Path, data: &Path, workers: u16, calendar: &str) -> Result<()> {
    for run in 0..RUNS.len() {
        write(log, run)?;
        succeed(command(log, data, workers, calendar)?.output()?)?;
    }
    Ok(())
}

/// `headwater report --calendar` with the configuration of a run.
fn make_missing(data: &Path, configuration_of: &Path) -> Result<Output> {
    let [data, config] = [data.display().to_string(), configuration_of.with_extension("toml").display().to_string()];
    headwater(&["report", "--calendar", "--data", &data, "--config", &config])
}

/// The files in the folder of reports, with their texts.
fn documents(data: &Path) -> Result<BTreeMap<String, String>> {
    let folder = data.join("reports");
    let mut documents = BTreeMap::new();
    for entry in fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
        let entry = entry?.path();
        let files = if entry.is_dir() { fs::read_dir(&entry)?.map(|file| Ok(file?.path())).collect::<Result<_>>()? } else { vec![entry] };
        for file in files {
            documents.insert(file.strip_prefix(&folder)?.display().to_string(), fs::read_to_string(&file)?);
        }
    }
    Ok(documents)
}

fn manifest(data: &Path) -> Result<Vec<Value>> {
    let text = fs::read_to_string(data.join("reports/manifest.jsonl"))?;
    text.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
}

fn text<'a>(line: &'a Value, field: &str) -> &'a str {
    line[field].as_str().unwrap_or_default()
}

/// Asserts that two directories have the same documents and the same manifest, to the byte.
fn assert_same_documents(expected: &Path, actual: &Path) -> Result<()> {
    let (expected, made) = (documents(expected)?, documents(actual)?);
    assert_eq!(expected.keys().collect::<Vec<_>>(), made.keys().collect::<Vec<_>>(), "{}", actual.display());
    for ((path, text), other) in expected.iter().zip(made.values()) {
        assert!(text == other, "{}: {path} differs:\n{text}\n{other}", actual.display());
    }
    Ok(())
}

#[test]
fn a_calendar_makes_its_documents_from_their_commits_whoever_makes_them() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let path = |name: &str| folder.path().join(name);
    let one = path("one");
    run_all(&path("log"), &one, 1, CALENDAR)?;

    let lines = manifest(&one)?;
    let made: Vec<_> = lines.iter().map(|line| (text(line, "path"), line["commit_id"].as_u64().unwrap_or(0))).collect();
    assert_eq!(made, DOCUMENTS.into_iter().chain([LAST]).collect::<Vec<_>>());
    let hashes = rows(&one, "SELECT hash FROM commits ORDER BY commit_id")?;
    let there = documents(&one)?;
    assert_eq!(there.len(), lines.len() + 1, "the documents and the manifest: {:?}", there.keys());
    for line in &lines {
        let (document, hash) = (&there[text(line, "path")], text(line, "sha256"));
        assert_eq!(document.matches(hash).count(), 1, "{line}");
        assert_eq!(Digest::sha256(document.replace(hash, "")).to_string(), hash, "{line}");
        let commit = usize::try_from(line["commit_id"].as_u64().context("a commit")?)?;
        assert_eq!(hashes[commit - 1], text(line, "commit_hash"), "{line}");
        assert!(document.contains(text(line, "commit_hash")) && line["missing"].is_null(), "{line}");
    }
    let period = |path: &str| lines.iter().find(|line| text(line, "path") == path).map_or("", |line| text(line, "from")).to_owned();
    assert_eq!(period("2026-04-02/large-cash-friday.json"), "2026-03-28");
    assert_eq!(period("2026-03-31/account-statement-A-last_business_day.json"), "2026-02-28");
    assert_eq!(period("2026-03-31/transaction-summary-quarter.csv"), "2026-01-01");
    // A document is what the command makes by hand.
    let data = one.display().to_string();
    let by_hand = headwater(&[
        "report",
        "large-cash",
        "--data",
        &data,
        "--date",
        "2026-03-27",
        "--from",
        "2026-03-21",
        "--as-known-at",
        "2",
        "--format",
        "html",
    ])?;
    assert_eq!(String::from_utf8_lossy(&by_hand.stdout), there["2026-03-27/large-cash-friday.html"]);
    // A folder of documents is no part of the tables.
    assert_invariants(&one)?;

    // Killed at every point of making documents, twice at each.
    let killed = path("killed");
    for run in 0..2 {
        write(&path("log-killed"), run)?;
        succeed(command(&path("log-killed"), &killed, 1, CALENDAR)?.output()?)?;
    }
    write(&path("log-killed"), 2)?;
    for point in ["drafted", "placed", "listed", "drafted", "placed", "listed"] {
        let mut command = command(&path("log-killed"), &killed, 1, CALENDAR)?;
        let output = command.env("HEADWATER_KILL_AT", format!("{point}:3")).output()?;
        ensure!(output.status.code().is_none(), "{point}: not killed: {}", String::from_utf8_lossy(&output.stderr));
    }
    succeed(command(&path("log-killed"), &killed, 1, CALENDAR)?.output()?)?;
    assert_same_documents(&one, &killed)?;

    // Made afterwards, without a run; then nothing is missing.
    let later = path("later");
    run_all(&path("log-later"), &later, 1, "")?;
    assert!(!later.join("reports").exists());
    let output = make_missing(&later, &one)?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    succeed(output)?;
    assert_eq!(said.lines().count(), lines.len(), "{said}");
    assert!(said.starts_with("made 2026-03-16/access-review.json from commit 1\n"), "{said}");
    assert_same_documents(&one, &later)?;
    let again = make_missing(&later, &one)?;
    assert!(again.status.success() && again.stdout.is_empty(), "{}", String::from_utf8_lossy(&again.stdout));

    // A replay to the byte gives the same documents.
    let replayed = path("replayed");
    replay(&path("log"), &replayed, &one)?;
    assert!(!replayed.join("reports").exists(), "a replay makes no reports");
    succeed(make_missing(&replayed, &one)?)?;
    assert_same_documents(&one, &replayed)?;
    Ok(())
}

#[test]
fn a_document_that_was_deleted_is_made_again() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let path = |name: &str| folder.path().join(name);
    let (log, data) = (path("log"), path("data"));
    run_all(&log, &data, 1, CALENDAR)?;
    let made = documents(&data)?;
    let delete = |document: &str| fs::remove_file(data.join("reports").join(document));

    // By the next run, though nothing else is due.
    delete("2026-03-20/large-cash-friday.html")?;
    fs::remove_dir_all(data.join("reports/2026-03-31"))?;
    succeed(command(&log, &data, 1, CALENDAR)?.output()?)?;
    assert_eq!(documents(&data)?, made);

    // And by hand.
    delete("2026-03-16/access-review.json")?;
    let output = make_missing(&data, &data)?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    succeed(output)?;
    assert_eq!(said, "made 2026-03-16/access-review.json from commit 1\n");
    assert_eq!(documents(&data)?, made);

    // From its own commit, though the calendar waits longer by now.
    let configure = |calendar: &str| fs::write(data.with_extension("toml"), calendar);
    configure(&CALENDAR.replace("settle = \"10m\"", "settle = \"30h\""))?;
    delete("2026-03-30/access-review.json")?;
    succeed(make_missing(&data, &data)?)?;
    assert_eq!(documents(&data)?, made);
    configure(CALENDAR)?;

    // One that would be another document is not made, and its line stays.
    let text = fs::read_to_string(data.join("reports/manifest.jsonl"))?;
    let line = manifest(&data)?.into_iter().find(|line| line["path"] == "2026-03-30/access-review.json").context("a line")?;
    let hash = line["sha256"].as_str().context("a hash")?.to_owned();
    fs::write(data.join("reports/manifest.jsonl"), text.replace(&hash, &"0".repeat(64)))?;
    delete("2026-03-30/access-review.json")?;
    let output = make_missing(&data, &data)?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(!output.status.success() && said.starts_with("lost 2026-03-30/access-review.json: it was deleted, and would not be"), "{said}");
    assert_eq!(manifest(&data)?.len(), DOCUMENTS.len() + 1);
    fs::write(data.join("reports/manifest.jsonl"), &text)?;
    succeed(make_missing(&data, &data)?)?;
    assert_eq!(documents(&data)?, made);

    // What is before the first date of the calendar may have been moved to another place.
    delete("2026-03-16/access-review.json")?;
    fs::write(data.with_extension("toml"), CALENDAR.replace("[reports]\n", "[reports]\nfrom = \"2026-03-17\"\n"))?;
    let output = make_missing(&data, &data)?;
    assert!(output.status.success() && output.stdout.is_empty(), "{}", String::from_utf8_lossy(&output.stdout));
    assert_eq!(documents(&data)?.len(), made.len() - 1);
    Ok(())
}

/// A text without hashes: that of a commit covers the number of workers.
fn without_hashes(text: &str) -> String {
    let is_hash = |word: &&str| word.len() == 64 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    let words = text.split(|letter: char| !letter.is_ascii_alphanumeric());
    words.filter(is_hash).fold(text.to_owned(), |text, hash| text.replace(hash, ""))
}

/// A calendar of one report, by day and by the other occurrence, in a folder below the data directory.
fn summaries(folder: &str, from: &str, on: &str) -> String {
    let entry = |on: &str| format!("[[reports.calendar]]\nreport = \"transaction-summary\"\non = \"{on}\"\n");
    format!("[reports]\nfolder = \"{folder}\"\nfrom = \"{from}\"\n{}{}", entry(on), entry("day"))
}

#[test]
fn documents_do_not_depend_on_workers_and_late_events_leave_them() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let path = |name: &str| folder.path().join(name);
    let calendar = summaries("reports", "2026-03-30", "quarter");
    let (one, two) = (path("one"), path("two"));
    run_all(&path("log"), &one, 1, &calendar)?;
    run_all(&path("log-two"), &two, 2, &calendar)?;
    let plain = |data: &Path| -> Result<BTreeMap<String, String>> {
        Ok(documents(data)?.into_iter().map(|(path, text)| (path, without_hashes(&text))).collect())
    };
    let made = documents(&one)?;
    let days = ["2026-03-30", "2026-03-31", "2026-04-01", "2026-04-02", "2026-04-03", "2026-04-04", "2026-04-05"];
    let names = days.iter().map(|day| format!("{day}/transaction-summary.json"));
    let mut names: Vec<_> = names.chain(["2026-03-31/transaction-summary-quarter.json", "manifest.jsonl"].map(str::to_owned)).collect();
    names.sort();
    assert_eq!(made.keys().cloned().collect::<Vec<_>>(), names);
    assert_eq!(plain(&one)?, plain(&two)?);

    let late = "{\"transaction_id\":\"late\",\"account_id\":\"A\",\"type\":\"withdrawal\",\"amount\":\"60\",\"currency\":\"USD\",\"ts\":\"2026-04-05T20:00:00Z\"}\n";
    let clock = "{\"transaction_id\":\"next\",\"account_id\":\"A\",\"type\":\"deposit\",\"amount\":\"1\",\"currency\":\"USD\",\"ts\":\"2026-04-06T14:00:00Z\"}\n";
    write_log(&path("log"), "transactions", 0, &format!("{clock}{late}"))?;
    succeed(command(&path("log"), &one, 1, &calendar)?.output()?)?;
    assert_eq!(rows(&one, "SELECT COUNT(*) FROM ledger_entries WHERE transaction_id = 'late'")?, ["2"]);
    assert_eq!(documents(&one)?, made, "documents stay as they are");
    let line = manifest(&one)?.into_iter().find(|line| text(line, "path") == "2026-04-05/transaction-summary.json").context("a line")?;
    let (data, commit) = (one.display().to_string(), line["commit_id"].to_string());
    let amended = headwater(&["report", "transaction-summary", "--data", &data, "--date", "2026-04-05", "--amends", &commit])?;
    let amended = String::from_utf8(amended.stdout)?;
    assert!(amended.contains("amendments") && amended.contains("transaction_id=late"), "{amended}");
    Ok(())
}

#[test]
fn what_cannot_be_made_is_told_and_stops_nothing() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let path = |name: &str| folder.path().join(name);
    let (log, data) = (path("log"), path("data"));
    let run = |calendar: &str| -> Result<(Option<i32>, String)> {
        let output = command(&log, &data, 1, calendar)?.output()?;
        Ok((output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned()))
    };
    write(&log, 0)?;
    // All problems at once, before anything is written.
    let (code, said) = run("[reports]\nfolder = \"audit\"\n[[reports.calendar]]\nreport = \"capital\"\non = \"monday\"\n")?;
    assert_eq!(code, Some(1), "{said}");
    for expected in ["reports.folder: audit", "entry 1: reference is missing", "\"monday\" is no day of the calendar"] {
        assert!(said.contains(expected), "{expected}: {said}");
    }
    let (code, said) = run(&CALENDAR.replace("holidays.csv", "nowhere.csv"))?;
    assert!(code == Some(1) && said.contains("nowhere.csv (reports.holidays)") && !data.exists(), "{said}");

    // The folder cannot be made: the run commits, and tells it.
    let calendar = summaries("made/reports", "2026-03-16", "friday");
    fs::create_dir_all(&data)?;
    let (code, said) = run("")?;
    assert_eq!(code, Some(0), "{said}");
    fs::write(data.join("made"), "in the way")?;
    write(&log, 1)?;
    let (code, said) = run(&calendar)?;
    assert!(code == Some(0) && said.contains("made/reports") && said.contains("tried again"), "{said}");
    assert_eq!(rows(&data, "SELECT MAX(commit_id) FROM commits")?, ["2"]);
    let refused = make_missing(&data, &data)?;
    assert_eq!(refused.status.code(), Some(1));
    fs::remove_file(data.join("made"))?;

    // A document that is not the calendar's own stays, and the others are made.
    let foreign = data.join("made/reports/2026-03-17/transaction-summary.json");
    fs::create_dir_all(foreign.parent().context("a folder")?)?;
    fs::write(&foreign, "mine")?;
    let output = make_missing(&data, &data)?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("failed 2026-03-17/transaction-summary.json") && said.contains("move it away"), "{said}");
    assert!(said.contains("made 2026-03-20/transaction-summary-friday.json from commit 2"), "{said}");
    assert_eq!(fs::read_to_string(&foreign)?, "mine");
    fs::remove_file(&foreign)?;
    let (code, said) = run(&calendar)?;
    assert!(code == Some(0) && said.is_empty(), "{said}");
    assert!(fs::read_to_string(&foreign)?.contains("draft"));

    // Documents of other commits are not mixed with these.
    let other = path("other");
    run_all(&path("log-other"), &other, 2, "")?;
    fs::create_dir_all(other.join("made"))?;
    succeed(Command::new("cp").arg("-r").arg(data.join("made/reports")).arg(other.join("made")).output()?)?;
    let refused = make_missing(&other, &data)?;
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(refused.status.code() == Some(1) && said.contains("are made from other commits"), "{said}");

    let bare =
        headwater(&["report", "--calendar", "--data", &data.display().to_string(), "--config", &path("other.toml").display().to_string()])?;
    assert!(String::from_utf8_lossy(&bare.stderr).contains("has no calendar of reports"));
    Ok(())
}

#[test]
fn a_report_whose_rows_were_dropped_is_not_made_wrong() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let path = |name: &str| folder.path().join(name);
    let (log, data) = (path("log"), path("data"));
    let upkeep = "[upkeep]\nevery = 1\ngrace = \"0s\"\nretention = { \"audit\" = \"48h\" }\n";
    let day = |report: &str| format!("[[reports.calendar]]\nreport = \"{report}\"\non = \"day\"\n");
    let calendar = |reports: &str| format!("{upkeep}[reports]\nfolder = \"reports\"\n{reports}");
    for run in 0..RUNS.len() {
        write(&log, run)?;
        succeed(command(&log, &data, 1, upkeep)?.output()?)?;
    }
    // Later commits, whose upkeep drops what is old by then.
    for day in 7..12 {
        let time = format!("2026-04-{day:02}T12:00:00Z");
        let line = format!("{{\"actor\":\"eve\",\"action\":\"read\",\"outcome\":\"success\",\"ts\":\"{time}\"}}\n");
        write_log(&log, "access", 0, &line)?;
        succeed(command(&log, &data, 1, upkeep)?.output()?)?;
    }
    let config = path("with.toml");
    fs::write(&config, calendar(&format!("from = \"2026-03-18\"\n{}{}", day("access-review"), day("executions-rts22"))))?;
    let output = make_missing(&data, &path("with"))?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("lost 2026-03-18/access-review.json: commit "), "{said}");
    assert!(said.contains("made 2026-03-18/executions-rts22.json from commit 1"), "{said}");
    let lines = manifest(&data)?;
    let lost = lines.iter().find(|line| text(line, "path") == "2026-03-18/access-review.json").context("a line")?;
    assert!(lost["sha256"].is_null() && text(lost, "missing").contains("dropped rows of audit"), "{lost}");
    assert!(!data.join("reports/2026-03-18/access-review.json").exists());
    // That is known now.
    let again = make_missing(&data, &path("with"))?;
    assert!(again.status.success() && again.stdout.is_empty(), "{}", String::from_utf8_lossy(&again.stdout));
    Ok(())
}

#[test]
fn a_live_run_makes_what_is_due_counts_it_and_ends_at_a_signal() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (log, data, config) = (folder.path().join("log"), folder.path().join("data"), folder.path().join("live.toml"));
    write(&log, 0)?;
    let address = free_address()?;
    let quarter = "[reports]\nfolder = \"made/reports\"\n[[reports.calendar]]\nreport = \"transaction-summary\"\non = \"quarter\"\n";
    fs::write(&config, format!("[http]\naddress = \"{address}\"\n[outbox]\ntopics = []\n{quarter}"))?;
    let mut command = Command::new(binary()?);
    command.args(["run", "--source", &format!("log:{}", log.display()), "--data"]).arg(&data).arg("--config").arg(&config);
    // History first: a live run is at the wall clock once it has read its partitions to their end, and then the quarter is over.
    succeed(command_with(&format!("log:{}", log.display()), &data, PLAIN, "", "1h")?.output()?)?;
    let live = Live::start(command.stderr(Stdio::null()), address)?;
    let made = || -> Result<f64> {
        let families = live.families()?;
        let of = |name: &str| families.get(name).map(Family::sum).context("the metric");
        ensure!(of("headwater_failed_reports_total")?.abs() < 0.5, "a report failed");
        of("headwater_made_reports_total")
    };
    wait_until("the run answers", || Ok(live.answers_ok("/health/startup")))?;
    wait_until("a report", || Ok(made()? >= 1.0))?;
    let document = data.join("made/reports/2026-03-31/transaction-summary-quarter.json");
    assert!(fs::read_to_string(document)?.contains("2026-01-01"));
    live.terminate()?;
    assert_invariants(&data)
}
