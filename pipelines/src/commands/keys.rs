//! `headwater keys`: creates the keys of tokens.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;

use crate::key_file;

/// Arguments of `headwater keys`.
#[derive(Args)]
pub struct KeysArguments {
    /// File to create, for privacy.keys. Only its owner can read it. Keep it outside the data directory and its backups.
    file: PathBuf,
}

/// Creates the file.
pub fn keys(arguments: &KeysArguments, out: &mut impl Write) -> anyhow::Result<()> {
    key_file::create(&arguments.file)?;
    writeln!(out, "{}: new keys, for privacy.keys", arguments.file.display())?;
    Ok(())
}
