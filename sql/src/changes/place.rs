//! How far a client is: after a commit, or after some changes of one.

use std::fmt;
use std::str::FromStr;

/// How far a client is. As text: `42`, after all changes of commit 42; `42:500`, after the first 500 of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    commit_id: u64,
    /// Changes of the commit; none: all.
    rows: Option<u64>,
}

/// A text that is no place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not the place of a change: give the number of a commit like 42, or the id of an event like 42:500")]
pub struct PlaceError(String);

impl Place {
    /// After all changes of a commit; 0: before all commits.
    pub const fn end_of(commit_id: u64) -> Self {
        Self { commit_id, rows: None }
    }

    pub(super) const fn within(commit_id: u64, rows: u64) -> Self {
        Self { commit_id, rows: Some(rows) }
    }

    /// The last commit of which all changes are known.
    pub(super) const fn begins_after(self) -> u64 {
        match self.rows {
            Some(_) => self.commit_id.saturating_sub(1),
            None => self.commit_id,
        }
    }

    /// The commit of which some or all changes are known.
    pub(super) const fn commit_id(self) -> u64 {
        self.commit_id
    }

    /// Changes of the commit after that which are known.
    pub(super) const fn rows(self) -> u64 {
        match self.rows {
            Some(rows) => rows,
            None => 0,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.rows {
            Some(rows) => write!(out, "{}:{rows}", self.commit_id),
            None => write!(out, "{}", self.commit_id),
        }
    }
}

impl FromStr for Place {
    type Err = PlaceError;

    fn from_str(text: &str) -> Result<Self, PlaceError> {
        let number = |text: &str| text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()));
        let place = match text.split_once(':') {
            // A part of commit 0 would be one of the commit before it.
            Some((commit_id, rows)) => number(commit_id)
                .filter(|commit_id| *commit_id > 0)
                .zip(number(rows))
                .map(|(commit_id, rows)| Self::within(commit_id, rows)),
            None => number(text).map(Self::end_of),
        };
        place.ok_or_else(|| PlaceError(text.to_owned()))
    }
}
