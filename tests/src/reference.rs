//! The reference in `docs/reference/`: pages that are made from the program's own declarations, so that they cannot differ from it.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, Result};
use headwater_connectors::testing::workspace;
use headwater_schemas::events::ErrorCode;
use headwater_schemas::tables::declarations;
use headwater_sql::Catalog;
use serde_json::Value;

use crate::pipeline::{headwater, names_in, objects};

/// Each page: its file in `docs/reference/`, and what it has to be. The catalog may be of any data.
pub fn pages(catalog: &Catalog) -> Result<Vec<(&'static str, String)>> {
    Ok(vec![
        ("tables.md", tables(catalog)?),
        ("topics.md", topics()?),
        ("dead-letters.md", dead_letters()?),
        ("configuration.md", configuration()?),
        ("commands.md", commands()?),
    ])
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value.get(field).and_then(Value::as_str).unwrap_or_default()
}

/// A text within a cell of a table.
fn cell(text: &str) -> String {
    text.trim().replace('|', "\\|")
}

const TABLES: &str = "# Tables

Every relation that SQL knows. The kinds are those of [Tables and SQL](../tables-and-sql.md#kinds-of-tables). A state table `t` also has
`t_history`, with every change: the columns of `t`, `change`, `tick` and `reason`.
";

fn tables(catalog: &Catalog) -> Result<String> {
    let mut page = TABLES.to_owned();
    let declared = declarations();
    for relation in objects(catalog.query("SHOW TABLES")?)? {
        let (name, kind, key) = (text(&relation, "table_name"), text(&relation, "kind"), text(&relation, "key"));
        // A history of a table is described with it; that of a view is a view.
        if kind == "history" {
            continue;
        }
        write!(page, "\n## {name}\n\n{}\n\n", cell(text(&relation, "about")))?;
        let topic = declared.iter().find(|declaration| declaration.spec.name == name).and_then(|declaration| declaration.spec.topic());
        let key = if key.is_empty() { String::new() } else { format!(", by `{key}`") };
        let published = topic.map_or_else(String::new, |topic| format!(", published as the topic `{topic}`"));
        write!(page, "Kind: {kind}{key}{published}.\n\n| column | type | is |\n|---|---|---|\n")?;
        for column in objects(catalog.query(&format!("DESCRIBE {name}"))?)? {
            let nullable = if column.get("is_nullable") == Some(&Value::Bool(true)) { ", may be NULL" } else { "" };
            let (column_name, data_type) = (text(&column, "column_name"), text(&column, "data_type"));
            writeln!(page, "| `{column_name}` | {}{nullable} | {} |", data_type.replace('<', "\\<"), cell(text(&column, "about")))?;
        }
    }
    Ok(page)
}

const TOPICS: &str = "# Topics

Every topic that producers publish to, with its events, and then the [published topics](#published-topics).
[Getting started](../getting-started.md#2-write-events) has the rules that hold for all of them; `schemas/json/` has the JSON Schemas that
this page is made from.
";

const PUBLISHED_TOPICS: &str = "
## Published topics

What a run publishes ([Kafka](../kafka.md#what-is-published)). `schemas/json/published/` has the JSON Schemas, which `headwater schema
--format json TOPIC` prints. Every event has every field.
";

fn topics() -> Result<String> {
    let folder = workspace().join("schemas/json");
    let mut page = TOPICS.to_owned();
    for name in names_in(&folder, ".schema.json")? {
        let schema: Value = serde_json::from_str(&std::fs::read_to_string(folder.join(format!("{name}.schema.json")))?)?;
        write!(page, "\n## {name}\n\n{}\n", cell(text(&schema, "description")))?;
        let alternatives = schema.get("oneOf").and_then(Value::as_array);
        for event in alternatives.map_or_else(|| vec![&schema], |events| events.iter().collect()) {
            if alternatives.is_some() {
                let word = event.pointer("/properties/type/const").and_then(Value::as_str).context("an event without a type")?;
                write!(page, "\n`\"type\": \"{word}\"`: {}\n", cell(text(event, "description")))?;
            }
            fields(event, &schema, &mut page)?;
        }
    }
    published_topics(&folder.join("published"), &mut page)?;
    Ok(page)
}

fn published_topics(folder: &Path, page: &mut String) -> Result<()> {
    page.push_str(PUBLISHED_TOPICS);
    for name in names_in(folder, ".schema.json")? {
        let schema: Value = serde_json::from_str(&std::fs::read_to_string(folder.join(format!("{name}.schema.json")))?)?;
        write!(page, "\n### {name}\n\n{}\n\n| field | is | as |\n|---|---|---|\n", cell(text(&schema, "description")))?;
        for field in schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
            let property = schema.pointer(&format!("/properties/{field}")).with_context(|| format!("the field {field}"))?;
            let nullable = if property.pointer("/type/1").is_some() { ", or null" } else { "" };
            writeln!(page, "| `{field}` | {} | {}{nullable} |", cell(text(property, "description")), cell(&published_form(property)))?;
        }
    }
    Ok(())
}

/// How a value of a published event is written.
fn published_form(property: &Value) -> String {
    match (text(property, "format"), text(property, "pattern")) {
        ("date-time", _) => "RFC 3339 in UTC".to_owned(),
        (_, pattern) if pattern.starts_with("^-?[0-9]+") => "a decimal as text".to_owned(),
        (_, pattern) if pattern.contains("[0-9a-f]") => "bytes in hexadecimal".to_owned(),
        _ => form(property, &Value::Null),
    }
}

/// The fields of an event: those that must be there first.
fn fields(event: &Value, schema: &Value, page: &mut String) -> Result<()> {
    write!(page, "\n| field | | is | as |\n|---|---|---|---|\n")?;
    let required: Vec<_> = event.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    let properties = event.get("properties").and_then(Value::as_object).context("an event without fields")?;
    let optional = properties.keys().map(String::as_str).filter(|name| !required.contains(name));
    for name in required.iter().copied().chain(optional).filter(|name| *name != "type") {
        let property = properties.get(name).with_context(|| format!("the required field {name}"))?;
        let needed = if required.contains(&name) { "required" } else { "" };
        writeln!(page, "| `{name}` | {needed} | {} | {} |", cell(text(property, "description")), cell(&form(property, schema)))?;
    }
    Ok(())
}

/// How a value is written: its type's description, or its words.
fn form(property: &Value, schema: &Value) -> String {
    let alternatives = property.get("anyOf").and_then(Value::as_array).into_iter().flatten();
    let named = std::iter::once(property).chain(alternatives).find_map(|value| value.get("$ref")?.as_str()?.strip_prefix('#'));
    let value = named.and_then(|pointer| schema.pointer(pointer)).unwrap_or(property);
    let words =
        value.get("enum").and_then(Value::as_array).map(|words| words.iter().filter_map(Value::as_str).map(|word| format!("`{word}`")));
    if let Some(words) = words {
        return words.collect::<Vec<_>>().join(", ");
    }
    let types = value.get("type").map_or_else(Vec::new, |types| match types {
        Value::Array(types) => types.iter().filter_map(Value::as_str).filter(|name| *name != "null").collect(),
        one => one.as_str().into_iter().collect(),
    });
    if named.is_some() && !text(value, "description").is_empty() { text(value, "description").to_owned() } else { types.join(", ") }
}

const DEAD_LETTERS: &str = "# Dead letters

A record that cannot be taken is a row of [`dead_letters`](tables.md#dead_letters), with its bytes and a message that names the field. These are
the codes, and how to mend each. They are stable: queries and alerts may rely on them.

| code | what it means, and the mend |
|---|---|
";

fn dead_letters() -> Result<String> {
    let mut page = DEAD_LETTERS.to_owned();
    for code in ErrorCode::ALL {
        writeln!(page, "| `{code}` | {} |", cell(code.about()))?;
    }
    Ok(page)
}

const CONFIGURATION: &str = "# Every key

A complete file: every section, each key with its default or an example. [Configuration](../configuration.md) says how it is read, and where
the units, ranges and exceptions of each section are.

";

/// The file in the documentation of the module `config`, which a test of that module keeps valid.
fn configuration() -> Result<String> {
    let source = std::fs::read_to_string(workspace().join("pipelines/src/config.rs"))?;
    let lines = source.lines().map_while(|line| line.strip_prefix("//!")).map(|line| line.strip_prefix(' ').unwrap_or(line));
    let block: Vec<_> = lines.skip_while(|line| *line != "```toml").take_while(|line| *line != "```").collect();
    Ok(format!("{CONFIGURATION}{}\n```\n", block.join("\n")))
}

const COMMANDS: &str = "# Commands

The help of each command, as `headwater COMMAND --help` prints it.
";

fn commands() -> Result<String> {
    let mut page = COMMANDS.to_owned();
    let overview = help(&[])?;
    let listed = overview.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    for command in listed.filter_map(|line| line.split_whitespace().next()).filter(|command| *command != "help") {
        write!(page, "\n## {command}\n\n```\n{}\n```\n", help(&[command])?.trim_end())?;
    }
    Ok(page)
}

fn help(command: &[&str]) -> Result<String> {
    let output = headwater(&[command, &["--help"]].concat())?;
    Ok(String::from_utf8(output.stdout)?.lines().map(str::trim_end).collect::<Vec<_>>().join("\n"))
}
