//! The calendar: reports that are made from event time, beside a run or by `headwater report --calendar`.
//!
//! ```text
//!  dates: a period ends ─► due: the first commit that has the whole date ─► maker: the report at that commit
//!                                                                             └─► <date>/<name>.<format>, then its line in the manifest
//! ```
//!
//! - A report of a date is made from the first commit that ends `settle` or more after the end of the date. So its bytes follow from
//!   the commits and the configuration, whenever it is made, and by whom.
//! - A document counts once the manifest has its line. One that has none is made again, with the same bytes.
//! - A document whose file was deleted is made again, with the same bytes.
//! - A document that exists is never changed: what comes later is for `headwater report --amends`.
//!
//! | module | one idea |
//! |---|---|
//! | `dates` | business days, and the dates on which periods end |
//! | `config` | the section `[reports]` |
//! | `due` | the commit from which the reports of a date are made |
//! | `manifest` | the list of documents |
//! | `maker` | makes what is due and missing |
//! | `beside` | does so while a run goes on |

mod beside;
mod config;
mod dates;
mod due;
mod maker;
mod manifest;

use std::path::{Path, PathBuf};

use anyhow::Context;
use headwater_schemas::{Date, EffectiveTime, Nanos};
use headwater_sql::{Reference, ReportError};

pub use beside::{Beside, Message, start};
pub use config::{Entry, EntryConfig, ReportsConfig};
pub use dates::{Holidays, Occurrence};
pub use maker::{Event, Maker, Point, Reached, Tally};
pub use manifest::Line;

/// The calendar of a data directory.
#[derive(Debug)]
pub struct Calendar {
    /// The folder of documents.
    folder: PathBuf,
    settle: Nanos,
    from: Option<Date>,
    holidays: Holidays,
    entries: Vec<Entry>,
}

impl Calendar {
    /// The configured calendar, with the files that it names; `None` if nothing is to be made.
    pub fn open(config: &ReportsConfig, data: &Path) -> anyhow::Result<Option<Self>> {
        let entries = config.entries().map_err(|problems| anyhow::anyhow!(problems.join("; ")))?;
        let Some(folder) = config.folder.as_ref().filter(|_| !entries.is_empty()) else { return Ok(None) };
        for (entry, path) in entries.iter().filter_map(|entry| Some((entry, entry.reference.as_deref()?))) {
            let reference = read_reference(path)?;
            entry.report.check_reference(&reference).with_context(|| path.display().to_string())?;
        }
        let holidays = config.holidays.as_deref().map_or_else(|| Ok(Holidays::default()), read_holidays)?;
        Ok(Some(Self { folder: data.join(folder), settle: config.settle.0.into(), from: config.from, holidays, entries }))
    }

    /// The event time at which the reports of a date are due.
    fn due_time(&self, date: Date) -> EffectiveTime {
        date.next().start().effective().saturating_add(self.settle)
    }

    /// The reports of a date, each with the first date of its period.
    fn reports_of(&self, date: Date) -> impl Iterator<Item = (&Entry, Date)> {
        self.entries.iter().filter_map(move |entry| Some((entry, entry.on.period(date, &self.holidays)?)))
    }
}

fn read_holidays(path: &Path) -> anyhow::Result<Holidays> {
    let text = std::fs::read_to_string(path).with_context(|| format!("reading the holidays of {} (reports.holidays)", path.display()))?;
    Holidays::read(&text).map_err(|problems| anyhow::anyhow!("the holidays of {}: {}", path.display(), problems.join("; ")))
}

/// Reads a file with reference data.
pub fn read_reference(path: &Path) -> anyhow::Result<Reference> {
    let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    Ok(Reference::read(&text).map_err(|problems| ReportError::Reference { path: path.display().to_string(), problems })?)
}
