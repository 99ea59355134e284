//! Averages of decimals and integers with the digits of a quotient, and of intervals.
//!
//! DataFusion's average of decimals has four more digits than they have, and cuts the others off; that of integers is a floating-point
//! number. In PostgreSQL both are numeric and rounded half away from zero. Here an average has as many digits as a quotient
//! ([`crate::decimals`]): it is computed with one more, which is rounded.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray};
use arrow::compute::cast;
use arrow::datatypes::{
    DECIMAL256_MAX_PRECISION, DataType, Decimal128Type, Field, FieldRef, IntervalMonthDayNano, IntervalMonthDayNanoType,
};
use datafusion::common::{Result, ScalarValue, exec_datafusion_err, exec_err, plan_err};
use datafusion::functions_aggregate::average::avg_udaf;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::{AggregateOrderSensitivity, format_state_name};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, EmitTo, GroupsAccumulator, ReversedUDAF, Signature, Volatility,
};

use crate::decimals::{ADDED_BY_DIVISION, QUOTIENT_DIGITS};
use crate::intervals::{INTERVAL, Part, scaled};

/// Digits of the greatest integer.
const INTEGER_DIGITS: u8 = 20;

/// `avg`, and its other name `mean`.
pub(crate) fn exact_average() -> AggregateUDF {
    let inner = avg_udaf();
    let aliases = inner.aliases().to_vec();
    AggregateUDF::new_from_impl(Average { inner, aliases, signature: Signature::user_defined(Volatility::Immutable) })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Average {
    inner: Arc<AggregateUDF>,
    aliases: Vec<String>,
    signature: Signature,
}

/// The type that is averaged, so that the average has one digit more than a quotient.
fn averaged(precision: u8, scale: i8) -> DataType {
    let before_point = i16::from(precision) - i16::from(scale);
    let scale = scale.max(QUOTIENT_DIGITS - ADDED_BY_DIVISION).saturating_add(1);
    let precision = u8::try_from(before_point.saturating_add(i16::from(scale))).unwrap_or(DECIMAL256_MAX_PRECISION);
    DataType::Decimal256(precision.min(DECIMAL256_MAX_PRECISION), scale)
}

/// The type of an average, from that with one digit more.
fn rounded(data_type: &DataType) -> Option<DataType> {
    match data_type {
        DataType::Decimal256(precision, scale) => {
            // One digit less after the point, and the same before it.
            let precision = if *precision < DECIMAL256_MAX_PRECISION { precision.saturating_sub(1) } else { *precision };
            Some(DataType::Decimal256(precision, scale.saturating_sub(1)))
        }
        _ => None,
    }
}

impl Average {
    /// The field of an average before it is rounded.
    fn unrounded(&self, fields: &[FieldRef], result: &FieldRef) -> Result<FieldRef> {
        let types: Vec<_> = fields.iter().map(|field| field.data_type().clone()).collect();
        Ok(Arc::new(Field::new(result.name(), self.inner.return_type(&types)?, true)))
    }
}

impl AggregateUDFImpl for Average {
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
        let [data_type] = types else { return plan_err!("avg takes one argument, and {} are given", types.len()) };
        let plain = match data_type {
            DataType::Dictionary(_, value) => value.as_ref(),
            data_type => data_type,
        };
        Ok(vec![match plain {
            DataType::Decimal32(precision, scale)
            | DataType::Decimal64(precision, scale)
            | DataType::Decimal128(precision, scale)
            | DataType::Decimal256(precision, scale) => averaged(*precision, *scale),
            integer if integer.is_integer() => averaged(INTEGER_DIGITS, 0),
            DataType::Float16 | DataType::Float32 | DataType::Float64 | DataType::Null => DataType::Float64,
            DataType::Duration(_) => plain.clone(),
            DataType::Interval(_) => INTERVAL,
            other => return plan_err!("avg takes numbers and intervals, and {other} is none: CAST it to one"),
        }])
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        if let [interval @ DataType::Interval(_)] = types {
            return Ok(interval.clone());
        }
        let unrounded = self.inner.return_type(types)?;
        Ok(rounded(&unrounded).unwrap_or(unrounded))
    }

    fn accumulator(&self, arguments: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        let data_type = arguments.return_type().clone();
        if matches!(data_type, DataType::Interval(_)) {
            return match arguments.is_distinct {
                true => plan_err!("avg(DISTINCT x) of intervals is not supported: SELECT DISTINCT them in a subquery in FROM"),
                false => Ok(Box::new(IntervalAverage::default())),
            };
        }
        if rounded(&data_type).is_none() {
            return self.inner.accumulator(arguments);
        }
        let return_field = self.unrounded(arguments.expr_fields, &arguments.return_field)?;
        let unrounded = self.inner.accumulator(AccumulatorArgs { return_field, ..arguments })?;
        Ok(Box::new(Rounded { unrounded, data_type }))
    }

    fn state_fields(&self, arguments: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        if matches!(arguments.return_type(), DataType::Interval(_)) {
            let field = |part: &str| Arc::new(Field::new(format_state_name(arguments.name, part), SUM, true));
            return Ok(["months", "days", "nanoseconds", "count"].map(field).to_vec());
        }
        let return_field = match rounded(arguments.return_type()) {
            Some(_) => self.unrounded(arguments.input_fields, &arguments.return_field)?,
            None => Arc::clone(&arguments.return_field),
        };
        self.inner.state_fields(StateFieldsArgs { return_field, ..arguments })
    }

    fn groups_accumulator_supported(&self, arguments: AccumulatorArgs<'_>) -> bool {
        self.inner.groups_accumulator_supported(arguments)
    }

    fn create_groups_accumulator(&self, arguments: AccumulatorArgs<'_>) -> Result<Box<dyn GroupsAccumulator>> {
        let data_type = arguments.return_type().clone();
        if rounded(&data_type).is_none() {
            return self.inner.create_groups_accumulator(arguments);
        }
        let return_field = self.unrounded(arguments.expr_fields, &arguments.return_field)?;
        let unrounded = self.inner.create_groups_accumulator(AccumulatorArgs { return_field, ..arguments })?;
        Ok(Box::new(Rounded { unrounded, data_type }))
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        self.inner.order_sensitivity()
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        ReversedUDAF::Identical
    }
}

/// Rounds what an average has a digit too many of.
#[derive(Debug)]
struct Rounded<A> {
    unrounded: A,
    data_type: DataType,
}

impl Accumulator for Rounded<Box<dyn Accumulator>> {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.unrounded.update_batch(values)
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        self.unrounded.evaluate()?.cast_to(&self.data_type)
    }

    fn size(&self) -> usize {
        size_of_val(self).saturating_add(self.unrounded.size())
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        self.unrounded.state()
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.unrounded.merge_batch(states)
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.unrounded.retract_batch(values)
    }

    fn supports_retract_batch(&self) -> bool {
        self.unrounded.supports_retract_batch()
    }
}

impl GroupsAccumulator for Rounded<Box<dyn GroupsAccumulator>> {
    fn update_batch(&mut self, values: &[ArrayRef], groups: &[usize], filter: Option<&BooleanArray>, group_count: usize) -> Result<()> {
        self.unrounded.update_batch(values, groups, filter, group_count)
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        Ok(cast(&self.unrounded.evaluate(emit_to)?, &self.data_type)?)
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        self.unrounded.state(emit_to)
    }

    fn merge_batch(&mut self, values: &[ArrayRef], groups: &[usize], group_count: usize) -> Result<()> {
        self.unrounded.merge_batch(values, groups, group_count)
    }

    fn convert_to_state(&self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        self.unrounded.convert_to_state(values, filter)
    }

    fn size(&self) -> usize {
        size_of_val(self).saturating_add(self.unrounded.size())
    }
}

/// The type of the sums of an [`IntervalAverage`].
const SUM: DataType = DataType::Decimal128(38, 0);

/// The average of intervals: the sum of each part, and the number of intervals.
#[derive(Debug, Default)]
struct IntervalAverage {
    months: i128,
    days: i128,
    nanoseconds: i128,
    count: i128,
}

impl IntervalAverage {
    fn add(&mut self, interval: IntervalMonthDayNano, times: i128) {
        self.months += i128::from(interval.months) * times;
        self.days += i128::from(interval.days) * times;
        self.nanoseconds += i128::from(interval.nanoseconds) * times;
        self.count += times;
    }

    fn add_all(&mut self, values: &[ArrayRef], times: i128) -> Result<()> {
        let [intervals] = values else { return exec_err!("avg takes one argument") };
        intervals.as_primitive::<IntervalMonthDayNanoType>().iter().flatten().for_each(|interval| self.add(interval, times));
        Ok(())
    }
}

impl Accumulator for IntervalAverage {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.add_all(values, 1)
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        if self.count == 0 {
            return Ok(ScalarValue::IntervalMonthDayNano(None));
        }
        let sum = Part { months: self.months, days: self.days, nanoseconds: self.nanoseconds };
        let average = scaled(sum, 1, self.count).ok_or_else(|| exec_datafusion_err!("interval out of range"))?;
        Ok(ScalarValue::IntervalMonthDayNano(Some(average)))
    }

    fn size(&self) -> usize {
        size_of_val(self)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let sum = |sum: i128| ScalarValue::Decimal128(Some(sum), 38, 0);
        Ok([self.months, self.days, self.nanoseconds, self.count].map(sum).to_vec())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let [months, days, nanoseconds, count] = states else { return exec_err!("avg keeps four sums") };
        let sum = |sums: &ArrayRef| -> i128 { sums.as_primitive::<Decimal128Type>().iter().flatten().sum() };
        self.months += sum(months);
        self.days += sum(days);
        self.nanoseconds += sum(nanoseconds);
        self.count += sum(count);
        Ok(())
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.add_all(values, -1)
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use headwater_schemas::Money;

    use crate::testing::{TestData, at, facts, leg, message, rows};

    /// PostgreSQL gives the same numbers with 16 digits after the point.
    #[test]
    fn an_average_is_rounded_in_its_last_digit() {
        let catalog = TestData::new().catalog();
        let two_thirds = "1.6666666666666666666666666667";
        for (aggregate, values, expected) in [
            ("AVG(x)", "(1.0), (2.0), (2.0)", two_thirds),
            ("AVG(x)", "(1), (2), (2)", two_thirds),
            ("AVG(-x)", "(1.0), (2.0), (2.0)", "-1.6666666666666666666666666667"),
            ("AVG(DISTINCT x)", "(1.0), (2.0), (2.0)", "1.5"),
            ("MEAN(x)", "(1.5), (NULL), (2.5)", "2"),
            ("AVG(x)", "(CAST(1 AS DECIMAL(38, 9))), (2), (2)", two_thirds),
            ("AVG(x)", "(9007199254740993), (9007199254740993)", "9007199254740993"),
            // A half that an average of floating-point numbers would round to even.
            ("ROUND(AVG(x))", "(2), (3)", "3"),
            ("ROUND(AVG(x), 2)", "(0.005), (0.005), (0.005)", "0.01"),
            ("AVG(x)", "(CAST(0.5 AS DOUBLE)), (CAST(1 AS DOUBLE))", "0.75"),
            ("AVG(x)", "(CAST(NULL AS INT))", ""),
        ] {
            let sql = format!("SELECT {aggregate} AS a FROM (VALUES {values}) AS v(x)");
            assert_eq!(rows(&catalog, &sql), [expected], "{sql}");
            assert_eq!(rows(&catalog, &format!("{sql} GROUP BY x IS NULL AND x IS NOT NULL")), [expected], "{sql}, grouped");
        }
        let windowed =
            "SELECT AVG(x) OVER (ORDER BY x ROWS 2 PRECEDING) AS a FROM (VALUES (1.0), (2.0), (2.0), (4.0)) AS v(x) ORDER BY x, a";
        assert_eq!(rows(&catalog, windowed), ["1", "1.5", two_thirds, "2.6666666666666666666666666667"]);
        assert_eq!(rows(&catalog, "SELECT AVG(x) OVER () AS a FROM (VALUES (1), (2), (2)) AS v(x) LIMIT 1"), [two_thirds]);
        let none = message(&catalog, "SELECT AVG(x) FROM (VALUES ('a')) AS t(x)");
        assert!(none.contains("avg takes numbers"), "{none}");
    }

    #[test]
    fn an_average_of_money_is_the_quotient_of_its_sum_and_its_count() {
        let mut data = TestData::new();
        let legs: Vec<_> = (0..7).map(|number| leg("t", number, "a", "EUR", Money::whole(i64::from(number)), at(1, 0))).collect();
        data.commit(vec![facts(&legs)]);
        let catalog = data.catalog();
        let same = "SELECT AVG(amount * 1.1) = SUM(amount * 1.1) / COUNT(*), AVG(amount) = SUM(amount) / COUNT(amount) FROM ledger_entries";
        assert_eq!(rows(&catalog, same), ["true,true"]);
    }

    /// The answers are those of PostgreSQL 15.
    #[test]
    fn intervals_have_an_average() {
        let catalog = TestData::new().catalog();
        for (values, expected) in [
            ("(interval '1 hour'), (interval '30 minutes')", "2026-01-01T00:45:00"),
            ("(interval '1 day'), (interval '2 days'), (NULL)", "2026-01-02T12:00:00"),
            ("(interval '1 month'), (interval '2 months')", "2026-02-16T00:00:00"),
        ] {
            let sql = format!("SELECT timestamp '2026-01-01 00:00' + AVG(i) AS t FROM (VALUES {values}) AS v(i)");
            assert_eq!(rows(&catalog, &sql), [expected], "{sql}");
        }
    }
}
