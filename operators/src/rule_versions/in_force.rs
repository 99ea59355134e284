//! The versions that judge at a time, from the rows of `rule_versions`.

use std::collections::BTreeMap;

use headwater_schemas::tables::{RuleVersion, RuleVersionState};
use headwater_schemas::{EffectiveTime, EventTime, Id};

/// The version of each pack that judges at an effective time. Packs without one are those of the configuration.
pub fn in_force(rows: &[RuleVersion], at: EffectiveTime) -> BTreeMap<Id, &RuleVersion> {
    let mut newest = BTreeMap::<Id, (EffectiveTime, &RuleVersion)>::new();
    for row in rows {
        let Some(from) = from(row).filter(|from| *from <= at) else { continue };
        let known = newest.entry(row.ruleset.clone()).or_insert((from, row));
        if known.0 < from {
            *known = (from, row);
        }
    }
    newest.into_iter().map(|(ruleset, (_, row))| (ruleset, row)).collect()
}

/// The times after `at` from which approved versions judge.
pub fn due_after(rows: &[RuleVersion], at: EffectiveTime) -> Vec<EffectiveTime> {
    rows.iter().filter_map(from).filter(|from| *from > at).collect()
}

/// From when a version judges; `None` if it does not, or does no more. Of a pack, no two versions judge from the same time on.
fn from(row: &RuleVersion) -> Option<EffectiveTime> {
    let judges = matches!(row.state, RuleVersionState::Approved | RuleVersionState::Effective);
    row.effective_from.filter(|_| judges).map(EventTime::effective)
}
