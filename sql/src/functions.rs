//! Functions of money: products and quotients that round like the pipeline.
//!
//! DataFusion's decimals overflow in a product of three prices and quantities, and round differently.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Decimal128Array};
use arrow::datatypes::{DataType, Decimal128Type};
use datafusion::common::DataFusionError;
use datafusion::logical_expr::{ColumnarValue, ScalarUDF, Volatility, create_udf};
use headwater_schemas::value::fixed;
use headwater_schemas::{Factor, Money, Price, Quantity};

/// The type of money, prices and quantities in all tables.
const DECIMAL: DataType = DataType::Decimal128(28, 9);

/// Every function.
pub(crate) fn functions() -> [ScalarUDF; 2] {
    [of("notional", notional), of("average_price", average_price)]
}

/// Price × quantity × multiplier, each product rounded half to even to nine digits; NULL if it does not fit a column.
fn notional([price, quantity, multiplier]: [i128; 3]) -> Option<i128> {
    let (price, quantity) = (Price::from_units(price), Quantity::from_units(quantity));
    Money::notional(price, quantity, Factor::from_units(multiplier)).map(Money::units)
}

/// Cost / quantity, rounded half to even to nine digits; 0 when flat.
fn average_price([cost, quantity]: [i128; 2]) -> Option<i128> {
    Some(fixed::quotient(cost, fixed::ONE, quantity).unwrap_or_default())
}

/// A function of `COUNT` decimals; NULL if one of them is.
fn of<const COUNT: usize>(name: &str, function: fn([i128; COUNT]) -> Option<i128>) -> ScalarUDF {
    let of_columns = move |arguments: &[ColumnarValue]| {
        let columns = ColumnarValue::values_to_arrays(arguments)?;
        let columns: Vec<_> = columns.iter().filter_map(|column| column.as_primitive_opt::<Decimal128Type>()).collect();
        let Ok(columns) = <[&Decimal128Array; COUNT]>::try_from(columns) else {
            return Err(DataFusionError::Internal(format!("{COUNT} decimals were promised")));
        };
        let value = |row: usize| {
            let mut values = [0; COUNT];
            for (value, column) in values.iter_mut().zip(columns) {
                *value = column.is_valid(row).then(|| column.value(row))?;
            }
            function(values)
        };
        let rows = columns.first().map_or(0, |column| column.len());
        let column: Decimal128Array = (0..rows).map(value).collect();
        Ok(ColumnarValue::Array(Arc::new(column.with_data_type(DECIMAL)) as ArrayRef))
    };
    create_udf(name, vec![DECIMAL; COUNT], DECIMAL, Volatility::Immutable, Arc::new(of_columns))
}

#[cfg(test)]
mod tests {
    use crate::testing::{TestData, rows};

    #[test]
    fn products_round_as_the_pipeline_does() {
        let catalog = TestData::new().catalog();
        let cases: [(&str, &[&str], &str); 8] = [
            ("notional", &["10000", "12", "1"], "120000"),
            ("notional", &["0.000000003", "0.5", "1"], "0.000000002"),
            ("notional", &["-5", "2", "50"], "-500"),
            ("notional", &["999999999999999999", "999999999999999999", "1"], ""),
            ("notional", &["NULL", "1", "1"], ""),
            ("average_price", &["290", "29"], "10"),
            ("average_price", &["1", "3"], "0.333333333"),
            ("average_price", &["5", "0"], "0"),
        ];
        for (function, arguments, expected) in cases {
            let arguments = arguments.iter().map(|number| format!("CAST({number} AS DECIMAL(28, 9))")).collect::<Vec<_>>().join(", ");
            let sql = format!("SELECT {function}({arguments})");
            assert_eq!(rows(&catalog, &sql), [expected], "{sql}");
        }
    }
}
