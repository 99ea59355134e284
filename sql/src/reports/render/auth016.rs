//! auth.016: transaction reports in the form in which firms send them to their authority under MiFIR (ISO 20022,
//! `FinancialInstrumentReportingTransactionReportV01`).
//!
//! | element | is |
//! |---|---|
//! | `New` | a match: `Buyr` and `Sellr` are the owners of its two accounts |
//! | `Cxl` | in a report that amends another, a transaction that was otherwise then, or is there no longer; `New` follows where it is there |
//! | `SplmtryData` | what no element of the message is for: draft, commit, hash, parameters and validation, as in our XML |
//!
//! What is not known is never made up: a transaction that lacks something is left out, and a finding names it ([`rts22`]).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use super::{escaped, xml};
use crate::reports::document::Document;
use crate::reports::error::Unfit;
use crate::reports::rts22::{self, Decider, Firm, Identity, Party, PersonNumber, Transaction, Transactions};

/// The report that can be written as this message.
pub(super) const REPORT: &str = rts22::REPORT;

const NAMESPACE: &str = "urn:iso:std:iso:20022:tech:xsd:auth.016.001.01";

/// The document as one message, or why it has none.
pub(super) fn write(document: &Document, sha256: &str) -> Result<String, Unfit> {
    let now = Transactions::of(document)?;
    let records = match &document.earlier {
        None => now.complete.iter().map(|transaction| new(&now.firm, transaction)).collect(),
        Some(earlier) => amendments(&Transactions::of(earlier)?, &now),
    };
    if records.is_empty() {
        return Err(match now.left_out.first() {
            _ if document.earlier.is_some() => Unfit::NothingAmended,
            Some(first) => Unfit::AllLeftOut {
                number: now.left_out.len(),
                first: first.match_id.to_owned(),
                reason: first.gaps.first().map(ToString::to_string).unwrap_or_default(),
            },
            None => Unfit::NoTransaction,
        });
    }
    let mut text = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Document xmlns=\"{NAMESPACE}\">\n<FinInstrmRptgTxRpt>\n");
    for record in records {
        let _ = writeln!(text, "<Tx>{record}</Tx>");
    }
    let _ = xml::write_supplement(document, sha256, &mut text);
    text.push_str("</FinInstrmRptgTxRpt>\n</Document>\n");
    Ok(text)
}

/// The records that make a message of what was known then one of what is known now. A transaction that is left out now stays as it was
/// reported: it is cancelled once there is what replaces it.
fn amendments(then: &Transactions<'_>, now: &Transactions<'_>) -> Vec<String> {
    let by_id = |transactions: &Transactions<'_>| -> BTreeMap<String, String> {
        let record = |transaction: &Transaction<'_>| (transaction.match_id.to_owned(), new(&transactions.firm, transaction));
        transactions.complete.iter().map(record).collect()
    };
    let (earlier, later) = (by_id(then), by_id(now));
    let left_out: BTreeSet<&str> = now.left_out.iter().map(|left_out| left_out.match_id).collect();
    let gone = earlier.iter().filter(|(id, record)| later.get(*id) != Some(record) && !left_out.contains(id.as_str()));
    let cancelled = gone.map(|(id, _)| cancellation(&then.firm, &rts22::alphanumeric(id)));
    let changed = now.complete.iter().filter_map(|transaction| later.get_key_value(transaction.match_id));
    let changed = changed.filter(|(id, record)| earlier.get(*id) != Some(record)).map(|(_, record)| record.clone());
    cancelled.chain(changed).collect()
}

fn cancellation(firm: &Firm<'_>, reference: &str) -> String {
    let (executing, submitting) = (firm.lei, firm.submitting_lei);
    format!("<Cxl><TxId>{reference}</TxId><ExctgPty>{executing}</ExctgPty><SubmitgPty>{submitting}</SubmitgPty></Cxl>")
}

fn new(firm: &Firm<'_>, transaction: &Transaction<'_>) -> String {
    let Transaction { reference, time, isin, quantity, capacity, buyer, seller, .. } = transaction;
    let mut out = String::from("<New>");
    // Writing to a string cannot fail.
    let _ = write!(out, "<TxId>{reference}</TxId><ExctgPty>{}</ExctgPty>", firm.lei);
    let _ = write!(out, "<InvstmtPtyInd>{}</InvstmtPtyInd><SubmitgPty>{}</SubmitgPty>", firm.investment_firm, firm.submitting_lei);
    let _ = write!(out, "<Buyr>{}</Buyr><Sellr>{}</Sellr>", party(buyer), party(seller));
    // The firm executed the orders itself, so it passed none on.
    out.push_str("<OrdrTrnsmssn><TrnsmssnInd>false</TrnsmssnInd>");
    push_if_some("TrnsmttgBuyr", buyer.transmitting_firm, &mut out);
    push_if_some("TrnsmttgSellr", seller.transmitting_firm, &mut out);
    let _ = write!(out, "</OrdrTrnsmssn><Tx><TradDt>{time}</TradDt><TradgCpcty>{capacity}</TradgCpcty><Qty><Unit>{quantity}</Unit></Qty>");
    let _ = write!(out, "<Pric><Pric>{}</Pric></Pric><TradVn>{}</TradVn></Tx>", price(transaction), firm.venue);
    let _ = write!(out, "<FinInstrm><Id>{isin}</Id></FinInstrm>");
    if let Some(decision) = &transaction.decision {
        let _ = write!(out, "<InvstmtDcsnPrsn>{}</InvstmtDcsnPrsn>", decider(decision));
    }
    let _ = write!(out, "<ExctgPrsn>{}</ExctgPrsn><AddtlAttrbts>", decider(&firm.execution));
    push_if_some("ShrtSellgInd", transaction.short_selling, &mut out);
    // A match of orders is a sale, which nobody has agreed to undo.
    out.push_str("<SctiesFincgTxInd>false</SctiesFincgTxInd></AddtlAttrbts></New>");
    out
}

fn push_if_some(element: &str, value: Option<&str>, out: &mut String) {
    if let Some(value) = value {
        let _ = write!(out, "<{element}>{value}</{element}>");
    }
}

/// The price as an amount; one without a sign is positive.
fn price(transaction: &Transaction<'_>) -> String {
    let (currency, price) = (transaction.currency, transaction.price);
    let (amount, sign) = price.strip_prefix('-').map_or((price, ""), |amount| (amount, "<Sgn>false</Sgn>"));
    format!("<MntryVal><Amt Ccy=\"{currency}\">{amount}</Amt>{sign}</MntryVal>")
}

fn party(party: &Party<'_>) -> String {
    let mut out = format!("<AcctOwnr><Id>{}</Id>", identity(&party.identity));
    push_if_some("CtryOfBrnch", party.branch_country, &mut out);
    out.push_str("</AcctOwnr>");
    if let Some(lei) = party.decision_maker {
        let _ = write!(out, "<DcsnMakr><LEI>{lei}</LEI></DcsnMakr>");
    }
    out
}

fn identity(identity: &Identity<'_>) -> String {
    match identity {
        Identity::Lei(lei) => format!("<LEI>{lei}</LEI>"),
        Identity::Person { first_name, surname, birth_date, number } => {
            // Names are in capital letters (RTS 22, fields 9 and 10).
            let [first_name, surname] = [first_name, surname].map(|name| escaped(&name.to_uppercase()));
            let names = format!("<FrstNm>{first_name}</FrstNm><Nm>{surname}</Nm><BirthDt>{birth_date}</BirthDt>");
            format!("<Prsn>{names}{}</Prsn>", other(number))
        }
    }
}

fn other(PersonNumber { id, id_type }: &PersonNumber<'_>) -> String {
    // The message has codes for numbers of states and of passports alone.
    let scheme = if *id_type == "CONCAT" { "Prtry" } else { "Cd" };
    format!("<Othr><Id>{}</Id><SchmeNm><{scheme}>{id_type}</{scheme}></SchmeNm></Othr>", escaped(id))
}

fn decider(decider: &Decider<'_>) -> String {
    match decider {
        Decider::Client => "<Clnt>NORE</Clnt>".to_owned(),
        Decider::Algorithm(code) => format!("<Algo>{code}</Algo>"),
        Decider::Person { branch_country, number } => {
            format!("<Prsn><CtryOfBrnch>{branch_country}</CtryOfBrnch>{}</Prsn>", other(number))
        }
    }
}

#[cfg(test)]
pub(super) mod tests;
