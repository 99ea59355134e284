//! Problems of people who value positions: each story uses a log of its own, with the right numbers, wherever the run is cut.

use anyhow::Result;
use headwater_tests::pipeline::{PLAIN, command_with, rows, succeed};
use headwater_tests::stories::{Record, Story, check, write};

fn opened(account: &str, currency: &str, more: &str) -> Record {
    let fixed = format!(r#""customer_id":"{account}","account_type":"investment""#);
    ("accounts", format!(r#"{{"type":"opened","account_id":"{account}",{fixed},"currency":"{currency}"{more},"ts":"@0"}}"#))
}

fn updated(account: &str, what: &str, ts: u32) -> Record {
    ("accounts", format!(r#"{{"type":"updated","account_id":"{account}",{what},"ts":"@{ts}"}}"#))
}

fn fill(id: &str, account: &str, symbol: &str, side: &str, quantity: &str, price: &str, ts: u32) -> Record {
    let deal = format!(r#""symbol":"{symbol}","side":"{side}","quantity":"{quantity}","price":"{price}""#);
    ("fills", format!(r#"{{"type":"fill","fill_id":"{id}","account_id":"{account}",{deal},"ts":"@{ts}"}}"#))
}

fn bust(id: &str, account: &str, ts: u32) -> Record {
    ("fills", format!(r#"{{"type":"bust","fill_id":"{id}","account_id":"{account}","ts":"@{ts}"}}"#))
}

/// A quote; sizes are 1 where the price is positive.
fn quote(symbol: &str, bid: &str, ask: &str, ts: u32) -> Record {
    let size = |price: &str| u8::from(price != "0");
    let sizes = format!(r#""bid_size":{},"ask_size":{}"#, size(bid), size(ask));
    ("market.quotes", format!(r#"{{"symbol":"{symbol}","bid":"{bid}","ask":"{ask}",{sizes},"ts":"@{ts}"}}"#))
}

fn trade(symbol: &str, price: &str, ts: u32) -> Record {
    ("market.trades", format!(r#"{{"symbol":"{symbol}","price":"{price}","size":"1","ts":"@{ts}"}}"#))
}

fn close(symbol: &str, date: &str, price: &str) -> Record {
    ("market.closes", format!(r#"{{"symbol":"{symbol}","date":"{date}","close":"{price}"}}"#))
}

fn rate(base: &str, quote: &str, rate: &str, ts: u32) -> Record {
    ("fx.rates", format!(r#"{{"base":"{base}","quote":"{quote}","rate":"{rate}","ts":"@{ts}"}}"#))
}

/// An instrument; `more` begins with a comma.
fn instrument(symbol: &str, currency: &str, more: &str) -> Record {
    let fixed = r#""asset_class":"future","tick_size":"0.01","lot_size":"1""#;
    ("instruments", format!(r#"{{"symbol":"{symbol}","currency":"{currency}",{fixed}{more}}}"#))
}

fn limit(scope: &str, kind: &str, value: &str, ts: u32) -> Record {
    ("limits", format!(r#"{{"scope":"{scope}","kind":"{kind}","value":"{value}","ts":"@{ts}"}}"#))
}

fn deposit(id: &str, account: &str, kind: &str, amount: &str, ts: u32) -> Record {
    let deal = format!(r#""type":"{kind}","amount":"{amount}","currency":"USD""#);
    ("transactions", format!(r#"{{"transaction_id":"{id}","account_id":"{account}",{deal},"ts":"@{ts}"}}"#))
}

const VAR: &str =
    "SELECT scope, observations, filled, left_out, var FROM risk WHERE confidence = 0.95 AND scope LIKE 'account%' ORDER BY 1";
const MARKS: &str = "SELECT symbol, mark FROM marks ORDER BY 1";
const DRAWDOWN: &str = "SELECT scope, currency, max_drawdown FROM portfolios WHERE scope LIKE 'account%' ORDER BY 1";

fn closes(prices: &[(&str, &str, &str)]) -> Vec<Record> {
    prices.iter().map(|(symbol, date, price)| close(symbol, date, price)).collect()
}

/// `A` in `firm/desk` has 10 EQ and owes 5 S, `B` in `firm` has 1 EQ. EQ closes at 100, 90 and 99, S at 50, 55 and 55.
fn tree() -> Vec<Record> {
    let accounts = [opened("A", "USD", r#","book":"firm/desk""#), opened("B", "USD", r#","book":"firm""#)];
    let fills = [
        fill("f", "A", "EQ", "buy", "10", "100", 1),
        fill("g", "A", "S", "sell", "5", "50", 1),
        fill("h", "B", "EQ", "buy", "1", "100", 1),
    ];
    let days = [("2026-01-07", "100", "50"), ("2026-01-08", "90", "55"), ("2026-01-09", "99", "55")];
    let of_day = |(date, eq, s)| [close("EQ", date, eq), close("S", date, s)];
    let instruments = [instrument("EQ", "USD", ""), instrument("S", "USD", "")];
    accounts.into_iter().chain(instruments).chain(fills).chain(days.into_iter().flat_map(of_day)).collect()
}

fn risk_stories() -> Vec<Story> {
    vec![
        Story {
            name: "the components of an account are its symbols, those of a book what is right below it, and they add up",
            config: "",
            records: tree(),
            answers: &[
                // On 2026-01-08 EQ fell by a tenth, and S rose by one.
                (
                    "SELECT scope, component, component_var, component_es FROM risk_components WHERE confidence = 0.95 ORDER BY 1, 2",
                    &[
                        "account:A,EQ,99,99",
                        "account:A,S,27.5,27.5",
                        "account:B,EQ,9.9,9.9",
                        "book:firm,account:B,9.9,9.9",
                        "book:firm,book:firm/desk,126.5,126.5",
                        "book:firm/desk,account:A,126.5,126.5",
                    ],
                ),
                ("SELECT SUM(change) FROM risk_components_history WHERE confidence = 0.95", &["6"]),
            ],
        },
        Story {
            name: "without components a scope has its figures alone",
            config: "[risk]\ncomponents = false\n",
            records: tree(),
            answers: &[
                (
                    "SELECT scope, var FROM risk WHERE confidence = 0.95 AND scope LIKE 'book%' ORDER BY 1",
                    &["book:firm,136.4", "book:firm/desk,126.5"],
                ),
                ("SELECT * FROM risk_components", &[]),
            ],
        },
        Story {
            name: "a stress scenario shocks a symbol, or else its asset class",
            config: "[[risk.stress]]\nname = \"crash\"\nasset_classes = { future = \"-0.2\" }\nsymbols = { S = \"0.1\" }\n",
            records: tree(),
            answers: &[(
                "SELECT scope, scenario, currency, pnl FROM stress ORDER BY 1",
                &[
                    "account:A,crash,USD,-225.5",
                    "account:B,crash,USD,-19.8",
                    "book:firm,crash,USD,-245.3",
                    "book:firm/desk,crash,USD,-225.5",
                ],
            )],
        },
        Story {
            name: "a Saturday of a coin that nobody holds is no scenario date",
            config: "",
            records: [
                vec![opened("X", "USD", ""), instrument("EQ", "USD", ""), fill("f", "X", "EQ", "buy", "10", "100", 1)],
                closes(&[("EQ", "2026-01-08", "100"), ("EQ", "2026-01-09", "90"), ("BTC", "2026-01-10", "7"), ("EQ", "2026-01-12", "95")]),
            ]
            .concat(),
            answers: &[
                (VAR, &["account:X,2,0,0,95"]),
                ("SELECT symbol, from_date, to_date, reason FROM risk_gaps", &["BTC,2026-01-08,2026-01-09,there is no close before"]),
            ],
        },
        Story {
            name: "any position that can be held can be valued",
            config: "",
            records: [
                vec![opened("A", "USD", ""), instrument("BIG", "USD", ""), instrument("S", "USD", "")],
                vec![fill("f", "A", "BIG", "buy", "90100000", "50", 1), fill("g", "A", "S", "buy", "1000", "50", 1)],
                closes(&[("BIG", "2026-01-08", "50"), ("S", "2026-01-08", "50"), ("BIG", "2026-01-09", "49"), ("S", "2026-01-09", "49")]),
            ]
            .concat(),
            answers: &[
                (VAR, &["account:A,1,0,0,88298980"]),
                ("SELECT kind, rule, severity, state FROM alerts WHERE kind = 'risk'", &["risk,var,high,raised"]),
            ],
        },
        Story {
            name: "a price that grows a millionfold is a gain",
            config: "",
            records: [
                vec![opened("A", "USD", ""), instrument("S", "USD", ""), fill("f", "A", "S", "buy", "100000", "100", 1)],
                closes(&[("S", "2026-01-08", "0.0001"), ("S", "2026-01-09", "100")]),
            ]
            .concat(),
            answers: &[(VAR, &["account:A,1,0,0,-9999990000000"])],
        },
        Story {
            name: "a day of which only some closes have come clears nothing",
            config: "[limits]\nvar = \"50\"\n",
            records: [
                vec![opened("X", "USD", ""), instrument("A", "USD", ""), instrument("B", "USD", "")],
                vec![fill("f", "X", "A", "buy", "1", "100", 1), fill("g", "X", "B", "buy", "10", "100", 1)],
                closes(&[("A", "2026-01-07", "100"), ("B", "2026-01-07", "100"), ("A", "2026-01-08", "100"), ("B", "2026-01-08", "90")]),
                closes(&[("A", "2026-01-09", "101")]),
            ]
            .concat(),
            answers: &[
                (VAR, &["account:X,2,1,0,90"]),
                ("SELECT kind, rule, severity, state FROM alerts WHERE kind = 'risk'", &["risk,var,high,raised"]),
            ],
        },
        Story {
            name: "a limit reads the confidence and the method that are configured",
            config: "[risk]\nconfidences = [\"0.99\"]\nmethods = [\"ewma\", \"historical\"]\nlimit_confidence = \"0.99\"\nlimit_method = \"historical\"\n[limits]\nvar = \"99\"\n",
            records: [
                vec![opened("X", "USD", ""), instrument("EQ", "USD", ""), fill("f", "X", "EQ", "buy", "10", "100", 1)],
                closes(&[("EQ", "2026-01-07", "100"), ("EQ", "2026-01-08", "90"), ("EQ", "2026-01-09", "100")]),
            ]
            .concat(),
            answers: &[(
                "SELECT kind, rule, severity, message FROM alerts WHERE rule = 'var'",
                &["risk,var,high,\"var of account:X is 100, which exceeds the limit of 99\""],
            )],
        },
        Story {
            name: "a close below zero marks a future, and its scenarios are changes of the price",
            config: "",
            records: [
                vec![opened("X", "USD", ""), instrument("CL", "USD", r#","multiplier":"1000""#), fill("f", "X", "CL", "buy", "1", "18", 1)],
                closes(&[("CL", "2026-01-08", "18.27"), ("CL", "2026-01-09", "-37.63")]),
            ]
            .concat(),
            answers: &[
                ("SELECT mark_price, market_value FROM positions", &["-37.63,-37630"]),
                (VAR, &["account:X,1,0,0,55900"]),
                ("SELECT count(*) FROM dead_letters", &["0"]),
            ],
        },
        Story {
            name: "a scope of which no position has scenarios is an alert",
            config: "",
            records: [
                vec![
                    opened("X", "USD", ""),
                    instrument("EQ", "USD", ""),
                    trade("EQ", "100", 1),
                    fill("f", "X", "EQ", "buy", "10", "100", 1),
                ],
                closes(&[("BTC", "2026-01-08", "7"), ("BTC", "2026-01-09", "8")]),
            ]
            .concat(),
            answers: &[
                (VAR, &[]),
                ("SELECT kind, rule, subject, severity, state FROM alerts WHERE kind = 'feed'", &["feed,var,account:X,medium,raised"]),
            ],
        },
        Story {
            name: "what is flat has no risk",
            config: "",
            records: [
                vec![opened("X", "USD", ""), instrument("EQ", "USD", "")],
                closes(&[("EQ", "2026-01-02", "100"), ("EQ", "2026-01-03", "90")]),
                vec![fill("f", "X", "EQ", "buy", "10", "100", 1), fill("g", "X", "EQ", "sell", "10", "100", 3)],
            ]
            .concat(),
            answers: &[(VAR, &[]), ("SELECT count(*) > 0 FROM risk_history WHERE change > 0", &["true"])],
        },
    ]
}

fn mark_stories() -> Vec<Story> {
    vec![
        Story {
            name: "the newest close by its date is the mark",
            config: "",
            records: closes(&[("S", "2026-01-05", "50"), ("S", "2026-01-06", "60"), ("S", "2026-01-02", "10"), ("S", "2026-01-05", "51")]),
            answers: &[(MARKS, &["S,60"])],
        },
        Story {
            name: "the newest quote, trade and rate by its time counts, not the last to arrive",
            config: "",
            records: vec![
                opened("E", "EUR", ""),
                instrument("Q", "USD", ""),
                instrument("T", "USD", ""),
                fill("f", "E", "Q", "buy", "1", "100", 6),
                quote("Q", "99", "101", 5),
                quote("Q", "49", "51", 1),
                trade("T", "100", 5),
                trade("T", "50", 1),
                rate("USD", "EUR", "0.9", 5),
                rate("USD", "EUR", "0.5", 1),
            ],
            answers: &[(MARKS, &["Q,100", "T,100"]), ("SELECT net_value FROM portfolios WHERE scope = 'account:E'", &["90"])],
        },
        Story {
            name: "a quote that loses a side gives way to the trade",
            config: "",
            records: vec![quote("S", "1.90", "2.10", 1), quote("S", "0", "0.05", 2), trade("S", "0.04", 3)],
            answers: &[(MARKS, &["S,0.04"])],
        },
        Story {
            name: "of the direct and the inverse rate the newer counts",
            config: "",
            records: vec![
                opened("E", "EUR", ""),
                instrument("S", "USD", ""),
                fill("f", "E", "S", "buy", "1", "100", 1),
                trade("S", "100", 1),
                rate("USD", "EUR", "0.9", 2),
                rate("EUR", "USD", "1.25", 3),
            ],
            answers: &[("SELECT net_value FROM portfolios WHERE scope = 'account:E'", &["80"])],
        },
        Story {
            name: "a trade on our own book is a mark",
            config: "",
            records: vec![
                opened("A", "USD", ""),
                opened("B", "USD", r#","book":"firm""#),
                instrument("S", "USD", ""),
                order("o", "A", "sell", 1),
                order("p", "B", "buy", 2),
            ],
            answers: &[
                (MARKS, &["S,12"]),
                ("SELECT account_id, quantity, market_value FROM positions ORDER BY 1", &["A,-5,-60", "B,5,60"]),
            ],
        },
    ]
}

fn order(id: &str, account: &str, side: &str, ts: u32) -> Record {
    let deal = format!(r#""symbol":"S","side":"{side}","quantity":"5","price":"12","order_type":"limit","time_in_force":"gtc""#);
    ("orders", format!(r#"{{"type":"new","order_id":"{id}","account_id":"{account}",{deal},"ts":"@{ts}"}}"#))
}

fn position_stories() -> Vec<Story> {
    vec![
        Story {
            name: "a multiplier that becomes known late restates what the position is worth",
            config: "",
            records: vec![
                opened("X", "USD", ""),
                fill("f", "X", "F", "buy", "1", "4000", 1),
                instrument("F", "USD", r#","multiplier":"50","ts":"@5""#),
                quote("F", "4009", "4011", 6),
            ],
            answers: &[("SELECT average_price, unrealized_pnl, market_value FROM positions", &["4000,500,200500"])],
        },
        Story {
            name: "a multiplier without a time counts from the beginning, whenever it comes",
            config: "",
            records: vec![
                opened("X", "USD", ""),
                fill("f", "X", "F", "buy", "2", "4000", 1),
                fill("g", "X", "F", "sell", "1", "4020", 2),
                quote("F", "4009", "4011", 6),
                instrument("F", "USD", r#","multiplier":"50""#),
            ],
            answers: &[("SELECT average_price, realized_pnl, unrealized_pnl FROM positions", &["4000,1000,500"])],
        },
        Story {
            name: "two accounts trade alike, and the one with lots realizes what its oldest lots gained",
            config: "[positions]\nlots_by_account = { L = \"fifo\" }\n",
            records: [
                vec![opened("L", "USD", ""), opened("M", "USD", ""), instrument("S", "USD", "")],
                ["L", "M"].map(|account| fill("f", account, "S", "buy", "10", "50", 1)).to_vec(),
                ["L", "M"].map(|account| fill("g", account, "S", "buy", "10", "60", 2)).to_vec(),
                ["L", "M"].map(|account| fill("h", account, "S", "sell", "15", "70", 3)).to_vec(),
                vec![trade("S", "80", 4)],
            ]
            .concat(),
            // 10 × (70 − 50) + 5 × (70 − 60), and 5 × (80 − 60); 15 × (70 − 55), and 5 × (80 − 55).
            answers: &[
                (
                    "SELECT account_id, quantity, average_price, realized_pnl, unrealized_pnl FROM positions ORDER BY 1",
                    &["L,5,60,250,100", "M,5,55,225,125"],
                ),
                (
                    "SELECT account_id, symbol, number, lot_id, method, quantity, price, cost FROM lots WHERE quantity <> 0",
                    &["L,S,2,g,fifo,5,60,300"],
                ),
            ],
        },
        Story {
            name: "a lot whose fill is busted vanishes, and the sale closes another",
            config: "[positions]\nlots = \"lifo\"\n",
            records: vec![
                opened("L", "USD", ""),
                instrument("S", "USD", ""),
                fill("f", "L", "S", "buy", "10", "50", 1),
                fill("g", "L", "S", "buy", "10", "60", 2),
                fill("h", "L", "S", "sell", "5", "80", 3),
                bust("g", "L", 5),
            ],
            // 5 × (80 − 50)
            answers: &[
                ("SELECT number, lot_id, quantity, cost FROM lots", &["1,f,5,250"]),
                ("SELECT realized_pnl FROM positions", &["150"]),
                (
                    "SELECT key, change, reason FROM corrections WHERE relation = 'lots' ORDER BY key, change",
                    &["L S 1,-1,fill g was busted", "L S 1,1,fill g was busted", "L S 2,-1,fill g was busted"],
                ),
            ],
        },
        Story {
            name: "an execution on our own book opens a lot under its own id",
            config: "[positions]\nlots = \"lifo\"\n",
            records: vec![
                opened("A", "USD", ""),
                opened("B", "USD", ""),
                instrument("S", "USD", ""),
                order("o", "A", "sell", 1),
                order("p", "B", "buy", 2),
            ],
            answers: &[(
                "SELECT lots.account_id, lot_id = execution_id, lots.quantity, lots.price, lots.base_quantity FROM lots JOIN executions \
                 ON executions.account_id = lots.account_id ORDER BY 1",
                &["A,true,-5,12,-5", "B,true,5,12,5"],
            )],
        },
        Story {
            name: "an account that moves leaves its old book",
            config: "[limits]\ngross_exposure = \"500\"\n",
            records: vec![
                opened("X", "USD", r#","book":"firm/desk""#),
                instrument("S", "USD", ""),
                fill("f", "X", "S", "buy", "10", "100", 1),
                trade("S", "100", 1),
                updated("X", r#""book":"firm/other""#, 5),
            ],
            answers: &[
                ("SELECT scope, net_value FROM portfolios ORDER BY 1", &["account:X,1000", "book:firm,1000", "book:firm/other,1000"]),
                (
                    "SELECT subject, state FROM alerts WHERE rule = 'gross_exposure' ORDER BY 1",
                    &["account:X,raised", "book:firm,raised", "book:firm/desk,cleared", "book:firm/other,raised"],
                ),
            ],
        },
        Story {
            name: "an account update of an earlier time that comes later changes nothing",
            config: "",
            records: vec![
                opened("X", "USD", r#","book":"firm/a""#),
                instrument("S", "USD", ""),
                fill("f", "X", "S", "buy", "1", "100", 1),
                trade("S", "100", 1),
                updated("X", r#""book":"firm/c""#, 9),
                updated("X", r#""book":"firm/b""#, 5),
            ],
            answers: &[("SELECT scope FROM portfolios ORDER BY 1", &["account:X", "book:firm", "book:firm/c"])],
        },
        Story {
            name: "a limit is about the account's currency",
            config: "",
            records: vec![
                opened("Y", "USD", ""),
                opened("K", "USD", ""),
                instrument("JP", "JPY", ""),
                instrument("KW", "KWD", ""),
                rate("USD", "JPY", "150", 1),
                rate("KWD", "USD", "3.25", 1),
                fill("f", "Y", "JP", "buy", "50000", "100", 2),
                trade("JP", "100", 2),
                fill("g", "K", "KW", "buy", "7500", "100", 2),
                trade("KW", "100", 2),
            ],
            answers: &[(
                "SELECT subject, severity, state FROM alerts WHERE rule = 'position_value' ORDER BY 1",
                &["account:K|KW,high,raised"],
            )],
        },
        Story {
            name: "a limit that changes is held against the figure at once",
            config: "[limits]\nconcentration = \"1\"\nleverage = \"1000000\"\n",
            records: vec![
                opened("L", "USD", ""),
                opened("R", "USD", ""),
                instrument("S", "USD", ""),
                limit("account:L", "gross_exposure", "2000", 0),
                limit("account:R", "gross_exposure", "500", 0),
                fill("f", "L", "S", "buy", "10", "100", 1),
                fill("g", "R", "S", "buy", "10", "100", 1),
                trade("S", "100", 1),
                limit("account:L", "gross_exposure", "900", 5),
                limit("account:R", "gross_exposure", "5000", 5),
                limit("account:L", "gross_exposure", "9000", 3),
            ],
            answers: &[(
                "SELECT subject, severity, state FROM alerts WHERE rule = 'gross_exposure' ORDER BY 1",
                &["account:L,high,raised", "account:R,high,cleared"],
            )],
        },
        Story {
            name: "exposure without equity is a critical breach of leverage",
            config: "[limits]\nconcentration = \"1\"\n",
            records: vec![
                opened("A", "USD", ""),
                instrument("S", "USD", ""),
                deposit("d", "A", "deposit", "100000", 0),
                fill("f", "A", "S", "buy", "1000", "1000", 1),
                trade("S", "1000", 1),
                trade("S", "900", 3),
                trade("S", "850", 5),
            ],
            answers: &[
                ("SELECT equity, leverage < 0 FROM portfolios", &["-50000,true"]),
                ("SELECT subject, severity, state FROM alerts WHERE rule = 'leverage'", &["account:A,critical,amended"]),
            ],
        },
        Story {
            name: "what is paid in or out, a bust and another currency are no drawdown",
            config: "",
            records: vec![
                opened("P", "USD", r#","book":"firm""#),
                opened("B", "USD", r#","book":"firm""#),
                opened("C", "USD", ""),
                instrument("S", "USD", ""),
                instrument("T", "USD", ""),
                rate("USD", "JPY", "150", 0),
                deposit("d", "P", "deposit", "1000", 1),
                deposit("w", "P", "withdrawal", "600", 3),
                trade("S", "10", 1),
                trade("T", "1000", 1),
                fill("b", "B", "S", "sell", "1", "1000000", 2),
                bust("b", "B", 5),
                fill("c", "C", "T", "buy", "1", "1", 2),
                updated("C", r#""currency":"JPY""#, 5),
            ],
            answers: &[
                (DRAWDOWN, &["account:B,USD,0", "account:C,JPY,0", "account:P,USD,0"]),
                ("SELECT max_drawdown FROM portfolios WHERE scope = 'book:firm'", &["0"]),
            ],
        },
        // B loses 10. Then A and C lose 900 each by wrong fills, and both come to the book of B after that: A from another one, C
        // because it is opened.
        Story {
            name: "a bust takes back the drawdown of a book that the account has come to since its fill",
            config: "",
            records: vec![
                opened("A", "USD", r#","book":"firm/x""#),
                opened("B", "USD", r#","book":"firm/y""#),
                instrument("S", "USD", ""),
                trade("S", "100", 0),
                fill("b", "B", "S", "buy", "1", "100", 1),
                trade("S", "90", 2),
                fill("a", "A", "S", "buy", "10", "180", 4),
                fill("c", "C", "S", "buy", "10", "180", 4),
                updated("A", r#""book":"firm/y""#, 6),
                ("accounts", opened("C", "USD", r#","book":"firm/y""#).1.replace("@0", "@7")),
                bust("a", "A", 9),
                bust("c", "C", 10),
            ],
            answers: &[(
                "SELECT scope, max_drawdown FROM portfolios ORDER BY 1",
                &["account:A,0", "account:B,10", "account:C,0", "book:firm,10", "book:firm/y,10"],
            )],
        },
    ]
}

fn rate_stories() -> Vec<Story> {
    vec![
        Story {
            name: "what exchange rates do to cash is a gain or a loss, and payments count at their own rates",
            config: "",
            records: vec![
                opened("E", "EUR", r#","book":"firm""#),
                rate("EUR", "USD", "1.25", 1),
                deposit("d", "E", "deposit", "100", 2),
                rate("EUR", "USD", "1", 3),
                deposit("w", "E", "withdrawal", "50", 4),
                rate("EUR", "USD", "2", 5),
            ],
            answers: &[
                // 80 euros are paid in, worth 100 later, and 50 paid out: of the 30 that remain 25 are left. Books are in dollars.
                (
                    "SELECT scope, equity, fx_pnl, max_drawdown, stale_rates FROM portfolios ORDER BY 1",
                    &["account:E,25,-5,25,0", "book:firm,50,0,0,0"],
                ),
                ("SELECT account_id, currency, converted_to, posted, paid_in FROM paid_in", &["E,USD,EUR,50,30"]),
            ],
        },
        Story {
            name: "a rate that nobody renews becomes stale, and converts all the same",
            config: "[valuation]\nmax_rate_age = \"3s\"\n",
            records: vec![
                opened("E", "EUR", ""),
                instrument("S", "USD", ""),
                rate("EUR", "USD", "2", 1),
                fill("f", "E", "S", "buy", "1", "10", 1),
                trade("S", "10", 2),
                trade("S", "10", 9),
            ],
            answers: &[
                // From the first grid point after the fourth second on.
                ("SELECT scope, net_value, unvalued, stale_rates, ts FROM portfolios", &["account:E,5,0,1,2026-01-05T14:30:05Z"]),
                ("SELECT base, quote, stale_since FROM last_rates", &["EUR,USD,2026-01-05T14:30:04Z"]),
            ],
        },
        Story {
            name: "a newer rate is not stale, and neither is a path that does not need the old one",
            config: "[valuation]\nmax_rate_age = \"3s\"\n",
            records: vec![
                opened("E", "EUR", ""),
                opened("G", "GBP", ""),
                instrument("S", "USD", ""),
                rate("EUR", "USD", "2", 1),
                rate("GBP", "USD", "2", 1),
                fill("f", "E", "S", "buy", "1", "10", 1),
                fill("g", "G", "S", "buy", "1", "10", 1),
                trade("S", "10", 2),
                trade("S", "10", 7),
                // The inverse of one, and the other itself.
                rate("USD", "EUR", "0.5", 8),
                rate("GBP", "USD", "4", 8),
                trade("S", "10", 9),
            ],
            answers: &[
                ("SELECT scope, net_value, stale_rates FROM portfolios ORDER BY 1", &["account:E,5,0", "account:G,2.5,0"]),
                ("SELECT DISTINCT scope FROM portfolios_history WHERE stale_rates = 1 ORDER BY 1", &["account:E", "account:G"]),
                (
                    "SELECT base, quote, stale_since FROM last_rates ORDER BY 1, 2",
                    &["EUR,USD,2026-01-05T14:30:04Z", "GBP,USD,", "USD,EUR,"],
                ),
            ],
        },
    ]
}

#[test]
fn what_people_who_measure_risk_run_into() -> Result<()> {
    check(risk_stories())
}

#[test]
fn what_people_who_read_several_feeds_run_into() -> Result<()> {
    check(mark_stories())
}

#[test]
fn what_people_who_value_positions_run_into() -> Result<()> {
    check(position_stories())
}

#[test]
fn what_people_with_several_currencies_run_into() -> Result<()> {
    check(rate_stories())
}

#[test]
fn what_is_open_is_carried_over_when_the_method_of_lots_changes() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (log, data) = (folder.path().join("log"), folder.path().join("data"));
    let source = format!("log:{}", log.display());
    let run = |config: &str| succeed(command_with(&source, &data, PLAIN, config, "200ms")?.output()?);
    let bought = [fill("f", "A", "S", "buy", "10", "50", 1), fill("g", "A", "S", "buy", "10", "60", 2)];
    write(&log, &[opened("A", "USD", ""), instrument("S", "USD", "")])?;
    write(&log, &bought)?;
    run("")?;
    // 1100 less a quarter.
    write(&log, &[fill("h", "A", "S", "sell", "5", "80", 5)])?;
    run("[positions]\nlots = \"fifo\"\n")?;
    assert_eq!(rows(&data, "SELECT number, lot_id, quantity, price, cost FROM lots")?, ["1,carried_over,15,55,825"]);
    // Another account trades; that of the lots does not.
    write(&log, &[fill("i", "B", "S", "buy", "1", "80", 9)])?;
    run("")?;
    assert_eq!(rows(&data, "SELECT count(*) FROM lots")?, ["0"]);
    assert_eq!(rows(&data, "SELECT quantity, average_price FROM positions WHERE account_id = 'A'")?, ["15,55"]);
    Ok(())
}

#[test]
fn a_limit_on_a_risk_that_is_not_computed_is_refused() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (log, data) = (folder.path().join("log"), folder.path().join("data"));
    write(&log, &[opened("X", "USD", "")])?;
    let source = format!("log:{}", log.display());
    for (config, named) in [
        ("[risk]\nconfidences = [\"0.99\"]\n", "risk.limit_confidence"),
        ("[risk]\nmethods = [\"historical\"]\nlimit_method = \"ewma\"\n", "risk.limit_method"),
        ("[risk]\ncoverage = \"1.5\"\n", "risk.coverage"),
    ] {
        let output = command_with(&source, &data, PLAIN, config, "200ms")?.output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains(named), "{config}: {said}");
    }
    Ok(())
}
