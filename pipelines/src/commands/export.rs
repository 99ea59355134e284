//! `headwater export`: writes tables for other programs.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use headwater_sql::{Catalog, ExportFormat, SqlConfig, export as export_table};

use crate::config::Config;

/// Arguments of `headwater export`.
#[derive(Args)]
#[command(after_help = "\
What is written below DIR, for each table T:
  parquet, csv, arrow  the file T.parquet, T.csv or T.arrow; one that is there is replaced
  delta                the folder T, a Delta Lake table. Exported again, an append table or a history gets the rows of the commits
                       since, and another table is replaced, as a new version: older versions stay readable (time travel).
                       Times have microseconds there, as Delta Lake has no nanoseconds
The same table at the same commit gives the same rows in the same order; files appear when they are complete.
Large tables are sorted in the memory of `[sql] memory_limit_mib`, and beyond it in the system's temporary folder.")]
pub struct ExportArguments {
    /// Data directory.
    #[arg(long)]
    data: PathBuf,
    /// Name of a table, a history or a view; may be given several times.
    #[arg(long, required = true, value_name = "TABLE")]
    table: Vec<String>,
    /// The format: parquet, delta, csv or arrow.
    #[arg(long)]
    format: ExportFormat,
    /// Exports the rows as of this commit; the newest if omitted.
    #[arg(long, value_name = "COMMIT")]
    at: Option<u64>,
    /// The folder to write to; it is created.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Configuration file (TOML); only its section sql is read.
    #[arg(long)]
    config: Option<PathBuf>,
}

/// Exports each table, all as of one commit, and prints what was written, a line for each.
pub fn export(arguments: &ExportArguments, out: &mut impl Write) -> anyhow::Result<()> {
    let [data, folder] = [&arguments.data, &arguments.out].map(std::path::absolute);
    anyhow::ensure!(
        !folder?.starts_with(data?),
        "{} is in the data directory, which runs alone write: give another folder as --out",
        arguments.out.display()
    );
    let config = Config::load(arguments.config.as_deref())?;
    // A large table takes the time that it takes.
    let catalog = Catalog::open_with(&arguments.data, arguments.at, SqlConfig { timeout_seconds: 0, ..config.sql })?;
    for table in &arguments.table {
        let written = export_table(&catalog, table, arguments.format, &arguments.out)?;
        writeln!(out, "{table}: {} rows of commit {} in {}", written.rows, written.commit_id, written.path.display())?;
    }
    Ok(())
}
