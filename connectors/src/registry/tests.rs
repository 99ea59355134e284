//! Tests of what each answer of a registry means, against a server that answers as it is told. Scenarios use a real registry.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use headwater_schemas::events::ErrorCode;

use super::*;

type TestResult = Result<(), Box<dyn std::error::Error>>;

const SCHEMA: &str = r#"{"schema": "{\"type\": \"record\", \"name\": \"R\", \"fields\": [{\"name\": \"x\", \"type\": \"int\"}]}"}"#;

/// A request: its first line, its authorization, and its body.
type Asked = (String, Option<String>, String);

/// Answers the next connections, one after the other, with a status and a body; hands out what was asked.
fn server(answers: &[(u16, &str)]) -> std::io::Result<(String, Receiver<Asked>)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("http://{}", listener.local_addr()?);
    let answers: Vec<_> = answers.iter().map(|(status, body)| (*status, (*body).to_owned())).collect();
    let (tell, told) = channel();
    std::thread::spawn(move || {
        for ((status, body), stream) in answers.into_iter().zip(listener.incoming()) {
            let asked = stream.and_then(|stream| answer(stream, status, &body));
            if asked.is_ok_and(|asked| tell.send(asked).is_err()) {
                break;
            }
        }
    });
    Ok((url, told))
}

fn answer(mut stream: TcpStream, status: u16, body: &str) -> std::io::Result<Asked> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let (mut first, mut authorization, mut length) = (String::new(), None, 0);
    reader.read_line(&mut first)?;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        match line.trim_end().split_once(": ") {
            Some((name, value)) if name.eq_ignore_ascii_case("authorization") => authorization = Some(value.to_owned()),
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => length = value.parse().unwrap_or(0),
            Some(_) => {}
            None => break,
        }
    }
    let mut sent = vec![0; length];
    reader.read_exact(&mut sent)?;
    write!(stream, "HTTP/1.1 {status} Status\r\nContent-Length: {}\r\n\r\n{body}", body.len())?;
    Ok((first.trim_end().to_owned(), authorization, String::from_utf8_lossy(&sent).into_owned()))
}

fn registry(url: &str) -> Result<(SchemaRegistry, Arc<RegistryCounters>), RegistryError> {
    let counters = Arc::<RegistryCounters>::default();
    let config = RegistryConfig { url: url.to_owned(), timeout_ms: 2_000, ..RegistryConfig::default() };
    Ok((SchemaRegistry::open(&config, Arc::clone(&counters))?, counters))
}

#[test]
fn what_the_registry_answers_is_kept_and_each_answer_has_its_meaning() -> TestResult {
    let wrong = [
        (404, r#"{"error_code": 40403, "message": "Schema not found"}"#, ErrorCode::UnknownSchema, "no schema of id 0"),
        (200, r#"{"schema": "{}", "schemaType": "PROTOBUF"}"#, ErrorCode::BadSchema, "id 1 is PROTOBUF"),
        (200, r#"{"schema": "{\"type\": \"pet\"}"}"#, ErrorCode::BadSchema, "names the type \"pet\""),
    ];
    let answers: Vec<_> = wrong.iter().map(|(status, body, ..)| (*status, *body)).chain([(200, SCHEMA)]).collect();
    let (url, asked) = server(&answers)?;
    let (registry, counters) = registry(&format!("{url}/apis/ccompat/v7/"))?;
    assert!(matches!(registry.find(0), Found::Pending), "nobody waits");
    for (id, (_, _, code, message)) in (0..).zip(wrong) {
        let Found::Unusable(bad) = registry.wait(id) else { panic!("{message}") };
        assert_eq!(bad.code, code);
        assert!(bad.message.contains(message) && bad.message.contains("send"), "{bad}");
    }
    for _ in 0..3 {
        assert!(matches!(registry.wait(3), Found::Known(_)));
    }
    assert!(matches!(registry.find(0), Found::Unusable(_)), "it is kept");
    let asked: Vec<_> = asked.try_iter().map(|(first, ..)| first).collect();
    assert_eq!(asked, [0, 1, 2, 3].map(|id| format!("GET /apis/ccompat/v7/schemas/ids/{id} HTTP/1.1")), "each id once");
    assert_eq!(counters.schemas.load(Ordering::Relaxed), 1);
    Ok(())
}

#[test]
fn a_registry_that_does_not_answer_is_asked_again_until_it_does() -> TestResult {
    let (url, _asked) = server(&[(503, "<html>down</html>"), (429, "{}"), (200, SCHEMA)])?;
    let (registry, counters) = registry(&url)?;
    assert!(matches!(registry.wait(1), Found::Known(_)));
    assert_eq!(counters.unanswered.load(Ordering::Relaxed), 2);
    assert!(!counters.is_awaited.load(Ordering::Relaxed));
    Ok(())
}

#[test]
fn a_refusal_is_no_records_fault_and_names_the_mend() -> TestResult {
    for (status, body, message) in [
        (401, "{}", "check registry.user"),
        (403, r#"{"error_code": 40301, "message": "no access"}"#, "\"no access\": ask the registry's administrator"),
        (404, "<html>not found</html>", "/schemas/ids/1 does not answer as a schema registry: check registry.url"),
        (404, r#"{"error_code": 404, "message": "HTTP 404 Not Found"}"#, "does not answer as a schema registry"),
        (200, "<html>log in</html>", "does not answer as a schema registry"),
        (301, "", "check registry.url"),
    ] {
        let (url, _asked) = server(&[(status, body)])?;
        let (registry, _) = registry(&url)?;
        let Found::Refused(why) = registry.wait(1) else { panic!("{status} is no refusal") };
        assert!(why.contains(message) && why.contains(&url), "{status}: {why}");
    }
    Ok(())
}

#[test]
fn schemas_that_a_schema_names_are_asked_for_too() -> TestResult {
    let refers = r#"{"schema": "{\"type\": \"record\", \"name\": \"R\", \"fields\": [{\"name\": \"x\", \"type\": \"bank.Side\"}]}",
        "references": [{"name": "bank.Side", "subject": "bank/side", "version": 3}]}"#;
    let side = r#"{"id": 9, "schema": "{\"type\": \"enum\", \"name\": \"bank.Side\", \"symbols\": [\"in\"]}"}"#;
    let (url, asked) = server(&[(200, refers), (200, side), (200, refers), (404, r#"{"error_code": 40402}"#)])?;
    let (registry, _) = registry(&url)?;
    let Found::Known(schema) = registry.wait(1) else { panic!("a schema") };
    let mut json = Vec::new();
    schema.to_json(1, &[0], &mut json)?;
    assert_eq!(json, br#"{"x":"in"}"#);
    assert!(matches!(registry.wait(2), Found::Unusable(bad) if bad.message.contains("bank.Side")), "a reference that is missing");
    let asked: Vec<_> = asked.try_iter().map(|(first, ..)| first).collect();
    assert_eq!(asked.get(1).map(String::as_str), Some("GET /subjects/bank%2Fside/versions/3 HTTP/1.1"));
    Ok(())
}

#[test]
fn a_schema_is_registered_and_a_refusal_is_quoted() -> TestResult {
    let conflict = r#"{"error_code": 409, "message": "b at /fields/0"}"#;
    let (url, asked) = server(&[(200, r#"{"id": 12}"#), (409, conflict), (500, ""), (200, r#"["AVRO"]"#)])?;
    let (registry, _) = registry(&url)?;
    assert_eq!(registry.register("executions-value", "{}")?, Registered { id: 12 });
    let refused = registry.register("executions-value", "{}").expect_err("a conflict");
    let text = refused.to_string();
    assert!(
        text.contains("/subjects/executions-value/versions: 409 Conflict, \"b at /fields/0\": the new schema is not compatible"),
        "{text}"
    );
    assert!(!refused.may_pass() && registry.register("x", "{}").is_err_and(|error| error.may_pass()));
    registry.check()?;
    let (first, _, body) = asked.recv_timeout(Duration::from_secs(5))?;
    assert_eq!((first.as_str(), body.as_str()), ("POST /subjects/executions-value/versions HTTP/1.1", r#"{"schema":"{}"}"#));
    Ok(())
}

#[test]
fn the_configuration_is_checked() {
    let problems = |config: RegistryConfig| config.validate();
    let of = |url: &str| RegistryConfig { url: url.to_owned(), ..RegistryConfig::default() };
    for url in ["http://127.0.0.1:8081", "https://registry.example", "http://[::1]:8081/apis/ccompat/v7/"] {
        assert_eq!(problems(of(url)), [] as [String; 0], "{url}");
    }
    for url in ["127.0.0.1:8081", "ftp://x", "http://user:secret@host", "http://host?x=1", "http://"] {
        assert!(problems(of(url)).iter().any(|problem| problem.starts_with("url is ")), "{url}");
    }
    let alone = RegistryConfig { user: Some("me".to_owned()), ..RegistryConfig::default() };
    assert!(problems(alone).iter().any(|problem| problem.contains("belong together")));
    let unset = RegistryConfig {
        user: Some("me".to_owned()),
        password_variable: Some("HEADWATER_NOT_SET".to_owned()),
        timeout_ms: 1,
        ..RegistryConfig::default()
    };
    let problems = problems(unset);
    assert!(problems.iter().any(|problem| problem.contains("HEADWATER_NOT_SET")), "{problems:?}");
    assert!(problems.iter().any(|problem| problem.contains("timeout_ms is 1")), "{problems:?}");
}

#[test]
fn a_password_is_sent_as_basic_authentication() -> TestResult {
    // Any variable that is surely set.
    let variable = ["PATH", "HOME"].into_iter().find(|name| std::env::var(name).is_ok()).ok_or("no variable is set")?;
    let (url, asked) = server(&[(200, SCHEMA)])?;
    let config = RegistryConfig { url, user: Some("me".into()), password_variable: Some(variable.into()), ..RegistryConfig::default() };
    let registry = SchemaRegistry::open(&config, Arc::default())?;
    assert!(matches!(registry.wait(1), Found::Known(_)));
    let (_, authorization, _) = asked.recv_timeout(Duration::from_secs(5))?;
    use base64::Engine;
    let expected = base64::prelude::BASE64_STANDARD.encode(format!("me:{}", std::env::var(variable)?));
    assert_eq!(authorization, Some(format!("Basic {expected}")));
    Ok(())
}
