//! PostgreSQL's operators of JSON: `record ->> 'amount'`, `record -> 'payment' ->> 'id'`, `record #>> '{payment,id}'`.
//!
//! JSON is text here, and has no type. `->>` is the function `json_text` of a field; `->` alone would have to give JSON, and is refused.
//!
//! In PostgreSQL these operators bind more tightly than comparisons; the parser reads `x ->> 'a' = 'b'` as `x ->> ('a' = 'b')`. They are put
//! together again here.

use datafusion::sql::sqlparser::ast::{BinaryOperator, DataType, Expr, Value};

use crate::error::QueryError;
use crate::syntax::call;

/// The function of an object and the name of a field.
const NAME: &str = "json_text";

/// Puts the function for operators that give text. It has to see an expression before its parts.
pub(crate) fn call_function(expr: &mut Expr) -> Result<(), QueryError> {
    group(expr);
    if !is_of_json(expr) {
        return Ok(());
    }
    let text = text_of(expr).ok_or_else(|| refused(expr))?;
    *expr = text;
    Ok(())
}

/// Whether an expression is one of these operators and its operands.
fn is_of_json(expr: &Expr) -> bool {
    use BinaryOperator::{Arrow, HashArrow, HashLongArrow, LongArrow};
    matches!(expr, Expr::BinaryOp { op: LongArrow | HashLongArrow | Arrow | HashArrow, .. })
}

/// Puts an operator between the operands that it has in PostgreSQL: those of a comparison beside it that are next to it.
fn group(expr: &mut Expr) {
    if !is_of_json(expr) {
        return;
    }
    let Expr::BinaryOp { left, op, right } = expr else { return };
    let with_operator =
        |left: &Expr, right: &Expr| Expr::BinaryOp { left: Box::new(left.clone()), op: op.clone(), right: Box::new(right.clone()) };
    if binds_less(left) {
        let mut comparison = left.as_ref().clone();
        let nearest = last_operand(&mut comparison);
        *nearest = with_operator(nearest, right);
        *expr = comparison;
        group(expr);
    } else if binds_less(right) {
        let mut comparison = right.as_ref().clone();
        let nearest = first_operand(&mut comparison);
        *nearest = with_operator(left, nearest);
        *expr = comparison;
    }
}

/// Whether an expression without parentheses is a comparison or the like, or has one as its last operand.
fn binds_less(expr: &Expr) -> bool {
    use BinaryOperator::{Divide, Minus, Modulo, Multiply, Plus};
    match expr {
        Expr::BinaryOp { right, .. } if is_of_json(expr) => binds_less(right),
        Expr::BinaryOp { op: Plus | Minus | Multiply | Divide | Modulo, .. } => false,
        Expr::BinaryOp { .. }
        | Expr::IsNull(_)
        | Expr::IsNotNull(_)
        | Expr::IsTrue(_)
        | Expr::IsFalse(_)
        | Expr::IsDistinctFrom(..)
        | Expr::IsNotDistinctFrom(..)
        | Expr::InList { .. }
        | Expr::InSubquery { .. }
        | Expr::Between { .. }
        | Expr::Like { .. }
        | Expr::ILike { .. }
        | Expr::SimilarTo { .. }
        | Expr::AnyOp { .. }
        | Expr::AllOp { .. } => true,
        _ => false,
    }
}

fn first_operand(expr: &mut Expr) -> &mut Expr {
    match expr {
        Expr::BinaryOp { left: operand, .. }
        | Expr::IsNull(operand)
        | Expr::IsNotNull(operand)
        | Expr::IsTrue(operand)
        | Expr::IsFalse(operand)
        | Expr::IsDistinctFrom(operand, _)
        | Expr::IsNotDistinctFrom(operand, _)
        | Expr::InList { expr: operand, .. }
        | Expr::InSubquery { expr: operand, .. }
        | Expr::Between { expr: operand, .. }
        | Expr::Like { expr: operand, .. }
        | Expr::ILike { expr: operand, .. }
        | Expr::SimilarTo { expr: operand, .. }
        | Expr::AnyOp { left: operand, .. }
        | Expr::AllOp { left: operand, .. } => {
            if binds_less(operand) {
                first_operand(operand)
            } else {
                operand
            }
        }
        expr => expr,
    }
}

fn last_operand(expr: &mut Expr) -> &mut Expr {
    match expr {
        Expr::BinaryOp { right: operand, .. }
        | Expr::IsDistinctFrom(_, operand)
        | Expr::IsNotDistinctFrom(_, operand)
        | Expr::Between { high: operand, .. }
        | Expr::Like { pattern: operand, .. }
        | Expr::ILike { pattern: operand, .. } => {
            if binds_less(operand) {
                last_operand(operand)
            } else {
                operand
            }
        }
        expr => expr,
    }
}

/// The call that gives the text of a field.
fn text_of(expr: &Expr) -> Option<Expr> {
    let Expr::BinaryOp { left, op, right } = expr else { return None };
    let fields = match op {
        BinaryOperator::LongArrow => vec![right.as_ref().clone()],
        BinaryOperator::HashLongArrow => path(right)?,
        _ => return None,
    };
    fields.into_iter().try_fold(object_of(left)?, field_of)
}

fn refused(expr: &Expr) -> QueryError {
    QueryError::Statement(format!(
        "this is not supported: {expr}: JSON is text here, whose fields are read by name: x ->> 'a' is the text of a field, x -> 'a' ->> 'b' that \
         of a field of an object in it"
    ))
}

/// An object, as text.
fn object_of(expr: &Expr) -> Option<Expr> {
    match expr {
        Expr::Nested(inner) => object_of(inner),
        Expr::Cast { expr, data_type: DataType::JSON | DataType::JSONB, .. } => object_of(expr),
        Expr::BinaryOp { left, op: BinaryOperator::Arrow, right } => field_of(object_of(left)?, right.as_ref().clone()),
        Expr::BinaryOp { left, op: BinaryOperator::HashArrow, right } => path(right)?.into_iter().try_fold(object_of(left)?, field_of),
        expr => Some(expr.clone()),
    }
}

fn field_of(object: Expr, field: Expr) -> Option<Expr> {
    // A number would be a place in an array.
    let is_name =
        !matches!(&field, Expr::Value(value) if matches!(value.value, Value::Number(..))) && !matches!(field, Expr::UnaryOp { .. });
    is_name.then(|| call(NAME, vec![object, field]))
}

/// The names in a path like `{payment,id}`.
fn path(expr: &Expr) -> Option<Vec<Expr>> {
    let Expr::Value(value) = expr else { return None };
    let Value::SingleQuotedString(text) = &value.value else { return None };
    let names = text.strip_prefix('{')?.strip_suffix('}')?.split(',');
    let name = |name: &str| match name.trim() {
        plain if plain.is_empty() || plain.contains(['"', '\\', '{']) || plain.parse::<i64>().is_ok() => None,
        plain => Some(Expr::value(Value::SingleQuotedString(plain.to_owned()))),
    };
    names.map(name).collect()
}

#[cfg(test)]
mod tests {
    use crate::testing::{TestData, message, rows};

    /// The answers are those of PostgreSQL 15 for `x::json`.
    #[test]
    fn a_field_of_json_is_read_by_its_name() {
        let catalog = TestData::new().catalog();
        for (field, expected) in [
            ("x ->> 'a'", "12.50"),
            ("x::json ->> 'a'", "12.50"),
            ("(x::jsonb ->> 'a')::numeric + 1", "13.5"),
            ("x -> 'b' ->> 'c'", "y"),
            ("x::json -> 'b' -> 'd' ->> 'e'", "z"),
            ("x #>> '{b,d,e}'", "z"),
            ("x #> '{b,d}' ->> 'e'", "z"),
            ("x ->> 'none'", ""),
            ("x ->> 'a' = '12.50'", "true"),
            ("'12.50' = x ->> 'a'", "true"),
            ("x -> 'b' ->> 'c' <> x ->> 'a' AND true", "true"),
            ("x ->> 'none' IS NULL", "true"),
            ("x ->> 'a' IN ('12.50', '1')", "true"),
            ("x ->> 'a' LIKE '12%'", "true"),
            ("NOT x ->> 'a' BETWEEN '2' AND '3'", "true"),
            ("x ->> 'a' || '!'", "12.50!"),
            ("x ->> k", "12.50"),
        ] {
            let sql = format!(
                "SELECT {field} AS f FROM (VALUES ('{{\"a\":12.50,\"b\":{{\"c\":\"y\",\"d\":{{\"e\":\"z\"}}}}}}', 'a')) AS v(x, k)"
            );
            assert_eq!(rows(&catalog, &sql), [expected], "{field}");
        }
        for field in ["x -> 'a'", "x ->> 0", "x #>> '{a,0}'"] {
            let refused = message(&catalog, &format!("SELECT {field} AS f FROM (VALUES ('{{}}')) AS v(x)"));
            assert!(refused.contains("JSON is text here"), "{field}: {refused}");
        }
    }
}
