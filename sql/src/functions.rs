//! Functions for money: products and quotients with the pipeline's own rounding.
//!
//! DataFusion's decimals overflow in a product of three prices and quantities, and round otherwise than the pipeline does.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Decimal128Array};
use arrow::datatypes::{DataType, Decimal128Type};
use datafusion::common::DataFusionError;
use datafusion::logical_expr::{ColumnarValue, ScalarUDF, Volatility, create_udf};
use headwater_schemas::value::fixed;
use headwater_schemas::{Factor, Money, Price, Quantity};

/// The type of money, prices and quantities in all tables.
const DECIMAL: DataType = DataType::Decimal128(28, 9);

/// Every function.
pub(crate) fn functions() -> [ScalarUDF; 2] {
    [of_three("notional", notional), of_three("average_price", average_price)]
}

/// Price × quantity × multiplier, each product rounded half to even to nine digits; NULL beyond what a column holds.
fn notional(price: i128, quantity: i128, multiplier: i128) -> Option<i128> {
    let (price, quantity) = (Price::from_units(price), Quantity::from_units(quantity));
    Money::notional(price, quantity, Factor::from_units(multiplier)).map(Money::units)
}

/// Cost / quantity / multiplier, each quotient rounded half to even to nine digits; 0 when flat.
fn average_price(cost: i128, quantity: i128, multiplier: i128) -> Option<i128> {
    let per_unit = fixed::quotient(cost, fixed::ONE, quantity);
    Some(per_unit.and_then(|units| fixed::quotient(units, fixed::ONE, multiplier)).unwrap_or_default())
}

fn of_three(name: &str, function: fn(i128, i128, i128) -> Option<i128>) -> ScalarUDF {
    let of_columns = move |arguments: &[ColumnarValue]| {
        let columns = ColumnarValue::values_to_arrays(arguments)?;
        let [first, second, third] = columns.as_slice() else {
            return Err(DataFusionError::Internal("three arguments were promised".to_owned()));
        };
        let [first, second, third] = [first, second, third].map(|column| column.as_primitive_opt::<Decimal128Type>());
        let (Some(first), Some(second), Some(third)) = (first, second, third) else {
            return Err(DataFusionError::Internal("decimals were promised".to_owned()));
        };
        let rows = first.iter().zip(second).zip(third).map(|((first, second), third)| function(first?, second?, third?));
        let column: Decimal128Array = rows.collect();
        Ok(ColumnarValue::Array(Arc::new(column.with_data_type(DECIMAL)) as ArrayRef))
    };
    create_udf(name, vec![DECIMAL; 3], DECIMAL, Volatility::Immutable, Arc::new(of_columns))
}

#[cfg(test)]
mod tests {
    use crate::testing::{TestData, rows};

    #[test]
    fn products_round_as_the_pipeline_does() {
        let catalog = TestData::new().catalog();
        for (function, arguments, expected) in [
            ("notional", ["10000", "12", "1"], "120000"),
            ("notional", ["0.000000003", "0.5", "1"], "0.000000002"),
            ("notional", ["-5", "2", "50"], "-500"),
            ("notional", ["999999999999999999", "999999999999999999", "1"], ""),
            ("notional", ["NULL", "1", "1"], ""),
            ("average_price", ["290", "29", "1"], "10"),
            ("average_price", ["400000", "2", "50"], "4000"),
            ("average_price", ["1", "3", "1"], "0.333333333"),
            ("average_price", ["5", "0", "1"], "0"),
        ] {
            let arguments = arguments.map(|number| format!("CAST({number} AS DECIMAL(28, 9))")).join(", ");
            let sql = format!("SELECT {function}({arguments})");
            assert_eq!(rows(&catalog, &sql), [expected], "{sql}");
        }
    }
}
