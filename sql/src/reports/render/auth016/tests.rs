//! Messages to the letter, and what keeps a transaction out of one.

use headwater_connectors::fault::with_causes;

use super::*;
use crate::reports::document::{Column, Finding, Parameter, Section};
use crate::reports::reference::Reference;
use crate::reports::render::ReportFormat;

/// LEIs that nobody has, with check digits of ISO 7064 mod 97-10: 98 less the rest of the letters as numbers, with 00, modulo 97.
const FIRM: &str = "EXAMPLE0FIRM00000146";
const CLIENT: &str = "EXAMPLE0CLIENT000211";

/// Fields of a firm whose customers are a fund, a person, and the firm itself.
const FIELDS: &str = "kind,id,field,value
firm,,lei,FIRM
firm,,submitting_lei,SUBMITTER
firm,,investment_firm,true
firm,,country,DE
firm,,venue,XOFF
firm,,trading_capacity,AOTC
firm,,execution,algorithm:BOOK1
firm,,short_selling,UNDI
customer,fund,lei,CLIENT
customer,fund,branch_country,FR
customer,fund,transmitting_firm,SUBMITTER
customer,anna,first_name,Anna,Eva
customer,anna,surname,Müller
customer,anna,birth_date,1970-01-31
customer,anna,national_id,DE19700131ANNA#MUELL
customer,anna,id_type,CONCAT
customer,house,lei,FIRM
customer,stranger,lei,CLIENT
account,H,investment_decision,person:P1
person,P1,national_id,IT1234567
person,P1,id_type,CCPT
person,P1,branch_country,IT
";

/// The columns of the section `transactions`.
const COLUMNS: [&str; 12] = [
    "match_id",
    "trading_time",
    "symbol",
    "asset_class",
    "instrument_isin",
    "quantity",
    "price",
    "price_currency",
    "buyer_account",
    "buyer",
    "seller_account",
    "seller",
];

/// Fund F buys of Anna.
const ROW: [&str; 12] =
    ["ACME-1", "2026-01-05T14:51:00.123456789Z", "ACME", "equity", "US0378331005", "30", "25.2", "USD", "F", "fund", "A", "anna"];

/// The row with other values in some columns; an empty one is NULL.
fn with(changes: &[(&str, &str)]) -> Vec<Option<String>> {
    let value = |(column, value): (&&str, &&str)| {
        let changed = changes.iter().find(|(changed, _)| changed == column).map_or(*value, |(_, changed)| changed);
        Some(changed.to_owned()).filter(|value| !value.is_empty())
    };
    COLUMNS.iter().zip(&ROW).map(value).collect()
}

fn fields() -> String {
    FIELDS.replace("FIRM", FIRM).replace("CLIENT", CLIENT).replace("SUBMITTER", "506700GE1G29325QX363")
}

fn of(rows: Vec<Vec<Option<String>>>, fields: &str) -> Document {
    let columns = COLUMNS.iter().map(|name| Column::text(name)).collect();
    let mut sections = vec![Section { name: "transactions", title: String::new(), columns, rows }];
    let reference = Reference::read(fields).unwrap();
    sections.push(rts22::section(&sections, &reference));
    Document {
        report: REPORT,
        version: 1,
        title: "Executions",
        commit_id: 7,
        commit_hash: "ab".to_owned(),
        parameters: vec![Parameter { name: "date", value: "2026-01-05".to_owned() }],
        sections,
        findings: Vec::new(),
        earlier: None,
    }
}

/// A document with one transaction.
pub(in crate::reports::render) fn document() -> Document {
    of(vec![with(&[])], &fields())
}

/// The message without its supplementary data, a record on each line.
fn records(document: &Document) -> Vec<String> {
    let text = write(document, "").unwrap();
    text.lines().filter(|line| line.starts_with("<Tx>")).map(str::to_owned).collect()
}

/// What the validation says of a document with one transaction, and why it has no message.
fn gap(changes: &[(&str, &str)], fields: &str) -> Vec<Finding> {
    let document = of(vec![with(changes)], fields);
    let error = ReportFormat::Auth016.render(&document).expect_err("no transaction is left");
    assert!(with_causes(&error).contains("all 1 are left out, first"), "{}", with_causes(&error));
    rts22::findings(&document).unwrap()
}

const MESSAGE: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<Document xmlns="urn:iso:std:iso:20022:tech:xsd:auth.016.001.01">
<FinInstrmRptgTxRpt>
<Tx><New><TxId>ACMEZ2D1</TxId><ExctgPty>FIRM</ExctgPty><InvstmtPtyInd>true</InvstmtPtyInd><SubmitgPty>506700GE1G29325QX363</SubmitgPty><Buyr><AcctOwnr><Id><LEI>CLIENT</LEI></Id><CtryOfBrnch>FR</CtryOfBrnch></AcctOwnr></Buyr><Sellr><AcctOwnr><Id><Prsn><FrstNm>ANNA,EVA</FrstNm><Nm>MÜLLER</Nm><BirthDt>1970-01-31</BirthDt><Othr><Id>DE19700131ANNA#MUELL</Id><SchmeNm><Prtry>CONCAT</Prtry></SchmeNm></Othr></Prsn></Id><CtryOfBrnch>DE</CtryOfBrnch></AcctOwnr></Sellr><OrdrTrnsmssn><TrnsmssnInd>false</TrnsmssnInd><TrnsmttgBuyr>506700GE1G29325QX363</TrnsmttgBuyr></OrdrTrnsmssn><Tx><TradDt>2026-01-05T14:51:00.123456Z</TradDt><TradgCpcty>AOTC</TradgCpcty><Qty><Unit>30</Unit></Qty><Pric><Pric><MntryVal><Amt Ccy="USD">25.2</Amt></MntryVal></Pric></Pric><TradVn>XOFF</TradVn></Tx><FinInstrm><Id>US0378331005</Id></FinInstrm><ExctgPrsn><Algo>BOOK1</Algo></ExctgPrsn><AddtlAttrbts><ShrtSellgInd>UNDI</ShrtSellgInd><SctiesFincgTxInd>false</SctiesFincgTxInd></AddtlAttrbts></New></Tx>
<SplmtryData><Envlp>
<report xmlns="urn:headwater:report" name="executions-rts22" version="1" status="draft" sha256="">
<title>Executions</title>
<manifest commit_id="7" commit_hash="ab"/>
<parameters>
<parameter name="date">2026-01-05</parameter>
</parameters>
<validation>
</validation>
</report>
</Envlp></SplmtryData>
</FinInstrmRptgTxRpt>
</Document>
"#;

#[test]
fn a_match_of_two_clients_is_one_transaction_to_the_letter() {
    assert_eq!(write(&document(), "").unwrap(), MESSAGE.replace("FIRM", FIRM).replace("CLIENT", CLIENT));
}

#[test]
fn a_sale_by_the_firm_is_dealing_on_own_account_and_names_who_decided() {
    let document = of(vec![with(&[("seller_account", "H"), ("seller", "house"), ("price", "-0.5")])], &fields());
    let record = records(&document).concat();
    for part in [
        format!("<Sellr><AcctOwnr><Id><LEI>{FIRM}</LEI></Id></AcctOwnr></Sellr>"),
        "<TradgCpcty>DEAL</TradgCpcty>".to_owned(),
        "<MntryVal><Amt Ccy=\"USD\">0.5</Amt><Sgn>false</Sgn></MntryVal>".to_owned(),
        "<InvstmtDcsnPrsn><Prsn><CtryOfBrnch>IT</CtryOfBrnch><Othr><Id>IT1234567</Id><SchmeNm><Cd>CCPT</Cd></SchmeNm></Othr></Prsn></InvstmtDcsnPrsn>"
            .to_owned(),
    ] {
        assert!(record.contains(&part), "{part} in {record}");
    }
}

#[test]
fn a_mandate_of_the_firm_names_the_decision_maker_and_who_decided_in_the_firm() {
    let mandate = format!("{}customer,anna,decision_maker,{FIRM}\n", fields());
    let missing = gap(&[], &mandate);
    assert!(missing[0].finding.contains("the firm decided on it for account A: add account,A,investment_decision,VALUE"), "{missing:?}");
    let decided =
        format!("{mandate}account,A,investment_decision,algorithm:ROBO\nfirm,,internaliser,XSIF\n").replace("firm,,venue,XOFF\n", "");
    let record = records(&of(vec![with(&[])], &decided)).concat();
    assert!(record.contains(&format!("</AcctOwnr><DcsnMakr><LEI>{FIRM}</LEI></DcsnMakr></Sellr>")), "{record}");
    assert!(record.contains("<TradgCpcty>AOTC</TradgCpcty>") && record.contains("<TradVn>XSIF</TradVn>"), "{record}");
    assert!(record.contains("<InvstmtDcsnPrsn><Algo>ROBO</Algo></InvstmtDcsnPrsn>"), "{record}");
}

#[test]
fn a_transaction_that_lacks_something_is_left_out_and_named_with_what_to_add() {
    for (changes, severity, expected) in [
        (&[("instrument_isin", "")][..], "error", "the instrument ACME has no ISIN: add isin"),
        (&[("instrument_isin", "US0378331006")], "error", "the ISIN US0378331006 of ACME fails its check digit"),
        (&[("asset_class", "")], "error", "nothing is known of the instrument ACME"),
        (&[("asset_class", "bond")], "error", "ACME is of the class bond, which the message is not written for"),
        (&[("asset_class", "crypto")], "warning", "ACME is of the class crypto, which the message is not written for"),
        (&[("price_currency", "")], "error", "its price has no currency"),
        (&[("price_currency", "USDT")], "error", "\"USDT\" is no currency of three letters"),
        (&[("quantity", "1234567890.123456789")], "error", "the quantity 1234567890.123456789 has more than 18 digits"),
        (&[("price", "-1234567890.123456789")], "error", "the price -1234567890.123456789 has more than 18 digits"),
        (&[("buyer", "")], "error", "the account F of the buyer has no owner: add customer_id"),
        (&[("seller", "nobody")], "error", "the seller, customer nobody of account A, has no identification: add customer,nobody,lei,LEI"),
        (&[("seller", "stranger")], "warning", "the buyer and the seller are the same"),
        (&[("match_id", "aaaaaaaaaaaaaaaaaa-1")], "error", "has more than 52 letters and digits"),
    ] {
        let findings = gap(changes, &fields());
        let [finding] = &findings[..] else { panic!("{changes:?}: {findings:?}") };
        assert!(finding.check == "rts22" && finding.severity == severity && finding.finding.contains(expected), "{finding:?}");
    }
    for (line, expected) in [
        ("firm,,trading_capacity,AOTC\n", "both sides are clients of the firm: add firm,,trading_capacity,MTCH or AOTC"),
        ("firm,,short_selling,UNDI\n", "it is not known whether the sale of account A was short: add account,A,short_selling,VALUE"),
    ] {
        let findings = gap(&[], &fields().replace(line, ""));
        assert!(findings.len() == 1 && findings[0].key == "ACME-1" && findings[0].finding.contains(expected), "{findings:?}");
    }
    let all = gap(&[("instrument_isin", ""), ("buyer", ""), ("seller", "nobody")], &fields());
    assert_eq!(all.len(), 3, "all that is missing is named at once: {all:?}");
}

#[test]
fn eighteen_digits_fit_and_short_sales_are_of_shares_alone() {
    let record = records(&of(vec![with(&[("quantity", "123456789.123456789"), ("asset_class", "future")])], &fields())).concat();
    assert!(record.contains("<Unit>123456789.123456789</Unit>") && !record.contains("ShrtSellgInd"), "{record}");
}

#[test]
fn customers_whose_id_is_an_lei_need_no_line() {
    let record = records(&of(vec![with(&[("buyer", "506700GE1G29325QX363")])], &fields())).concat();
    assert!(
        record.contains("<Buyr><AcctOwnr><Id><LEI>506700GE1G29325QX363</LEI></Id><CtryOfBrnch>DE</CtryOfBrnch></AcctOwnr></Buyr>"),
        "{record}"
    );
}

#[test]
fn references_of_different_matches_stay_different() {
    for (id, expected) in [("ACME-1", "ACMEZ2D1"), ("A-11", "AZ2D11"), ("A1-1", "A1Z2D1"), ("AZN-1", "AZ5ANZ2D1"), ("é", "ZC3ZA9")] {
        assert_eq!(rts22::alphanumeric(id), expected);
    }
}

#[test]
fn an_amendment_cancels_what_was_otherwise_and_reports_it_anew() {
    let amended = |then: Vec<_>, now: Vec<_>| {
        let mut document = of(now, &fields());
        document.earlier = Some(Box::new(of(then, &fields())));
        document
    };
    let second = with(&[("match_id", "ACME-2")]);
    let cancelled = |reference: &str| {
        format!("<Tx><Cxl><TxId>{reference}</TxId><ExctgPty>{FIRM}</ExctgPty><SubmitgPty>506700GE1G29325QX363</SubmitgPty></Cxl></Tx>")
    };
    // The first one has another ISIN now; the second is as it was; the third is new.
    let corrected = with(&[("instrument_isin", "GB0002634946")]);
    let third = with(&[("match_id", "ACME-3")]);
    let document = amended(vec![with(&[]), second.clone()], vec![corrected, second.clone(), third]);
    let found = records(&document);
    assert_eq!(found.len(), 3, "{found:?}");
    assert_eq!(found[0], cancelled("ACMEZ2D1"));
    assert!(found[1].starts_with("<Tx><New><TxId>ACMEZ2D1<") && found[1].contains("GB0002634946"), "{found:?}");
    assert!(found[2].starts_with("<Tx><New><TxId>ACMEZ2D3<"), "{found:?}");
    // One that is gone is cancelled; one that cannot be replaced yet stays.
    assert_eq!(records(&amended(vec![with(&[]), second.clone()], vec![second.clone()])), [cancelled("ACMEZ2D1")]);
    let same = ReportFormat::Auth016.render(&amended(vec![with(&[])], vec![with(&[("instrument_isin", "")])])).expect_err("nothing");
    assert!(
        with_causes(&same).contains("no transaction that can be reported is another one than at the earlier commit"),
        "{}",
        with_causes(&same)
    );
}

#[test]
fn a_message_needs_the_fields_of_a_reference_file_and_a_transaction() {
    let mut bare = document();
    bare.sections.retain(|section| section.name != "fields");
    for (document, expected) in
        [(bare, "give a file with the header kind,id,field,value (--reference)"), (of(Vec::new(), &fields()), "there is none")]
    {
        let error = with_causes(&ReportFormat::Auth016.render(&document).expect_err(expected));
        assert!(error.contains("the report executions-rts22 cannot be written as auth.016") && error.contains(expected), "{error}");
    }
}

#[test]
fn only_those_who_traded_are_in_the_section_of_fields() {
    let document = document();
    let section = document.sections.iter().find(|section| section.name == "fields").unwrap();
    let ids: BTreeSet<_> = section.rows.iter().map(|row| row[1].clone().unwrap_or_default()).collect();
    assert_eq!(ids.into_iter().collect::<Vec<_>>(), ["", "P1", "anna", "fund"]);
}
