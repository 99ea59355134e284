//! When partitions pause and when they resume.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use headwater_schemas::events::Event;
use headwater_schemas::{EffectiveTime, Nanos, Topic};

use super::super::size;
use super::super::{Mode, SourceSettings};
use super::harness::Harness;
use super::*;

/// Idle allowance in milliseconds: how far idle partitions lag the wall clock.
const IDLE_ALLOWANCE_MS: u64 = 50;

/// Bytes of a test's quote in memory.
fn quote_bytes(ms: u64) -> u64 {
    let record = quote(ms);
    let event = Event::decode(Topic::Quotes, None, Some(record.as_bytes())).expect("a quote");
    size::of_event(&event, record.len())
}

/// A wall clock that is moved by hand, and the stop flag of a live run.
#[derive(Clone, Default)]
struct Live {
    wall_ms: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
}

impl Live {
    fn at(wall_ms: u64) -> Self {
        Self { wall_ms: Arc::new(AtomicU64::new(wall_ms)), stop: Arc::default() }
    }

    fn mode(&self) -> Mode {
        let wall_ms = Arc::clone(&self.wall_ms);
        Mode::Live {
            wall: Arc::new(move || EffectiveTime::new(wall_ms.load(Ordering::Relaxed) * MS)),
            idle_allowance: Nanos::new(IDLE_ALLOWANCE_MS * MS),
            stop: Arc::clone(&self.stop),
        }
    }
}

#[test]
fn a_partition_is_read_up_to_its_grid_lead_and_on_as_grid_points_are_done() -> TestResult {
    for workers in 1..=3 {
        let log = quotes(&[&[1_000, 1_500, 2_000, 3_000, 4_000, 5_000, 6_000]]);
        let harness = Harness::new(workers, SourceSettings { grid_lead: 2, ..unbounded(&log)? });
        assert_eq!(harness.done(Some(0)), ["market.quotes/0 @0: 0 1 2 3", "frontier 300"]);
        // Within the first grid interval, so no grid point is passed.
        assert_eq!(harness.done(Some(199)), ["frontier 300"]);
        assert_eq!(harness.done(Some(200)), ["market.quotes/0 @300: 4", "frontier 400"]);
        assert_eq!(harness.done(Some(299)), ["frontier 400"]);
        // Two grid points at once.
        assert_eq!(harness.done(Some(400)), ["market.quotes/0 @400: 5 6", "end 6000 ms", "frontier none"]);
        assert_eq!(harness.done(None), ["frontier none"]);
    }
    Ok(())
}

#[test]
fn grid_points_without_records_do_not_count() -> TestResult {
    for workers in 1..=3 {
        let day = 86_400_000;
        let log = quotes(&[&[day, 2 * day, 30 * day, 31 * day]]);
        let harness = Harness::new(workers, SourceSettings { grid_lead: 2, ..unbounded(&log)? });
        assert_eq!(harness.done(Some(0)), ["market.quotes/0 @0: 0 1 2", "frontier 259200000"]);
        assert_eq!(harness.done(Some(17_280_000)), ["market.quotes/0 @259200000: 3", "end 2678400000 ms", "frontier none"]);
    }
    Ok(())
}

#[test]
fn partitions_an_hour_apart_are_read_one_after_the_other() -> TestResult {
    for workers in 1..=3 {
        let log = quotes(&[&[1_000, 2_000, 3_000, 4_000], &[3_601_000, 3_602_000, 3_603_000]]);
        let harness = Harness::new(workers, SourceSettings { grid_lead: 1, ..unbounded(&log)? });
        let begun = ["market.quotes/0 @0: 0 1", "market.quotes/1 @0: 0 1", "frontier 200"];
        assert_eq!(harness.done(Some(0)), begun);
        // The partition that holds the frontier is read; the other has its grid point and pauses.
        assert_eq!(harness.done(Some(200)), ["market.quotes/0 @200: 2", "frontier 300"]);
        assert_eq!(harness.done(Some(300)), ["market.quotes/0 @300: 3", "end 4000 ms", "frontier 360200"]);
        assert_eq!(harness.done(Some(360_200)), ["market.quotes/1 @360200: 2", "end 3603000 ms", "frontier none"]);
    }
    Ok(())
}

#[test]
fn a_partition_pauses_while_what_it_sent_takes_its_half_of_the_budget() -> TestResult {
    for workers in 1..=3 {
        let log = quotes(&[&[1_000, 1_010, 1_020, 1_030, 1_040, 1_050]]);
        let budget_bytes = 4 * quote_bytes(1_000);
        let harness = Harness::new(workers, SourceSettings { budget_bytes, ..unbounded(&log)? });
        assert_eq!(harness.done(Some(0)), ["market.quotes/0 @0: 0 1", "frontier 101"]);
        assert_eq!(harness.done(Some(100)), ["frontier 101"]);
        // At the frontier, the partition has its share of the other half.
        assert_eq!(harness.done(Some(101)), ["market.quotes/0 @101: 2 3", "frontier 103"]);
        // The first quote is released: the remaining budget is as before.
        assert_eq!(harness.done(Some(102)), ["frontier 103"]);
        assert_eq!(harness.done(Some(103)), ["market.quotes/0 @103: 4 5", "end 1050 ms", "frontier none"]);
    }
    Ok(())
}

#[test]
fn the_budget_is_one_for_all_partitions_of_a_worker() -> TestResult {
    let log = quotes(&[&[1_000, 1_010, 1_020, 1_030], &[5_000, 5_010, 5_020]]);
    let budget_bytes = 4 * quote_bytes(1_000);
    let harness = Harness::new(1, SourceSettings { budget_bytes, ..unbounded(&log)? });
    // The first partition takes the common half, the second its share, which is a quarter of the budget.
    assert_eq!(harness.done(Some(0)), ["market.quotes/0 @0: 0 1", "market.quotes/1 @0: 0", "frontier 101"]);
    assert_eq!(harness.done(Some(101)), ["market.quotes/0 @101: 2", "frontier 102"]);
    assert_eq!(harness.done(Some(102)), ["market.quotes/0 @102: 3", "end 1030 ms", "frontier 500"]);
    assert_eq!(harness.done(Some(500)), ["market.quotes/1 @500: 1 2", "end 5020 ms", "frontier none"]);
    Ok(())
}

#[test]
fn what_a_partition_sent_before_it_ended_takes_the_budget_until_it_is_done() -> TestResult {
    let log = quotes(&[&[5_000, 5_010], &[1_000, 1_010, 1_020]]);
    let budget_bytes = 4 * quote_bytes(1_000);
    let harness = Harness::new(1, SourceSettings { budget_bytes, ..unbounded(&log)? });
    let begun = ["market.quotes/0 @0: 0 1", "market.quotes/1 @0: 0", "end 5010 ms", "frontier 100"];
    assert_eq!(harness.done(Some(0)), begun);
    // The share of the only remaining partition is half of the budget.
    assert_eq!(harness.done(Some(100)), ["market.quotes/1 @100: 1 2", "end 1020 ms", "frontier none"]);
    Ok(())
}

#[test]
fn what_counts_at_one_tick_is_read_whole() -> TestResult {
    for workers in 1..=3 {
        let log = quotes(&[&[1_000, 2_000]]);
        (0..3).for_each(|number| log.append(Topic::Instruments.as_str(), 0, instrument(number)));
        let harness = Harness::new(workers, SourceSettings { budget_bytes: 0, grid_lead: 1, ..unbounded(&log)? });
        let begun =
            ["instruments/0 @0: 0", "instruments/0 @0: 1", "instruments/0 @0: 2", "market.quotes/0 @0: 0", "end 0 ms", "frontier 100"];
        assert_eq!(harness.done(Some(0)), begun);
        assert_eq!(harness.done(Some(100)), ["market.quotes/0 @100: 1", "end 2000 ms", "frontier none"]);
    }
    Ok(())
}

#[test]
fn partitions_that_end_early_say_at_which_clock_and_empty_ones_nothing() -> TestResult {
    for workers in 1..=3 {
        let log = quotes(&[&[], &[7_000], &[1_000, 2_000, 3_000], &[]]);
        let harness = Harness::new(workers, SourceSettings { grid_lead: 1, ..unbounded(&log)? });
        let begun = ["market.quotes/1 @0: 0", "market.quotes/2 @0: 0 1", "end 7000 ms", "frontier 200"];
        assert_eq!(harness.done(Some(0)), begun);
        assert_eq!(harness.done(Some(200)), ["market.quotes/2 @200: 2", "end 3000 ms", "frontier none"]);
    }
    Ok(())
}

#[test]
fn a_live_partition_with_nothing_new_follows_the_wall_clock_and_holds_nobody() -> TestResult {
    for workers in 1..=3 {
        let live = Live::at(10_000);
        let log = quotes(&[&[1_000, 2_000, 3_000, 4_000], &[]]);
        let settings = SourceSettings { grid_lead: 1, mode: live.mode(), ..unbounded(&log)? };
        let harness = Harness::new(workers, settings);
        assert_eq!(harness.done(Some(0)), ["market.quotes/0 @0: 0 1", "frontier 200"]);
        assert_eq!(harness.done(Some(200)), ["market.quotes/0 @200: 2", "frontier 300"]);
        live.wall_ms.store(20_000, Ordering::Relaxed);
        assert_eq!(harness.done(Some(299)), ["frontier 300"]);
        assert_eq!(harness.done(Some(300)), ["market.quotes/0 @300: 3", "frontier 400"]);
        // Nothing is left to read: both follow the wall clock, whose grid points without records count for no lead.
        assert_eq!(harness.done(Some(400)), ["frontier 1995"]);
        live.wall_ms.store(80_000, Ordering::Relaxed);
        assert_eq!(harness.done(Some(400)), ["frontier 7995"]);
        // One record that is in time, and one that is late.
        log.append(Topic::Quotes.as_str(), 1, quote(79_970));
        assert_eq!(harness.done(Some(1_000)), ["market.quotes/1 @7995: 0", "frontier 7995"]);
        log.append(Topic::Quotes.as_str(), 0, quote(5_000));
        let late = ["market.quotes/0 @7995: 4", "remap market.quotes/0 4: 79950 ms", "frontier 7995"];
        assert_eq!(harness.done(Some(1_000)), late);
        live.wall_ms.store(90_000, Ordering::Relaxed);
        assert_eq!(harness.done(Some(7_995)), ["frontier 8995"]);
        live.stop.store(true, Ordering::Relaxed);
        assert_eq!(harness.done(Some(8_995)), ["end 89950 ms", "end 89950 ms", "frontier none"]);
    }
    Ok(())
}

#[test]
fn a_live_partition_that_is_read_up_to_the_wall_clock_pauses_until_the_others_follow() -> TestResult {
    for workers in 1..=3 {
        let live = Live::at(10_000);
        let log = quotes(&[&[9_990, 10_500], &[]]);
        let settings = SourceSettings { budget_bytes: 0, mode: live.mode(), ..unbounded(&log)? };
        let harness = Harness::new(workers, settings);
        assert_eq!(harness.done(Some(0)), ["market.quotes/0 @0: 0", "frontier 995"]);
        assert_eq!(harness.done(Some(995)), ["frontier 995"]);
        live.wall_ms.store(10_040, Ordering::Relaxed);
        assert_eq!(harness.done(Some(995)), ["frontier 999"]);
        let from_the_future = ["market.quotes/0 @999: 1", "remap market.quotes/0 1: 10040 ms", "frontier 999"];
        assert_eq!(harness.done(Some(999)), from_the_future);
    }
    Ok(())
}

#[test]
fn a_live_run_that_is_stopped_while_a_partition_pauses_is_abandoned() -> TestResult {
    let live = Live::at(10_000);
    let log = quotes(&[&[1_000, 2_000, 3_000]]);
    let settings = SourceSettings { grid_lead: 1, mode: live.mode(), ..unbounded(&log)? };
    let abandoned = Arc::clone(&settings.abandoned);
    let harness = Harness::new(1, settings);
    assert_eq!(harness.done(Some(0)), ["market.quotes/0 @0: 0 1", "frontier 200"]);
    live.stop.store(true, Ordering::Relaxed);
    assert_eq!(harness.done(Some(0)), ["frontier 200"]);
    assert!(abandoned.load(Ordering::Relaxed));
    Ok(())
}
