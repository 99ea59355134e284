//! `headwater sql`: runs a query, or a prompt.

use std::io::{ErrorKind, Write};
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use headwater_sql::{Catalog, Format, QueryError, converse, run_script};

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
    /// An array of objects. Names in an object differ: a second column `count` is `count_2`.
    Json,
}

/// Runs the query or the prompt, until the reader of its output closes the pipe.
pub fn sql(arguments: SqlArguments, out: &mut dyn Write) -> anyhow::Result<()> {
    let format = match arguments.format {
        Layout::Table => Format::Table,
        Layout::Csv => Format::Csv,
        Layout::Json => Format::Json,
    };
    let config = Config::load(arguments.config.as_deref())?;
    let catalog = Catalog::open_with(&arguments.data, arguments.at, config.sql)?;
    let answered = match arguments.query {
        Some(query) => run_script(&catalog, &query, format, out),
        None => converse(catalog, format, out),
    };
    match answered {
        Err(QueryError::Output(error)) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        answered => Ok(answered?),
    }
}
