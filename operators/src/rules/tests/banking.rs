//! The pack `banking`, rule by rule, at its boundaries.

use headwater_schemas::events::{Channel, TransactionPhase};
use headwater_schemas::tables::{AlertState, DecisionState, Severity, Verdict};
use headwater_schemas::{EventTime, Offset};

use super::*;

/// Noon in London, in winter.
const NOON: i64 = 1_768_478_400 * SECOND; // 2026-01-15T12:00:00Z

fn one(customer: &str, transaction: Transaction) -> Decision {
    decision_on(&run_as(banking(), customer, [transaction]), "t")
}

#[test]
fn an_amount_fires_above_ten_thousand_and_not_at_it() {
    for (amount, fires) in [("0", false), ("9999.999999999", false), ("10000", false), ("10000.000000001", true), ("10001", true)] {
        let decision = one(AT_HOME, located(transaction("t", NOON, amount), "0", "0"));
        assert_eq!(fired(&decision), if fires { vec!["large_amount"] } else { vec![] }, "{amount}");
    }
    let decision = one(AT_HOME, located(transaction("t", NOON, "12000.50"), "0", "0"));
    assert_eq!(reasons(&decision), ["large_amount 30: amount=12000.5 t"]);
    assert_eq!((decision.score.value(), decision.decision), (30.0, Verdict::Approve));
}

#[test]
fn the_night_is_from_midnight_until_just_before_six_where_the_customer_lives() {
    for (zone, time, fires) in [
        ("Europe/London", "2026-01-14T23:59:59.999999999Z", false),
        ("Europe/London", "2026-01-15T00:00:00Z", true),
        ("Europe/London", "2026-01-15T05:59:59.999999999Z", true),
        ("Europe/London", "2026-01-15T06:00:00Z", false),
        // In summer London is an hour ahead of UTC.
        ("Europe/London", "2026-07-14T22:59:59Z", false),
        ("Europe/London", "2026-07-14T23:00:00Z", true),
        ("Europe/London", "2026-07-15T04:59:59Z", true),
        ("Europe/London", "2026-07-15T05:00:00Z", false),
        // The clocks go forward on 2026-03-29 at 01:00Z: six o'clock is at 05:00Z.
        ("Europe/London", "2026-03-29T04:59:59Z", true),
        ("Europe/London", "2026-03-29T05:00:00Z", false),
        // And back on 2026-10-25 at 01:00Z: the night begins at 23:00Z and ends at 06:00Z.
        ("Europe/London", "2026-10-24T23:00:00Z", true),
        ("Europe/London", "2026-10-25T05:59:59Z", true),
        ("Europe/London", "2026-10-25T06:00:00Z", false),
        ("America/New_York", "2026-01-15T05:00:00Z", true),
        ("America/New_York", "2026-01-15T04:59:59Z", false),
        // An offset of half an hour, and another date than in UTC.
        ("Asia/Kolkata", "2026-01-14T18:30:00Z", true),
        ("Asia/Kolkata", "2026-01-14T18:29:59Z", false),
        ("Asia/Kolkata", "2026-01-15T00:30:00Z", false),
        ("Pacific/Kiritimati", "2026-01-14T10:00:00Z", true),
    ] {
        let fields = format!(r#","home_lat":"0","home_lon":"1","timezone":"{zone}""#);
        let decision = one(&fields, located(transaction("t", at(time), "1"), "0", "0"));
        assert_eq!(fired(&decision), if fires { vec!["night"] } else { vec![] }, "{zone} {time}");
    }
    let decision = one(AT_HOME, located(transaction("t", at("2026-01-15T03:10:00Z"), "1"), "0", "0"));
    assert_eq!(reasons(&decision), ["night 20: hour_local=3 t"]);
}

#[test]
fn without_a_time_zone_the_night_is_unknown() {
    let home = r#","home_lat":"0","home_lon":"1""#;
    let decision = one(home, located(transaction("t", at("2026-01-15T03:00:00Z"), "1"), "0", "0"));
    assert_eq!(reasons(&decision), ["night 0: hour_local=unknown"]);
    assert_eq!(decision.decision, Verdict::Approve);
}

#[test]
fn the_sixth_within_ten_minutes_fires() {
    let times = |times: &[i64]| {
        let transactions: Vec<_> =
            times.iter().zip(1..).map(|(time, n)| located(transaction(&format!("t{n}"), NOON + time, "1"), "0", "0")).collect();
        let said = run_as(banking(), AT_HOME, transactions);
        decisions(&said)
            .iter()
            .filter(|decision| !fired(decision).is_empty())
            .map(|decision| decision.subject_id.to_string())
            .collect::<Vec<_>>()
    };
    let five = [0, MINUTE, 2 * MINUTE, 3 * MINUTE, 4 * MINUTE];
    assert_eq!(times(&five), Vec::<String>::new());
    for (sixth, fires) in [(5 * MINUTE, true), (10 * MINUTE, true), (10 * MINUTE + 1, false), (DAY, false)] {
        let all: Vec<i64> = five.into_iter().chain([sixth]).collect();
        assert_eq!(times(&all), if fires { vec!["t6"] } else { vec![] }, "{sixth}");
    }
    // At the same time, in the order in which they were read.
    assert_eq!(times(&[0; 7]), ["t6", "t7"]);

    let transactions = (1..=6).map(|n| located(transaction(&format!("t{n}"), NOON, "1"), "0", "0"));
    let decision = decision_on(&run_as(banking(), AT_HOME, transactions), "t6");
    assert_eq!(reasons(&decision), ["velocity 40: count_10m=6 t1 t2 t3 t4 t5 t6"]);
    assert_eq!(decision.decision, Verdict::Review);
}

#[test]
fn other_accounts_and_voids_do_not_count() {
    let mut transactions: Vec<_> = (1..=12).map(|n| located(transaction(&format!("t{n}"), NOON, "1"), "0", "0")).collect();
    for (n, transaction) in transactions.iter_mut().enumerate() {
        match n % 3 {
            0 => transaction.account_id = AccountId::derived("other"),
            1 => transaction.phase = Some(TransactionPhase::Void),
            _ => transaction.phase = Some(TransactionPhase::Pending),
        }
    }
    let decisions = decisions(&run_as(banking(), AT_HOME, transactions));
    assert_eq!(decisions.len(), 8, "a void is not scored, everything else is");
    assert!(decisions.iter().all(|decision| fired(decision).is_empty()));
}

#[test]
fn travel_fires_above_900_km_an_hour_and_not_at_it() {
    // 8.094 degrees of the equator are 900.01 km; 8.0935 degrees are 899.96 km. Both lie within 1 000 miles of home.
    for (degrees, after, fires) in [
        ("8.0935", HOUR, false),
        ("8.094", HOUR, true),
        ("8.094", HOUR + MINUTE, false),
        ("8.094", 30 * MINUTE, true),
        ("0", 0, false),
        // Twenty-two metres apart within 50 ms, and far apart at the same time: not travel.
        ("0.0002", 50_000_000, false),
        ("9", 0, false),
        ("9", MINUTE - 1, false),
        ("9", MINUTE, true),
        // Distances of 50.04 km and 49.93 km.
        ("0.45", MINUTE, true),
        ("0.449", MINUTE, false),
    ] {
        let first = located(transaction("s", NOON, "1"), "0", "0");
        let second = located(transaction("t", NOON + after, "1"), "0", degrees);
        let decision = decision_on(&run_as(banking(), AT_HOME, [first, second]), "t");
        assert_eq!(fired(&decision), if fires { vec!["impossible_travel"] } else { vec![] }, "{degrees} {after}");
    }
    let first = located(transaction("s", NOON, "1"), "0", "0");
    let second = located(transaction("t", NOON + 30 * MINUTE, "1"), "0", "8.094");
    let decision = decision_on(&run_as(banking(), AT_HOME, [first, second]), "t");
    assert_eq!(reasons(&decision), ["impossible_travel 50: speed_kmh=1800.0 travel_km=900.0 travel_time=30m s t"]);
}

#[test]
fn travel_is_measured_from_the_last_event_that_has_a_place() {
    let first = located(transaction("r", NOON, "1"), "0", "8.094");
    let second = located(transaction("s", NOON + 50 * MINUTE, "1"), "0", "0.1");
    let between = transaction("between", NOON + 55 * MINUTE, "1");
    let last = located(transaction("t", NOON + 59 * MINUTE, "1"), "0", "0.1");
    let said = run_as(banking(), AT_HOME, [first.clone(), second, between.clone(), last.clone()]);
    assert_eq!(fired(&decision_on(&said, "t")), Vec::<&str>::new());
    let said = run_as(banking(), AT_HOME, [first, between, last]);
    assert_eq!(reasons(&decision_on(&said, "t")), ["impossible_travel 50: speed_kmh=904.0 travel_km=888.9 travel_time=59m r t"]);
}

#[test]
fn a_thousand_miles_from_home_fire_above_and_not_at_it() {
    // 14.473 degrees of the equator are 999.99 miles, 14.474 degrees are 1000.06.
    for (degrees, fires) in [("0", false), ("14.473", false), ("14.474", true), ("-14.474", true), ("180", true)] {
        let decision = one(AT_HOME, located(transaction("t", NOON, "1"), "0", degrees));
        assert_eq!(fired(&decision), if fires { vec!["impossible_travel"] } else { vec![] }, "{degrees}");
    }
    let decision = one(AT_HOME, located(transaction("t", NOON, "1"), "0", "20"));
    assert_eq!(reasons(&decision), ["impossible_travel 50: miles_from_home=1381.9 t"]);
    assert_eq!((decision.score.value(), decision.decision), (50.0, Verdict::Review));
}

#[test]
fn a_missing_place_is_unknown_and_named_only_where_it_decides() {
    let nowhere = |ts| transaction("t", ts, "1");
    // (customer, transaction, reasons)
    for (customer, transaction, expected) in [
        (AT_HOME, nowhere(NOON), vec!["impossible_travel 0: location=unknown"]),
        (r#","timezone":"UTC""#, located(nowhere(NOON), "0", "0"), vec!["impossible_travel 0: home=unknown"]),
        (r#","timezone":"UTC""#, nowhere(NOON), vec!["impossible_travel 0: location=unknown home=unknown"]),
        ("", nowhere(NOON), vec!["night 0: hour_local=unknown", "impossible_travel 0: location=unknown home=unknown"]),
        (AT_HOME, located(nowhere(NOON), "0", "0"), vec![]),
    ] {
        let decision = one(customer, transaction);
        assert_eq!(reasons(&decision), expected, "{customer}");
        assert_eq!((decision.score.value(), decision.decision), (0.0, Verdict::Approve));
    }
    // The coordinates 0° N 0° E are not a place, and neither is a single coordinate.
    let mut nought = nowhere(NOON);
    (nought.lat, nought.lon) = ("0".parse().ok(), "0".parse().ok());
    assert_eq!(reasons(&one(AT_HOME, nought)), ["impossible_travel 0: location=unknown"]);
    let mut half = nowhere(NOON);
    half.lat = "1".parse().ok();
    assert_eq!(undecided(&one(AT_HOME, half)), ["impossible_travel"]);
    // With the speed above the limit, an unknown home does not matter.
    let first = located(transaction("s", NOON, "1"), "0", "0");
    let second = located(transaction("t", NOON + 30 * MINUTE, "1"), "0", "9");
    let decision = decision_on(&run_as(banking(), r#","timezone":"UTC""#, [first, second]), "t");
    assert_eq!(reasons(&decision), ["impossible_travel 50: speed_kmh=2001.5 travel_km=1000.8 travel_time=30m s t"]);
    // A customer without reference data.
    let alone = decision_on(&run(banking(), arriving([nowhere(NOON)])), "t");
    assert_eq!(undecided(&alone), ["night", "impossible_travel"]);
}

#[test]
fn points_add_up_to_review_and_block() {
    let night = at("2026-01-15T03:00:00Z");
    // (amount, time, longitude, how many before, score, verdict, severity of the alert)
    for (amount, time, lon, before, score, verdict, severity) in [
        ("1", NOON, "0", 0, 0.0, Verdict::Approve, None),
        ("20000", NOON, "0", 0, 30.0, Verdict::Approve, None),
        ("1", NOON, "0", 5, 40.0, Verdict::Review, None),
        ("20000", night, "0", 0, 50.0, Verdict::Review, None),
        ("1", night, "0", 5, 60.0, Verdict::Review, None),
        ("20000", NOON, "0", 5, 70.0, Verdict::Block, Some(Severity::High)),
        ("1", night, "20", 0, 70.0, Verdict::Block, Some(Severity::High)),
        ("20000", NOON, "20", 0, 80.0, Verdict::Block, Some(Severity::High)),
        ("20000", night, "20", 0, 100.0, Verdict::Block, Some(Severity::Critical)),
        ("20000", night, "20", 5, 140.0, Verdict::Block, Some(Severity::Critical)),
    ] {
        let before = (0..before).map(|n| located(transaction(&format!("s{n}"), time - MINUTE, "1"), "0", "0"));
        let said = run_as(banking(), AT_HOME, before.chain([located(transaction("t", time, amount), "0", lon)]));
        let decision = decision_on(&said, "t");
        assert_eq!((decision.score.value(), decision.decision), (score, verdict), "{amount} {lon}");
        assert_eq!(decision.state, DecisionState::Made);
        assert_eq!(alerts(&said).first().map(|alert| alert.severity), severity);
    }
}

#[test]
fn a_decision_and_its_alert_say_what_they_are_about() {
    let before = (1..=5).map(|n| located(transaction(&format!("s{n}"), NOON, "1"), "0", "0"));
    let mut last = located(transaction("t", NOON + MINUTE, "20000"), "0", "0");
    last.channel = Some(Channel::Wire);
    let said = run_as(banking(), AT_HOME, before.chain([last]));
    let decision = decision_on(&said, "t");
    assert_eq!(decision.decision_id.as_str(), "banking:transaction:t");
    assert_eq!(decision.account_id.as_deref(), Some("a"));
    assert_eq!(decision.ruleset.as_str(), "banking");
    assert_eq!(decision.ts.nanos(), NOON + MINUTE);
    assert_eq!(reasons(&decision), ["large_amount 30: amount=20000 t", "velocity 40: count_10m=6 s1 s2 s3 s4 s5 t"]);
    let alerts = alerts(&said);
    let [alert] = alerts.as_slice() else { panic!("{alerts:?}") };
    assert_eq!(alert.alert_id.as_str(), "fraud:banking:transaction:t");
    assert_eq!((alert.rule.as_str(), alert.subject.as_str(), alert.state), ("banking", "a", AlertState::Raised));
    assert_eq!(alert.message.as_str(), "transaction t on account a: block, score 70 (large_amount 30, velocity 40)");
    assert_eq!(alert.evidence.iter().map(|id| id.as_str()).collect::<Vec<_>>(), ["t", "s1", "s2", "s3", "s4", "s5"]);
    assert_eq!(alert.ts.nanos(), NOON + MINUTE);
}

#[test]
fn reasons_name_the_latest_ids_when_there_are_many() {
    let said = run_as(banking(), AT_HOME, (1..=30).map(|n| located(transaction(&format!("t{n:02}"), NOON, "1"), "0", "0")));
    let ids: Vec<String> = (11..=30).map(|n| format!("t{n:02}")).collect();
    assert_eq!(reasons(&decision_on(&said, "t30")), [format!("velocity 40: count_10m=30 (and earlier events) {}", ids.join(" "))]);
}

#[test]
fn a_move_counts_from_the_next_event_on() {
    let far = r#"{"customer_id":"c","home_lat":"0","home_lon":"91","timezone":"UTC"}"#;
    let moved = Event::decode(Topic::Customers, None, Some(far.as_bytes())).expect("a customer");
    let mut happenings = customer(AT_HOME);
    let steps = arriving([0, 1, 2].map(|hour| located(transaction(&format!("t{hour}"), NOON + hour * HOUR, "1"), "0", "0")));
    happenings.extend(steps);
    let between = EventTime::from_nanos(NOON + HOUR - 1).effective();
    happenings.push(Placed { place: Place::of_record(between, Topic::Customers, 0, Offset::new(1)), event: Happening::Broadcast(moved) });
    let said = run(banking(), happenings);
    let firing: Vec<_> = decisions(&said).iter().map(|decision| fired(decision).len()).collect();
    assert_eq!(firing, [0, 1, 1]);
}
