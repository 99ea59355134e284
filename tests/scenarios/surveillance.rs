//! Problems of people who watch a market: each story has its own symbol, with the right alerts, wherever the run is cut.

use std::path::Path;

use anyhow::Result;
use headwater_tests::pipeline::{PLAIN, Way, command_with, rows, succeed};
use headwater_tests::stories::{Record, same_wherever_cut, write};

/// A record: minutes and seconds after 14:00 at which it is published, topic, and JSON in which `@MM:SS` is a time.
type Timed = (&'static str, &'static str, String);

/// Few messages are a flood, and the day's volume is small.
const SETTINGS: &str = "[surveillance]\nstuffing_messages = 10\nlarge_trader_quantity = 2000\n";

/// An order with the terms `SIDE QUANTITY PRICE`.
fn order(at: &'static str, symbol: &str, account: &str, id: &str, terms: &str) -> Timed {
    let mut words = terms.split(' ');
    let mut word = || words.next().unwrap_or_default();
    let (side, quantity, price) = (word(), word(), word());
    let names = format!(r#""symbol":"{symbol}","account_id":"{account}","order_id":"{id}""#);
    let terms = format!(r#""side":"{side}","quantity":"{quantity}","order_type":"limit","price":"{price}","time_in_force":"day""#);
    (at, "orders", format!(r#"{{"type":"new",{names},{terms},"self_trade":"allow","ts":"@{at}"}}"#))
}

fn cancel(at: &'static str, symbol: &str, account: &str, id: &str) -> Timed {
    let names = format!(r#""symbol":"{symbol}","account_id":"{account}","order_id":"{id}""#);
    (at, "orders", format!(r#"{{"type":"cancel",{names},"ts":"@{at}"}}"#))
}

/// A trade of the market that is published at `at` and was made at `ts`.
fn trade(at: &'static str, symbol: &str, size: &str, ts: &str) -> Timed {
    (at, "market.trades", format!(r#"{{"symbol":"{symbol}","price":"10","size":"{size}","ts":"@{ts}"}}"#))
}

fn quote(at: &'static str, symbol: &str) -> Timed {
    let quote = r#""bid":"9.99","ask":"10.01","bid_size":"100","ask_size":"100""#;
    (at, "market.quotes", format!(r#"{{"symbol":"{symbol}",{quote},"ts":"@{at}"}}"#))
}

fn fill(at: &'static str, id: &str, quantity: &str) -> Timed {
    let fill = format!(r#""fill_id":"{id}","account_id":"v1","symbol":"V","side":"buy","quantity":"{quantity}","price":"10""#);
    (at, "fills", format!(r#"{{"type":"fill",{fill},"ts":"@{at}"}}"#))
}

fn account(id: &str, customer: &str) -> Timed {
    let account = format!(r#""account_id":"{id}","customer_id":"{customer}","account_type":"investment","currency":"USD""#);
    ("00:00", "accounts", format!(r#"{{"type":"opened",{account},"ts":"@00:00"}}"#))
}

fn instrument(symbol: &str) -> Timed {
    let terms = r#""asset_class":"equity","currency":"USD","tick_size":"0.01","lot_size":"1""#;
    ("00:00", "instruments", format!(r#"{{"symbol":"{symbol}",{terms}}}"#))
}

fn reference() -> Vec<Timed> {
    let group = |customer: &str| ("00:00", "customers", format!(r#"{{"customer_id":"{customer}","group_id":"gang"}}"#));
    let mut records: Vec<Timed> = ["C", "F", "G", "K", "L", "Q", "S", "T", "V", "W"].into_iter().map(instrument).collect();
    records.extend([group("bob"), group("cat"), account("a1", "ann"), account("a2", "ann"), account("b1", "bob"), account("c1", "cat")]);
    records.push(account("v1", "vic"));
    records
}

fn stories() -> Vec<Timed> {
    let mut records = vec![
        // Layers on the sell side, a purchase, and cancels.
        order("01:00", "L", "m1", "l1", "sell 100 11"),
        order("01:01", "L", "m1", "l2", "sell 100 12"),
        order("01:02", "L", "m1", "l3", "sell 100 13"),
        order("01:03", "L", "x1", "l4", "sell 60 10"),
        order("01:04", "L", "m1", "l5", "buy 60 10"),
        cancel("01:05", "L", "m1", "l1"),
        cancel("01:06", "L", "m1", "l2"),
        cancel("01:07", "L", "m1", "l3"),
        // A market maker does the same on both sides.
        order("01:10", "K", "k1", "k1", "sell 100 11"),
        order("01:11", "K", "k1", "k2", "buy 100 8"),
        order("01:12", "K", "k1", "k3", "sell 100 12"),
        order("01:13", "K", "k1", "k4", "buy 100 7"),
        order("01:14", "K", "k1", "k5", "sell 100 13"),
        order("01:15", "K", "k1", "k6", "buy 100 6"),
        order("01:16", "K", "x1", "k7", "sell 60 10"),
        order("01:17", "K", "k1", "k8", "buy 60 10"),
        cancel("01:20", "K", "k1", "k2"),
        cancel("01:21", "K", "k1", "k1"),
        cancel("01:22", "K", "k1", "k4"),
        cancel("01:23", "K", "k1", "k3"),
        cancel("01:24", "K", "k1", "k6"),
        cancel("01:25", "K", "k1", "k5"),
        // Two accounts of one customer trade with each other; then with strangers.
        order("02:00", "W", "a1", "w1", "sell 100 10"),
        order("02:01", "W", "a2", "w2", "buy 100 10"),
        order("02:10", "W", "a1", "w3", "sell 100 11"),
        order("02:11", "W", "x1", "w4", "buy 100 11"),
        // A purchase before the close, and a trade of the market that is reported late.
        order("03:00", "C", "x1", "c1", "sell 900 10"),
        order("03:01", "C", "m1", "c2", "buy 500 10"),
        order("03:02", "C", "z1", "c3", "buy 400 10"),
        trade("03:03", "C", "300", "03:03"),
        ("04:00", "orders", r#"{"type":"phase","symbol":"C","phase":"closed","ts":"@04:00"}"#.to_owned()),
        trade("04:10", "S", "5", "04:10"),
        trade("04:11", "C", "100", "03:30"),
        // An order ahead of a linked one, and one ahead of a stranger's.
        order("06:00", "F", "b1", "f1", "buy 10 10"),
        order("06:00", "F", "x1", "f2", "buy 10 10"),
        order("06:01", "F", "c1", "f3", "buy 100 10"),
        // A typing error.
        order("07:20", "G", "g1", "big", "buy 101 10"),
        // A large day, until a fill is busted.
        fill("08:00", "v-1", "1500"),
        fill("08:01", "v-2", "600"),
        ("08:10", "fills", r#"{"type":"bust","account_id":"v1","fill_id":"v-1","ts":"@08:10"}"#.to_owned()),
        // A feed that pauses.
        quote("09:00", "S"),
        quote("09:00", "T"),
        quote("09:04", "T"),
        quote("09:10", "T"),
        quote("09:12", "S"),
    ];
    // A flood of messages.
    let flood = ["04:59.1", "04:59.2", "04:59.3", "04:59.4", "04:59.5", "04:59.6", "04:59.7", "04:59.8", "04:59.9", "05:00"];
    records.extend(flood.map(|at| cancel(at, "Q", "q1", "none")));
    let usual = ["07:00", "07:01", "07:02", "07:03", "07:04", "07:05", "07:06", "07:07", "07:08", "07:09"];
    records.extend(usual.map(|at| order(at, "G", "g1", at, "buy 1 10")));
    records
}

/// All records, in the order of publication.
fn records() -> Vec<Record> {
    let mut records = [reference(), stories()].concat();
    records.sort_by_key(|(at, ..)| *at);
    records.into_iter().map(|(_, topic, text)| (topic, text)).collect()
}

fn run(log: &Path, data: &Path, way: Way) -> Result<()> {
    succeed(command_with(&format!("log:{}", log.display()), data, way, SETTINGS, "200ms")?.output()?)
}

const ALERTS: [&str; 9] = [
    "fat_finger,g1,medium,raised,2026-01-05T14:07:20Z",
    "front_running,b1,high,raised,2026-01-05T14:06:01Z",
    "large_trader,vic,low,withdrawn,2026-01-05T14:08:10Z",
    "layering,m1,high,raised,2026-01-05T14:01:07Z",
    "marking_the_close,m1,high,withdrawn,2026-01-05T14:04:10Z",
    "marking_the_close,x1,high,amended,2026-01-05T14:04:10Z",
    "quote_stuffing,q1,medium,raised,2026-01-05T14:05:00Z",
    "stale_feed,S,medium,cleared,2026-01-05T14:09:13Z",
    "wash_trade,ann,high,raised,2026-01-05T14:02:01Z",
];

#[test]
fn what_people_who_watch_a_market_run_into() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let records = records();
    let (log, data) = (folder.path().join("log"), folder.path().join("data"));
    write(&log, &records)?;
    run(&log, &data, PLAIN)?;
    let ask = |query: &str| rows(&data, query);
    assert_eq!(ask("SELECT rule, subject, severity, state, ts FROM alerts WHERE kind = 'surveillance' ORDER BY 1, 2")?, ALERTS);
    let evidence = |rule: &str| ask(&format!("SELECT evidence FROM alerts WHERE kind = 'surveillance' AND rule = '{rule}'"));
    assert_eq!(evidence("layering")?, [r#""[""l1"",""l2"",""l3"",""L-1-b""]""#]);
    assert_eq!(evidence("wash_trade")?, [r#""[""W-1-b"",""W-1-s""]""#]);
    assert_eq!(evidence("front_running")?, [r#""[""f1"",""f3""]""#]);
    // What changed an alert afterwards is its reason.
    let reasons = "SELECT reason, count(*) FROM corrections WHERE change > 0 AND relation = 'alerts' GROUP BY 1 ORDER BY 1";
    assert_eq!(ask(reasons)?, ["C of market.trades came 40.000 s late,2", "fill v-1 was busted,1"]);
    // The position limit is a limit, not a rule of its own.
    assert_eq!(ask("SELECT count(*) FROM alerts WHERE rule = 'position_over_limit'")?, ["0"]);

    same_wherever_cut(&records, 4, &data, run)
}
