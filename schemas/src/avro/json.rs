//! Records in Avro's binary encoding, as JSON.

use std::fmt;
use std::io::Write;

use super::schema::{Schema, Type};
use crate::events::{BadRecord, ErrorCode, MAX_RECORD_BYTES};
use crate::value::{Date, EventTime};

/// Levels of types inside types that are read.
const MAX_DEPTH: usize = 64;
/// Bytes of the longest variable-length number.
const MAX_VARINT_BYTES: u32 = 10;

impl Schema {
    /// Writes a record as JSON. `id` is the schema's id, for errors.
    ///
    /// ```
    /// use headwater_schemas::avro::Schema;
    ///
    /// let text = r#"{"type": "record", "name": "Label", "fields": [
    ///     {"name": "subject_id", "type": "string"},
    ///     {"name": "amount", "type": {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 4}}]}"#;
    /// let (schema, mut json) = (Schema::parse(text, &[])?, Vec::new());
    /// schema.to_json(7, &[4, b't', b'1', 4, 0x30, 0x39], &mut json)?;
    /// assert_eq!(json, br#"{"subject_id":"t1","amount":"1.2345"}"#);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn to_json(&self, id: u32, record: &[u8], out: &mut Vec<u8>) -> Result<(), BadRecord> {
        out.clear();
        let mut reader = Reader { schema: self, rest: record, out, depth: 0 };
        let read = reader.value(self.root);
        let (left, position) = (reader.rest.len(), record.len() - reader.rest.len());
        read.map_err(|problem| problem.bad_record(id, position))?;
        if left > 0 {
            let what = format!("{left} bytes follow the Avro record, which ends after {position} bytes by its schema, id {id}");
            return Err(BadRecord::new(ErrorCode::BadAvro, format!("{what}: {WRONG_SCHEMA}")));
        }
        Ok(())
    }
}

/// What resolves nearly every damaged record.
const WRONG_SCHEMA: &str = "send the record whole, framed with the id of the very schema that wrote it";

/// Why a record cannot be read.
#[derive(Debug)]
struct Problem {
    what: What,
    /// The field of the event.
    field: Option<Box<str>>,
}

#[derive(Debug)]
enum What {
    Ends,
    LongNumber,
    NegativeLength(i64),
    Branch { found: i64, count: usize },
    Symbol { found: i64, count: usize },
    Boolean(u8),
    NotUtf8,
    TooDeep,
    TooLong,
}

impl From<What> for Problem {
    fn from(what: What) -> Self {
        Self { what, field: None }
    }
}

impl fmt::Display for What {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ends => write!(out, "the Avro record ends too early"),
            Self::LongNumber => write!(out, "a number has more than {MAX_VARINT_BYTES} bytes"),
            Self::NegativeLength(length) => write!(out, "a length is {length}"),
            Self::Branch { found, count } => write!(out, "a union of {count} types has no branch {found}"),
            Self::Symbol { found, count } => write!(out, "an enum of {count} symbols has no symbol {found}"),
            Self::Boolean(byte) => write!(out, "a boolean is {byte}, neither 0 nor 1"),
            Self::NotUtf8 => write!(out, "a string is not UTF-8"),
            Self::TooDeep => write!(out, "values are nested in more than {MAX_DEPTH} levels"),
            Self::TooLong => write!(out, "the record has more than {MAX_RECORD_BYTES} bytes as JSON"),
        }
    }
}

impl Problem {
    fn bad_record(self, id: u32, position: usize) -> BadRecord {
        let field = self.field.map_or_else(String::new, |field| format!("{field}: "));
        let (code, mend) = match self.what {
            What::NotUtf8 => (ErrorCode::NotUtf8, "encode it as UTF-8"),
            What::TooLong => (ErrorCode::TooLarge, "send less in one event"),
            _ => (ErrorCode::BadAvro, WRONG_SCHEMA),
        };
        BadRecord::new(code, format!("{field}{} (at byte {position} of the record, read with the schema of id {id}): {mend}", self.what))
    }
}

type Read<T> = Result<T, Problem>;

struct Reader<'a> {
    schema: &'a Schema,
    rest: &'a [u8],
    out: &'a mut Vec<u8>,
    depth: usize,
}

impl<'a> Reader<'a> {
    /// Writes a value of a type.
    fn value(&mut self, of: usize) -> Read<()> {
        if self.out.len() > MAX_RECORD_BYTES {
            return Err(What::TooLong.into());
        }
        let schema = self.schema;
        // A compiled schema names only places that it has.
        let Some(of) = schema.types.get(of) else { return Ok(()) };
        match of {
            Type::Null => self.out.extend_from_slice(b"null"),
            Type::Boolean => match self.take(1)? {
                [0] => self.out.extend_from_slice(b"false"),
                [1] => self.out.extend_from_slice(b"true"),
                other => return Err(What::Boolean(other.first().copied().unwrap_or_default()).into()),
            },
            Type::Integer => {
                let number = self.long()?;
                self.json(&number);
            }
            Type::Float => {
                let number = f32::from_le_bytes(self.array()?);
                if number.is_finite() { self.json(&number) } else { self.text(&number.to_string()) }
            }
            Type::Double => {
                let number = f64::from_le_bytes(self.array()?);
                if number.is_finite() { self.json(&number) } else { self.text(&number.to_string()) }
            }
            Type::Text => {
                let text = self.string()?;
                self.text(text);
            }
            Type::Bytes => {
                let bytes = self.sized()?;
                self.bytes(bytes);
            }
            Type::Fixed(size) => {
                let bytes = self.take(*size)?;
                self.bytes(bytes);
            }
            Type::Decimal { size, scale } => {
                let bytes = match size {
                    Some(size) => self.take(*size)?,
                    None => self.sized()?,
                };
                self.decimal(bytes, *scale);
            }
            Type::Date => {
                let days = self.long()?;
                match i32::try_from(days) {
                    Ok(days) => self.quoted(format_args!("{}", Date::from_days(days))),
                    Err(_) => self.quoted(format_args!("day {days}")),
                }
            }
            Type::Timestamp { unit, is_local } => {
                let count = self.long()?;
                self.time(count, unit.nanos(), *is_local);
            }
            Type::Uuid => {
                let uuid = u128::from_be_bytes(self.array()?);
                let [a, b, c, d] = [uuid >> 96, uuid >> 80 & 0xffff, uuid >> 64 & 0xffff, uuid >> 48 & 0xffff];
                self.quoted(format_args!("{a:08x}-{b:04x}-{c:04x}-{d:04x}-{:012x}", uuid & 0xffff_ffff_ffff));
            }
            Type::Enum(symbols) => {
                let found = self.long()?;
                let symbol = usize::try_from(found).ok().and_then(|found| symbols.get(found));
                let symbol = symbol.ok_or(What::Symbol { found, count: symbols.len() })?;
                self.out.extend_from_slice(symbol.as_bytes());
            }
            Type::Union(branches) => {
                let found = self.long()?;
                let branch = usize::try_from(found).ok().and_then(|found| branches.get(found));
                let branch = *branch.ok_or(What::Branch { found, count: branches.len() })?;
                self.inside(|reader| reader.value(branch))?;
            }
            Type::Array(items) => {
                self.out.push(b'[');
                self.inside(|reader| reader.blocks(|reader| reader.value(*items)))?;
                self.out.push(b']');
            }
            Type::Map(values) => {
                self.out.push(b'{');
                let member = |reader: &mut Self| {
                    let key = reader.string()?;
                    reader.text(key);
                    reader.out.push(b':');
                    reader.value(*values)
                };
                self.inside(|reader| reader.blocks(member))?;
                self.out.push(b'}');
            }
            Type::Record(fields) => {
                self.out.push(b'{');
                for (number, field) in fields.iter().enumerate() {
                    if number > 0 {
                        self.out.push(b',');
                    }
                    self.out.extend_from_slice(field.member.as_bytes());
                    let read = self.inside(|reader| reader.value(field.of));
                    // The outermost field is the event's.
                    read.map_err(|problem| Problem { field: Some(field.name.clone()), ..problem })?;
                }
                self.out.push(b'}');
            }
        }
        Ok(())
    }

    /// Reads what is inside a value.
    fn inside(&mut self, read: impl FnOnce(&mut Self) -> Read<()>) -> Read<()> {
        if self.depth >= MAX_DEPTH {
            return Err(What::TooDeep.into());
        }
        self.depth += 1;
        let result = read(self);
        self.depth -= 1;
        result
    }

    /// The items of an array or a map, which come in blocks. Items may have no bytes, so it is the JSON's length that bounds them.
    fn blocks(&mut self, mut item: impl FnMut(&mut Self) -> Read<()>) -> Read<()> {
        let mut is_first = true;
        loop {
            let count = match self.long()? {
                0 => return Ok(()),
                count @ 1.. => count.unsigned_abs(),
                count => {
                    // The number of the block's bytes follows, for readers that skip it.
                    self.long()?;
                    count.unsigned_abs()
                }
            };
            for _ in 0..count {
                if !std::mem::take(&mut is_first) {
                    self.out.push(b',');
                }
                item(self)?;
            }
        }
    }

    /// A number as text: exact, without trailing zeros of the fraction.
    fn decimal(&mut self, bytes: &[u8], scale: usize) {
        let Some(units) = units(bytes) else {
            return self.quoted(format_args!("a decimal of {} bytes", bytes.len()));
        };
        let digits = units.unsigned_abs().to_string();
        let digits = format!("{digits:0>width$}", width = scale + 1);
        let (whole, fraction) = digits.split_at_checked(digits.len() - scale).unwrap_or((&digits, ""));
        let fraction = fraction.trim_end_matches('0');
        let (sign, point) = (if units < 0 { "-" } else { "" }, if fraction.is_empty() { "" } else { "." });
        self.quoted(format_args!("{sign}{whole}{point}{fraction}"));
    }

    fn time(&mut self, count: i64, nanos: i64, is_local: bool) {
        let Some(time) = count.checked_mul(nanos).map(EventTime::from_nanos) else {
            return self.quoted(format_args!("{count} × {nanos} ns"));
        };
        self.quoted(format_args!("{time}"));
        if is_local && self.out.ends_with(b"Z\"") {
            self.out.truncate(self.out.len() - 2);
            self.out.push(b'"');
        }
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.out.push(b'[');
        for (number, byte) in bytes.iter().enumerate() {
            if number > 0 {
                self.out.push(b',');
            }
            self.json(byte);
        }
        self.out.push(b']');
    }

    fn text(&mut self, text: &str) {
        self.json(text);
    }

    /// Writes text that needs no escapes.
    fn quoted(&mut self, text: fmt::Arguments<'_>) {
        // A vector takes everything.
        let _ = write!(self.out, "\"{text}\"");
    }

    fn json<T: serde::Serialize + ?Sized>(&mut self, value: &T) {
        // Neither numbers and texts nor a vector can fail.
        let _ = serde_json::to_writer(&mut *self.out, value);
    }

    fn string(&mut self) -> Read<&'a str> {
        str::from_utf8(self.sized()?).map_err(|_| What::NotUtf8.into())
    }

    /// Bytes after their number.
    fn sized(&mut self) -> Read<&'a [u8]> {
        let length = self.long()?;
        match usize::try_from(length) {
            Ok(length) => self.take(length),
            Err(_) if length < 0 => Err(What::NegativeLength(length).into()),
            Err(_) => Err(What::Ends.into()),
        }
    }

    fn take(&mut self, count: usize) -> Read<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(What::Ends)?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Read<[u8; N]> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(What::Ends)?;
        self.rest = rest;
        Ok(*taken)
    }

    /// A number of variable length, zigzag-encoded.
    fn long(&mut self) -> Read<i64> {
        let mut bits = 0_u64;
        for place in 0..MAX_VARINT_BYTES {
            let [byte] = self.array()?;
            bits |= u64::from(byte & 0x7f) << (7 * place);
            if byte & 0x80 == 0 {
                return Ok((bits >> 1).cast_signed() ^ -(bits & 1).cast_signed());
            }
        }
        Err(What::LongNumber.into())
    }
}

/// The number of a decimal's bytes, in two's complement, big endian; `None` if it has more than 16 bytes.
fn units(bytes: &[u8]) -> Option<i128> {
    let fill = if bytes.first().is_some_and(|first| first & 0x80 != 0) { 0xff } else { 0 };
    let (extra, bytes) = bytes.split_at(bytes.len().saturating_sub(16));
    let fits =
        extra.iter().all(|byte| *byte == fill) && (extra.is_empty() || bytes.first().is_some_and(|first| first & 0x80 == fill & 0x80));
    let mut number = [fill; 16];
    number.iter_mut().rev().zip(bytes.iter().rev()).for_each(|(to, from)| *to = *from);
    fits.then(|| i128::from_be_bytes(number))
}
