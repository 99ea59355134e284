//! Expressions that planning writes several times.
//!
//! The planner rewrites `x BETWEEN a AND b` as `x >= a AND x <= b`, and `COALESCE(x, y)` as `CASE WHEN x IS NOT NULL THEN x ELSE y END`. So
//! an `x` that is such an expression itself is written twice, its own `x` four times, and a statement of a few hundred characters would be
//! planned for hours. Nothing could end that: planning is not interrupted.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{Expr, Query, Visit, Visitor};

use crate::error::QueryError;

/// How many parts of expressions may be written beyond those of the text. Each takes about a millisecond of planning.
const COPIES_MAX: u64 = 5000;

/// Functions that the planner rewrites with their first argument twice.
const REPEATING: [&str; 5] = ["coalesce", "ifnull", "nullif", "nvl", "nvl2"];

/// Refuses a statement of which planning would write too much.
pub(crate) fn check(query: &Query) -> Result<(), QueryError> {
    let mut counting = Counting { open: Vec::new(), copies: 0 };
    match query.visit(&mut counting) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(QueryError::Copies { limit: COPIES_MAX }),
    }
}

/// Parts of an expression: as they are in the text, and as they will be written.
#[derive(Clone, Copy, Default)]
struct Parts {
    in_text: u64,
    written: u64,
}

struct Counting {
    /// The parts below each expression that is being visited, the outermost first.
    open: Vec<Parts>,
    copies: u64,
}

impl Visitor for Counting {
    type Break = ();

    fn pre_visit_expr(&mut self, _: &Expr) -> ControlFlow<()> {
        self.open.push(Parts::default());
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        let below = self.open.pop().unwrap_or_default();
        let times = if is_repeated(expr) { 2 } else { 1 };
        let own = Parts { in_text: below.in_text.saturating_add(1), written: below.written.saturating_mul(times).saturating_add(1) };
        match self.open.last_mut() {
            Some(outer) => {
                outer.in_text = outer.in_text.saturating_add(own.in_text);
                outer.written = outer.written.saturating_add(own.written);
            }
            None => self.copies = self.copies.saturating_add(own.written.saturating_sub(own.in_text)),
        }
        if self.copies > COPIES_MAX { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

fn is_repeated(expr: &Expr) -> bool {
    match expr {
        Expr::Between { .. } => true,
        Expr::Function(function) => REPEATING.contains(&function.name.to_string().to_lowercase().as_str()),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{TestData, at, balance, changes, rows, try_rows};

    #[test]
    fn a_few_nested_repetitions_are_planned_and_many_are_refused() {
        let mut data = TestData::new();
        data.commit(vec![changes(&[(balance("a", 1, at(1, 0)), 1)])]);
        let catalog = data.catalog();
        let nested = |depth: usize, outer: &str| (0..depth).fold("posted".to_owned(), |inner, _| outer.replace('x', &inner));
        for outer in ["COALESCE(x, 2)", "NULLIF(x, 7)", "NVL(x, 2)", "IFNULL(x, 2)", "CASE WHEN x BETWEEN 0 AND 3 THEN 1 ELSE 2 END"] {
            assert_eq!(rows(&catalog, &format!("SELECT {} FROM balances", nested(4, outer))), ["1"], "{outer}");
            let error = try_rows(&catalog, &format!("SELECT {} FROM balances", nested(20, outer))).expect_err(outer).to_string();
            assert!(error.starts_with("planning would write parts of the statement more than 5000 times again"), "{outer}: {error}");
        }
        let chain = format!("SELECT 1 FROM balances WHERE posted = 1 {}", "BETWEEN false AND true ".repeat(300));
        assert!(try_rows(&catalog, &chain).is_err(), "a chain without parentheses");
        let beside = vec!["posted BETWEEN 0 AND 3"; 500].join(" AND ");
        assert_eq!(rows(&catalog, &format!("SELECT posted FROM balances WHERE {beside}")), ["1"], "beside each other");
        let list = vec!["1"; 20_000].join(", ");
        assert_eq!(rows(&catalog, &format!("SELECT posted FROM balances WHERE posted IN ({list})")), ["1"], "a long list");
    }
}
