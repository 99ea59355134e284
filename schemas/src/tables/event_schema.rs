//! JSON Schemas of published events: each follows from the table's declaration, like its columns.

use arrow::datatypes::{DataType, Field, TimeUnit};
use serde_json::{Map, Value, json};

use super::Declaration;

/// Description of the field before the columns.
pub(crate) const ID_DOC: &str = "Digest of the table and of what the row says: equal in every run, so that a repeat can be recognised.";

/// A column of a type that no event has.
#[derive(Debug, thiserror::Error)]
#[error("{column}: there is no JSON Schema for {data_type}")]
pub struct EventSchemaError {
    /// The column.
    pub column: String,
    /// Its type.
    pub data_type: DataType,
}

/// The JSON Schema of the events of a published table, under the name of its topic: `id`, then the columns. Every field is in
/// every event; a missing value is `null`.
///
/// ```
/// use headwater_schemas::tables::{Declaration, Execution, event_schema};
///
/// let schema = event_schema("executions", &Declaration::of::<Execution>())?;
/// assert_eq!(schema["properties"]["side"]["enum"], serde_json::json!(["buy", "sell"]));
/// # Ok::<(), headwater_schemas::tables::EventSchemaError>(())
/// ```
pub fn event_schema(topic: &str, declaration: &Declaration) -> Result<Value, EventSchemaError> {
    let mut properties = Map::new();
    properties.insert("id".to_owned(), json!({ "description": ID_DOC, "type": "string", "pattern": hexadecimal(16) }));
    let mut required = vec!["id"];
    for ((column, doc), words) in declaration.fields.iter().zip(&declaration.docs).zip(&declaration.words) {
        let mut form = form(column, words)?;
        form.insert("description".to_owned(), json!(doc.trim()));
        properties.insert(column.name().clone(), form.into());
        required.push(column.name());
    }
    Ok(json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": topic,
        "description": declaration.spec.about.trim(),
        "type": "object",
        "properties": properties,
        "required": required,
    }))
}

/// How the values of a column are written. `words` are all texts that it can have, if there are only some.
fn form(column: &Field, words: &[&str]) -> Result<Map<String, Value>, EventSchemaError> {
    let (name, form) = match column.data_type() {
        DataType::Utf8 if !words.is_empty() => ("string", json!({ "enum": words })),
        DataType::Utf8 => ("string", json!({})),
        DataType::Boolean => ("boolean", json!({})),
        DataType::Int32 | DataType::Int64 => ("integer", json!({})),
        DataType::Float64 => ("number", json!({})),
        DataType::Binary => ("string", json!({ "pattern": "^([0-9a-f]{2})*$" })),
        DataType::FixedSizeBinary(bytes) => ("string", json!({ "pattern": hexadecimal(*bytes) })),
        DataType::Date32 => ("string", json!({ "format": "date" })),
        DataType::Timestamp(TimeUnit::Nanosecond, Some(_)) => ("string", json!({ "format": "date-time" })),
        DataType::Decimal128(_, scale) => ("string", json!({ "pattern": format!("^-?[0-9]+(\\.[0-9]{{1,{scale}}})?$") })),
        // Items and their fields are never null, whatever their columns allow.
        DataType::List(items) => ("array", json!({ "items": self::form(&items.as_ref().clone().with_nullable(false), &[])? })),
        DataType::Struct(parts) => ("object", of_parts(parts.iter().map(AsRef::as_ref))?),
        other => return Err(EventSchemaError { column: column.name().clone(), data_type: other.clone() }),
    };
    let Value::Object(mut form) = form else { return Ok(Map::new()) };
    form.insert("type".to_owned(), if column.is_nullable() { json!([name, "null"]) } else { json!(name) });
    if let Some(Value::Array(words)) = form.get_mut("enum").filter(|_| column.is_nullable()) {
        words.push(Value::Null);
    }
    Ok(form)
}

/// The parts of a value that has some.
fn of_parts<'a>(parts: impl Iterator<Item = &'a Field>) -> Result<Value, EventSchemaError> {
    let (mut properties, mut required) = (Map::new(), Vec::new());
    for part in parts {
        properties.insert(part.name().clone(), form(part, &[])?.into());
        required.push(part.name());
    }
    Ok(json!({ "properties": properties, "required": required }))
}

/// A pattern of so many bytes in hexadecimal.
fn hexadecimal(bytes: i32) -> String {
    format!("^[0-9a-f]{{{}}}$", bytes.saturating_mul(2))
}

#[cfg(test)]
mod tests {
    use super::super::declarations;
    use super::*;

    /// Compares `json/published/<topic>.schema.json` with the declarations; `UPDATE_SCHEMAS=1` writes them instead. The comparison is
    /// of the content: the order of its fields depends on what else is built.
    #[test]
    fn json_schemas_are_those_of_the_declarations() -> Result<(), Box<dyn std::error::Error>> {
        let folder = std::path::PathBuf::from(std::env::var("CARGO_MANIFEST_DIR")?).join("json/published");
        let declarations = declarations();
        let published: Vec<_> = declarations.iter().filter_map(|declaration| Some((declaration.spec.topic()?, declaration))).collect();
        for (topic, declaration) in &published {
            let schema = event_schema(topic, declaration)?;
            let path = folder.join(format!("{topic}.schema.json"));
            if std::env::var_os("UPDATE_SCHEMAS").is_some() {
                std::fs::create_dir_all(&folder)?;
                std::fs::write(&path, serde_json::to_string_pretty(&schema)? + "\n")?;
            }
            let stored = std::fs::read(&path).ok().and_then(|text| serde_json::from_slice::<Value>(&text).ok());
            let advice = "run UPDATE_SCHEMAS=1 cargo test -p headwater-schemas json_schemas";
            assert!(stored.as_ref() == Some(&schema), "{} differs from the declaration: {advice}", path.display());
        }
        let files = std::fs::read_dir(&folder)?.count();
        assert_eq!(files, published.len(), "{} has files of no published topic", folder.display());
        Ok(())
    }

    #[test]
    fn a_column_is_described_as_events_write_it() {
        let text = |nullable| Field::new("x", DataType::Utf8, nullable);
        let (none, words): (&[&str], &[&str]) = (&[], &["buy", "sell"]);
        let decimal = "^-?[0-9]+(\\.[0-9]{1,9})?$";
        for (case, column, words, expected) in [
            ("text", text(false), none, json!({ "type": "string" })),
            ("text that may be missing", text(true), none, json!({ "type": ["string", "null"] })),
            ("words", text(false), words, json!({ "type": "string", "enum": ["buy", "sell"] })),
            ("words that may be missing", text(true), words, json!({ "type": ["string", "null"], "enum": ["buy", "sell", null] })),
            ("decimal", Field::new("x", DataType::Decimal128(28, 9), false), none, json!({ "type": "string", "pattern": decimal })),
            ("digest", Field::new("x", DataType::FixedSizeBinary(2), false), none, json!({ "type": "string", "pattern": "^[0-9a-f]{4}$" })),
            (
                "list",
                Field::new("x", DataType::List(std::sync::Arc::new(text(true))), false),
                none,
                json!({ "type": "array", "items": { "type": "string" } }),
            ),
            (
                "parts",
                Field::new("x", DataType::Struct(vec![text(false)].into()), false),
                none,
                json!({ "type": "object", "properties": { "x": { "type": "string" } }, "required": ["x"] }),
            ),
        ] {
            assert_eq!(form(&column, words).map(Value::Object).map_err(|error| error.to_string()), Ok(expected), "{case}");
        }
        let other = Field::new("x", DataType::Duration(TimeUnit::Second), false);
        let error = form(&other, &[]).map_err(|error| error.to_string());
        assert_eq!(error, Err("x: there is no JSON Schema for Duration(s)".to_owned()));
    }
}
