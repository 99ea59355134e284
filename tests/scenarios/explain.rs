//! Questions of people who investigate alerts: `headwater explain` answers them, to the letter.

use std::path::Path;

use anyhow::{Context, Result};
use headwater_tests::pipeline::{PLAIN, headwater, replay, rows, run, write_log};

const CUSTOMER: &str = r#"{"customer_id":"c","home_lat":"51.5","home_lon":"-0.1","timezone":"Europe/London"}"#;

/// Transactions: id, account, amount, more fields, and the second.
const TRANSACTIONS: [(&str, &str, &str, &str, u32); 14] = [
    ("t1", "A", "10", "", 1),
    ("t2", "A", "10", "", 2),
    ("t3", "A", "10", "", 3),
    ("t4", "A", "10", "", 4),
    ("t5", "A", "10", "", 5),
    ("t6", "A", "25000", "", 6),
    ("m1", "M", "9000", CASH, 10),
    ("m2", "M", "9000", CASH, 11),
    ("m3", "M", "9000", CASH, 12),
    ("w1", "W", "9000", CASH, 13),
    ("w2", "W", "9000", CASH, 14),
    ("w3", "W", "9000", CASH, 15),
    ("r", "W", "9000", r#","reverses":"w1""#, 30),
    // Ten seconds late.
    ("m4", "M", "9000", CASH, 20),
];

const CASH: &str = r#","channel":"cash""#;

fn write(log: &Path) -> Result<()> {
    write_log(log, "customers", 0, &format!("{CUSTOMER}\n"))?;
    for account in ["A", "M", "W"] {
        let fixed = r#""customer_id":"c","account_type":"checking","currency":"USD","ts":"2026-01-05T14:30:00Z""#;
        write_log(log, "accounts", 0, &format!("{{\"type\":\"opened\",\"account_id\":\"{account}\",{fixed}}}\n"))?;
    }
    for (id, account, amount, more, second) in TRANSACTIONS {
        let fixed = format!(r#""transaction_id":"{id}","account_id":"{account}","type":"deposit","amount":"{amount}","currency":"USD""#);
        write_log(log, "transactions", 0, &format!("{{{fixed}{more},\"ts\":\"2026-01-05T14:30:{second:02}Z\"}}\n"))?;
    }
    Ok(())
}

/// What the command prints, without the numbers of commits, which depend on how fast the run was.
fn explained(data: &Path, id: &str) -> Result<String> {
    let output = headwater(&["explain", "--data", &data.display().to_string(), id])?;
    anyhow::ensure!(output.status.success(), "{id}: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout)?;
    let numbered = |line: &str| match line.split_once("commit ") {
        Some((before, after)) => format!("{before}commit{}", after.trim_start_matches(|digit: char| digit.is_ascii_digit())),
        None => line.to_owned(),
    };
    Ok(text.lines().map(|line| numbered(line) + "\n").collect())
}

const BLOCKED: &str = "\
decision banking:transaction:t6
  about       transaction t6 of account A, 2026-01-05T14:30:06Z
  verdict     block with score 70 (review from 40, block from 70)
  state       made
  alert       fraud:banking:transaction:t6, raised, severity high

  rule large_amount, 30 points
    condition   amount > 10000
    compared    amount=25000 > 10000
    cleared by  amount at most 10000
    events      t6

  rule velocity, 40 points
    condition   count_10m > 5
    compared    count_10m=6 > 5
    cleared by  count_10m at most 5
    events      t1, t2, t3, t4, t5, t6

  could not be decided
    impossible_travel: unknown location

  smallest change
    no block    without large_amount the score is 40: amount at most 10000
                without velocity the score is 30: count_10m at most 5
    no review   without velocity the score is 30: count_10m at most 5

  events
    t1           10 USD, account A, posted, 2026-01-05T14:30:01Z
    t2           10 USD, account A, posted, 2026-01-05T14:30:02Z
    t3           10 USD, account A, posted, 2026-01-05T14:30:03Z
    t4           10 USD, account A, posted, 2026-01-05T14:30:04Z
    t5           10 USD, account A, posted, 2026-01-05T14:30:05Z
    t6           25000 USD, account A, posted, 2026-01-05T14:30:06Z

  history
    commit: made, block with score 70
";

const RULE: &str = "  rule structuring of the pack aml
    condition   deposits_below_limit_7d >= 3 and direction == \"in\" and channel == \"cash\" and amount >= 8000 and amount <= 10000
    compared    deposits_below_limit_7d=COUNT >= 3
                direction=in == \"in\"
                channel=cash == \"cash\"
                amount=9000 >= 8000
                amount=9000 <= 10000
    cleared by  amount below 8000; or amount above 10000; or deposits_below_limit_7d at most 2; or direction other than \"in\"; or channel other than \"cash\"
";

const FIGURES: &str = "direction=in, channel=cash, amount=9000";

fn amended() -> String {
    let (rule, message) =
        (RULE.replace("COUNT", "4"), |count: u8| format!("structuring of account M: deposits_below_limit_7d={count}, {FIGURES}"));
    let (three, four) = (message(3), message(4));
    format!(
        "\
alert aml:structuring:M:m3
  about       aml of M, rule structuring
  state       amended, severity high, since 2026-01-05T14:30:30Z
  message     {four}

{rule}
  events
    m1           9000 USD, account M, posted, 2026-01-05T14:30:10Z
    m2           9000 USD, account M, posted, 2026-01-05T14:30:11Z
    m3           9000 USD, account M, posted, 2026-01-05T14:30:12Z
    m4           9000 USD, account M, posted, 2026-01-05T14:30:20Z

  history
    2026-01-05T14:30:12Z, commit: raised, high: {three}
    2026-01-05T14:30:30Z, commit: amended, high: {four}
"
    )
}

fn withdrawn() -> String {
    let rule = RULE.replace("COUNT", "3");
    let raised = format!("structuring of account W: deposits_below_limit_7d=3, {FIGURES}");
    let over = format!("{raised}: what it was about no longer counts");
    format!(
        "\
alert aml:structuring:W:w3
  about       aml of W, rule structuring
  state       withdrawn, severity high, since 2026-01-05T14:30:30Z
  message     {over}

{rule}
  events
    w1           9000 USD, account W, posted, 2026-01-05T14:30:13Z
    w2           9000 USD, account W, posted, 2026-01-05T14:30:14Z
    w3           9000 USD, account W, posted, 2026-01-05T14:30:15Z

  history
    2026-01-05T14:30:15Z, commit: raised, high: {raised}
    2026-01-05T14:30:30Z, commit: withdrawn, high: {over}, because transaction r reverses w1
"
    )
}

#[test]
fn decisions_and_alerts_are_explained() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (log, data) = (folder.path().join("log"), folder.path().join("data"));
    write(&log)?;
    run(&format!("log:{}", log.display()), &data, PLAIN)?;
    let again = folder.path().join("again");
    replay(&log, &again, &data)?;
    for data in [&data, &again] {
        assert_eq!(explained(data, "banking:transaction:t6")?, BLOCKED);
        assert_eq!(explained(data, "aml:structuring:M:m3")?, amended());
        assert_eq!(explained(data, "aml:structuring:W:w3")?, withdrawn());
        // An alert about a decision brings the decision; so does its subject.
        for id in ["fraud:banking:transaction:t6", "t6"] {
            let text = explained(data, id)?;
            let alert = text.strip_prefix(BLOCKED).with_context(|| format!("{id}: {text}"))?;
            assert!(alert.starts_with("\nalert ") && alert.contains("alert fraud:banking:transaction:t6\n"), "{id}: {alert}");
        }
    }

    let reasons = "SELECT kind, subject, rule, points, figures, array_to_string(events, ' ') FROM explanations \
                   WHERE id IN ('banking:transaction:t6', 'aml:structuring:W:w3') ORDER BY kind, rule";
    let over = format!("structuring of account W: deposits_below_limit_7d=3, {FIGURES}: what it was about no longer counts");
    let expected = [
        format!("aml,W,structuring,,\"{over}\",w3 w1 w2"),
        "decision,t6,impossible_travel,0.0,location=unknown,\"\"".to_owned(),
        "decision,t6,large_amount,30.0,amount=25000,t6".to_owned(),
        "decision,t6,velocity,40.0,count_10m=6,t1 t2 t3 t4 t5 t6".to_owned(),
    ];
    assert_eq!(rows(&data, reasons)?, expected);

    let output = headwater(&["explain", "--data", &data.display().to_string(), "nobody's"])?;
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    for part in ["the id \"nobody's\"", "of a decision", "of an alert", "FROM explanations"] {
        assert!(said.contains(part), "{said}");
    }
    Ok(())
}
