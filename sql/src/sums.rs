//! Sums of integers. They are added as decimals of 128 bits, which cannot wrap, and fail where the result is no integer of their type.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray};
use arrow::compute::{CastOptions, cast, cast_with_options};
use arrow::datatypes::{DECIMAL128_MAX_PRECISION, DataType, Field, FieldRef};
use datafusion::common::{DataFusionError, Result, ScalarValue};
use datafusion::logical_expr::{Accumulator, EmitTo, GroupsAccumulator};

/// The type in which integers are added.
const ADDED_AS: DataType = DataType::Decimal128(DECIMAL128_MAX_PRECISION, 0);

/// Whether sums of this type are those of integers.
pub(crate) const fn is_of_integers(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Int64 | DataType::UInt64)
}

/// The field of a sum before it becomes an integer again.
pub(crate) fn added_as(field: &FieldRef) -> FieldRef {
    Arc::new(Field::new(field.name(), ADDED_AS, true))
}

/// Adds integers by means of a sum of decimals.
#[derive(Debug)]
pub(crate) struct IntegerSum<S> {
    decimals: S,
    data_type: DataType,
}

impl<S> IntegerSum<S> {
    pub(crate) const fn new(decimals: S, data_type: DataType) -> Self {
        Self { decimals, data_type }
    }

    fn integers(&self, sums: &ArrayRef) -> Result<ArrayRef> {
        let options = CastOptions { safe: false, ..CastOptions::default() };
        cast_with_options(sums, &self.data_type, &options).map_err(|_| self.overflow())
    }

    fn overflow(&self) -> DataFusionError {
        let name = if self.data_type == DataType::Int64 { "BIGINT" } else { "BIGINT UNSIGNED" };
        DataFusionError::Execution(format!("Overflow: a sum does not fit {name}: CAST what is added to DECIMAL(38, 0)"))
    }
}

fn decimals(columns: &[ArrayRef]) -> Result<Vec<ArrayRef>> {
    columns.iter().map(|column| Ok(cast(column, &ADDED_AS)?)).collect()
}

impl Accumulator for IntegerSum<Box<dyn Accumulator>> {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.decimals.update_batch(&decimals(values)?)
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let sum = self.decimals.evaluate()?.to_array()?;
        ScalarValue::try_from_array(&self.integers(&sum)?, 0)
    }

    fn size(&self) -> usize {
        size_of_val(self).saturating_add(self.decimals.size())
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        self.decimals.state()
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.decimals.merge_batch(states)
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.decimals.retract_batch(&decimals(values)?)
    }

    fn supports_retract_batch(&self) -> bool {
        self.decimals.supports_retract_batch()
    }
}

impl GroupsAccumulator for IntegerSum<Box<dyn GroupsAccumulator>> {
    fn update_batch(&mut self, values: &[ArrayRef], groups: &[usize], filter: Option<&BooleanArray>, group_count: usize) -> Result<()> {
        self.decimals.update_batch(&decimals(values)?, groups, filter, group_count)
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let sums = self.decimals.evaluate(emit_to)?;
        self.integers(&sums)
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        self.decimals.state(emit_to)
    }

    fn merge_batch(&mut self, values: &[ArrayRef], groups: &[usize], group_count: usize) -> Result<()> {
        self.decimals.merge_batch(values, groups, group_count)
    }

    fn convert_to_state(&self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        self.decimals.convert_to_state(&decimals(values)?, filter)
    }

    fn size(&self) -> usize {
        size_of_val(self).saturating_add(self.decimals.size())
    }
}
