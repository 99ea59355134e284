//! `headwater verify`: proves that a data directory is complete and unchanged.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;

/// Arguments of `headwater verify`.
#[derive(Args)]
pub struct VerifyArguments {
    /// Data directory.
    #[arg(long)]
    data: PathBuf,
    /// Number of threads that read files; one per processor if omitted.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=256))]
    threads: Option<u16>,
}

/// Verifies the directory and prints what was proved. The error names the first violation.
pub fn verify(arguments: &VerifyArguments, out: &mut impl Write) -> anyhow::Result<()> {
    let processors = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let threads = arguments.threads.map_or_else(processors, usize::from);
    let proof = headwater_sql::verify(&arguments.data, threads)?;
    let commits = if proof.commits == 1 { "commit" } else { "commits" };
    writeln!(
        out,
        "{}: {} {commits} in one chain, {} files with {} rows ({} bytes) as they were written",
        arguments.data.display(),
        proof.commits,
        proof.files,
        proof.rows,
        proof.bytes
    )?;
    writeln!(out, "{} accepted records in one chain for each partition, with the clocks that they and remap tell", proof.audited)?;
    for (name, _) in headwater_sql::INVARIANTS {
        writeln!(out, "holds: {name}")?;
    }
    Ok(())
}
