//! Stories of accounts and owners in several symbols.

use super::*;

/// So many orders of 10 × 10, one a second.
fn usual(count: u32) -> Vec<String> {
    (0..count)
        .map(|number| format!("{number} new m1 o{number} buy 10 @ 10{}", if number.is_multiple_of(2) { "" } else { " in T" }))
        .collect()
}

#[test]
fn a_fat_finger_is_an_order_of_more_than_ten_times_the_median() {
    let after = |count: u32, line: &str| {
        let mut story = usual(count);
        story.push(line.to_owned());
        let story: Vec<_> = story.iter().map(String::as_str).collect();
        found(&story, &SurveillanceSettings::default())
    };
    let raised = ["100 fat_finger m1 raised".to_owned()];
    for (name, count, line, expected) in [
        ("just above", 10, "100 new m1 big buy 1001 @ 1", &raised[..]),
        ("exactly ten times", 10, "100 new m1 big buy 1000 @ 1", &[]),
        ("after nine orders", 9, "100 new m1 big buy 100000 @ 1", &[]),
        ("of another account", 10, "100 new a1 big buy 100000 @ 1", &[]),
        ("in another currency", 10, "100 new m1 big buy 100000 @ 1 in E", &[]),
        ("a rejected order", 10, "100 new m1 big buy 100000 @ 1.005", &[]),
        ("a market order without a price", 10, "100 new m1 big buy 100000 @ market in T", &[]),
    ] {
        assert_eq!(after(count, line), expected, "{name}");
    }
    // A market order is valued at the last price, and the second large order is of the same episode.
    let mut story = usual(10);
    story.extend(lines(&["50 new x1 y1 sell 10 @ 10", "100 new m1 big buy 102 @ market", "110 new m1 more buy 500 @ 9"]));
    let story: Vec<_> = story.iter().map(String::as_str).collect();
    assert_eq!(found(&story, &SurveillanceSettings::default()), ["100 fat_finger m1 raised", "110 fat_finger m1 amended"]);
    assert_eq!(found(&story, &settings("fat_finger = 50")), Vec::<String>::new());
    assert_eq!(found(&story, &settings("[asset_classes.equity]\nfat_finger = 11")), ["110 fat_finger m1 raised"]);
}

#[test]
fn a_large_trader_is_an_owner_with_a_large_volume_of_a_day() {
    let thresholds = settings("large_trader_quantity = 1000\nlarge_trader_value = 20000");
    let fills = |story: &[&str]| found(story, &thresholds);
    for (name, story, expected) in [
        ("the quantity is reached", vec!["0 fill a1 f1 buy 600 @ 1", "1 fill a2 f2 sell 400 @ 1 in T"], vec!["1 large_trader ann raised"]),
        ("just not", vec!["0 fill a1 f1 buy 600 @ 1", "1 fill a2 f2 sell 399 @ 1 in T"], vec![]),
        ("of a group", vec!["0 fill b1 f1 buy 600 @ 1", "1 fill c1 f2 buy 400 @ 1"], vec!["1 large_trader gang raised"]),
        ("of strangers", vec!["0 fill a1 f1 buy 600 @ 1", "1 fill b1 f2 buy 400 @ 1"], vec![]),
        ("the value is reached", vec!["0 fill m1 f1 buy 100 @ 200"], vec!["0 large_trader max raised"]),
        ("the value is just not reached", vec!["0 fill m1 f1 buy 100 @ 199.99"], vec![]),
        ("values of two currencies", vec!["0 fill m1 f1 buy 100 @ 150", "1 fill m1 f2 buy 100 @ 150 in E"], vec![]),
        (
            "quantities of two currencies",
            vec!["0 fill m1 f1 buy 600 @ 1", "1 fill m1 f2 buy 400 @ 1 in E"],
            vec!["1 large_trader max raised"],
        ),
        ("of two days", vec!["0 fill m1 f1 buy 600 @ 1", "36000 fill m1 f2 buy 400 @ 1"], vec![]),
        (
            "executions count as well",
            vec!["0 new x1 y1 sell 400 @ 1", "1 fill m1 f1 buy 600 @ 1", "2 new m1 o1 buy 400 @ 1"],
            vec!["2 large_trader max raised"],
        ),
        (
            "a bust takes its fill back",
            vec!["0 fill m1 f1 buy 600 @ 1", "1 fill m1 f2 buy 400 @ 1", "2 bust m1 f1", "3 fill m1 f3 buy 600 @ 1"],
            vec!["1 large_trader max raised", "2 large_trader max withdrawn", "3 large_trader max amended"],
        ),
        (
            "the rest is large without the fill",
            vec!["0 fill m1 f1 buy 600 @ 1", "1 fill m1 f2 buy 1000 @ 1", "2 bust m1 f1"],
            vec!["1 large_trader max raised"],
        ),
    ] {
        assert_eq!(fills(&story), expected, "{name}");
    }
    let story = lines(&["0 fill m1 f1 buy 1000 @ 1", "2 bust m1 f1"]);
    let alerts = run(traders(&thresholds), traded(&story, &thresholds)).tables.alerts;
    let reasons: Vec<_> = alerts.changes().iter().map(|change| change.why.to_string()).collect();
    assert_eq!(reasons, ["", "fill f1 was busted"]);
    // Two million at the default.
    let default = SurveillanceSettings::default();
    assert_eq!(found(&["0 fill m1 f1 buy 1999999 @ 1", "1 fill m1 f2 buy 1 @ 1"], &default), ["1 large_trader max raised"]);
    assert_eq!(found(&["0 fill m1 f1 buy 100000 @ 200"], &default), ["0 large_trader max raised"]);
}

#[test]
fn a_bust_after_its_account_changed_hands_takes_back_what_the_owner_of_then_traded() {
    let thresholds = settings("large_trader_quantity = 1000");
    for (name, story, expected) in [
        (
            "one owner later",
            vec!["0 fill m1 f1 buy 1000 @ 1", "1 give m1 ann", "2 bust m1 f1"],
            vec!["0 large_trader max raised", "2 large_trader max withdrawn"],
        ),
        (
            "two owners later",
            vec!["0 fill m1 f1 buy 1000 @ 1", "1 give m1 ann", "2 give m1 xia", "3 bust m1 f1"],
            vec!["0 large_trader max raised", "3 large_trader max withdrawn"],
        ),
        (
            "of the owner between the two",
            vec!["0 give m1 ann", "1 fill m1 f1 buy 1000 @ 1", "2 give m1 xia", "3 bust m1 f1"],
            vec!["1 large_trader ann raised", "3 large_trader ann withdrawn"],
        ),
        (
            "of a group",
            vec!["0 fill b1 f1 buy 1000 @ 1", "1 give b1 ann", "2 bust b1 f1"],
            vec!["0 large_trader gang raised", "2 large_trader gang withdrawn"],
        ),
        (
            "the volume of the new owner stays",
            vec!["0 fill m1 f1 buy 500 @ 1", "1 give m1 ann", "2 fill m1 f2 buy 1000 @ 1", "3 bust m1 f1"],
            vec!["2 large_trader ann raised"],
        ),
        (
            "of an account without a record",
            vec!["0 fill n1 f1 buy 1000 @ 1", "1 give n1 ann", "2 bust n1 f1"],
            vec!["0 large_trader n1 raised", "2 large_trader n1 withdrawn"],
        ),
    ] {
        assert_eq!(found(&story, &thresholds), expected, "{name}");
    }
}

#[test]
fn a_bust_after_the_group_of_its_customer_changed_takes_back_from_the_group_of_then() {
    let thresholds = settings("large_trader_quantity = 1000");
    for (name, story, expected) in [
        (
            "into another group",
            vec!["0 fill b1 f1 buy 1000 @ 1", "1 group bob club", "2 bust b1 f1"],
            vec!["0 large_trader gang raised", "2 large_trader gang withdrawn"],
        ),
        (
            "into a group for the first time",
            vec!["0 fill m1 f1 buy 1000 @ 1", "1 group max club", "2 bust m1 f1"],
            vec!["0 large_trader max raised", "2 large_trader max withdrawn"],
        ),
        (
            "and back again",
            vec!["0 group max club", "1 fill m1 f1 buy 1000 @ 1", "2 group max gang", "3 group max club", "4 bust m1 f1"],
            vec!["1 large_trader club raised", "4 large_trader club withdrawn"],
        ),
        (
            "the volume of the new group stays",
            vec!["0 fill b1 f1 buy 500 @ 1", "1 group bob club", "2 fill b1 f2 buy 1000 @ 1", "3 bust b1 f1"],
            vec!["2 large_trader club raised"],
        ),
        (
            "each fill has its own group",
            vec!["0 fill b1 f1 buy 1000 @ 1", "1 group bob club", "2 fill b1 f2 buy 1000 @ 1", "3 bust b1 f1", "4 bust b1 f2"],
            vec![
                "0 large_trader gang raised",
                "2 large_trader club raised",
                "3 large_trader gang withdrawn",
                "4 large_trader club withdrawn",
            ],
        ),
    ] {
        assert_eq!(sorted(found(&story, &thresholds)), sorted(lines(&expected)), "{name}");
    }
}

fn sorted(mut lines: Vec<String>) -> Vec<String> {
    lines.sort();
    lines
}

#[test]
fn a_bust_after_the_multiplier_changed_takes_back_the_value_that_was_added() {
    let thresholds = settings("large_trader_value = 20000");
    // 100 × 200 × 1, then 100 × 150 × 2. Without the first, 30 000 are left, not 10 000.
    let story = ["0 fill m1 f1 buy 100 @ 200", "1 multiplier 2", "2 fill m1 f2 buy 100 @ 150", "3 bust m1 f1"];
    let changes = found(&story, &thresholds);
    assert_eq!(changes.first().map(String::as_str), Some("0 large_trader max raised"));
    assert!(!changes.iter().any(|change| change.ends_with("withdrawn")), "{changes:?}");
    let events = traded(&lines(&story), &thresholds);
    let rows = rows_of(&run(traders(&thresholds), events).tables.traded);
    assert_eq!(rows.iter().map(|row| row.value.to_string()).collect::<Vec<_>>(), ["30000"]);
}

#[test]
fn what_fills_counted_as_is_forgotten_once_no_bust_can_come() {
    let story = ["0 fill m1 f1 buy 1000 @ 1", "1 fill m1 f2 buy 1000 @ 1", "200000 fill x1 f3 buy 1 @ 1"];
    let fills = |count: usize| {
        let rows = rows_of(&run(books(&SurveillanceSettings::default()), watched(&lines(&story[..count]))).tables.fills);
        rows.iter().map(|row| format!("{} {}", row.account_id, row.owner_id)).collect::<Vec<_>>()
    };
    assert_eq!(fills(2), ["m1 max"], "two fills that count alike");
    assert_eq!(fills(3), ["x1 xia"]);
}

#[test]
fn volumes_are_forgotten_once_no_bust_can_change_them() {
    let default = settings("large_trader_quantity = 1000");
    let story = lines(&["0 fill m1 f1 buy 1000 @ 1", "200000 fill m1 f2 buy 1 @ 1"]);
    let tables = run(traders(&default), traded(&story, &default)).tables;
    assert_eq!((rows_of(&tables.traded).len(), rows_of(&tables.saved_alerts).len(), rows_of(&tables.alerts).len()), (1, 0, 1));
}
