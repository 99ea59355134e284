//! Formats of a document: JSON, CSV, XML, a page of HTML, and the messages of standards.
//!
//! Every rendering has the SHA-256 of itself without the 64 digits of that hash, so anyone can check it:
//! `sed "s/$HASH//" FILE | sha256sum` prints `$HASH`.

mod auth016;
mod camt053;
mod csv;
mod html;
mod json;
mod xml;

use headwater_schemas::Digest;

use super::Report;
use super::document::Document;
use super::error::{ReportError, Unfit};
use crate::formats::formats;

formats! {
    /// Format of a report.
    #[derive(Default)]
    ReportFormat {
        /// One object.
        #[default]
        Json = "json",
        /// A block of lines for each section.
        Csv = "csv",
        /// One element.
        Xml = "xml",
        /// A page for people, without anything from elsewhere.
        Html = "html",
        /// ISO 20022's message for the statement of an account.
        Camt053 = "camt.053",
        /// ISO 20022's message for reports of transactions.
        Auth016 = "auth.016",
    }
}

/// A document in a format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered {
    /// The text, with its hash.
    pub text: String,
    /// That hash: SHA-256 of the text without it.
    pub sha256: String,
}

impl ReportFormat {
    /// The end of the name of a file in this format.
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Json | Self::Csv | Self::Xml | Self::Html => self.as_str(),
            Self::Camt053 => "camt.053.xml",
            Self::Auth016 => "auth.016.xml",
        }
    }

    /// Whether a report in this format needs reference data that it can do without in others.
    pub fn needs_reference(self) -> bool {
        self == Self::Auth016
    }

    /// Whether a report can be written in this format; some are for one report.
    pub fn check(self, report: &Report) -> Result<(), ReportError> {
        let other = match self {
            Self::Camt053 if report.name != camt053::REPORT => Unfit::OtherReport(camt053::REPORT),
            Self::Auth016 if report.name != auth016::REPORT => Unfit::OtherReport(auth016::REPORT),
            _ => return Ok(()),
        };
        Err(ReportError::Format { report: report.name, format: self, cause: other })
    }

    /// Writes a document, with the hash of what is written. Fails if a value does not fit the format.
    pub fn render(self, document: &Document) -> Result<Rendered, ReportError> {
        let failed = |cause| ReportError::Format { report: document.report, format: self, cause };
        let sha256 = Digest::sha256(self.write(document, "").map_err(failed)?).to_string();
        Ok(Rendered { text: self.write(document, &sha256).map_err(failed)?, sha256 })
    }

    fn write(self, document: &Document, sha256: &str) -> Result<String, Unfit> {
        match self {
            Self::Json => Ok(json::write(document, sha256)),
            Self::Csv => Ok(csv::write(document, sha256)),
            Self::Xml => Ok(xml::write(document, sha256)),
            Self::Html => Ok(html::write(document, sha256)),
            Self::Camt053 => camt053::write(document, sha256),
            Self::Auth016 => auth016::write(document, sha256),
        }
    }
}

/// A text with the characters that markup reserves escaped, and those that XML does not allow replaced.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\t' | '\n' => escaped.push(letter),
            '\r' => escaped.push_str("&#13;"),
            letter if letter.is_control() || matches!(letter, '\u{fffe}' | '\u{ffff}') => escaped.push('\u{fffd}'),
            letter => escaped.push(letter),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::super::document::{Column, Finding, Kind, Parameter, Section};
    use super::*;

    fn document() -> Document {
        let column = |name: &str, kind| Column { name: name.to_owned(), kind };
        let text = |text: &str| Some(text.to_owned());
        Document {
            report: "sample",
            version: 2,
            title: "A sample",
            commit_id: 7,
            commit_hash: "ab".to_owned(),
            parameters: vec![Parameter { name: "date", value: "2026-01-05".to_owned() }],
            sections: vec![
                Section {
                    name: "figures",
                    title: "Figures".to_owned(),
                    columns: vec![column("id", Kind::Text), column("amount", Kind::Decimal), column("ratio", Kind::Statistic)],
                    rows: vec![
                        vec![text("a<b> & \"c\", d\ne\u{1}"), text("123456789012345678.000000001"), text("NaN")],
                        vec![None, None, text("0.5")],
                    ],
                },
                Section { name: "nothing", title: "Nothing".to_owned(), columns: vec![column("n", Kind::Integer)], rows: vec![] },
            ],
            findings: vec![Finding {
                severity: "error".to_owned(),
                check: "legs",
                key: "t1".to_owned(),
                finding: "it does not balance".to_owned(),
            }],
            earlier: None,
        }
    }

    const JSON: &str = r#"{
"status":"draft",
"report":"sample",
"version":2,
"title":"A sample",
"sha256":"",
"manifest":{"commit_id":7,"commit_hash":"ab"},
"parameters":{"date":"2026-01-05"},
"sections":[
{"name":"figures","title":"Figures","columns":[{"name":"id","type":"text"},{"name":"amount","type":"decimal"},{"name":"ratio","type":"statistic"}],"rows":[
{"id":"a<b> & \"c\", d\ne\u0001","amount":"123456789012345678.000000001","ratio":null},
{"id":null,"amount":null,"ratio":0.5}
]},
{"name":"nothing","title":"Nothing","columns":[{"name":"n","type":"integer"}],"rows":[]}
],
"validation":[
{"severity":"error","check":"legs","key":"t1","finding":"it does not balance"}
]
}
"#;

    const CSV: &str = "document,value
status,draft
report,sample
version,2
title,A sample
sha256,
commit_id,7
commit_hash,ab
date,2026-01-05

section,figures,Figures
id,amount,ratio
\"a<b> & \"\"c\"\", d\ne\u{1}\",123456789012345678.000000001,NaN
,,0.5

section,nothing,Nothing
n

section,validation,What validation found
severity,check,key,finding
error,legs,t1,it does not balance
";

    const XML: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<report name="sample" version="2" status="draft" sha256="">
<title>A sample</title>
<manifest commit_id="7" commit_hash="ab"/>
<parameters>
<parameter name="date">2026-01-05</parameter>
</parameters>
<section name="figures" title="Figures">
<column name="id" type="text"/>
<column name="amount" type="decimal"/>
<column name="ratio" type="statistic"/>
<row><value name="id">a&lt;b&gt; &amp; &quot;c&quot;, d
e�</value><value name="amount">123456789012345678.000000001</value><value name="ratio">NaN</value></row>
<row><value name="ratio">0.5</value></row>
</section>
<section name="nothing" title="Nothing">
<column name="n" type="integer"/>
</section>
<validation>
<finding severity="error" check="legs" key="t1">it does not balance</finding>
</validation>
</report>
"#;

    #[test]
    fn every_format_is_written_to_the_letter() {
        for (write, expected) in [(json::write as fn(&Document, &str) -> String, JSON), (csv::write, CSV), (xml::write, XML)] {
            assert_eq!(write(&document(), ""), expected);
        }
        let parsed: serde_json::Value = serde_json::from_str(JSON).unwrap();
        assert_eq!(parsed["sections"][0]["rows"][0]["amount"], "123456789012345678.000000001");
    }

    #[test]
    fn a_page_escapes_data_and_says_draft() {
        let page = html::write(&document(), "");
        assert!(page.starts_with("<!doctype html>") && page.contains("draft"), "{page}");
        assert!(page.contains("a&lt;b&gt; &amp; &quot;c&quot;") && !page.contains("a<b>"), "{page}");
        assert!(page.contains("<td class=\"number\">123456789012345678.000000001</td>"), "{page}");
        assert!(!page.contains("http"), "it loads nothing");
    }

    /// A statement of an account; the amount is that of its one entry.
    fn statement(account: &str, currency: &str, transaction: &str, amount: &str) -> Document {
        let section = |name, columns: &[&str], values: &[&str]| Section {
            name,
            title: String::new(),
            columns: columns.iter().map(|name| Column::text(name)).collect(),
            rows: vec![values.iter().map(|value| Some((*value).to_owned())).collect()],
        };
        let parameter = |name, value: &str| Parameter { name, value: value.to_owned() };
        let entry = format!("{transaction}-deposit-1");
        let (value_ts, counted) = ("2026-01-05T12:00:00Z", "2026-01-05T13:00:00.5Z");
        Document {
            report: "account-statement",
            parameters: vec![parameter("from", "2026-01-01"), parameter("date", "2026-01-31"), parameter("account", account)],
            sections: vec![
                section(
                    "summary",
                    &["account_id", "currency", "opening", "money_in", "money_out", "closing", "time_weighted_average"],
                    &[account, currency, "-1.5", amount, "0", "8.75", "3"],
                ),
                section(
                    "entries",
                    &["value_ts", "transaction_id", "entry_id", "currency", "amount", "counted_from"],
                    &[value_ts, transaction, &entry, currency, amount, counted],
                ),
                section("holds", &["currency", "posted", "pending", "available", "ts"], &[currency, "8.75", "0", "8.75", value_ts]),
            ],
            ..document()
        }
    }

    const CAMT: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08">
<BkToCstmrStmt>
<GrpHdr><MsgId>2026-01-31-7-HASH</MsgId><CreDtTm>2026-02-01T00:00:00Z</CreDtTm></GrpHdr>
<Stmt>
<Id>2026-01-31-7-HASH-EUR</Id><CreDtTm>2026-02-01T00:00:00Z</CreDtTm>
<FrToDt><FrDtTm>2026-01-01T00:00:00Z</FrDtTm><ToDtTm>2026-02-01T00:00:00Z</ToDtTm></FrToDt>
<Acct><Id><IBAN>DE89370400440532013000</IBAN></Id><Ccy>EUR</Ccy></Acct>
<Bal><Tp><CdOrPrtry><Cd>OPBD</Cd></CdOrPrtry></Tp><Amt Ccy="EUR">1.5</Amt><CdtDbtInd>DBIT</CdtDbtInd><Dt><Dt>2026-01-01</Dt></Dt></Bal>
<Bal><Tp><CdOrPrtry><Cd>CLBD</Cd></CdOrPrtry></Tp><Amt Ccy="EUR">8.75</Amt><CdtDbtInd>CRDT</CdtDbtInd><Dt><Dt>2026-01-31</Dt></Dt></Bal>
<Bal><Tp><CdOrPrtry><Cd>CLAV</Cd></CdOrPrtry></Tp><Amt Ccy="EUR">8.75</Amt><CdtDbtInd>CRDT</CdtDbtInd><Dt><Dt>2026-01-31</Dt></Dt></Bal>
<TxsSummry><TtlNtries><NbOfNtries>1</NbOfNtries></TtlNtries><TtlCdtNtries><NbOfNtries>1</NbOfNtries><Sum>10.25</Sum></TtlCdtNtries><TtlDbtNtries><NbOfNtries>0</NbOfNtries><Sum>0</Sum></TtlDbtNtries></TxsSummry>
<Ntry><NtryRef>t&amp;1-deposit-1</NtryRef><Amt Ccy="EUR">10.25</Amt><CdtDbtInd>CRDT</CdtDbtInd><Sts><Cd>BOOK</Cd></Sts><BookgDt><DtTm>2026-01-05T13:00:00.5Z</DtTm></BookgDt><ValDt><DtTm>2026-01-05T12:00:00Z</DtTm></ValDt><AcctSvcrRef>t&amp;1</AcctSvcrRef><BkTxCd><Prtry><Cd>deposit</Cd><Issr>Headwater</Issr></Prtry></BkTxCd></Ntry>
<AddtlStmtInf>draft; time-weighted average 3</AddtlStmtInf>
</Stmt>
<SplmtryData><Envlp>
<report xmlns="urn:headwater:report" name="account-statement" version="2" status="draft" sha256="">
<title>A sample</title>
<manifest commit_id="7" commit_hash="ab"/>
<parameters>
<parameter name="from">2026-01-01</parameter>
<parameter name="date">2026-01-31</parameter>
<parameter name="account">DE89370400440532013000</parameter>
</parameters>
<validation>
<finding severity="error" check="legs" key="t1">it does not balance</finding>
</validation>
</report>
</Envlp></SplmtryData>
</BkToCstmrStmt>
</Document>
"#;

    #[test]
    fn a_statement_is_a_message_of_banks_to_the_letter() {
        let iban = "DE89370400440532013000";
        let hash = Digest::sha256(format!("{iban} 2026-01-01")).to_string();
        let written = camt053::write(&statement(iban, "EUR", "t&1", "10.25"), "").unwrap();
        assert_eq!(written, CAMT.replace("HASH", &hash[..8]));
        let long = "x".repeat(40);
        let written = camt053::write(&statement("A1", "EUR", &long, "10.25"), "").unwrap();
        assert!(!written.contains("NtryRef") && !written.contains("AcctSvcrRef"), "{written}");
        assert!(written.contains(&format!("<AddtlNtryInf>entry {long}-deposit-1 of transaction {long}</AddtlNtryInf>")), "{written}");
        assert!(written.contains("<Acct><Id><Othr><Id>A1</Id></Othr></Id>"), "{written}");
    }

    #[test]
    fn what_a_message_of_banks_has_no_room_for_is_refused_by_name() {
        let amount = |amount: &str| statement("A1", "EUR", "t1", amount);
        let empty = || {
            let mut document = amount("1");
            document.sections.iter_mut().for_each(|section| section.rows.clear());
            document
        };
        let amended = || {
            let mut document = amount("1");
            document.sections.push(Section { name: "amendments", title: String::new(), columns: vec![], rows: vec![] });
            document
        };
        for (document, expected) in [
            (amount("0.123456"), "the amount 0.123456 of t1-deposit-1 has more than 5 digits after the point"),
            (amount("-12345678901234.12345"), "the amount -12345678901234.12345 of t1-deposit-1"),
            (statement("A1", "USDT", "t1", "1"), "\"USDT\" is no currency of three letters"),
            (statement(&"a".repeat(35), "EUR", "t1", "1"), "has more than 34 characters"),
            (empty(), "the account A1 has no balance until 2026-01-31"),
            (amended(), "it has no place for amendments"),
            (document(), "the report has no account"),
        ] {
            let error = ReportFormat::Camt053.render(&document).unwrap_err();
            let said = headwater_connectors::fault::with_causes(&error);
            assert!(said.contains(expected) && said.contains("cannot be written as camt.053: give another format"), "{said}");
        }
        assert!(camt053::write(&amount("1234567890123.12345"), "").is_ok(), "18 digits are allowed");
    }

    #[test]
    fn a_rendering_has_the_hash_of_itself_without_the_hash() {
        for format in ReportFormat::ALL.iter().copied() {
            let document = if format == ReportFormat::Auth016 { auth016::tests::document() } else { statement("A1", "EUR", "t1", "1") };
            let text = format.render(&document).unwrap().text;
            let hash = text.split(|letter: char| !letter.is_ascii_hexdigit()).find(|word| word.len() == 64).unwrap();
            assert_eq!(text.matches(hash).count(), 1, "{format}");
            assert_eq!(Digest::sha256(text.replace(hash, "")).to_string(), hash, "{format}");
            assert_eq!(format.to_string().parse(), Ok(format));
        }
        assert_eq!(
            "pdf".parse::<ReportFormat>(),
            Err("there is no format \"pdf\": give json, csv, xml, html, camt.053 or auth.016".to_owned())
        );
    }
}
