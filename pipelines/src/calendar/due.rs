//! The commit from which the reports of a date are made: the first that ends at a time or later.

use std::path::Path;

use headwater_connectors::parquet::chain::{ChainError, Commit};
use headwater_connectors::parquet::directory::record_path;
use headwater_connectors::parquet::records::Records;
use headwater_schemas::{Date, EffectiveTime};

/// The commits of a data directory, up to one of them.
#[derive(Debug)]
pub(super) struct Commits {
    records: Records,
    last: u64,
    /// A commit that ends before all times that are still asked for; 0 if none is known.
    floor: u64,
}

impl Commits {
    /// All commits that exist now.
    pub(super) fn of(data: &Path) -> Result<Self, ChainError> {
        let records = Records::new(data);
        let last = records.last()?;
        Ok(Self { records, last, floor: 0 })
    }

    /// The number of the last commit; 0 without commits.
    pub(super) const fn last(&self) -> u64 {
        self.last
    }

    /// The end of the last commit; `None` without commits.
    pub(super) fn end(&mut self) -> Result<Option<EffectiveTime>, ChainError> {
        if self.last == 0 { Ok(None) } else { self.end_of(self.last).map(Some) }
    }

    /// A commit.
    pub(super) fn read(&mut self, commit_id: u64) -> Result<Commit, ChainError> {
        let read = self.records.read(commit_id)?;
        let before = commit_id.saturating_sub(1);
        read.ok_or_else(|| ChainError::Gap { path: record_path(self.records.data(), commit_id), later: self.last, before })
    }

    fn end_of(&mut self, commit_id: u64) -> Result<EffectiveTime, ChainError> {
        self.read(commit_id).map(|commit| commit.clock.start_of(commit.end_tick))
    }

    /// The first commit that ends at a time or later, if there is one. To be asked for ascending times.
    pub(super) fn first_until(&mut self, time: EffectiveTime) -> Result<Option<u64>, ChainError> {
        if self.end()?.is_none_or(|end| end < time) {
            return Ok(None);
        }
        let (mut before, mut found) = self.around(time)?;
        while found - before > 1 {
            let middle = before + (found - before) / 2;
            if self.end_of(middle)? < time { before = middle } else { found = middle }
        }
        self.floor = before;
        Ok(Some(found))
    }

    /// A commit that ends before the time, or 0, and one that ends at it or later. Starts where they are likely: at the commit that
    /// was found last, or else at the newest. Commits far from there are in archives, which are costly to read.
    fn around(&mut self, time: EffectiveTime) -> Result<(u64, u64), ChainError> {
        let (mut before, mut found, mut step) = (self.floor, self.last, 1);
        let forward = before > 0;
        loop {
            let next = if forward { before.saturating_add(step).min(found) } else { found.saturating_sub(step) };
            if next == 0 || next == found {
                return Ok((before, found));
            }
            match (self.end_of(next)? < time, forward) {
                (true, true) => before = next,
                (false, false) => found = next,
                (true, false) => return Ok((next, found)),
                (false, true) => return Ok((before, next)),
            }
            step *= 2;
        }
    }

    /// The date of the first rows: the earliest day in the first commit that has rows with a time. Rows from the beginning of time,
    /// like those of reference data without `ts`, have none. `None` if there are no such rows yet; it is known that the commits up to
    /// `without` have none.
    pub(super) fn first_date(&mut self, without: u64) -> Result<Option<Date>, ChainError> {
        for commit_id in without + 1..=self.last {
            let commit = self.read(commit_id)?;
            let dates = commit.files.iter().filter_map(|file| file.date).filter(|date| *date > Date::from_days(0));
            if let Some(first) = dates.min() {
                return Ok(Some(first));
            }
        }
        Ok(None)
    }
}
