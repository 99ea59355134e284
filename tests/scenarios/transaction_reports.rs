//! Reports of transactions as auth.016 messages: what another program reads in them is what SQL has, and what lacks something is named.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use headwater_connectors::testing::workspace;
use headwater_tests::maven::jars;
use headwater_tests::pipeline::{PLAIN, command_with, headwater, rows, succeed, write_log};
use serde_json::Value;

/// The messages of ISO 20022 as another program models them, and what that model is built on.
const MODEL: [&str; 2] = ["com.prowidesoftware:pw-iso20022:SRU2025-10.3.10", "com.prowidesoftware:pw-swift-core:SRU2025-10.3.14"];

/// A fund, a person and the firm trade; ACME has the ISIN of another share, and BETA has none.
const FIRST: [(&str, &str); 3] = [
    (
        "instruments",
        r#"{"symbol":"ACME","asset_class":"equity","currency":"USD","tick_size":"0.01","lot_size":"1","isin":"GB0002634946","ts":"2026-01-01T00:00:00Z"}
{"symbol":"BETA","asset_class":"equity","currency":"EUR","tick_size":"0.01","lot_size":"1","ts":"2026-01-01T00:00:00Z"}
"#,
    ),
    (
        "accounts",
        r#"{"type":"opened","account_id":"F","customer_id":"fund","account_type":"investment","currency":"USD","ts":"2026-01-04T10:00:00Z"}
{"type":"opened","account_id":"A","customer_id":"anna","account_type":"investment","currency":"USD","ts":"2026-01-04T10:00:00Z"}
{"type":"opened","account_id":"H","customer_id":"house","account_type":"investment","currency":"USD","ts":"2026-01-04T10:00:00Z"}
"#,
    ),
    (
        "orders",
        r#"{"type":"new","order_id":"o1","account_id":"A","symbol":"ACME","side":"sell","order_type":"limit","time_in_force":"gtc","quantity":"30","price":"25.2","ts":"2026-01-05T14:50:00Z"}
{"type":"new","order_id":"o2","account_id":"F","symbol":"ACME","side":"buy","order_type":"limit","time_in_force":"gtc","quantity":"30","price":"25.2","ts":"2026-01-05T14:51:00.123456789Z"}
{"type":"new","order_id":"o3","account_id":"F","symbol":"ACME","side":"buy","order_type":"limit","time_in_force":"gtc","quantity":"5","price":"25.3","ts":"2026-01-05T14:52:00Z"}
{"type":"new","order_id":"o4","account_id":"H","symbol":"ACME","side":"sell","order_type":"limit","time_in_force":"gtc","quantity":"5","price":"25.3","ts":"2026-01-05T14:53:00Z"}
{"type":"new","order_id":"o5","account_id":"A","symbol":"BETA","side":"sell","order_type":"limit","time_in_force":"gtc","quantity":"7","price":"10","ts":"2026-01-05T15:00:00Z"}
{"type":"new","order_id":"o6","account_id":"F","symbol":"BETA","side":"buy","order_type":"limit","time_in_force":"gtc","quantity":"7","price":"10","ts":"2026-01-05T15:01:00Z"}
"#,
    ),
];

/// The next day both instruments have their own ISINs.
const SECOND: &str = r#"{"symbol":"ACME","asset_class":"equity","currency":"USD","tick_size":"0.01","lot_size":"1","isin":"US0378331005","ts":"2026-01-06T08:00:00Z"}
{"symbol":"BETA","asset_class":"equity","currency":"EUR","tick_size":"0.01","lot_size":"1","isin":"AU0000XVGZA3","ts":"2026-01-06T08:00:00Z"}
"#;

/// Fields that the pipeline does not know. LEIs that nobody has begin with EXAMPLE; the other is that of the Global LEI Foundation.
const FIELDS: &str = "kind,id,field,value
firm,,lei,EXAMPLE0FIRM00000146
firm,,submitting_lei,506700GE1G29325QX363
firm,,investment_firm,true
firm,,country,DE
firm,,venue,XOFF
firm,,trading_capacity,AOTC
firm,,execution,algorithm:BOOK1
firm,,short_selling,UNDI
customer,fund,lei,EXAMPLE0CLIENT000211
customer,fund,branch_country,FR
customer,anna,first_name,Anna,Eva
customer,anna,surname,Müller
customer,anna,birth_date,1970-01-31
customer,anna,national_id,DE19700131ANNA#MUELL
customer,anna,id_type,CONCAT
customer,house,lei,EXAMPLE0FIRM00000146
account,A,short_selling,SELL
account,H,investment_decision,person:P1
person,P1,national_id,IT1234567
person,P1,id_type,CCPT
person,P1,branch_country,IT
";

/// What the other program reads of the two matches of ACME, with an ISIN.
fn acme(isin: &str) -> String {
    let head = "of EXAMPLE0FIRM00000146 true by 506700GE1G29325QX363\n buyer EXAMPLE0CLIENT000211@FR via null\n";
    let anna = "ANNA,EVA+MÜLLER+1970-01-31+DE19700131ANNA#MUELL/CONCAT@DE";
    format!(
        "new ACMEZ2D1 {head} seller {anna} via null\n passed on false\n 2026-01-05T14:51:00.123456Z AOTC 30 at 25.2 USD on XOFF in {isin}\n \
         decided by nobody, executed by BOOK1\n short SELL, financing false\nnew ACMEZ2D2 {head} seller EXAMPLE0FIRM00000146@null via null\n \
         passed on false\n 2026-01-05T14:53:00Z DEAL 5 at 25.3 USD on XOFF in {isin}\n decided by IT:IT1234567/CCPT, executed by BOOK1\n short \
         UNDI, financing false\n"
    )
}

/// And of the match of BETA.
const BETA: &str = "new BETAZ2D1 of EXAMPLE0FIRM00000146 true by 506700GE1G29325QX363\n buyer EXAMPLE0CLIENT000211@FR via null\n seller \
                    ANNA,EVA+MÜLLER+1970-01-31+DE19700131ANNA#MUELL/CONCAT@DE via null\n passed on false\n 2026-01-05T15:01:00Z AOTC 7 at 10 \
                    EUR on XOFF in AU0000XVGZA3\n decided by nobody, executed by BOOK1\n short SELL, financing false\n";

fn write_first(log: &Path) -> Result<()> {
    FIRST.iter().try_for_each(|(topic, records)| write_log(log, topic, 0, records))
}

/// A run that is one commit.
fn run(log: &Path, data: &Path, more: &str) -> Result<()> {
    succeed(command_with(&format!("log:{}", log.display()), data, PLAIN, more, "1h")?.output()?)
}

/// The report of 5 January with the fields.
fn made(data: &Path, fields: &Path, more: &[&str]) -> Result<String> {
    let (data, fields) = (data.display().to_string(), fields.display().to_string());
    let fixed = ["report", "executions-rts22", "--data", &data, "--date", "2026-01-05", "--reference", &fields];
    let output = headwater(&[&fixed, more].concat())?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}

/// What the other program prints of a message, or why it refuses it.
fn read(jars: &Path, folder: &Path, message: &str) -> Result<Result<String, String>> {
    let file = folder.join("message.xml");
    std::fs::write(&file, message)?;
    let program = workspace().join("tests/scenarios/transaction_reports.java");
    let mut java = Command::new("java");
    java.args(["-Dfile.encoding=UTF-8", "-Dstdout.encoding=UTF-8", "-cp"]).arg(format!("{}/*", jars.display())).arg(program).arg(&file);
    let output = java.output().context("java")?;
    let printed = String::from_utf8(output.stdout)?;
    Ok(if output.status.success() { Ok(printed) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) })
}

#[test]
fn a_report_as_auth_016_fits_the_model_of_another_program_and_has_the_values_of_sql() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (log, data, fields) = (folder.path().join("log"), folder.path().join("data"), folder.path().join("fields.csv"));
    std::fs::write(&fields, FIELDS)?;
    write_first(&log)?;
    run(&log, &data, "")?;
    let first = made(&data, &fields, &["--format", "auth.016"])?;
    ensure!(first == made(&data, &fields, &["--format", "auth.016"])?, "the same commit and arguments gave other bytes");
    // What lacks something is not in the message, and named in every format.
    assert!(!first.contains("BETA</TxId>") && !first.contains("BETAZ2D1"), "{first}");
    let left_out =
        "the transaction is left out of auth.016: the instrument BETA has no ISIN: add isin to its record in the topic instruments";
    assert!(first.contains(&format!("<finding severity=\"error\" check=\"rts22\" key=\"BETA-1\">{left_out}</finding>")), "{first}");
    assert!(made(&data, &fields, &["--format", "json"])?.contains(left_out));

    write_log(&log, "instruments", 0, SECOND)?;
    run(&log, &data, "")?;
    let second = made(&data, &fields, &["--format", "auth.016"])?;
    let amended = made(&data, &fields, &["--format", "auth.016", "--amends", "1"])?;
    assert_eq!(made(&data, &fields, &["--format", "auth.016", "--as-known-at", "1"])?, first, "as known then");

    let Some(jars) = jars(&MODEL, folder.path())? else { return Ok(()) };
    let read = |message: &str| read(&jars, folder.path(), message);
    let draft = |commit: u8| format!("draft executions-rts22 commit {commit}\n");
    assert_eq!(read(&first)?, Ok(format!("{}{}", acme("GB0002634946"), draft(1))));
    let (acme, cancelled) = (acme("US0378331005"), "of EXAMPLE0FIRM00000146 by 506700GE1G29325QX363\n");
    assert_eq!(read(&second)?, Ok(format!("{acme}{BETA}{}", draft(2))));
    let cancelled = format!("cancel ACMEZ2D1 {cancelled}cancel ACMEZ2D2 {cancelled}");
    assert_eq!(read(&amended)?, Ok(format!("{cancelled}{acme}{BETA}{}", draft(2))), "cancelled, and reported anew");

    // SQL has these values, too.
    let query = "SELECT match_id, ts, quantity, price FROM executions WHERE side = 'buy' ORDER BY ts";
    let expected =
        ["ACME-1,2026-01-05T14:51:00.123456789Z,30,25.2", "ACME-2,2026-01-05T14:53:00Z,5,25.3", "BETA-1,2026-01-05T15:01:00Z,7,10"];
    assert_eq!(rows(&data, query)?, expected);

    // And the other program does refuse what is wrong.
    for (part, wrong) in [
        ("<TrnsmssnInd>false</TrnsmssnInd>", ""),
        ("<Algo>BOOK1</Algo>", "<Algo>BOOK1</Algo><Clnt>NORE</Clnt>"),
        ("<TradgCpcty>AOTC", "<TradgCpcty>AGENT"),
        ("<Unit>30</Unit>", "<Unit>thirty</Unit>"),
    ] {
        assert!(first.contains(part) && read(&first.replacen(part, wrong, 1))?.is_err(), "{wrong} is accepted for {part}");
    }
    Ok(())
}

#[test]
fn a_calendar_makes_messages_and_its_manifest_has_what_was_left_out() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (log, data) = (folder.path().join("log"), folder.path().join("data"));
    std::fs::write(folder.path().join("fields.csv"), FIELDS)?;
    let calendar = "[reports]\nfolder = \"reports\"\nfrom = \"2026-01-05\"\n[[reports.calendar]]\nreport = \"executions-rts22\"\non = \"day\"\n\
                    formats = [\"json\", \"auth.016\"]\nreference = \"fields.csv\"\n";
    write_first(&log)?;
    // The end of the next day, on which nothing is traded.
    write_log(&log, "access", 0, "{\"actor\":\"eve\",\"action\":\"read\",\"outcome\":\"success\",\"ts\":\"2026-01-07T12:00:00Z\"}\n")?;
    run(&log, &data, calendar)?;
    let manifest = std::fs::read_to_string(data.join("reports/manifest.jsonl"))?;
    let lines: Vec<Value> = manifest.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    let line = |path: &str| lines.iter().find(|line| line["path"] == path).with_context(|| format!("{path} in {manifest}"));
    let made = line("2026-01-05/executions-rts22.auth.016.xml")?;
    assert!(made["format"] == "auth.016" && made["findings"]["error"] == 1 && made["missing"].is_null(), "{made}");
    let message = std::fs::read_to_string(data.join("reports/2026-01-05/executions-rts22.auth.016.xml"))?;
    let hash = made["sha256"].as_str().context("a hash")?;
    assert!(message.contains("status=\"draft\"") && message.contains(hash) && message.matches("<New>").count() == 2, "{message}");
    // A message needs a transaction; the other format says that there is none.
    let missing = line("2026-01-06/executions-rts22.auth.016.xml")?;
    let reason = missing["missing"].as_str().unwrap_or_default();
    assert!(missing["sha256"].is_null() && reason.contains("it needs a transaction, and there is none"), "{missing}");
    assert!(line("2026-01-06/executions-rts22.json")?["sha256"].is_string());
    // That is no failure: the command that makes everything once more succeeds.
    std::fs::remove_dir_all(data.join("reports"))?;
    let [data, config] = [data.display().to_string(), data.with_extension("toml").display().to_string()];
    let output = headwater(&["report", "--calendar", "--data", &data, "--config", &config])?;
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(printed.contains("made 2026-01-05/executions-rts22.auth.016.xml from commit 1\n"), "{printed}");
    assert!(printed.contains("none 2026-01-06/executions-rts22.auth.016.xml: ") && output.status.success(), "{printed}");
    Ok(())
}

#[test]
fn what_a_message_cannot_be_made_of_is_one_clear_sentence() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (log, data) = (folder.path().join("log"), folder.path().join("data"));
    write_first(&log)?;
    run(&log, &data, "")?;
    let file = |name: &str, text: &str| -> Result<String> {
        std::fs::write(folder.path().join(name), text)?;
        Ok(folder.path().join(name).display().to_string())
    };
    let fields = file("fields.csv", FIELDS)?;
    let wrong = file("wrong.csv", &FIELDS.replace("EXAMPLE0CLIENT000211", "EXAMPLE0CLIENT000212").replace("XOFF", "SINT"))?;
    let figures = file("figures.csv", "kind,id,currency,class,value\nrisk_weight,S,,,1\n")?;
    let data = data.display().to_string();
    for (report, format, reference, expected) in [
        ("executions-rts22", "auth.016", "", "give a file with the header kind,id,field,value (--reference)"),
        ("executions-rts22", "auth.016", &wrong, "\"EXAMPLE0CLIENT000212\" is no LEI"),
        ("executions-rts22", "json", &wrong, "line 6, column value: \"SINT\" is of publications of trades (RTS 1), not of RTS 22"),
        (
            "executions-rts22",
            "json",
            &figures,
            "takes a reference file with the header kind,id,field,value, and this one has kind,id,currency",
        ),
        ("capital", "json", &fields, "takes a reference file with the header kind,id,currency,class,value, and this one has kind,id,field"),
        ("daily-position", "auth.016", "", "it is for the report executions-rts22 alone"),
    ] {
        let mut arguments = vec!["report", report, "--data", &data, "--date", "2026-01-05", "--format", format];
        if !reference.is_empty() {
            arguments.extend(["--reference", reference]);
        }
        let output = headwater(&arguments)?;
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(1) && said.contains(expected), "{arguments:?}: {said}");
    }
    Ok(())
}
