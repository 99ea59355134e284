//! The rules with which a run begins: those of the configuration, changed by the versions of the topic `rules` that are in force.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, bail};
use headwater_connectors::parquet::chain::{Chain, Commit};
use headwater_connectors::parquet::configuration;
use headwater_operators::rule_versions::{due_after, in_force};
use headwater_operators::rules::Coverages;
use headwater_schemas::tables::RuleVersion;
use headwater_schemas::{EffectiveTime, EventTime, Id, Nanos};

use crate::config::Config;
use crate::coverage;
use crate::decisive::{Changed, Decisive, changed};
use crate::saved::SavedTables;

/// Keys that must not change in an existing directory, because its state would change its meaning.
const UNCHANGEABLE: [&str; 4] = ["time.tick_interval", "valuation.interval", "valuation.base_currency", "rules.base_currency"];

/// The rules with which a run begins.
#[derive(Debug)]
pub struct StartingRules {
    /// The keys that determine rows, with the packs in force, and what these judged.
    pub decisive: Decisive,
    /// The events that packs judged, where these are not all.
    pub coverages: Coverages,
    /// When the windows of a version that takes effect at the beginning are complete, where not all that they need is remembered.
    pub counts_from: BTreeMap<Id, EventTime>,
    /// Times at which approved versions take effect later.
    pub due: Vec<EffectiveTime>,
}

impl StartingRules {
    /// The rules of a run that continues after a chain of commits. Fails if its state cannot be used with them.
    pub fn after(chain: &Chain, saved: &SavedTables, config: &Config, data: &Path) -> anyhow::Result<Self> {
        let rows = versions(saved, config)?;
        let start = chain.end().map_or(EffectiveTime::ZERO, |end| end.end_clock);
        let versions = in_force(&rows, start);
        let mut decisive = Decisive::with(config, &versions)?;
        let last = chain.commits().last();
        let before = last.map(|last| changes_since(last, &decisive, data)).transpose()?.unwrap_or_default();
        let mut counts_from = BTreeMap::new();
        for change in before {
            let missing = change.missing();
            match change.of_pack().and_then(|pack| Some((versions.get(pack.name())?, pack))) {
                Some((RuleVersion { ruleset, version, .. }, pack)) => {
                    tracing::info!(%ruleset, %version, "a version of a rule pack takes effect: {change}");
                    if !missing.is_empty() && pack.reach() > Nanos::ZERO {
                        counts_from.insert(ruleset.clone(), EventTime::from_effective(start.saturating_add(pack.reach())));
                    }
                }
                None if !missing.is_empty() => {
                    let (data, missing) = (data.display(), missing.join("; "));
                    bail!("{change}: {missing}: give {data} the rules of before, or replay into another directory (`headwater replay`)");
                }
                None => tracing::warn!(commit = chain.last_id(), "from here on rows are made with another configuration: {change}"),
            }
        }
        let coverages = last.map(|last| coverages(last, &decisive, data)).transpose()?.unwrap_or_default();
        decisive.text = coverage::noted(&decisive.text, &coverages)?;
        Ok(Self { decisive, coverages, counts_from, due: due_after(&rows, start) })
    }
}

/// The keys with which a run after a chain of commits would differ from its last commit.
pub fn differences(chain: &Chain, config: &Config, data: &Path) -> anyhow::Result<Vec<Changed>> {
    let Some(last) = chain.commits().last() else { return Ok(Vec::new()) };
    let rows = versions(&SavedTables::of(chain.clone(), 1), config)?;
    let start = chain.end().map_or(EffectiveTime::ZERO, |end| end.end_clock);
    changes(last, &Decisive::with(config, &in_force(&rows, start))?, data)
}

/// The rows of `rule_versions`; none if the topic changes no packs.
fn versions(saved: &SavedTables, config: &Config) -> anyhow::Result<Arc<Vec<RuleVersion>>> {
    if config.rules.topic { saved.rows::<RuleVersion>().context("reading the versions of rule packs") } else { Ok(Arc::default()) }
}

fn changes(last: &Commit, decisive: &Decisive, data: &Path) -> anyhow::Result<Vec<Changed>> {
    changed(&configuration::read(data, &last.configuration, last.commit_id)?, &decisive.text)
}

/// The events that packs judged, for a run after the last commit.
fn coverages(last: &Commit, decisive: &Decisive, data: &Path) -> anyhow::Result<Coverages> {
    let before = configuration::read(data, &last.configuration, last.commit_id)?;
    coverage::continued(&before, &decisive.text, &last.partitions)
}

/// The changes since the last commit. Fails if its state would change its meaning.
fn changes_since(last: &Commit, decisive: &Decisive, data: &Path) -> anyhow::Result<Vec<Changed>> {
    let changes = changes(last, decisive, data)?;
    match changes.iter().find(|change| UNCHANGEABLE.contains(&change.key.as_str())) {
        Some(change) => bail!("{change}: set it to what {} was begun with, or replay into another directory", data.display()),
        None => Ok(changes),
    }
}
