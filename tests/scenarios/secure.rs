//! A real Kafka with TLS and SASL: the whole pipeline through it, and the errors of a wrong password or certificate. Built with
//! the feature `tls`.

use std::path::Path;
use std::process::{Command, Output};

use anyhow::{Context, Result};
use headwater_connectors::testing::Broker;
use headwater_tests::pipeline::{assert_invariants, binary, rows, succeed};

const PASSWORD: &str = "HEADWATER_TEST_PASSWORD";

/// Runs a command of the binary with a configuration and a password.
fn secured(config: &Path, source: &str, password: &str, arguments: &[&str]) -> Result<Output> {
    let mut command = Command::new(binary()?);
    command.args(arguments.iter().take(1)).args(["--source", source]).arg("--config").arg(config).args(arguments.iter().skip(1));
    Ok(command.env(PASSWORD, password).output()?)
}

#[test]
fn the_pipeline_runs_through_tls_and_sasl_and_says_what_is_wrong() -> Result<()> {
    let Some(broker) = Broker::start_secure()? else { return Ok(()) };
    let (address, ca) = broker.secure().context("a secure address")?;
    let (source, folder) = (format!("kafka://{address}"), tempfile::tempdir()?);
    let configured = |name: &str, ca: Option<&Path>| -> Result<std::path::PathBuf> {
        let file = folder.path().join(name);
        let ca = ca.map_or(String::new(), |ca| format!(", \"ssl.ca.location\" = \"{}\"", ca.display()));
        let properties =
            format!("\"security.protocol\" = \"SASL_SSL\", \"sasl.mechanisms\" = \"SCRAM-SHA-512\", \"sasl.username\" = \"headwater\"{ca}");
        let kafka = format!("[kafka]\nproperties = {{ {properties} }}\nsecrets = {{ \"sasl.password\" = \"{PASSWORD}\" }}\n");
        std::fs::write(&file, format!("[http]\naddress = \"\"\n{kafka}"))?;
        Ok(file)
    };
    let trusted = configured("trusted.toml", Some(&ca))?;

    succeed(secured(&trusted, &source, "headwater", &["topics", "--partitions", "1"])?)?;
    let deposits = folder.path().join("deposits.jsonl");
    let record = r#"{"transaction_id":"t1","account_id":"a1","type":"deposit","amount":"5","currency":"USD","ts":"2026-01-05T10:00:00Z"}"#;
    std::fs::write(&deposits, format!("{record}\nno transaction\n"))?;
    succeed(secured(&trusted, &source, "headwater", &["publish", "transactions", &deposits.display().to_string()])?)?;
    let data = folder.path().join("data");
    succeed(secured(&trusted, &source, "headwater", &["run", "--until-end", "--data", &data.display().to_string()])?)?;
    assert_eq!(rows(&data, "SELECT posted FROM balances WHERE account_id = 'a1'")?, ["5"]);
    assert_invariants(&data)?;

    // Publishing in transactions used the same connection settings.
    let letters = rows(&data, "SELECT COUNT(*) FROM dead_letters")?;
    let published = secured(&trusted, &source, "headwater", &["topics"])?;
    let shown = String::from_utf8_lossy(&published.stdout).into_owned();
    assert!(letters == ["1"] && shown.contains("transactions"), "{letters:?} {shown}");

    for (name, config, password, expected) in [
        ("a wrong password", &trusted, "guessed", "check the user, the password and the certificates"),
        (
            "a certificate that nobody vouches for",
            &configured("untrusted.toml", None)?,
            "headwater",
            "check the user, the password and the certificates",
        ),
    ] {
        let output = secured(config, &source, password, &["topics"])?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(1) && said.contains(expected), "{name}: {said}");
        assert!(!said.contains("guessed"), "{name}: the password is told");
    }
    // A missing secret is reported before any connection.
    let mut command = Command::new(binary()?);
    let output = command.args(["topics", "--source", &source]).arg("--config").arg(&trusted).env_remove(PASSWORD).output()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains(PASSWORD), "{said}");
    Ok(())
}
