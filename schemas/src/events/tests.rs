//! Tests of decoding and encoding: valid records, the code of each rejection, and round trips.

use proptest::prelude::*;

use super::*;
use crate::value::{AccountId, Id};

type TestResult = Result<(), Box<dyn std::error::Error>>;

/// One valid record per kind of event.
const GOOD: &[(Topic, &str)] = &[
    (
        Topic::Instruments,
        r#"{"symbol":"AAPL","asset_class":"equity","currency":"USD","tick_size":"0.01","lot_size":"1","reference_price":"150","price_band_bps":"500"}"#,
    ),
    (
        Topic::Customers,
        r#"{"customer_id":"c1","group_id":"g1","home_lat":"52.5","home_lon":13.4,"timezone":"Europe/Berlin","birth_date":"1980-02-29"}"#,
    ),
    (Topic::Limits, r#"{"scope":"book:firm/desk","kind":"gross_exposure","value":"1000000","warn_at":"0.8","ts":"2026-01-05T00:00:00Z"}"#),
    (Topic::Watchlists, r#"{"customer_id":"c1","symbol":"AAPL","direction":"above","price":"200"}"#),
    (Topic::Budgets, r#"{"customer_id":"c1","category":"food & drink","amount":"500","currency":"EUR"}"#),
    (
        Topic::Accounts,
        r#"{"type":"opened","account_id":"a1","customer_id":"c1","account_type":"checking","currency":"USD","book":"firm/desk/book","ts":1}"#,
    ),
    (Topic::Accounts, r#"{"type":"updated","account_id":"a1","interest_rate":"-0.005","ts":2}"#),
    (Topic::Accounts, r#"{"type":"frozen","account_id":"a1","ts":3}"#),
    (
        Topic::Quotes,
        r#"{"symbol":"AAPL","bid":"149.99","ask":"150.01","bid_size":"100","ask_size":"0","ts":"2026-01-05T14:30:00.123456789Z"}"#,
    ),
    (Topic::Trades, r#"{"symbol":"AAPL","price":150.005,"size":7,"source":"XNAS","ts":1767623400123456789}"#),
    (Topic::Closes, r#"{"symbol":"AAPL","date":"2026-01-05","close":"150.123456789"}"#),
    (Topic::FxRates, r#"{"base":"EUR","quote":"USD","rate":"1.08765","ts":"2026-01-05T15:30:00+01:00"}"#),
    (
        Topic::Orders,
        r#"{"type":"new","order_id":"o1","account_id":"a1","symbol":"AAPL","side":"buy","order_type":"limit","time_in_force":"gtc","quantity":"10","price":"150","ts":4}"#,
    ),
    (Topic::Orders, r#"{"type":"amend","order_id":"o1","account_id":"a1","symbol":"AAPL","quantity":"5","ts":5}"#),
    (Topic::Orders, r#"{"type":"cancel","order_id":"o1","account_id":"a1","symbol":"AAPL","ts":6}"#),
    (Topic::Orders, r#"{"type":"phase","symbol":"AAPL","phase":"closed","ts":7}"#),
    (
        Topic::Fills,
        r#"{"type":"fill","fill_id":"f1","account_id":"a1","symbol":"AAPL","side":"sell","quantity":"123456789012345678.123456789","price":"-0.5","fee":"-1.25","ts":8}"#,
    ),
    (Topic::Fills, r#"{"type":"bust","fill_id":"f1","account_id":"a1","ts":9}"#),
    (
        Topic::Transactions,
        r#"{"transaction_id":"t1","account_id":"a1","type":"payment","amount":"12.5","currency":"USD","channel":"card","merchant":"Café \"Zoë\"","lat":"40.7","lon":"-74","ts":10}"#,
    ),
    (
        Topic::Payments,
        r#"{"payment_id":"p1","customer_id":"c1","merchant_id":"m1","amount":"9.99","currency":"EUR","method":"credit_card","status":"completed","ts":11}"#,
    ),
    (
        Topic::Transfers,
        r#"{"type":"initiated","transfer_id":"x1","from_account":"a1","to_account":"a2","amount":"5","currency":"USD","ts":12}"#,
    ),
    (Topic::Transfers, r#"{"type":"debit_reversed","transfer_id":"x1","ts":13}"#),
    (
        Topic::Access,
        r#"{"actor":"u1","action":"read","entity_type":"account","entity_id":"a1","outcome":"denied","ip":"127.0.0.1","ts":14}"#,
    ),
    (Topic::Labels, r#"{"subject_id":"t1","label":"fraud","ts":15}"#),
    (
        Topic::Rules,
        r#"{"type":"proposed","ruleset":"cards","version":"2","pack":"name = \"cards\"\n","actor":"ann","effective_from":"2026-02-01T00:00:00Z","ts":16}"#,
    ),
    (Topic::Rules, r#"{"type":"retirement_proposed","ruleset":"cards","version":"3","actor":"ann","ts":17}"#),
    (Topic::Rules, r#"{"type":"approved","ruleset":"cards","version":"2","actor":"bob","ts":18}"#),
    (Topic::Rules, r#"{"type":"rejected","ruleset":"cards","version":"3","actor":"bob","ts":19}"#),
    (
        Topic::Suppressions,
        r#"{"rule":"structuring","subject":"a1","author":"ann","reason":"a market stall","expires_at":"2026-02-01T00:00:00Z","ts":"2026-01-05T00:00:00Z"}"#,
    ),
    (Topic::Suppressions, r#"{"rule":"fan_out","author":"ann","reason":"payday","expires_at":17}"#),
];

/// A suppression for every subject.
const SUPPRESSION: &str = GOOD[GOOD.len() - 1].1;

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
        (Topic::Orders, "not json".into(), ErrorCode::NotJson, "not one JSON object"),
        (Topic::Orders, "".into(), ErrorCode::NotJson, "not one JSON object"),
        (Topic::Orders, "\0\0\0\0\u{7}\u{4}o1".into(), ErrorCode::NotJson, "name the topic in source.avro"),
        (Topic::Orders, "{".into(), ErrorCode::NotJson, "not one JSON object"),
        (Topic::Labels, r#"{"subject_id":"t","label":"x","ts":1} trailing"#.into(), ErrorCode::NotJson, "trailing"),
        (Topic::Labels, "\u{feff}{}".into(), ErrorCode::NotJson, "JSON"),
        (Topic::Labels, r#"{"subject_id":"\ud800","label":"x","ts":1}"#.into(), ErrorCode::NotJson, "hex escape"),
        (Topic::Labels, format!("{}{}", r#"{"subject_id":"t","label":"x","ts":1,"more":"#, "[".repeat(9_999)), ErrorCode::NotJson, "JSON"),
        (Topic::Labels, r#"["t","x",1]"#.into(), ErrorCode::NotAnObject, "object"),
        (Topic::Labels, "null".into(), ErrorCode::NotAnObject, "object"),
        (Topic::Labels, "42".into(), ErrorCode::NotAnObject, "object"),
        (Topic::Orders, "{}".into(), ErrorCode::MissingField, "type"),
        (Topic::Orders, order("\"new\"=>\"replace\""), ErrorCode::UnknownType, "replace"),
        (Topic::Orders, order("\"new\"=>7"), ErrorCode::WrongType, "type"),
        (Topic::Orders, order("\"order_id\":\"o1\",=>"), ErrorCode::MissingField, "order_id"),
        (Topic::Orders, order("\"new\"=>\"new\",\"type\":\"cancel\""), ErrorCode::DuplicateField, "type"),
        (Topic::Orders, order("\"o1\"=>17"), ErrorCode::WrongType, "order_id: integer 17 is not an identifier"),
        (Topic::Orders, order("\"o1\"=>null"), ErrorCode::WrongType, "order_id: null is not"),
        (Topic::Orders, order("\"o1\"=>[1]"), ErrorCode::WrongType, "order_id: an array is not"),
        (Topic::Orders, order("\"o1\"=>\"o1 at line 1\""), ErrorCode::BadId, "order_id: \"o1 at line 1\" is no identifier"),
        (Topic::Orders, order("\"buy\"=>1"), ErrorCode::WrongType, "side: integer 1 is not"),
        (Topic::Orders, order("\"buy\"=>{\"buy\":null}"), ErrorCode::WrongType, "side: an object is not"),
        (Topic::Orders, order("\"buy\"=>\"BUY\""), ErrorCode::UnknownValue, "use one of buy, sell"),
        (Topic::Orders, order("\"ts\":4=>\"ts\":4,\"post_only\":\"yes\""), ErrorCode::WrongType, "post_only"),
        (Topic::Orders, order("\"o1\"=>\"o 1\""), ErrorCode::BadId, "order_id"),
        (Topic::Orders, order("\"buy\"=>\"hold\""), ErrorCode::UnknownValue, "side"),
        (Topic::Orders, order("\"10\"=>\"-10\""), ErrorCode::NotPositive, "quantity"),
        (Topic::Orders, order("\"10\"=>\"0\""), ErrorCode::NotPositive, "quantity"),
        (Topic::Orders, order("\"10\"=>\"ten\""), ErrorCode::BadDecimal, "quantity"),
        (Topic::Orders, order("\"10\"=>1.0123456789"), ErrorCode::BadDecimal, "quantity"),
        (Topic::Orders, order("\"10\"=>true"), ErrorCode::WrongType, "quantity"),
        (Topic::Orders, order("\"ts\":4=>\"ts\":\"yesterday\""), ErrorCode::BadTime, "ts"),
        (Topic::Orders, order("\"ts\":4=>\"ts\":\"2026-01-05T14:30:00\""), ErrorCode::BadTime, "ts"),
        (Topic::Orders, order("\"ts\":4=>\"ts\":18446744073709551615"), ErrorCode::BadTime, "ts"),
        (Topic::Orders, order("\"ts\":4=>\"ts\":1.5"), ErrorCode::WrongType, "ts: fractional number 1.5 is not a time"),
        (Topic::Orders, order("\"ts\":4=>\"ts\":1e999"), ErrorCode::OutOfRange, "ts"),
        (Topic::Orders, order("\"ts\":4=>\"ts\":null"), ErrorCode::WrongType, "ts"),
        (Topic::Orders, order("\"ts\":4=>\"ts\":4,\"ts\":5"), ErrorCode::DuplicateField, "ts"),
        (Topic::Orders, order(",\"price\":\"1\"=>"), ErrorCode::MissingField, "price"),
        (Topic::Orders, order("\"gtc\"=>\"gtd\""), ErrorCode::MissingField, "expires_at"),
        (Topic::Orders, order("\"ts\":4=>\"ts\":4,\"display_quantity\":\"11\""), ErrorCode::Inconsistent, "display_quantity"),
        (
            Topic::Orders,
            r#"{"type":"amend","order_id":"o","account_id":"a","symbol":"S","ts":1}"#.into(),
            ErrorCode::MissingField,
            "quantity",
        ),
        (
            Topic::Orders,
            r#"{"type":"amend","order_id":"o","account_id":"a","symbol":"S","quantity":"-1","ts":1}"#.into(),
            ErrorCode::NegativeNumber,
            "quantity",
        ),
        (Topic::Orders, order("\"limit\"=>\"stop\""), ErrorCode::MissingField, "stop_price"),
        (Topic::Orders, order("\"limit\"=>\"stop_limit\""), ErrorCode::MissingField, "stop_price"),
        (Topic::Limits, r#"{"scope":"desk:1","kind":"var","value":"1"}"#.into(), ErrorCode::BadScope, "scope"),
        (Topic::Limits, r#"{"scope":"account:","kind":"var","value":"1"}"#.into(), ErrorCode::BadScope, "scope"),
        (Topic::Limits, r#"{"scope":"default","kind":"var","value":"-1"}"#.into(), ErrorCode::NegativeNumber, "value"),
        (Topic::Limits, r#"{"scope":"default","kind":"var","value":"1","warn_at":80}"#.into(), ErrorCode::OutOfRange, "warn_at"),
        (Topic::Budgets, GOOD[4].1.replace("\"EUR\"", "\"EUR\",\"threshold\":-0.1"), ErrorCode::NegativeNumber, "threshold"),
        (Topic::Budgets, GOOD[4].1.replace("\"EUR\"", "\"EUROEUROEUROE\""), ErrorCode::BadId, "currency"),
        (Topic::Instruments, GOOD[0].1.replace("\"0.01\"", "0"), ErrorCode::NotPositive, "tick_size"),
        (Topic::Instruments, GOOD[0].1.replace("\"lot_size\":\"1\"", "\"lot_size\":-1"), ErrorCode::NotPositive, "lot_size"),
        (Topic::FxRates, GOOD[11].1.replace("\"1.08765\"", "0.0"), ErrorCode::NotPositive, "rate"),
        (Topic::FxRates, GOOD[11].1.replace("\"EUR\"", "\"USD\""), ErrorCode::Inconsistent, "rate"),
        (Topic::Transactions, GOOD[18].1.replace("\"12.5\"", "-12.5"), ErrorCode::NegativeNumber, "amount"),
        (Topic::Transactions, GOOD[18].1.replace("\"12.5\"", "100.505"), ErrorCode::Inconsistent, "amount: 100.505"),
        (Topic::Transactions, GOOD[18].1.replace("\"USD\"", "\"JPY\""), ErrorCode::Inconsistent, "0 fraction digits of JPY"),
        (Topic::Transactions, GOOD[18].1.replace("\"USD\"", "\"usd\""), ErrorCode::Inconsistent, "send USD"),
        (Topic::Payments, GOOD[19].1.replace("\"EUR\"", "\"KRW\""), ErrorCode::Inconsistent, "amount: 9.99"),
        (Topic::Transfers, GOOD[20].1.replace("\"5\"", "0.001"), ErrorCode::Inconsistent, "amount: 0.001"),
        (Topic::Suppressions, SUPPRESSION.replace("\"fan_out\"", "\"fan out\""), ErrorCode::BadId, "rule: \"fan out\""),
        (Topic::Suppressions, SUPPRESSION.replace("\"fan_out\"", "\"\""), ErrorCode::BadId, "rule"),
        (Topic::Suppressions, SUPPRESSION.replace("\"payday\"", "\" \""), ErrorCode::Inconsistent, "reason"),
        (Topic::Suppressions, SUPPRESSION.replace("\"ann\"", "\"\""), ErrorCode::Inconsistent, "author"),
        (Topic::Suppressions, SUPPRESSION.replace("17", "17,\"ts\":17"), ErrorCode::Inconsistent, "expires_at"),
        (Topic::Suppressions, SUPPRESSION.replace("17", "17,\"subject\":\"*\""), ErrorCode::BadId, "subject"),
        (Topic::Budgets, GOOD[4].1.replace("\"500\"", "0.005"), ErrorCode::Inconsistent, "amount: 0.005"),
        (Topic::Instruments, GOOD[0].1.replace("\"USD\"", "\"Usd\""), ErrorCode::Inconsistent, "currency"),
        (Topic::Accounts, GOOD[5].1.replace("\"USD\"", "\"usd\""), ErrorCode::Inconsistent, "currency"),
        (Topic::FxRates, GOOD[11].1.replace("\"EUR\"", "\"eur\""), ErrorCode::Inconsistent, "base"),
        (Topic::Customers, GOOD[1].1.replace("Europe/Berlin", ""), ErrorCode::UnknownValue, "timezone: \"\""),
        (Topic::Customers, GOOD[1].1.replace("Europe/Berlin", "Mars/Olympus"), ErrorCode::UnknownValue, "Mars/Olympus"),
        (Topic::Customers, GOOD[1].1.replace("Europe/Berlin", "US/NewYork"), ErrorCode::UnknownValue, "timezone: \"US/NewYork\""),
        (Topic::Transactions, GOOD[18].1.replace("\"-74\"", "\"180.000000001\""), ErrorCode::OutOfRange, "lon"),
        (Topic::Customers, GOOD[1].1.replace("1980-02-29", "1980-2-29"), ErrorCode::BadDate, "birth_date"),
        (Topic::Labels, format!(r#"{{"subject_id":"t","label":"{}","ts":1}}"#, "é".repeat(1025)), ErrorCode::BadText, "label"),
        (Topic::Closes, r#"{"symbol":"S","date":"2026-02-30","close":"1"}"#.into(), ErrorCode::BadDate, "date"),
        (Topic::Quotes, GOOD[8].1.replace("\"100\"", "\"-1\""), ErrorCode::NegativeNumber, "bid_size"),
        (Topic::Customers, r#"{"customer_id":"c","home_lat":"91"}"#.into(), ErrorCode::OutOfRange, "home_lat"),
        (Topic::Labels, format!(r#"{{"subject_id":"t","label":"{}","ts":1}}"#, "x".repeat(MAX_RECORD_BYTES)), ErrorCode::TooLarge, "bytes"),
    ];
    for (topic, text, code, named) in cases {
        match decode(*topic, text) {
            Ok(event) => panic!("{topic} {text}: taken as {event:?}"),
            Err(bad) => {
                assert_eq!(bad.code, *code, "{topic} {text:.200}: {bad}");
                assert!(bad.message.contains(named), "{topic} {text:.200}: {bad} does not name {named}");
                assert!(!["[bad_", "`", "expected a", "invalid"].iter().any(|jargon| bad.message.contains(jargon)), "{bad}");
            }
        }
    }
}

#[test]
fn type_may_stand_anywhere_in_a_record_but_only_once() {
    let bust = Event::Fill(FillEvent::Bust(Box::new(Bust {
        fill_id: Id::derived("f"),
        account_id: AccountId::derived("a"),
        ts: EventTime::from_nanos(9),
    })));
    for (text, expected) in [
        (r#"{"type":"bust","fill_id":"f","account_id":"a","ts":9}"#, Ok(&bust)),
        (" {\t\"type\" :\n\"bust\" , \"fill_id\":\"f\",\"account_id\":\"a\",\"ts\":9}", Ok(&bust)),
        (r#"{"fill_id":"f","account_id":"a","type":"bust","ts":9}"#, Ok(&bust)),
        (r#"{"\u0074ype":"bust","fill_id":"f","account_id":"a","ts":9}"#, Ok(&bust)),
        (r#"{"type":"b\u0075st","fill_id":"f","account_id":"a","ts":9}"#, Ok(&bust)),
        (r#"{"type":"bust","more":{"type":"fill"},"fill_id":"f","account_id":"a","ts":9}"#, Ok(&bust)),
        (r#"{"type":"bust","fill_id":"f","account_id":"a","ts":9,"type":"bust"}"#, Err(ErrorCode::DuplicateField)),
        (r#"{"type":"bust","fill_id":"f","account_id":"a","ts":9,"\u0074ype":"bust"}"#, Err(ErrorCode::DuplicateField)),
        (r#"{"type":"bust","fill_id":"","account_id":"a","ts":9,"#, Err(ErrorCode::NotJson)),
        (r#"{"type":"boost","fill_id":"f","account_id":"a","ts":9}"#, Err(ErrorCode::UnknownType)),
    ] {
        assert_eq!(decode(Topic::Fills, text).as_ref().map_err(|bad| bad.code), expected, "{text}");
    }
}

/// `not_json`: the value is not JSON, or something follows the object. A fault before that is no reason for another code.
#[test]
fn what_is_no_json_is_not_json_whatever_else_is_wrong() {
    for (topic, text) in [
        (Topic::Transactions, r#"{"amount":"1"} trailing"#),
        (Topic::Transactions, r#"{"transaction_id":"t","amount":"abc","#),
        (Topic::Transactions, r#"{"transaction_id":"t","amount":"-1","more":tru}"#),
        (Topic::Labels, r#"{"subject_id":7,"label":"x","ts":1}{}"#),
        (Topic::Labels, r#"{"subject_id":"t","subject_id":"t","#),
        (Topic::Fills, r#"{"type":"boost","fill_id":"f""#),
        (Topic::Orders, r#"{"order_id":"o"} x"#),
    ] {
        assert_eq!(decode(topic, text).map_err(|bad| bad.code), Err(ErrorCode::NotJson), "{text}");
    }
}

/// The ledger's own accounts, `external:USD` and `position:USD`, are nobody's to open, to send from, or to pay in another currency.
#[test]
fn accounts_of_the_ledger_are_no_customers() {
    let refused = |topic, text: &str, field: &str| match decode(topic, text) {
        Err(bad) => {
            assert_eq!(bad.code, ErrorCode::Inconsistent, "{text}");
            assert!(bad.message.starts_with(field), "{text}: {}", bad.message);
        }
        Ok(event) => panic!("{event:?}"),
    };
    let opened = |account: &str| {
        format!(r#"{{"type":"opened","account_id":"{account}","customer_id":"c","account_type":"checking","currency":"USD","ts":1}}"#)
    };
    let paid = |account: &str, more: &str| {
        format!(r#"{{"transaction_id":"t","account_id":"{account}","type":"payment","amount":"5","currency":"USD","ts":1{more}}}"#)
    };
    for account in ["external:USD", "external:EUR", "position:USD"] {
        refused(Topic::Accounts, &opened(account), "account_id");
        refused(Topic::Transactions, &paid(account, ""), "account_id");
    }
    let exchange = r#","counter_amount":"4","counter_currency":"EUR""#;
    for more in ["external:EUR", "external:", "position:USD"] {
        refused(Topic::Transactions, &paid("a", &format!(r#","counterparty_account":"{more}""#)), "counterparty_account");
    }
    let outside = |currency: &str| paid("a", &format!(r#"{exchange},"counterparty_account":"external:{currency}""#));
    refused(Topic::Transactions, &outside("USD"), "counterparty_account");
    assert!(decode(Topic::Transactions, &outside("EUR")).is_ok());
    // A reversal speaks in the terms of its original, which only the ledger knows.
    assert!(decode(Topic::Transactions, &paid("a", r#","reverses":"x","counterparty_account":"external:EUR""#)).is_ok());
    assert!(decode(Topic::Accounts, &opened("externals")).is_ok());
    refused(Topic::Transactions, &paid("a", r#","counter_amount":"4.001","counter_currency":"EUR""#), "counter_amount: 4.001");
    refused(Topic::Transactions, &paid("a", r#","counter_amount":"4","counter_currency":"eur""#), "counter_currency");
}

/// `f//d` made books without a name, and a budget for no category could never be reached.
#[test]
fn books_categories_and_labels_have_names() {
    let opened = |book: &str| {
        format!(
            r#"{{"type":"opened","account_id":"a","customer_id":"c","account_type":"checking","currency":"USD","book":"{book}","ts":1}}"#
        )
    };
    let updated = |book: &str| format!(r#"{{"type":"updated","account_id":"a","book":"{book}","ts":1}}"#);
    let budget = |category: &str| format!(r#"{{"customer_id":"c","category":"{category}","amount":"5","currency":"USD","ts":1}}"#);
    let label = |label: &str| format!(r#"{{"subject_id":"t","label":"{label}","ts":1}}"#);
    for book in ["f//d", "/f", "f/d/", "/"] {
        for event in [opened(book), updated(book)] {
            let bad = decode(Topic::Accounts, &event).unwrap_err();
            assert_eq!((bad.code, bad.message.starts_with("book: ")), (ErrorCode::Inconsistent, true), "{event}: {}", bad.message);
        }
    }
    // An account without a book, and one that leaves its book.
    for book in ["", "f", "f/d/b"] {
        assert!(decode(Topic::Accounts, &opened(book)).is_ok() && decode(Topic::Accounts, &updated(book)).is_ok(), "{book}");
    }
    for name in ["", " "] {
        for (topic, event, field) in [(Topic::Budgets, budget(name), "category: "), (Topic::Labels, label(name), "label: ")] {
            let bad = decode(topic, &event).unwrap_err();
            assert_eq!((bad.code, bad.message.starts_with(field)), (ErrorCode::Inconsistent, true), "{event}: {}", bad.message);
        }
    }
    assert!(decode(Topic::Budgets, &budget("food")).is_ok() && decode(Topic::Labels, &label("food")).is_ok());
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
fn bytes_that_are_not_utf8_are_refused_wherever_they_are() {
    for record in [
        &b"{\"subject_id\":\"t\",\"label\":\"\xff\",\"ts\":1}"[..],
        b"{\"subject_id\":\"t\",\"label\":\"x\",\"ts\":1,\"more\":\"\xff\"}",
        b"\xff",
    ] {
        assert_eq!(Event::decode(Topic::Labels, None, Some(record)).map_err(|bad| bad.code), Err(ErrorCode::NotUtf8), "{record:?}");
    }
}

#[test]
fn a_reason_stays_short_and_keeps_the_field_and_the_mend() -> TestResult {
    let price = "é".repeat(100_000);
    let trade = format!(r#"{{"symbol":"S","price":"{price}","size":1,"ts":1}}"#);
    let Err(bad) = decode(Topic::Trades, &trade) else { return Err("taken".into()) };
    assert_eq!(bad.code, ErrorCode::BadDecimal);
    assert!(bad.message.starts_with("price: ") && bad.message.contains("write digits"), "{bad}");
    assert!(bad.message.chars().count() < 500);
    Ok(())
}

#[test]
fn digests_are_kept_in_tables_and_must_not_change() -> TestResult {
    let digest = |good: usize| decode(GOOD[good].0, GOOD[good].1).map(|event| format!("{:032x}", event.body_digest()));
    let digests = [12, 16, 18, 19, 20].map(digest).into_iter().collect::<Result<Vec<_>, _>>()?;
    assert_eq!(
        digests,
        [
            "5be4534e04bbb4b3c997d2d56be8ed32",
            "d5050f242644cd58052eb5a804a54ca9",
            "750fdd148ecf8501eca1ff2a0dea534f",
            "720bb4b06139b54144cc1bbe8ff2805f",
            "d9933f7b0fcfd981256b8a20fe5eac17",
        ]
    );
    Ok(())
}

#[test]
fn a_field_without_use_is_taken() -> TestResult {
    let market = GOOD[12].1.replace("\"limit\"", "\"market\"");
    assert!(market.contains("price"));
    decode(Topic::Orders, &market)?;
    Ok(())
}

#[test]
fn an_enumeration_of_codes_is_one_to_one() {
    for code in ErrorCode::ALL {
        assert_eq!(ErrorCode::from_word(code.as_str()), Some(*code));
        assert!(code.as_str().bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_'), "{code}");
    }
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
fn a_default_written_out_is_the_same_content() -> TestResult {
    let opened = r#"{"type":"opened","account_id":"a1","customer_id":"c1","account_type":"checking","currency":"USD","ts":1"#;
    let order = r#"{"type":"new","order_id":"o1","account_id":"a1","symbol":"S","side":"buy","order_type":"market","time_in_force":"ioc","quantity":"10","ts":4"#;
    let fill = r#"{"type":"fill","fill_id":"f1","account_id":"a1","symbol":"S","side":"sell","quantity":"1","price":"2","ts":8"#;
    let transaction = r#"{"transaction_id":"t1","account_id":"a1","type":"payment","amount":"12.5","currency":"USD","ts":10"#;
    let exchange = r#"{"transaction_id":"t1","account_id":"a1","type":"payment","amount":"12.5","currency":"USD","counter_amount":"11","counter_currency":"EUR","ts":10"#;
    let hold = r#"{"transaction_id":"t1","account_id":"a1","type":"payment","phase":"pending","amount":"12.5","currency":"USD","ts":10"#;
    // Topic, event, a default, and another value in its place.
    for (topic, event, default, other) in [
        (Topic::Transactions, transaction, r#""phase":"posted""#, r#""phase":"pending""#),
        (Topic::Transactions, transaction, r#""counterparty_account":"external:USD""#, r#""counterparty_account":"b""#),
        (Topic::Transactions, exchange, r#""counterparty_account":"external:EUR""#, r#""counterparty_account":"b""#),
        (Topic::Transactions, hold, r#""counterparty_account":"external:USD""#, r#""counterparty_account":"b""#),
        (Topic::Fills, fill, r#""fee":"0.00""#, r#""fee":"0.01""#),
        (Topic::Orders, order, r#""post_only":false"#, r#""post_only":true"#),
        (Topic::Orders, order, r#""self_trade":"cancel_newest""#, r#""self_trade":"allow""#),
        (Topic::Accounts, opened, r#""overdraft_limit":0"#, r#""overdraft_limit":1"#),
    ] {
        let digest = |field: &str| decode(topic, &format!("{event}{field}}}")).map(|event| event.body_digest());
        assert_eq!(digest("")?, digest(&format!(",{default}"))?, "{default}");
        assert_ne!(digest("")?, digest(&format!(",{other}"))?, "{other}");
    }
    Ok(())
}

/// The counterparty that a capture or a reversal leaves out is that of its hold or original, which may be an account.
#[test]
fn the_outside_is_no_default_of_captures_and_reversals() -> TestResult {
    for reference in [r#""pending_id":"h1""#, r#""phase":"void","pending_id":"h1""#, r#""reverses":"t0""#] {
        let event =
            format!(r#"{{"transaction_id":"t1","account_id":"a1","type":"payment","amount":"12.5","currency":"USD","ts":10,{reference}"#);
        let digest = |field: &str| decode(Topic::Transactions, &format!("{event}{field}}}")).map(|event| event.body_digest());
        assert_ne!(digest("")?, digest(r#","counterparty_account":"external:USD""#)?, "{reference}");
    }
    Ok(())
}

#[test]
fn identities_are_those_of_the_contract() -> TestResult {
    let identities: Vec<_> = GOOD
        .iter()
        .map(|(topic, text)| {
            let text_of = |Identity { word, account_id, id, ts, key }: Identity<'_>| {
                assert_eq!(key, None, "{topic} {word} {id}");
                let account_id = account_id.map_or_else(String::new, |account_id| format!(" of {account_id}"));
                let ts = ts.map_or_else(String::new, |ts| format!(" at {}", ts.nanos()));
                format!("{topic} {word} {id}{account_id}{ts}")
            };
            Ok(decode(*topic, text)?.identity().map(text_of))
        })
        .collect::<Result<Vec<_>, BadRecord>>()?;
    let identities: Vec<_> = identities.into_iter().flatten().collect();
    let expected = [
        "accounts opened a1 at 1",
        "accounts updated a1 at 2",
        "accounts frozen a1 at 3",
        "orders new o1 of a1",
        "fills fill f1 of a1",
        "fills bust f1 of a1",
        "transactions transaction t1",
        "payments completed p1",
        "transfers initiated x1",
        "transfers debit_reversed x1",
    ];
    assert_eq!(identities, expected);
    Ok(())
}

#[test]
fn only_refunds_are_distinguished_by_their_keys() -> TestResult {
    let key_of = |status: &str| {
        let text = format!(
            r#"{{"payment_id":"p","customer_id":"c","merchant_id":"m","amount":1,"currency":"USD","method":"wire","status":"{status}","idempotency_key":"k","ts":1}}"#
        );
        decode(Topic::Payments, &text).map(|event| event.identity().and_then(|identity| identity.key.map(str::to_owned)))
    };
    assert_eq!((key_of("refunded")?, key_of("completed")?), (Some("k".to_owned()), None));
    Ok(())
}

#[test]
fn an_amendment_to_nothing_is_an_event() -> TestResult {
    let text = r#"{"type":"amend","order_id":"o","account_id":"a","symbol":"S","quantity":0,"ts":1}"#;
    let Event::Order(OrderEvent::Amend(amend)) = decode(Topic::Orders, text)? else { panic!("{text}") };
    assert_eq!(amend.quantity.map(crate::Size::units), Some(0));
    Ok(())
}

#[test]
fn an_event_stays_small() {
    assert!(size_of::<Event>() <= 32, "{}", size_of::<Event>());
}

/// Compares `json/<topic>.schema.json` with the types; `UPDATE_SCHEMAS=1` writes them instead. The comparison is of the content:
/// the order of its fields depends on what else is built.
#[test]
fn json_schemas_are_those_of_the_types() -> TestResult {
    let folder = std::path::PathBuf::from(std::env::var("CARGO_MANIFEST_DIR")?).join("json");
    for topic in Topic::ALL {
        let schema = schema_of(*topic);
        let path = folder.join(format!("{topic}.schema.json"));
        if std::env::var_os("UPDATE_SCHEMAS").is_some() {
            std::fs::create_dir_all(&folder)?;
            std::fs::write(&path, serde_json::to_string_pretty(&schema)? + "\n")?;
        }
        let stored = std::fs::read(&path).ok().and_then(|text| serde_json::from_slice(&text).ok());
        let advice = "run UPDATE_SCHEMAS=1 cargo test -p headwater-schemas json_schemas";
        assert!(stored.as_ref() == Some(schema.as_value()), "{} differs from the types: {advice}", path.display());
    }
    let entries = std::fs::read_dir(&folder)?.collect::<Result<Vec<_>, _>>()?;
    // The folder `published` has the schemas of published topics.
    let files = entries.iter().filter(|entry| entry.path().is_file()).count();
    assert_eq!(files, Topic::COUNT, "{} has files of no topic", folder.display());
    Ok(())
}

fn schema_of(topic: Topic) -> schemars::Schema {
    let generator = schemars::generate::SchemaSettings::draft2020_12().into_generator();
    let mut schema = match topic {
        Topic::Instruments => generator.into_root_schema_for::<Instrument>(),
        Topic::Customers => generator.into_root_schema_for::<Customer>(),
        Topic::Limits => generator.into_root_schema_for::<Limit>(),
        Topic::Watchlists => generator.into_root_schema_for::<Watch>(),
        Topic::Budgets => generator.into_root_schema_for::<Budget>(),
        Topic::Suppressions => generator.into_root_schema_for::<Suppression>(),
        Topic::Accounts => generator.into_root_schema_for::<AccountEvent>(),
        Topic::Quotes => generator.into_root_schema_for::<Quote>(),
        Topic::Trades => generator.into_root_schema_for::<Trade>(),
        Topic::Closes => generator.into_root_schema_for::<Close>(),
        Topic::FxRates => generator.into_root_schema_for::<FxRate>(),
        Topic::Orders => generator.into_root_schema_for::<OrderEvent>(),
        Topic::Fills => generator.into_root_schema_for::<FillEvent>(),
        Topic::Transactions => generator.into_root_schema_for::<Transaction>(),
        Topic::Payments => generator.into_root_schema_for::<Payment>(),
        Topic::Transfers => generator.into_root_schema_for::<TransferEvent>(),
        Topic::Access => generator.into_root_schema_for::<Access>(),
        Topic::Labels => generator.into_root_schema_for::<Label>(),
        Topic::Rules => generator.into_root_schema_for::<RulesetEvent>(),
    };
    schema.insert("title".to_owned(), topic.as_str().into());
    schema
}

fn decimal_text() -> impl Strategy<Value = String> {
    (any::<bool>(), 0..1_000_000_000_000_000_000_u64, 0..1_000_000_000_u64, 0..=9_usize).prop_map(
        |(negative, integer, fraction, digits)| {
            let fraction = format!("{fraction:09}");
            let fraction = &fraction[..digits];
            format!("{}{integer}{}{fraction}", if negative { "-" } else { "" }, if digits > 0 { "." } else { "" })
        },
    )
}

/// A valid record with its texts, numbers and times changed, and some optional fields left out.
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

/// A valid record of any topic with a few of its bytes replaced, removed, doubled or cut off.
fn damaged(seed: u64) -> (Topic, Vec<u8>) {
    let chance = &mut sample::Chance::new(seed);
    let topic = chance.one_of(Topic::ALL);
    let mut bytes = sample::event(topic, chance.bits()).encode().unwrap_or_default();
    for _ in 0..=chance.below(3) {
        let (from, to) = (chance.below(bytes.len()), chance.below(bytes.len()));
        let piece = bytes.get(from..to.min(from + 20)).unwrap_or_default().to_vec();
        match chance.below(5) {
            0 => bytes[from] = chance.one_of(b"\"\\{}[]:,0-9eE.ntf \xff\xc3\0"),
            1 => drop(bytes.drain(from..from + piece.len())),
            2 => drop(bytes.splice(to..to, piece)),
            3 => drop(bytes.splice(from..from, *b"null,")),
            _ => bytes.truncate(from.max(1)),
        }
    }
    (topic, bytes)
}

/// Checks that both encodings of an event decode to it.
fn survives(event: &Event) -> Result<(), TestCaseError> {
    let written = event.encode().expect("a value");
    let fields: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(&written)?;
    prop_assert!(!fields.values().any(serde_json::Value::is_null), "{:?}", written);
    let read = Event::decode(event.topic(), Some(event.key().as_bytes()), Some(&written));
    prop_assert_eq!(read.as_ref(), Ok(event));
    let binary: Event = bincode::deserialize(&bincode::serialize(event)?)?;
    prop_assert_eq!(&binary, event);
    prop_assert_eq!(binary.body_digest(), event.body_digest());
    Ok(())
}

proptest! {
    #[test]
    fn every_event_survives_both_forms(seed in any::<u64>()) {
        for topic in Topic::ALL {
            survives(&sample::event(*topic, seed))?;
        }
    }

    #[test]
    fn what_is_taken_is_written_and_read_back_the_same((topic, text) in (0..GOOD.len()).prop_flat_map(changed)) {
        if let Ok(event) = decode(topic, &text) {
            survives(&event)?;
        }
    }

    #[test]
    fn no_damage_to_a_record_panics_or_slips_through(seed in any::<u64>()) {
        let (topic, bytes) = damaged(seed);
        match Event::decode(topic, None, Some(&bytes)) {
            Ok(event) => survives(&event)?,
            Err(bad) => prop_assert!(!bad.message.is_empty() && bad.message.chars().count() < 500, "{}", bad),
        }
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

    #[test]
    fn a_decimal_is_kept_digit_by_digit(text in decimal_text()) {
        let record = format!(r#"{{"symbol":"S","price":{text},"size":1,"ts":1}}"#);
        let Ok(Event::Trade(trade)) = decode(Topic::Trades, &record) else { return Err(TestCaseError::fail(record)) };
        let shortest = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
        let shortest = if shortest == "-0" { "0" } else { shortest };
        prop_assert_eq!(trade.price.to_string(), shortest);
    }

    #[test]
    fn a_time_is_kept_to_the_nanosecond(nanos in any::<i64>()) {
        for text in [nanos.to_string(), format!("\"{}\"", EventTime::from_nanos(nanos))] {
            let label = decode(Topic::Labels, &format!(r#"{{"subject_id":"t","label":"x","ts":{text}}}"#))?;
            prop_assert_eq!(label.ts(), Some(EventTime::from_nanos(nanos)));
        }
    }
}

#[test]
fn errors_about_personal_fields_do_not_quote_their_values() {
    let customer = |field: &str| (Topic::Customers, format!(r#"{{"customer_id":"c1",{field}}}"#));
    let access = |field: &str| (Topic::Access, format!(r#"{{"actor":"a","action":"log_in","outcome":"denied","ts":1,{field}}}"#));
    for ((topic, record), expected) in [
        (customer(r#""birth_date":"1984-13-07""#), "birth_date: the value is not a date between 1678 and 2261; write YYYY-MM-DD"),
        (customer(r#""birth_date":19840307"#), "birth_date: integer is not "),
        (customer(r#""home_lat":"48.1371x \"q\"""#), "home_lat: the value "),
        (customer(r#""home_lon":"11.57549999999""#), "home_lon: the value "),
        (customer(r#""home_lat":148.1371"#), "home_lat: a latitude lies between -90 and 90 degrees"),
        (customer(r#""country":-48"#), "country: integer is not "),
        (access(r#""ip":203.0113"#), "ip: "),
        (access(r#""device_id":["phone-1371"]"#), "device_id: an array is not "),
    ] {
        let bad = Event::decode(topic, None, Some(record.as_bytes())).expect_err(&record);
        assert!(bad.message.starts_with(expected), "{record}: {}", bad.message);
        for value in ["1984", "1371", "5754", "203", "-48"] {
            assert!(!bad.message.contains(value), "{record}: {}", bad.message);
        }
    }
}

#[test]
fn errors_about_other_fields_quote_what_was_found() {
    let trade = br#"{"symbol":"AAPL","price":"26.1O","size":1,"ts":1}"#;
    let bad = Event::decode(Topic::Trades, None, Some(trade)).expect_err("a letter in a price");
    assert!(bad.message.contains("26.1O"), "{}", bad.message);
}
