//! Settings of a session: those that clients send by themselves, with the values that they can have here.
//!
//! A setting is refused where another value would change answers in a way that is not done here, such as another encoding.

use std::collections::BTreeMap;
use std::time::Duration;

use super::problem::{Problem, code};

/// The version of PostgreSQL whose catalog and protocol are followed.
const SERVER_VERSION: &str = concat!("15.0 (Headwater ", env!("CARGO_PKG_VERSION"), ")");

/// What a setting can be.
#[derive(Clone, Copy, Debug)]
enum Values {
    /// Always its default.
    Constant,
    /// One of these, compared without case, spaces, hyphens and quotes. All of them mean the default.
    Default(&'static [&'static str]),
    /// Anything; kept and shown, without effect.
    Any,
    /// The time limit of a statement.
    Timeout,
    /// A commit.
    Commit,
}

struct Known {
    name: &'static str,
    default: &'static str,
    values: Values,
    /// Whether its value is sent to clients, at the start and when it changes.
    is_reported: bool,
}

const fn known(name: &'static str, default: &'static str, values: Values) -> Known {
    Known { name, default, values, is_reported: false }
}

const fn reported(name: &'static str, default: &'static str, values: Values) -> Known {
    Known { name, default, values, is_reported: true }
}

const STATEMENT_TIMEOUT: &str = "statement_timeout";
const COMMIT: &str = "headwater.commit";

/// By name.
static KNOWN: [Known; 37] = [
    reported("application_name", "", Values::Any),
    known("backslash_quote", "safe_encoding", Values::Any),
    known("bytea_output", "hex", Values::Default(&["hex"])),
    reported("client_encoding", "UTF8", Values::Default(&["utf8", "unicode", "sqlascii"])),
    known("client_min_messages", "notice", Values::Any),
    reported("DateStyle", "ISO, MDY", Values::Default(&["iso", "iso,mdy", "iso,dmy", "iso,ymd"])),
    known("default_transaction_isolation", "repeatable read", Values::Any),
    reported("default_transaction_read_only", "on", Values::Default(&["on", "true", "1", "yes"])),
    known("extra_float_digits", "1", Values::Any),
    known(COMMIT, "0", Values::Commit),
    known("idle_in_transaction_session_timeout", "0", Values::Any),
    reported("in_hot_standby", "off", Values::Constant),
    reported("integer_datetimes", "on", Values::Constant),
    reported("IntervalStyle", "postgres", Values::Default(&["postgres"])),
    reported("is_superuser", "off", Values::Constant),
    known("jit", "off", Values::Any),
    known("lc_collate", "C", Values::Constant),
    known("lc_messages", "C", Values::Any),
    known("lc_monetary", "C", Values::Any),
    known("lock_timeout", "0", Values::Any),
    known("max_identifier_length", "63", Values::Constant),
    known("max_index_keys", "32", Values::Constant),
    known("row_security", "on", Values::Any),
    known("search_path", "public", Values::Any),
    reported("server_encoding", "UTF8", Values::Constant),
    reported("server_version", SERVER_VERSION, Values::Constant),
    known("server_version_num", "150000", Values::Constant),
    reported("session_authorization", "", Values::Constant),
    known("ssl_renegotiation_limit", "0", Values::Any),
    reported("standard_conforming_strings", "on", Values::Default(&["on", "true", "1", "yes"])),
    known(STATEMENT_TIMEOUT, "0", Values::Timeout),
    known("synchronize_seqscans", "on", Values::Any),
    known("synchronous_commit", "on", Values::Any),
    reported("TimeZone", "UTC", Values::Default(&["utc", "gmt", "etc/utc", "etc/gmt", "z", "zulu", "0", "universal"])),
    known("transaction_isolation", "repeatable read", Values::Any),
    known("transaction_read_only", "on", Values::Default(&["on", "true", "1", "yes"])),
    known("work_mem", "4MB", Values::Any),
];

/// The settings of a session.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    /// Values that differ from the default, by name in lower case.
    changed: BTreeMap<&'static str, String>,
}

/// A setting whose value the client has to be told.
pub(super) struct Report {
    pub(super) name: &'static str,
    pub(super) value: String,
}

impl Settings {
    /// The settings of a user's new session.
    pub(super) fn new(user: &str) -> Self {
        Self { changed: BTreeMap::from([("session_authorization", user.to_owned())]) }
    }

    /// A setting that comes with the start of the session. What cannot be is ignored: drivers send the time zone of their machine and
    /// understand times in any.
    pub(super) fn start(&mut self, name: &str, value: &str) {
        let _ = self.set(name, value);
    }

    /// Sets a value; `DEFAULT` is the default.
    pub(super) fn set(&mut self, name: &str, value: &str) -> Result<Option<Report>, Problem> {
        let known = find(name)?;
        if value.eq_ignore_ascii_case("default") {
            return self.reset(name);
        }
        let value = known.accept(value)?;
        self.changed.insert(known.name, value);
        Ok(self.report(known))
    }

    /// Sets the default.
    pub(super) fn reset(&mut self, name: &str) -> Result<Option<Report>, Problem> {
        let known = find(name)?;
        if !matches!(known.values, Values::Constant) {
            self.changed.remove(known.name);
        }
        Ok(self.report(known))
    }

    /// Sets every default.
    pub(super) fn reset_all(&mut self) -> Vec<Report> {
        let names: Vec<_> = self.changed.keys().copied().collect();
        names.into_iter().filter_map(|name| self.reset(name).ok().flatten()).collect()
    }

    /// A value, under the name of the setting.
    pub(super) fn show(&self, name: &str) -> Result<(&'static str, String), Problem> {
        let known = find(name)?;
        Ok((known.name, self.value(known)))
    }

    /// The default of a setting.
    pub(super) fn default_of(name: &str) -> &'static str {
        find(name).map_or("", |known| known.default)
    }

    /// Whether a value of a setting would change nothing but what is shown.
    pub(super) fn is_without_effect(name: &str) -> bool {
        find(name).is_ok_and(|known| matches!(known.values, Values::Any))
    }

    /// All values, in the order of names.
    pub(super) fn all(&self) -> Vec<(&'static str, String)> {
        KNOWN.iter().map(|known| (known.name, self.value(known))).collect()
    }

    /// What clients are told at the start.
    pub(super) fn reports(&self) -> Vec<Report> {
        KNOWN.iter().filter_map(|known| self.report(known)).collect()
    }

    /// The time limit of a statement, if there is one.
    pub(super) fn statement_timeout(&self) -> Option<Duration> {
        let millis = self.changed.get(STATEMENT_TIMEOUT).and_then(|value| millis(value)).filter(|millis| *millis > 0)?;
        Some(Duration::from_millis(millis))
    }

    /// The commit that queries see; `None` for the newest.
    pub(super) fn commit(&self) -> Option<u64> {
        self.changed.get(COMMIT).and_then(|value| value.parse().ok()).filter(|commit| *commit > 0)
    }

    fn value(&self, known: &Known) -> String {
        self.changed.get(known.name).cloned().unwrap_or_else(|| known.default.to_owned())
    }

    fn report(&self, known: &Known) -> Option<Report> {
        known.is_reported.then(|| Report { name: known.name, value: self.value(known) })
    }
}

fn find(name: &str) -> Result<&'static Known, Problem> {
    let missing = || Problem::new("42704", format!("there is no setting {name}: SHOW ALL lists those that there are"));
    KNOWN.iter().find(|known| known.name.eq_ignore_ascii_case(name)).ok_or_else(missing)
}

impl Known {
    /// The value as it is kept.
    fn accept(&self, value: &str) -> Result<String, Problem> {
        let wrong = |mend: String| Problem::new(code::INVALID_VALUE, format!("{} cannot be {value:?} here: {mend}", self.name));
        match self.values {
            Values::Any => Ok(value.to_owned()),
            Values::Constant => Err(Problem::new("55P02", format!("{} cannot be changed", self.name))),
            Values::Default(spellings) => {
                let spelling: String =
                    value.to_lowercase().chars().filter(|character| !matches!(character, ' ' | '-' | '_' | '"' | '\'')).collect();
                let read_only = self.name.ends_with("read_only").then(|| Problem::new(code::READ_ONLY, "SQL only reads the tables"));
                match (spellings.contains(&spelling.as_str()), read_only) {
                    (true, _) => Ok(self.default.to_owned()),
                    (false, Some(problem)) => Err(problem),
                    (false, None) => Err(wrong(match self.name {
                        "TimeZone" => "times are in UTC, and ts AT TIME ZONE 'America/New_York' gives those of a place".to_owned(),
                        _ => format!("it is always {}", self.default),
                    })),
                }
            }
            Values::Timeout => {
                millis(value).map(|_| value.to_owned()).ok_or_else(|| wrong("give milliseconds, or a time like 5s".to_owned()))
            }
            Values::Commit => {
                let number = value.parse::<u64>().map_err(|_| wrong("give the number of a commit, or 0 for the newest".to_owned()))?;
                Ok(number.to_string())
            }
        }
    }
}

/// A time in milliseconds, or with its unit.
fn millis(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(digits)?;
    let factor = match unit.trim() {
        "" | "ms" => 1,
        "s" => 1000,
        "min" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_drivers_send_is_taken_and_what_would_lie_is_not() {
        let mut settings = Settings::new("ann");
        for (name, value) in [
            ("client_encoding", "'utf-8'"),
            ("datestyle", "ISO, MDY"),
            ("TimeZone", "UTC"),
            ("extra_float_digits", "3"),
            ("application_name", "psql"),
            ("standard_conforming_strings", "on"),
            ("search_path", "public"),
            ("default_transaction_read_only", "true"),
        ] {
            assert!(settings.set(name, value).is_ok(), "{name} = {value}");
        }
        for (name, value, code) in [
            ("client_encoding", "LATIN1", "22023"),
            ("timezone", "Europe/Berlin", "22023"),
            ("datestyle", "German", "22023"),
            ("transaction_read_only", "off", "25006"),
            ("server_version", "9", "55P02"),
            ("statement_timeout", "soon", "22023"),
            ("headwater.commit", "newest", "22023"),
            ("no_such_setting", "1", "42704"),
        ] {
            assert_eq!(settings.set(name, value).err().map(|problem| problem.code), Some(code), "{name} = {value}");
        }
        settings.start("TimeZone", "Europe/Berlin");
        assert_eq!(settings.show("timezone"), Ok(("TimeZone", "UTC".to_owned())));
        assert_eq!(settings.show("session_authorization"), Ok(("session_authorization", "ann".to_owned())));
    }

    #[test]
    fn limits_and_commits_are_read() {
        let mut settings = Settings::new("ann");
        assert_eq!((settings.statement_timeout(), settings.commit()), (None, None));
        for (value, expected) in [("1500", 1500), ("5s", 5000), ("2min", 120_000), (" 7 ms", 7)] {
            assert!(settings.set("statement_timeout", value).is_ok());
            assert_eq!(settings.statement_timeout(), Some(Duration::from_millis(expected)), "{value}");
        }
        assert!(settings.set("headwater.commit", "7").is_ok());
        assert_eq!(settings.commit(), Some(7));
        assert!(settings.set("headwater.commit", "DEFAULT").is_ok());
        assert_eq!(settings.commit(), None);
        settings.reset_all();
        assert_eq!(settings.statement_timeout(), None);
        assert_eq!(settings.show("session_authorization"), Ok(("session_authorization", "ann".to_owned())));
    }

    #[test]
    fn settings_are_listed_by_name() {
        assert!(KNOWN.is_sorted_by_key(|known| known.name.to_lowercase()));
    }
}
