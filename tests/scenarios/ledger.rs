//! Problems of people who keep ledgers: each story uses accounts of its own, with the right numbers, wherever the run is cut.

use std::ops::Range;
use std::path::Path;

use anyhow::Result;
use headwater_tests::pipeline::{PLAIN, Way, assert_invariants, assert_same, command_with, replay, rows, run, succeed, tables, write_log};

/// A transaction: id, account, type, amount, and more fields. Each is one second after the one before.
type Transaction<'a> = (&'a str, &'a str, &'a str, &'a str, &'a str);

const TRANSACTIONS: [Transaction<'_>; 40] = [
    // One id is one transaction, whatever its type.
    ("t1", "one-id", "payment", "15000", ""),
    ("t1", "one-id", "fee", "1.50", ""),
    // A void in another currency releases nothing.
    ("h1", "euros", "payment", "60", r#","phase":"pending""#),
    ("h1v", "euros", "payment", "60", r#","phase":"void","pending_id":"h1","currency":"EUR""#),
    // A capture posts to the counterparty of its hold, and has its type.
    ("h2", "payer", "transfer", "100", r#","phase":"pending","counterparty_account":"payee""#),
    ("h2x", "payer", "deposit", "60", r#","pending_id":"h2""#),
    ("h2c", "payer", "transfer", "100", r#","pending_id":"h2""#),
    // An account that is opened after its payment; its overdraft limit falls later.
    ("t2", "opened-later", "payment", "40", ""),
    ("t3", "overdraft", "payment", "40", ""),
    // A hold of zero is resolved once.
    ("h3", "zero", "payment", "0", r#","phase":"pending""#),
    ("h3v", "zero", "payment", "0", r#","phase":"void","pending_id":"h3""#),
    ("h3w", "zero", "payment", "0", r#","phase":"void","pending_id":"h3""#),
    // Sums are exact beyond the greatest amount.
    ("g1", "great", "deposit", "999999999999999999", ""),
    ("g2", "great", "deposit", "999999999999999999", ""),
    // Interest is charged to credit accounts.
    ("c1", "credit", "payment", "100", ""),
    ("c2", "credit", "interest", "2.50", ""),
    // A chargeback that is reversed leaves the payment to be refunded.
    ("p1", "charged-back", "payment", "40", ""),
    ("cb", "charged-back", "payment", "40", r#","reverses":"p1""#),
    ("won", "charged-back", "payment", "40", r#","reverses":"cb""#),
    ("rf", "charged-back", "payment", "40", r#","reverses":"p1""#),
    // A capture before its hold.
    ("h4c", "early", "payment", "45", r#","pending_id":"h4""#),
    ("h4", "early", "payment", "60", r#","phase":"pending""#),
    // The recipient returns a transfer.
    ("t4", "sender", "transfer", "50", r#","counterparty_account":"recipient""#),
    ("t4r", "recipient", "transfer", "20", r#","reverses":"t4""#),
    // Three purchases by hold and capture count as three.
    ("h5", "buyer", "payment", "10", r#","phase":"pending""#),
    ("h5c", "buyer", "payment", "10", r#","pending_id":"h5""#),
    ("h6", "buyer", "payment", "10", r#","phase":"pending""#),
    ("h6c", "buyer", "payment", "8", r#","pending_id":"h6""#),
    ("h7", "buyer", "payment", "10", r#","phase":"pending""#),
    ("h7c", "buyer", "payment", "10", r#","pending_id":"h7""#),
    // A refused transaction is not scored.
    ("p2", "refused", "payment", "10", ""),
    ("p2r", "refused", "payment", "11", r#","reverses":"p2""#),
    // A refund of a blocked payment withdraws its alert, and raises none.
    ("p3", "blocked", "payment", "20000", r#","lat":"51.5","lon":"0.1""#),
    ("p3r", "blocked", "payment", "20000", r#","reverses":"p3","lat":"51.5","lon":"0.1""#),
    // Digits and letters of currencies.
    ("y1", "yen", "deposit", "100", r#","currency":"JPY""#),
    ("y2", "yen", "deposit", "100.5", r#","currency":"JPY""#),
    ("y3", "yen", "deposit", "100", r#","currency":"usd""#),
    // An explicit default is the same content.
    ("d1", "default", "deposit", "5", ""),
    ("d1", "default", "deposit", "5", r#","phase":"posted","ts":"2026-01-05T14:30:37Z""#),
    // A repeated id a day and a half later, with another time.
    ("p2", "refused", "payment", "10", r#","ts":"2026-01-07T02:30:00Z""#),
];

/// Events of accounts: second, type, account, and more fields.
const ACCOUNTS: [(usize, &str, &str, &str); 6] = [
    (0, "opened", "credit", r#","customer_id":"c","account_type":"credit","currency":"USD""#),
    (0, "opened", "blocked", r#","customer_id":"c","account_type":"checking","currency":"USD""#),
    (0, "opened", "overdraft", r#","customer_id":"c","account_type":"checking","currency":"USD","overdraft_limit":1000"#),
    (20, "opened", "opened-later", r#","customer_id":"c","account_type":"checking","currency":"USD","overdraft_limit":1000"#),
    (21, "updated", "overdraft", r#","overdraft_limit":0"#),
    (22, "opened", "never-used", r#","customer_id":"c","account_type":"checking","currency":"USD""#),
];

/// Lives in New York: London is far away.
const CUSTOMERS: &str = "{\"customer_id\":\"c\",\"home_lat\":\"40.7\",\"home_lon\":\"-74\",\"timezone\":\"America/New_York\"}\n";

fn lines(transactions: &[Transaction<'_>], from: usize) -> String {
    let line = |(number, (id, account, kind, amount, more)): (usize, &Transaction<'_>)| {
        let currency = if more.contains("currency") { "" } else { r#","currency":"USD""# };
        let ts = if more.contains("\"ts\"") { String::new() } else { format!(r#","ts":"2026-01-05T14:30:{number:02}Z""#) };
        format!(
            "{{\"transaction_id\":\"{id}\",\"account_id\":\"{account}\",\"type\":\"{kind}\",\"amount\":\"{amount}\"{more}{currency}{ts}}}\n"
        )
    };
    (from..).zip(transactions).map(line).collect()
}

/// Writes the records of some seconds.
fn write(log: &Path, seconds: Range<usize>) -> Result<()> {
    let accounts = ACCOUNTS.iter().filter(|(second, ..)| seconds.contains(second)).map(|(second, kind, account, more)| {
        format!("{{\"type\":\"{kind}\",\"account_id\":\"{account}\"{more},\"ts\":\"2026-01-05T14:30:{second:02}Z\"}}\n")
    });
    write_log(log, "accounts", 0, &accounts.collect::<String>())?;
    write_log(log, "transactions", 0, &lines(TRANSACTIONS.get(seconds.clone()).unwrap_or_default(), seconds.start))
}

#[test]
fn what_people_who_keep_ledgers_run_into() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (log, data) = (folder.path().join("log"), folder.path().join("data"));
    let source = format!("log:{}", log.display());
    write_log(&log, "customers", 0, CUSTOMERS)?;
    write(&log, 0..TRANSACTIONS.len())?;
    run(&source, &data, PLAIN)?;
    assert_invariants(&data)?;
    let ask = |query: &str| rows(&data, query);
    let balances = [
        "blocked,USD,0,0,0",
        "buyer,USD,-28,0,-28",
        "charged-back,USD,0,0,0",
        "credit,USD,-102.5,0,-102.5",
        "default,USD,5,0,5",
        "early,USD,-45,0,-45",
        "euros,USD,0,60,-60",
        "great,USD,1999999999999999998,0,1999999999999999998",
        "never-used,USD,0,0,0",
        "one-id,USD,-15000,0,-15000",
        "opened-later,USD,-40,0,960",
        "overdraft,USD,-40,0,-40",
        "payee,USD,100,0,100",
        "payer,USD,-100,0,-100",
        "recipient,USD,30,0,30",
        "refused,USD,-10,0,-10",
        "sender,USD,-30,0,-30",
        "yen,JPY,100,0,100",
        "zero,USD,0,0,0",
    ];
    let query = "SELECT account_id, currency, posted, pending, available FROM balances WHERE account_id NOT LIKE 'external%' ORDER BY 1, 2";
    assert_eq!(ask(query)?, balances);

    // t1, h1v, h2x, h3w, p2r, y2, y3, and p2 once more.
    let refused = [
        "conflicting_duplicate",
        "inconsistent",
        "inconsistent",
        "refused",
        "refused",
        "inconsistent",
        "inconsistent",
        "conflicting_duplicate",
    ];
    assert_eq!(ask("SELECT code FROM dead_letters ORDER BY \"offset\"")?, refused);

    // Voids and refused transactions are not scored; captures and reversals score nothing.
    let scored = "SELECT subject_id, state, score FROM decisions WHERE account_id IN ('buyer', 'refused', 'blocked', 'euros') ORDER BY 1";
    let expected = [
        "h1,made,0.0",
        "h5,made,0.0",
        "h5c,made,0.0",
        "h6,made,0.0",
        "h6c,made,0.0",
        "h7,made,0.0",
        "h7c,made,0.0",
        "p2,made,0.0",
        "p3,withdrawn,80.0",
        "p3r,made,0.0",
    ];
    assert_eq!(ask(scored)?, expected);
    assert_eq!(ask("SELECT subject, state FROM alerts WHERE kind = 'fraud'")?, ["blocked,withdrawn"]);

    // Wherever it is cut, with one worker and with two.
    let expected = tables(&data)?;
    for (cut, workers) in (1..TRANSACTIONS.len()).step_by(6).zip([1, 2].into_iter().cycle()) {
        let (log, again) = (folder.path().join(format!("log-{cut}")), folder.path().join(format!("data-{cut}")));
        let source = format!("log:{}", log.display());
        write_log(&log, "customers", 0, CUSTOMERS)?;
        write(&log, 0..cut)?;
        run(&source, &again, Way { workers, ..PLAIN })?;
        write(&log, cut..TRANSACTIONS.len())?;
        run(&source, &again, Way { workers: 3 - workers, ..PLAIN })?;
        assert_same(&expected, &tables(&again)?, &format!("cut before transaction {cut}"));
        replay(&log, &folder.path().join(format!("replayed-{cut}")), &again)?;
    }
    Ok(())
}

const PACK: &str = "name = \"mine\"\nsubject = \"transaction\"\n[thresholds]\nreview = 1\nblock = 2\n[[feature]]\nname = \"n\"\naggregate = \"count\"\nwindow = \"1h\"\n[[rule]]\nname = \"many\"\nwhen = \"n > 3\"\npoints = 1\n";

#[test]
fn rules_that_change_are_named_and_those_that_lack_their_windows_are_refused() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (log, data) = (folder.path().join("log"), folder.path().join("data"));
    let source = format!("log:{}", log.display());
    let mut second = 0;
    // The pack is beside the configuration, which is beside the data.
    let mut run = |pack: &str| -> Result<(Option<i32>, String)> {
        second += 1;
        write_log(&log, "transactions", 0, &lines(&[(&format!("t{second}"), "a", "payment", "1", "")], second))?;
        std::fs::write(folder.path().join("rules.toml"), pack)?;
        let output = command_with(&source, &data, PLAIN, "[fraud]\npack = \"rules.toml\"\n", "200ms")?.output()?;
        Ok((output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned()))
    };
    let (code, said) = run(PACK)?;
    assert_eq!(code, Some(0), "{said}");
    run(PACK)?;
    for (pack, parts) in [
        (PACK.replace("\"mine\"", "\"theirs\""), ["pack mine renamed to theirs", "scored by mine"]),
        (PACK.replace("1h", "2h"), ["rule many changed", "windows reach back 2h"]),
        (PACK.replace("n > 3", "n > 3 and merchant == 'x'"), ["rule many changed", "the rules read merchant"]),
    ] {
        let (code, said) = run(&pack)?;
        assert_eq!(code, Some(1), "{said}");
        assert!(parts.iter().chain(&["headwater replay", "fraud.pack"]).all(|part| said.contains(part)), "{said}");
    }
    // A window over remembered events is recomputed: the first two decisions were made with the earlier rules.
    let (code, said) = run(&PACK.replace("1h", "30m").replace("n > 3", "n > 4"))?;
    assert!(code == Some(0) && said.contains("fraud.pack: rule many changed"), "{said}");
    assert_eq!(rows(&data, "SELECT subject_id FROM decisions WHERE score > 0 ORDER BY 1")?, ["t5", "t6"]);
    succeed(command_with(&source, &data, PLAIN, "[fraud]\npack = \"rules.toml\"\n", "200ms")?.output()?)
}
