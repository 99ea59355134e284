//! Tests of reading and writing Avro: each type, each wrong record, and the same events as JSON and as Avro that another library wrote.

use std::io::Write as _;
use std::process::{Command, Stdio};

use arrow::array::RecordBatch;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::Topic;
use crate::events::Event;
use crate::events::sample::{self, Chance};
use crate::tables::{Alert, Declaration, TableRow, declarations};
use crate::value::{Date, Decimal, EventTime, Id};

type TestResult = Result<(), Box<dyn std::error::Error>>;

/// The JSON of a record whose only field, `x`, is of a type.
fn read(of: &Value, record: &[u8]) -> Result<String, BadRecord> {
    let text = json!({ "type": "record", "name": "R", "fields": [{ "name": "x", "type": of }] }).to_string();
    let mut json = Vec::new();
    Schema::parse(&text, &[]).expect("a valid schema").to_json(5, record, &mut json)?;
    Ok(String::from_utf8(json).expect("JSON is UTF-8"))
}

#[test]
fn every_type_is_the_json_that_a_producer_would_have_sent() {
    let decimal = |scale: u32| json!({ "type": "bytes", "logicalType": "decimal", "precision": 40, "scale": scale });
    let long = |logical: &str| json!({ "type": "long", "logicalType": logical });
    let cases: &[(&str, Value, &[u8], &str)] = &[
        ("null", json!("null"), &[], "null"),
        ("true", json!("boolean"), &[1], "true"),
        ("an int below zero", json!("int"), &[1], "-1"),
        ("the greatest long", json!("long"), &[0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1], "9223372036854775807"),
        ("a float", json!("float"), &0.1_f32.to_le_bytes(), "0.1"),
        ("a double", json!("double"), &123.45_f64.to_le_bytes(), "123.45"),
        ("a double that nobody wrote", json!("double"), &(0.1_f64 + 0.2).to_le_bytes(), "0.30000000000000004"),
        ("no number", json!("double"), &f64::NAN.to_le_bytes(), "\"NaN\""),
        ("infinite", json!("float"), &f32::NEG_INFINITY.to_le_bytes(), "\"-inf\""),
        ("text with escapes", json!("string"), &[8, b'"', b'\n', 0xc3, 0xa9], "\"\\\"\\né\""),
        ("bytes", json!("bytes"), &[4, 0, 255], "[0,255]"),
        ("fixed", json!({ "type": "fixed", "name": "F", "size": 2 }), &[7, 8], "[7,8]"),
        ("an enum", json!({ "type": "enum", "name": "E", "symbols": ["buy", "sell"] }), &[2], "\"sell\""),
        ("an array in two blocks", json!({ "type": "array", "items": "int" }), &[2, 2, 3, 4, 4, 6, 0], "[1,2,3]"),
        ("an empty map", json!({ "type": "map", "values": "int" }), &[0], "{}"),
        ("a map", json!({ "type": "map", "values": "int" }), &[2, 2, b'k', 2, 0], "{\"k\":1}"),
        ("null of a union", json!(["null", "string"]), &[0], "null"),
        ("text of a union", json!(["null", "string"]), &[2, 2, b'a'], "\"a\""),
        ("a decimal", decimal(2), &[4, 0x30, 0x39], "\"123.45\""),
        ("a decimal below zero", decimal(4), &[2, 0xff], "\"-0.0001\""),
        ("a decimal with zeros", decimal(18), &[16, 0x14, 0xd1, 0x12, 0x0d, 0x7b, 0x16, 0, 0], "\"1.5\""),
        ("no bytes of a decimal", decimal(2), &[0], "\"0\""),
        ("a decimal with leading zeros", decimal(0), &[36, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0], "\"256\""),
        ("a decimal that nothing holds", decimal(0), &[34, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], "\"a decimal of 17 bytes\""),
        (
            "a decimal of fixed bytes",
            json!({ "type": "fixed", "name": "D", "size": 3, "logicalType": "decimal", "precision": 5, "scale": 1 }),
            &[0xff, 0xff, 0xf5],
            "\"-1.1\"",
        ),
        (
            "a decimal with more fraction than digits is bytes",
            json!({ "type": "bytes", "logicalType": "decimal", "precision": 1, "scale": 2 }),
            &[2, 5],
            "[5]",
        ),
        ("a date", json!({ "type": "int", "logicalType": "date" }), &[1], "\"1969-12-31\""),
        ("milliseconds", long("timestamp-millis"), &[0xd0, 0x0f], "\"1970-01-01T00:00:01Z\""),
        ("microseconds", long("timestamp-micros"), &[1], "\"1969-12-31T23:59:59.999999Z\""),
        ("nanoseconds", long("timestamp-nanos"), &[2], "\"1970-01-01T00:00:00.000000001Z\""),
        ("a local time", long("local-timestamp-millis"), &[0], "\"1970-01-01T00:00:00\""),
        (
            "a time beyond all times",
            long("timestamp-millis"),
            &[0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1],
            "\"9223372036854775807 × 1000000 ns\"",
        ),
        ("a logical type that is not known", long("moon-phase"), &[2], "1"),
        (
            "a UUID of 16 bytes",
            json!({ "type": "fixed", "name": "U", "size": 16, "logicalType": "uuid" }),
            &[0x55, 0x0e, 0x84, 0, 0xe2, 0x9b, 0x41, 0xd4, 0xa7, 0x16, 0x44, 0x66, 0x55, 0x44, 0, 0],
            "\"550e8400-e29b-41d4-a716-446655440000\"",
        ),
        ("a UUID as text", json!({ "type": "string", "logicalType": "uuid" }), &[2, b'u'], "\"u\""),
        ("a record", json!({ "type": "record", "name": "S", "fields": [{ "name": "y", "type": "int" }] }), &[2], "{\"y\":1}"),
        ("a record that may hold itself", json!(["null", { "type": "array", "items": "R" }]), &[2, 2, 0, 0], "[{\"x\":null}]"),
    ];
    for (case, of, record, expected) in cases {
        assert_eq!(read(of, record), Ok(format!("{{\"x\":{expected}}}")), "{case}");
    }
}

#[test]
fn every_damaged_record_has_its_code_its_field_and_its_mend() {
    let list = json!(["null", { "type": "array", "items": "R" }]);
    let nested = [2, 2].repeat(70);
    let cases: &[(&str, Value, &[u8], ErrorCode, &str)] = &[
        ("cut off", json!("string"), &[10, b'a'], ErrorCode::BadAvro, "x: the Avro record ends too early"),
        ("empty", json!("long"), &[], ErrorCode::BadAvro, "x: the Avro record ends too early (at byte 0"),
        ("trailing bytes", json!("int"), &[2, 0, 0], ErrorCode::BadAvro, "2 bytes follow the Avro record, which ends after 1 bytes"),
        ("a length below zero", json!("bytes"), &[3], ErrorCode::BadAvro, "x: a length is -2"),
        ("a number without end", json!("long"), &[0xff; 11], ErrorCode::BadAvro, "more than 10 bytes"),
        ("no such branch", json!(["null", "int"]), &[4], ErrorCode::BadAvro, "a union of 2 types has no branch 2"),
        ("no such symbol", json!({ "type": "enum", "name": "E", "symbols": ["a"] }), &[1], ErrorCode::BadAvro, "no symbol -1"),
        ("half a truth", json!("boolean"), &[2], ErrorCode::BadAvro, "a boolean is 2"),
        ("not UTF-8", json!("string"), &[2, 0xff], ErrorCode::NotUtf8, "x: a string is not UTF-8"),
        ("too deep", list, &nested, ErrorCode::BadAvro, "nested in more than 64 levels"),
        (
            "endless nothing",
            json!({ "type": "array", "items": "null" }),
            &[0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1],
            ErrorCode::TooLarge,
            "more than 1048576 bytes as JSON",
        ),
    ];
    for (case, of, record, code, message) in cases {
        let bad = read(of, record).expect_err(case);
        assert_eq!(bad.code, *code, "{case}: {bad}");
        let mend = if *code == ErrorCode::NotUtf8 { "encode it" } else { "send" };
        assert!(bad.message.contains(mend), "{case}: {bad}");
        assert!(bad.message.contains(message) && bad.message.contains("id 5"), "{case}: {bad}");
    }
    for (case, value, message) in [
        ("JSON", &b"{\"a\":1}"[..], "begins with 0x7b, as JSON does"),
        ("an Avro file", b"Obj\x01", "begins with 0x4f"),
        ("cut off", &[0, 0, 0], "has 3 bytes"),
        ("empty", &[], "is empty"),
    ] {
        let bad = framed(value).expect_err(case);
        assert_eq!(bad.code, ErrorCode::NotFramed, "{case}");
        assert!(bad.message.contains(message) && bad.message.contains("source.avro"), "{case}: {bad}");
    }
}

#[test]
fn a_field_of_a_type_that_it_cannot_have_is_named_with_the_schema() {
    for (field, of, value, code, message) in [
        ("subject_id", json!("bytes"), vec![2, 7], ErrorCode::WrongType, "subject_id: an array is not"),
        ("subject_id", json!("long"), vec![2], ErrorCode::WrongType, "subject_id: integer 1 is not"),
        ("subject_id", json!(["null", "string"]), vec![0], ErrorCode::WrongType, "subject_id: null is not"),
        ("ts", json!("double"), 1.5_f64.to_le_bytes().to_vec(), ErrorCode::WrongType, "ts: fractional number"),
        ("ts", json!({ "type": "int", "logicalType": "date" }), vec![2], ErrorCode::BadTime, "ts: \"1970-01-02\" is not a time"),
        ("ts", json!({ "type": "long", "logicalType": "local-timestamp-millis" }), vec![2], ErrorCode::BadTime, "with an offset"),
    ] {
        let string = |text: &str| [&[u8::try_from(2 * text.len()).expect("a short text")], text.as_bytes()].concat();
        let others =
            [("subject_id", json!("string"), string("t1")), ("label", json!("string"), string("fraud")), ("ts", json!("long"), vec![0])];
        let fields =
            others.map(|(name, usual, bytes)| if name == field { (name, of.clone(), value.clone()) } else { (name, usual, bytes) });
        let schema =
            json!({ "type": "record", "name": "Label", "fields": fields.clone().map(|(name, of, _)| json!({ "name": name, "type": of })) });
        let mut json = Vec::new();
        let record = fields.map(|(_, _, bytes)| bytes).concat();
        Schema::parse(&schema.to_string(), &[]).expect("a schema").to_json(9, &record, &mut json).expect("valid Avro");
        let bad = Event::decode(Topic::Labels, None, Some(&json)).map_err(|bad| bad.of_avro(9)).expect_err(field);
        assert_eq!(bad.code, code, "{bad}");
        assert!(bad.message.contains(message) && bad.message.ends_with("(Avro with the schema of id 9)"), "{bad}");
    }
}

#[test]
fn types_are_found_by_their_full_names() -> TestResult {
    let side = r#"{"type": "enum", "name": "bank.Side", "symbols": ["in", "out"]}"#.to_owned();
    for (case, text, references, record, expected) in [
        (
            "of another schema",
            r#"{"type": "record", "name": "R", "fields": [{"name": "x", "type": "bank.Side"}]}"#,
            vec![side.clone()],
            &[2][..],
            r#"{"x":"out"}"#,
        ),
        (
            "of the namespace of the record",
            r#"{"type": "record", "name": "R", "namespace": "bank", "fields": [{"name": "x", "type": "Side"}]}"#,
            vec![side],
            &[0],
            r#"{"x":"in"}"#,
        ),
        (
            "of an outer namespace",
            r#"{"type": "record", "name": "a.R", "fields": [{"name": "x", "type": {"type": "fixed", "name": "F", "size": 1}},
                {"name": "y", "type": "a.F"}, {"name": "z", "type": {"type": "F"}}]}"#,
            vec![],
            &[1, 2, 3],
            r#"{"x":[1],"y":[2],"z":[3]}"#,
        ),
    ] {
        let mut json = Vec::new();
        Schema::parse(text, &references)?.to_json(1, record, &mut json)?;
        assert_eq!(String::from_utf8(json)?, expected, "{case}");
    }
    Ok(())
}

#[test]
fn a_schema_that_cannot_be_used_says_why() {
    for (text, message) in [
        ("{", "not JSON"),
        ("\"order\"", "names the type \"order\""),
        ("7", "names the type \"7\""),
        (r#"{"fields": []}"#, "object has no valid \"type\""),
        (r#"{"type": "record", "name": "R"}"#, "record has no valid \"fields\""),
        (r#"{"type": "record", "fields": []}"#, "named type has no valid \"name\""),
        (r#"{"type": "record", "name": "R", "fields": [{"name": "x"}]}"#, "field has no valid \"type\""),
        (r#"{"type": "enum", "name": "E", "symbols": [1]}"#, "enum has no valid \"symbols\""),
        (r#"{"type": "fixed", "name": "F", "size": -1}"#, "fixed has no valid \"size\""),
        (r#"[{"type": "fixed", "name": "F", "size": 1}, {"type": "fixed", "name": "F", "size": 1}]"#, "defines the type \"F\" twice"),
    ] {
        let error = Schema::parse(text, &[]).expect_err(text);
        assert!(error.to_string().contains(message), "{text}: {error}");
    }
}

/// A way to write a JSON value as Avro: the type, and the value as the script takes it. Where several are possible, chance decides.
fn as_avro(name: &str, value: &Value, chance: &mut Chance) -> (Value, Value) {
    let text = match value {
        Value::Bool(_) => return (json!("boolean"), value.clone()),
        Value::Number(_) => return (json!("long"), value.clone()),
        Value::String(text) => text,
        other => panic!("no event has {other}"),
    };
    let mut ways = vec![(json!("string"), json!(text))];
    if text.parse::<Decimal>().is_ok_and(|number| number.to_string() == *text) {
        let scale = 9 + chance.below(4);
        let of_fixed = json!({ "type": "fixed", "name": format!("{name}_decimal"), "size": 16, "logicalType": "decimal", "precision": 38, "scale": scale });
        let of_bytes = json!({ "type": "bytes", "logicalType": "decimal", "precision": 38, "scale": scale });
        ways.extend([of_bytes, of_fixed].map(|of| (of, json!({ "decimal": text }))));
    }
    if let Some(time) = text.parse::<EventTime>().ok().filter(|time| time.to_string() == *text) {
        let units = [("timestamp-nanos", 1), ("timestamp-micros", 1_000), ("timestamp-millis", 1_000_000)];
        let whole = units.into_iter().filter(|(_, nanos)| time.nanos() % nanos == 0);
        ways.extend(whole.map(|(logical, nanos)| (json!({ "type": "long", "logicalType": logical }), json!(time.nanos() / nanos))));
    }
    if text.parse::<Date>().is_ok_and(|date| date.to_string() == *text) {
        ways.push((json!({ "type": "int", "logicalType": "date" }), json!({ "date": text })));
    }
    let is_name = text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    if is_name && !text.is_empty() && text != "other" {
        ways.push((json!({ "type": "enum", "name": format!("{name}_enum"), "symbols": ["other", text] }), json!(text)));
    }
    let (of, value) = ways.swap_remove(chance.below(ways.len()));
    let of = match chance.below(3) {
        0 => of,
        1 => json!(["null", of]),
        _ => json!([of, "null"]),
    };
    (of, value)
}

/// An event as a schema and a record for the script.
fn described(event: &Event, chance: &mut Chance) -> Value {
    let json: serde_json::Map<String, Value> = serde_json::from_slice(&event.encode().expect("an event has a value")).expect("JSON");
    let (mut fields, mut record) = (Vec::new(), serde_json::Map::new());
    for (name, value) in &json {
        let (of, value) = as_avro(name, value, chance);
        fields.push(json!({ "name": name, "type": of }));
        record.insert(name.clone(), value);
    }
    // What the pipeline does not know, and what is missing.
    fields.push(json!({ "name": "trace", "type": { "type": "map", "values": ["null", "double"] } }));
    record.insert("trace".to_owned(), json!({ "a": 0.5, "b": null }));
    fields.push(json!({ "name": "missing", "type": ["null", "string"], "default": null }));
    record.insert("missing".to_owned(), Value::Null);
    json!({ "schema": { "type": "record", "name": "Event", "namespace": "bank", "fields": fields }, "record": record })
}

/// What the library `fastavro` makes of objects, one a line. `None`, with a sentence on standard error, where there is no Python that has
/// it.
fn by_fastavro(action: &str, lines: &[Value]) -> Option<Vec<String>> {
    // Where the tests run, not where they were built: clones share artifacts.
    let package = std::env::var("CARGO_MANIFEST_DIR").expect("run by cargo");
    let file = |path: &str| format!("{package}/{path}");
    let found = Command::new(file("../scripts/python")).arg("fastavro==1.13.1").output().expect("scripts/python runs");
    if !found.status.success() {
        eprintln!("skipped, because there is no fastavro: {}", String::from_utf8_lossy(&found.stderr).trim());
        return None;
    }
    let python = String::from_utf8(found.stdout).expect("a path");
    let mut script = Command::new(python.trim());
    script.arg(file("src/avro/tests/fastavro_lines.py")).arg(action).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut script = script.spawn().expect("Python runs");
    let mut input = script.stdin.take().expect("its input");
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let writer = std::thread::spawn(move || input.write_all(text.as_bytes()));
    let output = script.wait_with_output().expect("its output");
    assert!(output.status.success() && writer.join().expect("no panic").is_ok(), "{action}");
    let printed: Vec<_> = String::from_utf8(output.stdout).expect("UTF-8").lines().map(str::to_owned).collect();
    assert_eq!(printed.len(), lines.len());
    Some(printed)
}

fn from_hex(text: &str) -> Vec<u8> {
    text.as_bytes().chunks(2).map(|digits| u8::from_str_radix(str::from_utf8(digits).expect("ASCII"), 16).expect("hexadecimal")).collect()
}

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn any_event_that_fastavro_wrote_is_the_event_and_damaged_it_is_read_or_refused() -> TestResult {
    let events: Vec<_> =
        (0..2_000).map(|seed| sample::event(Topic::ALL[usize::try_from(seed).expect("small") % Topic::COUNT], seed)).collect();
    let lines: Vec<_> = (0..).zip(&events).map(|(seed, event)| described(event, &mut Chance::new(!seed))).collect();
    let Some(written) = by_fastavro("write", &lines) else { return Ok(()) };
    let mut json = Vec::new();
    for (seed, ((event, line), record)) in (0..).zip(events.iter().zip(&lines).zip(&written)) {
        let (schema, mut record) = (Schema::parse(&line["schema"].to_string(), &[])?, from_hex(record));
        schema.to_json(1, &record, &mut json)?;
        let read = Event::decode(event.topic(), Some(event.key().as_bytes()), Some(&json)).map_err(|bad| format!("{line}: {bad}"))?;
        assert_eq!((&read, read.body_digest()), (event, event.body_digest()), "{line}");

        let mut chance = Chance::new(seed);
        let cut = chance.below(record.len());
        assert!(schema.to_json(1, &record[..cut], &mut json).is_err(), "cut off after {cut} bytes: {line}");
        for _ in 0..20 {
            let at = chance.below(record.len());
            record[at] = u8::try_from(chance.below(256))?;
            if schema.to_json(1, &record, &mut json).is_ok() {
                assert!(serde_json::from_slice::<Value>(&json).is_ok(), "what is read is JSON");
                let _ = Event::decode(event.topic(), None, Some(&json));
            }
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn arbitrary_schemas_and_records_never_panic(text in "[\\[\\]{}:,\"a-z.]{0,60}", record in prop::collection::vec(any::<u8>(), 0..40)) {
        if let Ok(schema) = Schema::parse(&text, &[]) {
            let _ = schema.to_json(1, &record, &mut Vec::new());
        }
        let _ = framed(&record);
    }

    #[test]
    fn arbitrary_bytes_of_any_type_never_panic(record in prop::collection::vec(any::<u8>(), 0..60)) {
        let decimal = json!({ "type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 3 });
        let time = json!({ "type": "long", "logicalType": "timestamp-micros" });
        for of in [json!("string"), decimal, time, json!({ "type": "map", "values": ["null", "R", "double", "boolean"] })] {
            let _ = read(&of, &record);
        }
    }
}

#[test]
fn rows_of_every_published_table_have_a_schema_with_words_and_are_read_back_by_fastavro() -> TestResult {
    use crate::tables::{AlertKind, AlertState, DeadLetter, Decision, DecisionState, Reason, Severity, SubjectType, Verdict};
    use crate::value::Statistic;
    let published: Vec<_> = declarations().into_iter().filter(|declaration| declaration.spec.topic().is_some()).collect();
    assert!(published.len() >= 6, "{}", published.len());
    for declaration in published {
        let topic = declaration.spec.topic().unwrap_or_default();
        let schema: Value = serde_json::from_str(&TableSchema::of(topic, &declaration)?.text())?;
        assert!(Schema::parse(&schema.to_string(), &[]).is_ok());
        let fields = schema["fields"].as_array().ok_or("fields")?;
        assert_eq!(fields.len(), declaration.fields.len() + 1, "{topic}");
        assert!(
            fields.iter().all(|field| field["doc"].as_str().is_some_and(|doc| doc.len() > 3 && doc.ends_with('.'))),
            "{topic}: {schema:#}"
        );
    }

    let id = |text: &str| Id::derived(text);
    let alert = Alert {
        alert_id: id("a1"),
        kind: AlertKind::Fraud,
        rule: "velocity".into(),
        severity: Severity::High,
        subject: id("A1"),
        state: AlertState::Raised,
        message: "six in ten minutes: \"é\"".into(),
        evidence: vec![id("t1"), id("t2")],
        ts: EventTime::from_nanos(-1),
    };
    let decision = Decision {
        decision_id: id("d"),
        state: DecisionState::Made,
        subject_type: SubjectType::Payment,
        subject_id: id("p"),
        account_id: None,
        ruleset: "r".into(),
        score: Statistic::new(0.5).unwrap_or_default(),
        decision: Verdict::Block,
        reasons: vec![Reason { rule: "x".into(), points: Statistic::new(40.0).unwrap_or_default(), evidence: vec!["n=1".into()] }],
        ts: EventTime::from_nanos(0),
    };
    let letter = DeadLetter {
        topic: "orders".into(),
        partition: 1,
        offset: crate::Offset::new(300),
        ts: EventTime::from_nanos(0),
        key: None,
        value: None,
        text: None,
        code: "bad_avro".into(),
        error: "e".into(),
    }
    .with_record(None, Some(&[0, 255]));
    let line = |schema: &TableSchema, rows: &RecordBatch| -> Result<Value, Box<dyn std::error::Error>> {
        let records = schema.records(7, rows, ["digest"].into_iter())?;
        let (schema_id, record) = framed(&records[0])?;
        assert_eq!((schema_id, records.len()), (7, 1));
        Ok(json!({ "schema": serde_json::from_str::<Value>(&schema.text())?, "hex": to_hex(record) }))
    };
    let lines = [
        line(&TableSchema::of("alerts", &Declaration::of::<Alert>())?, &Alert::batch(&[alert])?)?,
        line(&TableSchema::of("decisions", &Declaration::of::<Decision>())?, &Decision::batch(&[decision])?)?,
        line(&TableSchema::of("dead_letters", &Declaration::of::<DeadLetter>())?, &DeadLetter::batch(&[letter])?)?,
    ];
    let Some(read) = by_fastavro("read", &lines) else { return Ok(()) };
    let read = read.iter().map(|text| serde_json::from_str(text)).collect::<Result<Vec<Value>, _>>()?;
    assert_eq!(
        read,
        [
            json!({ "id": "digest", "alert_id": "a1", "kind": "fraud", "rule": "velocity", "severity": "high", "subject": "A1",
                "state": "raised", "message": "six in ten minutes: \"é\"", "evidence": ["t1", "t2"], "ts": -1 }),
            json!({ "id": "digest", "decision_id": "d", "state": "made", "subject_type": "payment", "subject_id": "p", "account_id": null,
                "ruleset": "r", "score": 0.5, "decision": "block", "ts": 0,
                "reasons": [{ "rule": "x", "points": 40.0, "evidence": ["n=1"] }] }),
            json!({ "id": "digest", "topic": "orders", "partition": 1, "offset": 300, "ts": 0, "key": null, "value": "00ff",
                "text": "\u{0}\u{fffd}", "code": "bad_avro", "error": "e" }),
        ]
    );
    Ok(())
}

#[test]
fn numbers_of_rows_have_all_their_digits() -> TestResult {
    use crate::tables::{Execution, Liquidity};
    use crate::value::{Money, Price, Quantity};
    let execution = |price: &str, fee: &str| Execution {
        execution_id: Id::derived("e"),
        match_id: Id::derived("m"),
        order_id: Id::derived("o"),
        account_id: crate::AccountId::derived("a"),
        symbol: crate::Symbol::derived("S"),
        side: crate::events::Side::Buy,
        price: price.parse().unwrap_or(Price::ZERO),
        quantity: Quantity::whole(128),
        fee: fee.parse().unwrap_or(Money::ZERO),
        liquidity: Liquidity::Maker,
        ts: EventTime::from_nanos(i64::MAX),
    };
    let schema = TableSchema::of("executions", &Declaration::of::<Execution>())?;
    for (price, fee) in
        [("0", "-0.000000001"), ("123456789012345678.123456789", "-123456789012345678.123456789"), ("-0.000000128", "0.000000128")]
    {
        let records = schema.records(1, &Execution::batch(&[execution(price, fee)])?, ["i"].into_iter())?;
        let mut json = Vec::new();
        Schema::parse(&schema.text(), &[])?.to_json(1, framed(&records[0])?.1, &mut json)?;
        let json: Value = serde_json::from_slice(&json)?;
        assert_eq!((&json["price"], &json["fee"], &json["quantity"]), (&json!(price), &json!(fee), &json!("128")));
        assert_eq!(json["ts"], json!(EventTime::from_nanos(i64::MAX).to_string()));
    }
    Ok(())
}
