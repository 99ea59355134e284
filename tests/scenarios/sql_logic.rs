//! A day of a small bank in `tests/sql/day`: every view and every report says what it must, in `tests/sql/views` and `tests/sql/reports`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use headwater_connectors::testing::workspace;
use headwater_sql::{Catalog, VIEWS};
use headwater_tests::pipeline::{PLAIN, Way, binary, command_with, succeed, write_log};
use headwater_tests::sql_logic::{Engine, check};

#[test]
fn views_and_reports_of_a_day_are_as_written() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let log = folder.path().join("log");
    for file in files("day")? {
        let topic = file.file_stem().context("a topic")?.to_string_lossy().into_owned();
        write_log(&log, &topic, 0, &std::fs::read_to_string(&file)?)?;
    }
    let mut problems = Vec::new();
    for (name, way) in [("one", PLAIN), ("two", Way { workers: 2, tick: "10ms" })] {
        let data = folder.path().join(name);
        // One commit, so that its number is no matter of time.
        succeed(command_with(&format!("log:{}", log.display()), &data, way, "", "1h")?.output()?)?;
        let catalog = Catalog::open(&data, None)?;
        let shell = |command: &str| printed(command, &data);
        let engine = Engine { catalog: &catalog, shell: &shell };
        for file in files("views")?.into_iter().chain(files("reports")?) {
            problems.extend(check(&file, &engine).err().map(|problem| format!("{way:?}: {problem:#}")));
        }
    }
    ensure!(problems.is_empty(), "{}", problems.join("\n\n"));
    Ok(())
}

#[test]
fn every_view_and_every_report_has_its_file() -> Result<()> {
    let stems = |folder: &str| -> Result<BTreeSet<String>> {
        Ok(files(folder)?.iter().filter_map(|file| Some(file.file_stem()?.to_string_lossy().into_owned())).collect())
    };
    // What does not hold is asked in one file.
    let views: BTreeSet<_> = VIEWS.iter().map(|view| view.name.to_owned()).filter(|name| !name.starts_with("invariant_")).collect();
    ensure!(stems("views")? == views, "tests/sql/views: {:?}, and the views are {views:?}", stems("views")?);
    let mut reports = BTreeSet::new();
    for entry in std::fs::read_dir(workspace().join("sql/reports"))? {
        reports.insert(entry?.file_name().to_string_lossy().into_owned());
    }
    // Checks are a part of all reports.
    reports.remove("checks");
    ensure!(stems("reports")? == reports, "tests/sql/reports: {:?}, and the reports are {reports:?}", stems("reports")?);
    Ok(())
}

fn files(folder: &str) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(workspace().join("tests/sql").join(folder))? {
        files.push(entry?.path());
    }
    files.sort_unstable();
    Ok(files)
}

fn printed(command: &str, data: &Path) -> Result<String> {
    let programs = binary()?.parent().context("a folder of programs")?.display().to_string();
    let path = std::env::var("PATH").unwrap_or_default();
    let mut shell = Command::new("bash");
    shell.args(["-e", "-o", "pipefail", "-c", command]).env("PATH", format!("{programs}:{path}")).env("DATA", data);
    let output = shell.current_dir(workspace().join("tests/sql")).output()?;
    ensure!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}
