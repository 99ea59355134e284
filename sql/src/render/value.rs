//! One value, as text or as JSON.
//!
//! | type | text | JSON |
//! |---|---|---|
//! | DECIMAL | `123.45`: no exponent, no trailing zeros | `"123.45"` |
//! | BIGINT, INT | `42` | `42` |
//! | DOUBLE | `0.5`, shortest that reads back the same | `0.5`; `null` for what is no number |
//! | TIMESTAMP | `2026-01-31T09:30:00.000000001Z` | the same, in quotes |
//! | LIST, STRUCT | the JSON | `[…]`, `{…}` |

use std::fmt::Write;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Float32Type, Float64Type, Int64Type, TimeUnit, TimestampNanosecondType, UInt64Type};
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use headwater_schemas::EventTime;

/// Appends a value that is not NULL as text for tables and CSV.
pub(crate) fn append_text(column: &ArrayRef, row: usize, out: &mut String) -> Result<(), ArrowError> {
    match column.data_type() {
        DataType::Utf8 => out.push_str(column.as_string::<i32>().value(row)),
        DataType::LargeUtf8 => out.push_str(column.as_string::<i64>().value(row)),
        DataType::Utf8View => out.push_str(column.as_string_view().value(row)),
        DataType::Dictionary(..) => return append_text(&plain(column)?, row, out),
        DataType::Timestamp(TimeUnit::Nanosecond, Some(zone)) if is_utc(zone) => {
            let nanos = column.as_primitive::<TimestampNanosecondType>().value(row);
            let _ = write!(out, "{}", EventTime::from_nanos(nanos));
        }
        data_type if data_type.is_nested() => return append_json(column, row, out),
        data_type if data_type.is_decimal() => {
            let text = formatted(column, row)?;
            out.push_str(if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text });
        }
        _ => out.push_str(&formatted(column, row)?),
    }
    Ok(())
}

/// Appends a value as JSON.
pub(crate) fn append_json(column: &ArrayRef, row: usize, out: &mut String) -> Result<(), ArrowError> {
    if column.is_null(row) {
        out.push_str("null");
        return Ok(());
    }
    match column.data_type() {
        DataType::Null => out.push_str("null"),
        DataType::Boolean => out.push_str(if column.as_boolean().value(row) { "true" } else { "false" }),
        DataType::Int64 => write_number(out, column.as_primitive::<Int64Type>().value(row)),
        DataType::UInt64 => write_number(out, column.as_primitive::<UInt64Type>().value(row)),
        data_type if data_type.is_integer() => out.push_str(&formatted(column, row)?),
        DataType::Float64 => append_float(column.as_primitive::<Float64Type>().value(row), out),
        DataType::Float32 => append_float(f64::from(column.as_primitive::<Float32Type>().value(row)), out),
        DataType::Dictionary(..) => return append_json(&plain(column)?, row, out),
        DataType::List(_) => return append_items(&column.as_list::<i32>().value(row), out),
        DataType::LargeList(_) => return append_items(&column.as_list::<i64>().value(row), out),
        DataType::FixedSizeList(..) => return append_items(&column.as_fixed_size_list().value(row), out),
        DataType::Struct(_) => return append_fields(column, row, out),
        data_type if data_type.is_nested() => append_string(&formatted(column, row)?, out),
        _ => {
            let mut text = String::new();
            append_text(column, row, &mut text)?;
            append_string(&text, out);
        }
    }
    Ok(())
}

/// Appends a JSON string.
pub(crate) fn append_string(text: &str, out: &mut String) {
    // Converting a string to JSON cannot fail.
    out.push_str(&serde_json::Value::from(text).to_string());
}

/// Whether the column is numeric, so that it is aligned on the right.
pub(super) fn is_number(data_type: &DataType) -> bool {
    data_type.is_numeric()
}

/// A row's value as text; `None` for NULL.
pub(crate) fn text(batch: &RecordBatch, column: usize, row: usize) -> Result<Option<String>, ArrowError> {
    let column = batch.column(column);
    // A column of type NULL has no validity mask.
    if column.is_null(row) || *column.data_type() == DataType::Null {
        return Ok(None);
    }
    let mut text = String::new();
    append_text(column, row, &mut text)?;
    Ok(Some(text))
}

fn append_float(value: f64, out: &mut String) {
    // JSON has no NaN and no infinity; `Number` rejects them.
    match serde_json::Number::from_f64(value) {
        Some(number) => write_number(out, number),
        None => out.push_str("null"),
    }
}

fn write_number(out: &mut String, number: impl std::fmt::Display) {
    let _ = write!(out, "{number}");
}

fn append_items(items: &ArrayRef, out: &mut String) -> Result<(), ArrowError> {
    out.push('[');
    for item in 0..items.len() {
        if item > 0 {
            out.push(',');
        }
        append_json(items, item, out)?;
    }
    out.push(']');
    Ok(())
}

fn append_fields(column: &ArrayRef, row: usize, out: &mut String) -> Result<(), ArrowError> {
    let fields = column.as_struct();
    out.push('{');
    for (index, (name, field)) in fields.column_names().into_iter().zip(fields.columns()).enumerate() {
        if index > 0 {
            out.push(',');
        }
        append_string(name, out);
        out.push(':');
        append_json(field, row, out)?;
    }
    out.push('}');
    Ok(())
}

fn is_utc(zone: &str) -> bool {
    matches!(zone, "UTC" | "+00:00" | "Z")
}

fn plain(column: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    match column.data_type() {
        DataType::Dictionary(_, value) => arrow::compute::cast(column, value),
        _ => Ok(ArrayRef::clone(column)),
    }
}

fn formatted(column: &ArrayRef, row: usize) -> Result<String, ArrowError> {
    let formatter = ArrayFormatter::try_new(column.as_ref(), &FormatOptions::default())?;
    formatter.value(row).try_to_string()
}
