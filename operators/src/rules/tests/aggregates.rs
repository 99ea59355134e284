//! Tests of aggregates: the value of each, event by event, with windows, filters and keys.

use headwater_schemas::events::Channel;

use super::*;

/// A payment at a minute, with amount, merchant, device and channel; `-` leaves a text out.
fn paid(n: usize, minute: i64, amount: &str, merchant: &str, device: &str, channel: Option<Channel>) -> Transaction {
    let given = |text: &str| (text != "-").then(|| text.into());
    Transaction { merchant: given(merchant), device_id: given(device), channel, ..transaction(&format!("t{n}"), minute * MINUTE, amount) }
}

/// Six payments that differ in everything.
fn payments() -> Vec<Transaction> {
    let (cash, card) = (Some(Channel::Cash), Some(Channel::Card));
    vec![
        paid(1, 0, "10", "m1", "d1", cash),
        paid(2, 10, "20", "m2", "d1", card),
        paid(3, 20, "40", "m1", "d2", None),
        paid(4, 30, "5", "-", "-", card),
        paid(5, 60, "30", "m3", "d2", cash),
        paid(6, 61, "15", "m1", "d1", card),
    ]
}

/// The value of a feature at each payment: `name=value`, from the evidence of a rule that always fires.
fn values(feature: &str) -> Vec<String> {
    let pack = pack(&format!(
        "[[feature]]\nname = \"f\"\n{feature}\n[[rule]]\nname = \"r\"\nwhen = \"true and (exists(f) or not exists(f))\"\npoints = 1\n"
    ));
    let said = run_as(Rules::new(pack), "", payments());
    let value = |decision: &Decision| {
        let evidence = decision.reasons.first().map(|reason| reason.evidence.as_slice()).unwrap_or_default();
        // For an unknown feature, the evidence names the missing field.
        evidence.first().and_then(|text| text.split_once('=')).map(|(_, value)| value.to_owned()).unwrap_or_default()
    };
    decisions(&said).iter().map(value).collect()
}

#[test]
fn counts_sums_and_distincts_include_the_event_itself() {
    for (feature, expected) in [
        ("aggregate = \"count\"\nwindow = \"30m\"", "1 2 3 4 2 2"),
        ("aggregate = \"count\"\nwindow = \"29m\"", "1 2 3 3 1 2"),
        ("aggregate = \"count\"\nwindow = \"1s\"", "1 1 1 1 1 1"),
        ("aggregate = \"count\"\nfield = \"merchant\"\nwindow = \"1d\"", "1 2 3 3 4 5"),
        ("aggregate = \"count\"\nfilter = \"channel == 'card'\"\nwindow = \"1d\"", "0 1 1 2 2 3"),
        ("aggregate = \"sum\"\nfield = \"amount\"\nwindow = \"30m\"", "10 30 70 75 35 45"),
        ("aggregate = \"sum\"\nfield = \"amount\"\nfilter = \"amount > 10\"\nwindow = \"1d\"", "0 20 60 60 90 105"),
        ("aggregate = \"sum\"\nfield = \"amount\"\nkey = [\"account_id\", \"device_id\"]\nwindow = \"1d\"", "10 30 40 unknown 70 45"),
        ("aggregate = \"count\"\nkey = [\"account_id\", \"channel\"]\nwindow = \"1d\"", "1 1 unknown 2 2 3"),
        ("aggregate = \"distinct\"\nfield = \"merchant\"\nwindow = \"1d\"", "1 2 2 2 3 3"),
        ("aggregate = \"distinct\"\nfield = \"merchant\"\nwindow = \"30m\"", "1 2 2 2 1 2"),
        ("aggregate = \"distinct\"\nfield = \"amount\"\nwindow = \"1d\"", "1 2 3 4 5 6"),
        ("aggregate = \"distinct\"\nfield = \"channel\"\nwindow = \"30m\"", "1 2 2 2 2 2"),
        ("aggregate = \"distinct\"\nfield = \"ts\"\nkey = [\"account_id\", \"merchant\"]\nwindow = \"1d\"", "1 1 2 unknown 1 3"),
    ] {
        assert_eq!(values(feature).join(" "), expected, "{feature}");
    }
}

#[test]
fn averages_maxima_deviations_and_earlier_events_leave_the_event_itself_out() {
    for (feature, expected) in [
        ("aggregate = \"avg\"\nfield = \"amount\"\nwindow = \"1d\"", "none 10 15 23.333333333 18.75 21"),
        ("aggregate = \"avg\"\nfield = \"amount\"\nwindow = \"30m\"", "none 10 15 23.333333333 5 30"),
        ("aggregate = \"median\"\nfield = \"amount\"\nwindow = \"1d\"", "none 10 15 20 15 20"),
        ("aggregate = \"median\"\nfield = \"amount\"\nwindow = \"30m\"", "none 10 15 20 5 30"),
        (
            "aggregate = \"median\"\nfield = \"amount\"\nkey = [\"account_id\", \"device_id\"]\nwindow = \"1d\"",
            "none 10 none unknown 40 15",
        ),
        ("aggregate = \"max\"\nfield = \"amount\"\nwindow = \"1d\"", "none 10 20 40 40 40"),
        ("aggregate = \"max\"\nfield = \"amount\"\nwindow = \"30m\"", "none 10 20 40 5 30"),
        ("aggregate = \"stddev\"\nfield = \"amount\"\nwindow = \"1d\"", "none none 7.1 15.3 15.5 14.3"),
        ("aggregate = \"last\"\nfield = \"merchant\"\nwindow = \"1d\"", "none m1 m2 m1 m1 m3"),
        ("aggregate = \"last\"\nfield = \"merchant\"\nwindow = \"10m\"", "none m1 m2 m1 none m3"),
        ("aggregate = \"last\"\nfield = \"channel\"\nwindow = \"1d\"", "none cash card card card cash"),
        ("aggregate = \"last\"\nfield = \"amount\"\nkey = [\"account_id\", \"merchant\"]\nwindow = \"1d\"", "none none 10 unknown none 40"),
        ("aggregate = \"last\"\nfield = \"amount\"\nfilter = \"channel in ['cash', 'card']\"\nwindow = \"1d\"", "none 10 20 20 5 30"),
        (
            "aggregate = \"first_seen\"\nkey = [\"account_id\", \"device_id\"]\nwindow = \"1d\"",
            "none 1970-01-01T00:00:00Z none unknown 1970-01-01T00:20:00Z 1970-01-01T00:00:00Z",
        ),
        (
            "aggregate = \"first_seen\"\nkey = [\"account_id\", \"device_id\"]\nwindow = \"50m\"",
            "none 1970-01-01T00:00:00Z none unknown 1970-01-01T00:20:00Z none",
        ),
        (
            "aggregate = \"max\"\nfield = \"ts\"\nfilter = \"channel == 'cash'\"\nwindow = \"1d\"",
            "none 1970-01-01T00:00:00Z 1970-01-01T00:00:00Z 1970-01-01T00:00:00Z 1970-01-01T00:00:00Z 1970-01-01T01:00:00Z",
        ),
    ] {
        assert_eq!(values(feature).join(" "), expected, "{feature}");
    }
}

/// The payments are 10 in cash, 20 by card, 40, 5 by card, 30 in cash and 15 by card.
#[test]
fn a_window_may_begin_after_the_last_earlier_event_of_a_kind() {
    let cash = "since = \"channel == 'cash'\"";
    for (feature, expected) in [
        // The cash payment that ends a window is the last one in it.
        (format!("aggregate = \"count\"\n{cash}"), "1 1 2 3 4 1"),
        (format!("aggregate = \"sum\"\nfield = \"amount\"\n{cash}"), "10 20 60 65 95 15"),
        (format!("aggregate = \"sum\"\nfield = \"amount\"\nfilter = \"channel == 'card'\"\n{cash}"), "0 20 20 25 25 15"),
        (format!("aggregate = \"avg\"\nfield = \"amount\"\n{cash}"), "none none 20 30 21.666666667 none"),
        (format!("aggregate = \"median\"\nfield = \"amount\"\n{cash}"), "none none 20 30 20 none"),
        (format!("aggregate = \"last\"\nfield = \"merchant\"\n{cash}"), "none none m2 m1 m1 none"),
        (format!("aggregate = \"count\"\nwindow = \"10m\"\n{cash}"), "1 1 2 2 1 1"),
        (format!("aggregate = \"count\"\nwindow = \"day\"\n{cash}"), "1 1 2 3 4 1"),
        // A window of a device ends with any cash payment of the account.
        (format!("aggregate = \"count\"\nkey = [\"account_id\", \"device_id\"]\n{cash}"), "1 1 1 unknown 2 1"),
        ("aggregate = \"count\"\nsince = \"amount > 1000\"".to_owned(), "1 2 3 4 5 6"),
        ("aggregate = \"count\"\nsince = \"true\"".to_owned(), "1 1 1 1 1 1"),
    ] {
        assert_eq!(values(&feature).join(" "), expected, "{feature}");
    }
}

/// The same payments, of which those in cash are the first and the fifth.
#[test]
fn a_window_may_begin_with_the_first_event_of_a_kind_in_it() {
    let cash = "from = \"channel == 'cash'\"";
    for (feature, expected) in [
        (format!("aggregate = \"count\"\nwindow = \"1d\"\n{cash}"), "1 2 3 4 5 6"),
        (format!("aggregate = \"sum\"\nfield = \"amount\"\nwindow = \"1d\"\n{cash}"), "10 30 70 75 105 120"),
        (format!("aggregate = \"sum\"\nfield = \"amount\"\nfilter = \"channel == 'card'\"\nwindow = \"1d\"\n{cash}"), "0 20 20 25 25 40"),
        (format!("aggregate = \"last\"\nfield = \"merchant\"\nwindow = \"1d\"\n{cash}"), "none m1 m2 m1 m1 m3"),
        // The first one in cash leaves the window before the fifth payment, which is the next.
        (format!("aggregate = \"sum\"\nfield = \"amount\"\nwindow = \"35m\"\n{cash}"), "10 30 70 75 30 45"),
        ("aggregate = \"count\"\nwindow = \"1d\"\nfrom = \"amount > 1000\"".to_owned(), "1 1 1 1 1 1"),
        ("aggregate = \"count\"\nwindow = \"1d\"\nfrom = \"amount > 30\"".to_owned(), "1 1 1 2 3 4"),
    ] {
        assert_eq!(values(&feature).join(" "), expected, "{feature}");
    }
}

#[test]
fn a_window_that_begins_after_an_event_holds_thirty_days_at_most() {
    let pack = pack(
        "[[feature]]\nname = \"n\"\naggregate = \"count\"\nsince = \"amount > 5\"\n[[rule]]\nname = \"r\"\nwhen = \"n >= 1\"\npoints = 1\n",
    );
    let days = [0, 1, 30, 31, 60].map(|day| transaction(&format!("t{day:02}"), day * DAY, "1"));
    let said = run_as(Rules::new(pack), "", days);
    let counts: Vec<_> = decisions(&said).iter().map(|decision| reasons(decision).join(" ")).collect();
    let starts = ["r 1: n=1 t00", "r 1: n=2 t00 t01", "r 1: n=3 t00 t01 t30", "r 1: n=3 t01 t30 t31", "r 1: n=3 t30 t31 t60"];
    assert_eq!(counts, starts);
}

#[test]
fn a_transfer_has_one_decision_though_both_sides_count_it() {
    let pack = pack(
        "[[feature]]\nname = \"n\"\naggregate = \"count\"\nkey = [\"party\"]\nwindow = \"1d\"\n[[rule]]\nname = \"r\"\nwhen = \"n >= 2\"\npoints = 1\n",
    );
    let between = |id: &str, at: i64, from: &str, to: &str| Transaction {
        account_id: AccountId::derived(from),
        counterparty_account: Some(AccountId::derived(to)),
        r#type: TransactionType::Transfer,
        ..transaction(id, at, "1")
    };
    let view = Rules::new(pack);
    let mut happenings: Happenings<Rules> = customer("").into_iter().collect();
    for Placed { place, event } in arriving([between("t1", 0, "a", "b"), between("t2", 1, "b", "a")]) {
        let Happening::Event(RuleEvent { what, .. }) = event else { continue };
        let both_sides = view.spread(&what, None).into_iter();
        happenings.extend(both_sides.map(|event| Placed { place, event: Happening::Event(event) }));
    }
    let said = run(view, happenings);
    let decided = |decision: &Decision| {
        format!("{} of {}: {}", decision.subject_id, decision.account_id.unwrap_or_default(), reasons(decision).join(" "))
    };
    let decided: Vec<_> = decisions(&said).iter().map(decided).collect();
    assert_eq!(decided, ["t1 of a: ", "t2 of b: r 1: n=2 t1 t2"]);
}

#[test]
fn the_ratio_of_two_features_is_a_feature() {
    let pack = pack(
        r#"
        [[feature]]
        name = "by_card"
        aggregate = "sum"
        field = "amount"
        filter = 'channel == "card"'
        window = "1d"
        [[feature]]
        name = "all"
        aggregate = "sum"
        field = "amount"
        window = "1d"
        [[feature]]
        name = "share"
        value = "by_card / all"
        [[rule]]
        name = "by_card"
        when = "share >= 0.3"
        points = 1
        "#,
    );
    let said = run_as(Rules::new(pack), "", payments());
    let outcomes: Vec<_> = decisions(&said).iter().map(|decision| reasons(decision).join("; ")).collect();
    // 20 of 30, 20 of 70, 25 of 75, 25 of 105, 40 of 120.
    assert_eq!(
        outcomes,
        [
            "",
            "by_card 1: share=0.666666667 t1 t2",
            "",
            "by_card 1: share=0.333333333 t1 t2 t3 t4",
            "",
            "by_card 1: share=0.333333333 t1 t2 t3 t4 t5 t6"
        ]
    );
}

#[test]
fn of_two_maxima_the_earlier_one_is_named() {
    let pack = pack(
        "[[feature]]\nname = \"most\"\naggregate = \"max\"\nfield = \"amount\"\nwindow = \"1h\"\n[[rule]]\nname = \"r\"\nwhen = \"amount < most\"\npoints = 1\n",
    );
    let amounts = ["7", "9", "9", "8"];
    let said = run_as(Rules::new(pack), "", amounts.iter().zip(0..).map(|(amount, n)| transaction(&format!("t{n}"), n * MINUTE, amount)));
    assert_eq!(reasons(&decision_on(&said, "t3")), ["r 1: amount=8 most=9 t1 t3"]);
}

#[test]
fn the_first_use_of_a_device_is_a_rule_that_can_be_written() {
    let pack = pack(
        r#"
        [[feature]]
        name = "device_since"
        aggregate = "first_seen"
        key = ["account_id", "device_id"]
        window = "90d"
        [[rule]]
        name = "new_device"
        when = "not exists(device_since)"
        points = 30
        "#,
    );
    let said = run_as(Rules::new(pack), "", payments());
    let outcomes: Vec<_> = decisions(&said).iter().map(|decision| reasons(decision).join("; ")).collect();
    assert_eq!(
        outcomes,
        ["new_device 30: device_since=none t1", "", "new_device 30: device_since=none t3", "new_device 0: device_id=unknown", "", "",]
    );
}

#[test]
fn an_amount_far_above_the_usual_is_a_rule_that_can_be_written() {
    let pack = pack(
        r#"
        [[feature]]
        name = "count_90d"
        aggregate = "count"
        window = "90d"
        [[feature]]
        name = "usual"
        aggregate = "avg"
        field = "amount"
        window = "90d"
        [[feature]]
        name = "spread"
        aggregate = "stddev"
        field = "amount"
        window = "90d"
        [[rule]]
        name = "unusual"
        when = "count_90d > 10 and amount > usual + 3 * spread"
        points = 60
        "#,
    );
    let amounts = ["10", "12", "9", "11", "10", "10", "11", "12", "9", "500", "10", "600"];
    let said =
        run_as(Rules::new(pack), "", amounts.iter().zip(0..).map(|(amount, day)| transaction(&format!("t{day:02}"), day * DAY, amount)));
    // The tenth has too few predecessors; the twelfth lies below mean + 3 sd because of the tenth: 54.9 + 3 × 147.7 < 600.
    let fires: Vec<_> = decisions(&said).iter().map(|decision| fired(decision).len()).collect();
    assert_eq!(fires, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    let reason = reasons(&decision_on(&said, "t11")).join("");
    assert!(reason.starts_with("unusual 60: count_90d=12 amount=600 usual=54.909090909 spread=147.6 t00 t01"), "{reason}");
}
