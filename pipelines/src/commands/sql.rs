//! `headwater sql`: a query, or a prompt.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use headwater_sql::{Catalog, Format, converse, run_script};

use crate::config::Config;

/// What `headwater sql` takes.
#[derive(Args)]
pub struct SqlArguments {
    /// The data directory.
    #[arg(long)]
    data: PathBuf,
    /// The commit to look at; the newest one if it is not given.
    #[arg(long, value_name = "COMMIT")]
    at: Option<u64>,
    /// How rows are written.
    #[arg(long, value_enum, default_value_t)]
    format: Layout,
    /// A configuration file (TOML); its section [sql] says what queries may use.
    #[arg(long)]
    config: Option<PathBuf>,
    /// The query; without one, a prompt (or the statements on standard input, if that is no terminal).
    query: Option<String>,
}

/// How rows are written.
#[derive(Clone, Copy, Default, ValueEnum)]
enum Layout {
    /// Aligned columns, for reading.
    #[default]
    Table,
    /// A header line, then a line a row; lists and structs as JSON text, NULL empty.
    Csv,
    /// An array of objects.
    Json,
}

/// Answers.
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
