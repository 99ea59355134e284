//! PostgreSQL's operators of JSON: `record ->> 'amount'`, `record -> 'payment' ->> 'id'`, `record #>> '{payment,id}'`.
//!
//! JSON is text here, and has no type. `->>` is the function `json_text` of a field; `->` alone would have to give JSON, and is refused.

use datafusion::sql::sqlparser::ast::{BinaryOperator, DataType, Expr, Value};

use crate::error::QueryError;
use crate::syntax::call;

/// The function of an object and the name of a field.
const NAME: &str = "json_text";

/// Puts the function for operators that give text. It has to see an expression before its parts.
pub(crate) fn call_function(expr: &mut Expr) -> Result<(), QueryError> {
    let Expr::BinaryOp { op, .. } = expr else { return Ok(()) };
    if !matches!(op, BinaryOperator::LongArrow | BinaryOperator::HashLongArrow | BinaryOperator::Arrow | BinaryOperator::HashArrow) {
        return Ok(());
    }
    let text = text_of(expr).ok_or_else(|| refused(expr))?;
    *expr = text;
    Ok(())
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
