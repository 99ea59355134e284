//! Tests of restoring: a fold that continues from saved rows emits the same.

use headwater_schemas::tables::{TableReader, TableSet};
use headwater_schemas::{Clock, EffectiveTime, Nanos, Tick};
use proptest::prelude::*;

use super::recomputed::{Spec, happenings, specs, wide_pack};
use super::*;
use crate::keyed_fold::Fold;
use crate::testing::{TestTables, history_of, run_with_restart};

fn same_after_a_cut(view: &Rules, specs: &[Spec], cut: usize) -> Result<(), TestCaseError> {
    let whole = run(view.clone(), happenings(specs));
    let resumed = run_with_restart(view.clone(), happenings(specs), cut);
    prop_assert_eq!(history_of(&whole.tables.decisions), history_of(&resumed.tables.decisions));
    prop_assert_eq!(history_of(&whole.tables.alerts), history_of(&resumed.tables.alerts));
    prop_assert_eq!(history_of(&whole.tables.rule_events), history_of(&resumed.tables.rule_events));
    prop_assert_eq!(history_of(&whole.tables.rule_outcomes), history_of(&resumed.tables.rule_outcomes));
    prop_assert_eq!(whole.dead_letters, resumed.dead_letters);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_restart_in_the_middle_changes_nothing(specs in specs(60), cuts in proptest::collection::vec(0..64_usize, 3)) {
        for cut in cuts {
            same_after_a_cut(&banking(), &specs, cut)?;
            same_after_a_cut(&Rules::new(wide_pack()), &specs, cut)?;
        }
    }
}

#[test]
fn what_another_ruleset_found_is_left_alone_and_so_are_the_events_of_another_subject() {
    let mut tables = TestTables::default();
    let mut fold = Fold::new(banking(), RuleTables::register(&mut tables), Clock::new(Nanos::new(1), Nanos::new(1)));
    for step in arriving([transaction("t", DAY, "20000")]) {
        let Happening::Event(event) = step.event else { continue };
        fold.apply(Placed { place: step.place, event });
    }
    fold.emit(Tick::ZERO, EffectiveTime::ZERO);
    let saved = SavedRules {
        rule_events: tables.rows().expect("rows"),
        rule_outcomes: tables.rows().expect("rows"),
        rule_alerts: tables.rows().expect("rows"),
    };
    assert_eq!((saved.rule_events.len(), saved.rule_outcomes.len()), (1, 1));
    let restored = |view: Rules| {
        let mut fold = Fold::new(view, RuleTables::register(&mut TestTables::default()), Clock::new(Nanos::new(1), Nanos::new(1)));
        fold.restore(&saved, &|_| true, EffectiveTime::ZERO);
        let found = |state: &History| state.ring.iter().map(|record| record.outcomes.iter().count()).collect::<Vec<_>>();
        fold.states().map(|(_, state)| found(state)).collect::<Vec<_>>()
    };
    assert_eq!(restored(banking()), [[1]]);
    assert_eq!(restored(Rules::new(wide_pack())), [[0]]);
    let payments = Pack::built_in("payments").expect("the pack").expect("its rules");
    assert!(restored(Rules::new(payments)).is_empty());
}
