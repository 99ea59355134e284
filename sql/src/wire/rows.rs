//! The rows of a statement on their way to the client.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::datatypes::Schema;
use arrow::error::ArrowError;
use bytes::BytesMut;

use super::answers::{self, Column};
use super::command::Tag;
use super::copy::Layout;
use super::encode::{self, Format};
use super::problem::{Problem, code};
use super::types;
use crate::error::QueryError;
use crate::query::Answer;

/// The rows of a statement, from the first that was not sent yet.
pub(super) struct Rows {
    /// The rest of the batches.
    answer: Option<Answer>,
    pub(super) columns: Vec<Column>,
    batch: Vec<ArrayRef>,
    next: usize,
    length: usize,
    /// Number of rows that were sent.
    pub(super) sent: u64,
    pub(super) tag: Tag,
    /// How rows are written in a `COPY`.
    pub(super) copied: Option<Layout>,
}

impl Rows {
    pub(super) fn new(answer: Answer, labels: Option<Vec<Option<String>>>, tag: Tag) -> Self {
        let columns = columns(answer.schema(), labels);
        Self { answer: Some(answer), columns, batch: Vec::new(), next: 0, length: 0, sent: 0, tag, copied: None }
    }

    /// Rows of texts that are there already.
    pub(super) fn of_texts(names: &[&str], rows: &[Vec<String>]) -> Self {
        let columns = names.iter().map(|name| Column { name: (*name).to_owned(), pg_type: types::TEXT, modifier: -1 }).collect();
        let column = |index: usize| -> ArrayRef { Arc::new(rows.iter().map(|row| row.get(index).cloned()).collect::<StringArray>()) };
        let batch = (0..names.len()).map(column).collect();
        Self { answer: None, columns, batch, next: 0, length: rows.len(), sent: 0, tag: Tag::Plain("SHOW"), copied: None }
    }

    /// Reads the next batch; false at the end.
    pub(super) async fn advance(&mut self) -> Result<bool, QueryError> {
        let Some(answer) = &mut self.answer else { return Ok(false) };
        match answer.next().await.transpose()? {
            Some(batch) => {
                self.load(&batch)?;
                Ok(true)
            }
            None => {
                self.answer = None;
                Ok(false)
            }
        }
    }

    fn load(&mut self, batch: &RecordBatch) -> Result<(), QueryError> {
        self.batch = batch.columns().iter().map(encode::plain).collect::<Result<_, _>>()?;
        (self.next, self.length) = (0, batch.num_rows());
        Ok(())
    }

    pub(super) const fn has_more_in_batch(&self) -> bool {
        self.next < self.length
    }

    /// Appends the next row of the batch.
    pub(super) fn append(&mut self, formats: &[Format], out: &mut BytesMut) -> Result<(), Problem> {
        let start = out.len();
        let written = match self.copied {
            Some(layout) => layout.append(&self.batch, self.next, self.sent == 0, out),
            None => append_row(&self.batch, self.next, formats, out),
        };
        if let Err(error) = written {
            // Half a row would not be understood.
            out.truncate(start);
            return Err(Problem::new(code::OUT_OF_RANGE, error.to_string()));
        }
        self.next = self.next.saturating_add(1);
        self.sent = self.sent.saturating_add(1);
        Ok(())
    }

    /// The format of each column, from what the client asks for.
    pub(super) fn formats(&self, asked: &[Format]) -> Result<Vec<Format>, Problem> {
        formats(self.columns.len(), asked)
    }
}

fn append_row(batch: &[ArrayRef], row: usize, formats: &[Format], out: &mut BytesMut) -> Result<(), ArrowError> {
    answers::message(out, b'D', |out| {
        answers::put_count(out, batch.len());
        let formats = formats.iter().copied().chain(std::iter::repeat(Format::Text));
        batch.iter().zip(formats).try_for_each(|(column, format)| encode::append(column, row, format, out))
    })
}

/// The format of each of some columns, from what the client asks for.
pub(super) fn formats(columns: usize, asked: &[Format]) -> Result<Vec<Format>, Problem> {
    match asked {
        [] => Ok(vec![Format::Text; columns]),
        [one] => Ok(vec![*one; columns]),
        asked if asked.len() == columns => Ok(asked.to_vec()),
        asked => Err(Problem::new(code::PROTOCOL, format!("{columns} columns are asked for in {} formats", asked.len()))),
    }
}

/// The columns of a schema, with the names that PostgreSQL would give them.
pub(super) fn columns(schema: &Schema, labels: Option<Vec<Option<String>>>) -> Vec<Column> {
    let labels = labels.filter(|labels| labels.len() == schema.fields().len());
    let label = |index: usize| labels.as_ref().and_then(|labels| labels.get(index).cloned().flatten());
    let column = |(index, field): (usize, &Arc<arrow::datatypes::Field>)| Column {
        name: label(index).unwrap_or_else(|| field.name().clone()),
        modifier: types::modifier(field.data_type()),
        pg_type: types::of_arrow(field.data_type()),
    };
    schema.fields().iter().enumerate().map(column).collect()
}
