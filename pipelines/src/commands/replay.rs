//! `headwater replay`: every table again, from the topics, into a fresh directory.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::{Context, bail};
use clap::Args;
use headwater_connectors::parquet::chain::{Chain, Commit};
use headwater_connectors::parquet::commit::Closing;
use headwater_connectors::parquet::configuration;
use headwater_connectors::parquet::reader::all_rows;
use headwater_connectors::source::{Position, Remaps, Repeated, Script};
use headwater_schemas::tables::Remap;
use headwater_schemas::{EventTime, Topic};
use headwater_sql::{Catalog, Difference, compare};

use crate::config::{Config, nanos};
use crate::decisive::{Decisive, changed};
use crate::location::Location;
use crate::resume::Positions;
use crate::run::{Replay, Run, run};

/// What `headwater replay` takes.
#[derive(Args)]
pub struct ReplayArguments {
    /// Where the topics are: log:DIR or kafka://HOST:PORT[,HOST:PORT…].
    #[arg(long)]
    source: Location,
    /// The directory for the tables. It must be empty.
    #[arg(long)]
    out: PathBuf,
    /// Begins there: at an event time (RFC 3339), or, once for each partition, at an offset as TOPIC/PARTITION@OFFSET.
    /// Reference data, closes and rates from before are read nevertheless.
    #[arg(long)]
    from: Vec<From>,
    /// Ends before this event time.
    #[arg(long)]
    to: Option<EventTime>,
    /// A configuration file (TOML). It may be another one than that of the run before.
    #[arg(long)]
    config: Option<PathBuf>,
    /// How many threads work on it. The rows are the same for any number, the files for the same one.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
    workers: u16,
    /// Repeats the run of this data directory: reads what it read, follows its remap and its commits, and then says what
    /// differs, row by row.
    #[arg(long, conflicts_with_all = ["from", "to"])]
    against: Option<PathBuf>,
    /// Does not follow the remap: the tables become what they would be if every record had come in time.
    #[arg(long, requires = "against")]
    ignore_remap: bool,
    /// How many rows of each table's differences are shown.
    #[arg(long, default_value_t = 10)]
    show: usize,
}

/// Where a replay begins.
#[derive(Clone, Debug, PartialEq, Eq)]
enum From {
    Time(EventTime),
    Offset(Topic, u16, u64),
}

impl FromStr for From {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let offset = || {
            let (partition, offset) = text.split_once('@')?;
            let (topic, partition) = partition.rsplit_once('/')?;
            Some(Self::Offset(Topic::from_word(topic)?, partition.parse().ok()?, offset.parse().ok()?))
        };
        offset()
            .or_else(|| text.parse().ok().map(Self::Time))
            .ok_or_else(|| format!("{text:?} is neither a time like 2026-01-05T14:30:00Z nor an offset like orders/0@1234"))
    }
}

/// Replays, and compares if that is asked for. It fails if anything differs.
pub fn replay(arguments: ReplayArguments, stop: Arc<AtomicBool>, out: &mut impl Write) -> anyhow::Result<()> {
    if Chain::open(&arguments.out, None).is_ok_and(|chain| chain.last_id() > 0) {
        bail!("--out {} holds commits already: a replay begins in an empty directory", arguments.out.display());
    }
    let config = Config::load(arguments.config.as_deref())?;
    if let Some(data) = &arguments.against {
        say_configuration(data, &config, out)?;
    }
    let replay = match &arguments.against {
        Some(data) => repeat(data, &config, arguments.ignore_remap)?,
        None => part(&arguments.from, arguments.to),
    };
    run(Run {
        transport: arguments.source.open(&config)?,
        data: arguments.out.clone(),
        config,
        accept_gaps: false,
        discards: false,
        is_replay: true,
        replay,
        cluster: None,
        until_end: true,
        workers: usize::from(arguments.workers),
        stop,
        counters: Arc::default(),
        show_progress: true,
    })?;
    let Some(data) = &arguments.against else { return Ok(()) };
    let (old, new) = (Catalog::open(data, None)?, Catalog::open(&arguments.out, None)?);
    let differences = compare(&old, &new, arguments.show)?;
    say(data, &arguments.out, &differences, out)?;
    if !differences.is_empty() {
        bail!("{} tables differ from those of {}", differences.len(), data.display());
    }
    Ok(())
}

/// What was configured otherwise at the end of the run that is repeated.
fn say_configuration(data: &Path, config: &Config, out: &mut impl Write) -> anyhow::Result<()> {
    let chain = Chain::open(data, None)?;
    let Some(last) = chain.commits().last() else { return Ok(()) };
    for change in changed(&configuration::read(data, &last.configuration, last.commit_id)?, &Decisive::of(config)?.text)? {
        writeln!(out, "configured otherwise: {change}")?;
    }
    Ok(())
}

fn say(data: &Path, again: &Path, differences: &[Difference], out: &mut impl Write) -> std::io::Result<()> {
    if differences.is_empty() {
        return writeln!(out, "every table of {} has the same rows as in {}", again.display(), data.display());
    }
    for Difference { table, gained, lost, changed, lines } in differences {
        writeln!(out, "{table}: {gained} gained, {lost} lost, {changed} changed (+ gained, - lost, < was, > is)")?;
        lines.iter().try_for_each(|line| writeln!(out, "  {line}"))?;
    }
    Ok(())
}

/// What a replay of a part of the topics follows.
fn part(from: &[From], to: Option<EventTime>) -> Replay {
    let mut script = Script { to: to.map_or(u64::MAX, EventTime::effective), ..Script::default() };
    let mut positions = Positions::new();
    for from in from {
        match from {
            From::Time(time) => script.from = script.from.max(time.effective()),
            From::Offset(topic, partition, offset) => {
                positions.insert((*topic, *partition), Position { offset: *offset, ..Position::default() });
            }
        }
    }
    Replay { script: Arc::new(script), positions, closings: None }
}

/// What a replay of a whole run follows: it reads what the run had read, closes commits where it did, and ends where it did.
/// With another clock, where both can.
fn repeat(data: &Path, config: &Config, ignore_remap: bool) -> anyhow::Result<Replay> {
    let chain = Chain::open_whole(data)?;
    let last = chain.commits().last().with_context(|| format!("--against {}: there is no commit to compare with", data.display()))?;
    let mut partitions = BTreeMap::<_, Repeated>::new();
    for commit in chain.commits() {
        for partition in &commit.partitions {
            let topic = Topic::from_word(&partition.topic).with_context(|| format!("{} is no topic", partition.topic))?;
            let since = if commit.commit_id == 1 { 0 } else { commit.end_tick.saturating_mul(commit.tick_interval) };
            let known = partitions.entry((topic, partition.partition)).or_insert(Repeated { end: 0, since });
            known.end = partition.offset;
        }
    }
    let remap = if ignore_remap { BTreeMap::new() } else { remap(&chain)? };
    let end_of_time = last.end_tick.saturating_mul(last.tick_interval).saturating_sub(1);
    let script = Script { remap, partitions: Some(partitions), end_of_time, ..Script::default() };
    let (tick, grid) = (nanos(config.time.tick_interval).max(1), nanos(config.valuation.interval).max(1));
    let closing = |commit: &Arc<Commit>| {
        let end = commit.end_tick.saturating_mul(commit.tick_interval);
        end.is_multiple_of(grid).then_some(Closing { end_tick: end / tick, ends_run: commit.ends_run })
    };
    let closings = chain.commits().iter().filter_map(closing).collect();
    Ok(Replay { script: Arc::new(script), positions: Positions::new(), closings: Some(Arc::new(closings)) })
}

fn remap(chain: &Chain) -> anyhow::Result<Remaps> {
    let mut remap = Remaps::new();
    for row in all_rows::<Remap>(chain)? {
        let topic = Topic::from_word(&row.topic).with_context(|| format!("table remap: {} is no topic", row.topic))?;
        let partition = u16::try_from(row.partition).with_context(|| format!("table remap: {} is no partition", row.partition))?;
        remap.entry((topic, partition)).or_default().push((row.offset, row.clock));
    }
    remap.values_mut().for_each(|records| records.sort_unstable());
    Ok(remap)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_beginning_is_a_time_or_an_offset() {
        assert_eq!("market.quotes/3@77".parse(), Ok(From::Offset(Topic::Quotes, 3, 77)));
        assert!(matches!("2026-01-05T14:30:00Z".parse(), Ok(From::Time(_))));
        for wrong in ["", "orders", "orders/0", "orders/x@1", "dealings/0@1", "yesterday"] {
            assert!(wrong.parse::<From>().is_err(), "{wrong}");
        }
    }
}
