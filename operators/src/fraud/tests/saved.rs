//! State as rows: a fold that goes on from them says the same.

use std::collections::BTreeMap;

use headwater_schemas::tables::{ScoredEvent, TableRow};
use proptest::prelude::*;

use super::recomputed::{Spec, happenings, specs, wide_pack};
use super::*;
use crate::testing::run_with_restart;

fn through_arrow(rows: Vec<ScoredEvent>) -> Vec<ScoredEvent> {
    ScoredEvent::read_all(&ScoredEvent::batch(&rows).expect("a batch")).expect("rows")
}

/// What is left of the changes at each time, in one order: a cut within a tick settles twice.
fn consolidated(said: &Said<Fraud>) -> Vec<(u64, FraudRow, isize)> {
    let mut changes = BTreeMap::<(u64, FraudRow), isize>::new();
    for (row, time, change) in &said.rows {
        *changes.entry((*time, row.clone())).or_default() += change;
    }
    changes.into_iter().filter(|(_, change)| *change != 0).map(|((time, row), change)| (time, row, change)).collect()
}

fn same_after_a_cut(view: &Fraud, specs: &[Spec], cut: usize) -> Result<(), TestCaseError> {
    let whole = run(view.clone(), happenings(specs));
    let resumed = run_with_restart(view.clone(), happenings(specs), cut, through_arrow);
    prop_assert_eq!(consolidated(&whole), consolidated(&resumed));
    prop_assert_eq!(whole.dead_letters, resumed.dead_letters);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_restart_in_the_middle_changes_nothing(specs in specs(60), cuts in proptest::collection::vec(0..64_usize, 3)) {
        for cut in cuts {
            same_after_a_cut(&banking(), &specs, cut)?;
            same_after_a_cut(&Fraud::new(wide_pack()), &specs, cut)?;
        }
    }
}

#[test]
fn another_ruleset_s_rows_are_left_alone() {
    use crate::keyed_fold::{Fold, Persistent};

    let view = banking();
    let mut fold = Fold::new(view.clone());
    for step in arriving([transaction("t", DAY, "1")]) {
        let Happening::Event(event) = step.event else { continue };
        fold.apply(Placed { place: step.place, event });
    }
    fold.settle(None);
    let mut saved = Vec::new();
    fold.states().for_each(|(key, state)| view.save(key, state, &mut saved));
    assert_eq!(saved.len(), 1);
    assert_eq!(view.load(saved.clone()).len(), 1);
    assert!(Fraud::new(wide_pack()).load(saved).is_empty());
}
