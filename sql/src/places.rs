//! `SELECT a, sum(x) + 1 FROM t GROUP BY a ORDER BY 2`.
//!
//! DataFusion 55 orders groups by a place in the list of columns only if the column there has a name of its own, is an aggregate or a key:
//! it takes what is computed of these for a column that is not grouped. Here the expression is put for its place.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{Expr, GroupByExpr, OrderByExpr, Query, Select, SelectItem, SetExpr, Value};

use crate::columns::order_of;
use crate::syntax::visit_outside_subqueries;

/// Aggregates that make one row of all rows of a query without GROUP BY.
const AGGREGATES: [&str; 5] = ["avg", "count", "max", "min", "sum"];
/// Functions that give something else each time, so that only the column itself can be ordered by.
const CHANGING: [&str; 3] = ["gen_random_uuid", "random", "uuid"];

/// Puts expressions for places in the order of a query of groups.
pub(crate) fn name(query: &mut Query) {
    let SetExpr::Select(select) = query.body.as_ref() else { return };
    for by in order_of(&mut query.order_by) {
        if let Some(expr) = expression_at(by, select) {
            by.expr = expr;
        }
    }
}

fn expression_at(by: &OrderByExpr, select: &Select) -> Option<Expr> {
    let SelectItem::UnnamedExpr(expr) = select.projection.get(place_of(&by.expr)?.checked_sub(1)?)? else { return None };
    let is_computed = !matches!(expr, Expr::Identifier(_) | Expr::CompoundIdentifier(_) | Expr::Value(_));
    let is_of_groups = match &select.group_by {
        GroupByExpr::All(_) => true,
        GroupByExpr::Expressions(keys, _) => !keys.is_empty() || calls(expr, &AGGREGATES),
    };
    (is_computed && is_of_groups && !calls(expr, &CHANGING)).then(|| expr.clone())
}

/// Whether an expression calls one of these functions, other than for a window.
fn calls(expr: &Expr, names: &[&str]) -> bool {
    let is_call = |expr: &Expr| match expr {
        Expr::Function(function) => {
            function.over.is_none() && names.iter().any(|name| function.name.to_string().eq_ignore_ascii_case(name))
        }
        _ => false,
    };
    visit_outside_subqueries(expr, |expr| if is_call(expr) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }).is_break()
}

/// The number of a column, from 1.
pub(crate) fn place_of(expr: &Expr) -> Option<usize> {
    match expr {
        Expr::Value(value) => match &value.value {
            Value::Number(text, _) => text.parse().ok(),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{TestData, rows};

    /// The answers are those of PostgreSQL 15.
    #[test]
    fn groups_are_ordered_by_the_place_of_a_computed_column() {
        let catalog = TestData::new().catalog();
        let v = "(VALUES ('b', 4), ('a', 1), ('a', 2)) AS v(x, z)";
        for (query, expected) in [
            (format!("SELECT SUM(z) + 1, x FROM {v} GROUP BY x ORDER BY 1"), ["4,a", "5,b"].as_slice()),
            (format!("SELECT upper(x), COUNT(*) FROM {v} GROUP BY x ORDER BY 2 DESC, 1"), &["A,2", "B,1"]),
            (format!("SELECT upper(x), COUNT(*) FROM {v} GROUP BY 1 ORDER BY 1 DESC"), &["B,1", "A,2"]),
            (format!("SELECT coalesce(x, 'all'), SUM(z) FROM {v} GROUP BY ROLLUP(x) ORDER BY 1"), &["a,3", "all,7", "b,4"]),
            (
                format!("SELECT CASE WHEN grouping(x) = 1 THEN 'all' ELSE x END, SUM(z) FROM {v} GROUP BY ROLLUP(x) ORDER BY 1, 2"),
                &["a,3", "all,7", "b,4"],
            ),
            (format!("SELECT SUM(SUM(z)) OVER (ORDER BY x) - 1, x FROM {v} GROUP BY x ORDER BY 1 DESC"), &["6,b", "2,a"]),
            (format!("SELECT SUM(z) + 1 FROM {v} ORDER BY 1"), &["8"]),
            (format!("SELECT x, SUM(z) / 2.0 FROM {v} GROUP BY x ORDER BY 2 DESC LIMIT 1"), &["b,2"]),
        ] {
            assert_eq!(rows(&catalog, &query), expected, "{query}");
        }
    }
}
