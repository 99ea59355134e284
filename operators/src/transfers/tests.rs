//! Every legal path and every illegal step; late steps, overdue ones, unknown transfers; restarts.

use headwater_schemas::events::{TransferEvent, TransferInitiated, TransferStep};
use headwater_schemas::tables::TransferState;
use headwater_schemas::{AccountId, Amount, Currency, EffectiveTime, EventTime, Id, Nanos, Offset, Place, Placed, Topic};
use proptest::prelude::*;

use super::*;
use crate::testing::{Emitted, Happening, Happenings, history_of, rows_of, run, run_with_restart};

const VIEW: Transfers = Transfers { stuck_after: Nanos::new(900), horizon: Nanos::new(10_000) };

/// A step: effective time, its own time, the transfer, and the step's letter: `I`, `D`, `C`, `K` for completed, `F`, and `c`, `d`
/// for the reversals.
type Record = (u64, i64, &'static str, char);

fn state(letter: char) -> TransferState {
    match letter {
        'I' => TransferState::Initiated,
        'D' => TransferState::Debited,
        'C' => TransferState::Credited,
        'K' => TransferState::Completed,
        'F' => TransferState::Failed,
        'c' => TransferState::CreditReversed,
        'd' => TransferState::DebitReversed,
        other => panic!("{other}"),
    }
}

fn event(ts: i64, id: &str, letter: char) -> TransferEvent {
    let (transfer_id, ts) = (Id::derived(id), EventTime::from_nanos(ts));
    let step = Box::new(TransferStep { transfer_id: transfer_id.clone(), ts });
    match letter {
        'I' => TransferEvent::Initiated(Box::new(TransferInitiated {
            transfer_id,
            from_account: AccountId::derived("a"),
            to_account: AccountId::derived("b"),
            amount: Amount::whole(100),
            currency: Currency::derived("USD"),
            ts,
        })),
        'D' => TransferEvent::Debited(step),
        'C' => TransferEvent::Credited(step),
        'K' => TransferEvent::Completed(step),
        'F' => TransferEvent::Failed(step),
        'c' => TransferEvent::CreditReversed(step),
        _ => TransferEvent::DebitReversed(step),
    }
}

fn happenings(records: &[Record]) -> Happenings<Transfers> {
    let happening = |(offset, (time, ts, id, letter)): (u64, &Record)| {
        let ts_time = EventTime::from_nanos(*ts);
        let place = Place::of_record(EffectiveTime::new(*time), Topic::Transfers, 0, Offset::new(offset)).of_event_at(ts_time, Nanos::ZERO);
        Placed { place, event: Happening::Event(event(*ts, id, *letter)) }
    };
    (0..).zip(records).map(happening).collect()
}

/// Steps of transfer `x` in time, one every ten nanoseconds.
fn in_time(letters: &str) -> Vec<Record> {
    (1..).zip(letters.chars()).map(|(number, letter)| (number * 10, i64::try_from(number * 10).unwrap_or(0), "x", letter)).collect()
}

/// The transfer `x` as `state awaited stuck`.
fn progress(emitted: &Emitted<Transfers>) -> String {
    let rows = rows_of(&emitted.tables.transfers_state);
    let row = rows.iter().find(|row| row.transfer_id.as_str() == "x");
    row.map_or_else(String::new, |row| {
        let awaits = row.awaits.map_or("nothing", TransferState::as_str);
        format!("{} awaits {awaits}{}", row.state, if row.stuck { " stuck" } else { "" })
    })
}

/// The changes of the alerts of transfer `x` as `time rule state severity`.
fn alerts(emitted: &Emitted<Transfers>) -> Vec<String> {
    let history = history_of(&emitted.tables.alerts);
    let of_x = history.iter().filter(|(_, row, _)| row.subject.as_str() == "x");
    of_x.map(|(_, row, _)| format!("{} {} {} {}", row.ts.nanos(), row.rule, row.state, row.severity)).collect()
}

fn letters(emitted: &Emitted<Transfers>) -> Vec<String> {
    emitted.dead_letters.iter().map(|letter| format!("{} {}", letter.offset, letter.code)).collect()
}

fn assert_same(whole: &Emitted<Transfers>, other: &Emitted<Transfers>, what: &str) {
    let (a, b) = (&whole.tables, &other.tables);
    assert_eq!(history_of(&a.transfers_state), history_of(&b.transfers_state), "{what}");
    assert_eq!(history_of(&a.alerts), history_of(&b.alerts), "{what}");
    assert_eq!(history_of(&a.transfer_steps), history_of(&b.transfer_steps), "{what}");
    assert_eq!(history_of(&a.step_alerts), history_of(&b.step_alerts), "{what}");
    assert_eq!(whole.dead_letters, other.dead_letters, "{what}");
}

/// The sequences of steps that are legal, as the documentation draws them.
const LEGAL: [&str; 10] = ["I", "ID", "IDC", "IDCK", "IF", "IDF", "IDFd", "IDCF", "IDCFc", "IDCFcd"];

#[test]
fn a_step_is_legal_where_the_documentation_draws_it_and_nowhere_else() {
    for legal in LEGAL {
        let last = legal.chars().last().map(state).expect("a step");
        for letter in "IDCKFcd".chars().filter(|letter| !legal.contains(*letter)) {
            let next = format!("{legal}{letter}");
            let emitted = run(VIEW, happenings(&in_time(&next)));
            let row = &rows_of(&emitted.tables.transfers_state)[0];
            let alert = rows_of(&emitted.tables.alerts).first().map(|alert| alert.message.to_string());
            if LEGAL.contains(&next.as_str()) {
                assert_eq!((row.state, alert), (state(letter), None), "{next}");
            } else {
                let message = format!("transfer x of 100 USD from a to b has steps that were not legal: {}", state(letter));
                assert_eq!((row.state, alert), (last, Some(message)), "{next}");
            }
        }
    }
}

#[test]
fn a_transfer_is_over_once_it_is_completed_or_failed_and_reversed() {
    for (letters, expected) in [
        ("I", "initiated awaits debited"),
        ("ID", "debited awaits credited"),
        ("IDC", "credited awaits completed"),
        ("IDCK", "completed awaits nothing"),
        ("IF", "failed awaits nothing"),
        ("IDF", "failed awaits debit_reversed"),
        ("IDFd", "debit_reversed awaits nothing"),
        ("IDCF", "failed awaits credit_reversed"),
        ("IDCFc", "credit_reversed awaits debit_reversed"),
        ("IDCFcd", "debit_reversed awaits nothing"),
    ] {
        assert_eq!(progress(&run(VIEW, happenings(&in_time(letters)))), expected, "{letters}");
    }
}

/// Name, records, the transfer `x`, its alerts, dead letters.
type Case = (&'static str, Vec<Record>, &'static str, Vec<&'static str>, Vec<&'static str>);

fn check(cases: Vec<Case>) {
    for (name, records, expected, expected_alerts, expected_letters) in cases {
        let whole = run(VIEW, happenings(&records));
        assert_eq!(progress(&whole), expected, "{name}");
        assert_eq!(alerts(&whole), expected_alerts, "{name}");
        assert_eq!(letters(&whole), expected_letters, "{name}");
        for cut in 0..=records.len() {
            assert_same(&whole, &run_with_restart(VIEW, happenings(&records), cut), &format!("{name}, cut at {cut}"));
        }
    }
}

#[test]
fn what_is_overdue_is_an_alert_until_it_comes() {
    // Transfer `z` only moves the clock.
    check(vec![
        ("not yet", vec![(10, 10, "x", 'I'), (909, 909, "z", 'I')], "initiated awaits debited", vec![], vec![]),
        (
            "stuck before the debit",
            vec![(10, 10, "x", 'I'), (911, 911, "z", 'I')],
            "initiated awaits debited stuck",
            vec!["910 stuck raised medium"],
            vec![],
        ),
        (
            "stuck with the money in flight, until the next step",
            vec![(10, 10, "x", 'I'), (20, 20, "x", 'D'), (1000, 1000, "x", 'C'), (1001, 1001, "x", 'K')],
            "completed awaits nothing",
            vec!["920 stuck raised high", "1000 stuck cleared high"],
            vec![],
        ),
        (
            "stuck again",
            vec![(10, 10, "x", 'I'), (1000, 1000, "x", 'D'), (1950, 1950, "z", 'I')],
            "debited awaits credited stuck",
            vec!["910 stuck raised medium", "1000 stuck cleared medium", "1900 stuck amended high"],
            vec![],
        ),
        (
            "an illegal step is no step",
            vec![(10, 10, "x", 'I'), (800, 800, "x", 'K'), (911, 911, "z", 'I')],
            "initiated awaits debited stuck",
            vec!["800 out_of_order raised medium", "910 stuck raised medium"],
            vec![],
        ),
        (
            "not reversed, then in part, then whole",
            vec![
                (10, 10, "x", 'I'),
                (20, 20, "x", 'D'),
                (30, 30, "x", 'C'),
                (40, 40, "x", 'F'),
                (1000, 1000, "x", 'c'),
                (1100, 1100, "x", 'd'),
            ],
            "debit_reversed awaits nothing",
            vec!["940 not_reversed raised high", "1000 not_reversed amended high", "1100 not_reversed cleared high"],
            vec![],
        ),
        (
            "nothing to reverse",
            vec![(10, 10, "x", 'I'), (40, 40, "x", 'F'), (1000, 1000, "z", 'I')],
            "failed awaits nothing",
            vec![],
            vec![],
        ),
        (
            "the debit of a failed transfer comes late",
            vec![(10, 10, "x", 'I'), (40, 40, "x", 'F'), (1000, 20, "x", 'D'), (1001, 1001, "x", 'd')],
            "debit_reversed awaits nothing",
            vec!["1000 not_reversed raised high", "1001 not_reversed cleared high"],
            vec![],
        ),
    ]);
}

#[test]
fn a_late_step_takes_its_place_and_an_early_one_does_not() {
    check(vec![
        (
            "late debit",
            vec![(10, 10, "x", 'I'), (30, 30, "x", 'C'), (40, 20, "x", 'D'), (50, 50, "x", 'K')],
            "completed awaits nothing",
            vec!["30 out_of_order raised medium", "40 out_of_order withdrawn medium"],
            vec![],
        ),
        (
            "late credit after the failure has to be reversed",
            vec![(10, 10, "x", 'I'), (20, 20, "x", 'D'), (40, 40, "x", 'F'), (50, 30, "x", 'C')],
            "failed awaits credit_reversed",
            vec![],
            vec![],
        ),
        (
            "a credit that was made before the debit",
            vec![(10, 10, "x", 'I'), (30, 15, "x", 'C'), (40, 20, "x", 'D'), (50, 50, "x", 'K')],
            "debited awaits credited",
            vec!["30 out_of_order raised medium", "50 out_of_order amended medium"],
            vec![],
        ),
        (
            "clocks that differ",
            vec![(10, 10, "x", 'I'), (20, 9, "x", 'D'), (30, 8, "x", 'C'), (40, 7, "x", 'K')],
            "completed awaits nothing",
            vec![],
            vec![],
        ),
    ]);
}

#[test]
fn steps_wait_for_the_initiation_within_the_horizon() {
    check(vec![
        ("it comes late", vec![(20, 20, "x", 'D'), (30, 30, "x", 'C'), (40, 10, "x", 'I')], "credited awaits completed", vec![], vec![]),
        (
            "it never comes",
            vec![(20, 20, "x", 'D'), (30, 30, "x", 'C'), (10_025, 10_025, "z", 'I')],
            "",
            vec![],
            vec!["0 unknown_reference"],
        ),
        (
            "it comes too late for the first",
            vec![(20, 20, "x", 'D'), (30, 30, "x", 'C'), (10_025, 10_025, "x", 'I')],
            "initiated awaits debited",
            vec!["10025 out_of_order raised medium"],
            vec!["0 unknown_reference"],
        ),
        (
            "of a transfer that was over and forgotten",
            vec![(10, 10, "x", 'I'), (20, 20, "x", 'F'), (10_020, 10_020, "x", 'D'), (20_021, 20_021, "z", 'I')],
            "failed awaits nothing",
            vec![],
            vec!["2 unknown_reference"],
        ),
        (
            "an open transfer is never forgotten",
            vec![(10, 10, "x", 'I'), (20, 20, "x", 'D'), (50_000, 50_000, "x", 'C')],
            "credited awaits completed",
            vec!["920 stuck raised high", "50000 stuck cleared high"],
            vec![],
        ),
        (
            "a step of an open transfer is taken once, however late the second",
            vec![(10, 10, "x", 'I'), (20, 20, "x", 'D'), (20_000, 20_000, "x", 'D')],
            "debited awaits credited stuck",
            vec!["920 stuck raised high"],
            vec!["2 conflicting_duplicate"],
        ),
    ]);
}

#[test]
fn a_transfer_that_is_over_leaves_the_checkpoint_and_stays_in_its_table() {
    let emitted = run(VIEW, happenings(&[(10, 10, "x", 'I'), (20, 20, "x", 'F'), (30, 30, "x", 'D'), (10_031, 10_031, "z", 'I')]));
    let ids: Vec<_> = rows_of(&emitted.tables.transfer_steps).iter().map(|row| row.transfer_id.to_string()).collect();
    assert_eq!((ids, rows_of(&emitted.tables.step_alerts).len()), (vec!["z".to_owned()], 0));
    assert_eq!((rows_of(&emitted.tables.transfers_state).len(), rows_of(&emitted.tables.alerts).len()), (2, 1));
}

#[test]
fn a_change_that_a_late_step_makes_has_its_reason() {
    let emitted = run(VIEW, happenings(&[(10, 10, "x", 'I'), (40, 40, "x", 'C'), (50, 20, "x", 'D')]));
    let reasons = emitted.tables.alerts.changes().iter().map(|change| change.why.to_string()).collect::<Vec<_>>();
    assert_eq!(reasons, ["", "x of transfers came 0.000 s late"]);
    let changes = emitted.tables.transfers_state.changes();
    assert_eq!(changes.last().map(|change| change.why.to_string()), Some("x of transfers came 0.000 s late".to_owned()));
}

/// All orders of some records.
fn orders(records: &[char]) -> Vec<Vec<char>> {
    if records.is_empty() {
        return vec![Vec::new()];
    }
    let first = |index: usize| {
        let mut rest = records.to_vec();
        let chosen = rest.remove(index);
        orders(&rest).into_iter().map(move |rest| [vec![chosen], rest].concat())
    };
    (0..records.len()).flat_map(first).collect()
}

#[test]
fn whatever_the_order_of_arrival_a_transfer_ends_as_its_own_times_tell() {
    for legal in ["IDCK", "IDFd", "IDCFcd"] {
        let own_time = |letter: char| legal.find(letter).map_or(0, |place| 10 * (1 + i64::try_from(place).unwrap_or(0)));
        let expected = rows_of(&run(VIEW, happenings(&in_time(legal))).tables.transfers_state);
        for order in orders(&legal.chars().collect::<Vec<_>>()) {
            let records: Vec<Record> = (101..).zip(&order).map(|(time, letter)| (time, own_time(*letter), "x", *letter)).collect();
            let emitted = run(VIEW, happenings(&records));
            assert_eq!(rows_of(&emitted.tables.transfers_state), expected, "{order:?}");
            let standing = rows_of(&emitted.tables.alerts).iter().filter(|alert| alert.state.as_str() != "withdrawn").count();
            assert_eq!(standing, 0, "{order:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn a_restart_anywhere_changes_nothing(
        steps in proptest::collection::vec((0..700_u64, 0..3_000_i64, 0..3_usize, 0..7_usize), 1..40),
        cut in 0..40_usize,
    ) {
        let mut time = 10_000;
        let mut taken = std::collections::BTreeSet::new();
        let mut records: Vec<Record> = Vec::new();
        for (later, age, transfer, letter) in steps {
            time += later * 3;
            let (id, letter) = (["x", "y", "z"][transfer], ['I', 'D', 'C', 'K', 'F', 'c', 'd'][letter]);
            if taken.insert((id, letter)) {
                records.push((time, i64::try_from(time).unwrap_or(0) - age, id, letter));
            }
        }
        let whole = run(VIEW, happenings(&records));
        assert_same(&whole, &run_with_restart(VIEW, happenings(&records), cut), "cut");
    }
}
