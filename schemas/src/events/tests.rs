//! What is taken, what is refused and with which code; and that reading and writing are each other's opposite.

use proptest::prelude::*;

use super::*;

type TestResult = Result<(), Box<dyn std::error::Error>>;

/// One good record per kind of event.
const GOOD: &[(Topic, &str)] = &[
    (Topic::Instruments, r#"{"symbol":"AAPL","asset_class":"equity","currency":"USD","tick_size":"0.01","lot_size":"1","reference_price":"150","price_band_bps":"500"}"#),
    (Topic::Customers, r#"{"customer_id":"c1","group_id":"g1","home_lat":"52.5","home_lon":13.4,"timezone":"Europe/Berlin","birth_date":"1980-02-29"}"#),
    (Topic::Limits, r#"{"scope":"book:firm/desk","kind":"gross_exposure","value":"1000000","warn_at":"0.8","ts":"2026-01-05T00:00:00Z"}"#),
    (Topic::Watchlists, r#"{"customer_id":"c1","symbol":"AAPL","direction":"above","price":"200"}"#),
    (Topic::Budgets, r#"{"customer_id":"c1","category":"food & drink","amount":"500","currency":"EUR"}"#),
    (Topic::Accounts, r#"{"type":"opened","account_id":"a1","customer_id":"c1","account_type":"checking","currency":"USD","book":"firm/desk/book","ts":1}"#),
    (Topic::Accounts, r#"{"type":"updated","account_id":"a1","interest_rate":"-0.005","ts":2}"#),
    (Topic::Accounts, r#"{"type":"frozen","account_id":"a1","ts":3}"#),
    (Topic::Quotes, r#"{"symbol":"AAPL","bid":"149.99","ask":"150.01","bid_size":"100","ask_size":"0","ts":"2026-01-05T14:30:00.123456789Z"}"#),
    (Topic::Trades, r#"{"symbol":"AAPL","price":150.005,"size":7,"source":"XNAS","ts":1767623400123456789}"#),
    (Topic::Closes, r#"{"symbol":"AAPL","date":"2026-01-05","close":"150.123456789"}"#),
    (Topic::FxRates, r#"{"base":"EUR","quote":"USD","rate":"1.08765","ts":"2026-01-05T15:30:00+01:00"}"#),
    (Topic::Orders, r#"{"type":"new","order_id":"o1","account_id":"a1","symbol":"AAPL","side":"buy","order_type":"limit","time_in_force":"gtc","quantity":"10","price":"150","ts":4}"#),
    (Topic::Orders, r#"{"type":"amend","order_id":"o1","account_id":"a1","symbol":"AAPL","quantity":"5","ts":5}"#),
    (Topic::Orders, r#"{"type":"cancel","order_id":"o1","account_id":"a1","symbol":"AAPL","ts":6}"#),
    (Topic::Orders, r#"{"type":"phase","symbol":"AAPL","phase":"closed","ts":7}"#),
    (Topic::Fills, r#"{"type":"fill","fill_id":"f1","account_id":"a1","symbol":"AAPL","side":"sell","quantity":"123456789012345678.123456789","price":"-0.5","fee":"-1.25","ts":8}"#),
    (Topic::Fills, r#"{"type":"bust","fill_id":"f1","account_id":"a1","ts":9}"#),
    (Topic::Transactions, r#"{"transaction_id":"t1","account_id":"a1","type":"payment","amount":"12.5","currency":"USD","channel":"card","merchant":"Café \"Zoë\"","lat":"40.7","lon":"-74","ts":10}"#),
    (Topic::Payments, r#"{"payment_id":"p1","customer_id":"c1","merchant_id":"m1","amount":"9.99","currency":"EUR","method":"credit_card","status":"completed","ts":11}"#),
    (Topic::Transfers, r#"{"type":"initiated","transfer_id":"x1","from_account":"a1","to_account":"a2","amount":"5","currency":"USD","ts":12}"#),
    (Topic::Transfers, r#"{"type":"debit_reversed","transfer_id":"x1","ts":13}"#),
    (Topic::Access, r#"{"actor":"u1","action":"read","entity_type":"account","entity_id":"a1","outcome":"denied","ip":"127.0.0.1","ts":14}"#),
    (Topic::Labels, r#"{"subject_id":"t1","label":"fraud","ts":15}"#),
];

fn decode(topic: Topic, text: &str) -> Result<Event, BadRecord> {
    Event::decode(topic, None, Some(text.as_bytes()))
}

#[test]
fn every_topic_has_a_good_record_that_survives_both_forms() -> TestResult {
    for topic in Topic::ALL {
        assert!(GOOD.iter().any(|(good, _)| good == topic), "{topic} has no example");
    }
    for (topic, text) in GOOD {
        let event = decode(*topic, text).map_err(|error| format!("{topic}: {error}"))?;
        assert_eq!(event.topic(), *topic);
        let written = event.encode().ok_or("an event has a value")?;
        assert_eq!(Event::decode(*topic, Some(event.key().as_bytes()), Some(&written))?, event, "{topic} as JSON");
        let binary: Event = bincode::deserialize(&bincode::serialize(&event)?)?;
        assert_eq!(binary, event, "{topic} between workers");
        assert_eq!(binary.body_digest(), event.body_digest());
    }
    Ok(())
}

#[test]
fn nothing_is_lost_in_reading_numbers_and_times() -> TestResult {
    let Event::Fill(FillEvent::Fill(fill)) = decode(Topic::Fills, GOOD[16].1)? else { return Err("not a fill".into()) };
    assert_eq!(fill.quantity.to_string(), "123456789012345678.123456789");
    let Event::Quote(quote) = decode(Topic::Quotes, GOOD[8].1)? else { return Err("not a quote".into()) };
    assert_eq!(quote.ts.nanos(), 1_767_623_400_123_456_789);
    Ok(())
}

#[test]
fn every_badness_has_its_code_and_names_the_field() {
    let order = |change: &str| {
        let fields = r#""order_id":"o1","account_id":"a1","symbol":"S","side":"buy","order_type":"limit","time_in_force":"gtc","quantity":"10","price":"1","ts":4"#;
        let mut text = format!(r#"{{"type":"new",{fields}}}"#);
        if let Some((from, to)) = change.split_once("=>") {
            assert!(text.contains(from), "{from}");
            text = text.replacen(from, to, 1);
        }
        text
    };
    let cases: &[(Topic, String, ErrorCode, &str)] = &[
        (Topic::Orders, "not json".into(), ErrorCode::NotJson, "not JSON"),
        (Topic::Orders, "".into(), ErrorCode::NotJson, "not JSON"),
        (Topic::Orders, "{".into(), ErrorCode::NotJson, "not JSON"),
        (Topic::Labels, r#"{"subject_id":"t","label":"x","ts":1} trailing"#.into(), ErrorCode::NotJson, "trailing"),
        (Topic::Labels, r#"["t","x",1]"#.into(), ErrorCode::NotAnObject, "object"),
        (Topic::Labels, "42".into(), ErrorCode::NotAnObject, "object"),
        (Topic::Orders, "{}".into(), ErrorCode::MissingField, "type"),
        (Topic::Orders, order("\"new\"=>\"replace\""), ErrorCode::UnknownType, "replace"),
        (Topic::Orders, order("\"new\"=>7"), ErrorCode::WrongType, "type"),
        (Topic::Orders, order("\"order_id\":\"o1\",=>"), ErrorCode::MissingField, "order_id"),
        (Topic::Orders, order("\"o1\"=>17"), ErrorCode::WrongType, "order_id"),
        (Topic::Orders, order("\"o1\"=>\"o 1\""), ErrorCode::BadId, "order_id"),
        (Topic::Orders, order("\"buy\"=>\"hold\""), ErrorCode::UnknownValue, "side"),
        (Topic::Orders, order("\"10\"=>\"-10\""), ErrorCode::NotPositive, "quantity"),
        (Topic::Orders, order("\"10\"=>\"0\""), ErrorCode::NotPositive, "quantity"),
        (Topic::Orders, order("\"10\"=>\"ten\""), ErrorCode::BadDecimal, "quantity"),
        (Topic::Orders, order("\"10\"=>1.0123456789"), ErrorCode::BadDecimal, "quantity"),
        (Topic::Orders, order("\"10\"=>true"), ErrorCode::WrongType, "quantity"),
        (Topic::Orders, order("\"ts\":4=>\"ts\":\"yesterday\""), ErrorCode::BadTime, "ts"),
        (Topic::Orders, order("\"ts\":4=>\"ts\":4,\"ts\":5"), ErrorCode::DuplicateField, "ts"),
        (Topic::Orders, order(",\"price\":\"1\"=>"), ErrorCode::MissingField, "price"),
        (Topic::Orders, order("\"gtc\"=>\"gtd\""), ErrorCode::MissingField, "expires_at"),
        (Topic::Orders, order("\"ts\":4=>\"ts\":4,\"display_quantity\":\"11\""), ErrorCode::Inconsistent, "display_quantity"),
        (Topic::Orders, r#"{"type":"amend","order_id":"o","account_id":"a","symbol":"S","ts":1}"#.into(), ErrorCode::MissingField, "quantity"),
        (Topic::Limits, r#"{"scope":"desk:1","kind":"var","value":"1"}"#.into(), ErrorCode::BadScope, "scope"),
        (Topic::Closes, r#"{"symbol":"S","date":"2026-02-30","close":"1"}"#.into(), ErrorCode::BadDate, "date"),
        (Topic::Closes, r#"{"symbol":"S","date":"2026-02-28","close":"0"}"#.into(), ErrorCode::NotPositive, "close"),
        (Topic::Quotes, GOOD[8].1.replace("\"100\"", "\"-1\""), ErrorCode::NegativeNumber, "bid_size"),
        (Topic::Customers, r#"{"customer_id":"c","home_lat":"91"}"#.into(), ErrorCode::OutOfRange, "latitude"),
        (Topic::Labels, format!(r#"{{"subject_id":"t","label":"{}","ts":1}}"#, "x".repeat(MAX_RECORD_BYTES)), ErrorCode::TooLarge, "bytes"),
    ];
    for (topic, text, code, named) in cases {
        match decode(*topic, text) {
            Ok(event) => panic!("{topic} {text}: taken as {event:?}"),
            Err(bad) => {
                assert_eq!(bad.code, *code, "{topic} {text:.200}: {bad}");
                assert!(bad.message.contains(named), "{topic} {text:.200}: {bad} does not name {named}");
                assert!(!bad.message.contains("[bad_") && !bad.message.contains('`'), "{bad}");
            }
        }
    }
}

#[test]
fn keys_must_agree_and_tombstones_only_delete_in_tables() {
    let close = br#"{"symbol":"S","date":"2026-02-28","close":"1"}"#;
    let code = |topic, key: Option<&[u8]>, value: Option<&[u8]>| Event::decode(topic, key, value).map_err(|bad| bad.code);
    assert!(code(Topic::Closes, Some(b"S"), Some(close)).is_ok());
    assert_eq!(code(Topic::Closes, Some(b"T"), Some(close)), Err(ErrorCode::KeyMismatch));
    assert_eq!(code(Topic::Closes, Some(b"\xff"), Some(close)), Err(ErrorCode::BadKey));
    assert_eq!(code(Topic::Closes, Some(b"S"), None), Err(ErrorCode::Tombstone));
    assert_eq!(code(Topic::Limits, None, None), Err(ErrorCode::BadKey));
    let deleted = Deleted { rank: Topic::Limits.rank(), key: "default|var".into() };
    assert_eq!(code(Topic::Limits, Some(b"default|var"), None), Ok(Event::Deleted(Box::new(deleted))));
    assert_eq!(decode(Topic::Limits, GOOD[2].1).map(|limit| limit.key().to_string()), Ok("book:firm/desk|gross_exposure".to_owned()));
    assert_eq!(decode(Topic::FxRates, GOOD[11].1).map(|rate| rate.key().to_string()), Ok("EUR/USD".to_owned()));
}

#[test]
fn unknown_fields_and_nulls_change_nothing() -> TestResult {
    let plain = decode(Topic::Labels, r#"{"subject_id":"t","label":"x","ts":1}"#)?;
    let more = decode(Topic::Labels, r#" {"ts":1,"subject_id":"t","label":"x","confidence":[1,{"a":null}]} "#)?;
    assert_eq!((plain.body_digest(), plain), (more.body_digest(), more));
    let trade = r#"{"symbol":"S","price":1,"size":1,"source":null,"ts":1}"#;
    assert_eq!(decode(Topic::Trades, trade)?, decode(Topic::Trades, &trade.replace(r#""source":null,"#, ""))?);
    Ok(())
}

#[test]
fn identities_are_those_of_the_contract() -> TestResult {
    let identities: Vec<_> = GOOD
        .iter()
        .map(|(topic, text)| Ok(decode(*topic, text)?.identity().map(|(word, id)| format!("{topic} {word} {id}"))))
        .collect::<Result<Vec<_>, BadRecord>>()?;
    let identities: Vec<_> = identities.into_iter().flatten().collect();
    let expected = [
        "accounts opened a1",
        "orders new o1",
        "fills fill f1",
        "fills bust f1",
        "transactions payment t1",
        "payments completed p1",
        "transfers initiated x1",
        "transfers debit_reversed x1",
    ];
    assert_eq!(identities, expected);
    Ok(())
}

#[test]
fn an_event_stays_small() {
    assert!(size_of::<Event>() <= 144, "{}", size_of::<Event>());
}

/// Compares `json/<topic>.schema.json` with the types; `UPDATE_SCHEMAS=1` writes them instead.
#[test]
fn json_schemas_are_those_of_the_types() -> TestResult {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("json");
    for topic in Topic::ALL {
        let text = serde_json::to_string_pretty(&schema_of(*topic))? + "\n";
        let path = folder.join(format!("{topic}.schema.json"));
        if std::env::var_os("UPDATE_SCHEMAS").is_some() {
            std::fs::create_dir_all(&folder)?;
            std::fs::write(&path, &text)?;
        }
        let stored = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(stored == text, "{} differs from the types: run UPDATE_SCHEMAS=1 cargo test -p headwater-schemas json_schemas", path.display());
    }
    Ok(())
}

fn schema_of(topic: Topic) -> schemars::Schema {
    let mut generator = schemars::generate::SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true).into_generator();
    let mut schema = match topic {
        Topic::Instruments => generator.root_schema_for::<Instrument>(),
        Topic::Customers => generator.root_schema_for::<Customer>(),
        Topic::Limits => generator.root_schema_for::<Limit>(),
        Topic::Watchlists => generator.root_schema_for::<Watch>(),
        Topic::Budgets => generator.root_schema_for::<Budget>(),
        Topic::Accounts => generator.root_schema_for::<AccountEvent>(),
        Topic::Quotes => generator.root_schema_for::<Quote>(),
        Topic::Trades => generator.root_schema_for::<Trade>(),
        Topic::Closes => generator.root_schema_for::<Close>(),
        Topic::FxRates => generator.root_schema_for::<FxRate>(),
        Topic::Orders => generator.root_schema_for::<OrderEvent>(),
        Topic::Fills => generator.root_schema_for::<FillEvent>(),
        Topic::Transactions => generator.root_schema_for::<Transaction>(),
        Topic::Payments => generator.root_schema_for::<Payment>(),
        Topic::Transfers => generator.root_schema_for::<TransferEvent>(),
        Topic::Access => generator.root_schema_for::<Access>(),
        Topic::Labels => generator.root_schema_for::<Label>(),
    };
    schema.insert("title".to_owned(), topic.as_str().into());
    schema
}

fn decimal_text() -> impl Strategy<Value = String> {
    (any::<bool>(), 0..1_000_000_000_000_000_000_u64, 0..1_000_000_000_u64, 0..=9_usize).prop_map(|(negative, integer, fraction, digits)| {
        let fraction = format!("{fraction:09}");
        let fraction = &fraction[..digits];
        format!("{}{integer}{}{fraction}", if negative { "-" } else { "" }, if digits > 0 { "." } else { "" })
    })
}

/// A good record with its texts, numbers and times changed, and some optional fields left out.
fn changed(good: usize) -> impl Strategy<Value = (Topic, String)> {
    let (topic, text) = GOOD[good];
    let object: serde_json::Map<String, serde_json::Value> = serde_json::from_str(text).expect("an object");
    (proptest::collection::vec((decimal_text(), "[!-~]{1,64}", any::<i64>(), any::<u8>()), object.len())).prop_map(move |changes| {
        let mut object = object.clone();
        for ((name, value), (decimal, id, nanos, choice)) in object.iter_mut().zip(changes) {
            let is_number = value.as_str().is_none_or(|text| text.parse::<f64>().is_ok());
            if name == "ts" {
                *value = nanos.into();
            } else if is_number && choice % 2 == 0 {
                *value = decimal.into();
            } else if name.ends_with("_id") || name == "symbol" || name == "merchant" {
                *value = id.into();
            } else if choice % 16 == 1 {
                *value = serde_json::Value::Null;
            }
        }
        (topic, serde_json::Value::Object(object).to_string())
    })
}

proptest! {
    #[test]
    fn what_is_taken_is_written_and_read_back_the_same((topic, text) in (0..GOOD.len()).prop_flat_map(changed)) {
        if let Ok(event) = decode(topic, &text) {
            let written = event.encode().expect("a value");
            prop_assert_eq!(&decode(topic, std::str::from_utf8(&written)?), &Ok(event.clone()));
            let binary: Event = bincode::deserialize(&bincode::serialize(&event)?)?;
            prop_assert_eq!(binary, event);
        }
    }

    #[test]
    fn a_decimal_is_kept_digit_by_digit(text in decimal_text()) {
        let record = format!(r#"{{"symbol":"S","price":{text},"size":1,"ts":1}}"#);
        let Ok(Event::Trade(trade)) = decode(Topic::Trades, &record) else { return Err(TestCaseError::fail(record)) };
        let shortest = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
        let shortest = if shortest == "-0" { "0" } else { shortest };
        prop_assert_eq!(trade.price.to_string(), shortest);
    }

    #[test]
    fn no_bytes_panic(topic in 0..Topic::COUNT, key in any::<Option<Vec<u8>>>(), value in any::<Option<Vec<u8>>>()) {
        let _ = Event::decode(Topic::ALL[topic], key.as_deref(), value.as_deref());
    }

    #[test]
    fn no_damage_to_a_good_record_panics(good in 0..GOOD.len(), at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<bool>()) {
        let (topic, text) = GOOD[good];
        let mut bytes = text.as_bytes().to_vec();
        let at = at.index(bytes.len());
        if cut { bytes.truncate(at) } else { bytes[at] = byte }
        let _ = Event::decode(topic, None, Some(&bytes));
    }
}
