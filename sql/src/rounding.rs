//! `round`, `ceil` and `floor` as in PostgreSQL.
//!
//! DataFusion rounds floating-point numbers half away from zero, and PostgreSQL half to even; both round decimals half away from zero.
//! DataFusion's `ceil` and `floor` have no digit more than their argument, so that `ceil(0.5)`, whose argument has none before its point,
//! was an overflow.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Float32Array, Float64Array};
use arrow::datatypes::{DECIMAL128_MAX_PRECISION, DECIMAL256_MAX_PRECISION, DataType, FieldRef, Float32Type, Float64Type};
use datafusion::common::{Result, exec_err, plan_err};
use datafusion::functions::math::{ceil, floor, round};
use datafusion::logical_expr::interval_arithmetic::Interval;
use datafusion::logical_expr::sort_properties::{ExprProperties, SortProperties};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

/// The three functions.
pub(crate) fn rounding_functions() -> [ScalarUDF; 3] {
    let whole = |inner: Arc<ScalarUDF>, aliases: &[&str]| {
        let aliases = aliases.iter().map(|&alias| alias.to_owned()).collect();
        ScalarUDF::new_from_impl(Whole { inner, aliases, signature: Signature::user_defined(Volatility::Immutable) })
    };
    [whole(ceil(), &["ceiling"]), whole(floor(), &[]), ScalarUDF::new_from_impl(Round { inner: round() })]
}

/// `ceil` or `floor`.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Whole {
    inner: Arc<ScalarUDF>,
    aliases: Vec<String>,
    signature: Signature,
}

impl ScalarUDFImpl for Whole {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn aliases(&self) -> &[String] {
        &self.aliases
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let [data_type] = types else { return plan_err!("{} takes one argument, and {} are given", self.name(), types.len()) };
        Ok(vec![match data_type {
            DataType::Decimal32(precision, scale)
            | DataType::Decimal64(precision, scale)
            | DataType::Decimal128(precision, scale)
            | DataType::Decimal256(precision, scale) => one_digit_more(*precision, *scale),
            DataType::Float32 => DataType::Float32,
            number if number.is_numeric() || number.is_null() => DataType::Float64,
            other => return plan_err!("{} takes numbers, and {other} is none: CAST it to one", self.name()),
        }])
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.inner.inner().return_type(types)
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        self.inner.invoke_with_args(arguments)
    }

    fn output_ordering(&self, inputs: &[ExprProperties]) -> Result<SortProperties> {
        self.inner.output_ordering(inputs)
    }

    fn evaluate_bounds(&self, inputs: &[&Interval]) -> Result<Interval> {
        self.inner.evaluate_bounds(inputs)
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.inner.documentation()
    }
}

/// 9.9 has one digit before its point, and 10 has two.
fn one_digit_more(precision: u8, scale: i8) -> DataType {
    match if scale > 0 { precision.saturating_add(1) } else { precision } {
        wider if wider <= DECIMAL128_MAX_PRECISION => DataType::Decimal128(wider, scale),
        wider => DataType::Decimal256(wider.min(DECIMAL256_MAX_PRECISION), scale),
    }
}

/// `round`.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Round {
    inner: Arc<ScalarUDF>,
}

impl ScalarUDFImpl for Round {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        self.inner.coerce_types(types)
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.inner.inner().return_type(types)
    }

    fn return_field_from_args(&self, arguments: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        self.inner.return_field_from_args(arguments)
    }

    fn is_strict(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [number] = arguments.args.as_slice() else { return self.inner.invoke_with_args(arguments) };
        if !number.data_type().is_floating() {
            return self.inner.invoke_with_args(arguments);
        }
        let columns = ColumnarValue::values_to_arrays(std::slice::from_ref(number))?;
        let [column] = columns.as_slice() else { return exec_err!("round needs a number") };
        Ok(ColumnarValue::Array(half_to_even(column)?))
    }

    fn output_ordering(&self, inputs: &[ExprProperties]) -> Result<SortProperties> {
        self.inner.output_ordering(inputs)
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.inner.documentation()
    }
}

fn half_to_even(column: &ArrayRef) -> Result<ArrayRef> {
    Ok(match column.data_type() {
        DataType::Float32 => {
            let rounded: Float32Array = column.as_primitive::<Float32Type>().unary(f32::round_ties_even);
            Arc::new(rounded)
        }
        DataType::Float64 => {
            let rounded: Float64Array = column.as_primitive::<Float64Type>().unary(f64::round_ties_even);
            Arc::new(rounded)
        }
        other => return exec_err!("round does not support {other}: CAST it to DOUBLE"),
    })
}

#[cfg(test)]
mod tests {
    use crate::testing::{TestData, rows};

    /// The answers are those of PostgreSQL 15.
    #[test]
    fn halves_of_floating_point_numbers_are_rounded_to_even_and_those_of_decimals_away_from_zero() {
        let catalog = TestData::new().catalog();
        for (number, expected) in [
            ("round(2.5::float8)", "2.0"),
            ("round(3.5::float8)", "4.0"),
            ("round(-2.5::float8)", "-2.0"),
            ("round(0.5::float8)", "0.0"),
            ("round(2.5::real)", "2.0"),
            ("round(x)", "2.0"),
            ("round(2.5)", "3"),
            ("round(-2.5)", "-3"),
            ("round(0.99)", "1"),
            ("round(2.345, 2)", "2.35"),
            ("round(1234.5, -2)", "1200"),
            ("round(7)", "7"),
            ("round(NULL::float8)", ""),
        ] {
            assert_eq!(rows(&catalog, &format!("SELECT {number} AS r FROM (VALUES (2.5::float8)) AS v(x)")), [expected], "{number}");
        }
    }

    /// The answers are those of PostgreSQL 15.
    #[test]
    fn a_number_without_digits_before_its_point_has_a_ceiling_and_a_floor() {
        let catalog = TestData::new().catalog();
        for (number, expected) in [
            ("ceil(0.5)", "1"),
            ("ceiling(0.1)", "1"),
            ("floor(-0.5)", "-1"),
            ("floor(0.5)", "0"),
            ("ceil(-0.5)", "0"),
            ("ceil(9.99)", "10"),
            ("floor(-9.99)", "-10"),
            ("ceil(x)", "1"),
            ("ceil(99999999999999999999999999999.999999999)", "100000000000000000000000000000"),
            ("ceil(2.1::float8)", "3.0"),
            ("floor(7)", "7.0"),
            ("trunc(0.5)", "0"),
            ("abs(-0.5)", "0.5"),
        ] {
            assert_eq!(rows(&catalog, &format!("SELECT {number} AS r FROM (VALUES (0.5)) AS v(x)")), [expected], "{number}");
        }
    }
}
