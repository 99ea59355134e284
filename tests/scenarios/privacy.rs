//! Personal data stays where it belongs: logs, summaries and errors have none of it.

use anyhow::Result;
use headwater_tests::pipeline::{PLAIN, command, rows, write_log};

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
