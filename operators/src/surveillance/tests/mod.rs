//! Tests of surveillance: stories of orders that go through a real book, and what is found in them.

mod books;
mod feeds;
mod recomputed;
mod traders;

use std::sync::Arc;

use headwater_schemas::events::{Event, OrderEvent};
use headwater_schemas::tables::{Alert, TableRow, TableWriter};
use headwater_schemas::{EffectiveTime, Nanos, Offset, Place, Placed, Price, Tick, Topic};

use super::*;
use crate::matching::Matching;
use crate::positions::{PositionEvent, PositionSettings, Positions};
use crate::testing::{Happening, Happenings, history_of, rows_of, run, run_with_restart};

/// 2026-01-05T14:00:00Z.
const START: u64 = 1_767_621_600_000_000_000;
const HOUR: Nanos = Nanos::new(3_600_000_000_000);

/// Instruments `S` and `T` in USD, and `E` in EUR; accounts `a1` and `a2` of customer `ann`, `b1` of `bob` and `c1` of `cat`, who
/// are a group, and `m1` and `x1` of others.
const REFERENCE: [(Topic, &str); 11] = [
    (Topic::Instruments, r#"{"symbol":"S","asset_class":"equity","currency":"USD","tick_size":"0.01","lot_size":"1"}"#),
    (Topic::Instruments, r#"{"symbol":"T","asset_class":"equity","currency":"USD","tick_size":"0.01","lot_size":"1"}"#),
    (Topic::Instruments, r#"{"symbol":"E","asset_class":"equity","currency":"EUR","tick_size":"0.01","lot_size":"1"}"#),
    (Topic::Customers, r#"{"customer_id":"bob","group_id":"gang"}"#),
    (Topic::Customers, r#"{"customer_id":"cat","group_id":"gang"}"#),
    (Topic::Accounts, r#"{"type":"opened","account_id":"a1","customer_id":"ann","account_type":"investment","currency":"USD","ts":1}"#),
    (Topic::Accounts, r#"{"type":"opened","account_id":"a2","customer_id":"ann","account_type":"investment","currency":"USD","ts":1}"#),
    (Topic::Accounts, r#"{"type":"opened","account_id":"b1","customer_id":"bob","account_type":"investment","currency":"USD","ts":1}"#),
    (Topic::Accounts, r#"{"type":"opened","account_id":"c1","customer_id":"cat","account_type":"investment","currency":"USD","ts":1}"#),
    (Topic::Accounts, r#"{"type":"opened","account_id":"m1","customer_id":"max","account_type":"investment","currency":"USD","ts":1}"#),
    (Topic::Accounts, r#"{"type":"opened","account_id":"x1","customer_id":"xia","account_type":"investment","currency":"USD","ts":1}"#),
];

fn decoded(topic: Topic, text: &str) -> Event {
    Event::decode(topic, None, Some(text.as_bytes())).unwrap_or_else(|bad| panic!("{text}: {bad:?}"))
}

/// Nanoseconds after the start.
fn time(seconds: &str) -> EffectiveTime {
    let nanos = seconds.parse::<Price>().expect(seconds).units();
    EffectiveTime::new(START + u64::try_from(nanos).expect(seconds))
}

/// The event of a line, at the seconds after 14:00 with which the line begins:
///
/// - `1 new ACCOUNT ORDER buy 100 @ 10`, with `self_trade=allow` and the like at the end; `@ market` for a market order
/// - `1 cancel ACCOUNT ORDER`, `1 amend ACCOUNT ORDER 50`, `1 phase closed`
/// - `1 trade 500`, a trade of the market, and `1 trade 500 0.5`, one with another time of its own
/// - `1 fill ACCOUNT FILL buy 100 @ 10`, `1 bust ACCOUNT FILL`
/// - `1 give ACCOUNT CUSTOMER`: the account changes hands
/// - `1 group CUSTOMER GROUP`: the customer is of another group
/// - `1 multiplier 5`: the instrument has another multiplier
///
/// The symbol is `S`, unless the line ends in `in SYMBOL`.
fn event(line: &str) -> (EffectiveTime, Topic, Event) {
    let (line, symbol) = line.split_once(" in ").unwrap_or((line, "S"));
    let words: Vec<&str> = line.split(' ').collect();
    let at = time(words[0]);
    let fields = format!(r#""symbol":"{symbol}","ts":{at}"#);
    let (topic, text) = match words[1..] {
        ["new", account, order, side, quantity, "@", price, ..] => {
            let kind = if price == "market" { r#""market""#.to_owned() } else { format!(r#""limit","price":"{price}""#) };
            let more: String = words[8..]
                .iter()
                .filter_map(|word| word.split_once('='))
                .map(|(field, value)| format!(r#","{field}":"{value}""#))
                .collect();
            let day = if more.contains("time_in_force") { "" } else { r#","time_in_force":"day""# };
            let order = format!(r#""account_id":"{account}","order_id":"{order}","side":"{side}","quantity":"{quantity}""#);
            (Topic::Orders, format!(r#"{{"type":"new",{order},"order_type":{kind}{day}{more},{fields}}}"#))
        }
        ["cancel", account, order] => {
            (Topic::Orders, format!(r#"{{"type":"cancel","account_id":"{account}","order_id":"{order}",{fields}}}"#))
        }
        ["amend", account, order, quantity] => {
            let order = format!(r#""account_id":"{account}","order_id":"{order}","quantity":"{quantity}""#);
            (Topic::Orders, format!(r#"{{"type":"amend",{order},{fields}}}"#))
        }
        ["phase", phase] => (Topic::Orders, format!(r#"{{"type":"phase","phase":"{phase}",{fields}}}"#)),
        ["trade", size] => (Topic::Trades, format!(r#"{{"price":"10","size":"{size}",{fields}}}"#)),
        ["trade", size, ts] => (Topic::Trades, format!(r#"{{"price":"10","size":"{size}","symbol":"{symbol}","ts":{}}}"#, time(ts))),
        ["fill", account, fill, side, quantity, "@", price] => {
            let fill = format!(r#""account_id":"{account}","fill_id":"{fill}","side":"{side}","quantity":"{quantity}","price":"{price}""#);
            (Topic::Fills, format!(r#"{{"type":"fill",{fill},{fields}}}"#))
        }
        ["bust", account, fill] => (Topic::Fills, format!(r#"{{"type":"bust","account_id":"{account}","fill_id":"{fill}","ts":{at}}}"#)),
        ["give", account, customer] => {
            (Topic::Accounts, format!(r#"{{"type":"updated","account_id":"{account}","customer_id":"{customer}","ts":{at}}}"#))
        }
        ["group", customer, group] => (Topic::Customers, format!(r#"{{"customer_id":"{customer}","group_id":"{group}","ts":{at}}}"#)),
        ["multiplier", multiplier] => {
            let terms = format!(r#""asset_class":"equity","currency":"USD","tick_size":"0.01","lot_size":"1","multiplier":"{multiplier}""#);
            (Topic::Instruments, format!("{{{terms},{fields}}}"))
        }
        _ => panic!("{line}"),
    };
    (at, topic, decoded(topic, &text))
}

/// The reference data, at the beginning.
fn reference<E>() -> Vec<Placed<Happening<Event, E>>> {
    let record = |(number, (topic, text)): (u64, &(Topic, &str))| Placed {
        place: Place::of_record(EffectiveTime::ZERO, *topic, 0, Offset::new(number)),
        event: Happening::Broadcast(decoded(*topic, text)),
    };
    (0..).zip(&REFERENCE).map(record).collect()
}

/// What the surveillance of books reads of a story.
fn watched(lines: &[String]) -> Happenings<BookSurveillance> {
    let (mut orders, mut fills, mut happenings) = (reference(), Vec::new(), reference());
    for (number, line) in (100..).zip(lines) {
        let (at, topic, event) = event(line);
        let ts = event.ts().expect("a time");
        let place = Place::of_record(at, topic, 0, Offset::new(number)).of_event_at(ts, Nanos::ZERO);
        match event {
            Event::Order(event) => orders.push(Placed { place, event: Happening::Event::<Event, OrderEvent>(event) }),
            Event::Fill(event) => fills.push(Placed { place, event: Happening::Event(PositionEvent::Fill(event)) }),
            Event::Trade(trade) => happenings.push(Placed { place, event: Happening::Event(WatchEvent::Trade(trade)) }),
            event @ (Event::Account(_) | Event::Customer(_) | Event::Instrument(_)) => {
                happenings.push(Placed { place, event: Happening::Broadcast(event) })
            }
            other => panic!("{other:?}"),
        }
    }
    let books = run(Matching::default(), orders).derived;
    let fills = run(Positions { horizon: HOUR, settings: PositionSettings::default() }, fills).derived;
    happenings.extend(books.into_iter().map(|event| event.map(|event| Happening::Event(WatchEvent::Book(event)))));
    happenings.extend(fills.into_iter().map(|change| change.map(|change| Happening::Event(WatchEvent::Fill(change)))));
    happenings
}

fn lines(lines: &[&str]) -> Vec<String> {
    lines.iter().map(|line| (*line).to_owned()).collect()
}

fn books(settings: &SurveillanceSettings) -> BookSurveillance {
    BookSurveillance { settings: Arc::new(settings.clone()), horizon: HOUR, busts: HOUR }
}

fn traders(settings: &SurveillanceSettings) -> TraderSurveillance {
    TraderSurveillance { settings: Arc::new(settings.clone()), horizon: HOUR }
}

fn settings(text: &str) -> SurveillanceSettings {
    toml::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// What the surveillance of traders reads of a story.
fn traded(lines: &[String], settings: &SurveillanceSettings) -> Happenings<TraderSurveillance> {
    let derived = run(books(settings), watched(lines)).derived;
    derived.into_iter().map(|Placed { event: (place, event), .. }| Placed { place, event: Happening::Event(event) }).collect()
}

/// The changes of alerts, each as `seconds rule subject state`.
fn shown(alerts: &TableWriter<Alert>) -> Vec<String> {
    let text = |(tick, alert, _): (Tick, Alert, bool)| {
        let seconds = Price::from_units(i128::from(tick.get()) - i128::from(START));
        format!("{seconds} {} {} {}", alert.rule, alert.subject, alert.state)
    };
    history_of(alerts).into_iter().map(text).collect()
}

/// The ids in the evidence of the only alert.
fn evidence(alerts: &TableWriter<Alert>) -> Vec<String> {
    let rows = rows_of(alerts);
    assert_eq!(rows.len(), 1, "{rows:?}");
    rows.iter().flat_map(|row| &row.evidence).map(ToString::to_string).collect()
}

fn same<R: TableRow>(one: &TableWriter<R>, other: &TableWriter<R>, case: &str) {
    assert_eq!(history_of(one), history_of(other), "{case}");
}

/// The changes of alerts of both views of a story, which is also restarted before each of its events.
fn found(story: &[&str], settings: &SurveillanceSettings) -> Vec<String> {
    let story = lines(story);
    let happenings = watched(&story);
    let whole = run(books(settings), happenings.clone());
    for cut in REFERENCE.len()..=happenings.len() {
        let case = format!("{story:?}, cut at {cut}");
        let halves = run_with_restart(books(settings), happenings.clone(), cut);
        same(&whole.tables.alerts, &halves.tables.alerts, &case);
        assert_eq!(rows_of(&whole.tables.events), rows_of(&halves.tables.events), "{case}");
        assert_eq!(rows_of(&whole.tables.counts), rows_of(&halves.tables.counts), "{case}");
        assert_eq!(rows_of(&whole.tables.volumes), rows_of(&halves.tables.volumes), "{case}");
        assert_eq!(rows_of(&whole.tables.fills), rows_of(&halves.tables.fills), "{case}");
        assert_eq!(rows_of(&whole.tables.saved_alerts), rows_of(&halves.tables.saved_alerts), "{case}");
        assert_eq!(whole.derived, halves.derived, "{case}");
    }
    let events = traded(&story, settings);
    let of_traders = run(traders(settings), events.clone());
    for cut in 0..=events.len() {
        let case = format!("{story:?}, traders cut at {cut}");
        let halves = run_with_restart(traders(settings), events.clone(), cut);
        same(&of_traders.tables.alerts, &halves.tables.alerts, &case);
        assert_eq!(rows_of(&of_traders.tables.order_values), rows_of(&halves.tables.order_values), "{case}");
        assert_eq!(rows_of(&of_traders.tables.traded), rows_of(&halves.tables.traded), "{case}");
        assert_eq!(rows_of(&of_traders.tables.saved_alerts), rows_of(&halves.tables.saved_alerts), "{case}");
    }
    let mut alerts = shown(&whole.tables.alerts);
    alerts.extend(shown(&of_traders.tables.alerts));
    alerts
}
