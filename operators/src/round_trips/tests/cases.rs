//! What is a trip and what just is none; late transfers, and those that are taken back.

use super::*;

const TRIP: [What<'static>; 3] = [Pays(10, "x", "a", "b", 1_000), Pays(20, "y", "b", "c", 900), Pays(30, "z", "c", "a", 800)];

#[test]
fn the_transfer_that_brings_money_back_raises_an_alert_with_the_path() {
    let emitted = found(&TRIP);
    let rows = rows_of(&emitted.tables.alerts);
    let [alert] = rows.as_slice() else { panic!("{rows:?}") };
    assert_eq!((alert.alert_id.as_str(), alert.kind.as_str(), &*alert.rule), ("aml:round_trip:z", "aml", "round_trip"));
    assert_eq!((alert.severity.as_str(), alert.state.as_str(), alert.subject.as_str()), ("high", "raised", "a"));
    let expected = "1000 USD that account a sent at 1970-01-01T00:10:00Z came back as 800 over b, c at 1970-01-01T00:30:00Z \
                    (x 1000, y 900, z 800)";
    assert_eq!(&*alert.message, expected);
    assert_eq!(alert.evidence.iter().map(|id| id.as_str()).collect::<Vec<_>>(), ["x", "y", "z"]);
    assert_eq!(alert.ts.to_string(), "1970-01-01T00:30:00Z");
}

#[test]
fn a_trip_just_fits_its_bounds() {
    let cases: &[(&str, Vec<What<'_>>, &[&str])] = &[
        ("there and back", vec![Pays(1, "x", "a", "b", 100), Pays(2, "y", "b", "a", 80)], &["raised a: x y"]),
        ("less than 80 % of the hop before", vec![Pays(1, "x", "a", "b", 1000), Pays(2, "y", "b", "a", 799)], &[]),
        (
            "80 % of each hop before, though less of the first",
            vec![Pays(1, "x", "a", "b", 1000), Pays(2, "y", "b", "c", 800), Pays(3, "z", "c", "a", 640)],
            &["raised a: x y z"],
        ),
        (
            "less than 80 % in the middle",
            vec![Pays(1, "x", "a", "b", 1000), Pays(2, "y", "b", "c", 799), Pays(3, "z", "c", "a", 1000)],
            &[],
        ),
        ("more than came", vec![Pays(1, "x", "a", "b", 100), Pays(2, "y", "b", "a", 900)], &["raised a: x y"]),
        ("a day later", vec![Pays(1, "x", "a", "b", 100), Pays(1 + DAY, "y", "b", "a", 100)], &["raised a: x y"]),
        ("more than a day later", vec![Pays(1, "x", "a", "b", 100), Pays(2 + DAY, "y", "b", "a", 100)], &[]),
        (
            "five hops",
            vec![
                Pays(1, "1", "a", "b", 100),
                Pays(2, "2", "b", "c", 100),
                Pays(3, "3", "c", "d", 100),
                Pays(4, "4", "d", "e", 100),
                Pays(5, "5", "e", "a", 100),
            ],
            &["raised a: 1 2 3 4 5"],
        ),
        (
            "six hops",
            vec![
                Pays(1, "1", "a", "b", 100),
                Pays(2, "2", "b", "c", 100),
                Pays(3, "3", "c", "d", 100),
                Pays(4, "4", "d", "e", 100),
                Pays(5, "5", "e", "f", 100),
                Pays(6, "6", "f", "a", 100),
            ],
            &[],
        ),
        ("hops in the wrong order", vec![Pays(1, "y", "b", "c", 100), Pays(2, "x", "a", "b", 100), Pays(3, "z", "c", "a", 100)], &[]),
        (
            "another currency",
            vec![
                Pays(1, "x", "a", "b", 100),
                With(2, "y", r#""account_id":"b","counterparty_account":"a","amount":"100","currency":"EUR""#),
            ],
            &[],
        ),
        (
            "an account twice: the trip is that of the account",
            vec![Pays(1, "1", "a", "b", 100), Pays(2, "2", "b", "c", 100), Pays(3, "3", "c", "b", 100), Pays(4, "4", "b", "d", 100)],
            &["raised b: 2 3"],
        ),
    ];
    for (name, events, expected) in cases {
        assert_eq!(alerts(&found(events)), *expected, "{name}");
    }
}

#[test]
fn what_moves_no_money_between_two_accounts_is_no_hop() {
    let to_a = |id: &'static str, fields: &'static str| vec![Pays(1, "x", "a", "b", 100), With(2, id, fields)];
    for (name, fields, is_hop) in [
        ("a payment", r#""account_id":"b","counterparty_account":"a","type":"payment","amount":"100""#, true),
        ("a deposit takes from the counterparty", r#""account_id":"a","counterparty_account":"b","type":"deposit","amount":"100""#, true),
        ("a deposit from the payer", r#""account_id":"b","counterparty_account":"a","type":"deposit","amount":"100""#, false),
        ("to the outside", r#""account_id":"b","amount":"100""#, false),
        ("to the outside, by name", r#""account_id":"b","counterparty_account":"external:USD","amount":"100""#, false),
        ("a fee", r#""account_id":"b","counterparty_account":"a","type":"fee","amount":"100""#, false),
        ("nothing", r#""account_id":"b","counterparty_account":"a","amount":"0""#, false),
        ("a reversal", r#""account_id":"b","counterparty_account":"a","amount":"100","reverses":"x""#, false),
        ("a capture", r#""account_id":"b","counterparty_account":"a","amount":"100","pending_id":"h""#, false),
        (
            "an exchange",
            r#""account_id":"b","counterparty_account":"a","amount":"100","counter_amount":"90","counter_currency":"EUR""#,
            false,
        ),
    ] {
        let expected: &[&str] = if is_hop { &["raised a: x y"] } else { &[] };
        assert_eq!(alerts(&found(&to_a("y", fields))), expected, "{name}");
    }
}

#[test]
fn an_alert_is_about_the_shortest_and_then_the_latest_path() {
    let cases: &[(&str, Vec<What<'_>>, &[&str])] = &[
        (
            "two payments there and one back",
            vec![Pays(1, "1", "a", "b", 100), Pays(2, "2", "a", "b", 100), Pays(3, "3", "b", "a", 100)],
            &["raised a: 2 3"],
        ),
        (
            "the latest is too large",
            vec![Pays(1, "1", "a", "b", 100), Pays(2, "2", "a", "b", 126), Pays(3, "3", "b", "a", 100)],
            &["raised a: 1 3"],
        ),
        (
            "a long and a short path",
            vec![Pays(1, "1", "a", "b", 100), Pays(2, "2", "a", "c", 100), Pays(3, "3", "c", "b", 100), Pays(4, "4", "b", "a", 100)],
            &["raised a: 1 4"],
        ),
        (
            "two ways of the same length",
            vec![
                Pays(1, "1", "a", "b", 100),
                Pays(1, "2", "a", "c", 100),
                Pays(2, "3", "c", "d", 100),
                Pays(3, "4", "b", "d", 100),
                Pays(4, "5", "d", "a", 100),
            ],
            &["raised a: 1 4 5"],
        ),
        (
            "each return of money",
            vec![Pays(1, "1", "a", "b", 100), Pays(2, "2", "b", "a", 100), Pays(3, "3", "b", "a", 100)],
            &["raised a: 1 2", "raised a: 1 3"],
        ),
        (
            "to and fro: each turns around what the other one began",
            vec![Pays(1, "1", "a", "b", 100), Pays(2, "2", "b", "a", 100), Pays(3, "3", "a", "b", 100)],
            &["raised a: 1 2", "raised b: 2 3"],
        ),
    ];
    for (name, events, expected) in cases {
        assert_eq!(alerts(&found(events)), *expected, "{name}");
    }
}

#[test]
fn transfers_of_one_time_are_one_trip_in_whatever_order_they_come() {
    let hops = [Pays(1, "x", "a", "b", 100), Pays(1, "y", "b", "c", 100), Pays(1, "z", "c", "a", 100)];
    for (order, expected) in [
        ([0, 1, 2], "raised a: x y z"),
        ([0, 2, 1], "raised c: z x y"),
        ([1, 0, 2], "raised a: x y z"),
        ([1, 2, 0], "raised b: y z x"),
        ([2, 0, 1], "raised c: z x y"),
        ([2, 1, 0], "raised b: y z x"),
    ] {
        assert_eq!(alerts(&found(&order.map(|index| hops[index]))), [expected], "{order:?}");
    }
    // The last hop is later: the order of the others does not matter.
    let hops = [Pays(1, "y", "b", "c", 100), Pays(1, "x", "a", "b", 100), Pays(2, "z", "c", "a", 100)];
    assert_eq!(alerts(&found(&hops)), ["raised a: x y z"]);
}

/// An event of an alert's history, as `minute state: evidence; reason`.
fn history(events: &[What<'_>]) -> Vec<String> {
    let emitted = found(events);
    let changes = emitted.tables.alerts.changes();
    let evidence = |row: &Alert| row.evidence.iter().map(|id| id.as_str()).collect::<Vec<_>>().join(" ");
    let minute = |row: &Alert| EventTime::effective(row.ts).get() / MINUTE;
    let text = |row: &Alert, why: String| format!("{} {}: {}; {why}", minute(row), row.state.as_str(), evidence(row));
    changes.iter().map(|change| text(&change.row, change.why.to_string())).collect()
}

#[test]
fn a_late_transfer_closes_a_trip() {
    let [x, y, z] = TRIP;
    let late = "of transactions came";
    for (name, events, missing) in [("the first hop", [y, z, x], "x"), ("the second hop", [x, z, y], "y")] {
        let reason = if missing == "x" { format!("x {late} 1200.000 s late") } else { format!("y {late} 600.000 s late") };
        assert_eq!(history(&events), [format!("30 raised: x y z; {reason}")], "{name}");
    }
    // A shorter path to the same transfer amends the alert.
    let events = [x, y, z, Pays(35, "clock", "p", "q", 1), Pays(25, "w", "a", "c", 900)];
    let expected = ["30 raised: x y z; ".to_owned(), format!("35 amended: w z; w {late} 600.000 s late")];
    assert_eq!(history(&events), expected);
    // As late as it may be, and later: then the pack's rules refuse it.
    for (minute, expected) in [(DAY + 10, &["raised a: x y z"][..]), (DAY + 11, &[])] {
        assert_eq!(alerts(&found(&[y, z, Pays(minute, "clock", "p", "q", 1), x])), expected, "{minute}");
    }
}

#[test]
fn a_transfer_that_is_taken_back_ends_its_trips() {
    let [x, y, z] = TRIP;
    for id in ["x", "y", "z"] {
        let expected = ["30 raised: x y z; ".to_owned(), format!("40 withdrawn: x y z r; transaction r reverses {id}")];
        assert_eq!(history(&[x, y, z, Back(40, id, "r")]), expected, "{id}");
        let expected = [&expected[..], &[format!("50 amended: x y z; transaction r reverses {id}")]].concat();
        assert_eq!(history(&[x, y, z, Back(40, id, "r"), Again(50, id, "r")]), expected, "{id} counts again");
        // Taken back before the trip is closed.
        assert!(history(&[x, y, Back(25, id, "r"), z]).is_empty() || id == "z", "{id}");
    }
    // Another path remains.
    let events = [Pays(5, "w", "a", "b", 950), x, y, z, Back(40, "x", "r")];
    assert_eq!(history(&events), ["30 raised: x y z; ", "40 amended: w y z; transaction r reverses x"]);
    let message = rows_of(&found(&[x, y, z, Back(40, "y", "r")]).tables.alerts)[0].message.to_string();
    assert!(message.ends_with("(x 1000, y 900, z 800): no longer since r"), "{message}");
    // What is not known is ignored.
    assert_eq!(history(&[x, y, z, Back(40, "unknown", "r")]).len(), 1);
}

#[test]
fn a_hold_counts_for_what_is_captured() {
    let [x, y, z] = TRIP;
    // 720 is 80 % of 900; y may be up to 1000.
    for (id, amount, expected) in [
        ("z", 720, &["amended a: x y z"][..]),
        ("z", 719, &["withdrawn a: x y z capture"]),
        ("y", 799, &["withdrawn a: x y z capture"]),
        ("y", 1000, &["amended a: x y z"]),
        ("y", 1001, &["withdrawn a: x y z capture"]),
    ] {
        assert_eq!(alerts(&found(&[x, y, z, Captured(40, id, amount)])), expected, "{id} {amount}");
    }
    let events = [x, y, Pays(30, "z", "c", "a", 100), Captured(40, "z", 800)];
    assert_eq!(alerts(&found(&events)), ["raised a: x y z"], "captured for more");
}

#[test]
fn transfers_are_forgotten_and_alerts_stay() {
    let [x, y, z] = TRIP;
    // The last hop is forgotten two days after it, and the minute that is begun.
    for (minute, is_remembered) in [(30 + 2 * DAY, true), (31 + 2 * DAY, false)] {
        let emitted = found(&[x, y, z, Pays(minute, "clock", "p", "q", 1)]);
        let ids: Vec<_> = rows_of(&emitted.tables.round_trip_transfers).iter().map(|row| row.transaction_id.to_string()).collect();
        assert_eq!(ids, if is_remembered { vec!["clock", "z"] } else { vec!["clock"] });
        assert_eq!(rows_of(&emitted.tables.round_trips).len(), usize::from(is_remembered));
        assert_eq!(alerts(&emitted), ["raised a: x y z"]);
        let back = found(&[x, y, z, Pays(minute, "clock", "p", "q", 1), Back(minute, "z", "r")]);
        assert_eq!(alerts(&back), [if is_remembered { "withdrawn a: x y z r" } else { "raised a: x y z" }]);
    }
}
