//! Conversion of columns to types that other programs read.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef, TimeUnit};

use super::ExportError;

/// How plain the types have to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Plain {
    /// Decimals of at most 38 digits, as most programs have them.
    Decimals,
    /// Also times in microseconds and binary values of any length, as Delta Lake has them.
    Delta,
}

impl Plain {
    /// The columns in plain types.
    pub(super) fn schema(self, schema: &Schema) -> SchemaRef {
        Arc::new(Schema::new(schema.fields().iter().map(|field| self.field(field)).collect::<Vec<_>>()))
    }

    fn field(self, field: &Field) -> FieldRef {
        Arc::new(Field::new(field.name(), self.plain(field.data_type()), field.is_nullable()))
    }

    fn plain(self, data_type: &DataType) -> DataType {
        match (self, data_type) {
            // Its values are wider than they need to be: whether they fit is seen value by value.
            (_, DataType::Decimal256(_, scale)) => DataType::Decimal128(38, *scale),
            (_, DataType::List(item)) => DataType::List(self.field(item)),
            (_, DataType::Struct(fields)) => DataType::Struct(fields.iter().map(|field| self.field(field)).collect()),
            (Self::Delta, DataType::Timestamp(_, zone)) => DataType::Timestamp(TimeUnit::Microsecond, zone.clone()),
            (Self::Delta, DataType::FixedSizeBinary(_)) => DataType::Binary,
            _ => data_type.clone(),
        }
    }
}

/// The rows in plain types. A value that does not fit is an error.
pub(super) fn convert(table: &str, batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, ExportError> {
    let options = CastOptions { safe: false, ..CastOptions::default() };
    let columns = batch.columns().iter().zip(schema.fields()).map(|(column, field)| {
        if column.data_type() == field.data_type() {
            return Ok(Arc::clone(column));
        }
        cast_with_options(column, field.data_type(), &options).map_err(|cause| ExportError::Value {
            table: table.to_owned(),
            column: field.name().clone(),
            to: field.data_type().clone(),
            cause,
        })
    });
    let columns = columns.collect::<Result<Vec<_>, _>>()?;
    Ok(RecordBatch::try_new(Arc::clone(schema), columns).map_err(crate::error::QueryError::from)?)
}
