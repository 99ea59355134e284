//! The events that the versions of packs judged, as the configurations of commits keep it.
//!
//! A run whose packs differ from those of the last commit notes where it resumes reading. The note is part of the configuration of
//! its commits, so that later runs know it, too. A directory whose packs never changed has no notes.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Context;
use headwater_connectors::parquet::record::PartitionProgress;
use headwater_operators::rules::{Coverage, Coverages, Offsets, Pack};
use serde_json::Value;

use crate::decisive::packs_in;

/// The key of the notes. It is derived from earlier commits, so it is no difference between configurations.
pub const KEY: &str = "rules.coverage";

/// The notes in the text of a commit's configuration.
pub fn read(text: &str) -> anyhow::Result<Coverages> {
    let keys: Value = serde_json::from_str(text)?;
    let notes = keys.pointer("/rules/coverage").cloned().map(serde_json::from_value).transpose();
    Ok(notes.with_context(|| format!("reading {KEY}"))?.unwrap_or_default())
}

/// The text of a configuration with notes; unchanged if there are none.
pub fn noted(text: &str, coverages: &Coverages) -> anyhow::Result<String> {
    if coverages.is_empty() {
        return Ok(text.to_owned());
    }
    let mut keys: Value = serde_json::from_str(text)?;
    let rules = keys.get_mut("rules").and_then(Value::as_object_mut).context("a configuration without the section rules")?;
    rules.insert("coverage".to_owned(), serde_json::to_value(coverages)?);
    Ok(serde_json::to_string_pretty(&keys)?)
}

/// The notes of a run that continues where `partitions` say, from the configuration of the last commit and that of the run.
pub fn continued(before: &str, now: &str, partitions: &[PartitionProgress]) -> anyhow::Result<Coverages> {
    let mut coverages = read(before)?;
    let (packs_before, packs_now) = (by_name(before)?, by_name(now)?);
    for (name, pack) in &packs_now {
        let at = offsets(pack, partitions);
        let known = coverages.remove(name).map(Arc::unwrap_or_clone);
        let coverage = match (packs_before.get(name), known) {
            (Some(before), known) if pack.difference(before).changes.is_empty() => known.unwrap_or_default(),
            (Some(_), known) => known.unwrap_or_default().replaced(&at),
            (None, Some(ceased)) => ceased.replaced(&at),
            (None, None) => Coverage::beginning(&at),
        };
        coverages.insert(name.clone(), Arc::new(coverage));
    }
    for (name, pack) in packs_before.iter().filter(|(name, _)| !packs_now.contains_key(*name)) {
        let known = coverages.remove(name).map(Arc::unwrap_or_clone).unwrap_or_default();
        coverages.insert(name.clone(), Arc::new(known.ceased(&offsets(pack, partitions))));
    }
    coverages.retain(|_, coverage| !coverage.is_whole());
    Ok(coverages)
}

/// The packs of a configuration that this program can load.
fn by_name(text: &str) -> anyhow::Result<BTreeMap<String, Arc<Pack>>> {
    let loaded = packs_in(text)?.into_iter().filter_map(Result::ok);
    Ok(loaded.map(|pack| (pack.name().to_owned(), pack)).collect())
}

/// Where reading resumes in the partitions of a pack's topic.
fn offsets(pack: &Pack, partitions: &[PartitionProgress]) -> Offsets {
    let of_topic = partitions.iter().filter(|progress| progress.topic == pack.topic().as_str());
    of_topic.map(|progress| (progress.partition, progress.offset)).collect()
}

#[cfg(test)]
mod tests {
    use headwater_connectors::parquet::record::GENESIS;
    use headwater_schemas::{EffectiveTime, Offset, Sequence};
    use serde_json::json;

    use super::*;

    fn pack(amount: u32) -> String {
        let rule = format!("[[rule]]\nname = \"big\"\nwhen = \"amount > {amount}\"\nseverity = \"low\"\n");
        format!("name = \"mine\"\nsubject = \"transaction\"\n{rule}")
    }

    /// A configuration with this pack, or without one.
    fn configuration(pack: Option<String>, coverages: &Coverages) -> anyhow::Result<String> {
        let packs: BTreeMap<_, _> = pack.into_iter().map(|pack| ("mine", pack)).collect();
        noted(&json!({ "rules": { "packs": packs } }).to_string(), coverages)
    }

    fn resumed(offset: u64) -> Vec<PartitionProgress> {
        let progress = |topic: &str, offset| PartitionProgress {
            topic: topic.to_owned(),
            partition: 0,
            offset: Offset::new(offset),
            clock: EffectiveTime::ZERO,
            sequence: Sequence::new(0),
            audit_hash: GENESIS.to_owned(),
            fingerprint: None,
        };
        vec![progress("orders", 7), progress("transactions", offset)]
    }

    #[test]
    fn each_change_of_a_pack_is_noted_with_where_the_new_one_begins_to_judge() -> anyhow::Result<()> {
        let at = |offset| Offsets::from([(0, Offset::new(offset))]);
        let changed = Coverage::default().replaced(&at(10));
        // The pack of each run, the offset at which it resumes, and what it notes.
        let cases = [
            ("the same", Some(pack(5)), 5, None),
            ("a comment", Some(format!("{}# more\n", pack(5))), 6, None),
            ("changed", Some(pack(6)), 10, Some(changed.clone())),
            ("the same again", Some(pack(6)), 15, Some(changed.clone())),
            ("retired", None, 20, Some(changed.clone().ceased(&at(20)))),
            ("still retired", None, 25, Some(changed.clone().ceased(&at(20)))),
            ("back", Some(pack(7)), 30, Some(changed.ceased(&at(20)).replaced(&at(30)))),
        ];
        let mut before = configuration(Some(pack(5)), &Coverages::new())?;
        for (case, pack, offset, expected) in cases {
            let now = configuration(pack.clone(), &Coverages::new())?;
            let coverages = continued(&before, &now, &resumed(offset))?;
            assert_eq!(coverages.get("mine").map(|coverage| Coverage::clone(coverage)), expected, "{case}");
            before = configuration(pack, &coverages)?;
            assert_eq!(read(&before)?, coverages, "{case}: as a commit keeps it");
        }
        let none = configuration(None, &Coverages::new())?;
        let new = continued(&none, &configuration(Some(pack(5)), &Coverages::new())?, &resumed(40))?;
        assert_eq!(new.get("mine").map(|coverage| Coverage::clone(coverage)), Some(Coverage::beginning(&at(40))));
        Ok(())
    }

    #[test]
    fn notes_are_no_difference_between_configurations() -> anyhow::Result<()> {
        let coverages = Coverages::from([("mine".to_owned(), Arc::new(Coverage::beginning(&Offsets::new())))]);
        let (plain, noted) = (configuration(Some(pack(5)), &Coverages::new())?, configuration(Some(pack(5)), &coverages)?);
        assert_ne!(plain, noted);
        assert_eq!(crate::decisive::changed(&plain, &noted)?, []);
        Ok(())
    }
}
