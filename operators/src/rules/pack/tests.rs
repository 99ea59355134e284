//! Tests of packs: what is accepted, and the message of each rejection.

use super::*;

const HEAD: &str = "name = \"p\"\nsubject = \"transaction\"\n[thresholds]\nreview = 1\nblock = 2\n";

fn refused(text: &str) -> Vec<String> {
    let error = Pack::parse("p.toml", text).expect_err(text);
    error.problems.iter().map(|problem| format!("{}:{}: {}", problem.line, problem.column, problem.reason)).collect()
}

/// The problems of a pack with a valid head; the given text begins at line 6.
fn refused_after_head(rest: &str) -> Vec<String> {
    refused(&format!("{HEAD}{rest}"))
}

#[test]
fn the_pack_that_comes_with_the_program_is_right() {
    let pack = Pack::built_in("banking").expect("the pack").expect("its rules");
    assert_eq!(pack.name(), "banking");
    let [ruleset] = pack.rulesets.as_slice() else { panic!("its rules group events by the account alone") };
    let thresholds = Thresholds { review: 40 * UNIT, block: 70 * UNIT, critical: Some(100 * UNIT) };
    assert_eq!(ruleset.scoring, Some(Scoring { combine: Combine::Sum, thresholds }));
    let rules: Vec<_> = ruleset.rules.iter().map(|rule| (rule.name.as_str(), rule.points)).collect();
    assert_eq!(rules, [("large_amount", 30), ("night", 20), ("velocity", 40), ("impossible_travel", 50)]);
    assert_eq!((ruleset.kept.own(), ruleset.kept.facts()), (&[Field::Location, Field::Amount][..], &[Field::Home][..]));
}

#[test]
fn only_the_fields_that_a_pack_reads_are_stored() {
    let rest = r#"
        [[feature]]
        name = "n"
        aggregate = "distinct"
        field = "merchant"
        key = ["account_id", "device_id"]
        filter = 'country == "DE"'
        window = "1h"
        [[rule]]
        name = "r"
        when = 'n > 1 and mcc == "1" and channel == "card"'
        points = 1
    "#;
    let pack = Pack::parse("p", &format!("{HEAD}{rest}")).expect("a pack");
    let mut names: Vec<_> = pack.rulesets.iter().flat_map(|ruleset| ruleset.kept.fields()).map(|field| field.name()).collect();
    names.sort_unstable();
    assert_eq!(names, ["channel", "country", "device_id", "mcc", "merchant"]);
}

#[test]
fn a_threshold_is_reached_by_the_score_that_equals_it() {
    let thresholds = Thresholds { review: 40 * UNIT, block: 70 * UNIT, critical: Some(100 * UNIT) };
    for (score, verdict, severity) in [
        (0, Verdict::Approve, Severity::High),
        (39, Verdict::Approve, Severity::High),
        (40, Verdict::Review, Severity::High),
        (69, Verdict::Review, Severity::High),
        (70, Verdict::Block, Severity::High),
        (99, Verdict::Block, Severity::High),
        (100, Verdict::Block, Severity::Critical),
    ] {
        assert_eq!((thresholds.verdict(score * UNIT), thresholds.severity(score * UNIT)), (verdict, severity), "{score}");
    }
}

#[test]
fn every_problem_is_said_at_once_in_the_order_of_the_file() {
    let text = r#"name = "Bad Name"
subject = "parcel"
colour = "red"

[thresholds]
review = 80
block = 70

[[feature]]
name = "spent"
aggregate = "total"
window = "10 minutes"

[[feature]]
name = "amount"
aggregate = "count"
window = "10m"

[[rule]]
name = "r"
when = "spent > 5 and amonut > 10 or merchant > 2"
points = 0
"#;
    let error = Pack::parse("packs/bad.toml", text).expect_err("a bad pack");
    let message = error.to_string();
    let lines: Vec<_> = message.lines().collect();
    assert_eq!(lines.first(), Some(&"the rule pack packs/bad.toml has 10 problems"));
    let places: Vec<_> = error.problems.iter().map(|problem| (problem.line, problem.column)).collect();
    assert_eq!(places, [(1, 8), (2, 11), (3, 1), (6, 10), (11, 13), (12, 10), (15, 8), (21, 23), (21, 38), (22, 10)]);
    assert_eq!(
        lines.get(9).map(|line| line.split(": the fields").next().unwrap_or_default()),
        Some("  packs/bad.toml:21:38: a text can not be compared with a number")
    );
}

#[test]
fn what_is_not_toml_is_said_with_its_line() {
    let problems = refused("name = \"p\"\nsubject = \n[thresholds\nreview = 1\n");
    assert!(problems.len() >= 2, "{problems:?}");
    assert!(problems.iter().all(|problem| problem.contains("this is not TOML: ")), "{problems:?}");
    assert!(problems.first().is_some_and(|problem| problem.starts_with("2:")), "{problems:?}");
    assert!(problems.get(1).is_some_and(|problem| problem.starts_with("3:")), "{problems:?}");
    // A repeated key is a TOML error, too.
    assert!(refused("name = \"p\"\nname = \"q\"\n").first().is_some_and(|problem| problem.starts_with("2:1: this is not TOML")));
}

#[test]
fn what_is_missing_is_said_where_it_belongs() {
    assert_eq!(refused(""), ["1:1: a pack has no `name`: add it", "1:1: a pack has no `subject`: add it"]);
    assert_eq!(refused(HEAD), ["1:1: a pack without a rule decides nothing: add [[rule]]"]);
    assert_eq!(
        refused_after_head("[[rule]]\n"),
        ["6:1: a rule has no `name`: add it", "6:1: a rule has no `points`: add it", "6:1: a rule has no `when`: add it",]
    );
}

#[test]
fn each_mistake_has_its_words() {
    let feature = |rest: &str| format!("[[feature]]\nname = \"f\"\n{rest}\n[[rule]]\nname = \"r\"\nwhen = \"amount > 1\"\npoints = 1\n");
    for (rest, problem) in [
        ("aggregate = \"sum\"\nwindow = \"1h\"", "8:13: this aggregate needs a `field`"),
        (
            "aggregate = \"sum\"\nfield = \"amonut\"\nwindow = \"1h\"",
            "9:9: the event has no field \"amonut\": use one of amount, ts, type,",
        ),
        ("aggregate = \"sum\"\nfield = \"merchant\"\nwindow = \"1h\"", "9:9: this aggregate takes a number, but the field is a text"),
        (
            "aggregate = \"max\"\nfield = \"merchant\"\nwindow = \"1h\"",
            "9:9: this aggregate takes a number or a time, but the field is a text",
        ),
        ("aggregate = \"stddev\"\nfield = \"ts\"\nwindow = \"1h\"", "9:9: this aggregate takes a number, but the field is a time"),
        (
            "aggregate = \"mode\"\nfield = \"amount\"\nwindow = \"1h\"",
            "8:13: there is no aggregate \"mode\": use one of count, sum, avg, max, distinct, stddev, median, first_seen, last",
        ),
        ("aggregate = \"median\"\nfield = \"ts\"\nwindow = \"1h\"", "9:9: this aggregate takes a number, but the field is a time"),
        ("aggregate = \"count\"\nsince = \"f > 1\"", "9:10: the event has no field `f`: use one of amount, ts, type,"),
        ("aggregate = \"count\"\nsince = \"amount\"", "9:10: this is a number, but a condition is needed here"),
        ("aggregate = \"count\"\nsince = \"amount > 1\"\nwindow = \"10\"", "10:10: \"10\" is no length of time:"),
        ("aggregate = \"count\"\nfrom = \"amount > 1\"", "6:1: a feature has no `window`: add it"),
        ("aggregate = \"count\"\nwindow = \"day\"\nfrom = \"amount > 1\"", "10:8: `from` needs a window of a length"),
        ("aggregate = \"count\"\nsince = \"true\"\nfrom = \"true\"", "10:8: a window has `since` or `from`, not both"),
        ("aggregate = \"count\"", "6:1: a feature has no `window`: add it"),
        ("aggregate = \"count\"\nwindow = \"0s\"", "9:10: \"0s\" is no window: it has no length; write 1s or more"),
        ("aggregate = \"count\"\nwindow = 10", "9:10: `window` is a whole number: write a text in quotes"),
        (
            "aggregate = \"count\"\nwindow = \"10\"",
            "9:10: \"10\" is no length of time: write a whole number and one of s, m, h, d, like 10m",
        ),
        (
            "aggregate = \"count\"\nwindow = \"10m\"\nkeys = []",
            "10:1: a feature has no entry `keys`: use name, value, aggregate, field, window, key, filter, since, from",
        ),
        ("aggregate = \"count\"\nwindow = \"10m\"\nkey = \"device_id\"", "10:7: `key` is a text: write a list of texts"),
        (
            "aggregate = \"count\"\nwindow = \"10m\"\nkey = [\"device_id\"]",
            "10:7: events are not grouped by \"device_id\": the first of a key is one of party, account_id, customer_id",
        ),
        (
            "aggregate = \"count\"\nwindow = \"10m\"\nkey = [\"account_id\", \"location\"]",
            "10:7: `location` is a location: a key is a text or a number",
        ),
        (
            "aggregate = \"count\"\nwindow = \"10m\"\nkey = [\"account_id\", \"type\", \"channel\"]",
            "10:7: a key is [GROUP], or [GROUP, FIELD] for the events of a group with the same FIELD",
        ),
        ("aggregate = \"count\"\nwindow = \"10m\"\nfilter = \"f > 1\"", "10:11: the event has no field `f`: use one of amount, ts, type,"),
        ("aggregate = \"count\"\nwindow = \"10m\"\nfilter = \"amount\"", "10:11: this is a number, but a condition is needed here"),
        ("value = \"amount + f\"", "8:19: `f` is neither a feature declared above nor a field of the event:"),
        ("value = \"amount\"\naggregate = \"count\"", "6:1: a feature has either an `aggregate` or a `value`"),
        ("window = \"1h\"", "6:1: a feature has either an `aggregate` or a `value`"),
    ] {
        let problems = refused_after_head(&feature(rest));
        assert!(matches!(problems.as_slice(), [one] if one.starts_with(problem)), "{rest}: {problems:?}");
    }
}

#[test]
fn a_pack_without_points_has_severities_and_several_groups() {
    let head = "name = \"p\"\nsubject = \"transaction\"\n";
    let feature =
        |name: &str, group: &str| format!("[[feature]]\nname = \"{name}\"\naggregate = \"count\"\nwindow = \"1h\"\nkey = [\"{group}\"]\n");
    let rule = |name: &str, when: &str, rest: &str| format!("[[rule]]\nname = \"{name}\"\nwhen = \"{when}\"\n{rest}\n");
    let features = [feature("a", "account_id"), feature("b", "party")].concat();
    let of = |rules: &str| format!("{head}{features}{rules}");
    let severe = "severity = \"low\"";
    let pack = Pack::parse("p", &of(&[rule("r", "a > 1", severe), rule("s", "b > 1", severe)].concat())).expect("a pack");
    let groups: Vec<_> = pack.rulesets.iter().map(|ruleset| (ruleset.grouping.name(), ruleset.aggregates.len())).collect();
    assert_eq!(groups, [("account_id", 1), ("party", 1)]);
    for (rules, problem) in [
        (rule("r", "a > 1", "severity = \"bad\""), "16:12: \"bad\" is no severity: use one of low, medium, high, critical"),
        (rule("r", "a > 1", "points = 1"), "13:1: `points` need [thresholds]: add them, or give the rule a `severity`"),
        (rule("r", "a > b", severe), "13:1: this rule reads windows of two groups, account_id and party: split it"),
        (rule("r", "a > 1", "severity = \"low\"\nquiet = \"soon\""), "17:9: \"soon\" is no length of time"),
        (rule("r", "a > 1", "severity = \"low\"\neffective_from = \"soon\""), "17:18: \"soon\" is no time"),
        (rule("r", "a > 1", "severity = \"low\"\nrise = { severity = \"high\" }"), "17:8: a rise has no `when`: add it"),
    ] {
        let problems = refused(&of(&rules));
        assert!(matches!(problems.as_slice(), [one] if one.starts_with(problem)), "{rules}: {problems:?}");
    }
    // One score needs one group.
    let thresholds = "[thresholds]\nreview = 1\nblock = 2\n";
    let rules = [rule("r", "a > 1", "points = 1"), rule("s", "b > 1", "points = 1")].concat();
    let problems = refused(&format!("{head}{thresholds}{features}{rules}"));
    assert!(matches!(problems.as_slice(), [one] if one.contains("one score needs one group for all rules")), "{problems:?}");
}

#[test]
fn a_block_begins_at_a_score_or_beyond_it() {
    let thresholds = |text: &str| {
        format!(
            "name = \"p\"\nsubject = \"payment\"\n[thresholds]\nreview = 1\n{text}\n[[rule]]\nname = \"r\"\nwhen = \"true\"\npoints = 80\n"
        )
    };
    let block = |text: &str| Pack::parse("p", &thresholds(text)).expect(text).rulesets[0].scoring.map(|scoring| scoring.thresholds.block);
    assert_eq!((block("block = 80"), block("block_above = 80")), (Some(80 * UNIT), Some(80 * UNIT + 1)));
    for text in ["", "block = 80\nblock_above = 80"] {
        let problem = "3:1: [thresholds] has either `block` (from that score on) or `block_above` (beyond it): add one";
        assert_eq!(refused(&thresholds(text)), [problem], "{text}");
    }
}

#[test]
fn a_pack_s_own_tests_are_run_when_it_is_loaded() {
    let event = |id: &str, amount: &str| {
        format!(
            "{{ transaction_id = \"{id}\", account_id = \"a\", type = \"fee\", amount = {amount}, currency = \"USD\", ts = \"2026-01-05T10:00:00Z\" }}"
        )
    };
    let pack = |rest: &str| format!("{HEAD}[[rule]]\nname = \"r\"\nwhen = \"amount > 1.5\"\npoints = 2\n[[test]]\nname = \"t\"\n{rest}\n");
    let right = format!("events = [{}, {}]\nfires = [\"r\"]\ndecision = \"block\"", event("t1", "1"), event("t2", "1.6"));
    assert_eq!(Pack::parse("p", &pack(&right)).expect("a pack").test_count(), 1);
    for (rest, problem) in [
        (right.replace("1.6", "1.5"), "10:1: the test \"t\" expects that r fires, and nothing does"),
        (right.replace("[\"r\"]", "[]"), "10:1: the test \"t\" expects that nothing fires, and r does"),
        (right.replace("block", "review"), "10:1: the test \"t\" expects review, and the decision is block"),
        (right.replace("[\"r\"]", "[\"q\"]"), "10:1: the test names the rule \"q\", which the pack does not have"),
        (right.replace("\"fee\"", "\"gift\""), "12:11: this is no event of transactions: "),
    ] {
        let problems = refused(&pack(&rest));
        assert!(problems.iter().any(|one| one.starts_with(problem)), "{rest}: {problems:?}");
    }
}

#[test]
fn names_are_taken_once() {
    let feature = |name: &str| format!("[[feature]]\nname = \"{name}\"\naggregate = \"count\"\nwindow = \"1h\"\n");
    let rule = |name: &str, when: &str| format!("[[rule]]\nname = \"{name}\"\nwhen = \"{when}\"\npoints = 1\n");
    let text =
        [feature("f"), feature("f"), feature("and"), feature("home"), rule("r", "f > 1"), rule("r", "f > 2"), rule("late_event", "true")]
            .concat();
    assert_eq!(
        refused_after_head(&text),
        [
            "11:8: there is a feature `f` already: choose another name",
            "15:8: `and` means something else already: choose another name",
            "19:8: `home` means something else already: choose another name",
            "27:8: there is a rule `r` already: choose another name",
            "31:8: `late_event` is what amended decisions name: choose another name",
        ]
    );
}

#[test]
fn a_feature_that_is_wrong_is_not_blamed_on_those_that_read_it() {
    let text = "[[feature]]\nname = \"f\"\naggregate = \"count\"\nwindow = \"long\"\n[[feature]]\nname = \"g\"\nvalue = \"f + 1\"\n[[rule]]\nname = \"r\"\nwhen = \"f > 1 and g > 2 and h > 3\"\npoints = 1\n";
    let problems = refused_after_head(text);
    assert!(
        matches!(problems.as_slice(), [window, rule] if window.starts_with("9:10: \"long\"") && rule.starts_with("15:29: `h` is neither")),
        "{problems:?}"
    );
}

#[test]
fn places_are_right_in_long_texts_too() {
    let text = "[[rule]]\nname = \"r\"\nwhen = \"\"\"\n  amount > 1\n  and amonut > 2\n\"\"\"\npoints = 1\n";
    assert!(refused_after_head(text).first().is_some_and(|problem| problem.starts_with("10:7: `amonut`")));
    let text = "[[rule]]\nname = \"r\"\nwhen = 'merchant == \"x\" and amonut > 2'\npoints = 1\n";
    assert!(refused_after_head(text).first().is_some_and(|problem| problem.starts_with("8:29: `amonut`")));
    // With escapes, the position inside the text is unknown: the problem is at the text.
    let text = "[[rule]]\nname = \"r\"\nwhen = \"merchant == \\\"x\\\" and amonut > 2\"\npoints = 1\n";
    assert!(refused_after_head(text).first().is_some_and(|problem| problem.starts_with("8:8: `amonut`")));
}

#[test]
fn kinds_of_values_are_named() {
    let text = "name = 5\nsubject = [\"transaction\"]\nthresholds = 3\nfeature = 1\nrule = \"x\"\n";
    assert_eq!(
        refused(text),
        [
            "1:8: `name` is a whole number: write a text in quotes",
            "2:11: `subject` is a list: write a text in quotes",
            "3:14: `thresholds` is a whole number: write a table [thresholds]",
            "4:11: `feature` is a whole number: write tables [[feature]]",
            "5:8: `rule` is a text: write tables [[rule]]",
        ]
    );
    let points = |text: &str| refused_after_head(&format!("[[rule]]\nname = \"r\"\nwhen = \"true\"\npoints = {text}\n"));
    for text in ["0", "-5", "1.5", "\"5\"", "1000001", "0x10", "99999999999999999999"] {
        assert_eq!(points(text), ["9:10: `points` must be a whole number from 1 to 1000000"], "{text}");
    }
    assert_eq!(
        refused(&HEAD.replace("block = 2", "block = 2\ncritical = 1\nalarm = 7")),
        [
            "1:1: a pack without a rule decides nothing: add [[rule]]",
            "6:12: `critical` (1) lies below `block` (2)",
            "7:1: [thresholds] has no entry `alarm`: use combine, review, block, block_above, critical",
        ][1..]
    );
}
