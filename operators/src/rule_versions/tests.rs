//! Every legal path and every illegal step of a version; what judges at a time; restarts.

use std::collections::BTreeMap;

use headwater_schemas::events::{ErrorCode, Event};
use headwater_schemas::tables::{DeadLetter, RuleVersion};
use headwater_schemas::{Clock, EffectiveTime, EventTime, Id, Nanos, Offset, Place, Placed, Topic};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;
use crate::rules::Pack;
use crate::testing::{Emitted, Happening, Happenings, history_of, rows_of, run, run_with_restart};

/// A step: effective time, its words (`propose`, `retire`, `approve` or `reject`, ruleset, version, actor), and the fields that it
/// has besides; `"@NAME SUBJECT"` stands for such a pack.
type Step = (u64, &'static str, &'static str);

/// A pack of transactions, and what can be wrong with one.
fn pack(name: &str, subject: &str) -> String {
    format!("name = \"{name}\"\nsubject = \"{subject}\"\n[[rule]]\nname = \"any\"\nwhen = 'exists(device_id)'\nseverity = \"low\"\n")
}

fn event((_, words, more): &Step, time: u64) -> Event {
    let words: Vec<&str> = words.split(' ').collect();
    let [step, ruleset, version, actor] = words[..] else { panic!("{words:?}") };
    let kind = match step {
        "propose" => "proposed",
        "retire" => "retirement_proposed",
        "approve" => "approved",
        _ => "rejected",
    };
    let mut fields = json!({ "type": kind, "ruleset": ruleset, "version": version, "actor": actor, "ts": time });
    if step == "propose" {
        fields["pack"] = pack(ruleset, "transaction").into();
    }
    let more: Map<String, Value> = serde_json::from_str(&format!("{{{more}}}")).expect("fields");
    fields.as_object_mut().expect("an object").extend(more);
    if let Some((name, subject)) = fields["pack"].as_str().and_then(|pack| pack.strip_prefix('@')?.split_once(' ')) {
        fields["pack"] = pack(name, subject).into();
    }
    Event::decode(Topic::Rules, None, Some(fields.to_string().as_bytes())).expect("an event")
}

fn happenings(steps: &[Step]) -> Happenings<RuleVersions> {
    let happening = |(offset, step): (u64, &Step)| {
        let (time, Event::Ruleset(event)) = (step.0, event(step, step.0)) else { panic!("{step:?}") };
        let place = Place::of_record(EffectiveTime::new(time), Topic::Rules, 0, Offset::new(offset));
        Placed { place, event: Happening::Event(event) }
    };
    (0..).zip(steps).map(happening).collect()
}

/// A view with a grid point every hundred nanoseconds, and the pack `payments` in the configuration.
fn view() -> RuleVersions {
    let payments = Pack::built_in("payments").expect("a built-in pack").expect("a pack");
    RuleVersions {
        is_open: true,
        clock: Clock::new(Nanos::new(10), Nanos::new(100)),
        packs: vec![payments],
        counts_from: BTreeMap::from([(Id::derived("later"), EventTime::from_nanos(7_000))]),
    }
}

/// A row in words: ruleset, version, state, who decided, from when it judges, when it last changed.
fn words(row: &RuleVersion) -> String {
    let RuleVersion { ruleset, version, state, decided_by, effective_from, ts, .. } = row;
    let by = decided_by.as_deref().unwrap_or("nobody");
    let from = effective_from.map_or(0, EventTime::nanos);
    format!("{ruleset} {version} {state} by {by} from {from} at {}", ts.nanos())
}

fn rows(emitted: &Emitted<RuleVersions>) -> Vec<String> {
    rows_of(&emitted.tables).iter().map(words).collect()
}

/// The code and the message of each dead letter.
fn letters(emitted: &Emitted<RuleVersions>) -> Vec<(String, String)> {
    let letter = |DeadLetter { code, error, .. }: &DeadLetter| (code.to_string(), error.to_string());
    emitted.dead_letters.iter().map(letter).collect()
}

/// A step of another pack, at which timers of before have fired.
const END: Step = (9_000, "propose end 1 ann", "");

#[test]
fn every_legal_path_ends_where_it_should() {
    let cases: [(&str, &[Step], &[&str]); 10] = [
        ("proposed", &[(10, "propose p 1 ann", "")], &["p 1 proposed by nobody from 0 at 10"]),
        ("rejected", &[(10, "propose p 1 ann", ""), (20, "reject p 1 bob", "")], &["p 1 rejected by bob from 0 at 20"]),
        ("taken back", &[(10, "propose p 1 ann", ""), (20, "reject p 1 ann", "")], &["p 1 rejected by ann from 0 at 20"]),
        (
            "effective at the grid point after the approval",
            &[(10, "propose p 1 ann", ""), (120, "approve p 1 bob", ""), END],
            &["p 1 effective by bob from 200 at 200"],
        ),
        (
            "approved on a grid point",
            &[(10, "propose p 1 ann", ""), (200, "approve p 1 bob", ""), END],
            &["p 1 effective by bob from 300 at 300"],
        ),
        (
            "not before the time that was proposed",
            &[(10, "propose p 1 ann", r#""effective_from":1000"#), (120, "approve p 1 bob", ""), (999, "propose q 1 ann", "")],
            &["p 1 approved by bob from 1000 at 120", "q 1 proposed by nobody from 0 at 999"],
        ),
        (
            "the grid point after a time between two",
            &[(10, "propose p 1 ann", r#""effective_from":1001"#), (120, "approve p 1 bob", ""), END],
            &["p 1 effective by bob from 1100 at 1100"],
        ),
        (
            "superseded, whichever was proposed first",
            &[
                (10, "propose p 1 ann", r#""effective_from":2000"#),
                (20, "propose p 2 ann", ""),
                (30, "approve p 2 bob", ""),
                (40, "approve p 1 bob", ""),
                END,
            ],
            &["p 1 effective by bob from 2000 at 2000", "p 2 superseded by bob from 100 at 2000"],
        ),
        (
            "the one that was approved last, of two from the same time on",
            &[(10, "propose p 1 ann", ""), (20, "propose p 2 bob", ""), (30, "approve p 2 ann", ""), (40, "approve p 1 bob", ""), END],
            &["p 1 effective by bob from 100 at 100", "p 2 superseded by ann from 100 at 40"],
        ),
        (
            "retired, and judging again",
            &[
                (10, "retire payments 1 ann", ""),
                (20, "approve payments 1 bob", ""),
                (310, "propose payments 2 ann", r#""pack":"@payments payment""#),
                (320, "approve payments 2 bob", ""),
                END,
            ],
            &["payments 1 superseded by bob from 100 at 400", "payments 2 effective by bob from 400 at 400"],
        ),
    ];
    for (case, steps, expected) in cases {
        let happenings = happenings(steps);
        let whole = run(view(), happenings.clone());
        let found: Vec<_> = rows(&whole).into_iter().filter(|row| !row.starts_with("end ")).collect();
        assert_eq!(found, expected, "{case}");
        assert_eq!(letters(&whole), [], "{case}");
        for cut in 0..=steps.len() {
            let restarted = run_with_restart(view(), happenings.clone(), cut);
            assert_eq!(history_of(&restarted.tables), history_of(&whole.tables), "{case}, restarted after {cut}");
            assert_eq!(restarted.derived, whole.derived, "{case}, restarted after {cut}");
        }
    }
}

#[test]
fn every_illegal_step_is_a_dead_letter_and_changes_nothing() {
    let proposed: Step = (10, "propose p 1 ann", "");
    let approved: Step = (20, "approve p 1 bob", "");
    let rejected: Step = (20, "reject p 1 bob", "");
    let broken = r#""pack":"name = \"p\"\nsubject = \"transaction\"\n[[rule]]\nname = \"r\"\nwhen = 'nothing > 1'\nseverity = \"high\"\n""#;
    let failing = r#""pack":"name = \"p\"\nsubject = \"transaction\"\n[[rule]]\nname = \"r\"\nwhen = 'amount > 1'\nseverity = \"high\"\n[[test]]\nname = \"none\"\nevents = [{ transaction_id = \"t\", account_id = \"a\", type = \"payment\", amount = \"5\", currency = \"USD\", ts = \"2026-01-05T10:00:00Z\" }]\nfires = []\n""#;
    let cases: [(&str, &[Step], Step, ErrorCode, &str); 16] = [
        ("an unknown version", &[], approved, ErrorCode::UnknownReference, "propose it first"),
        ("a version of another pack", &[(5, "propose q 1 ann", "")], approved, ErrorCode::UnknownReference, "p has no version 1"),
        ("an approval by the maker", &[proposed], (20, "approve p 1 ann", ""), ErrorCode::MakerIsChecker, "another person"),
        ("two approvals", &[proposed, approved], (30, "approve p 1 cyd", ""), ErrorCode::AlreadyDecided, "approved by bob"),
        ("an approval of what judges", &[proposed, approved], (500, "approve p 1 cyd", ""), ErrorCode::AlreadyDecided, "approved by bob"),
        ("a rejection after the approval", &[proposed, approved], (30, "reject p 1 cyd", ""), ErrorCode::AlreadyDecided, "approved by bob"),
        (
            "an approval after the rejection",
            &[proposed, rejected],
            (30, "approve p 1 cyd", ""),
            ErrorCode::AlreadyDecided,
            "rejected by bob",
        ),
        ("two rejections", &[proposed, rejected], (30, "reject p 1 cyd", ""), ErrorCode::AlreadyDecided, "rejected by bob"),
        ("a version twice", &[proposed], (30, "propose p 1 cyd", ""), ErrorCode::ConflictingDuplicate, "use another version"),
        ("a version twice, as a retirement", &[proposed], (30, "retire p 1 cyd", ""), ErrorCode::ConflictingDuplicate, "another version"),
        ("a pack that cannot be loaded", &[], (30, "propose p 1 ann", broken), ErrorCode::BadRules, "p/1:5:9: `nothing`"),
        ("a pack that fails its own test", &[], (30, "propose p 1 ann", failing), ErrorCode::BadRules, "p/1:"),
        (
            "a pack of another name",
            &[],
            (30, "propose p 1 ann", r#""pack":"@q transaction""#),
            ErrorCode::Inconsistent,
            "the pack's name is q",
        ),
        (
            "another subject than that of the configuration",
            &[],
            (30, "propose payments 1 ann", ""),
            ErrorCode::Inconsistent,
            "judges each transaction, and payments judges each payment",
        ),
        (
            "another subject than a version that is approved",
            &[proposed, approved],
            (30, "propose p 2 ann", r#""pack":"@p payment""#),
            ErrorCode::Inconsistent,
            "judges each payment, and p judges each transaction",
        ),
        ("a retirement of nothing", &[], (30, "retire p 1 ann", ""), ErrorCode::UnknownReference, "no pack p to retire"),
    ];
    for (case, before, step, code, message) in cases {
        let steps = [before, &[step]].concat();
        let happenings = happenings(&steps);
        let refused = run(view(), happenings.clone());
        let found = letters(&refused);
        assert_eq!(found.iter().map(|(code, _)| code.as_str()).collect::<Vec<_>>(), [code.as_str()], "{case}: {found:?}");
        assert!(found.iter().all(|(_, error)| error.contains(message)), "{case}: {found:?}");
        let (rest, _) = happenings.split_at(before.len());
        let without: Vec<_> = rows(&run(view(), rest.to_vec()));
        // Time passes all the same.
        let changed: Vec<_> = rows(&refused).into_iter().filter(|row| !without.contains(row) && !row.contains(" effective ")).collect();
        assert_eq!(changed, Vec::<String>::new(), "{case}");
    }
}

#[test]
fn the_same_version_is_approved_though_the_packs_have_changed_only_if_it_still_fits() {
    let happenings = happenings(&[
        (10, "propose p 1 ann", ""),
        (20, "propose p 2 ann", r#""pack":"@p payment""#),
        (30, "approve p 1 bob", ""),
        (40, "approve p 2 bob", ""),
    ]);
    let emitted = run(view(), happenings);
    assert_eq!(rows(&emitted), ["p 1 approved by bob from 100 at 30", "p 2 proposed by nobody from 0 at 20"]);
    assert_eq!(letters(&emitted).iter().map(|(code, _)| code.as_str()).collect::<Vec<_>>(), ["inconsistent"]);
}

#[test]
fn a_row_says_from_when_the_windows_are_complete_where_something_is_missing() {
    let steps = [
        (10, "propose later 1 ann", ""),
        (20, "approve later 1 bob", ""),
        (10, "propose at_once 1 ann", ""),
        (20, "approve at_once 1 bob", ""),
        END,
    ];
    let emitted = run(view(), happenings(&steps));
    let counts: Vec<_> = rows_of(&emitted.tables).iter().map(|row| (row.ruleset.to_string(), row.counts_from)).collect();
    let expected =
        [("at_once", None), ("end", None), ("later", Some(EventTime::from_nanos(7_000)))].map(|(name, from)| (name.to_owned(), from));
    assert_eq!(counts, expected);
}

#[test]
fn nothing_is_taken_where_the_configuration_closes_the_topic() {
    let closed = RuleVersions { is_open: false, ..view() };
    let opened = happenings(&[(10, "propose p 1 ann", ""), (20, "approve p 1 bob", "")]);
    let emitted = run(closed.clone(), opened);
    assert_eq!((rows(&emitted), emitted.derived.len()), (vec![], 0));
    assert!(letters(&emitted).iter().all(|(code, error)| code == "unsupported" && error.contains("rules.topic")));
}

#[test]
fn what_judges_at_a_time_follows_from_the_rows() {
    let steps = [
        (10, "propose p 1 ann", ""),
        (20, "approve p 1 bob", ""),
        (30, "propose p 2 ann", r#""effective_from":500"#),
        (40, "approve p 2 bob", ""),
        (50, "retire payments 1 ann", r#""effective_from":300"#),
        (60, "approve payments 1 bob", ""),
        (70, "propose q 1 ann", ""),
    ];
    let judging = |rows: &[RuleVersion], at: u64| {
        let versions = in_force(rows, EffectiveTime::new(at)).into_values();
        versions.map(|row| format!("{} {}{}", row.ruleset, row.version, if row.pack.is_some() { "" } else { " is retired" })).collect()
    };
    // The rows after the last step, and those after versions have taken effect.
    let early = rows_of(&run(view(), happenings(&steps)).tables);
    for (at, expected) in [
        (99, vec![]),
        (100, vec!["p 1"]),
        (299, vec!["p 1"]),
        (300, vec!["p 1", "payments 1 is retired"]),
        (499, vec!["p 1", "payments 1 is retired"]),
        (500, vec!["p 2", "payments 1 is retired"]),
    ] {
        let found: Vec<String> = judging(&early, at);
        assert_eq!(found, expected, "at {at}");
        let later = rows_of(&run(view(), happenings(&[&steps[..], &[(at + 1, "propose end 1 ann", "")]].concat())).tables);
        let found: Vec<String> = judging(&later, at);
        assert_eq!(found, expected, "at {at}, once timers have fired");
    }
    let due = |at| due_after(&early, EffectiveTime::new(at)).into_iter().map(EffectiveTime::get).collect::<Vec<_>>();
    assert_eq!((due(0), due(100), due(499), due(500)), (vec![100, 500, 300], vec![500, 300], vec![500], vec![]));
}

#[test]
fn each_approval_derives_when_it_takes_effect() {
    let steps = [(10, "propose p 1 ann", r#""effective_from":250"#), (20, "approve p 1 bob", ""), (30, "approve p 1 cyd", "")];
    let derived: Vec<_> = run(view(), happenings(&steps)).derived.into_iter().map(|derived| (derived.place.time, derived.event)).collect();
    assert_eq!(derived, [(EffectiveTime::new(20), EffectiveTime::new(300))]);
}

/// An arbitrary step of one of two packs.
fn step() -> impl Strategy<Value = Step> {
    const WORDS: [&str; 12] = [
        "propose p 1 ann",
        "propose p 2 bob",
        "propose p 3 ann",
        "retire p 4 ann",
        "approve p 1 bob",
        "approve p 1 ann",
        "approve p 2 ann",
        "approve p 3 bob",
        "approve p 4 bob",
        "reject p 2 bob",
        "propose q 1 ann",
        "approve q 1 bob",
    ];
    let from = prop_oneof![Just(""), Just(r#""effective_from":300"#), Just(r#""effective_from":455"#)];
    (0..800_u64, proptest::sample::select(&WORDS[..]), from)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_is_proposed_and_decided_a_restart_changes_nothing_and_one_version_judges(
        mut steps in proptest::collection::vec(step(), 1..14),
        cut in 0..14_usize,
    ) {
        steps.sort_by_key(|step| step.0);
        steps.push(END);
        let whole = run(view(), happenings(&steps));
        let restarted = run_with_restart(view(), happenings(&steps), cut);
        prop_assert_eq!(history_of(&whole.tables), history_of(&restarted.tables));
        prop_assert_eq!(letters(&whole), letters(&restarted));
        prop_assert_eq!(&whole.derived, &restarted.derived);
        let effective = |ruleset: &str| rows(&whole).iter().filter(|row| row.starts_with(ruleset) && row.contains(" effective ")).count();
        prop_assert!(effective("p ") <= 1 && effective("q ") <= 1);
    }
}
