//! Stories: records in, answers of queries out, the same wherever the run is cut.

use std::path::Path;

use anyhow::{Context, Result, ensure};

use crate::pipeline::{PLAIN, Way, assert_invariants, assert_same, command_with, replay, rows, succeed, tables, write_log};

/// A record: topic, and JSON in which `"@5"` stands for five seconds after 2026-01-05T14:30:00Z, and `"@03:05"` for three minutes and
/// five seconds after 14:00.
pub type Record = (&'static str, String);

/// A story: its records, and the expected answers.
pub struct Story {
    /// The fact that it shows.
    pub name: &'static str,
    /// The configuration.
    pub config: &'static str,
    /// The records, in the order of writing.
    pub records: Vec<Record>,
    /// Queries and their answers.
    pub answers: &'static [(&'static str, &'static [&'static str])],
}

fn line((_, text): &Record) -> Result<String> {
    let mut line = String::new();
    let mut parts = text.split("\"@");
    line.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let (time, rest) = part.split_once('"').context("a time ends")?;
        let (minutes, seconds) = time.split_once(':').unwrap_or(("30", time));
        let (whole, fraction) = seconds.find('.').map_or((seconds, ""), |point| seconds.split_at(point));
        let (minutes, whole): (u32, u32) = (minutes.parse()?, whole.parse()?);
        // A record with a time that there is not would be refused, and the story would show something else.
        ensure!(minutes < 60 && whole < 60, "{time} is no time within the hour: {text}");
        line.push_str(&format!("\"2026-01-05T14:{minutes:02}:{whole:02}{fraction}Z\"{rest}"));
    }
    line.push('\n');
    Ok(line)
}

/// Writes records to a log.
pub fn write(log: &Path, records: &[Record]) -> Result<()> {
    records.iter().try_for_each(|record| write_log(log, record.0, 0, &line(record)?))
}

/// The answers that differ.
fn differences(data: &Path, story: &Story, way: &str) -> Result<Vec<String>> {
    let mut differences = Vec::new();
    for (query, expected) in story.answers {
        let answer = rows(data, query)?;
        if answer != *expected {
            differences.push(format!("{}, {way}: {query}\n  is  {answer:?}\n  not {expected:?}", story.name));
        }
    }
    Ok(differences)
}

/// Runs each story in one run and cut before every record, and replays it from its topics.
pub fn check(stories: Vec<Story>) -> Result<()> {
    let mut all = Vec::new();
    for story in stories {
        let folder = tempfile::tempdir()?;
        let run = |log: &Path, data: &Path, workers: u16| {
            let source = format!("log:{}", log.display());
            succeed(command_with(&source, data, Way { workers, ..PLAIN }, story.config, "200ms")?.output()?).context(story.name)
        };
        let (log, data) = (folder.path().join("log"), folder.path().join("data"));
        write(&log, &story.records)?;
        run(&log, &data, 1)?;
        assert_invariants(&data)?;
        let again = folder.path().join("again");
        replay(&log, &again, &data).context(story.name)?;
        all.extend(differences(&data, &story, "in one run")?);
        for (cut, workers) in (1..story.records.len()).zip([2, 1].into_iter().cycle()) {
            let (log, data) = (folder.path().join(format!("log-{cut}")), folder.path().join(format!("data-{cut}")));
            let (before, after) = story.records.split_at(cut);
            write(&log, before)?;
            run(&log, &data, workers)?;
            write(&log, after)?;
            run(&log, &data, 3 - workers)?;
            if cut % 3 == 1 {
                let again = folder.path().join(format!("again-{cut}"));
                replay(&log, &again, &data).with_context(|| format!("{}, cut before record {cut}", story.name))?;
            }
            all.extend(differences(&data, &story, &format!("cut before record {cut}, {workers} workers first"))?);
        }
    }
    assert!(all.is_empty(), "{}", all.join("\n"));
    Ok(())
}

/// Fails if records that are cut before every `step`-th one have other tables than `expected`, with one worker and with two, or if a
/// replay of them has. `run` makes the tables of a data directory from a log.
pub fn same_wherever_cut(records: &[Record], step: usize, expected: &Path, run: impl Fn(&Path, &Path, Way) -> Result<()>) -> Result<()> {
    let (folder, expected) = (tempfile::tempdir()?, tables(expected)?);
    for (cut, workers) in (1..records.len()).step_by(step).zip([1, 2].into_iter().cycle()) {
        let (log, again) = (folder.path().join(format!("log-{cut}")), folder.path().join(format!("data-{cut}")));
        let (before, after) = records.split_at(cut);
        write(&log, before)?;
        run(&log, &again, Way { workers, ..PLAIN })?;
        write(&log, after)?;
        run(&log, &again, Way { workers: 3 - workers, ..PLAIN })?;
        assert_same(&expected, &tables(&again)?, &format!("cut before record {cut}"));
        replay(&log, &folder.path().join(format!("replayed-{cut}")), &again)?;
    }
    Ok(())
}
