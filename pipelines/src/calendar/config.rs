//! Configuration of the calendar of reports.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use headwater_connectors::fault::with_causes;
use headwater_connectors::parquet::directory::HISTORY_SUFFIX;
use headwater_schemas::Date;
use headwater_sql::{Report, ReportFormat, report_named};
use serde::Deserialize;

use super::dates::Occurrence;
use crate::config::Span;

/// Names in a data directory besides those of tables.
const TAKEN: [&str; 8] = ["commits", "staging", "segments", "log", "LOCK", "HEAD", "OUTBOX", "EAGER"];

/// Section `[reports]`: which reports are made while a run goes on.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReportsConfig {
    /// Folder of the documents and their manifest; a relative path is below the data directory. Default none: nothing is made.
    pub folder: Option<PathBuf>,
    /// Event time after the end of a date until its reports are made. What comes later is in no document. Default 10 minutes.
    pub settle: Span,
    /// The first date with reports. Default: the date of the first rows.
    pub from: Option<Date>,
    /// CSV file with the dates that are no business days, relative to the configuration's folder. Default none.
    pub holidays: Option<PathBuf>,
    /// The entries, `[[reports.calendar]]`.
    #[serde(skip)]
    pub calendar: Vec<EntryConfig>,
}

impl Default for ReportsConfig {
    fn default() -> Self {
        Self { folder: None, settle: Span(Duration::from_secs(600)), from: None, holidays: None, calendar: Vec::new() }
    }
}

/// An entry of the calendar.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EntryConfig {
    /// Name of the report.
    pub report: Option<String>,
    /// When it is made, as [`Occurrence`] names it.
    pub on: Option<String>,
    /// Formats of its documents. Default JSON alone.
    pub formats: Option<Vec<String>>,
    /// The account of a report that is about one.
    pub account: Option<String>,
    /// File with reference data of a report that takes it, relative to the configuration's folder.
    pub reference: Option<PathBuf>,
    /// Keys whose values are of the wrong type, which is reported already.
    #[serde(skip)]
    pub refused: BTreeSet<String>,
}

/// An entry of the calendar that can be used.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The report.
    pub report: &'static Report,
    /// When it is made.
    pub on: Occurrence,
    /// Formats of its documents, each once.
    pub formats: Vec<ReportFormat>,
    /// The account that it is about.
    pub account: Option<String>,
    /// The file with reference data.
    pub reference: Option<PathBuf>,
}

impl Entry {
    /// Name of its documents, without the format: `<report>[-<account>][-<on>]`.
    pub fn stem(&self) -> String {
        let account = self.account.as_deref().map_or_else(String::new, |account| format!("-{}", encoded(account)));
        let on = if self.on.is_of_a_day() { String::new() } else { format!("-{}", self.on.as_str()) };
        format!("{}{account}{on}", self.report.name)
    }
}

/// An account's id as a part of a file's name: other characters than letters, digits, `_` and `-` become `%` and two digits.
fn encoded(account: &str) -> String {
    let encode = |byte: u8| match byte {
        byte if byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-') => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    account.bytes().map(encode).collect()
}

impl ReportsConfig {
    /// Resolves the paths of files relative to the configuration's folder.
    pub(crate) fn look_beside(&mut self, folder: &Path) {
        let references = self.calendar.iter_mut().filter_map(|entry| entry.reference.as_mut());
        self.holidays.iter_mut().chain(references).for_each(|path| *path = folder.join(&*path));
    }

    /// The entries, or everything that is wrong with them.
    pub fn entries(&self) -> Result<Vec<Entry>, Vec<String>> {
        let (mut entries, mut problems) = (Vec::new(), Vec::new());
        let mut stems = BTreeMap::new();
        for (number, config) in (1..).zip(&self.calendar) {
            let mut of_entry = Vec::new();
            if let Some(entry) = config.entry(&mut of_entry) {
                if let Some(first) = stems.insert(entry.stem(), number) {
                    of_entry.push(format!("its documents have the name {} of entry {first}: remove one", entry.stem()));
                }
                entries.push(entry);
            }
            problems.extend(of_entry.into_iter().map(|problem| format!("reports.calendar, entry {number}: {problem}")));
        }
        if problems.is_empty() { Ok(entries) } else { Err(problems) }
    }

    /// What is wrong with the section.
    pub(crate) fn problems(&self) -> Vec<String> {
        let mut problems = self.entries().err().unwrap_or_default();
        if let Some(folder) = self.folder.as_deref().filter(|folder| !is_usable(folder)) {
            problems.push(format!(
                "reports.folder: {} is no folder of its own below the data directory: give a name like \"reports\", or an absolute path",
                folder.display()
            ));
        }
        problems
    }
}

/// Whether a report takes an argument.
#[derive(Clone, Copy)]
enum Use {
    None,
    Possible,
    Needed,
}

/// Whether documents may lie in a folder: in a data directory it must not have a name that the directory uses.
fn is_usable(folder: &Path) -> bool {
    let is_table = |name: &str| headwater_sql::tables().iter().any(|table| table.spec.name == name);
    let is_taken = |name: &str| TAKEN.contains(&name) || is_table(name.strip_suffix(HISTORY_SUFFIX).unwrap_or(name));
    let leads_out = folder.components().any(|component| !matches!(component, Component::Normal(_)));
    let first = folder.components().next().and_then(|component| component.as_os_str().to_str());
    folder.is_absolute() || (!leads_out && first.is_some_and(|name| !is_taken(name)))
}

impl EntryConfig {
    /// The entry; adds what is wrong to the problems, and is `None` then.
    fn entry(&self, problems: &mut Vec<String>) -> Option<Entry> {
        let before = problems.len();
        let report = self.given("report", self.report.as_deref(), "daily-position", problems);
        let report = report.and_then(|name| told("report", report_named(name), problems));
        let on = self.given("on", self.on.as_deref(), "day", problems);
        let on = on.and_then(|name| told("on", name.parse::<Occurrence>(), problems));
        let formats = self.formats(problems);
        if let Some(report) = report {
            let unfit = formats.iter().filter_map(|format| format.check(report).err());
            problems.extend(unfit.map(|error| format!("formats: {}", with_causes(&error))));
            let mut check = |key: &str, use_of: Use, is_given: bool, what: &str| match (use_of, is_given || self.refused.contains(key)) {
                (Use::Needed, false) => problems.push(format!("{key} is missing: the report {} needs {what}", report.name)),
                (Use::None, true) => problems.push(format!("{key}: the report {} takes none; leave it out", report.name)),
                _ => {}
            };
            let use_of_account = if report.needs_account() { Use::Needed } else { Use::None };
            check("account", use_of_account, self.account.is_some(), "the account that it is about");
            let is_needed = report.needs_reference() || formats.iter().any(|format| format.needs_reference() && report.takes_reference());
            let use_of_reference = match (is_needed, report.takes_reference()) {
                (true, _) => Use::Needed,
                (false, true) => Use::Possible,
                (false, false) => Use::None,
            };
            check("reference", use_of_reference, self.reference.is_some(), "a file with what the pipeline does not know");
        }
        if self.account.as_deref().is_some_and(str::is_empty) {
            problems.push("account is empty: give the id of an account".to_owned());
        }
        let entry = Entry { report: report?, on: on?, formats, account: self.account.clone(), reference: self.reference.clone() };
        (problems.len() == before).then_some(entry)
    }

    /// The value of a key that must be there.
    fn given<'a>(&self, key: &str, value: Option<&'a str>, example: &str, problems: &mut Vec<String>) -> Option<&'a str> {
        if value.is_none() && !self.refused.contains(key) {
            problems.push(format!("{key} is missing: write it like {key} = {example:?}"));
        }
        value
    }

    fn formats(&self, problems: &mut Vec<String>) -> Vec<ReportFormat> {
        let Some(names) = &self.formats else { return vec![ReportFormat::default()] };
        let mut formats = Vec::new();
        for name in names {
            match name.parse::<ReportFormat>() {
                Ok(format) if formats.contains(&format) => problems.push(format!("formats: {name} is there twice; remove one")),
                Ok(format) => formats.push(format),
                Err(error) => problems.push(format!("formats: {error}")),
            }
        }
        if names.is_empty() {
            let known: Vec<_> = ReportFormat::ALL.iter().map(|format| format.as_str()).collect();
            problems.push(format!("formats is empty: give some of {}, or leave it out for json", known.join(", ")));
        }
        formats
    }
}

/// The value, or its error as a problem of a key.
fn told<T>(key: &str, result: Result<T, impl std::fmt::Display>, problems: &mut Vec<String>) -> Option<T> {
    result.map_err(|error| problems.push(format!("{key}: {error}"))).ok()
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    const GOOD: &str = "[reports]\nfolder = \"reports\"\nsettle = \"1h\"\nfrom = \"2026-01-01\"\n\
        [[reports.calendar]]\nreport = \"daily-position\"\non = \"day\"\nformats = [\"json\", \"html\"]\n\
        [[reports.calendar]]\nreport = \"daily-position\"\non = \"quarter\"\n\
        [[reports.calendar]]\nreport = \"account-statement\"\non = \"month\"\naccount = \"A/1.x\"\n\
        [[reports.calendar]]\nreport = \"capital\"\non = \"last_business_day\"\nreference = \"r.csv\"\n\
        [[reports.calendar]]\nreport = \"executions-rts22\"\non = \"day\"\nformats = [\"json\", \"auth.016\"]\nreference = \"fields.csv\"\n\
        [[reports.calendar]]\nreport = \"executions-rts22\"\non = \"month\"\n";

    #[test]
    fn a_calendar_names_its_documents() -> Result<(), Box<dyn std::error::Error>> {
        let config = Config::parse("c.toml", GOOD)?;
        let entries = config.reports.entries().map_err(|problems| problems.join("; "))?;
        let stems: Vec<_> = entries.iter().map(super::Entry::stem).collect();
        let expected = [
            "daily-position",
            "daily-position-quarter",
            "account-statement-A%2F1%2Ex-month",
            "capital-last_business_day",
            "executions-rts22",
            "executions-rts22-month",
        ];
        assert_eq!(stems, expected);
        assert_eq!(entries.iter().map(|entry| entry.formats.len()).collect::<Vec<_>>(), [2, 1, 1, 1, 2, 1]);
        assert!(Config::parse("c.toml", "").is_ok_and(|config| config.reports.folder.is_none() && config.reports.calendar.is_empty()));
        Ok(())
    }

    #[test]
    fn all_problems_of_a_calendar_are_told_at_once() {
        let text = "[reports]\nfolder = \"positions_history\"\nsettle = \"soon\"\nfrom = \"2026-02-30\"\nholliday = \"x\"\n\
            [[reports.calendar]]\nreport = \"weekly\"\non = \"monday\"\nformats = [\"pdf\", \"json\", \"json\"]\nformat = \"json\"\n\
            [[reports.calendar]]\non = 5\naccount = \"a\"\n\
            [[reports.calendar]]\nreport = \"account-statement\"\nformats = []\n\
            [[reports.calendar]]\nreport = \"capital\"\non = \"quarter\"\naccount = \"A\"\n\
            [[reports.calendar]]\nreport = \"large-cash\"\non = \"day\"\n\
            [[reports.calendar]]\nreport = \"large-cash\"\non = \"business_day\"\n\
            [[reports.calendar]]\nreport = \"large-cash\"\non = \"friday\"\nformats = [\"camt.053\"]\n\
            [[reports.calendar]]\nreport = \"executions-rts22\"\non = \"day\"\nformats = [\"auth.016\"]\n\
            [[reports.calendar]]\nreport = \"daily-position\"\non = \"day\"\nformats = [\"auth.016\"]\n";
        let problems = Config::parse("c.toml", text).map(|_| ()).map_err(|error| error.problems.join("\n")).expect_err("problems");
        for expected in [
            "reports.settle: \"soon\" is not a duration",
            "reports.from: ",
            "reports.holliday: unknown field `holliday`",
            "reports.calendar, entry 1: unknown field `format`",
            "entry 1: report: there is no report \"weekly\": give one of daily-position",
            "entry 1: on: \"monday\" is no day of the calendar: give one of day, business_day, friday",
            "entry 1: formats: there is no format \"pdf\": give json, csv, xml, html, camt.053 or auth.016",
            "entry 1: formats: json is there twice",
            "entry 2: report is missing: write it like report = \"daily-position\"",
            "entry 2: invalid type: integer `5`",
            "entry 3: on is missing",
            "entry 3: formats is empty: give some of json, csv, xml, html, camt.053, auth.016, or leave it out for json",
            "entry 3: account is missing: the report account-statement needs the account",
            "entry 4: account: the report capital takes none",
            "entry 4: reference is missing: the report capital needs a file",
            "entry 6: its documents have the name large-cash of entry 5: remove one",
            "entry 7: formats: the report large-cash cannot be written as camt.053: give another format: it is for the report account-statement alone",
            "entry 8: reference is missing: the report executions-rts22 needs a file with what the pipeline does not know",
            "entry 9: formats: the report daily-position cannot be written as auth.016: give another format: it is for the report executions-rts22 alone",
        ] {
            assert!(problems.contains(expected), "{expected} is not told:\n{problems}");
        }
        assert!(!problems.contains("entry 2: on is missing") && !problems.contains("entry 9: reference"), "{problems}");
        for folder in ["", ".", "../reports", "log", "audit", "audit_history/x", "commits/reports"] {
            let refused = Config::parse("c.toml", &format!("[reports]\nfolder = \"{folder}\"\n")).expect_err(folder).to_string();
            assert!(refused.contains("reports.folder"), "{refused}");
        }
        for folder in ["reports", "made/reports", "/srv/reports"] {
            assert!(Config::parse("c.toml", &format!("[reports]\nfolder = \"{folder}\"\n")).is_ok(), "{folder}");
        }
        for wrong in ["[reports]\ncalendar = 1\n", "[reports]\ncalendar = [1]\n", "reports = 1\n"] {
            let refused = Config::parse("c.toml", wrong).expect_err(wrong).to_string();
            assert!(refused.contains("reports"), "{refused}");
        }
    }
}
