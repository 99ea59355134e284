//! `-x` of integers without a sign.
//!
//! DataFusion refuses it while it plans, and gives such integers as numbers and ranks of rows; in PostgreSQL they are bigint. The
//! operator becomes a function, for which [`crate::integers`] puts negation once types are known.

use std::ops::ControlFlow;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, plan_err};
use datafusion::logical_expr::type_coercion::{is_interval, is_signed_numeric, is_timestamp};
use datafusion::logical_expr::{ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use datafusion::sql::sqlparser::ast::{Expr as Sql, Statement, UnaryOperator, visit_expressions_mut};

use crate::integers::negated;
use crate::syntax::call;

/// The function that replaces the operator.
pub(crate) const NAME: &str = "negation";

/// Replaces the operator in a statement, unless a literal is negated.
pub(crate) fn call_function(statement: &mut Statement) {
    let _ = visit_expressions_mut(statement, |expr| {
        if let Sql::UnaryOp { op: UnaryOperator::Minus, expr: inner } = expr
            && !is_literal(inner)
        {
            *expr = call(NAME, vec![inner.as_ref().clone()]);
        }
        ControlFlow::<()>::Continue(())
    });
}

fn is_literal(expr: &Sql) -> bool {
    match expr {
        Sql::Value(_) | Sql::Interval(_) => true,
        Sql::Nested(inner) | Sql::UnaryOp { expr: inner, .. } => is_literal(inner),
        _ => false,
    }
}

/// The function of a number or an interval.
pub(crate) fn negation() -> ScalarUDF {
    ScalarUDF::new_from_impl(Negation { signature: Signature::any(1, Volatility::Immutable) })
}

/// The type of a negated value.
pub(crate) fn negated_type(data_type: &DataType) -> Option<DataType> {
    Some(match data_type {
        DataType::UInt8 => DataType::Int16,
        DataType::UInt16 => DataType::Int32,
        DataType::UInt32 | DataType::UInt64 => DataType::Int64,
        other if other.is_null() || is_signed_numeric(other) || is_interval(other) || is_timestamp(other) => other.clone(),
        _ => return None,
    })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Negation {
    signature: Signature,
}

impl ScalarUDFImpl for Negation {
    fn name(&self) -> &str {
        NAME
    }

    /// That of the operator, so that no column changes its name.
    fn schema_name(&self, arguments: &[Expr]) -> Result<String> {
        let [value] = arguments else { return plan_err!("the operator - needs a value") };
        Ok(format!("(- {})", value.schema_name()))
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        let Some(data_type) = types.first() else { return plan_err!("the operator - needs a value") };
        match negated_type(data_type) {
            Some(negated) => Ok(negated),
            None => plan_err!("the operator - does not support {data_type}: CAST it to a number"),
        }
    }

    fn return_field_from_args(&self, arguments: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let types: Vec<_> = arguments.arg_fields.iter().map(|field| field.data_type().clone()).collect();
        let is_nullable = arguments.arg_fields.iter().any(|field| field.is_nullable());
        Ok(Arc::new(Field::new(self.name(), self.return_type(&types)?, is_nullable)))
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [value] = arguments.args.as_slice() else { return plan_err!("the operator - needs a value") };
        negated(&value.cast_to(arguments.return_type(), None)?)
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{TestData, message, rows};

    /// The answers follow from arithmetic on bigint, the type that numbers of rows have in PostgreSQL.
    #[test]
    fn numbers_of_rows_may_be_negated() {
        let catalog = TestData::new().catalog();
        let values = "(VALUES (10), (20)) AS t(x)";
        for (negated, expected) in [
            ("-ROW_NUMBER() OVER (ORDER BY x)", ["10,-1", "20,-2"]),
            ("- RANK() OVER (ORDER BY x DESC)", ["10,-2", "20,-1"]),
            ("-(ROW_NUMBER() OVER (ORDER BY x) - 3)", ["10,2", "20,1"]),
            ("ABS(-ROW_NUMBER() OVER (ORDER BY x))", ["10,1", "20,2"]),
            ("ABS(ROW_NUMBER() OVER (ORDER BY x) - 5)", ["10,4", "20,3"]),
            ("-ABS(ROW_NUMBER() OVER (ORDER BY x))", ["10,-1", "20,-2"]),
            ("ABS(ROW_NUMBER() OVER (ORDER BY x)) - 5", ["10,-4", "20,-3"]),
            ("SUM(-x) OVER (ORDER BY x)", ["10,-10", "20,-30"]),
            ("-SUM(x) OVER ()", ["10,-30", "20,-30"]),
        ] {
            let sql = format!("SELECT x, {negated} AS n FROM {values} ORDER BY x");
            assert_eq!(rows(&catalog, &sql), expected, "{sql}");
        }
        for (sql, expected) in [
            ("SELECT -n FROM (SELECT ROW_NUMBER() OVER (ORDER BY x) AS n FROM (VALUES (1)) AS t(x))", "-1"),
            ("SELECT ARROW_TYPEOF(-ROW_NUMBER() OVER ()) AS t FROM (VALUES (1)) AS t(x)", "Int64"),
            ("SELECT -CARDINALITY([1, 2]), -LENGTH('abc')", "-2,-3"),
            ("SELECT -CAST(255 AS TINYINT UNSIGNED), -CAST(3 AS INT UNSIGNED)", "-255,-3"),
            ("SELECT -x FROM (VALUES (1.5)) AS t(x)", "-1.5"),
            ("SELECT -x FROM (VALUES (CAST(1.5 AS DOUBLE))) AS t(x)", "-1.5"),
            ("SELECT - -x FROM (VALUES (3)) AS t(x)", "3"),
            ("SELECT -x FROM (VALUES (CAST(NULL AS INT))) AS t(x)", ""),
            ("SELECT x FROM (VALUES (1), (2)) AS t(x) ORDER BY -x LIMIT 1", "2"),
            ("SELECT COUNT(*) AS n FROM (VALUES (1), (1)) AS t(x) GROUP BY -x HAVING -x < 0", "2"),
        ] {
            assert_eq!(rows(&catalog, sql), [expected], "{sql}");
        }
    }

    #[test]
    fn what_cannot_be_negated_is_refused() {
        let catalog = TestData::new().catalog();
        let text = message(&catalog, "SELECT -x FROM (VALUES ('a')) AS t(x)");
        assert!(text.contains("the operator - does not support"), "{text}");
        let great = message(&catalog, "SELECT -CAST(18446744073709551615 AS BIGINT UNSIGNED)");
        assert!(great.starts_with("the query failed: bigint out of range"), "{great}");
    }
}
