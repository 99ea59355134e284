//! `headwater replay`: recomputes every table from the topics into an empty directory.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::{Context, bail};
use clap::Args;
use headwater_connectors::parquet::chain::{Chain, Commit};
use headwater_connectors::parquet::commit::Closing;
use headwater_connectors::parquet::reader::all_rows;
use headwater_connectors::parquet::record::PartitionProgress;
use headwater_connectors::source::{Position, Remaps, Repeated, Script, SourceCounters};
use headwater_connectors::transport::{PartitionState, Transport};
use headwater_schemas::events::ErrorCode;
use headwater_schemas::tables::{DeadLetter, Remap};
use headwater_schemas::{EffectiveTime, EventTime, Offset, Topic};
use headwater_sql::{Catalog, Difference, SqlConfig, compare};

use crate::config::{Config, SourceConfig};
use crate::location::{Location, partitions};
use crate::output::Notices;
use crate::rejected::{counted, summarize};
use crate::resume::{Partitions, Positions};
use crate::run::{Replay, Run, run};
use crate::starting_rules::differences;

/// Arguments of `headwater replay`.
#[derive(Args)]
pub struct ReplayArguments {
    /// Location of the topics: log:DIR or kafka://HOST:PORT[,HOST:PORT…].
    #[arg(long)]
    source: Location,
    /// Directory for the tables; must be empty.
    #[arg(long)]
    out: PathBuf,
    /// Begins at an event time (RFC 3339) or, once per partition, at an offset as TOPIC/PARTITION@OFFSET. Earlier reference data,
    /// closes and rates are read in any case.
    #[arg(long)]
    from: Vec<From>,
    /// Ends before this event time.
    #[arg(long)]
    to: Option<EventTime>,
    /// Configuration file (TOML); may differ from that of the original run.
    #[arg(long)]
    config: Option<PathBuf>,
    /// Number of worker threads. Rows do not depend on it; files do.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
    workers: u16,
    /// Repeats the run of this data directory: reads the same records, follows its remap and its commits, and then lists the rows
    /// that differ.
    #[arg(long, conflicts_with_all = ["from", "to"])]
    against: Option<PathBuf>,
    /// Does not follow the remap: the tables become what they would be if every record had arrived in time.
    #[arg(long, requires = "against")]
    ignore_remap: bool,
    /// Maximum number of rows that are listed per table.
    #[arg(long, default_value_t = 10)]
    show: usize,
}

/// Start of a replay.
#[derive(Clone, Debug, PartialEq, Eq)]
enum From {
    Time(EventTime),
    Offset(Topic, u16, Offset),
}

impl FromStr for From {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let offset = || {
            let (partition, offset) = text.split_once('@')?;
            let (topic, partition) = partition.rsplit_once('/')?;
            Some(Self::Offset(Topic::from_word(topic)?, partition.parse().ok()?, Offset::new(offset.parse().ok()?)))
        };
        offset()
            .or_else(|| text.parse().ok().map(Self::Time))
            .ok_or_else(|| format!("{text:?} is neither a time like 2026-01-05T14:30:00Z nor an offset like orders/0@1234"))
    }
}

impl ReplayArguments {
    /// The contradiction between arguments, if there is one.
    pub fn contradiction(&self) -> Option<String> {
        self.twice().or_else(|| self.nothing_between())
    }

    /// Two beginnings of the same.
    fn twice(&self) -> Option<String> {
        let (mut partitions, mut times) = (BTreeSet::new(), 0);
        for from in &self.from {
            match from {
                From::Time(_) => times += 1,
                From::Offset(topic, partition, _) if !partitions.insert((*topic, *partition)) => {
                    return Some(format!("--from names {topic}/{partition} twice: give one offset for each partition"));
                }
                From::Offset(..) => {}
            }
        }
        (times > 1).then(|| format!("--from gives {times} times: give one"))
    }

    fn nothing_between(&self) -> Option<String> {
        let to = self.to?;
        let later = |from: &From| matches!(from, From::Time(time) if *time >= to);
        self.from.iter().any(later).then(|| format!("--from is not before --to {to}: there is nothing between them"))
    }
}

/// Replays and, if requested, compares. Fails if anything differs.
pub fn replay(arguments: ReplayArguments, stop: Arc<AtomicBool>, out: &mut impl Write) -> anyhow::Result<()> {
    if Chain::open(&arguments.out, None).is_ok_and(|chain| chain.last_id() > 0) {
        bail!("--out {} holds commits already: a replay begins in an empty directory", arguments.out.display());
    }
    let config = Config::load(arguments.config.as_deref())?;
    let transport = arguments.source.open(&config)?;
    if let Some(data) = &arguments.against {
        say_configuration(data, &config, out)?;
        check_source(transport.as_ref(), &config.source, data)?;
    }
    check_beginnings(transport.as_ref(), &config.source, &arguments.from)?;
    let replays = match &arguments.against {
        Some(data) => repeat(data, &config, arguments.ignore_remap)?,
        None => vec![part(&arguments.from, arguments.to)],
    };
    let counters = recompute(&transport, &config, &arguments.out, replays, arguments.workers, &stop)?;
    summarize(&counted(&counters), "of this replay", Some(&arguments.out), &mut Notices)?;
    let Some(data) = &arguments.against else { return Ok(()) };
    let opened = |data: &Path| Catalog::open_with(data, None, SqlConfig::unhurried());
    let (old, new) = (opened(data)?, opened(&arguments.out)?);
    let differences = compare(&old, &new, arguments.show)?;
    say(data, &arguments.out, &differences, out)?;
    if !differences.is_empty() {
        bail!("{} tables differ from those of {}", differences.len(), data.display());
    }
    Ok(())
}

/// Recomputes every table from the topics into an empty directory, in one or several runs. Returns what was counted.
pub(super) fn recompute(
    transport: &Arc<dyn Transport>,
    config: &Config,
    out: &Path,
    replays: Vec<Replay>,
    workers: u16,
    stop: &Arc<AtomicBool>,
) -> anyhow::Result<Arc<SourceCounters>> {
    let counters = Arc::default();
    for replay in replays {
        run(Run {
            is_replay: true,
            replay,
            until_end: true,
            workers: usize::from(workers),
            stop: Arc::clone(stop),
            counters: Arc::clone(&counters),
            show_progress: true,
            ..Run::new(Arc::clone(transport), out.to_owned(), config.clone())
        })?;
    }
    Ok(counters)
}

/// Fails if the source lacks records that the run of a data directory has read.
pub(super) fn check_source(transport: &dyn Transport, names: &SourceConfig, data: &Path) -> anyhow::Result<()> {
    let chain = Chain::open(data, None)?;
    let Some(last) = chain.commits().last() else { return Ok(()) };
    let lacking = lacking(&last.partitions, &partitions(transport, names)?, names);
    if !lacking.is_empty() {
        bail!("the source is not that of {}: {}; give the one that it was made from", data.display(), lacking.join("; "));
    }
    Ok(())
}

/// The partitions that have less than what was read of them, one sentence each.
fn lacking(read: &[PartitionProgress], partitions: &Partitions, names: &SourceConfig) -> Vec<String> {
    let lacking = |progress: &PartitionProgress| {
        let topic = Topic::from_word(&progress.topic)?;
        let (name, partition, offset) = (names.name_of(topic), progress.partition, progress.offset);
        let state = partitions.get(&topic).and_then(|states| states.iter().find(|state| state.partition == partition));
        match state {
            Some(state) if state.high >= offset => None,
            Some(state) => Some(format!("topic {name}, partition {partition} ends at offset {}, and {offset} was read", state.high)),
            None if offset == Offset::ZERO => None,
            None => Some(format!("topic {name} has no partition {partition}, which was read up to offset {offset}")),
        }
    };
    read.iter().filter_map(lacking).collect()
}

/// Fails if a partition cannot be read from the offset of an argument.
fn check_beginnings(transport: &dyn Transport, names: &SourceConfig, from: &[From]) -> anyhow::Result<()> {
    for from in from {
        let From::Offset(topic, partition, offset) = from else { continue };
        let argument = format!("--from {topic}/{partition}@{offset}");
        let name = names.name_of(*topic);
        let states = transport.partitions(&name)?;
        if states.is_empty() {
            bail!("{argument}: the source has no topic {name}: give one that it has");
        }
        let Some(state) = states.iter().find(|state| state.partition == *partition) else {
            let numbers: Vec<_> = states.iter().map(|state| state.partition.to_string()).collect();
            bail!("{argument}: topic {name} has no partition {partition}; its partitions are: {}", numbers.join(", "));
        };
        let PartitionState { low, high, .. } = state;
        if !(low..=high).contains(&offset) {
            bail!("{argument}: the partition begins at {low} and ends at {high}: give an offset between them");
        }
        if let Some((before, after)) = transport.around(&name, *partition, *offset)? {
            bail!("{argument}: no record begins there: give {before} or {after}, where the nearest ones do");
        }
    }
    Ok(())
}

/// Prints configuration keys that differ from those at the end of the original run.
fn say_configuration(data: &Path, config: &Config, out: &mut impl Write) -> anyhow::Result<()> {
    for change in differences(&Chain::open(data, None)?, config, data)? {
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

/// The decisions for a replay of a part of the topics.
fn part(from: &[From], to: Option<EventTime>) -> Replay {
    let mut script = Script { to: to.map_or(EffectiveTime::MAX, EventTime::effective), ..Script::default() };
    let mut positions = Positions::new();
    for from in from {
        match from {
            From::Time(time) => script.from = script.from.max(time.effective()),
            From::Offset(topic, partition, offset) => {
                positions.insert((*topic, *partition), Position { offset: *offset, ..Position::default() });
            }
        }
    }
    Replay { script: Arc::new(script), positions, ..Replay::default() }
}

/// The decisions for a replay of a whole directory, run by run. Each run reads the same records, closes commits at the same
/// ticks, and ends at the same clock as the original, because a run's end is the greatest clock that it has read. With other tick
/// or grid intervals, commits close where both allow it. A replay that does not follow the remap is one run.
pub(super) fn repeat(data: &Path, config: &Config, ignore_remap: bool) -> anyhow::Result<Vec<Replay>> {
    let chain = Chain::open_whole(data)?;
    chain.commits().last().with_context(|| format!("--against {}: there is no commit to compare with", data.display()))?;
    let (remap, refused) = if ignore_remap { Default::default() } else { (remap(&chain)?, refused(&chain)?) };
    let (mut remap, mut refused) = (remap, refused);
    let mut partitions = BTreeMap::<_, Repeated>::new();
    let mut replays = Vec::new();
    let runs = chain.commits().split_inclusive(|commit| commit.ends_run && !ignore_remap);
    for commits in runs {
        for commit in commits {
            for partition in &commit.partitions {
                let topic = Topic::from_word(&partition.topic).with_context(|| format!("{} is not a topic", partition.topic))?;
                let since = if commit.commit_id == 1 { EffectiveTime::ZERO } else { commit.clock.start_of(commit.end_tick) };
                let known = partitions.entry((topic, partition.partition)).or_insert(Repeated { end: Offset::ZERO, since });
                known.end = partition.offset;
            }
        }
        let Some(last) = commits.last() else { continue };
        let read = |partition: &(Topic, u16)| partitions.get(partition).map_or(Offset::ZERO, |repeated| repeated.end);
        let script = Script {
            remap: take_read(&mut remap, read, |(offset, _)| *offset),
            refused: take_read(&mut refused, read, |offset| *offset),
            end_of_time: if last.ends_run { last.end_clock } else { last.end_clock.previous() },
            partitions: Some(partitions.clone()),
            ..Script::default()
        };
        let closings = Some(Arc::new(closings(commits, config)));
        replays.push(Replay { script: Arc::new(script), positions: Positions::new(), closings, follows_remap: !ignore_remap });
    }
    Ok(replays)
}

/// The ticks at which commits close, as far as the configured intervals allow.
fn closings(commits: &[Arc<Commit>], config: &Config) -> Vec<Closing> {
    let clock = config.clock();
    let closing = |commit: &Arc<Commit>| {
        let end = commit.clock.start_of(commit.end_tick);
        end.get().is_multiple_of(clock.grid_interval().get()).then_some(Closing { end_tick: clock.tick_of(end), ends_run: commit.ends_run })
    };
    commits.iter().filter_map(closing).collect()
}

/// Removes and returns the entries before the offset up to which each partition was read.
fn take_read<T>(
    all: &mut BTreeMap<(Topic, u16), Vec<T>>,
    read: impl Fn(&(Topic, u16)) -> Offset,
    offset: impl Fn(&T) -> Offset,
) -> BTreeMap<(Topic, u16), Vec<T>> {
    let take = |(partition, decided): (&(Topic, u16), &mut Vec<T>)| {
        let left = decided.split_off(decided.partition_point(|decided| offset(decided) < read(partition)));
        (*partition, std::mem::replace(decided, left))
    };
    all.iter_mut().map(take).collect()
}

/// The offsets of records that the wall clock rejected.
fn refused(chain: &Chain) -> anyhow::Result<BTreeMap<(Topic, u16), Vec<Offset>>> {
    let mut refused = BTreeMap::<_, Vec<Offset>>::new();
    let is_refused = |row: &DeadLetter| *row.code == *ErrorCode::FutureTimestamp.as_str();
    for row in all_rows::<DeadLetter>(chain)?.into_iter().filter(is_refused) {
        refused.entry(partition_of(&row.topic, row.partition)?).or_default().push(row.offset);
    }
    refused.values_mut().for_each(|offsets| offsets.sort_unstable());
    Ok(refused)
}

fn partition_of(topic: &str, partition: i32) -> anyhow::Result<(Topic, u16)> {
    let known = Topic::from_word(topic).with_context(|| format!("{topic} is not a topic"))?;
    Ok((known, u16::try_from(partition).with_context(|| format!("topic {topic}: {partition} is not a partition number"))?))
}

fn remap(chain: &Chain) -> anyhow::Result<Remaps> {
    let mut remap = Remaps::new();
    for row in all_rows::<Remap>(chain)? {
        remap.entry(partition_of(&row.topic, row.partition)?).or_default().push((row.offset, row.clock));
    }
    remap.values_mut().for_each(|records| records.sort_unstable());
    Ok(remap)
}

#[cfg(test)]
mod tests {
    use headwater_connectors::log::LogTransport;
    use headwater_schemas::Sequence;

    use super::*;

    #[test]
    fn a_beginning_after_the_end_contradicts_itself() {
        let at = |second: u32| format!("2026-01-05T14:30:{second:02}Z");
        for (from, to, expected) in
            [(Some(10), Some(20), false), (Some(20), Some(20), true), (Some(21), Some(20), true), (None, Some(20), false)]
        {
            let mut line = Vec::new();
            line.extend(from.into_iter().flat_map(|from| ["--from".to_owned(), at(from)]));
            line.extend(to.into_iter().flat_map(|to| ["--to".to_owned(), at(to)]));
            let more: Vec<_> = line.iter().map(String::as_str).collect();
            assert_eq!(arguments(&more).contradiction().is_some(), expected, "{line:?}");
        }
    }

    fn arguments(more: &[&str]) -> ReplayArguments {
        #[derive(clap::Parser)]
        struct Line {
            #[command(flatten)]
            replay: ReplayArguments,
        }
        let Line { replay } = clap::Parser::parse_from(["replay", "--source", "log:x", "--out", "y"].iter().chain(more));
        replay
    }

    #[test]
    fn two_beginnings_of_the_same_contradict_each_other() {
        for (beginnings, expected) in [
            (&["fills/0@0", "fills/1@0", "2026-01-05T14:30:00Z"][..], None),
            (&["fills/0@0", "orders/0@0", "fills/0@7"], Some("--from names fills/0 twice")),
            (&["2026-01-05T14:30:00Z", "2026-01-05T14:31:00Z"], Some("--from gives 2 times")),
        ] {
            let more: Vec<_> = beginnings.iter().flat_map(|from| ["--from", *from]).collect();
            let contradiction = arguments(&more).contradiction();
            assert_eq!(contradiction.is_some(), expected.is_some(), "{beginnings:?}: {contradiction:?}");
            assert!(contradiction.unwrap_or_default().starts_with(expected.unwrap_or_default()), "{beginnings:?}");
        }
    }

    #[test]
    fn a_partition_is_read_from_where_a_record_begins() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let log = LogTransport::new(folder.path());
        log.create_topic("fills", 1)?;
        std::fs::write(folder.path().join("fills/0.jsonl"), "{}\n{\"a\":1}\n")?;
        for (from, expected) in [
            ("fills/0@0", None),
            ("fills/0@3", None),
            ("fills/0@11", None),
            ("fills/0@5", Some("--from fills/0@5: no record begins there: give 3 or 11")),
            ("fills/0@99999", Some("--from fills/0@99999: the partition begins at 0 and ends at 11")),
            ("fills/9@0", Some("--from fills/9@0: topic fills has no partition 9; its partitions are: 0")),
            ("orders/0@0", Some("--from orders/0@0: the source has no topic orders")),
        ] {
            let beginning = from.parse::<From>().map_err(anyhow::Error::msg)?;
            let refused = check_beginnings(&log, &SourceConfig::default(), &[beginning]).map_err(|error| error.to_string());
            assert_eq!(refused.is_err(), expected.is_some(), "{from}: {refused:?}");
            assert!(refused.err().unwrap_or_default().starts_with(expected.unwrap_or_default()), "{from}");
        }
        Ok(())
    }

    #[test]
    fn a_source_that_lacks_what_was_read_is_another_one() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let log = LogTransport::new(folder.path());
        log.create_topic("fills", 1)?;
        std::fs::write(folder.path().join("fills/0.jsonl"), "{}\n{}\n")?;
        let names = SourceConfig::default();
        let source = partitions(&log, &names)?;
        for (topic, partition, offset, expected) in [
            ("fills", 0, 6, None),
            ("fills", 0, 3, None),
            ("fills", 0, 9, Some("topic fills, partition 0 ends at offset 6, and 9 was read")),
            ("fills", 1, 0, None),
            ("fills", 1, 9, Some("topic fills has no partition 1, which was read up to offset 9")),
            ("orders", 0, 9, Some("topic orders has no partition 0, which was read up to offset 9")),
        ] {
            let read = PartitionProgress {
                topic: topic.to_owned(),
                partition,
                offset: Offset::new(offset),
                clock: EffectiveTime::ZERO,
                sequence: Sequence::default(),
                audit_hash: String::new(),
                fingerprint: None,
            };
            let expected: Vec<_> = expected.into_iter().map(str::to_owned).collect();
            assert_eq!(lacking(&[read], &source, &names), expected, "{topic}/{partition}@{offset}");
        }
        Ok(())
    }

    #[test]
    fn a_beginning_is_a_time_or_an_offset() {
        assert_eq!("market.quotes/3@77".parse(), Ok(From::Offset(Topic::Quotes, 3, Offset::new(77))));
        assert!(matches!("2026-01-05T14:30:00Z".parse(), Ok(From::Time(_))));
        for wrong in ["", "orders", "orders/0", "orders/x@1", "dealings/0@1", "yesterday"] {
            assert!(wrong.parse::<From>().is_err(), "{wrong}");
        }
    }
}
