//! `headwater schema`: prints the schema of a published topic.

use std::io::Write;

use clap::{Args, ValueEnum};
use headwater_schemas::tables::event_schema;

use crate::avro::{declaration_of, schema_of};

/// Arguments of `headwater schema`.
#[derive(Args)]
pub struct SchemaArguments {
    /// Format of the events.
    #[arg(long, value_enum, default_value_t)]
    format: EventFormat,
    /// The published topic, like `executions`.
    topic: String,
}

/// Format of published events.
#[derive(Clone, Copy, Default, ValueEnum)]
enum EventFormat {
    /// Avro: its schema as it is registered if outbox.avro names the topic.
    #[default]
    Avro,
    /// JSON: a JSON Schema.
    Json,
}

/// Prints the schema.
pub fn schema(arguments: &SchemaArguments, out: &mut impl Write) -> anyhow::Result<()> {
    let topic = &arguments.topic;
    match arguments.format {
        EventFormat::Avro => writeln!(out, "{}", schema_of(topic)?.pretty())?,
        EventFormat::Json => writeln!(out, "{:#}", event_schema(topic, &declaration_of(topic)?)?)?,
    }
    Ok(())
}
