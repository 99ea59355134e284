//! From JSON and to JSON: one pass on the good path, a second one with the field's path only when something is wrong.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{BadRecord, ErrorCode};

/// Declares an event: the struct, its reader, its schema and its writer. Optional fields that are not there are left out
/// in JSON, and are there as "none" in the binary form that travels between workers.
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
    };
}

/// Declares the events of a topic that tells them apart by `type`.
macro_rules! typed_events {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $word:literal => $variant:ident($($type:tt)+)),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        pub enum $name { $($(#[$variant_doc])* $variant($($type)+)),+ }

        impl $name {
            /// What `type` says.
            pub const fn type_word(&self) -> &'static str {
                match self { $(Self::$variant(_) => $word),+ }
            }

            /// When it happened.
            pub fn ts(&self) -> $crate::EventTime {
                match self { $(Self::$variant(event) => event.ts),+ }
            }

            pub(super) fn decode(text: &[u8]) -> Result<Self, $crate::events::BadRecord> {
                let word = $crate::events::json::type_of(text)?;
                match word.as_ref() {
                    $($word => $crate::events::json::read(text).map(Self::$variant),)+
                    other => Err($crate::events::json::unknown_type(other, &[$($word),+])),
                }
            }

            pub(super) fn write_json(&self, out: &mut $crate::events::json::ObjectWriter) {
                $crate::events::json::Field::write(&self.type_word(), "type", out);
                match self { $(Self::$variant(event) => $crate::events::json::WriteFields::write_fields(event, out)),+ }
            }
        }

        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> { stringify!($name).into() }
            fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
                let mut choices = Vec::new();
                $(choices.push($crate::events::json::typed_schema($word, <$($type)+ as schemars::JsonSchema>::json_schema(generator)));)+
                schemars::json_schema!({ "oneOf": choices })
            }
        }
    };
}
pub(super) use {event, typed_events};

/// A field's name in JSON.
pub(super) fn field_name(name: &'static str) -> &'static str {
    name.strip_prefix("r#").unwrap_or(name)
}

/// The schema of one of a topic's events: its own, with the `type` that tells it.
pub(super) fn typed_schema(word: &str, mut schema: schemars::Schema) -> schemars::Schema {
    let fields = schema.ensure_object();
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

/// What writes its fields into an object.
pub(super) trait WriteFields {
    fn write_fields(&self, out: &mut ObjectWriter);
}

impl<T: WriteFields> WriteFields for Box<T> {
    fn write_fields(&self, out: &mut ObjectWriter) {
        (**self).write_fields(out);
    }
}

/// What can be a field.
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
        // Neither our values nor a vector can fail here; if one did, the field would be left out whole.
        let failed = serde_json::to_writer(&mut out.text, self).is_err();
        if failed || out.text.get(value..) == Some(b"null") {
            out.text.truncate(start);
        }
    }
}

#[derive(Deserialize)]
struct TypeOnly<'a> {
    #[serde(borrow)]
    r#type: std::borrow::Cow<'a, str>,
}

/// What `type` says.
pub(super) fn type_of(text: &[u8]) -> Result<std::borrow::Cow<'_, str>, BadRecord> {
    match serde_json::from_slice::<TypeOnly<'_>>(text) {
        Ok(TypeOnly { r#type }) => Ok(r#type),
        Err(error) => Err(explain::<TypeOnlyOwned>(text, &error)),
    }
}

#[derive(Deserialize)]
struct TypeOnlyOwned {
    #[expect(dead_code, reason = "only read for its error")]
    r#type: String,
}

pub(super) fn unknown_type(word: &str, known: &[&str]) -> BadRecord {
    BadRecord::new(ErrorCode::UnknownType, format!("type {word:?} is not known here: use one of {}", known.join(", ")))
}

/// Reads an event.
pub(super) fn read<T: DeserializeOwned>(text: &[u8]) -> Result<T, BadRecord> {
    serde_json::from_slice(text).map_err(|error| explain::<T>(text, &error))
}

/// Puts what is wrong into words: which field, what was found, how to mend it.
fn explain<T: DeserializeOwned>(text: &[u8], error: &serde_json::Error) -> BadRecord {
    let place = format!("at line {} column {}", error.line(), error.column());
    if !error.is_data() {
        return BadRecord::new(ErrorCode::NotJson, format!("the value is not JSON: {error}: mend the producer's serialisation"));
    }
    let field = path_of::<T>(text);
    let field = field.as_deref().unwrap_or("the event");
    let words = error.to_string();
    let words = words.split(" at line ").next().unwrap_or_default();
    if let Some((code, rest)) = words.strip_prefix('[').and_then(|rest| rest.split_once("] ")) {
        let code = ErrorCode::from_word(code).unwrap_or(ErrorCode::WrongType);
        return BadRecord::new(code, format!("{field}: {rest} ({place})"));
    }
    if let Some(name) = words.strip_prefix("missing field ") {
        return BadRecord::new(ErrorCode::MissingField, format!("{} is missing: add it", name.trim_matches('`')));
    }
    if let Some(name) = words.strip_prefix("duplicate field ") {
        return BadRecord::new(ErrorCode::DuplicateField, format!("{} is there twice: send it once ({place})", name.trim_matches('`')));
    }
    if let Some(rest) = words.strip_prefix("unknown variant ") {
        let rest = rest.replace('`', "\"").replace(", expected", " is not known: use");
        return BadRecord::new(ErrorCode::UnknownValue, format!("{field}: {rest} ({place})"));
    }
    let found = words.strip_prefix("invalid type: ").or_else(|| words.strip_prefix("invalid value: ")).unwrap_or(words);
    BadRecord::new(ErrorCode::WrongType, format!("{field}: found {} ({place})", found.replace('`', "").replace(", expected", ", but it must be")))
}

/// The field that reading stops at.
fn path_of<T: DeserializeOwned>(text: &[u8]) -> Option<String> {
    let mut input = serde_json::Deserializer::from_slice(text);
    let error = serde_path_to_error::deserialize::<_, T>(&mut input).err()?;
    let path = error.path().iter().find_map(|segment| match segment {
        serde_path_to_error::Segment::Map { key } if !key.starts_with('$') => Some(key.clone()),
        _ => None,
    });
    path
}
