//! `headwater report`: makes a report as of the end of a date.

use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use headwater_schemas::Date;
use headwater_sql::{Catalog, REPORTS, Reference, ReportError, ReportFormat, ReportRequest, report_named};

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
    /// The format: json, csv, xml or html.
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
    /// CSV file with what the pipeline does not know, for liquidity and capital: kind,id,currency,class,value.
    #[arg(long, value_name = "FILE")]
    reference: Option<PathBuf>,
    /// Writes to this file; to standard output if omitted.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Configuration file (TOML); only its section sql is read.
    #[arg(long)]
    config: Option<PathBuf>,
}

/// Makes the report and writes it.
pub fn report(arguments: &ReportArguments, out: &mut impl Write) -> anyhow::Result<()> {
    let (Some(name), Some(data), Some(date)) = (&arguments.name, &arguments.data, arguments.date) else { return print(&list(), out) };
    let report = report_named(name)?;
    let reference = arguments.reference.as_deref().map(reference).transpose()?;
    let request = ReportRequest { date, from: arguments.from, account: arguments.account.clone(), reference };
    let config = Config::load(arguments.config.as_deref())?;
    let open = |at| Catalog::open_with(data, at, config.sql.clone());
    let catalog = open(arguments.as_known_at)?;
    let document = match arguments.amends {
        Some(then) => report.make_amending(&catalog, &open(Some(then))?, &request)?,
        None => report.make(&catalog, &request)?,
    };
    let text = arguments.format.render(&document);
    match &arguments.out {
        Some(path) => std::fs::write(path, text).with_context(|| format!("writing {}", path.display())),
        None => print(&text, out),
    }
}

/// A line for each report.
fn list() -> String {
    REPORTS.iter().map(|report| format!("{:<20} {}\n", report.name, report.title)).collect()
}

fn reference(path: &Path) -> anyhow::Result<Reference> {
    let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    Ok(Reference::read(&text).map_err(|problems| ReportError::Reference { path: path.display().to_string(), problems })?)
}

fn print(text: &str, out: &mut impl Write) -> anyhow::Result<()> {
    match out.write_all(text.as_bytes()) {
        // The reader has closed the pipe.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => Ok(written?),
    }
}
