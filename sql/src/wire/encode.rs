//! Values of columns in the protocol's two formats.
//!
//! | Arrow | type | text | binary |
//! |---|---|---|---|
//! | decimals | NUMERIC | as written, without trailing zeros | base 10000, exactly |
//! | timestamps | TIMESTAMP, TIMESTAMPTZ | `2026-01-31 09:30:00.123456+00` | microseconds since 2000 |
//! | lists, structs, maps | JSON | the JSON of `headwater sql` | the same |
//!
//! The protocol's times have microseconds, so nanoseconds are cut off, towards the past.

use std::fmt::Write;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{
    DataType, Date32Type, DurationMicrosecondType, Float32Type, Float64Type, Int16Type, Int32Type, Int64Type, IntervalMonthDayNanoType,
    IntervalUnit, Time64MicrosecondType, TimeUnit, TimestampMicrosecondType, TimestampNanosecondType, UInt32Type,
};
use arrow::error::ArrowError;
use arrow::util::display::FormatOptions;
use bytes::{BufMut, BytesMut};

use super::clock::{EPOCH_DAYS, EPOCH_MICROS, MICROS_PER_DAY, clock_text, date_text};
use super::numeric;
use crate::render::value;

/// How a value is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Format {
    #[default]
    Text,
    Binary,
}

impl Format {
    pub(super) const fn number(self) -> i16 {
        match self {
            Self::Text => 0,
            Self::Binary => 1,
        }
    }
}

/// The column with one of the types that [`append`] knows.
pub(super) fn plain(column: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    let target = match column.data_type() {
        DataType::Int8 | DataType::UInt8 => DataType::Int16,
        DataType::UInt16 => DataType::Int32,
        DataType::UInt64 => DataType::Int64,
        DataType::Float16 => DataType::Float32,
        DataType::Date64 => DataType::Date32,
        DataType::Decimal32(precision, scale) | DataType::Decimal64(precision, scale) => DataType::Decimal128(*precision, *scale),
        DataType::Time32(_) | DataType::Time64(TimeUnit::Nanosecond) => DataType::Time64(TimeUnit::Microsecond),
        DataType::Timestamp(TimeUnit::Second | TimeUnit::Millisecond, zone) => DataType::Timestamp(TimeUnit::Microsecond, zone.clone()),
        DataType::Duration(TimeUnit::Second | TimeUnit::Millisecond | TimeUnit::Nanosecond) => DataType::Duration(TimeUnit::Microsecond),
        DataType::Interval(IntervalUnit::YearMonth | IntervalUnit::DayTime) => DataType::Interval(IntervalUnit::MonthDayNano),
        DataType::FixedSizeBinary(_) | DataType::LargeBinary | DataType::BinaryView => DataType::Binary,
        DataType::LargeUtf8 | DataType::Utf8View => DataType::Utf8,
        DataType::Dictionary(_, value) => return plain(&cast(column, value)?),
        DataType::RunEndEncoded(_, value) => return plain(&cast(column, value.data_type())?),
        _ => return Ok(Arc::clone(column)),
    };
    cast(column, &target)
}

/// A cast that fails where a value does not fit.
fn cast(column: &ArrayRef, target: &DataType) -> Result<ArrayRef, ArrowError> {
    cast_with_options(column, target, &CastOptions { safe: false, format_options: FormatOptions::default() })
}

pub(super) fn is_null(column: &ArrayRef, row: usize) -> bool {
    column.is_null(row) || *column.data_type() == DataType::Null
}

/// Appends a value of a [`plain`] column with its length before it; NULL has the length -1.
pub(super) fn append(column: &ArrayRef, row: usize, format: Format, out: &mut BytesMut) -> Result<(), ArrowError> {
    if is_null(column, row) {
        out.put_i32(-1);
        return Ok(());
    }
    let start = out.len();
    out.put_i32(0);
    match format {
        Format::Text => append_text(column, row, out)?,
        Format::Binary => append_binary(column, row, out)?,
    }
    let written = out.len().saturating_sub(start).saturating_sub(4);
    let length = i32::try_from(written).map_err(|_| ArrowError::ComputeError("a value is too large for the protocol".to_owned()))?;
    if let Some(place) = out.get_mut(start..start.saturating_add(4)) {
        place.copy_from_slice(&length.to_be_bytes());
    }
    Ok(())
}

/// Appends a value of a [`plain`] column that is not NULL, as text.
pub(super) fn append_text(column: &ArrayRef, row: usize, out: &mut BytesMut) -> Result<(), ArrowError> {
    match column.data_type() {
        DataType::Utf8 => out.put_slice(column.as_string::<i32>().value(row).as_bytes()),
        DataType::Boolean => out.put_slice(if column.as_boolean().value(row) { b"t" } else { b"f" }),
        DataType::Int16 => put(out, format_args!("{}", column.as_primitive::<Int16Type>().value(row))),
        DataType::Int32 => put(out, format_args!("{}", column.as_primitive::<Int32Type>().value(row))),
        DataType::Int64 => put(out, format_args!("{}", column.as_primitive::<Int64Type>().value(row))),
        DataType::UInt32 => put(out, format_args!("{}", column.as_primitive::<UInt32Type>().value(row))),
        DataType::Float32 => out.put_slice(float_text(&format!("{:?}", column.as_primitive::<Float32Type>().value(row))).as_bytes()),
        DataType::Float64 => out.put_slice(float_text(&format!("{:?}", column.as_primitive::<Float64Type>().value(row))).as_bytes()),
        DataType::Binary => {
            out.put_slice(b"\\x");
            column.as_binary::<i32>().value(row).iter().for_each(|byte| put(out, format_args!("{byte:02x}")));
        }
        DataType::Date32 => out.put_slice(date_text(i64::from(column.as_primitive::<Date32Type>().value(row))).as_bytes()),
        DataType::Time64(_) => out.put_slice(clock_text(column.as_primitive::<Time64MicrosecondType>().value(row)).as_bytes()),
        DataType::Timestamp(_, zone) => {
            let micros = micros(column, row);
            let time = clock_text(micros.rem_euclid(MICROS_PER_DAY));
            let offset = if zone.is_some() { "+00" } else { "" };
            put(out, format_args!("{} {time}{offset}", date_text(micros.div_euclid(MICROS_PER_DAY))));
        }
        DataType::Duration(_) | DataType::Interval(_) => out.put_slice(Interval::of(column, row).text().as_bytes()),
        _ => {
            let mut text = String::new();
            value::append_text(column, row, &mut text)?;
            out.put_slice(text.as_bytes());
        }
    }
    Ok(())
}

fn append_binary(column: &ArrayRef, row: usize, out: &mut BytesMut) -> Result<(), ArrowError> {
    match column.data_type() {
        DataType::Boolean => out.put_u8(u8::from(column.as_boolean().value(row))),
        DataType::Int16 => out.put_i16(column.as_primitive::<Int16Type>().value(row)),
        DataType::Int32 => out.put_i32(column.as_primitive::<Int32Type>().value(row)),
        DataType::Int64 => out.put_i64(column.as_primitive::<Int64Type>().value(row)),
        DataType::UInt32 => out.put_u32(column.as_primitive::<UInt32Type>().value(row)),
        DataType::Float32 => out.put_f32(column.as_primitive::<Float32Type>().value(row)),
        DataType::Float64 => out.put_f64(column.as_primitive::<Float64Type>().value(row)),
        DataType::Binary => out.put_slice(column.as_binary::<i32>().value(row)),
        DataType::Date32 => out.put_i32(column.as_primitive::<Date32Type>().value(row).saturating_sub(EPOCH_DAYS)),
        DataType::Time64(_) => out.put_i64(column.as_primitive::<Time64MicrosecondType>().value(row)),
        DataType::Timestamp(..) => out.put_i64(micros(column, row).saturating_sub(EPOCH_MICROS)),
        DataType::Duration(_) | DataType::Interval(_) => {
            let Interval { months, days, micros } = Interval::of(column, row);
            out.put_i64(micros);
            out.put_i32(days);
            out.put_i32(months);
        }
        DataType::Decimal128(..) | DataType::Decimal256(..) => {
            let mut text = String::new();
            value::append_text(column, row, &mut text)?;
            if !numeric::append(&text, out) {
                return Err(ArrowError::ComputeError(format!("{text} is no number")));
            }
        }
        // Text and JSON are the same in both formats.
        _ => append_text(column, row, out)?,
    }
    Ok(())
}

fn put(out: &mut BytesMut, text: std::fmt::Arguments<'_>) {
    let _ = out.write_fmt(text);
}

/// PostgreSQL's spelling of a number that Rust has written.
fn float_text(text: &str) -> &str {
    match text {
        "inf" => "Infinity",
        "-inf" => "-Infinity",
        text => text.strip_suffix(".0").unwrap_or(text),
    }
}

fn micros(column: &ArrayRef, row: usize) -> i64 {
    match column.as_primitive_opt::<TimestampNanosecondType>() {
        Some(nanos) => nanos.value(row).div_euclid(1000),
        None => column.as_primitive_opt::<TimestampMicrosecondType>().map_or(0, |micros| micros.value(row)),
    }
}

struct Interval {
    months: i32,
    days: i32,
    micros: i64,
}

impl Interval {
    fn of(column: &ArrayRef, row: usize) -> Self {
        if let Some(intervals) = column.as_primitive_opt::<IntervalMonthDayNanoType>() {
            let value = intervals.value(row);
            return Self { months: value.months, days: value.days, micros: value.nanoseconds.div_euclid(1000) };
        }
        let micros = column.as_primitive_opt::<DurationMicrosecondType>().map_or(0, |durations| durations.value(row));
        Self { months: 0, days: 0, micros }
    }

    fn text(&self) -> String {
        let mut parts = Vec::new();
        let mut part = |count: i32, unit: &str| {
            if count != 0 {
                parts.push(format!("{count} {unit}{}", if count == 1 { "" } else { "s" }));
            }
        };
        part(self.months / 12, "year");
        part(self.months % 12, "mon");
        part(self.days, "day");
        if self.micros != 0 || parts.is_empty() {
            let minus = if self.micros < 0 { "-" } else { "" };
            let magnitude = i64::try_from(self.micros.unsigned_abs()).unwrap_or(i64::MAX);
            parts.push(format!("{minus}{}", clock_text(magnitude)));
        }
        parts.join(" ")
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{Date32Array, Float64Array, TimestampNanosecondArray, UInt64Array};

    use super::*;

    fn texts(column: ArrayRef) -> Vec<String> {
        let column = plain(&column).unwrap();
        let text = |row| {
            let mut out = BytesMut::new();
            append(&column, row, Format::Text, &mut out).unwrap();
            let length = i32::from_be_bytes(out[..4].try_into().unwrap());
            assert_eq!(usize::try_from(length).unwrap(), out.len() - 4);
            String::from_utf8(out[4..].to_vec()).unwrap()
        };
        (0..column.len()).map(text).collect()
    }

    #[test]
    fn times_before_and_after_the_epochs_are_cut_to_microseconds() {
        let nanos = [0, -1, 1_767_623_999_999_999_999, 946_684_800_000_000_000, -2_208_988_800_000_000_000];
        let column = TimestampNanosecondArray::from_iter_values(nanos).with_timezone("UTC");
        let expected = [
            "1970-01-01 00:00:00+00",
            "1969-12-31 23:59:59.999999+00",
            "2026-01-05 14:39:59.999999+00",
            "2000-01-01 00:00:00+00",
            "1900-01-01 00:00:00+00",
        ];
        assert_eq!(texts(Arc::new(column)), expected);
        assert_eq!(
            texts(Arc::new(Date32Array::from(vec![0, 10_957, -719_468, 11_016]))),
            ["1970-01-01", "2000-01-01", "0001-03-01 BC", "2000-02-29"]
        );
    }

    #[test]
    fn floats_are_spelled_as_postgresql_does() {
        let column = Float64Array::from(vec![1.0, 0.1, 1e300, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0]);
        assert_eq!(texts(Arc::new(column)), ["1", "0.1", "1e300", "NaN", "Infinity", "-Infinity", "-0"]);
    }

    #[test]
    fn what_does_not_fit_is_an_error() {
        let column: ArrayRef = Arc::new(UInt64Array::from(vec![u64::MAX]));
        assert!(plain(&column).is_err());
        let column: ArrayRef = Arc::new(UInt64Array::from(vec![7]));
        assert_eq!(texts(column), ["7"]);
    }

    #[test]
    fn null_has_no_bytes() {
        let column: ArrayRef = Arc::new(Float64Array::from(vec![None::<f64>]));
        let mut out = BytesMut::new();
        append(&column, 0, Format::Binary, &mut out).unwrap();
        assert_eq!(&out[..], (-1_i32).to_be_bytes());
    }
}
