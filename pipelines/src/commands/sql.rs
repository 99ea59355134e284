//! `headwater sql`: runs a query, or a prompt.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use headwater_sql::{Catalog, Format, converse, run_script};

use crate::config::Config;

/// Arguments of `headwater sql`.
#[derive(Args)]
pub struct SqlArguments {
    /// Data directory.
    #[arg(long)]
    data: PathBuf,
    /// Commit to query; the newest if omitted.
    #[arg(long, value_name = "COMMIT")]
    at: Option<u64>,
    /// Output format of rows.
    #[arg(long, value_enum, default_value_t)]
    format: Layout,
    /// Configuration file (TOML); its section [sql] limits queries.
    #[arg(long)]
    config: Option<PathBuf>,
    /// The query; if omitted, a prompt (or the statements on standard input, if that is not a terminal).
    query: Option<String>,
}

/// Output format of rows.
#[derive(Clone, Copy, Default, ValueEnum)]
enum Layout {
    /// Aligned columns, for reading.
    #[default]
    Table,
    /// A header line, then one line per row; lists and structs as JSON text, NULL empty.
    Csv,
    /// An array of objects.
    Json,
}

/// Runs the query or the prompt.
pub fn sql(arguments: SqlArguments) -> anyhow::Result<()> {
    let format = match arguments.format {
        Layout::Table => Format::Table,
        Layout::Csv => Format::Csv,
        Layout::Json => Format::Json,
    };
    let config = Config::load(arguments.config.as_deref())?;
    let catalog = Catalog::open_with(&arguments.data, arguments.at, config.sql)?;
    match arguments.query {
        Some(query) => run_script(&catalog, &query, format, &mut std::io::stdout().lock())?,
        None => converse(catalog, format)?,
    }
    Ok(())
}
