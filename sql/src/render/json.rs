//! JSON: an array with one object per row, one row per line.

use std::collections::BTreeSet;
use std::io::Write;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;

use super::{Renderer, value};
use crate::error::QueryError;

pub(super) struct Json {
    names: Vec<String>,
    started: bool,
}

impl Json {
    pub(super) fn new(schema: &SchemaRef) -> Self {
        Self { names: distinct(schema.fields().iter().map(|field| field.name().as_str())), started: false }
    }
}

impl Renderer for Json {
    fn batch(&mut self, batch: &RecordBatch, out: &mut dyn Write) -> Result<(), QueryError> {
        let mut line = String::new();
        for row in 0..batch.num_rows() {
            line.clear();
            line.push_str(if std::mem::replace(&mut self.started, true) { ",\n{" } else { "[\n{" });
            for (index, (name, column)) in self.names.iter().zip(batch.columns()).enumerate() {
                if index > 0 {
                    line.push(',');
                }
                value::append_string(name, &mut line);
                line.push(':');
                value::append_json(column, row, &mut line)?;
            }
            line.push('}');
            out.write_all(line.as_bytes())?;
        }
        Ok(())
    }

    fn finish(&mut self, out: &mut dyn Write) -> Result<(), QueryError> {
        Ok(out.write_all(if self.started { b"\n]\n" } else { b"[]\n" })?)
    }
}

/// One row.
pub(super) fn object(batch: &RecordBatch, row: usize) -> Result<String, ArrowError> {
    let mut text = String::from("{");
    for (index, (field, column)) in batch.schema().fields().iter().zip(batch.columns()).enumerate() {
        if index > 0 {
            text.push(',');
        }
        value::append_string(field.name(), &mut text);
        text.push(':');
        value::append_json(column, row, &mut text)?;
    }
    text.push('}');
    Ok(text)
}

/// The names made distinct: the second `symbol` of a join becomes `symbol_2`.
fn distinct<'a>(names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut taken = BTreeSet::new();
    let free = |name: &str| {
        let numbered = (2..).map(|number| format!("{name}_{number}"));
        let found = std::iter::once(name.to_owned()).chain(numbered).find(|name| !taken.contains(name)).unwrap_or_default();
        taken.insert(found.clone());
        found
    };
    names.map(free).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_an_object_differ() {
        assert_eq!(distinct(["a", "b", "a", "a", "a_2"].into_iter()), ["a", "b", "a_2", "a_3", "a_2_2"]);
    }
}
