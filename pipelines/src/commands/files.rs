//! `headwater files`: the Parquet files that exist.

use std::io::{ErrorKind, Write};
use std::path::PathBuf;

use clap::Args;

/// What `headwater files` takes.
#[derive(Args)]
#[command(after_help = "\
What the files hold:
  an append table      its rows
  <table>_history      of a state table, a row for each change: `change` is 1 with what the key's row is from then on, -1 with the
                       last row of a key that is gone; the current row of a key is the newest by commit_id and tick
  a checkpoint         likewise, without ticks: the row of a key that counts is the newest by commit_id
Without TABLE also files that hold a whole state table as of an earlier commit, from which `headwater sql` computes current rows.
The list is that of the newest commit. Files that are merged stay for a while (`upkeep.grace`): list again rather than keep a list.")]
pub struct FilesArguments {
    /// The data directory.
    #[arg(long)]
    data: PathBuf,
    /// An append table, a checkpoint, or the history of a state table (`TABLE_history`). All if it is not given.
    table: Option<String>,
}

/// Prints the paths, one a line, and on standard error how many rows are not in Parquet yet.
pub fn files(arguments: &FilesArguments, out: &mut impl Write) -> anyhow::Result<()> {
    let live = headwater_sql::live_files(&arguments.data, arguments.table.as_deref())?;
    for path in &live.paths {
        match writeln!(out, "{}", path.display()) {
            // Who reads has seen enough.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(()),
            written => written?,
        }
    }
    if live.segment_rows > 0 {
        eprintln!(
            "{} rows are in segments still: they become Parquet within a minute, or at the end of a bounded run (never with upkeep.every = 0)",
            live.segment_rows
        );
    }
    Ok(())
}
