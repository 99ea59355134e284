//! Comparisons of rows, column by column: `(a, b) = (1, 2)`, `(a, b) IN ((1, 2), (3, 4))`, `(a, b) < (c, d)`.
//!
//! DataFusion compares them as structures, in which NULL equals NULL. In PostgreSQL a comparison with NULL is unknown unless the other
//! columns decide it, as it is where the columns are compared one by one.
//!
//! | in the statement | becomes |
//! |---|---|
//! | `(a, b) = (c, d)` | `a = c AND b = d` |
//! | `(a, b) <> (c, d)` | `a <> c OR b <> d` |
//! | `(a, b) < (c, d)` | `a < c OR a = c AND b < d` |
//! | `(a, b) IN ((c, d), (e, f))` | `a = c AND b = d OR a = e AND b = f` |
//! | `(a, b) IS DISTINCT FROM (c, d)` | `a IS DISTINCT FROM c OR b IS DISTINCT FROM d` |
//! | `(a, b) IS NULL` | `a IS NULL AND b IS NULL` |
//! | `(a, b) OVERLAPS (c, d)` | `least(a, b) = least(c, d) OR least(a, b) < greatest(c, d) AND least(c, d) < greatest(a, b)` |

use datafusion::sql::sqlparser::ast::{BinaryOperator, Expr, FunctionArg, FunctionArgExpr, FunctionArguments, UnaryOperator, Value};

use crate::error::QueryError;
use crate::syntax::call;

/// Compares the columns of rows instead of rows.
pub(crate) fn compare(expr: &mut Expr) -> Result<(), QueryError> {
    let compared = match expr {
        Expr::BinaryOp { left, op, right } => match (columns(left), columns(right)) {
            (Some(left), Some(right)) => with_operator(op, &pairs(left, right)?),
            _ => None,
        },
        Expr::IsDistinctFrom(left, right) => pairs_of(left, right)?.map(|pairs| any(pairs.into_iter().map(is_distinct).collect())),
        Expr::IsNotDistinctFrom(left, right) => pairs_of(left, right)?.map(|pairs| all(pairs.into_iter().map(is_not_distinct).collect())),
        Expr::InSubquery { expr: row, .. } if columns(row).is_some() => {
            let refusal = "this is not supported: IN of a row and a query here: write EXISTS (SELECT 1 FROM … WHERE a = x AND b = y), or put it in WHERE";
            return Err(QueryError::Statement(refusal.to_owned()));
        }
        Expr::InList { expr: row, list, negated } => match columns(row) {
            Some(row) => membership(&row, list, *negated)?,
            None => None,
        },
        Expr::IsNull(row) => columns(row).map(|row| all(row.into_iter().map(|column| Expr::IsNull(Box::new(column))).collect())),
        Expr::IsNotNull(row) => columns(row).map(|row| all(row.into_iter().map(|column| Expr::IsNotNull(Box::new(column))).collect())),
        _ => None,
    };
    if let Some(compared) = compared {
        *expr = Expr::Nested(Box::new(compared));
    }
    Ok(())
}

/// The columns of a row that is written out.
pub(crate) fn columns(expr: &Expr) -> Option<Vec<Expr>> {
    match expr {
        Expr::Tuple(columns) => Some(columns.clone()),
        Expr::Nested(inner) => columns(inner),
        Expr::Function(function) if function.name.to_string().eq_ignore_ascii_case("row") => {
            let FunctionArguments::List(list) = &function.args else { return None };
            let column = |argument: &FunctionArg| match argument {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr.clone()),
                _ => None,
            };
            list.args.iter().map(column).collect::<Option<Vec<_>>>().filter(|columns| !columns.is_empty())
        }
        _ => None,
    }
}

/// Columns of two rows in the same place.
type Pair = (Expr, Expr);

fn pairs(left: Vec<Expr>, right: Vec<Expr>) -> Result<Vec<Pair>, QueryError> {
    if left.len() != right.len() {
        let (left, right) = (left.len(), right.len());
        return Err(QueryError::Statement(format!("a row of {left} columns is compared with one of {right}: give both as many")));
    }
    Ok(left.into_iter().zip(right).collect())
}

fn pairs_of(left: &Expr, right: &Expr) -> Result<Option<Vec<Pair>>, QueryError> {
    columns(left).zip(columns(right)).map(|(left, right)| pairs(left, right)).transpose()
}

fn with_operator(op: &BinaryOperator, pairs: &[Pair]) -> Option<Expr> {
    use BinaryOperator::{Eq, Gt, GtEq, Lt, LtEq, NotEq, Overlaps};
    match op {
        Eq => Some(equal(pairs)),
        NotEq => Some(any(pairs.iter().map(|(left, right)| binary(left.clone(), NotEq, right.clone())).collect())),
        Lt | LtEq => ordered(pairs, &Lt, op),
        Gt | GtEq => ordered(pairs, &Gt, op),
        Overlaps => overlap(pairs),
        _ => None,
    }
}

fn equal(pairs: &[Pair]) -> Expr {
    all(pairs.iter().map(|(left, right)| binary(left.clone(), BinaryOperator::Eq, right.clone())).collect())
}

/// The first columns that differ decide; the last ones are compared by the operator itself.
fn ordered(pairs: &[Pair], strictly: &BinaryOperator, op: &BinaryOperator) -> Option<Expr> {
    let ((left, right), before) = pairs.split_last()?;
    let last = binary(left.clone(), op.clone(), right.clone());
    Some(before.iter().rev().fold(last, |rest, (left, right)| {
        let is_equal = binary(left.clone(), BinaryOperator::Eq, right.clone());
        let decided = binary(left.clone(), strictly.clone(), right.clone());
        any(vec![decided, all(vec![is_equal, rest])])
    }))
}

/// Two spans of time overlap if they begin together, or each begins before the other one ends. Their ends may be in any order.
fn overlap(pairs: &[Pair]) -> Option<Expr> {
    let [(first, second), (first_end, second_end)] = pairs else { return None };
    if [first_end, second_end].iter().any(|end| matches!(end, Expr::Interval(_))) {
        return None;
    }
    let of = |function: &str, one: &Expr, other: &Expr| call(function, vec![one.clone(), other.clone()]);
    let (begin, end) = (of("least", first, first_end), of("greatest", first, first_end));
    let (other_begin, other_end) = (of("least", second, second_end), of("greatest", second, second_end));
    let together = binary(begin.clone(), BinaryOperator::Eq, other_begin.clone());
    let crossing = all(vec![binary(begin, BinaryOperator::Lt, other_end), binary(other_begin, BinaryOperator::Lt, end)]);
    Some(any(vec![together, crossing]))
}

fn membership(row: &[Expr], list: &[Expr], negated: bool) -> Result<Option<Expr>, QueryError> {
    let Some(members) = list.iter().map(columns).collect::<Option<Vec<_>>>() else { return Ok(None) };
    let equations = members.into_iter().map(|member| Ok(equal(&pairs(row.to_vec(), member)?))).collect::<Result<Vec<_>, QueryError>>()?;
    let is_member = any(equations);
    Ok(Some(if negated { negation(is_member) } else { is_member }))
}

fn negation(expr: Expr) -> Expr {
    Expr::UnaryOp { op: UnaryOperator::Not, expr: Box::new(Expr::Nested(Box::new(expr))) }
}

fn is_distinct((left, right): Pair) -> Expr {
    Expr::IsDistinctFrom(Box::new(left), Box::new(right))
}

fn is_not_distinct((left, right): Pair) -> Expr {
    Expr::IsNotDistinctFrom(Box::new(left), Box::new(right))
}

fn all(conditions: Vec<Expr>) -> Expr {
    joined(conditions, &BinaryOperator::And)
}

fn any(conditions: Vec<Expr>) -> Expr {
    joined(conditions, &BinaryOperator::Or)
}

/// Conditions under one operator, in halves of halves: a list of a thousand rows is nested ten deep.
fn joined(mut conditions: Vec<Expr>, op: &BinaryOperator) -> Expr {
    match conditions.len() {
        0 => Expr::value(Value::Boolean(*op == BinaryOperator::And)),
        1 => Expr::Nested(Box::new(conditions.remove(0))),
        count => {
            let second = conditions.split_off(count / 2);
            Expr::Nested(Box::new(binary(joined(conditions, op), op.clone(), joined(second, op))))
        }
    }
}

fn binary(left: Expr, op: BinaryOperator, right: Expr) -> Expr {
    Expr::BinaryOp { left: Box::new(left), op, right: Box::new(right) }
}

#[cfg(test)]
mod tests {
    use crate::testing::{TestData, message, rows};

    /// The answers are those of PostgreSQL 15.
    #[test]
    fn null_in_a_row_leaves_open_what_no_other_column_decides() {
        let catalog = TestData::new().catalog();
        for (comparison, expected) in [
            ("(1, NULL) = (1, NULL)", ""),
            ("(2, NULL) = (1, NULL)", "false"),
            ("(1, 2) = (1, 2)", "true"),
            ("ROW(1, 2) = ROW(1, 3)", "false"),
            ("(1, NULL) <> (1, NULL)", ""),
            ("(1, NULL) <> (2, NULL)", "true"),
            ("(1, 2) < (1, 3)", "true"),
            ("(1, NULL) < (2, 1)", "true"),
            ("(1, NULL) < (1, 1)", ""),
            ("(1, 2, 3) >= (1, 2, 3)", "true"),
            ("(1, 2, 3) > (1, 2, 3)", "false"),
            ("(1, NULL) IS DISTINCT FROM (1, NULL)", "false"),
            ("(1, NULL) IS NOT DISTINCT FROM (1, 2)", "false"),
            ("(1, NULL) IS NULL", "false"),
            ("(NULL, NULL) IS NULL", "true"),
            ("(1, NULL) IS NOT NULL", "false"),
            ("(1, 2) IN ((1, 2), (3, 4))", "true"),
            ("(1, NULL) IN ((1, 2), (3, 4))", ""),
            ("(1, 2) NOT IN ((1, NULL))", ""),
            ("(1, 2) IN ((1, NULL), (1, 2))", "true"),
            ("(1, 2) NOT IN ((3, NULL))", "true"),
        ] {
            assert_eq!(rows(&catalog, &format!("SELECT {comparison} AS c")), [expected], "{comparison}");
        }
        let sql = "SELECT x FROM (VALUES (1, 2), (3, NULL)) AS v(x, y) WHERE (x, y) IN ((1, 2), (3, NULL))";
        assert_eq!(rows(&catalog, sql), ["1"]);
        assert_eq!(rows(&catalog, "SELECT x FROM (VALUES (1, 2), (3, 4)) AS v(x, y) WHERE (x, y) IN (SELECT 1, 2)"), ["1"]);
        let query = message(&catalog, "SELECT x FROM (VALUES (1, 2)) AS v(x, y) ORDER BY (x, y) IN (SELECT 1, 2)");
        assert!(query.starts_with("this is not supported: IN of a row and a query here: write EXISTS"), "{query}");
        assert_eq!(message(&catalog, "SELECT (1, 2) = (1, 2, 3)"), "a row of 2 columns is compared with one of 3: give both as many");
    }

    /// The answers are those of PostgreSQL 15.
    #[test]
    fn spans_of_time_overlap_without_their_ends() {
        let catalog = TestData::new().catalog();
        let day = |day: u32| format!("date '2026-01-0{day}'");
        for ([first, last, other_first, other_last], expected) in [
            ([1, 3, 2, 4], "true"),
            ([1, 3, 3, 4], "false"),
            ([3, 1, 2, 4], "true"),
            ([2, 2, 1, 3], "true"),
            ([2, 2, 2, 3], "true"),
            ([3, 3, 2, 3], "false"),
        ] {
            let sql = format!("SELECT ({}, {}) OVERLAPS ({}, {}) AS c", day(first), day(last), day(other_first), day(other_last));
            assert_eq!(rows(&catalog, &sql), [expected], "{sql}");
        }
    }
}
