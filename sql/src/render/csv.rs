//! CSV (RFC 4180): a header line, then one line per row. NULL is empty; an empty text is `""`.

use std::io::Write;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use super::{Renderer, value};
use crate::error::QueryError;
use crate::statement::double_quoted;

pub(super) struct Csv {
    schema: SchemaRef,
    started: bool,
}

impl Csv {
    pub(super) fn new(schema: &SchemaRef) -> Self {
        Self { schema: SchemaRef::clone(schema), started: false }
    }

    fn start(&mut self, out: &mut dyn Write) -> Result<(), QueryError> {
        if !std::mem::replace(&mut self.started, true) {
            let names: Vec<_> = self.schema.fields().iter().map(|field| quoted(field.name())).collect();
            writeln!(out, "{}", names.join(","))?;
        }
        Ok(())
    }
}

impl Renderer for Csv {
    fn batch(&mut self, batch: &RecordBatch, out: &mut dyn Write) -> Result<(), QueryError> {
        self.start(out)?;
        let mut line = String::new();
        for row in 0..batch.num_rows() {
            line.clear();
            for column in 0..batch.num_columns() {
                if column > 0 {
                    line.push(',');
                }
                if let Some(text) = value::text(batch, column, row)? {
                    line.push_str(&quoted(&text));
                }
            }
            line.push('\n');
            out.write_all(line.as_bytes())?;
        }
        Ok(())
    }

    fn finish(&mut self, out: &mut dyn Write) -> Result<(), QueryError> {
        self.start(out)
    }
}

/// A value of a line.
pub(crate) fn quoted(text: &str) -> String {
    let plain = !text.is_empty() && !text.contains([',', '"', '\n', '\r']);
    if plain { text.to_owned() } else { double_quoted(text) }
}
