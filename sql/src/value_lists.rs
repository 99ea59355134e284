//! Literals in `VALUES` beside a cast: `VALUES (date '2026-01-01'), ('2026-01-02')`, `VALUES (0.1::float8), (0.2)`.
//!
//! In PostgreSQL the literals of a column have the type that one of its rows is cast to. DataFusion refuses dates beside texts, and takes
//! floating-point numbers beside decimals for decimals, which have no numbers below 10^-15. Here the literals get the same cast.

use datafusion::sql::sqlparser::ast::{CastKind, DataType, Expr, SetExpr, TypedString, UnaryOperator, Value, Values};

/// Gives the literals of every column the type of its first cast.
pub(crate) fn cast_literals(body: &mut SetExpr) {
    match body {
        SetExpr::Values(values) => cast_columns(values),
        SetExpr::SetOperation { left, right, .. } => {
            cast_literals(left);
            cast_literals(right);
        }
        _ => {}
    }
}

fn cast_columns(values: &mut Values) {
    let width = values.rows.iter().map(|row| row.content.len()).max().unwrap_or_default();
    for place in 0..width {
        let Some(data_type) = values.rows.iter().find_map(|row| type_of(row.content.get(place)?)) else { continue };
        for literal in values.rows.iter_mut().filter_map(|row| row.content.get_mut(place)) {
            if is_taken_for(literal, &data_type) {
                let expr = Box::new(literal.clone());
                *literal = Expr::Cast { kind: CastKind::Cast, expr, data_type: data_type.clone(), array: false, format: None };
            }
        }
    }
}

fn type_of(expr: &Expr) -> Option<DataType> {
    match expr {
        Expr::Cast { kind: CastKind::Cast | CastKind::DoubleColon, data_type, .. } | Expr::TypedString(TypedString { data_type, .. }) => {
            Some(data_type.clone())
        }
        Expr::Nested(inner) => type_of(inner),
        // A number beside a floating-point number is one, too.
        Expr::BinaryOp { left, right, .. } => [left, right].into_iter().filter_map(|operand| type_of(operand)).find(is_floating),
        _ => None,
    }
}

/// Whether a literal has no type of its own beside others: a text, and a number beside floating-point numbers.
fn is_taken_for(expr: &Expr, data_type: &DataType) -> bool {
    match expr {
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(_) => true,
            Value::Number(..) => is_floating(data_type),
            _ => false,
        },
        Expr::UnaryOp { op: UnaryOperator::Minus | UnaryOperator::Plus, expr } => is_floating(data_type) && is_taken_for(expr, data_type),
        _ => false,
    }
}

const fn is_floating(data_type: &DataType) -> bool {
    use DataType::{Double, DoublePrecision, Float, Float4, Float8, Float32, Float64, Real};
    matches!(data_type, Double(_) | DoublePrecision | Float(_) | Float4 | Float8 | Float32 | Float64 | Real)
}

#[cfg(test)]
mod tests {
    use crate::testing::{TestData, rows};

    /// The answers are those of PostgreSQL 15.
    #[test]
    fn a_literal_in_values_has_the_type_that_its_column_is_cast_to() {
        let catalog = TestData::new().catalog();
        for (sql, expected) in [
            ("SELECT d - date '2026-01-01' FROM (VALUES (date '2026-01-01'), ('2026-01-05')) AS v(d) ORDER BY 1", ["0", "4"]),
            ("SELECT d - date '2026-01-01' FROM (VALUES ('2026-01-01'), ('2026-01-05'::date)) AS v(d) ORDER BY 1", ["0", "4"]),
            ("SELECT pg_typeof(x) FROM (VALUES (0.1::float8), (-0.2)) AS v(x)", ["double precision", "double precision"]),
            ("SELECT x * 1e20 FROM (VALUES (1e-20), (CAST(2e-20 AS DOUBLE PRECISION))) AS v(x) ORDER BY 1", ["1.0", "2.0"]),
            ("SELECT x / 2 FROM (VALUES (1), (2.5)) AS v(x) ORDER BY 1", ["0.5", "1.25"]),
            ("SELECT x || 'y' FROM (VALUES (NULL::text), ('x')) AS v(x) ORDER BY 1", ["xy", ""]),
        ] {
            assert_eq!(rows(&catalog, sql), expected, "{sql}");
        }
    }
}
