//! `headwater erase`: destroys the keys of a customer, so that its tokens stand for nothing any more.

use std::io::Write;
use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use headwater_schemas::privacy::Subject;
use headwater_sql::Catalog;

use super::explain::CommittedRows;
use crate::config::Config;
use crate::key_file;

/// Arguments of `headwater erase`.
#[derive(Args)]
#[command(after_help = "\
What is left in clear until it is no longer remembered, and how to remove it, is in docs/operations.md. Copies of the file with keys,
like backups, have to be deleted as well. A run that is going on keeps the keys until it is started again.")]
pub struct EraseArguments {
    /// Id of the customer.
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    customer: String,
    /// Data directory: the keys of the accounts that the customer owns there are destroyed, too.
    #[arg(long)]
    data: PathBuf,
    /// Configuration file (TOML) whose privacy.keys names the keys.
    #[arg(long)]
    config: PathBuf,
}

/// Destroys the keys and says whose.
pub fn erase(arguments: &EraseArguments, out: &mut impl Write) -> anyhow::Result<()> {
    let EraseArguments { customer, data, config } = arguments;
    let file = Config::load(Some(config))?.privacy.keys;
    let file = file.with_context(|| format!("{}: privacy.keys names no file", config.display()))?;
    let mut keys = key_file::read(&file)?;
    let catalog = Catalog::open(data, None)?;
    let committed = CommittedRows::new(&catalog);
    let accounts = committed.accounts_of(customer)?;
    let mut destroyed = Vec::new();
    if keys.destroy(Subject::Customer(customer)) {
        destroyed.push(format!("customer {customer}"));
    }
    for account in &accounts {
        if keys.destroy(Subject::Account(account)) {
            destroyed.push(format!("account {account}"));
        }
    }
    if destroyed.is_empty() {
        writeln!(out, "{}: the keys of customer {customer} and its accounts were destroyed before", file.display())?;
    } else {
        key_file::replace(&file, &keys)?;
        writeln!(out, "{}: destroyed the keys of {}", file.display(), destroyed.join(", "))?;
    }
    if !accounts.is_empty() {
        return Ok(());
    }
    // No error: the records of a customer may be in topics alone, or gone before its key is.
    let data = data.display();
    if committed.has_seen_customer(customer)? {
        writeln!(out, "{data}: the customer owns no account: check the id")?;
    } else {
        writeln!(
            out,
            "{data}: no account, payment or record of a customer {customer} is here: check the id (what comes of it later is `erased`)"
        )?;
    }
    Ok(())
}
