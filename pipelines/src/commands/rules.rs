//! `headwater rules`: checks rule packs.

use std::io::Write;
use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, Subcommand};
use headwater_operators::rules::Pack;

/// What `headwater rules` takes.
#[derive(Args)]
pub struct RulesArguments {
    #[command(subcommand)]
    command: RulesCommand,
}

#[derive(Subcommand)]
enum RulesCommand {
    /// Check packs, and run their tests.
    ///
    /// Prints every problem of each file, with line, column and mend, and exits 1 if there is one.
    Check {
        /// Rule packs (TOML).
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
}

/// Runs the command.
pub fn rules(arguments: &RulesArguments, out: &mut impl Write) -> anyhow::Result<()> {
    let RulesCommand::Check { files } = &arguments.command;
    let mut problems = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(file).with_context(|| format!("reading the rule pack {}", file.display()))?;
        match Pack::parse(&file.display().to_string(), &text) {
            Ok(pack) => {
                writeln!(out, "{}: pack {}, rules: {}, tests: {}", file.display(), pack.name(), pack.rule_count(), pack.test_count())?
            }
            Err(error) => problems.push(error.to_string()),
        }
    }
    anyhow::ensure!(problems.is_empty(), "{}", problems.join("\n"));
    Ok(())
}
