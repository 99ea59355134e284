//! Changes of the method.

use headwater_schemas::tables::{DeadLetter, HeldTrade, HoldingState};

use super::*;
use crate::testing::{TestRun, run_in_turn, run_with_change};

/// A run that begins in the tick of `not_before`.
fn run_by(method: LotMethod, not_before: u64, happenings: Happenings<Positions>) -> TestRun<Positions> {
    TestRun { view: by(method), not_before: EffectiveTime::new(not_before), happenings }
}

/// The same event from another partition and offset.
fn read_from(partition: u16, offset: u64, Placed { place, event }: Given) -> Given {
    Placed { place: Place { partition, offset: Offset::new(offset), ..place }, event }
}

/// A fill of another account, at which timers of earlier times fire.
fn other(time: u64) -> Given {
    fill_of("b", time, 100, 1, 1)
}

/// What runs leave. Rows have no times of their last change: a cut within a time adds changes.
#[derive(Debug, PartialEq)]
struct Left {
    lots: Vec<OpenLot>,
    bases: Vec<HoldingState>,
    trades: Vec<HeldTrade>,
    holdings: BTreeMap<(AccountId, Symbol), AverageCost>,
    dead_letters: Vec<DeadLetter>,
}

fn left(runs: Vec<TestRun<Positions>>) -> Left {
    let emitted = run_in_turn(runs);
    let ts = EventTime::from_effective(EffectiveTime::ZERO);
    let lots = rows_of(&emitted.tables.lots).into_iter().map(|row| OpenLot { ts, ..row });
    let bases = rows_of(&emitted.tables.position_bases).into_iter().map(|row| HoldingState { ts, ..row });
    Left {
        lots: lots.collect(),
        bases: bases.collect(),
        trades: rows_of(&emitted.tables.position_trades),
        holdings: holdings(&emitted),
        dead_letters: emitted.dead_letters,
    }
}

/// The open lots of account `a`, as number, id, quantity and cost, and its number of held trades.
fn of_a(left: &Left) -> (Vec<String>, usize) {
    let open = left.lots.iter().filter(|row| &*row.account_id == "a" && !row.quantity.is_zero());
    let text = |OpenLot { number, lot_id, quantity, cost, .. }: &OpenLot| format!("{number} {lot_id} {quantity} {cost}");
    (open.map(text).collect(), left.trades.iter().filter(|row| &*row.account_id == "a").count())
}

/// Two fills of ten each at 50 and 60, which cost 1100, and a sale of five.
fn held_and_sold() -> Happenings<Positions> {
    vec![fill(1, 1, 10, 50), fill(2, 2, 10, 60), fill(5, 3, -5, 80)]
}

#[test]
fn what_is_open_when_the_method_changes_is_carried_over_as_one_lot_with_its_cost() {
    let change = |before, after, more: Vec<Given>| run_with_change(by(before), by(after), ([held_and_sold(), more].concat(), 2), |_, _| {});
    let emitted = change(LotMethod::Average, LotMethod::Fifo, Vec::new());
    assert_eq!((open(&emitted), cost(&emitted)), (vec!["1 carried_over 15 825".to_owned()], Some("825".to_owned())));
    let [row] = &rows_of(&emitted.tables.lots)[..] else { panic!("one lot") };
    assert_eq!((row.price.to_string(), row.opened_at.nanos(), row.method), ("55".to_owned(), 2, LotMethod::Fifo));
    // Without the second fill, ten at 50 were open.
    let emitted = change(LotMethod::Average, LotMethod::Fifo, vec![bust(6, 2)]);
    assert_eq!((open(&emitted), cost(&emitted)), (vec!["1 carried_over 5 250".to_owned()], Some("250".to_owned())));
    // Later trades open lots of their own, and the newest closes first.
    let emitted = change(LotMethod::Fifo, LotMethod::Lifo, vec![fill(6, 4, 3, 90), fill(7, 5, -4, 90)]);
    assert_eq!((open(&emitted), cost(&emitted)), (vec!["3 carried_over 14 770".to_owned()], Some("770".to_owned())));
}

#[test]
fn lots_are_retracted_when_the_account_gets_average_cost() {
    let happenings = vec![fill(1, 1, 10, 50), fill(2, 2, 10, 60), fill(3, 3, -5, 80), fill(5, 4, -5, 80)];
    let emitted = run_with_change(by(LotMethod::Fifo), by(LotMethod::Average), (happenings, 3), |_, _| {});
    assert_eq!(rows_of(&emitted.tables.lots), []);
    // 5 × 50 + 10 × 60 less a third of it, which is 283.333333333.
    assert_eq!(cost(&emitted), Some("566.666666667".to_owned()));
    // At the beginning of the run, before any trade of the position.
    let happenings = vec![fill(1, 1, 10, 50), fill_of("b", 5, 2, 1, 50)];
    let emitted = run_with_change(by(LotMethod::Fifo), by(LotMethod::Average), (happenings, 1), |_, _| {});
    assert_eq!(rows_of(&emitted.tables.lots), []);
}

#[test]
fn what_was_carried_over_is_so_after_the_next_restart() {
    for (before, after) in
        [(LotMethod::Average, LotMethod::Fifo), (LotMethod::Fifo, LotMethod::Lifo), (LotMethod::Lifo, LotMethod::Average)]
    {
        // The run after the change begins before the last trade, after it, and with the next trade.
        for not_before in [0, 4, 5] {
            // With an execution first, the base has a part as well.
            let first = || run_by(before, 0, vec![execution(0, 7, 4, 40), fill(1, 1, 10, 50), fill(2, 2, 10, 60)]);
            let (sold, rest) = (vec![fill(5, 3, -5, 80)], vec![fill(8, 4, 3, 90), bust(9, 1), fill(10, 5, -10, 95)]);
            let whole = left(vec![first(), run_by(after, not_before, [sold.clone(), rest.clone()].concat())]);
            let restarted = left(vec![first(), run_by(after, not_before, sold), run_by(after, 5, rest)]);
            assert_eq!(restarted, whole, "{before} to {after} at {not_before}");
        }
    }
}

#[test]
fn two_changes_of_the_method_at_one_clock_are_both_held() {
    use LotMethod::{Average, Fifo};
    let runs = |rest: Vec<Given>| {
        let first = run_by(Fifo, 0, vec![fill(5, 1, 10, 50)]);
        vec![first, run_by(Average, 4, vec![other(5)]), run_by(Fifo, 4, vec![other(5)]), run_by(Fifo, 4, rest)]
    };
    let carried = "2 carried_over 10 500".to_owned();
    assert_eq!(of_a(&left(runs(Vec::new()))), (vec![carried.clone()], 3));
    assert_eq!(of_a(&left(runs(vec![fill(8, 4, 3, 90)]))), (vec![carried, "3 f4 3 270".to_owned()], 4));
    // Without the first fill there was nothing to carry over.
    assert_eq!(of_a(&left(runs(vec![fill(8, 4, 3, 90), bust(9, 1)]))), (vec!["1 f4 3 270".to_owned()], 3));
}

#[test]
fn a_trade_at_the_clock_of_a_change_of_the_method_comes_after_it_whatever_its_topic_and_partition() {
    use LotMethod::{Fifo, Lifo};
    let of_fill = |time, partition, offset| (read_from(partition, offset, fill(time, 2, 10, 60)), "f2");
    // The time of the first fill, which is of partition 1, and the trade after the change.
    for (first, (trade, id)) in [
        (5, of_fill(5, 0, 1)),
        (5, of_fill(5, 1, 6)),
        (5, of_fill(5, 2, 1)),
        (5, (execution(5, 2, 10, 60), "S-2-x")),
        // What is open was carried over at 4, after the first fill.
        (3, of_fill(4, 0, 1)),
        (3, (execution(4, 2, 10, 60), "S-2-x")),
    ] {
        let runs = |rest: Vec<Given>| {
            let first = run_by(Fifo, 0, vec![read_from(1, 5, fill(first, 1, 10, 50))]);
            vec![first, run_by(Lifo, 4, vec![other(5)]), run_by(Lifo, 4, vec![trade.clone()]), run_by(Lifo, 4, rest)]
        };
        let lots = |lots: &[&str]| lots.iter().map(|lot| (*lot).to_owned()).collect::<Vec<_>>();
        let second = format!("3 {id} 10 600");
        let expected = lots(&["2 carried_over 10 500", &second, "4 f4 3 270"]);
        assert_eq!(of_a(&left(runs(vec![fill(8, 4, 3, 90)]))), (expected, 4), "{trade:?}");
        let second = format!("1 {id} 10 600");
        let (open, _) = of_a(&left(runs(vec![fill(8, 4, 3, 90), bust(9, 1)])));
        assert_eq!(open, lots(&[&second, "2 f4 3 270"]), "{trade:?}");
    }
}

/// Events of two accounts, several of which have the same time, and come from several topics and partitions. Those from `later_from`
/// on are later than those before.
fn crowded(steps: &[(u64, u32, i64, u32)], later_from: usize) -> Vec<Given> {
    let mut time = 0;
    let of_step = |((step, what, quantity, price), id): (&(u64, u32, i64, u32), u32)| {
        time += step;
        if usize::try_from(id) == Ok(later_from) {
            time += 1;
        }
        let event = match what {
            0 => bust(time, id.max(1) - 1),
            1 => bust(time, id.max(3) - 3),
            2 => bust(time, id + 1),
            3..=4 => execution(time, id, *quantity, i64::from(*price)),
            5 => fill_of("b", time, id, *quantity, *price),
            _ => fill(time, id, *quantity, *price),
        };
        read_from(u16::from(price % 2 == 0), u64::from(id), event)
    };
    steps.iter().zip(0..).map(of_step).collect()
}

proptest! {
    /// A tick has four nanoseconds.
    #[test]
    fn a_restart_after_two_changes_of_the_method_changes_nothing(
        methods in proptest::collection::vec(proptest::sample::select(LotMethod::ALL), 3),
        steps in proptest::collection::vec((0..3_u64, 0..12_u32, quantities(), 1..99_u32), 1..40),
        cuts in proptest::collection::vec(0..40_usize, 3),
        horizon in prop_oneof![Just(10_u64), Just(1_000_000)],
    ) {
        let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(steps.len())).collect();
        cuts.sort_unstable();
        let all = crowded(&steps, cuts[2]);
        let parts = [&all[..cuts[0]], &all[cuts[0]..cuts[1]], &all[cuts[1]..cuts[2]], &all[cuts[2]..]];
        let begin = |part: usize| cuts[..part].last().and_then(|cut| all[..*cut].last()).map_or(0, |last| last.place.time.get() / 4 * 4);
        let run_of = |part: usize, happenings: Vec<Given>| {
            let run = run_by(methods[part.min(2)], begin(part), happenings);
            TestRun { view: Positions { horizon: Nanos::new(horizon), ..run.view }, ..run }
        };
        let two = || vec![run_of(0, parts[0].to_vec()), run_of(1, parts[1].to_vec())];
        let whole = left([two(), vec![run_of(2, [parts[2], parts[3]].concat())]].into_iter().flatten().collect());
        let restarted = [two(), vec![run_of(2, parts[2].to_vec()), run_of(3, parts[3].to_vec())]];
        prop_assert_eq!(left(restarted.into_iter().flatten().collect()), whole);
    }
}
