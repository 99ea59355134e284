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
    /// Also times in microseconds, binary values of any length, one type of text and no unsigned numbers, as Delta Lake has them.
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
            (Self::Delta, DataType::FixedSizeBinary(_) | DataType::LargeBinary | DataType::BinaryView) => DataType::Binary,
            (Self::Delta, DataType::LargeUtf8 | DataType::Utf8View) => DataType::Utf8,
            // It has no unsigned numbers: the next signed type holds every one.
            (Self::Delta, DataType::UInt8) => DataType::Int16,
            (Self::Delta, DataType::UInt16) => DataType::Int32,
            (Self::Delta, DataType::UInt32) => DataType::Int64,
            (Self::Delta, DataType::UInt64) => DataType::Decimal128(20, 0),
            (Self::Delta, DataType::LargeList(item)) => DataType::List(self.field(item)),
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

#[cfg(test)]
mod tests {
    use arrow::array::{Array, ArrayRef, LargeStringArray, StringViewArray, UInt8Array, UInt64Array};

    use super::super::log::schema_string;
    use super::*;

    #[test]
    fn types_that_delta_lake_lacks_become_ones_that_it_has() {
        for (is, expected, name) in [
            (DataType::LargeUtf8, DataType::Utf8, "string"),
            (DataType::Utf8View, DataType::Utf8, "string"),
            (DataType::Int8, DataType::Int8, "byte"),
            (DataType::Int16, DataType::Int16, "short"),
            (DataType::Int32, DataType::Int32, "integer"),
            (DataType::UInt8, DataType::Int16, "short"),
            (DataType::UInt16, DataType::Int32, "integer"),
            (DataType::UInt32, DataType::Int64, "long"),
            (DataType::UInt64, DataType::Decimal128(20, 0), "decimal(20,0)"),
            (DataType::BinaryView, DataType::Binary, "binary"),
            (DataType::Float32, DataType::Float32, "float"),
        ] {
            let schema = Plain::Delta.schema(&Schema::new(vec![Field::new("x", is.clone(), true)]));
            assert_eq!(schema.field(0).data_type(), &expected, "{is}");
            let written = schema_string("t", &schema).unwrap();
            assert!(written.contains(&format!("\"type\":\"{name}\"")), "{is}: {written}");
        }
        let lists = DataType::List(Arc::new(Field::new("item", DataType::LargeUtf8, true)));
        let schema = Plain::Delta.schema(&Schema::new(vec![Field::new("x", lists, true)]));
        assert!(schema_string("t", &schema).unwrap().contains("\"elementType\":\"string\""));
    }

    #[test]
    fn values_are_written_as_the_types_that_delta_lake_has() {
        let columns: [(&str, ArrayRef); 4] = [
            ("large", Arc::new(LargeStringArray::from(vec![Some("a"), None]))),
            ("view", Arc::new(StringViewArray::from(vec![Some("b"), None]))),
            ("small", Arc::new(UInt8Array::from(vec![Some(u8::MAX), None]))),
            ("greatest", Arc::new(UInt64Array::from(vec![Some(u64::MAX), None]))),
        ];
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let schema = Plain::Delta.schema(&batch.schema());
        let plain = convert("t", &batch, &schema).unwrap();
        assert_eq!(plain.schema(), schema);
        let texts: Vec<_> = plain.columns().iter().map(|column| arrow::util::display::array_value_to_string(column, 0).unwrap()).collect();
        assert_eq!(texts, ["a", "b", "255", "18446744073709551615"]);
        assert!(plain.columns().iter().all(|column| column.null_count() == 1));
    }
}
