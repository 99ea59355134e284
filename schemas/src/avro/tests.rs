//! Tests of reading and writing Avro: each type, each wrong record, and the same events as JSON and as Avro that another library wrote.

use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::types::Value as AvroValue;
use apache_avro::writer::datum::GenericDatumWriter;
use apache_avro::{Decimal as AvroDecimal, Schema as AvroSchema};
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
        assert!(bad.message.contains(message) && bad.message.contains("id 5") && bad.message.contains("send"), "{case}: {bad}");
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

/// A way to write a JSON value as Avro: the type, and the value. Where several are possible, chance decides.
fn as_avro(name: &str, value: &Value, chance: &mut Chance) -> (Value, AvroValue) {
    let text = match value {
        Value::Bool(is) => return (json!("boolean"), AvroValue::Boolean(*is)),
        Value::Number(number) => return (json!("long"), AvroValue::Long(number.as_i64().expect("integers only"))),
        Value::String(text) => text,
        other => panic!("no event has {other}"),
    };
    let mut ways = vec![(json!("string"), AvroValue::String(text.clone()))];
    if let Some(number) = text.parse::<Decimal>().ok().filter(|number| number.to_string() == *text) {
        let more = u32::try_from(chance.below(4)).expect("a digit");
        let bytes = (number.units() * 10_i128.pow(more)).to_be_bytes().to_vec();
        let of_bytes = json!({ "type": "bytes", "logicalType": "decimal", "precision": 38, "scale": 9 + more });
        let of_fixed = json!({ "type": "fixed", "name": format!("{name}_decimal"), "size": 16, "logicalType": "decimal", "precision": 38, "scale": 9 + more });
        let decimal = AvroValue::Decimal(AvroDecimal::from(bytes));
        ways.extend([(of_bytes, decimal.clone()), (of_fixed, decimal)]);
    }
    if let Some(time) = text.parse::<EventTime>().ok().filter(|time| time.to_string() == *text) {
        let of = |logical: &str| json!({ "type": "long", "logicalType": logical });
        ways.push((of("timestamp-nanos"), AvroValue::TimestampNanos(time.nanos())));
        if time.nanos() % 1_000 == 0 {
            ways.push((of("timestamp-micros"), AvroValue::TimestampMicros(time.nanos() / 1_000)));
        }
    }
    if let Some(date) = text.parse::<Date>().ok().filter(|date| date.to_string() == *text) {
        ways.push((json!({ "type": "int", "logicalType": "date" }), AvroValue::Date(date.days())));
    }
    let is_name = text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    if is_name && !text.is_empty() && text != "other" {
        let of = json!({ "type": "enum", "name": format!("{name}_enum"), "symbols": ["other", text] });
        ways.push((of, AvroValue::Enum(1, text.clone())));
    }
    let (of, value) = ways.swap_remove(chance.below(ways.len()));
    match chance.below(3) {
        0 => (of, value),
        1 => (json!(["null", of]), AvroValue::Union(1, Box::new(value))),
        _ => (json!([of, "null"]), AvroValue::Union(0, Box::new(value))),
    }
}

/// An event as Avro that the library of the Apache project wrote: the schema, and the record.
fn written(event: &Event, chance: &mut Chance) -> (String, Vec<u8>) {
    let json: serde_json::Map<String, Value> = serde_json::from_slice(&event.encode().expect("an event has a value")).expect("JSON");
    let (mut fields, mut values) = (Vec::new(), Vec::new());
    for (name, value) in &json {
        let (of, value) = as_avro(name, value, chance);
        fields.push(json!({ "name": name, "type": of }));
        values.push((name.clone(), value));
    }
    // What the pipeline does not know, and what is missing.
    fields.push(json!({ "name": "trace", "type": { "type": "map", "values": ["null", "double"] } }));
    let trace = [("a".to_owned(), AvroValue::Union(1, Box::new(AvroValue::Double(0.5))))];
    values.push(("trace".to_owned(), AvroValue::Map(trace.into())));
    fields.push(json!({ "name": "missing", "type": ["null", "string"], "default": null }));
    values.push(("missing".to_owned(), AvroValue::Union(0, Box::new(AvroValue::Null))));
    let schema = json!({ "type": "record", "name": "Event", "namespace": "bank", "fields": fields }).to_string();
    let parsed = AvroSchema::parse_str(&schema).expect("a valid schema");
    let writer = GenericDatumWriter::builder(&parsed).build().expect("a writer");
    let record = writer.write_value_to_vec(AvroValue::Record(values)).expect("the record is of the schema");
    (schema, record)
}

fn any_event() -> impl Strategy<Value = (Event, u64)> {
    (0..Topic::COUNT, any::<u64>()).prop_map(|(topic, seed)| (sample::event(Topic::ALL[topic], seed), seed))
}

proptest! {
    #[test]
    fn any_event_is_the_same_from_json_and_from_avro((event, seed) in any_event()) {
        let (schema, record) = written(&event, &mut Chance::new(!seed));
        let mut json = Vec::new();
        Schema::parse(&schema, &[]).expect("a valid schema").to_json(1, &record, &mut json)?;
        let read = Event::decode(event.topic(), Some(event.key().as_bytes()), Some(&json))?;
        prop_assert_eq!(read.body_digest(), event.body_digest());
        prop_assert_eq!(read, event);
    }

    #[test]
    fn damaged_bytes_are_read_or_refused_and_never_panic(
        (event, seed) in any_event(), at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<prop::sample::Index>(),
    ) {
        let (schema, mut record) = written(&event, &mut Chance::new(!seed));
        let schema = Schema::parse(&schema, &[]).expect("a valid schema");
        let mut json = Vec::new();
        let cut = cut.index(record.len());
        prop_assert!(schema.to_json(1, &record[..cut], &mut json).is_err(), "a record that is cut off");
        let at = at.index(record.len());
        record[at] = byte;
        if schema.to_json(1, &record, &mut json).is_ok() {
            prop_assert!(serde_json::from_slice::<Value>(&json).is_ok(), "what is read is JSON");
            let _ = Event::decode(event.topic(), None, Some(&json));
        }
    }

    #[test]
    fn arbitrary_schemas_and_records_never_panic(text in "[\\[\\]{}:,\"a-z.]{0,60}", record in prop::collection::vec(any::<u8>(), 0..40)) {
        if let Ok(schema) = Schema::parse(&text, &[]) {
            let _ = schema.to_json(1, &record, &mut Vec::new());
        }
        let _ = framed(&record);
    }
}

#[test]
fn the_schema_of_every_published_table_is_avro_with_a_word_on_each_column() -> TestResult {
    let published: Vec<_> = declarations().into_iter().filter(|declaration| declaration.spec.topic().is_some()).collect();
    assert!(published.len() >= 6, "{}", published.len());
    for declaration in published {
        let topic = declaration.spec.topic().unwrap_or_default();
        let text = TableSchema::of(topic, &declaration)?.text();
        let AvroSchema::Record(record) = AvroSchema::parse_str(&text)? else { panic!("{topic} is no record") };
        assert_eq!(record.name.fullname(None), format!("headwater.{topic}"));
        assert_eq!(record.fields.len(), declaration.fields.len() + 1, "{topic}");
        for field in &record.fields {
            assert!(field.doc.as_ref().is_some_and(|doc| !doc.is_empty()), "{topic}: {}", field.name);
        }
    }
    Ok(())
}

#[test]
fn rows_are_read_back_by_the_library_of_the_apache_project() -> TestResult {
    use crate::tables::{AlertKind, AlertState, DeadLetter, Decision, DecisionState, Reason, Severity, SubjectType, Verdict};
    use crate::value::Statistic;
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
    let schema = TableSchema::of("alerts", &Declaration::of::<Alert>())?;
    let records = schema.records(7, &Alert::batch(std::slice::from_ref(&alert))?, ["digest"].into_iter())?;
    let (schema_id, record) = framed(&records[0])?;
    assert_eq!((schema_id, records.len()), (7, 1));
    let parsed = AvroSchema::parse_str(&schema.text())?;
    let AvroValue::Record(fields) = GenericDatumReader::builder(&parsed).build()?.read_value(&mut &record[..])? else { panic!("a record") };
    let text = |text: &str| AvroValue::String(text.to_owned());
    assert_eq!(
        fields,
        [
            ("id", text("digest")),
            ("alert_id", text("a1")),
            ("kind", text("fraud")),
            ("rule", text("velocity")),
            ("severity", text("high")),
            ("subject", text("A1")),
            ("state", text("raised")),
            ("message", text("six in ten minutes: \"é\"")),
            ("evidence", AvroValue::Array(vec![text("t1"), text("t2")])),
            ("ts", AvroValue::TimestampNanos(-1)),
        ]
        .map(|(name, value)| (name.to_owned(), value))
    );

    // Records in lists, missing values, and bytes, by our own reader.
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
    let read = |schema: &TableSchema, rows: &RecordBatch| -> Result<Value, Box<dyn std::error::Error>> {
        let records = schema.records(1, rows, ["i"].into_iter())?;
        let parsed = AvroSchema::parse_str(&schema.text())?;
        GenericDatumReader::builder(&parsed).build()?.read_value(&mut framed(&records[0])?.1)?;
        let mut json = Vec::new();
        Schema::parse(&schema.text(), &[])?.to_json(1, framed(&records[0])?.1, &mut json)?;
        Ok(serde_json::from_slice(&json)?)
    };
    let json = read(&TableSchema::of("decisions", &Declaration::of::<Decision>())?, &Decision::batch(&[decision])?)?;
    assert_eq!((&json["account_id"], &json["score"]), (&Value::Null, &json!(0.5)));
    assert_eq!(json["reasons"], json!([{ "rule": "x", "points": 40.0, "evidence": ["n=1"] }]));
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
    };
    let rows = DeadLetter::batch(&[letter.with_record(None, Some(&[0, 255]))])?;
    let json = read(&TableSchema::of("dead_letters", &Declaration::of::<DeadLetter>())?, &rows)?;
    assert_eq!((&json["value"], &json["offset"], &json["key"]), (&json!([0, 255]), &json!(300), &Value::Null));
    Ok(())
}
