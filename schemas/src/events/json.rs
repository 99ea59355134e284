//! Reading and writing of JSON: one pass if the record is valid, a second one with the field's path if it is not.

use std::borrow::Cow;
use std::sync::Arc;

use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};

use super::{BadRecord, ErrorCode};
use crate::privacy::PERSONAL;

/// Declares an event: the struct, its reader, its schema and its writer. Optional fields without a value are left out in JSON,
/// and are written as "none" in the binary form that travels between workers.
macro_rules! event {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
        pub struct $name { $($(#[$field_doc])* pub $field: $type),+ }

        impl $crate::events::json::WriteFields for $name {
            fn write_fields(&self, out: &mut $crate::events::json::ObjectWriter) {
                $($crate::events::json::Field::write(&self.$field, $crate::events::json::field_name(stringify!($field)), out);)+
            }
        }

        #[cfg(test)]
        impl $crate::events::sample::Sample for $name {
            fn sample(chance: &mut $crate::events::sample::Chance) -> Self {
                Self { $($field: $crate::events::sample::Sample::sample(chance)),+ }
            }
        }
    };
}

/// Declares the events of a topic that are distinguished by `type`.
macro_rules! typed_events {
    ($(#[doc = $doc:literal])+ $name:ident { $($(#[doc = $variant_doc:literal])+ $word:literal => $variant:ident($($type:tt)+)),+ $(,)? }) => {
        $(#[doc = $doc])+
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        pub enum $name { $($(#[doc = $variant_doc])+ $variant($($type)+)),+ }

        impl $name {
            /// The value of `type`.
            pub const fn type_word(&self) -> &'static str {
                match self { $(Self::$variant(_) => $word),+ }
            }

            /// The event's own time.
            pub fn ts(&self) -> $crate::EventTime {
                match self { $(Self::$variant(event) => event.ts),+ }
            }

            pub(super) fn decode(text: &str) -> Result<Self, $crate::events::BadRecord> {
                // Nearly always `type` comes first, and one pass is enough. The two passes below report errors.
                if let Some(word) = $crate::events::json::leading_type(text)
                    && let Ok(event) = Self::read(word, text)
                {
                    return Ok(event);
                }
                let word = $crate::events::json::type_of(text)?;
                Self::read(&word, text)
            }

            fn read(word: &str, text: &str) -> Result<Self, $crate::events::BadRecord> {
                match word {
                    $($word => $crate::events::json::read(text).map(Self::$variant),)+
                    other => Err($crate::events::json::unknown_type(other, &[$($word),+])),
                }
            }

            pub(super) fn write_json(&self, out: &mut $crate::events::json::ObjectWriter) {
                $crate::events::json::Field::write(&self.type_word(), "type", out);
                match self { $(Self::$variant(event) => $crate::events::json::WriteFields::write_fields(event, out)),+ }
            }
        }

        #[cfg(test)]
        impl $crate::events::sample::Sample for $name {
            fn sample(chance: &mut $crate::events::sample::Chance) -> Self {
                let word = chance.one_of(&[$($word),+]);
                $(if word == $word { return Self::$variant($crate::events::sample::Sample::sample(chance)); })+
                unreachable!("the word is one of the list")
            }
        }

        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> { stringify!($name).into() }
            fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
                let choices = [$({
                    let schema = <$($type)+ as schemars::JsonSchema>::json_schema(generator);
                    $crate::events::json::typed_schema($word, concat!($($variant_doc),+), schema)
                }),+];
                schemars::json_schema!({ "description": concat!($($doc),+).trim(), "oneOf": choices })
            }
        }
    };
}
pub(super) use {event, typed_events};

/// A field's name in JSON.
pub(super) fn field_name(name: &'static str) -> &'static str {
    name.strip_prefix("r#").unwrap_or(name)
}

/// The schema of one of a topic's events, with its `type` and the description of that type.
pub(super) fn typed_schema(word: &str, meaning: &str, mut schema: schemars::Schema) -> schemars::Schema {
    let fields = schema.ensure_object();
    fields.insert("description".to_owned(), meaning.trim().into());
    if let Some(serde_json::Value::Object(properties)) = fields.get_mut("properties") {
        properties.insert("type".to_owned(), serde_json::json!({ "const": word }));
    }
    if let Some(serde_json::Value::Array(required)) = fields.get_mut("required") {
        required.insert(0, "type".into());
    }
    schema
}

/// Collects the fields of a JSON object.
pub(super) struct ObjectWriter {
    text: Vec<u8>,
}

impl ObjectWriter {
    pub(super) fn new() -> Self {
        Self { text: vec![b'{'] }
    }

    pub(super) fn finish(mut self) -> Vec<u8> {
        self.text.push(b'}');
        self.text
    }
}

/// Writes an event's fields into an object.
pub(super) trait WriteFields {
    fn write_fields(&self, out: &mut ObjectWriter);
}

impl<T: WriteFields> WriteFields for Box<T> {
    fn write_fields(&self, out: &mut ObjectWriter) {
        (**self).write_fields(out);
    }
}

impl<T: WriteFields> WriteFields for Arc<T> {
    fn write_fields(&self, out: &mut ObjectWriter) {
        (**self).write_fields(out);
    }
}

/// A value that can be a field.
pub(super) trait Field {
    fn write(&self, name: &str, out: &mut ObjectWriter);
}

impl<T: Serialize> Field for T {
    fn write(&self, name: &str, out: &mut ObjectWriter) {
        let start = out.text.len();
        if start > 1 {
            out.text.push(b',');
        }
        out.text.push(b'"');
        out.text.extend_from_slice(name.as_bytes());
        out.text.extend_from_slice(b"\":");
        let value = out.text.len();
        // Neither the values nor a vector can fail here; if one did, the whole field would be left out.
        let failed = serde_json::to_writer(&mut out.text, self).is_err();
        if failed || out.text.get(value..) == Some(b"null") {
            out.text.truncate(start);
        }
    }
}

/// White space between JSON's tokens.
const JSON_SPACE: [char; 4] = [' ', '\t', '\r', '\n'];

/// The text of a record that is a JSON object. The reader would accept an array in place of a struct.
pub(super) fn object(value: &[u8]) -> Result<&str, BadRecord> {
    if value.first() == Some(&0) {
        let message =
            "the value begins with a zero byte, as Avro with a schema of a registry does: name the topic in source.avro, or send JSON";
        return Err(BadRecord::new(ErrorCode::NotJson, message));
    }
    let text = str::from_utf8(value).map_err(|error| {
        let message = format!("the value is not UTF-8 from byte {} on; encode it as UTF-8", error.valid_up_to());
        BadRecord::new(ErrorCode::NotUtf8, message)
    })?;
    if text.trim_start_matches(JSON_SPACE).starts_with('{') {
        return Ok(text);
    }
    match serde_json::from_str::<IgnoredAny>(text) {
        Ok(_) => Err(BadRecord::new(ErrorCode::NotAnObject, "the value is JSON, but not an object; send one {…} per record")),
        Err(error) => Err(not_json(&error)),
    }
}

#[derive(Deserialize)]
struct TypeOnly<'a> {
    #[serde(borrow)]
    r#type: Cow<'a, str>,
}

/// The `type` of an object that begins with it and has no other. `None` if that is not obvious: an escape may hide another
/// `type`.
pub(super) fn leading_type(text: &str) -> Option<&str> {
    let after = |text, token| str::trim_start_matches(text, JSON_SPACE).strip_prefix(token);
    let first = after(after(text, "{")?, "\"type\"")?;
    let (word, rest) = after(after(first, ":")?, "\"")?.split_once('"')?;
    let is_plain = !text.contains('\\') && !rest.contains("\"type\"");
    is_plain.then_some(word)
}

/// The value of `type`.
pub(super) fn type_of(text: &str) -> Result<Cow<'_, str>, BadRecord> {
    match serde_json::from_str::<TypeOnly<'_>>(text) {
        Ok(TypeOnly { r#type }) => Ok(r#type),
        Err(error) => Err(explain::<TypeOnly<'_>>(text, &error)),
    }
}

/// The error of a `type` that the topic does not have.
pub(super) fn unknown_type(word: &str, known: &[&str]) -> BadRecord {
    BadRecord::new(ErrorCode::UnknownType, format!("type: {word:?} is not known here; use one of {}", known.join(", ")))
}

/// Reads an event.
pub(super) fn read<T: DeserializeOwned>(text: &str) -> Result<T, BadRecord> {
    serde_json::from_str(text).map_err(|error| explain::<T>(text, &error))
}

/// The error of a record with what is wrong in it: first of all, whether it is JSON.
pub(super) fn first_of_all_json(text: &str, bad: BadRecord) -> BadRecord {
    match serde_json::from_str::<IgnoredAny>(text) {
        Ok(_) => bad,
        Err(error) => not_json(&error),
    }
}

fn not_json(error: &serde_json::Error) -> BadRecord {
    BadRecord::new(
        ErrorCode::NotJson,
        format!("the value is not one JSON object: reading stopped with {error}; mend the producer's serialisation"),
    )
}

/// The error message: which field, what was found, how to fix it. The only code that depends on how the reader words its errors;
/// errors of the crate's own values begin with a code in brackets.
fn explain<'de, T: Deserialize<'de>>(text: &'de str, error: &serde_json::Error) -> BadRecord {
    let place = format!(" at line {} column {}", error.line(), error.column());
    let words = error.to_string();
    let words = words.strip_suffix(&place).unwrap_or(&words);
    let bad = |code, message: String| BadRecord::new(code, format!("{message} (found{place})"));
    let field = || path_of::<T>(text).unwrap_or_else(|| "the event".to_owned());
    let name = |rest: &str| rest.trim_matches('`').to_owned();

    if let Some((code, rest)) = words.strip_prefix('[').and_then(|rest| rest.split_once("] ")) {
        let field = field();
        let rest = if is_personal(&field) { masked(rest) } else { rest.to_owned() };
        return bad(ErrorCode::from_word(code).unwrap_or(ErrorCode::WrongType), format!("{field}: {rest}"));
    }
    if let Some(rest) = words.strip_prefix("missing field ") {
        return BadRecord::new(ErrorCode::MissingField, format!("{}: the field is missing; add it", name(rest)));
    }
    if let Some(rest) = words.strip_prefix("duplicate field ") {
        return bad(ErrorCode::DuplicateField, format!("{}: the field is there twice; send it once", name(rest)));
    }
    if words == "number out of range" {
        return bad(ErrorCode::OutOfRange, format!("{}: the number is too large; see the topic's JSON Schema", field()));
    }
    if !error.is_data() {
        return not_json(error);
    }
    let found = words.strip_prefix("invalid type: ").or_else(|| words.strip_prefix("invalid value: ")).unwrap_or(words);
    let (found, expected) = found.rsplit_once(", expected ").unwrap_or((found, "another JSON type"));
    let (field, mut found) = (field(), json_words(found));
    if is_personal(&field) {
        found = masked_kind(&found);
    }
    bad(ErrorCode::WrongType, format!("{field}: {found} is not {expected}; see the topic's JSON Schema"))
}

fn is_personal(field: &str) -> bool {
    PERSONAL.contains(&field)
}

/// A message whose first quoted text is left out. Its quotes are those of Rust's debug format.
fn masked(message: &str) -> String {
    let Some((before, quoted)) = message.split_once('"') else { return message.to_owned() };
    let mut escaped = false;
    let end = quoted.find(|character| {
        let ends = character == '"' && !escaped;
        escaped = character == '\\' && !escaped;
        ends
    });
    let after = end.and_then(|end| quoted.get(end + 1..)).unwrap_or_default();
    format!("{before}the value{after}")
}

/// The kind of a found value, without the value: `string "home"` is `string`.
fn masked_kind(found: &str) -> String {
    let end = found.find(|character: char| character == '"' || character == '-' || character.is_ascii_digit());
    found.get(..end.unwrap_or(found.len())).unwrap_or_default().trim_end().to_owned()
}

/// The found value in JSON's terms.
fn json_words(found: &str) -> String {
    match found {
        "map" => "an object".to_owned(),
        "sequence" => "an array".to_owned(),
        _ => found.replace('`', "").replace("floating point", "fractional number"),
    }
}

/// The path of the field at which reading fails. Reads the record again, which only bad records need.
fn path_of<'de, T: Deserialize<'de>>(text: &'de str) -> Option<String> {
    let mut input = serde_json::Deserializer::from_str(text);
    let error = serde_path_to_error::deserialize::<_, T>(&mut input).err()?;
    // A raw number is read as a map whose only field has an internal name of the library.
    error.path().iter().find_map(|segment| match segment {
        serde_path_to_error::Segment::Map { key } if !key.starts_with('$') => Some(key.clone()),
        _ => None,
    })
}
