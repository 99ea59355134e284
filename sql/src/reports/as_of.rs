//! The moment of a report: `@name` in its SQL becomes a table as of the end of the report's date, or a parameter.
//!
//! | in SQL | becomes |
//! |---|---|
//! | `@positions`, `@balances` and other state tables | their rows at the end of the date, from the history: of each key the last change in an earlier tick |
//! | `@legs` | the ledger's legs with `value_ts` and `value_date`, the transaction's own time, and `counted_from`, the clock of its arrival |
//! | `@access_alerts` | the standing alerts about access |
//! | `@large_cash` | a row for each event of each alert about large cash that the report of the dates is about |
//! | `@account_types` | the type of each account that was opened before the end, by its newest record of that time |
//! | `@from`, `@date` | the first and the last date |
//! | `@start`, `@end` | the first moment of the first date, and the first moment after the last one |
//! | `@start_tick`, `@end_tick` | the same as ticks |
//! | `@end_nanos`, `@period_nanos` | the end in nanoseconds since the epoch, and the length of the period |
//! | `@account`, `@reference` | the account, and the figures of the reference file |
//! | `@is_concerned` | a condition on `account_id`: that it is the account of the report; true in a report about all accounts |
//!
//! What was known is decided by the catalog's commit, not here.

use headwater_connectors::parquet::directory::HISTORY_SUFFIX;
use headwater_schemas::tables::TableKind;
use headwater_schemas::{Clock, Date, EventTime, Tick};

use super::error::ReportError;
use super::reference::Reference;
use crate::statement::quoted;
use crate::tables::table_named;

/// The queries that several sections read, by name: the files of `sql/reports/names`.
const QUERIES: [(&str, &str); 4] = [
    ("access_alerts", include_str!("../../reports/names/access_alerts.sql")),
    ("account_types", include_str!("../../reports/names/account_types.sql")),
    ("large_cash", include_str!("../../reports/names/large_cash.sql")),
    ("legs", include_str!("../../reports/names/legs.sql")),
];

/// The query with a name, in which other names stand.
pub(super) fn query_named(name: &str) -> Option<&'static str> {
    QUERIES.iter().find(|(known, _)| *known == name).map(|(_, sql)| *sql)
}

/// Values of the names in a report's SQL.
pub(super) struct Moment<'r> {
    pub(super) from: Date,
    pub(super) date: Date,
    pub(super) clock: Clock,
    pub(super) account: Option<&'r str>,
    pub(super) reference: Option<&'r Reference>,
}

impl Moment<'_> {
    /// The first moment after the date.
    fn end(&self) -> EventTime {
        self.date.next().start()
    }

    /// The first tick after the date.
    pub(super) fn end_tick(&self) -> Tick {
        self.clock.tick_of(self.end().effective())
    }

    /// Replaces every `@name`.
    pub(super) fn expand(&self, sql: &str) -> Result<String, ReportError> {
        let mut parts = sql.split('@');
        let mut expanded = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let is_name = |letter: char| letter.is_ascii_lowercase() || letter == '_';
            let (name, rest) = part.split_at(part.find(|letter| !is_name(letter)).unwrap_or(part.len()));
            match name {
                // Not a name: a text that contains the sign.
                "" => expanded.push('@'),
                _ => expanded.push_str(&self.value(name).ok_or_else(|| ReportError::Macro(name.to_owned()))?),
            }
            expanded.push_str(rest);
        }
        Ok(expanded)
    }

    fn value(&self, name: &str) -> Option<String> {
        let date = |date: Date| format!("CAST('{date}' AS DATE)");
        let time = |time: EventTime| format!("CAST('{time}' AS TIMESTAMPTZ)");
        let start = self.from.start();
        Some(match name {
            "from" => date(self.from),
            "date" => date(self.date),
            "start" => time(start),
            "end" => time(self.end()),
            "start_tick" => self.clock.tick_of(start.effective()).to_string(),
            "end_tick" => self.end_tick().to_string(),
            "end_nanos" => self.end().nanos().to_string(),
            "period_nanos" => self.end().nanos().saturating_sub(start.nanos()).to_string(),
            "account" => quoted(self.account?),
            "is_concerned" => self.account.map_or_else(|| "TRUE".to_owned(), |account| format!("account_id = {}", quoted(account))),
            "reference" => self.reference?.relation()?,
            "positions" => self.state("positions", &["account_id", "symbol"]),
            _ => {
                if let Some(query) = query_named(name) {
                    return self.expand(query).ok().map(|query| format!("({query})"));
                }
                let spec = table_named(name).filter(|table| table.spec.kind == TableKind::State)?.spec;
                self.state(spec.name, spec.key)
            }
        })
    }

    /// The rows of a state table at the end of the date: of each key the last change, unless it retracted the key.
    fn state(&self, table: &str, key: &[&str]) -> String {
        let (key, end) = (key.join(", "), self.end_tick());
        format!(
            "(SELECT * EXCEPT (change, tick, reason, place) FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY {key} \
             ORDER BY tick DESC, commit_id DESC, change DESC) AS place FROM {table}{HISTORY_SUFFIX} WHERE tick < {end}) \
             WHERE place = 1 AND change > 0)"
        )
    }
}

#[cfg(test)]
mod tests {
    use headwater_schemas::Nanos;

    use super::*;
    use crate::testing::{TestData, at, balance, changes_at, rows};

    fn moment(account: Option<&str>) -> Moment<'_> {
        let date: Date = "2026-01-05".parse().unwrap();
        Moment { from: date, date, clock: Clock::new(Nanos::new(1_000_000_000), Nanos::new(1_000_000_000)), account, reference: None }
    }

    #[test]
    fn names_become_parameters_and_unknown_ones_are_named() {
        for (sql, expected) in [
            ("SELECT 1", "SELECT 1"),
            ("partition || '@' || position", "partition || '@' || position"),
            ("@date,@from.", "CAST('2026-01-05' AS DATE),CAST('2026-01-05' AS DATE)."),
            ("ts < @end", "ts < CAST('2026-01-06T00:00:00Z' AS TIMESTAMPTZ)"),
            ("@period_nanos", "86400000000000"),
            ("@end_tick", "1767657600"),
            ("@account", "'O''Hara'"),
            ("WHERE @is_concerned", "WHERE account_id = 'O''Hara'"),
        ] {
            assert_eq!(moment(Some("O'Hara")).expand(sql).unwrap(), expected, "{sql}");
        }
        assert_eq!(moment(None).expand("WHERE @is_concerned").unwrap(), "WHERE TRUE");
        for sql in ["@nothing", "@account", "@executions", "@reference"] {
            assert!(matches!(moment(None).expand(sql), Err(ReportError::Macro(_))), "{sql}");
        }
    }

    #[test]
    fn a_state_table_is_read_as_of_the_end_of_the_date() {
        let mut data = TestData::new();
        let end = 1_767_657_600;
        data.commit(vec![changes_at(&[
            (balance("a", 1, at(5, 0)), end - 10, 1),
            (balance("b", 1, at(5, 0)), end - 10, 1),
            (balance("b", 1, at(5, 0)), end - 5, -1),
            (balance("c", 1, at(6, 0)), end, 1),
        ])]);
        data.commit(vec![changes_at(&[(balance("a", 2, at(5, 1)), end - 1, 1), (balance("a", 3, at(6, 1)), end + 1, 1)])]);
        let sql = moment(None).expand("SELECT account_id, posted FROM @balances AS balances ORDER BY account_id").unwrap();
        assert_eq!(rows(&data.catalog_at(1), &sql), ["a,1"], "as known then");
        assert_eq!(rows(&data.catalog(), &sql), ["a,2"], "as known now");
    }
}
