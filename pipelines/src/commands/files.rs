//! `headwater files`: lists the live Parquet files.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;

use crate::output::notice;

/// What `headwater files` takes.
#[derive(Args)]
#[command(after_help = "\
What the files hold:
  an append table      its rows
  <table>_history      for a state table, one row per change: with `change` 1 the new row of the key, with -1 the last row of a
                       retracted key; the current row of a key is the newest by commit_id and tick
  a checkpoint         the same without ticks: the current row of a key is the newest by commit_id
Without TABLE, the list includes files with a whole state table as of an earlier commit, from which `headwater sql` computes
current rows.
The list is that of the newest commit. Merged files are removed after a while (`upkeep.grace`): list again rather than keep a list.")]
pub struct FilesArguments {
    /// Data directory.
    #[arg(long)]
    data: PathBuf,
    /// An append table, a checkpoint, or the history of a state table (`TABLE_history`); all if omitted.
    table: Option<String>,
}

/// Prints the paths, one a line, and on standard error the number of rows that are not in Parquet yet.
pub fn files(arguments: &FilesArguments, out: &mut impl Write) -> anyhow::Result<()> {
    let live = headwater_sql::live_files(&arguments.data, arguments.table.as_deref())?;
    for path in &live.paths {
        writeln!(out, "{}", path.display())?;
    }
    if live.segment_rows > 0 {
        notice(format_args!(
            "{} rows are in segments still: they become Parquet within a minute, or at the end of a bounded run (never with upkeep.every = 0)",
            live.segment_rows
        ));
    }
    Ok(())
}
