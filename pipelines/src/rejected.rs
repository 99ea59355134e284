//! Summary of rejected records after a run: counts by code, the query that shows them, and what resolves most of them.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;

use headwater_connectors::source::SourceCounters;

/// Maximum length of an error in the summary, in characters.
const SHOWN: usize = 200;
/// The query that shows dead letters.
const QUERY: &str = "SELECT topic, \"partition\", \"offset\", ts, code, error, text FROM dead_letters ORDER BY ts";

/// Instructions for codes whose errors do not contain one.
const MENDS: [(&str, &str); 1] = [(
    "too_late",
    "too_late: their topic had come further. Sort files by time before you publish them (`headwater publish --sort`), read topics that go back in time from a new data directory, or set time.horizon (or [horizons]) to how late events may be.",
)];

/// Rejected records of a code.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rejected {
    /// Their number.
    pub count: u64,
    /// The place of one of them: `topic/partition@offset`.
    pub at: String,
    /// Its error.
    pub error: String,
}

/// Records that this process has rejected, by code.
pub fn counted(counters: &SourceCounters) -> BTreeMap<String, Rejected> {
    let rejected = |(count, letter): (u64, headwater_schemas::tables::DeadLetter)| Rejected {
        count,
        at: format!("{}/{}@{}", letter.topic, letter.partition, letter.offset),
        error: letter.error.to_string(),
    };
    counters.dead_letters().into_iter().map(|(code, of_code)| (code.to_string(), rejected(of_code))).collect()
}

/// Writes a summary, if any record was rejected; `data` is the data directory with the dead letters.
pub fn summarize(rejected: &BTreeMap<String, Rejected>, what: &str, data: Option<&Path>, out: &mut impl Write) -> io::Result<()> {
    let count: u64 = rejected.values().map(|rejected| rejected.count).sum();
    if count == 0 {
        return Ok(());
    }
    let records = if count == 1 { "record is a dead letter" } else { "records are dead letters" };
    writeln!(out, "{count} {records} {what}:")?;
    let width = rejected.keys().map(String::len).max().unwrap_or(0);
    for (code, Rejected { count, at, error }) in rejected {
        let shown: String = error.chars().take(SHOWN).collect();
        let more = if shown.len() < error.len() { "…" } else { "" };
        writeln!(out, "  {code:<width$} {count:>9}  for example {at}: {shown}{more}")?;
    }
    for (_, mend) in MENDS.iter().filter(|(code, _)| rejected.contains_key(*code)) {
        writeln!(out, "{mend}")?;
    }
    let data = data.map_or_else(|| "DIR".to_owned(), |data| data.display().to_string());
    writeln!(out, "Look at them: headwater sql --data {data} '{QUERY}'")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rejected(count: u64) -> Rejected {
        Rejected { count, at: "fills/0@17".to_owned(), error: "quantity: the field is missing; add it".to_owned() }
    }

    #[test]
    fn a_summary_has_codes_the_query_and_the_mend() -> io::Result<()> {
        let said = |codes: &[(&str, u64)]| -> io::Result<String> {
            let mut out = Vec::new();
            let rejected = codes.iter().map(|(code, count)| ((*code).to_owned(), rejected(*count))).collect();
            summarize(&rejected, "of this run", Some(Path::new("tables")), &mut out)?;
            Ok(String::from_utf8_lossy(&out).into_owned())
        };
        assert_eq!(said(&[])?, "");
        let one = said(&[("missing_field", 1)])?;
        assert!(
            one.starts_with("1 record is a dead letter of this run:\n  missing_field         1  for example fills/0@17: quantity:"),
            "{one}"
        );
        assert!(one.ends_with(&format!("Look at them: headwater sql --data tables '{QUERY}'\n")) && !one.contains("--sort"), "{one}");
        let late = said(&[("missing_field", 1), ("too_late", 12)])?;
        assert!(
            late.starts_with("13 records are dead letters") && late.contains("publish --sort") && late.contains("time.horizon"),
            "{late}"
        );
        Ok(())
    }
}
