//! Published tables as Avro: the schema follows from the table's declaration, like its columns.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Date32Type, Decimal128Type, Field, Float64Type, Int32Type, Int64Type, TimeUnit, TimestampNanosecondType};
use serde_json::{Value, json};

use super::frame;
use crate::tables::{Declaration, ID_DOC};

/// The namespace of records.
const NAMESPACE: &str = "headwater";

/// Why a table or its rows cannot be written as Avro.
#[derive(Debug, thiserror::Error)]
pub enum TableSchemaError {
    /// There is no Avro type for a column.
    #[error("{column}: there is no Avro type for {data_type}")]
    NoType {
        /// The column.
        column: String,
        /// Its type.
        data_type: DataType,
    },
    /// Rows lack a column.
    #[error("the rows have no column {0}")]
    MissingColumn(String),
    /// A column of the rows has another type than the table.
    #[error("{column}: the rows have {found}, not the table's type")]
    OtherType {
        /// The column.
        column: String,
        /// The type in the rows.
        found: DataType,
    },
    /// A value is missing where the declaration allows none.
    #[error("{0}: a value is missing")]
    Null(String),
}

/// The Avro schema of a published table.
#[derive(Clone, Debug)]
pub struct TableSchema {
    schema: Value,
    columns: Vec<Field>,
}

impl TableSchema {
    /// The schema of a table under the name of its topic: `id`, then the columns.
    ///
    /// ```
    /// use headwater_schemas::avro::TableSchema;
    /// use headwater_schemas::tables::{Declaration, Execution};
    ///
    /// let schema = TableSchema::of("executions", &Declaration::of::<Execution>())?;
    /// assert!(schema.text().contains(r#""logicalType":"timestamp-nanos""#));
    /// # Ok::<(), headwater_schemas::avro::TableSchemaError>(())
    /// ```
    pub fn of(topic: &str, declaration: &Declaration) -> Result<Self, TableSchemaError> {
        let mut fields = vec![json!({ "name": "id", "type": "string", "doc": ID_DOC })];
        for (column, doc) in declaration.fields.iter().zip(&declaration.docs) {
            fields.push(field(topic, column, doc)?);
        }
        let schema = json!({
            "type": "record",
            "name": topic,
            "namespace": NAMESPACE,
            "doc": declaration.spec.about.trim(),
            "fields": fields,
        });
        Ok(Self { schema, columns: declaration.fields.clone() })
    }

    /// The schema as JSON on one line.
    pub fn text(&self) -> String {
        self.schema.to_string()
    }

    /// The schema as JSON for people.
    pub fn pretty(&self) -> String {
        format!("{:#}", self.schema)
    }

    /// Rows as framed records, each with its `id`. `schema_id` is what the registry calls the schema.
    pub fn records<'a>(
        &self,
        schema_id: u32,
        rows: &RecordBatch,
        ids: impl Iterator<Item = &'a str>,
    ) -> Result<Vec<Vec<u8>>, TableSchemaError> {
        let column = |field: &Field| {
            let name = field.name();
            let column = rows.column_by_name(name).ok_or_else(|| TableSchemaError::MissingColumn(name.clone()))?;
            if !column.data_type().equals_datatype(field.data_type()) {
                return Err(TableSchemaError::OtherType { column: name.clone(), found: column.data_type().clone() });
            }
            Ok(Arc::clone(column))
        };
        let columns: Vec<ArrayRef> = self.columns.iter().map(column).collect::<Result<_, _>>()?;
        let record = |(row, id): (usize, &str)| {
            let mut out = Vec::new();
            frame(schema_id, &mut out);
            sized(id.as_bytes(), &mut out);
            for (field, column) in self.columns.iter().zip(&columns) {
                put(field, field.is_nullable(), column, row, &mut out)?;
            }
            Ok(out)
        };
        (0..rows.num_rows()).zip(ids).map(record).collect()
    }
}

/// A column as a field. Names of records inside it begin with `within`.
fn field(within: &str, column: &Field, doc: &str) -> Result<Value, TableSchemaError> {
    let (name, doc) = (column.name(), doc.trim());
    let of = type_of(&format!("{within}_{name}"), column)?;
    Ok(match column.is_nullable() {
        true => json!({ "name": name, "doc": doc, "type": ["null", of], "default": null }),
        false => json!({ "name": name, "doc": doc, "type": of }),
    })
}

fn type_of(name: &str, column: &Field) -> Result<Value, TableSchemaError> {
    Ok(match column.data_type() {
        DataType::Utf8 => json!("string"),
        DataType::Boolean => json!("boolean"),
        DataType::Int32 => json!("int"),
        DataType::Int64 => json!("long"),
        DataType::Float64 => json!("double"),
        DataType::Binary | DataType::FixedSizeBinary(_) => json!("bytes"),
        DataType::Date32 => json!({ "type": "int", "logicalType": "date" }),
        DataType::Timestamp(TimeUnit::Nanosecond, _) => json!({ "type": "long", "logicalType": "timestamp-nanos" }),
        DataType::Decimal128(precision, scale) => {
            json!({ "type": "bytes", "logicalType": "decimal", "precision": precision, "scale": scale })
        }
        DataType::List(items) => json!({ "type": "array", "items": type_of(name, items)? }),
        DataType::Struct(parts) => {
            let fields = parts.iter().map(|part| field(name, part, "")).collect::<Result<Vec<_>, _>>()?;
            json!({ "type": "record", "name": name, "fields": fields })
        }
        other => return Err(TableSchemaError::NoType { column: name.to_owned(), data_type: other.clone() }),
    })
}

/// Writes the value of a row. `is_nullable` is whether its type is a union with null: items of lists never are.
fn put(field: &Field, is_nullable: bool, column: &ArrayRef, row: usize, out: &mut Vec<u8>) -> Result<(), TableSchemaError> {
    let is_there = row < column.len() && column.is_valid(row);
    if is_nullable {
        long(i64::from(is_there), out);
    }
    if !is_there {
        return if is_nullable { Ok(()) } else { Err(TableSchemaError::Null(field.name().clone())) };
    }
    match field.data_type() {
        DataType::Utf8 => sized(column.as_string::<i32>().value(row).as_bytes(), out),
        DataType::Boolean => out.push(u8::from(column.as_boolean().value(row))),
        DataType::Int32 => long(column.as_primitive::<Int32Type>().value(row).into(), out),
        DataType::Int64 => long(column.as_primitive::<Int64Type>().value(row), out),
        DataType::Float64 => out.extend_from_slice(&column.as_primitive::<Float64Type>().value(row).to_le_bytes()),
        DataType::Binary => sized(column.as_binary::<i32>().value(row), out),
        DataType::FixedSizeBinary(_) => sized(column.as_fixed_size_binary().value(row), out),
        DataType::Date32 => long(column.as_primitive::<Date32Type>().value(row).into(), out),
        DataType::Timestamp(..) => long(column.as_primitive::<TimestampNanosecondType>().value(row), out),
        DataType::Decimal128(..) => sized(shortest(&column.as_primitive::<Decimal128Type>().value(row).to_be_bytes()), out),
        DataType::List(of) => {
            let items = column.as_list::<i32>().value(row);
            if !items.is_empty() {
                long(i64::try_from(items.len()).unwrap_or(i64::MAX), out);
                (0..items.len()).try_for_each(|item| put(of, false, &items, item, out))?;
            }
            long(0, out);
        }
        DataType::Struct(parts) => {
            for (part, values) in parts.iter().zip(column.as_struct().columns()) {
                put(part, part.is_nullable(), values, row, out)?;
            }
        }
        other => return Err(TableSchemaError::NoType { column: field.name().clone(), data_type: other.clone() }),
    }
    Ok(())
}

/// The fewest bytes of a number in two's complement, big endian.
fn shortest(bytes: &[u8; 16]) -> &[u8] {
    let mut rest: &[u8] = bytes;
    while let [first @ (0 | 0xff), after @ ..] = rest
        && after.first().is_some_and(|next| (next ^ first) & 0x80 == 0)
    {
        rest = after;
    }
    rest
}

fn sized(bytes: &[u8], out: &mut Vec<u8>) {
    long(i64::try_from(bytes.len()).unwrap_or(i64::MAX), out);
    out.extend_from_slice(bytes);
}

/// Writes a number in variable length, zigzag-encoded.
fn long(number: i64, out: &mut Vec<u8>) {
    let mut bits = (number << 1 ^ number >> 63).cast_unsigned();
    while bits >= 0x80 {
        out.push((bits & 0x7f) as u8 | 0x80);
        bits >>= 7;
    }
    out.push((bits & 0x7f) as u8);
}
