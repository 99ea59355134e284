//! Stories of one book: for each rule the event that just fires it, the one that just does not, and honest traders.

use super::*;

/// Three sell orders of `m1`, each of 100, and a bid of `x1`.
const LAYERS: [&str; 4] =
    ["0 new m1 o1 sell 100 @ 11", "1 new m1 o2 sell 100 @ 12", "2 new m1 o3 sell 100 @ 13", "3 new x1 y1 sell 60 @ 10"];

fn layers<'a>(more: &[&'a str]) -> Vec<&'a str> {
    LAYERS.iter().copied().chain(more.iter().copied()).collect()
}

#[test]
fn layering_is_cancelling_one_side_and_trading_on_the_other() {
    let cancels = ["5 cancel m1 o1", "6 cancel m1 o2", "7 cancel m1 o3"];
    let bought = "4 new m1 b1 buy 60 @ 10";
    let raised = "7 layering m1 raised";
    for (name, story, expected) in [
        ("three cancels after a purchase", layers(&[bought, cancels[0], cancels[1], cancels[2]]), vec![raised]),
        ("two cancels", layers(&[bought, cancels[0], cancels[1]]), vec![]),
        ("no trade on the other side", layers(&cancels), vec![]),
        (
            "a purchase after the cancels",
            layers(&[cancels[0], cancels[1], cancels[2], "8 new m1 b1 buy 60 @ 10"]),
            vec!["8 layering m1 raised"],
        ),
        (
            "a purchase at the end of the window, whose first cancel is just within",
            layers(&[cancels[0], cancels[1], cancels[2], "65 new m1 b1 buy 60 @ 10"]),
            vec!["65 layering m1 raised"],
        ),
        ("a purchase after the window", layers(&[cancels[0], cancels[1], cancels[2], "65.000000001 new m1 b1 buy 60 @ 10"]), vec![]),
        (
            "a third of the layers was filled: 60 of the cancelled 180",
            vec![
                "0 new m1 o1 sell 60 @ 11",
                "0 new m1 o2 sell 60 @ 12",
                "0 new m1 o3 sell 60 @ 13",
                "0 new m1 o4 sell 60 @ 10",
                "1 new x1 y0 buy 60 @ 10",
                "3 new x1 y1 sell 60 @ 10",
                bought,
                cancels[0],
                cancels[1],
                cancels[2],
            ],
            vec![raised],
        ),
        (
            "more than a third was filled",
            vec![
                "0 new m1 o1 sell 60 @ 11",
                "0 new m1 o2 sell 60 @ 12",
                "0 new m1 o3 sell 60 @ 13",
                "0 new m1 o4 sell 61 @ 10",
                "1 new x1 y0 buy 61 @ 10",
                "3 new x1 y1 sell 60 @ 10",
                bought,
                cancels[0],
                cancels[1],
                cancels[2],
            ],
            vec![],
        ),
        (
            "a market maker moves the quotes of both sides",
            layers(&[
                bought,
                "4 new m1 q1 buy 100 @ 8",
                "4 new m1 q2 buy 100 @ 7",
                "4.5 cancel m1 q1",
                "4.6 cancel m1 q2",
                cancels[0],
                cancels[1],
                cancels[2],
            ]),
            vec![],
        ),
        (
            "orders that end by their own terms are not cancelled",
            layers(&[bought, cancels[0], cancels[1], "8 new m1 o4 sell 100 @ 14 time_in_force=ioc"]),
            vec![],
        ),
        ("amending away is cancelling", layers(&[bought, cancels[0], cancels[1], "8 amend m1 o3 0"]), vec!["8 layering m1 raised"]),
        (
            "cancels of another account do not count",
            layers(&[bought, cancels[0], cancels[1], "6 new b1 o3 sell 100 @ 14", "7 cancel b1 o3"]),
            vec![],
        ),
        (
            "a further cancel is of the same episode, a later one is not",
            layers(&[
                bought,
                cancels[0],
                cancels[1],
                cancels[2],
                "8 new m1 o4 sell 100 @ 11",
                "9 cancel m1 o4",
                "400 new m1 o5 sell 100 @ 11",
                "400 new m1 o6 sell 100 @ 11",
                "400 new m1 o7 sell 100 @ 11",
                "401 new x1 y2 sell 10 @ 10",
                "402 new m1 b2 buy 10 @ 10",
                "403 cancel m1 o5",
                "404 cancel m1 o6",
                "405 cancel m1 o7",
            ]),
            vec![raised, "9 layering m1 amended", "405 layering m1 raised"],
        ),
    ] {
        assert_eq!(found(&story, &SurveillanceSettings::default()), expected, "{name}");
    }
    let story = lines(&layers(&[bought, cancels[0], cancels[1], cancels[2]]));
    let alerts = run(books(&SurveillanceSettings::default()), watched(&story)).tables.alerts;
    assert_eq!(evidence(&alerts), ["o1", "o2", "o3", "S-1-b"]);
    assert_eq!(
        rows_of(&alerts)[0].message.as_str(),
        "m1 cancelled 3 sell orders of S with 300, had 0 of that side filled, and traded 60 on the other side within 1m"
    );
    // A symbol may have a threshold of its own.
    for (text, expected) in [("[symbols.S]\nlayering_orders = 4", 0), ("[symbols.T]\nlayering_orders = 4", 1)] {
        assert_eq!(rows_of(&run(books(&settings(text)), watched(&story)).tables.alerts).len(), expected, "{text}");
    }
}

#[test]
fn a_wash_trade_changes_no_ownership() {
    let (bid, offer) = ("0 new x1 y1 buy 100 @ 10", "1 new x1 y2 sell 100 @ 10");
    let sold = "0.5 new b1 o1 sell 100 @ 10";
    for (name, story, expected) in [
        (
            "both sides of a match are of one customer",
            vec!["0 new a1 o1 sell 100 @ 10 self_trade=allow", "1 new a2 o2 buy 100 @ 10 self_trade=allow"],
            vec!["1 wash_trade ann raised"],
        ),
        (
            "both sides of a match are of one account",
            vec!["0 new m1 o1 sell 100 @ 10 self_trade=allow", "1 new m1 o2 buy 100 @ 10 self_trade=allow"],
            vec!["1 wash_trade max raised"],
        ),
        ("self-trade prevention", vec!["0 new a1 o1 sell 100 @ 10", "1 new a2 o2 buy 100 @ 10"], vec![]),
        ("strangers trade", vec!["0 new a1 o1 sell 100 @ 10", "1 new b1 o2 buy 100 @ 10"], vec![]),
        (
            "one account of a group sells what another one buys",
            vec![bid, sold, offer, "60.5 new c1 o2 buy 100 @ 10"],
            vec!["60.5 wash_trade gang raised"],
        ),
        ("the purchase is later than the window", vec![bid, sold, offer, "60.500000001 new c1 o2 buy 100 @ 10"], vec![]),
        ("another quantity", vec![bid, sold, "1 new x1 y2 sell 99 @ 10", "2 new c1 o2 buy 99 @ 10"], vec![]),
        ("another price", vec![bid, sold, "1 new x1 y2 sell 100 @ 10.01", "2 new c1 o2 buy 100 @ 10.01"], vec![]),
        ("the same side", vec![bid, sold, "1 new x1 y2 buy 100 @ 10", "2 new c1 o2 sell 100 @ 10"], vec![]),
        ("another symbol", vec![bid, sold, "1 new x1 y2 sell 100 @ 10 in T", "2 new c1 o2 buy 100 @ 10 in T"], vec![]),
        ("one account that buys back what it sold", vec![bid, sold, offer, "2 new b1 o2 buy 100 @ 10"], vec![]),
    ] {
        assert_eq!(found(&story, &SurveillanceSettings::default()), expected, "{name}");
    }
    let story = lines(&[bid, sold, offer, "2 new c1 o2 buy 100 @ 10"]);
    assert_eq!(evidence(&run(books(&SurveillanceSettings::default()), watched(&story)).tables.alerts), ["S-1-s", "S-2-b"]);
}

/// Messages of an account at a distance of so many milliseconds: orders, and their cancels.
fn messages(account: &str, count: u32, distance: u32) -> Vec<String> {
    let message = |number: u32| {
        let at = number * distance;
        let (seconds, order) = (format!("{}.{:03}", at / 1000, at % 1000), number / 2);
        if number.is_multiple_of(2) {
            format!("{seconds} new {account} o{order} buy 1 @ 5")
        } else {
            format!("{seconds} cancel {account} o{order}")
        }
    };
    (0..count).map(message).collect()
}

fn found_of(story: &[String], settings: &SurveillanceSettings) -> Vec<String> {
    found(&story.iter().map(String::as_str).collect::<Vec<_>>(), settings)
}

#[test]
fn quote_stuffing_is_many_messages_in_a_second_without_executions() {
    let few = settings("stuffing_messages = 10\norder_to_trade = 1000\nstuffing_filled = '0.2'");
    let trades = |story: &[String], count: u32| {
        let before = ["0 new x1 y1 sell 100 @ 10".to_owned()];
        let trade = |number: u32| format!("0.{:03} new m1 t{number} buy 1 @ 10", 901 + number);
        before.iter().cloned().chain(story.iter().cloned()).chain((0..count).map(trade)).collect::<Vec<_>>()
    };
    // Ten messages from 0 to 1 s: the first is a second before the last.
    let ten: Vec<String> =
        (0..10).map(|number| format!("{}.{:03} cancel m1 none", number / 9, number * 111 * u32::from(number < 9))).collect();
    let late: Vec<String> = ten.iter().map(|line| line.replace("1.000 ", "1.000000001 ")).collect();
    for (name, story, expected) in [
        ("ten messages within a second", ten, vec!["1 quote_stuffing m1 raised"]),
        ("the last is a nanosecond later", late, vec![]),
        ("nine messages", messages("m1", 9, 10), vec![]),
        ("of two accounts", [messages("m1", 9, 10), messages("a1", 9, 10)].concat(), vec![]),
        ("executions are a fifth of the messages", trades(&messages("m1", 8, 100), 2), vec![]),
        ("executions are less than a fifth", trades(&messages("m1", 9, 100), 1), vec!["0.901 quote_stuffing m1 raised"]),
    ] {
        assert_eq!(found_of(&story, &few), expected, "{name}");
    }
    // At the default, with an episode that goes on.
    let story = messages("m1", 102, 9);
    let alerts = run(books(&settings("order_to_trade = 1000")), watched(&story)).tables.alerts;
    assert_eq!(shown(&alerts), ["0.891 quote_stuffing m1 raised", "0.9 quote_stuffing m1 amended", "0.909 quote_stuffing m1 amended"]);
    let hundred = messages("m1", 100, 9);
    assert_eq!(rows_of(&run(books(&settings("order_to_trade = 1000")), watched(&hundred)).tables.alerts).len(), 1);
    let fewer = messages("m1", 99, 9);
    assert_eq!(rows_of(&run(books(&settings("order_to_trade = 1000")), watched(&fewer)).tables.alerts).len(), 0);
}

#[test]
fn the_order_to_trade_ratio_is_of_an_account_symbol_and_day() {
    let four = settings("order_to_trade = 4");
    let offer = "0 new x1 y1 sell 100 @ 10";
    let sent = |from: u32, count: u32| (from..from + count).map(|second| format!("{second} cancel m1 none")).collect::<Vec<_>>();
    let bought = |second: u32| vec![format!("{second} new m1 b{second} buy 1 @ 10")];
    let start = || vec![offer.to_owned()];
    // Ten hours later it is the next day.
    let next_day = vec!["36000 cancel m1 none".to_owned(), "36001 cancel m1 none".to_owned()];
    for (name, story, expected) in [
        ("four messages without an execution", sent(1, 4), vec![]),
        ("five messages", sent(1, 5), vec!["5 order_to_trade m1 raised"]),
        ("four messages for an execution", [start(), bought(1), sent(2, 3)].concat(), vec![]),
        ("five messages for an execution", [start(), bought(1), sent(2, 4)].concat(), vec!["5 order_to_trade m1 raised"]),
        (
            "a market maker with an execution for each five messages",
            [start(), bought(1), sent(2, 3), bought(6), sent(7, 3)].concat(),
            vec![],
        ),
        (
            "executions bring the ratio back",
            [start(), sent(1, 5), bought(6), bought(7)].concat(),
            vec!["5 order_to_trade m1 raised", "7 order_to_trade m1 cleared"],
        ),
        ("of two accounts", [sent(1, 4), vec!["5 cancel a1 none".to_owned()]].concat(), vec![]),
        ("of two symbols", [sent(1, 4), vec!["5 cancel m1 none in T".to_owned()]].concat(), vec![]),
        ("of two days", [sent(1, 4), next_day.clone()].concat(), vec![]),
        (
            "a new day has an alert of its own",
            [sent(1, 5), next_day, sent(36_002, 3)].concat(),
            vec!["5 order_to_trade m1 raised", "36004 order_to_trade m1 raised"],
        ),
    ] {
        assert_eq!(found_of(&story, &four), expected, "{name}");
    }
    let hundred: Vec<String> = (0..101).map(|second| format!("{second} cancel m1 none")).collect();
    assert_eq!(found_of(&hundred, &SurveillanceSettings::default()), ["100 order_to_trade m1 raised"]);
}

#[test]
fn front_running_is_an_order_of_a_linked_account_before_a_much_larger_one() {
    let large = "2 new a2 o2 buy 1000 @ 10";
    for (name, story, expected) in [
        ("two seconds before, a tenth of the size", vec!["0 new a1 o1 buy 100 @ 10", large], vec!["2 front_running a1 raised"]),
        ("earlier", vec!["0 new a1 o1 buy 100 @ 10", "2.000000001 new a2 o2 buy 1000 @ 10"], vec![]),
        ("more than a tenth", vec!["0 new a1 o1 buy 101 @ 10", large], vec![]),
        ("the other side", vec!["0 new a1 o1 sell 100 @ 12", large], vec![]),
        ("another symbol", vec!["0 new a1 o1 buy 100 @ 10 in T", large], vec![]),
        ("the same account", vec!["0 new a2 o1 buy 100 @ 10", large], vec![]),
        ("an account that is not linked", vec!["0 new x1 o1 buy 100 @ 10", large], vec![]),
        ("after the large order", vec![large, "2.5 new a1 o1 buy 100 @ 10"], vec![]),
        ("a rejected order", vec!["0 new a1 o1 buy 100 @ 10.005", large], vec![]),
        ("accounts of a group", vec!["1 new b1 o1 sell 5 @ 10", "2 new c1 o2 sell 50 @ 10"], vec!["2 front_running b1 raised"]),
    ] {
        assert_eq!(found(&story, &SurveillanceSettings::default()), expected, "{name}");
    }
    let story = lines(&["0 new a1 o1 buy 100 @ 10", large]);
    assert_eq!(evidence(&run(books(&SurveillanceSettings::default()), watched(&story)).tables.alerts), ["o1", "o2"]);
}

/// `m1` buys 500 in the last five minutes before the close at 400 s, of a volume of so much more.
fn close<'a>(more: &[&'a str]) -> Vec<&'a str> {
    let mut story = vec!["90 new x1 y1 sell 2000 @ 10", "100 new m1 o1 buy 500 @ 10"];
    story.extend(more);
    story.sort_by_key(|line| time(line.split(' ').next().unwrap_or_default()));
    story
}

#[test]
fn marking_the_close_is_a_large_share_of_the_volume_before_it() {
    let closed = "400 phase closed";
    let seller = "400 marking_the_close x1 raised";
    let (buyer, gone) = ("400 marking_the_close m1 raised", "500 marking_the_close m1 withdrawn");
    for (name, story, expected) in [
        ("all of the volume, on both sides", close(&[closed]), vec![buyer, seller]),
        ("two fifths of the volume", close(&["399 trade 750", closed]), vec![buyer, seller]),
        ("less than two fifths", close(&["399 trade 751", closed]), vec![]),
        ("before the window", close(&["400.1 phase closed"]), vec![]),
        ("a trade of the market before the window", close(&["99 trade 5000", closed]), vec![buyer, seller]),
        ("a trade of the market in the first second of the window does not count", close(&["100 trade 5000", closed]), vec![buyer, seller]),
        ("a trade of the market soon after the window began", close(&["100.5 trade 5000", closed]), vec![]),
        (
            "a print of the very time of the close",
            close(&[closed, "401 trade 5000 400"]),
            vec![buyer, seller, "401 marking_the_close m1 withdrawn", "401 marking_the_close x1 withdrawn"],
        ),
        ("a trade of the market right after the close", close(&[closed, "401 trade 5000 400.5"]), vec![buyer, seller]),
        ("the symbol is not closed", close(&["400 phase halted"]), vec![]),
        ("it is closed twice", close(&[closed, "401 phase closed"]), vec![buyer, seller]),
        ("closed again after a new day of trading", close(&[closed, "410 phase continuous", "420 phase closed"]), vec![buyer, seller]),
        (
            "a late trade of the market",
            close(&[closed, "450 trade 700 399"]),
            vec![buyer, seller, "450 marking_the_close m1 amended", "450 marking_the_close x1 amended"],
        ),
        (
            "late trades of the market take the share below two fifths",
            close(&[closed, "450 trade 700 399", "500 trade 51 398", "510 trade 1 398"]),
            vec![
                buyer,
                seller,
                "450 marking_the_close m1 amended",
                "450 marking_the_close x1 amended",
                gone,
                "500 marking_the_close x1 withdrawn",
            ],
        ),
        ("a trade after the close", close(&[closed, "401 trade 5000"]), vec![buyer, seller]),
        ("a late trade from before the window", close(&[closed, "401 trade 5000 99.5"]), vec![buyer, seller]),
    ] {
        assert_eq!(found(&story, &settings("large_trader_quantity = 100000")), expected, "{name}");
    }
    let small = ["90 new x1 y1 sell 2000 @ 10", "100 new m1 o1 buy 499 @ 10", closed];
    assert_eq!(found(&small, &SurveillanceSettings::default()), Vec::<String>::new(), "less than 500");
    // The uncrossing of a closing auction is part of the window.
    let auction = ["390 phase auction", "391 new x1 y1 sell 500 @ 10", "392 new m1 o1 buy 500 @ 10", closed];
    assert_eq!(found(&auction, &SurveillanceSettings::default()), [buyer, seller]);
    let story = lines(&close(&[closed, "450 trade 700 399"]));
    let alerts = run(books(&SurveillanceSettings::default()), watched(&story)).tables.alerts;
    let reasons: Vec<_> = alerts.changes().iter().filter(|change| !change.why.is_empty()).map(|change| change.why.to_string()).collect();
    assert_eq!(reasons, ["S of market.trades came 51.000 s late"; 2]);
    assert!(rows_of(&alerts)[0].message.contains("m1 traded 500 of the 1200 S"), "{:?}", rows_of(&alerts)[0]);
}

#[test]
fn what_is_over_is_forgotten() {
    // A day and more later nothing is left but the account's last message.
    let mut story =
        lines(&layers(&["4 new m1 b1 buy 60 @ 10", "5 cancel m1 o1", "6 cancel m1 o2", "7 cancel m1 o3", "8 trade 5", "9 phase closed"]));
    story.push("200000 cancel m1 none".to_owned());
    let tables = run(books(&SurveillanceSettings::default()), watched(&story)).tables;
    assert_eq!(rows_of(&tables.events).len() + rows_of(&tables.volumes).len() + rows_of(&tables.saved_alerts).len(), 0);
    assert_eq!(rows_of(&tables.counts).len(), 1);
    assert_eq!(rows_of(&tables.alerts).len(), 1);
}
