//! A day of a small bank, in `tests/sql/day`: every view, every report, and the tables of lots and of what was paid in, give the rows that
//! `tests/sql/views`, `tests/sql/reports` and `tests/sql/tables` write down.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use headwater_connectors::testing::workspace;
use headwater_sql::{Catalog, VIEWS};
use headwater_tests::pipeline::{PLAIN, Way, binary, command_with, names_in, shell, succeed, write_log};
use headwater_tests::sql_logic::{Engine, check};

/// The configuration of the day. I1 has lots: its figures are those of average cost too, because its two lots of ACME have not been mixed.
const CONFIG: &str = "[positions]\nlots_by_account = { I1 = \"fifo\" }\n";

#[test]
fn views_and_reports_of_a_day_are_as_written() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let log = folder.path().join("log");
    for topic in names_in(&folder_of("day"), ".jsonl")? {
        write_log(&log, &topic, 0, &std::fs::read_to_string(folder_of("day").join(format!("{topic}.jsonl")))?)?;
    }
    let mut problems = Vec::new();
    for (name, way) in [("one", PLAIN), ("two", Way { workers: 2, tick: "10ms" })] {
        let data = folder.path().join(name);
        // One commit, so that its number is no matter of time.
        succeed(command_with(&format!("log:{}", log.display()), &data, way, CONFIG, "1h")?.output()?)?;
        let catalog = Catalog::open(&data, None)?;
        let shell = |command: &str| printed(command, &data);
        let engine = Engine { catalog: &catalog, shell: &shell };
        for folder in ["views", "reports", "tables"].map(folder_of) {
            for name in names_in(&folder, ".slt")? {
                let problem = check(&folder.join(format!("{name}.slt")), &engine).err();
                problems.extend(problem.map(|problem| format!("{way:?}: {problem:#}")));
            }
        }
    }
    ensure!(problems.is_empty(), "{}", problems.join("\n\n"));
    Ok(())
}

#[test]
fn every_view_and_every_report_has_its_file() -> Result<()> {
    // What does not hold is asked in one file.
    let views: BTreeSet<_> = VIEWS.iter().map(|view| view.name.to_owned()).filter(|name| !name.starts_with("invariant_")).collect();
    let written: BTreeSet<_> = names_in(&folder_of("views"), ".slt")?.into_iter().collect();
    ensure!(written == views, "tests/sql/views: {written:?}, and the views are {views:?}");
    let mut reports = names_in(&workspace().join("sql/reports"), "")?;
    // Checks are a part of all reports, and named queries a part of some.
    reports.retain(|name| !["checks", "names"].contains(&name.as_str()));
    let written = names_in(&folder_of("reports"), ".slt")?;
    ensure!(written == reports, "tests/sql/reports: {written:?}, and the reports are {reports:?}");
    Ok(())
}

/// A folder of the day.
fn folder_of(folder: &str) -> PathBuf {
    workspace().join("tests/sql").join(folder)
}

fn printed(command: &str, data: &Path) -> Result<String> {
    let binary = binary()?;
    let mut shell = shell(command, binary.parent().context("a folder of programs")?);
    let output = shell.env("DATA", data).current_dir(workspace().join("tests/sql")).output()?;
    ensure!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}
