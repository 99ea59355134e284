//! `||`, within the memory of queries.
//!
//! A text beside another is as long as both, so a thousand of them in one statement make gigabytes of a few. DataFusion plans `||` as an
//! operator, which cannot be replaced like a function; its left side goes through [`Within`], which lets it pass unless both sides
//! together are too long.

use std::sync::Arc;

use arrow::compute::sum;
use arrow::datatypes::{DataType, FieldRef};
use datafusion::common::{DFSchema, DataFusionError, Result};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ExprSchemable, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::sql::sqlparser::ast::BinaryOperator;

use crate::bounded::lengths;

/// Plans `||` of texts.
#[derive(Debug)]
pub(crate) struct JoinedTexts {
    within: Arc<ScalarUDF>,
}

impl JoinedTexts {
    /// A batch may have so many bytes.
    pub(crate) fn new(limit: usize) -> Self {
        Self { within: Arc::new(ScalarUDF::new_from_impl(Within { limit, signature: Signature::any(2, Volatility::Immutable) })) }
    }
}

impl ExprPlanner for JoinedTexts {
    fn plan_binary_op(&self, expr: RawBinaryExpr, schema: &DFSchema) -> Result<PlannerResult<RawBinaryExpr>> {
        let RawBinaryExpr { op, left, right } = expr;
        let is_text = |side: &Expr| side.get_type(schema).is_ok_and(|data_type| data_type.is_string());
        let left = if op == BinaryOperator::StringConcat && is_text(&left) {
            let name = left.schema_name().to_string();
            Expr::ScalarFunction(ScalarFunction::new_udf(Arc::clone(&self.within), vec![left, right.clone()])).alias(name)
        } else {
            left
        };
        Ok(PlannerResult::Original(RawBinaryExpr { op, left, right }))
    }
}

/// Its first argument, unless both together are longer than a batch may be.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Within {
    limit: usize,
    signature: Signature,
}

impl ScalarUDFImpl for Within {
    fn name(&self) -> &'static str {
        "within_memory"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        types.first().cloned().ok_or_else(|| DataFusionError::Internal("two arguments were promised".to_owned()))
    }

    fn return_field_from_args(&self, arguments: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        arguments.arg_fields.first().cloned().ok_or_else(|| DataFusionError::Internal("two arguments were promised".to_owned()))
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let bytes: usize = arguments.args.iter().map(|side| bytes(side, arguments.number_rows)).sum();
        if bytes > self.limit {
            return Err(DataFusionError::ResourcesExhausted(format!("|| would make {bytes} bytes, and may make {}", self.limit)));
        }
        arguments.args.into_iter().next().ok_or_else(|| DataFusionError::Internal("two arguments were promised".to_owned()))
    }
}

/// The bytes of the texts of a batch.
fn bytes(side: &ColumnarValue, rows: usize) -> usize {
    let (column, copies) = match side {
        ColumnarValue::Scalar(text) => (text.to_array().ok(), rows.max(1)),
        ColumnarValue::Array(column) => (Some(Arc::clone(column)), 1),
    };
    let bytes = column.and_then(|column| sum(&lengths(&column)?)).and_then(|bytes| usize::try_from(bytes).ok());
    bytes.unwrap_or(0).saturating_mul(copies)
}

#[cfg(test)]
mod tests {
    use arrow::array::{Array, StringArray, StringViewArray};
    use datafusion::common::ScalarValue;

    use super::*;
    use crate::testing::{TestData, message, rows};

    #[test]
    fn a_batch_counts_its_own_rows_and_not_those_it_is_a_slice_of() {
        let texts = [Some("a".repeat(100)), Some("twelve bytes".repeat(2)), None, Some("b".to_owned())];
        let columns: [Arc<dyn Array>; 2] =
            [Arc::new(texts.iter().cloned().collect::<StringArray>()), Arc::new(texts.iter().cloned().collect::<StringViewArray>())];
        for column in columns {
            assert_eq!(bytes(&ColumnarValue::Array(column.slice(1, 3)), 3), 25, "{}", column.data_type());
        }
        assert_eq!(bytes(&ColumnarValue::Scalar(ScalarValue::from("abc")), 4), 12);
        assert_eq!(bytes(&ColumnarValue::Scalar(ScalarValue::Utf8(None)), 4), 0);
    }

    #[test]
    fn texts_are_joined_as_before_unless_they_would_take_too_much_memory() {
        let catalog = TestData::new().catalog();
        for (query, expected) in [
            ("SELECT 'a' || 'b' || 'c'", "abc"),
            ("SELECT 'a' || NULL", ""),
            ("SELECT 'a' || 1", "a1"),
            ("SELECT 1 || 'a'", "1a"),
            ("SELECT x || '-' || y FROM (VALUES ('a', 2)) AS t(x, y)", "a-2"),
            ("SELECT x || 'b' AS joined FROM (VALUES ('a'), ('c')) AS t(x) GROUP BY x || 'b' ORDER BY joined LIMIT 1", "ab"),
            ("SELECT LENGTH(x || x) FROM (SELECT REPEAT('x', 1000000) AS x)", "2000000"),
        ] {
            assert_eq!(rows(&catalog, query), [expected], "{query}");
        }
        assert_eq!(rows(&catalog, "SELECT ARRAY_LENGTH([1] || [2, 3])"), ["3"]);
        // Each link doubles it.
        let doubled = (0..20).fold("SELECT REPEAT('x', 1000000) AS x".to_owned(), |query, _| format!("SELECT x || x AS x FROM ({query})"));
        let refused = message(&catalog, &format!("SELECT LENGTH(x) FROM ({doubled})"));
        assert!(refused.starts_with("the query needs more memory than memory_limit_mib allows"), "{refused}");
        let of_rows = "SELECT MAX(LENGTH(x || x)) FROM (SELECT REPEAT('x', 100000) || a.value AS x FROM generate_series(1, 2000) AS a)";
        let refused = message(&catalog, of_rows);
        assert!(refused.starts_with("the query needs more memory"), "each row is small, a batch is not: {refused}");
    }
}
