//! An independent bookkeeper: the ledger's entries as a journal of [hledger](https://hledger.org), and the balances that it makes of it.
//!
//! hledger refuses a journal with a transaction that does not sum to zero, so it proves that, too.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use headwater_schemas::Total;
use headwater_sql::Catalog;
use serde_json::Value;

use crate::pipeline::objects;

/// Posted balances that are not zero, by account and currency.
pub type Balances = BTreeMap<(String, String), Total>;

/// The posted entries of a commit as a journal: a transaction with a posting for each leg. Holds move nothing, and an entry does not
/// name the hold that it captures, so they are left out.
pub fn journal(data: &Path, commit: u64) -> Result<String> {
    let entries = answer(
        data,
        commit,
        "SELECT entry_id, transaction_id, account_id, currency, CAST(amount AS VARCHAR) AS amount, CAST(CAST(ts AS DATE) AS VARCHAR) AS date
         FROM ledger_entries WHERE phase = 'posted' ORDER BY ts, entry_id",
    )?;
    let (mut text, mut last) = (String::new(), String::new());
    for entry in &entries {
        let [entry_id, transaction, account, currency, amount, date] =
            ["entry_id", "transaction_id", "account_id", "currency", "amount", "date"].map(|name| field(entry, name));
        let (group, _) = entry_id.rsplit_once('-').context("an entry's id ends with the leg's number")?;
        if group != last {
            writeln!(text, "\n{date} * ({transaction}) {group}")?;
            last = group.to_owned();
        }
        writeln!(text, "    {account}  {amount} \"{currency}\"")?;
    }
    Ok(text)
}

/// The balances that hledger computes of a journal.
pub fn balances(hledger: &Path, journal: &Path) -> Result<Balances> {
    let mut command = Command::new(hledger);
    command.args(["balance", "--flat", "--no-total", "--layout=bare", "-O", "csv", "-f"]).arg(journal);
    let output = command.env("LC_ALL", "C.UTF-8").output()?;
    ensure!(output.status.success(), "hledger refuses the journal: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout)?;
    let line = |line: &str| {
        let fields: Vec<&str> = line.trim_matches('"').split("\",\"").collect();
        let [account, currency, balance] = fields[..] else { anyhow::bail!("{line}: not an account, a commodity and a balance") };
        Ok(((account.to_owned(), currency.to_owned()), total(balance)?))
    };
    let all = text.lines().skip(1).map(line).collect::<Result<Balances>>()?;
    Ok(all.into_iter().filter(|(_, balance)| *balance != Total::ZERO).collect())
}

/// The table `balances` of a commit.
pub fn committed(data: &Path, commit: u64) -> Result<Balances> {
    let rows = answer(data, commit, "SELECT account_id, currency, CAST(posted AS VARCHAR) AS posted FROM balances WHERE posted <> 0")?;
    let balance = |row: &Value| {
        let [account, currency] = ["account_id", "currency"].map(|name| field(row, name).to_owned());
        Ok(((account, currency), total(field(row, "posted"))?))
    };
    rows.iter().map(balance).collect()
}

/// Reads a decimal with at most nine fraction digits.
fn total(text: &str) -> Result<Total> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    ensure!(fraction.len() <= 9, "{text} has more than nine fraction digits");
    Ok(Total::from_units(format!("{whole}{fraction:0<9}").parse().with_context(|| format!("{text:?} is no amount"))?))
}

fn field<'r>(row: &'r Value, name: &str) -> &'r str {
    row.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn answer(data: &Path, commit: u64, query: &str) -> Result<Vec<Value>> {
    objects(Catalog::open(data, Some(commit))?.query(query)?)
}
