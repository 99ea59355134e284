//! `a IS DISTINCT FROM b AND c`, which the parser reads as `a IS DISTINCT FROM (b AND c)`.
//!
//! In PostgreSQL it binds more tightly than NOT, AND and OR. Where one of these is in its last operand without parentheses, all of them
//! around it are put together again.

use datafusion::sql::sqlparser::ast::{BinaryOperator, Expr, UnaryOperator, Value};

/// Puts AND and OR around `IS [NOT] DISTINCT FROM`. It has to see an expression before its parts.
pub(crate) fn regroup(expr: &mut Expr) {
    if !is_misread(expr) {
        return;
    }
    let mut conditions = Conditions::default();
    conditions.take(std::mem::replace(expr, Expr::value(Value::Boolean(false))), 0);
    *expr = conditions.grouped();
}

/// Whether a part that is not in parentheses has AND or OR in its last operand.
fn is_misread(expr: &Expr) -> bool {
    match expr {
        Expr::IsDistinctFrom(_, last) | Expr::IsNotDistinctFrom(_, last) => is_logical(last) || is_misread(last),
        Expr::UnaryOp { op: UnaryOperator::Not, expr } => is_misread(expr),
        Expr::BinaryOp { left, op, right } if is_and_or(op) => is_misread(left) || is_misread(right),
        _ => false,
    }
}

const fn is_and_or(op: &BinaryOperator) -> bool {
    matches!(op, BinaryOperator::And | BinaryOperator::Or)
}

const fn is_logical(expr: &Expr) -> bool {
    matches!(expr, Expr::BinaryOp { op: BinaryOperator::And | BinaryOperator::Or, .. })
}

/// Conditions from left to right, and the operators between them.
#[derive(Default)]
struct Conditions {
    conditions: Vec<Expr>,
    operators: Vec<BinaryOperator>,
}

impl Conditions {
    /// Takes an expression apart. The first of its conditions is negated so many times.
    fn take(&mut self, expr: Expr, negations: usize) {
        match expr {
            Expr::BinaryOp { left, op, right } if is_and_or(&op) => {
                self.take(*left, negations);
                self.operators.push(op);
                self.take(*right, 0);
            }
            Expr::UnaryOp { op: UnaryOperator::Not, expr } => self.take(*expr, negations.saturating_add(1)),
            Expr::IsDistinctFrom(left, last) => self.take_comparison(*last, negations, |last| Expr::IsDistinctFrom(left, Box::new(last))),
            Expr::IsNotDistinctFrom(left, last) => {
                self.take_comparison(*last, negations, |last| Expr::IsNotDistinctFrom(left, Box::new(last)));
            }
            condition => self.conditions.push(negated(condition, negations)),
        }
    }

    /// Takes the last operand apart, of which only the first condition belongs to the comparison.
    fn take_comparison(&mut self, last: Expr, negations: usize, comparison: impl FnOnce(Expr) -> Expr) {
        let mut rest = Self::default();
        rest.take(last, 0);
        let mut conditions = rest.conditions.into_iter();
        if let Some(first) = conditions.next() {
            self.conditions.push(negated(comparison(first), negations));
        }
        self.conditions.extend(conditions);
        self.operators.extend(rest.operators);
    }

    /// AND binds more tightly than OR.
    fn grouped(self) -> Expr {
        let mut conditions = self.conditions.into_iter();
        let mut whole: Option<Expr> = None;
        let mut all = conditions.next().unwrap_or_else(|| Expr::value(Value::Boolean(false)));
        for (op, condition) in self.operators.into_iter().zip(conditions) {
            if op == BinaryOperator::And {
                all = binary(all, BinaryOperator::And, condition);
            } else {
                whole = Some(either(whole, std::mem::replace(&mut all, condition)));
            }
        }
        either(whole, all)
    }
}

fn negated(condition: Expr, negations: usize) -> Expr {
    (0..negations).fold(condition, |condition, _| Expr::UnaryOp { op: UnaryOperator::Not, expr: Box::new(condition) })
}

fn either(left: Option<Expr>, right: Expr) -> Expr {
    match left {
        Some(left) => binary(left, BinaryOperator::Or, right),
        None => right,
    }
}

fn binary(left: Expr, op: BinaryOperator, right: Expr) -> Expr {
    Expr::BinaryOp { left: Box::new(left), op, right: Box::new(right) }
}

#[cfg(test)]
mod tests {
    use crate::testing::{TestData, rows};

    /// The answers are those of PostgreSQL 15.
    #[test]
    fn and_and_or_are_around_is_distinct_from() {
        let catalog = TestData::new().catalog();
        for (condition, expected) in [
            ("x IS DISTINCT FROM 1 AND x < 3", ["2"].as_slice()),
            ("x > 1 AND x IS DISTINCT FROM 2 OR x = 1", &["1", "3"]),
            ("NOT x IS DISTINCT FROM 2 AND x > 1", &["2"]),
            ("x IS NOT DISTINCT FROM 1 OR x IS NOT DISTINCT FROM 3 AND x > 5", &["1"]),
            ("x IS DISTINCT FROM 1 AND x IS DISTINCT FROM 2 AND x IS DISTINCT FROM 4", &["3"]),
            ("(x IS DISTINCT FROM 1) AND NOT (x = 2 OR x = 5)", &["3"]),
            ("(x > 2) IS DISTINCT FROM true AND x > 1", &["2"]),
            ("(x > 2) IS DISTINCT FROM (true AND x > 5)", &["3"]),
        ] {
            let sql = format!("SELECT x FROM (VALUES (1), (2), (3)) AS v(x) WHERE {condition} ORDER BY x");
            assert_eq!(rows(&catalog, &sql), expected, "{condition}");
        }
        let selected = "SELECT x IS DISTINCT FROM 1 AND y AS v FROM (VALUES (2, true)) AS v(x, y)";
        assert_eq!(rows(&catalog, selected), ["true"]);
    }
}
