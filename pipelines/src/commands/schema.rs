//! `headwater schema`: prints the Avro schema of a published topic.

use std::io::Write;

use clap::Args;

use crate::avro::schema_of;

/// Arguments of `headwater schema`.
#[derive(Args)]
pub struct SchemaArguments {
    /// The published topic, like `executions`.
    topic: String,
}

/// Prints the schema.
pub fn schema(arguments: &SchemaArguments, out: &mut impl Write) -> anyhow::Result<()> {
    Ok(writeln!(out, "{}", schema_of(&arguments.topic)?.pretty())?)
}
