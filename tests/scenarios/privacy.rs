//! Personal data stays where it belongs: logs, summaries and errors have none of it.

use std::path::Path;

use anyhow::Result;
use headwater_tests::pipeline::{PLAIN, Way, assert_same, command, command_with, headwater, replay, rows, succeed, tables, write_log};

/// Values of personal fields that occur nowhere else.
const PLANTED: [&str; 9] =
    ["1984-03-71", "19840307", "48.13719", "11.57549", "phone-secret", "203.0.113.77", "Clinic", "therapy", "Freedonia"];

#[test]
fn neither_logs_nor_errors_have_values_of_personal_fields() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let log = folder.path().join("log");
    let source = format!("log:{}", log.display());
    let transaction = r#""account_id":"a","type":"payment","amount":"10","currency":"USD","ts":"2026-01-05T14:30:00Z""#;
    for (topic, records) in [
        (
            "customers",
            vec![
                r#"{"customer_id":"c1","birth_date":"1984-03-71"}"#.to_owned(),
                r#"{"customer_id":"c2","birth_date":19840307}"#.to_owned(),
                r#"{"customer_id":"c3","home_lat":"48.13719x"}"#.to_owned(),
                r#"{"customer_id":"c4","home_lon":"11.575491234567"}"#.to_owned(),
                r#"{"customer_id":"c5","home_lat":"48.13719","home_lon":"11.57549","country":"Freedonia"}"#.to_owned(),
            ],
        ),
        (
            "transactions",
            vec![
                format!(r#"{{"transaction_id":"t1",{transaction},"merchant":"Clinic","description":"therapy","device_id":"phone-secret"}}"#),
                // Another content of an id, and a field of another type.
                format!(r#"{{"transaction_id":"t1",{transaction},"merchant":"Clinic","description":"therapy","lat":"48.13719","lon":"1"}}"#),
                format!(r#"{{"transaction_id":"t2",{transaction},"merchant":["Clinic"],"description":"therapy"}}"#),
            ],
        ),
        (
            "access",
            vec![r#"{"actor":"a","action":"log_in","outcome":"no","ip":"203.0.113.77","device_id":"phone-secret","ts":"2026-01-05T14:30:00Z"}"#.to_owned()],
        ),
    ] {
        write_log(&log, topic, 0, &(records.join("\n") + "\n"))?;
    }
    let data = folder.path().join("data");
    let output = command(&source, &data, PLAIN)?.env("RUST_LOG", "debug").output()?;
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && said.contains("dead letters"), "{said}");
    let errors = rows(&data, "SELECT code, error FROM dead_letters ORDER BY topic, \"offset\"")?;
    assert_eq!(errors.len(), 7, "{errors:#?}");
    for planted in PLANTED {
        assert!(!said.contains(planted), "{planted} is in {said}");
        assert!(!errors.iter().any(|error| error.contains(planted)), "{planted} is in {errors:#?}");
    }
    // Who may read the records finds them in the dead letters.
    assert_eq!(rows(&data, "SELECT code FROM dead_letters WHERE text LIKE '%1984-03-71%'")?, ["bad_date"]);
    Ok(())
}

/// A rule whose alerts name the device.
const PACK: &str = r#"
name = "mine"
subject = "transaction"

[[rule]]
name = "known_phone"
when = 'device_id == "phone-secret"'
severity = "low"
"#;

/// A pack whose alerts are about devices.
const BY_DEVICE: &str = r#"
name = "mine"
subject = "access"

[[feature]]
name = "attempts"
key = ["device_id"]
aggregate = "count"
window = "1h"

[[rule]]
name = "many_attempts"
when = "attempts > 100"
severity = "low"
"#;

/// Two customers with the same device, and a record of the first that is rejected.
fn same_device(log: &Path) -> Result<()> {
    for (customer, account) in [("c1", "a"), ("c2", "b")] {
        write_log(log, "customers", 0, &format!("{{\"customer_id\":\"{customer}\"}}\n"))?;
        let opened = format!(r#"{{"type":"opened","account_id":"{account}","customer_id":"{customer}","currency":"USD""#);
        write_log(log, "accounts", 0, &format!("{opened},\"account_type\":\"checking\",\"ts\":\"2026-01-05T14:30:00Z\"}}\n"))?;
    }
    for (number, account, amount) in [(1, "a", "10"), (2, "b", "10"), (3, "a", "10"), (4, "a", "ten")] {
        let known =
            format!(r#"{{"transaction_id":"t{number}","account_id":"{account}","type":"deposit","amount":"{amount}","currency":"USD""#);
        let more = format!(r#","device_id":"phone-secret","ip":"203.0.113.77","ts":"2026-01-05T14:30:0{number}Z"}}"#);
        write_log(log, "transactions", 0, &format!("{known}{more}\n"))?;
    }
    Ok(())
}

/// The device that each alert names, by account, and the fields of the dead letter.
fn devices(data: &Path) -> Result<(Vec<String>, Vec<String>)> {
    let alerts = rows(data, "SELECT subject, message FROM alerts WHERE rule = 'known_phone' ORDER BY alert_id")?;
    Ok((alerts, rows(data, "SELECT code, text FROM dead_letters")?))
}

#[test]
fn tokens_stand_for_personal_values_until_their_customer_is_erased() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let path = |name: &str| folder.path().join(name);
    let (log, keys, pack) = (path("log"), path("keys.json"), path("mine.toml"));
    let source = format!("log:{}", log.display());
    same_device(&log)?;
    std::fs::write(&pack, PACK)?;
    succeed(headwater(&["keys", &keys.display().to_string()])?)?;
    let configured =
        format!("[rules]\npacks = [\"{}\"]\n[privacy]\ntokens = [\"device_id\", \"ip\"]\nkeys = \"{}\"\n", pack.display(), keys.display());
    let run = |name: &str, workers: u16| -> Result<_> {
        succeed(command_with(&source, &path(name), Way { workers, ..PLAIN }, &configured, "1ms")?.output()?)?;
        Ok(path(name))
    };

    let data = run("data", 1)?;
    let (alerts, letters) = devices(&data)?;
    let token = |row: &str| row.split_once("device_id=").map(|(_, token)| token.trim_end_matches('"').to_owned());
    let tokens: Vec<_> = alerts.iter().filter_map(|alert| token(alert)).collect();
    assert_eq!((alerts.len(), tokens.len(), letters.len()), (2, 2, 1), "{alerts:#?} {letters:#?}");
    let [of_a, of_b] = [&tokens[0], &tokens[1]];
    assert!(of_a.starts_with("tok_") && of_b.starts_with("tok_") && of_a != of_b, "another token for another account: {tokens:?}");
    let letter = letters.join("\n");
    assert!(letter.contains(of_a.as_str()) && letter.contains("ten"), "the same token for the same account and device: {letter}");
    assert!(!alerts.iter().chain(&letters).any(|row| row.contains("phone-secret") || row.contains("203.0.113.77")));
    assert_same(&tables(&data)?, &tables(&run("two", 2)?)?, "with two workers");
    replay(&log, &path("replayed"), &data)?;

    let config = data.with_extension("toml").display().to_string();
    let erase_customer = |customer: &str| -> Result<String> {
        let output = headwater(&["erase", customer, "--data", &data.display().to_string(), "--config", &config])?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        succeed(output)?;
        Ok(said)
    };
    // An id that was never seen is named, however often.
    for destroyed in ["destroyed the keys of customer nosuch\n", "were destroyed before\n"] {
        let said = erase_customer("nosuch")?;
        assert!(
            said.contains(destroyed) && said.contains("no account, payment or record of a customer nosuch is here: check the id"),
            "{said}"
        );
    }
    let erase = || erase_customer("c1");
    let said = erase()?;
    assert!(said.ends_with("destroyed the keys of customer c1, account a\n"), "{said}");
    let said = erase()?;
    assert!(said.contains("were destroyed before"), "{said}");
    let (alerts, letters) = devices(&run("erased", 1)?)?;
    let after: Vec<_> = alerts.iter().filter_map(|alert| token(alert)).collect();
    assert_eq!(after, ["erased", of_b], "only the tokens of the other customer can be made again");
    assert!(letters.join("").contains("erased"), "{letters:?}");

    std::fs::write(&pack, BY_DEVICE)?;
    let refused = run("refused", 1).map_err(|error| error.to_string());
    assert!(refused.as_ref().is_err_and(|said| said.contains("groups events by device_id")), "{refused:?}");
    Ok(())
}
