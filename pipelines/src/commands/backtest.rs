//! `headwater backtest`: what other rules would have found in the same history.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::Context;
use clap::Args;
use headwater_operators::rules::Pack;
use headwater_sql::{Catalog, Format, SqlConfig};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::commands::replay::{check_source, recompute, repeat};
use crate::config::{Config, PackName};
use crate::decisive::Decisive;
use crate::location::Location;
use crate::run::Replay;

/// Arguments of `headwater backtest`.
#[derive(Args)]
pub struct BacktestArguments {
    /// The rule pack (TOML). It is compared with the pack of the same name.
    #[arg(long)]
    rules: PathBuf,
    /// Location of the topics: log:DIR or kafka://HOST:PORT[,HOST:PORT…].
    #[arg(long)]
    source: Location,
    /// Compares with the decisions and alerts in this data directory, whose history is repeated. Otherwise the configured pack of
    /// the same name is applied to the topics, too.
    #[arg(long, value_name = "DATA")]
    against: Option<PathBuf>,
    /// Configuration file (TOML) of the run.
    #[arg(long)]
    config: Option<PathBuf>,
    /// Number of worker threads.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
    workers: u16,
    /// Maximum number of decisions and of alerts that are listed.
    #[arg(long, default_value_t = 20)]
    show: usize,
}

/// Applies the pack to the history, and prints what it finds otherwise than the pack of before.
pub fn backtest(arguments: &BacktestArguments, stop: &Arc<AtomicBool>, out: &mut impl Write) -> anyhow::Result<()> {
    let file = &arguments.rules;
    let text = std::fs::read_to_string(file).with_context(|| format!("reading the rule pack {}", file.display()))?;
    let pack = Pack::parse(&file.display().to_string(), &text)?;
    let config = Config::load(arguments.config.as_deref())?;
    let transport = arguments.source.open(&config)?;
    if let Some(data) = &arguments.against {
        check_source(transport.as_ref(), &config.source, data)?;
    }
    let folder = tempfile::tempdir().context("making a directory for the tables of the backtest")?;
    let (new, old) = (folder.path().join("new"), folder.path().join("old"));
    let history = || match &arguments.against {
        Some(data) => repeat(data, &config, false),
        None => Ok(vec![Replay::default()]),
    };
    let apply = |name: PackName, data: &Path| {
        let config = config.with_pack(name);
        recompute(&transport, &config, data, history()?, arguments.workers, stop).map(drop)
    };
    apply(PackName(file.clone()), &new)?;
    let before = match &arguments.against {
        Some(data) => Some(data.clone()),
        None => match configured(&config, pack.name())? {
            Some(name) => apply(name, &old).map(|()| Some(old))?,
            None => None,
        },
    };
    let found = Findings::of(&new, pack.name())?;
    let known = before.as_deref().map(|data| Findings::of(data, pack.name())).transpose()?;
    if known.is_none() {
        writeln!(out, "no pack named {} is configured: everything is gained", pack.name())?;
    }
    Comparison { old: known.unwrap_or_default(), new: found }.write(arguments.show, out)?;
    quality(&new, pack.name(), out)
}

/// The configured pack with a name.
fn configured(config: &Config, name: &str) -> anyhow::Result<Option<PackName>> {
    let packs = Decisive::of(config)?.packs;
    let place = packs.iter().position(|pack| pack.name() == name);
    Ok(place.and_then(|place| config.packs().into_iter().nth(place)))
}

/// A decision of a pack: those that approve without points are left out, as nothing was found.
#[derive(Clone, Debug, PartialEq, Deserialize)]
struct Decided {
    subject_id: String,
    decision: String,
    score: f64,
    rules: Option<String>,
}

/// An alert of a pack that stands.
#[derive(Clone, Debug, PartialEq, Deserialize)]
struct Standing {
    alert_id: String,
    rule: String,
    severity: String,
    message: String,
}

/// What a pack found.
#[derive(Clone, Debug, Default)]
struct Findings {
    decisions: BTreeMap<String, Decided>,
    alerts: BTreeMap<String, Standing>,
}

impl Findings {
    fn of(data: &Path, pack: &str) -> anyhow::Result<Self> {
        let catalog = Catalog::open_with(data, None, SqlConfig::unhurried())?;
        let pack = pack.replace('\'', "''");
        let decisions: Vec<Decided> = rows(
            &catalog,
            &format!(
                "SELECT subject_id, decision, score, array_to_string(array_sort(array_agg(rule)), ', ') AS rules FROM (
                     SELECT subject_id, decision, score, unnest(reasons)['rule'] AS rule, unnest(reasons)['points'] AS points
                     FROM decisions WHERE ruleset = '{pack}' AND state <> 'withdrawn' AND score > 0)
                 WHERE points > 0 GROUP BY 1, 2, 3"
            ),
        )?;
        let alerts: Vec<Standing> = rows(
            &catalog,
            &format!(
                "SELECT alert_id, rule, severity, message FROM alerts
                 WHERE (rule = '{pack}' OR starts_with(alert_id, '{pack}:')) AND state IN ('raised', 'amended')"
            ),
        )?;
        Ok(Self {
            decisions: decisions.into_iter().map(|decided| (decided.subject_id.clone(), decided)).collect(),
            alerts: alerts.into_iter().map(|alert| (alert.alert_id.clone(), alert)).collect(),
        })
    }
}

fn rows<T: DeserializeOwned>(catalog: &Catalog, query: &str) -> anyhow::Result<Vec<T>> {
    let mut json = Vec::new();
    catalog.query(query)?.write(Format::Json, &mut json)?;
    Ok(serde_json::from_slice(&json)?)
}

/// The findings of two packs.
struct Comparison {
    old: Findings,
    new: Findings,
}

/// How many of something are found, and how they differ from before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    now: usize,
    gained: usize,
    lost: usize,
    changed: usize,
}

impl Counts {
    /// Counts the keys of two maps that `counts` picks.
    fn of<T: PartialEq>(old: &BTreeMap<String, T>, new: &BTreeMap<String, T>, counts: impl Fn(&T) -> bool) -> Self {
        let has = |all: &BTreeMap<String, T>, key: &str| all.get(key).is_some_and(&counts);
        let now = new.iter().filter(|(_, found)| counts(found));
        let mut all = Self::default();
        for (key, found) in now {
            all.now += 1;
            all.gained += usize::from(!has(old, key));
            all.changed += usize::from(old.get(key).is_some_and(|before| counts(before) && before != found));
        }
        all.lost = old.iter().filter(|(key, before)| counts(before) && !has(new, key)).count();
        all
    }
}

impl std::fmt::Display for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { now, gained, lost, changed } = self;
        write!(f, "{now} ({gained} gained, {lost} lost, {changed} changed)")
    }
}

impl Comparison {
    fn write(&self, show: usize, out: &mut impl Write) -> std::io::Result<()> {
        for verdict in ["block", "review", "approve"] {
            let counts = Counts::of(&self.old.decisions, &self.new.decisions, |decided| decided.decision == verdict);
            if counts != Counts::default() {
                writeln!(out, "decisions {verdict} with points: {counts}")?;
            }
        }
        let rules = self.old.alerts.values().chain(self.new.alerts.values()).map(|alert| &alert.rule);
        for rule in rules.collect::<BTreeSet<_>>() {
            writeln!(out, "alerts {rule}: {}", Counts::of(&self.old.alerts, &self.new.alerts, |alert| alert.rule == *rule))?;
        }
        let line = |decided: &Decided| {
            let Decided { subject_id, decision, score, rules } = decided;
            format!("{subject_id}: {decision}, score {score} ({})", rules.as_deref().unwrap_or_default())
        };
        list(&self.old.decisions, &self.new.decisions, line, show, out)?;
        let line = |alert: &Standing| format!("{} ({}): {}", alert.rule, alert.severity, alert.message);
        list(&self.old.alerts, &self.new.alerts, line, show, out)
    }
}

/// Lists what differs: `+` gained, `-` lost, `<` was, `>` is.
fn list<T: PartialEq>(
    old: &BTreeMap<String, T>,
    new: &BTreeMap<String, T>,
    line: impl Fn(&T) -> String,
    show: usize,
    out: &mut impl Write,
) -> std::io::Result<()> {
    let keys: BTreeSet<_> = old.keys().chain(new.keys()).collect();
    let differ = keys.into_iter().map(|key| (old.get(key), new.get(key))).filter(|(was, is)| was != is);
    let mut left = 0_usize;
    for (number, difference) in differ.enumerate() {
        if number >= show {
            left += 1;
            continue;
        }
        match difference {
            (None, Some(is)) => writeln!(out, "+ {}", line(is))?,
            (Some(was), None) => writeln!(out, "- {}", line(was))?,
            (Some(was), Some(is)) => writeln!(out, "< {}\n> {}", line(was), line(is))?,
            (None, None) => {}
        }
    }
    if left > 0 {
        writeln!(out, "… and {left} more: --show {}", show + left)?;
    }
    Ok(())
}

/// Prints how well the rules find what was labelled, if anything was.
fn quality(data: &Path, pack: &str, out: &mut impl Write) -> anyhow::Result<()> {
    let catalog = Catalog::open_with(data, None, SqlConfig::unhurried())?;
    #[derive(Deserialize)]
    struct Labelled {
        n: u64,
    }
    let labelled: Vec<Labelled> = rows(&catalog, "SELECT count(*) AS n FROM labels WHERE NOT is_category")?;
    if labelled.iter().all(|labelled| labelled.n == 0) {
        writeln!(out, "the topic labels says of nothing whether it was fraud: no precision, no recall")?;
        return Ok(());
    }
    let query = format!(
        "SELECT coalesce(rule, 'blocked') AS rule, caught, false_alarms, missed, round(precision, 3) AS precision, round(recall, 3) AS recall,
             value_caught
         FROM rule_quality WHERE ruleset = '{}' ORDER BY 1",
        pack.replace('\'', "''")
    );
    catalog.query(&query)?.write(Format::Table, out)?;
    let days = "SELECT CAST(date_trunc('day', ts) AS DATE) AS day, count(*) AS alerts FROM alerts
        WHERE (rule = '{pack}' OR starts_with(alert_id, '{pack}:')) AND state IN ('raised', 'amended') GROUP BY 1 ORDER BY 1";
    catalog.query(&days.replace("{pack}", &pack.replace('\'', "''")))?.write(Format::Table, out)?;
    Ok(())
}
