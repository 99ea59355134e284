//! The journal of a run with early publication: decisions of the wall clock, made durable before any row that depends on them is
//! published.
//!
//! After a crash, the next run reads the same records again from the last commit. For these to yield the same rows with the same
//! ids, each record must get the same clock. Most clocks follow from event times. The journal has the rest: the records whose
//! clocks the wall clock decided, and how far each partition's clock had advanced. With a bucket the journal is there as well, so
//! that another machine can be the next run.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use headwater_connectors::durable;
use headwater_connectors::parquet::directory::{EAGER, eager_path};
use headwater_connectors::parquet::record::CommitRecord;
use headwater_connectors::parquet::remote::Remote;
use headwater_connectors::source::{Remapped, Remaps, Script};
use headwater_schemas::{EffectiveTime, Offset, Topic};
use serde::{Deserialize, Serialize};

use crate::resume::Positions;
use crate::wall_clock;

/// A partition of a topic by name.
type Partition = (String, u16);

/// A clock at an offset of a partition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decided {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub partition: u16,
    /// The offset.
    pub offset: Offset,
    /// The clock.
    pub clock: EffectiveTime,
}

/// Decisions that are added together: a line of the file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Records whose clocks the wall clock decided.
    pub remap: Vec<Decided>,
    /// Positions of partitions: an offset, and the minimum clock from that offset on.
    pub standing: Vec<Decided>,
    /// Of the first entry of a run with a bucket: what tells the run from others, so that its journal is another one. Always written,
    /// because the form that goes to other processes has no field names.
    #[serde(default)]
    pub run: String,
}

/// The journal of a data directory, open for appending.
#[derive(Debug)]
pub struct Journal {
    data: PathBuf,
    file: File,
    /// The bucket that has the commits, if there is one.
    remote: Option<Remote>,
    /// Entries that are not committed yet.
    remap: BTreeMap<Partition, BTreeMap<Offset, EffectiveTime>>,
    standing: BTreeMap<Partition, Remapped>,
}

impl Journal {
    /// Opens a directory's journal with its entries.
    pub fn open(data: &Path, remote: Option<Remote>) -> anyhow::Result<Self> {
        let path = eager_path(data);
        let mut all = Entry::default();
        for entry in read(&path)? {
            all.remap.extend(entry.remap);
            all.standing.extend(entry.standing);
        }
        if remote.is_some() {
            all.run = format!("{} {} {}", data.display(), wall_clock::now(), std::process::id());
        }
        // Rewritten, so that no entry is appended to a line that was cut off.
        let file = rewrite(&path, &all)?;
        let mut journal = Self { data: data.to_owned(), file, remote, remap: BTreeMap::new(), standing: BTreeMap::new() };
        journal.note(&all);
        // From here on, a run that this one takes the place of publishes nothing early any more.
        journal.send()?;
        Ok(journal)
    }

    fn note(&mut self, entry: &Entry) {
        for Decided { topic, partition, offset, clock } in &entry.remap {
            self.remap.entry((topic.clone(), *partition)).or_default().insert(*offset, *clock);
        }
        for Decided { topic, partition, offset, clock } in &entry.standing {
            self.standing.insert((topic.clone(), *partition), (*offset, *clock));
        }
    }

    /// Appends an entry; once this returns, the entry is durable.
    pub fn add(&mut self, entry: &Entry) -> anyhow::Result<()> {
        let mut line = serde_json::to_vec(entry)?;
        line.push(b'\n');
        let written = self.file.write_all(&line).and_then(|()| self.file.sync_data());
        written.with_context(|| format!("writing {}", eager_path(&self.data).display()))?;
        self.send()?;
        self.note(entry);
        Ok(())
    }

    /// Removes the entries that a commit covers.
    pub fn committed(&mut self, record: &CommitRecord) -> anyhow::Result<()> {
        for progress in &record.partitions {
            if let Some(remap) = self.remap.get_mut(&(progress.topic.clone(), progress.partition)) {
                *remap = remap.split_off(&progress.offset);
            }
        }
        let entry = Entry {
            remap: flattened(
                self.remap.iter().flat_map(|(partition, remap)| remap.iter().map(move |(offset, clock)| (partition, (*offset, *clock)))),
            ),
            standing: flattened(self.standing.iter().map(|(partition, at)| (partition, *at))),
            run: String::new(),
        };
        self.file = rewrite(&eager_path(&self.data), &entry)?;
        self.send()
    }

    /// Replaces the bucket's journal by this one.
    fn send(&self) -> anyhow::Result<()> {
        Ok(self.remote.as_ref().map_or(Ok(()), |remote| remote.replace(&self.data, EAGER))?)
    }
}

fn flattened<'a>(decided: impl Iterator<Item = (&'a Partition, Remapped)>) -> Vec<Decided> {
    let flat = |((topic, partition), (offset, clock)): (&Partition, Remapped)| Decided {
        topic: topic.clone(),
        partition: *partition,
        offset,
        clock,
    };
    decided.map(flat).collect()
}

/// Replaces the file with one of a single entry, open for appending.
fn rewrite(path: &Path, entry: &Entry) -> anyhow::Result<File> {
    let mut text = serde_json::to_vec(entry)?;
    text.push(b'\n');
    let replaced = durable::replace(path, &text).and_then(|()| OpenOptions::new().append(true).open(path));
    replaced.with_context(|| format!("writing {}", path.display()))
}

/// The entries of a journal; empty if there is none. A line that was cut off was not acted upon.
fn read(path: &Path) -> anyhow::Result<Vec<Entry>> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).with_context(|| format!("reading {}", path.display())),
    };
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    let parse = |(number, line): (usize, &str)| {
        serde_json::from_str(line).with_context(|| format!("{}, line {}: restore it from a copy", path.display(), number + 1))
    };
    whole.lines().enumerate().map(parse).collect()
}

/// The decisions that a run after a commit must follow: for each partition those at or after its position.
pub fn followed(data: &Path, positions: &Positions) -> anyhow::Result<Script> {
    let (mut remap, mut floors) = (Remaps::new(), BTreeMap::new());
    for entry in read(&eager_path(data))? {
        let behind = |decided: &Decided| {
            let partition = (Topic::from_word(&decided.topic)?, decided.partition);
            let from = positions.get(&partition).map_or(Offset::ZERO, |position| position.offset);
            (decided.offset >= from).then_some((partition, (decided.offset, decided.clock)))
        };
        floors.extend(entry.standing.iter().filter_map(behind));
        for (partition, remapped) in entry.remap.iter().filter_map(behind) {
            remap.entry(partition).or_default().push(remapped);
        }
    }
    for records in remap.values_mut() {
        records.sort_unstable();
        records.dedup();
    }
    Ok(Script { remap, floors, ..Script::default() })
}

#[cfg(test)]
mod tests {
    use headwater_connectors::source::Position;

    use super::*;

    fn decided(offset: u64, clock: u64) -> Decided {
        Decided { topic: "orders".to_owned(), partition: 1, offset: Offset::new(offset), clock: EffectiveTime::new(clock) }
    }

    fn remapped(offset: u64, clock: u64) -> Remapped {
        (Offset::new(offset), EffectiveTime::new(clock))
    }

    #[test]
    fn what_lies_behind_a_commit_is_followed_also_after_a_line_that_was_cut_off() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let at = |offset| Positions::from([((Topic::Orders, 1), Position { offset: Offset::new(offset), ..Position::default() })]);
        assert_eq!(followed(folder.path(), &at(0))?.remap, Remaps::new());
        let mut journal = Journal::open(folder.path(), None)?;
        journal.add(&Entry { remap: vec![decided(3, 30), decided(7, 70)], standing: vec![decided(9, 95)], ..Entry::default() })?;
        journal.add(&Entry { remap: vec![decided(12, 120)], standing: vec![decided(14, 145)], ..Entry::default() })?;
        fs::OpenOptions::new().append(true).open(eager_path(folder.path()))?.write_all(b"{\"remap\":[{\"topic\":\"or")?;
        let script = followed(folder.path(), &at(7))?;
        assert_eq!(script.remap.get(&(Topic::Orders, 1)), Some(&vec![remapped(7, 70), remapped(12, 120)]));
        assert_eq!(script.floors.get(&(Topic::Orders, 1)), Some(&remapped(14, 145)));
        // Reopened, it continues after complete lines, with the same entries.
        let mut journal = Journal::open(folder.path(), None)?;
        journal.add(&Entry { remap: vec![decided(20, 200)], standing: vec![], ..Entry::default() })?;
        let script = followed(folder.path(), &at(12))?;
        assert_eq!(script.remap.get(&(Topic::Orders, 1)), Some(&vec![remapped(12, 120), remapped(20, 200)]));
        Ok(())
    }
}
