//! Labelled days of a bank and a market: ordinary life, planted cases of each rule, and honest behaviour that resembles them.
//!
//! The generator is apart from the rules. A case is written from the description of the crime (who does what, how much, how fast),
//! with noise, and no figure is read from a pack or a setting. Ordinary life has its own hard cases: a payroll, a landlord, a shop
//! that takes cash, a traveller, people who work at night, a market maker, a fund that trades at the close. Some of them do what a
//! rule is about, and are counted as false alarms.
//!
//! - [`diary`] writes records and notes the cases. [`people`] are customers with a past.
//! - [`life`], [`office`] and [`trading`] are ordinary days of customers, of a bank's staff, and of a market.
//! - [`laundering`], [`fraud`], [`breaches`] and [`abuse`] are the cases.
//! - [`quality`] compares decisions and alerts with the cases: precision and recall of each rule.

pub mod abuse;
pub mod breaches;
pub mod diary;
pub mod fraud;
pub mod laundering;
pub mod life;
pub mod office;
pub mod people;
pub mod quality;
pub mod trading;

use std::path::Path;

use anyhow::Result;

use self::diary::{Case, Diary, Entry, MINUTE, Millis};
use crate::pipeline::write_log;

/// The size of the days.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Ordinary customers.
    pub customers: usize,
    /// Cases of each rule.
    pub cases: usize,
    /// Trading sessions, one a day.
    pub sessions: i64,
    /// Length of a session.
    pub session: Millis,
}

/// Days that take a second to run.
pub const SMALL: Size = Size { customers: 40, cases: 1, sessions: 1, session: 12 * MINUTE };

/// Days to measure on.
pub const LARGE: Size = Size { customers: 120, cases: 3, sessions: 2, session: 12 * MINUTE };

/// A week of a bank and a market.
#[derive(Clone, Debug)]
pub struct Days {
    entries: Vec<Entry>,
    /// The planted cases.
    pub cases: Vec<Case>,
}

impl Days {
    /// Seeded days.
    pub fn of(seed: u64, size: Size) -> Self {
        let mut diary = Diary::new(seed);
        life::ordinary(&mut diary, size.customers);
        office::ordinary(&mut diary, size.customers / 8 + 4);
        let mut market = trading::ordinary(&mut diary, size);
        for _ in 0..size.cases {
            laundering::plant(&mut diary);
            fraud::plant(&mut diary);
            breaches::plant(&mut diary);
            abuse::plant(&mut diary, &mut market);
        }
        market.publish_quotes(&mut diary);
        let (entries, cases) = diary.closed();
        Self { entries, cases }
    }

    /// The number of records.
    pub fn records(&self) -> usize {
        self.entries.len()
    }

    /// Writes the records into a log, in the order of their times.
    pub fn write(&self, log: &Path) -> Result<()> {
        let mut topics = std::collections::BTreeMap::<&str, String>::new();
        for entry in &self.entries {
            let lines = topics.entry(entry.topic).or_default();
            lines.push_str(&entry.text);
            lines.push('\n');
        }
        topics.iter().try_for_each(|(topic, lines)| write_log(log, topic, 0, lines))
    }
}
