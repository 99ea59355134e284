//! `headwater report`: makes a report as of the end of a date.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail};
use clap::Args;
use headwater_schemas::Date;
use headwater_sql::{Catalog, REPORTS, ReportFormat, ReportRequest, report_named};

use crate::calendar::{Calendar, Event, Maker, read_reference};
use crate::config::Config;

/// Arguments of `headwater report`.
#[derive(Args)]
#[command(after_help = "\
Every report is a draft. It names its commit and has the SHA-256 of itself without the 64 digits of that hash:
  sed \"s/$HASH//\" FILE | sha256sum
The same commit and arguments give the same bytes.")]
pub struct ReportArguments {
    /// Name of the report; if omitted, the reports are listed.
    #[arg(requires = "data", requires = "date")]
    name: Option<String>,
    /// Data directory.
    #[arg(long)]
    data: Option<PathBuf>,
    /// The date (YYYY-MM-DD, UTC); figures are as of its end.
    #[arg(long, value_name = "DATE")]
    date: Option<Date>,
    /// The first date, for a report about a period.
    #[arg(long, value_name = "DATE")]
    from: Option<Date>,
    /// The format: json, csv, xml, html; for an account-statement also camt.053, for executions-rts22 also auth.016.
    #[arg(long, default_value_t)]
    format: ReportFormat,
    /// Shows what was known at this commit; the newest if omitted.
    #[arg(long, value_name = "COMMIT")]
    as_known_at: Option<u64>,
    /// Adds the rows that were others, or not there, at this earlier commit.
    #[arg(long, value_name = "COMMIT")]
    amends: Option<u64>,
    /// The account of an account-statement.
    #[arg(long, value_name = "ID")]
    account: Option<String>,
    /// CSV file with what the pipeline does not know: for liquidity and capital kind,id,currency,class,value; for executions-rts22
    /// kind,id,field,value.
    #[arg(long, value_name = "FILE")]
    reference: Option<PathBuf>,
    /// Writes to this file; to standard output if omitted.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Configuration file (TOML); only its sections sql and reports are read.
    #[arg(long)]
    config: Option<PathBuf>,
    /// Makes what the configured calendar of reports lacks up to the newest commit, without a run or beside one.
    #[arg(
        long,
        requires = "data",
        requires = "config",
        conflicts_with_all = ["name", "date", "from", "format", "as_known_at", "amends", "account", "reference", "out"]
    )]
    calendar: bool,
}

/// Makes the report and writes it.
pub fn report(arguments: &ReportArguments, out: &mut impl Write) -> anyhow::Result<()> {
    if let (true, Some(data)) = (arguments.calendar, &arguments.data) {
        return make_missing(data, arguments.config.as_deref(), out);
    }
    let (Some(name), Some(data), Some(date)) = (&arguments.name, &arguments.data, arguments.date) else { return print(&list(), out) };
    let report = report_named(name)?;
    arguments.format.check(report)?;
    let reference = arguments.reference.as_deref().map(read_reference).transpose()?;
    let request = ReportRequest { date, from: arguments.from, account: arguments.account.clone(), reference };
    let config = Config::load(arguments.config.as_deref())?;
    let open = |at| Catalog::open_with(data, at, config.sql.clone());
    let catalog = open(arguments.as_known_at)?;
    let document = match arguments.amends {
        Some(then) => report.make_amending(&catalog, &open(Some(then))?, &request)?,
        None => report.make(&catalog, &request)?,
    };
    let text = arguments.format.render(&document)?.text;
    match &arguments.out {
        Some(path) => std::fs::write(path, text).with_context(|| format!("writing {}", path.display())),
        None => print(&text, out),
    }
}

/// A line for each report.
fn list() -> String {
    REPORTS.iter().map(|report| format!("{:<20} {}\n", report.name, report.title)).collect()
}

/// Makes what the calendar lacks, and prints a line for each document.
fn make_missing(data: &Path, config: Option<&Path>, out: &mut impl Write) -> anyhow::Result<()> {
    let config = Config::load(config)?;
    let Some(calendar) = Calendar::open(&config.reports, data)? else {
        bail!("the configuration has no calendar of reports: give reports.folder and an entry [[reports.calendar]]")
    };
    // Fails if it is no data directory.
    Catalog::open_with(data, None, config.sql.clone())?;
    let mut lines = Ok(());
    let mut maker = Maker::new(calendar, data, config.sql, Arc::new(|_, _| ()));
    let tally = maker.make(&|| true, &mut |event| {
        let line = match event {
            Event::Made(line) => format!("made {} from commit {}\n", line.path, line.commit_id),
            Event::Empty(line) => format!("none {}: {}\n", line.path, line.missing.as_deref().unwrap_or_default()),
            Event::Lost(line) => format!("lost {}: {}\n", line.path, line.missing.as_deref().unwrap_or_default()),
            Event::Failed { path, error } => format!("failed {path}: {error:#}\n"),
        };
        if lines.is_ok() {
            lines = print(&line, out);
        }
    })?;
    lines?;
    match (tally.failed, tally.stopped) {
        (0, false) => Ok(()),
        (failed, false) => bail!("{failed} documents are not made: see the lines that begin with failed or lost"),
        (failed, true) => {
            bail!("{failed} documents are not made, and later ones were not tried: mend the cause, and give the command again")
        }
    }
}

fn print(text: &str, out: &mut impl Write) -> anyhow::Result<()> {
    Ok(out.write_all(text.as_bytes())?)
}
