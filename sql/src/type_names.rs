//! `pg_typeof(x)`: the name of a type, as PostgreSQL writes it.

use arrow::datatypes::DataType;
use datafusion::common::{Result, ScalarValue, internal_err, plan_err};
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::{ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility, lit};

use crate::wire::type_name;

/// The function of a value. Its type is known when the statement is planned, so no row is computed.
pub(crate) fn pg_typeof() -> ScalarUDF {
    ScalarUDF::new_from_impl(TypeOf { signature: Signature::any(1, Volatility::Immutable) })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct TypeOf {
    signature: Signature,
}

impl TypeOf {
    fn name_of(data_type: &DataType) -> &'static str {
        // PostgreSQL's name of what NULL has without a cast.
        if data_type.is_null() { "unknown" } else { type_name(data_type) }
    }
}

impl ScalarUDFImpl for TypeOf {
    fn name(&self) -> &'static str {
        "pg_typeof"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let Some(field) = arguments.arg_fields.first() else { return internal_err!("pg_typeof was called without a value") };
        Ok(ColumnarValue::Scalar(ScalarValue::from(Self::name_of(field.data_type()))))
    }

    fn simplify(&self, arguments: Vec<Expr>, info: &SimplifyContext) -> Result<ExprSimplifyResult> {
        let [value] = arguments.as_slice() else { return plan_err!("pg_typeof needs a value") };
        Ok(ExprSimplifyResult::Simplified(lit(Self::name_of(&info.get_data_type(value)?))))
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{TestData, at, balance, changes, rows};

    /// The names are those of `format_type` in PostgreSQL.
    #[test]
    fn a_type_has_the_name_that_postgresql_gives_it() {
        let mut data = TestData::new();
        data.commit(vec![changes(&[(balance("a", 1, at(1, 0)), 1)])]);
        let catalog = data.catalog();
        for (value, expected) in [
            ("posted", "numeric"),
            ("ts", "timestamp with time zone"),
            ("ts::timestamp", "timestamp without time zone"),
            ("ts::date", "date"),
            ("account_id", "text"),
            ("commit_id", "bigint"),
            ("1::int", "integer"),
            ("1.5", "numeric"),
            ("1.5::float8", "double precision"),
            ("posted > 0", "boolean"),
            ("ts - ts", "interval"),
            ("NULL", "unknown"),
        ] {
            assert_eq!(rows(&catalog, &format!("SELECT pg_typeof({value}) FROM balances")), [expected], "{value}");
        }
        assert_eq!(rows(&catalog, "SELECT pg_typeof(SUM(posted)), COUNT(*) FROM balances"), ["numeric,1"]);
    }
}
