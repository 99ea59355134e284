//! camt.053: the statement of an account in the form in which banks send it (ISO 20022, `BankToCustomerStatementV08`).
//!
//! | element | is |
//! |---|---|
//! | `Stmt` | one for each currency of the account |
//! | `Bal` | the opening (`OPBD`) and closing (`CLBD`) balance, and the available one (`CLAV`) |
//! | `Ntry` | a posted leg: `BookgDt` is the clock of its arrival, `ValDt` the transaction's own time, `BkTxCd` its type |
//! | `SplmtryData` | what no element of the message is for: draft, commit, hash, parameters and validation, as in our XML |
//!
//! Times are those of the figures, not of the making, so the same commit gives the same bytes. The message has shorter ids and fewer
//! digits than the pipeline. An id that is too long for its element is given whole in `AddtlNtryInf`; a number that does not fit is an
//! error, never rounded.

use std::collections::BTreeSet;
use std::fmt::Write;

use headwater_schemas::{Date, Digest};

use super::{escaped, xml};
use crate::identifiers::is_iban;
use crate::reports::amendments::AMENDMENTS;
use crate::reports::document::Document;
use crate::reports::error::Unfit;
use crate::reports::table::{Row, Table};

/// The report that can be written as this message.
pub(super) const REPORT: &str = "account-statement";

const NAMESPACE: &str = "urn:iso:std:iso:20022:tech:xsd:camt.053.001.08";
/// The greatest length of a reference.
const REFERENCE: usize = 35;
/// The greatest length of an account that is no IBAN.
const ACCOUNT: usize = 34;
/// The greatest number of digits of an amount, and of those after the point.
const DIGITS: (usize, usize) = (18, 5);

/// The document as one message, or why it has none.
pub(super) fn write(document: &Document, sha256: &str) -> Result<String, Unfit> {
    if document.sections.iter().any(|section| section.name == AMENDMENTS) {
        return Err(Unfit::Amendments);
    }
    let statement = Statement::of(document)?;
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let _ = writeln!(text, "<Document xmlns=\"{NAMESPACE}\">\n<BkToCstmrStmt>");
    let _ = writeln!(text, "<GrpHdr><MsgId>{}</MsgId><CreDtTm>{}</CreDtTm></GrpHdr>", statement.id, statement.end());
    for currency in statement.currencies()? {
        statement.write(currency, &mut text)?;
    }
    let _ = xml::write_supplement(document, sha256, &mut text);
    text.push_str("</BkToCstmrStmt>\n</Document>\n");
    Ok(text)
}

/// What is common to the statements of all currencies.
struct Statement<'d> {
    id: String,
    account: &'d str,
    from: Date,
    date: Date,
    summary: Table<'d>,
    entries: Table<'d>,
    holds: Table<'d>,
}

impl<'d> Statement<'d> {
    fn of(document: &'d Document) -> Result<Self, Unfit> {
        let parameter = |name| {
            let found = document.parameters.iter().find(|parameter| parameter.name == name);
            found.map(|parameter| parameter.value.as_str()).ok_or(Unfit::Lacks(name))
        };
        let date = |name| parameter(name)?.parse::<Date>().map_err(|_| Unfit::Lacks(name));
        let (account, from, until) = (parameter("account")?, date("from")?, date("date")?);
        let whose = Digest::sha256(format!("{account} {from}")).to_string();
        let id = format!("{until}-{}-{}", document.commit_id, whose.get(..8).unwrap_or_default());
        let table = |name| Table::of(document, name);
        Ok(Self { id, account, from, date: until, summary: table("summary")?, entries: table("entries")?, holds: table("holds")? })
    }

    /// The moment that the figures are about.
    fn end(&self) -> String {
        format!("{}T00:00:00Z", self.date.next())
    }

    /// The currencies of the account, in order.
    fn currencies(&self) -> Result<BTreeSet<&'d str>, Unfit> {
        let mut currencies = BTreeSet::new();
        for table in [&self.summary, &self.holds] {
            for row in table.rows() {
                currencies.insert(row.text("currency")?);
            }
        }
        let unknown = |currency: &&&str| currency.len() != 3 || !currency.bytes().all(|letter| letter.is_ascii_uppercase());
        match currencies.iter().find(unknown) {
            Some(currency) => Err(Unfit::Currency((*currency).to_owned())),
            None if currencies.is_empty() => Err(Unfit::Empty { account: self.account.to_owned(), date: self.date }),
            None => Ok(currencies),
        }
    }

    /// Writes the statement of a currency.
    fn write(&self, currency: &str, out: &mut String) -> Result<(), Unfit> {
        let is_of = |row: &Row<'d>| row.text("currency").is_ok_and(|found| found == currency);
        let of = |table: &Table<'d>| table.rows().filter(is_of).collect::<Vec<_>>();
        let (summary, holds, entries) = (of(&self.summary), of(&self.holds), of(&self.entries));
        // Before the sums, so that an amount that does not fit is named by its entry.
        let mut written = String::new();
        for entry in &entries {
            write_entry(entry, currency, &mut written)?;
        }
        let sum = |column| summary.first().map_or(Ok("0"), |row| row.text(column));
        let _ = writeln!(out, "<Stmt>\n<Id>{}-{currency}</Id><CreDtTm>{}</CreDtTm>", self.id, self.end());
        let _ = writeln!(out, "<FrToDt><FrDtTm>{}T00:00:00Z</FrDtTm><ToDtTm>{}</ToDtTm></FrToDt>", self.from, self.end());
        let _ = writeln!(out, "<Acct><Id>{}</Id><Ccy>{currency}</Ccy></Acct>", account(self.account)?);
        write_balance("OPBD", sum("opening")?, currency, self.from, out)?;
        write_balance("CLBD", sum("closing")?, currency, self.date, out)?;
        for row in &holds {
            write_balance("CLAV", row.text("available")?, currency, self.date, out)?;
        }
        write_totals(&entries, sum("money_in")?, sum("money_out")?, out)?;
        out.push_str(&written);
        if let Some(row) = summary.first() {
            let _ = writeln!(out, "<AddtlStmtInf>draft; time-weighted average {}</AddtlStmtInf>", row.text("time_weighted_average")?);
        }
        out.push_str("</Stmt>\n");
        Ok(())
    }
}

/// The account: as an IBAN if it is one.
fn account(id: &str) -> Result<String, Unfit> {
    match id {
        id if is_iban(id) => Ok(format!("<IBAN>{id}</IBAN>")),
        id if id.chars().count() <= ACCOUNT => Ok(format!("<Othr><Id>{}</Id></Othr>", escaped(id))),
        id => Err(Unfit::Account(id.to_owned())),
    }
}

/// The magnitude of an amount, and whether it is a credit.
fn magnitude<'a>(whose: &str, amount: &'a str) -> Result<(&'a str, &'static str), Unfit> {
    let (digits, indicator) = amount.strip_prefix('-').map_or((amount, "CRDT"), |digits| (digits, "DBIT"));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let (most, after_point) = DIGITS;
    if fraction.len() > after_point || whole.trim_start_matches('0').len() + fraction.len() > most {
        return Err(Unfit::Amount { whose: whose.to_owned(), amount: amount.to_owned() });
    }
    Ok((digits, indicator))
}

fn write_amount(whose: &str, amount: &str, currency: &str, out: &mut String) -> Result<(), Unfit> {
    let (digits, indicator) = magnitude(whose, amount)?;
    let _ = write!(out, "<Amt Ccy=\"{currency}\">{digits}</Amt><CdtDbtInd>{indicator}</CdtDbtInd>");
    Ok(())
}

fn write_balance(code: &str, amount: &str, currency: &str, date: Date, out: &mut String) -> Result<(), Unfit> {
    let _ = write!(out, "<Bal><Tp><CdOrPrtry><Cd>{code}</Cd></CdOrPrtry></Tp>");
    write_amount(code, amount, currency, out)?;
    let _ = writeln!(out, "<Dt><Dt>{date}</Dt></Dt></Bal>");
    Ok(())
}

/// Writes the numbers and sums of entries, by direction.
fn write_totals(entries: &[Row<'_>], money_in: &str, money_out: &str, out: &mut String) -> Result<(), Unfit> {
    let mut credits = 0_usize;
    for entry in entries {
        credits += usize::from(!entry.text("amount")?.starts_with('-'));
    }
    let debits = entries.len() - credits;
    let _ = write!(out, "<TxsSummry><TtlNtries><NbOfNtries>{}</NbOfNtries></TtlNtries>", entries.len());
    for (element, number, sum) in [("TtlCdtNtries", credits, money_in), ("TtlDbtNtries", debits, money_out)] {
        let (sum, _) = magnitude(element, sum)?;
        let _ = write!(out, "<{element}><NbOfNtries>{number}</NbOfNtries><Sum>{sum}</Sum></{element}>");
    }
    out.push_str("</TxsSummry>\n");
    Ok(())
}

fn write_entry(entry: &Row<'_>, currency: &str, out: &mut String) -> Result<(), Unfit> {
    let (entry_id, transaction) = (entry.text("entry_id")?, entry.text("transaction_id")?);
    let reference = |element: &str, id: &str| match id.chars().count() {
        0..=REFERENCE => format!("<{element}>{}</{element}>", escaped(id)),
        _ => String::new(),
    };
    let _ = write!(out, "<Ntry>{}", reference("NtryRef", entry_id));
    write_amount(entry_id, entry.text("amount")?, currency, out)?;
    let _ = write!(out, "<Sts><Cd>BOOK</Cd></Sts><BookgDt><DtTm>{}</DtTm></BookgDt>", entry.text("counted_from")?);
    let _ = write!(out, "<ValDt><DtTm>{}</DtTm></ValDt>{}", entry.text("value_ts")?, reference("AcctSvcrRef", transaction));
    let _ = write!(out, "<BkTxCd><Prtry><Cd>{}</Cd><Issr>Headwater</Issr></Prtry></BkTxCd>", escaped(kind(entry_id, transaction)));
    if entry_id.chars().count() > REFERENCE {
        let _ = write!(out, "<AddtlNtryInf>entry {} of transaction {}</AddtlNtryInf>", escaped(entry_id), escaped(transaction));
    }
    out.push_str("</Ntry>\n");
    Ok(())
}

/// The type of a transaction, from the id of a leg: `<transaction>-<type>-<leg's number>`.
fn kind<'e>(entry_id: &'e str, transaction: &str) -> &'e str {
    let rest = entry_id.strip_prefix(transaction).and_then(|rest| rest.strip_prefix('-'));
    rest.and_then(|rest| rest.rsplit_once('-')).map_or("entry", |(kind, _)| kind)
}
