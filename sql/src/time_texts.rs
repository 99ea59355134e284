//! Times and intervals as PostgreSQL takes them: `'2026-01-05 10:00'` without seconds, `interval '1 day 02:30:00'`.
//!
//! Arrow reads neither. A text that is cast to a time, also by comparison with one, gets its seconds; the clock in an interval is
//! written in words.

use std::ops::ControlFlow;

use arrow::datatypes::DataType;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::expr::{Cast, TryCast};
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::optimizer::AnalyzerRule;
use datafusion::sql::sqlparser::ast::{DataType as SqlType, Expr as Sql, Interval, Statement, Value, visit_expressions_mut};

use crate::named_expressions::replace_named;

/// Adds seconds to times that are written without.
#[derive(Debug)]
pub(crate) struct TimeTexts;

impl AnalyzerRule for TimeTexts {
    fn name(&self) -> &'static str {
        "time_texts"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        plan.transform_up_with_subqueries(with_seconds).map(|plan| plan.data)
    }
}

fn with_seconds(plan: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    replace_named(plan, |expr| {
        expr.transform_up(|mut expr| {
            let time = match &mut expr {
                Expr::Cast(Cast { expr, field }) | Expr::TryCast(TryCast { expr, field }) if is_time(field.data_type()) => text_of(expr),
                _ => None,
            };
            let complete = time.and_then(|text| complete(text).map(|complete| *text = complete));
            Ok(if complete.is_some() { Transformed::yes(expr) } else { Transformed::no(expr) })
        })
    })
}

const fn is_time(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Timestamp(..))
}

fn text_of(expr: &mut Expr) -> Option<&mut String> {
    match expr {
        Expr::Literal(ScalarValue::Utf8(text) | ScalarValue::Utf8View(text) | ScalarValue::LargeUtf8(text), _) => text.as_mut(),
        _ => None,
    }
}

/// A time of `YYYY-MM-DD HH:MM`, or with an offset after it, with seconds; `None` for any other text.
fn complete(text: &str) -> Option<String> {
    const MINUTES: usize = "YYYY-MM-DD HH:MM".len();
    let (time, zone) = text.trim().split_at_checked(MINUTES)?;
    let is_like = |(letter, like): (u8, u8)| match like {
        b'0' => letter.is_ascii_digit(),
        b' ' => matches!(letter, b' ' | b'T'),
        like => letter == like,
    };
    let is_time = time.bytes().zip(b"0000-00-00 00:00".iter().copied()).all(is_like);
    (is_time && (zone.is_empty() || zone.starts_with(['Z', 'z', '+', '-', ' ']))).then(|| format!("{time}:00{zone}"))
}

/// Writes the clocks of a statement's intervals in words.
pub(crate) fn intervals_in_words(statement: &mut Statement) {
    let _ = visit_expressions_mut(statement, |expr| {
        let text = match expr {
            Sql::Interval(Interval { value, leading_field: None, .. }) => literal(value),
            Sql::Cast { expr, data_type: SqlType::Interval { .. }, .. } => literal(expr),
            _ => None,
        };
        if let Some(text) = text
            && let Some(words) = in_words(text)
        {
            *text = words;
        }
        ControlFlow::<()>::Continue(())
    });
}

fn literal(expr: &mut Sql) -> Option<&mut String> {
    match expr {
        Sql::Value(value) => match &mut value.value {
            Value::SingleQuotedString(text) => Some(text),
            _ => None,
        },
        _ => None,
    }
}

/// An interval whose clock, such as `02:30` or `-02:30:15.5`, is in words; `None` if it has none.
fn in_words(text: &str) -> Option<String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let (place, clock) = words.iter().enumerate().find(|(_, word)| word.contains(':'))?;
    let (sign, clock) = match clock.strip_prefix('-') {
        Some(clock) => ("-", clock),
        None => ("", clock.strip_prefix('+').unwrap_or(clock)),
    };
    let parts: Vec<&str> = clock.split(':').collect();
    let is_number = |part: &&str| part.starts_with(|first: char| first.is_ascii_digit()) && part.parse::<f64>().is_ok();
    let (hours, minutes, seconds) = match parts.as_slice() {
        [hours, minutes] => (hours, minutes, "0"),
        [hours, minutes, seconds] => (hours, minutes, *seconds),
        _ => return None,
    };
    if ![*hours, *minutes, seconds].iter().all(is_number) {
        return None;
    }
    let clock = format!("{sign}{hours} hours {sign}{minutes} minutes {sign}{seconds} seconds");
    let (before, after) = (words.get(..place)?, words.get(place.saturating_add(1)..)?);
    Some([before, &[clock.as_str()], after].concat().join(" "))
}

#[cfg(test)]
mod tests {
    use crate::testing::{TestData, at, balance, changes, message, rows};

    /// The answers are those of PostgreSQL 15.
    #[test]
    fn a_time_may_lack_its_seconds() {
        let mut data = TestData::new();
        data.commit(vec![changes(&[(balance("a", 1, at(5, 36_000)), 1), (balance("b", 1, at(5, 36_060)), 1)])]);
        let catalog = data.catalog();
        for (condition, expected) in [
            ("ts > '2026-01-05 10:00'", ["b"].as_slice()),
            ("ts >= '2026-01-05T10:00'", &["a", "b"]),
            ("ts = '2026-01-05 11:01+01:00'", &["b"]),
            ("ts BETWEEN '2026-01-05 09:59' AND '2026-01-05 10:00'", &["a"]),
            ("ts IN ('2026-01-05 10:00', '2026-01-05 10:01')", &["a", "b"]),
            ("ts < timestamp '2026-01-05 10:01'", &["a"]),
            ("ts > '2026-01-05 10:00'::timestamptz", &["b"]),
        ] {
            let sql = format!("SELECT account_id FROM balances WHERE {condition} ORDER BY 1");
            assert_eq!(rows(&catalog, &sql), expected, "{condition}");
        }
        let no_time = message(&catalog, "SELECT timestamp '2026-01-05 25:00'");
        assert!(no_time.contains("2026-01-05 25:00"), "{no_time}");
    }

    #[test]
    fn an_interval_may_have_a_clock() {
        let catalog = TestData::new().catalog();
        for (interval, expected) in [
            ("interval '02:30'", "2026-01-05T02:30:00"),
            ("interval '1 month 3 days 02:00:00'", "2026-02-08T02:00:00"),
            ("interval '-00:00:01.5'", "2026-01-04T23:59:58.500"),
            ("'1 day 00:01'::interval", "2026-01-06T00:01:00"),
            ("interval '90 minutes'", "2026-01-05T01:30:00"),
        ] {
            assert_eq!(rows(&catalog, &format!("SELECT timestamp '2026-01-05 00:00' + {interval} AS t")), [expected], "{interval}");
        }
    }
}
