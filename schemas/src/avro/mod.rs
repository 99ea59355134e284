//! Avro: records that were written with a schema of a registry, and tables as such records.
//!
//! ```text
//!  value ─► framed ─► schema id ─► Schema of the writer ─► JSON ─► Event::decode
//!                 └─► bytes ─────────────────▲
//! ```
//!
//! - [`framed`] splits a value as serializers of schema registries write it: a zero byte, the schema's id in four bytes (big endian), and
//!   the record in Avro's binary encoding.
//! - [`Schema`] is a writer's schema. [`Schema::to_json`] walks it over a record and writes the record as the JSON object that a producer
//!   of JSON would have sent. So both formats have one decoder, the same checks, and the same rows.
//! - [`TableSchema`] is the other direction: the schema of a published table, and its rows as framed records.
//!
//! | Avro | JSON |
//! |---|---|
//! | `null`, `boolean`, `int`, `long`, `string` | the same |
//! | `float`, `double` | the shortest decimal number that names it; not a number is text |
//! | `bytes` and `fixed` as `decimal` | text, exact, without trailing zeros of the fraction |
//! | `timestamp-millis`, `-micros`, `-nanos` | RFC 3339 in UTC; `local-timestamp-…` without an offset, which no time of an event may lack |
//! | `date` | `YYYY-MM-DD` |
//! | `uuid`, `enum` | text |
//! | `bytes`, `fixed`, `array` | an array, of bytes as numbers |
//! | `record`, `map` | an object |
//! | a union | the value of its branch; `null` is the same as a field that is left out |

mod json;
mod schema;
mod table;
#[cfg(test)]
mod tests;

pub use schema::{Schema, SchemaError};
pub use table::{TableSchema, TableSchemaError};

use crate::events::{BadRecord, ErrorCode};

/// The first byte of a framed value.
const MAGIC: u8 = 0;

/// The schema id of a framed value, and its Avro bytes.
///
/// ```
/// use headwater_schemas::avro::framed;
/// use headwater_schemas::events::ErrorCode;
///
/// assert_eq!(framed(&[0, 0, 0, 1, 2, 7]), Ok((258, &[7][..])));
/// let json = framed(b"{}").expect_err("JSON");
/// assert!(json.code == ErrorCode::NotFramed && json.message.contains("0x7b"));
/// ```
pub fn framed(value: &[u8]) -> Result<(u32, &[u8]), BadRecord> {
    match value {
        [MAGIC, a, b, c, d, record @ ..] => Ok((u32::from_be_bytes([*a, *b, *c, *d]), record)),
        [MAGIC, ..] => Err(not_framed(&format!("the value has {} bytes, fewer than a zero byte and a schema id take", value.len()))),
        [first, ..] => {
            let looks = if *first == b'{' { ", as JSON does" } else { "" };
            Err(not_framed(&format!("the value begins with 0x{first:02x}{looks}, not with a zero byte and a schema id")))
        }
        [] => Err(not_framed("the value is empty")),
    }
}

fn not_framed(what: &str) -> BadRecord {
    let mend = "send Avro with the serializer of a schema registry, or leave the topic out of source.avro if it carries JSON";
    BadRecord::new(ErrorCode::NotFramed, format!("{what}: {mend}"))
}

/// Begins a framed value.
fn frame(id: u32, out: &mut Vec<u8>) {
    out.push(MAGIC);
    out.extend_from_slice(&id.to_be_bytes());
}
