//! Order of published rows; events of every topic, and their JSON Schemas.

use std::collections::BTreeSet;

use arrow::array::{ArrayRef, StringArray};
use headwater_schemas::events::Side;
use headwater_schemas::tables::{
    AlertKind, AlertState, DeadLetter, Decision, DecisionState, Execution, Holding, Liquidity, Notification, NotificationKind, Reason,
    Severity, SubjectType, Verdict, event_schema,
};
use headwater_schemas::{Id, Money, Name, Offset, Price, Quantity, Statistic};
use serde_json::{Value, json};

use super::*;
use crate::avro::declaration_of;

const TS: EventTime = EventTime::from_nanos(1_769_851_800_000_000_001);

#[test]
fn rows_are_published_by_tick_and_within_a_tick_by_key() {
    let columns: [(&str, ArrayRef); 3] = [
        ("account", Arc::new(StringArray::from(vec!["a", "a", "b", "b", "c"]))),
        ("symbol", Arc::new(StringArray::from(vec!["y", "z", "x", "x", "x"]))),
        (TICK, Arc::new(Int64Array::from(vec![3, 2, 1, 3, 2]))),
    ];
    let rows = by_tick(&RecordBatch::try_from_iter(columns).unwrap(), &["account", "symbol"]).unwrap();
    let text = |name: &str| rows.column_by_name(name).unwrap().as_string::<i32>().iter().flatten().collect::<String>();
    assert_eq!((text("account"), text("symbol")), ("bacab".to_owned(), "xzxyx".to_owned()));
    let missing = by_tick(&rows, &["venue"]).unwrap_err().to_string();
    assert_eq!(missing, "there is no column venue");
}

/// The events of rows, with the topic.
fn events<R: TableRow>(rows: &[R]) -> (&'static str, Vec<Value>) {
    let published = *PUBLISHED.iter().find(|published| published.table == R::SPEC.name).expect("a published table");
    let records = keyed(published, &R::batch(rows).expect("rows"), None).expect("records");
    let event = |(_, value): (String, Vec<u8>)| serde_json::from_slice(&value).expect("JSON");
    (published.name, records.into_iter().map(event).collect())
}

/// Events of every topic: with all values, and with those missing that may be.
fn samples() -> Vec<(&'static str, Vec<Value>)> {
    let id = |text: &str| Id::derived(text);
    let execution = Execution {
        execution_id: id("X-1-b"),
        match_id: id("X-1"),
        order_id: id("o"),
        account_id: Name::derived("a"),
        symbol: Name::derived("X"),
        side: Side::Buy,
        price: Price::from_units(-1),
        quantity: Quantity::from_units(1_500_000_000),
        fee: Money::from_units(0),
        liquidity: Liquidity::Taker,
        ts: TS,
    };
    let holding = Holding {
        account_id: Name::derived("a"),
        symbol: Name::derived("X"),
        currency: None,
        quantity: Quantity::from_units(-12_000_000_000),
        average_price: Price::from_units(1),
        cost: Money::from_units(i128::from(i64::MAX)),
        realized_pnl: None,
        cash_flow: Money::from_units(0),
        fees: Money::from_units(0),
        mark_price: None,
        market_value: None,
        unrealized_pnl: None,
        ts: TS,
    };
    let marked = Holding { currency: Some(Name::derived("USD")), mark_price: Some(Price::from_units(7)), ..holding.clone() };
    let decision = Decision {
        decision_id: id("d"),
        state: DecisionState::Made,
        subject_type: SubjectType::Payment,
        subject_id: id("p"),
        account_id: None,
        ruleset: "r".into(),
        score: Statistic::new(0.5).expect("a number"),
        decision: Verdict::Block,
        reasons: vec![Reason { rule: "x".into(), points: Statistic::default(), evidence: vec!["n=1".into()] }],
        ts: TS,
    };
    let alert = Alert {
        alert_id: id("a1"),
        kind: AlertKind::Fraud,
        rule: "velocity".into(),
        severity: Severity::High,
        subject: id("A1"),
        state: AlertState::Raised,
        message: "six in ten minutes: \"é\"".into(),
        evidence: vec![id("t1"), id("t2")],
        ts: TS,
    };
    let notification = Notification {
        notification_id: id("n"),
        customer_id: Name::derived("c"),
        kind: NotificationKind::Price,
        subject: id("X"),
        message: "X is above 10".into(),
        deliver_at: TS,
        ts: TS,
    };
    let letter = DeadLetter {
        topic: "orders".into(),
        partition: 1,
        offset: Offset::new(300),
        ts: TS,
        key: None,
        value: None,
        text: None,
        code: "not_json".into(),
        error: "the value is not JSON".into(),
    };
    let large = letter.clone().with_record(Some(b"k"), Some(&[b'x'; 400_000]));
    vec![
        events(&[execution]),
        events(&[holding, marked]),
        events(&[decision.clone(), Decision { account_id: Some(Name::derived("a")), reasons: Vec::new(), ..decision }]),
        events(&[alert]),
        events(&[notification]),
        events(&[letter.clone(), letter.with_record(Some(b"k"), Some(&[0, 255])), large]),
    ]
}

#[test]
fn a_published_event_of_each_topic_validates_against_its_schema() {
    let samples = samples();
    let topics: BTreeSet<_> = samples.iter().map(|(topic, _)| *topic).collect();
    assert_eq!(topics, PUBLISHED.iter().map(|published| published.name).collect());
    for (topic, events) in samples {
        let schema = event_schema(topic, &declaration_of(topic).expect("a topic")).expect("a schema");
        for event in events {
            assert_eq!(problems("", &schema, &event), Vec::<String>::new(), "{topic}");
            // Every field is described.
            let described = schema["properties"].as_object().expect("properties");
            assert!(event.as_object().expect("an object").keys().all(|name| described.contains_key(name)), "{topic}");
        }
    }
}

#[test]
fn another_event_does_not_validate() {
    let schema = event_schema("executions", &declaration_of("executions").expect("a topic")).expect("a schema");
    let (_, events) = samples().swap_remove(0);
    for (case, field, value, expected) in [
        ("a missing value", "price", Value::Null, "/price: null is no [\"string\"]"),
        ("a number", "price", json!(1), "/price: 1 is no [\"string\"]"),
        ("an exponent", "price", json!("1e9"), "/price: \"1e9\" does not match"),
        ("another word", "side", json!("long"), "/side: \"long\" is none of"),
        ("no digest", "id", json!("X"), "/id: \"X\" does not match"),
    ] {
        let mut event = events[0].clone();
        event[field] = value;
        let problems = problems("", &schema, &event);
        assert!(problems.len() == 1 && problems[0].starts_with(expected), "{case}: {problems:?}");
    }
}

/// Where a value differs from a schema, of the keywords that schemas of events have.
fn problems(place: &str, schema: &Value, value: &Value) -> Vec<String> {
    let types = match &schema["type"] {
        Value::Array(types) => types.clone(),
        one => vec![one.clone()],
    };
    let is_one = types.iter().any(|name| match name.as_str() {
        Some("null") => value.is_null(),
        Some("string") => value.is_string(),
        Some("boolean") => value.is_boolean(),
        Some("integer") => value.is_i64(),
        Some("number") => value.is_number(),
        Some("array") => value.is_array(),
        Some("object") => value.is_object(),
        other => panic!("{place}: {other:?} is no type"),
    });
    if !is_one {
        return vec![format!("{place}: {value} is no {}", Value::from(types))];
    }
    let mut found = Vec::new();
    if let Some(words) = schema["enum"].as_array().filter(|words| !words.contains(value)) {
        found.push(format!("{place}: {value} is none of {words:?}"));
    }
    if let (Some(pattern), Some(text)) = (schema["pattern"].as_str(), value.as_str())
        && !matches(pattern, text)
    {
        found.push(format!("{place}: {value} does not match {pattern}"));
    }
    if let (Some("date-time"), Some(text)) = (schema["format"].as_str(), value.as_str())
        && text.parse::<EventTime>().is_err()
    {
        found.push(format!("{place}: {value} is no time"));
    }
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).filter(|name| value.get(name).is_none()) {
        found.push(format!("{place}: {name} is missing"));
    }
    for (name, schema) in schema["properties"].as_object().into_iter().flatten() {
        found.extend(value.get(name).into_iter().flat_map(|value| problems(&format!("{place}/{name}"), schema, value)));
    }
    for (number, item) in value.as_array().into_iter().flatten().enumerate() {
        found.extend(problems(&format!("{place}/{number}"), &schema["items"], item));
    }
    found
}

/// Whether a text matches one of the patterns that schemas of events have.
fn matches(pattern: &str, text: &str) -> bool {
    let are_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let is_hexadecimal = |text: &str| text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    match pattern {
        "^([0-9a-f]{2})*$" => is_hexadecimal(text) && text.len().is_multiple_of(2),
        "^[0-9a-f]{32}$" => is_hexadecimal(text) && text.len() == 32,
        "^-?[0-9]+(\\.[0-9]{1,9})?$" => {
            let text = text.strip_prefix('-').unwrap_or(text);
            text.split_once('.')
                .map_or_else(|| are_digits(text), |(whole, fraction)| are_digits(whole) && are_digits(fraction) && fraction.len() <= 9)
        }
        other => panic!("{other} is no pattern of events"),
    }
}
