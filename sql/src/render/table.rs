//! Aligned columns, numbers on the right. The first rows determine the width of each column, so that a long result streams; a
//! later, wider value is written in full, out of alignment. A value with several lines takes several lines.

use std::io::Write;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use super::{Renderer, value};
use crate::error::QueryError;

/// Number of rows that determine the widths.
const ROWS_MEASURED: usize = 1000;
/// Maximum padding of a column, so that one long text does not widen all rows.
const WIDTH_MAX: usize = 60;
/// Text for NULL.
const NULL: &str = "NULL";

pub(super) struct Table {
    names: Vec<String>,
    numbers: Vec<bool>,
    waiting: Vec<Vec<String>>,
    /// Known once the header is written.
    widths: Option<Vec<usize>>,
}

impl Table {
    pub(super) fn new(schema: &SchemaRef) -> Self {
        Self {
            names: schema.fields().iter().map(|field| field.name().clone()).collect(),
            numbers: schema.fields().iter().map(|field| value::is_number(field.data_type())).collect(),
            waiting: Vec::new(),
            widths: None,
        }
    }

    /// Measures the widths, and writes the header and the waiting rows.
    fn start(&mut self, out: &mut dyn Write) -> Result<(), QueryError> {
        if self.widths.is_some() {
            return Ok(());
        }
        let measure = |(column, name): (usize, &String)| {
            let cells = self.waiting.iter().filter_map(|row| row.get(column)).flat_map(|cell| cell.lines()).map(width);
            cells.max().unwrap_or(0).min(WIDTH_MAX).max(width(name))
        };
        let widths: Vec<_> = self.names.iter().enumerate().map(measure).collect();
        write_row(&self.names, &widths, &self.numbers, out)?;
        let rules: Vec<_> = widths.iter().map(|width| "-".repeat(width + 2)).collect();
        writeln!(out, "{}", rules.join("+"))?;
        for row in self.waiting.drain(..) {
            write_row(&row, &widths, &self.numbers, out)?;
        }
        self.widths = Some(widths);
        Ok(())
    }
}

impl Renderer for Table {
    fn batch(&mut self, batch: &RecordBatch, out: &mut dyn Write) -> Result<(), QueryError> {
        for row in 0..batch.num_rows() {
            let cell = |column| Ok(value::text(batch, column, row)?.map_or_else(|| NULL.to_owned(), |text| printable(&text)));
            let cells = (0..batch.num_columns()).map(cell).collect::<Result<Vec<_>, QueryError>>()?;
            match &self.widths {
                Some(widths) => write_row(&cells, widths, &self.numbers, out)?,
                None => self.waiting.push(cells),
            }
            if self.waiting.len() >= ROWS_MEASURED {
                self.start(out)?;
            }
        }
        Ok(())
    }

    fn finish(&mut self, out: &mut dyn Write) -> Result<(), QueryError> {
        self.start(out)
    }
}

fn write_row(cells: &[String], widths: &[usize], at_the_right: &[bool], out: &mut dyn Write) -> Result<(), QueryError> {
    let lines: Vec<Vec<&str>> = cells.iter().map(|cell| cell.lines().collect()).collect();
    let height = lines.iter().map(Vec::len).max().unwrap_or(0).max(1);
    for line in 0..height {
        let parts: Vec<_> = lines.iter().map(|lines| lines.get(line).copied().unwrap_or_default()).collect();
        write_line(&parts, widths, at_the_right, out)?;
    }
    Ok(())
}

fn write_line(parts: &[&str], widths: &[usize], at_the_right: &[bool], out: &mut dyn Write) -> Result<(), QueryError> {
    let mut line = String::new();
    for (index, ((part, width_wanted), right)) in parts.iter().zip(widths).zip(at_the_right).enumerate() {
        if index > 0 {
            line.push('|');
        }
        let padding = " ".repeat(width_wanted.saturating_sub(width(part)));
        let (left, right) = if *right { (padding.as_str(), "") } else { ("", padding.as_str()) };
        line.extend([" ", left, part, right, " "]);
    }
    Ok(writeln!(out, "{}", line.trim_end())?)
}

fn width(text: &str) -> usize {
    text.chars().count()
}

/// Replaces tabs, escape sequences and other control characters, which could break the table or the terminal.
fn printable(text: &str) -> String {
    let strange = |letter: char| letter.is_control() && letter != '\n';
    let show = |letter: char| if strange(letter) { letter.escape_default().to_string() } else { letter.to_string() };
    if text.contains(strange) { text.chars().map(show).collect() } else { text.to_owned() }
}
