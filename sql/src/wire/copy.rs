//! `COPY … TO STDOUT`: the rows of a query or a table to the client, as text, as CSV or in PostgreSQL's binary format.
//!
//! ```text
//! text    a line for each row; values between tabs, \N for NULL, \t \n \\ … within values
//! csv     a line for each row; values between commas, nothing for NULL, quotes around values that need them
//! binary  PGCOPY\n\xff\r\n\0 | u32 flags | u32 length of an extension | each row: i16 number of values, each with its length | i16 -1
//! ```
//!
//! Rows are those of a `SELECT`, with its rights and limits. Nothing is read from the client, and no file is read or written.

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use bytes::{BufMut, BytesMut};
use datafusion::sql::parser::Statement as Parsed;
use datafusion::sql::sqlparser::ast::{
    CopyLegacyCsvOption, CopyLegacyOption, CopyOption, CopySource, CopyTarget, Ident, ObjectName, Statement as Sql,
};
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use datafusion::sql::sqlparser::tokenizer::Token;
use tokio::io::{AsyncRead, AsyncWrite};

use super::answers::{self, Column};
use super::command::{self, Command};
use super::connection::{Connection, Fault, Limits};
use super::encode::{self, Format};
use super::problem::{Problem, code};
use crate::readable::readable;

/// What a copy in the binary format begins with: the signature, no flags, no extension.
const BINARY_HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
/// What it ends with, instead of a number of values.
const BINARY_END: i16 = -1;
/// Where a number in the binary format has its digits after the point: after its length, its number of digits, weight and sign.
const SCALE: std::ops::Range<usize> = 10..12;

/// How rows are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Layout {
    style: Style,
    /// Whether the first line has the names of the columns.
    has_names: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Style {
    #[default]
    Text,
    Csv,
    Binary,
}

/// Parses what follows the word `COPY` in a text.
pub(super) fn parse(parser: &mut Parser<'_>, text: &str) -> Result<Command, Problem> {
    let invalid = |error: ParserError| Problem::of(&readable(&error.into()), text);
    let Sql::Copy { source, to: true, target: CopyTarget::Stdout, options, legacy_options, .. } = parser.parse_copy().map_err(invalid)?
    else {
        let mend = "tables are written by the pipeline alone, and files by headwater export";
        return Err(Problem::new(code::READ_ONLY, format!("COPY only sends rows to the client (TO STDOUT): {mend}")));
    };
    while parser.consume_token(&Token::SemiColon) {}
    if parser.peek_token_ref().token != Token::EOF {
        return parser.expected("end of statement", parser.peek_token()).map_err(invalid);
    }
    let layout = Layout::of(&options, &legacy_options)?;
    match source {
        CopySource::Query(query) => Ok(Command::Copy { statement: Box::new(Parsed::Statement(Box::new(Sql::Query(query)))), layout }),
        CopySource::Table { table_name, columns } => match command::parse(&select(&table_name, &columns))? {
            Some(Command::Rows(statement)) => Ok(Command::Copy { statement, layout }),
            _ => Err(Problem::new(code::SYNTAX, format!("{table_name} is no table to copy"))),
        },
    }
}

fn select(table: &ObjectName, columns: &[Ident]) -> String {
    let columns: Vec<_> = columns.iter().map(Ident::to_string).collect();
    format!("SELECT {} FROM {table}", if columns.is_empty() { "*".to_owned() } else { columns.join(", ") })
}

impl Layout {
    fn of(options: &[CopyOption], legacy: &[CopyLegacyOption]) -> Result<Self, Problem> {
        let refused = |what: String| Problem::new(code::NOT_SUPPORTED, format!("COPY with {what} is not supported: FORMAT and HEADER are"));
        let mut layout = Self::default();
        for option in options {
            match option {
                CopyOption::Format(name) => layout.style = style(&name.value).ok_or_else(|| refused(option.to_string()))?,
                CopyOption::Header(has_names) => layout.has_names = *has_names,
                other => return Err(refused(other.to_string())),
            }
        }
        for option in legacy {
            match option {
                CopyLegacyOption::Binary => layout.style = Style::Binary,
                CopyLegacyOption::Csv(of_csv) if of_csv.iter().all(|option| *option == CopyLegacyCsvOption::Header) => {
                    layout.style = Style::Csv;
                    layout.has_names = !of_csv.is_empty();
                }
                other => return Err(refused(other.to_string())),
            }
        }
        if layout.style == Style::Binary && layout.has_names {
            return Err(refused("a header in the binary format".to_owned()));
        }
        Ok(layout)
    }

    /// Appends what comes before the rows.
    fn begin(self, columns: &[Column], out: &mut BytesMut) {
        answers::copy_out(out, columns.len(), if self.style == Style::Binary { Format::Binary } else { Format::Text });
        if self.has_names {
            answers::message(out, b'd', |out| {
                for (index, column) in columns.iter().enumerate() {
                    self.put_separator(index, out);
                    let start = out.len();
                    out.put_slice(column.name.as_bytes());
                    self.quote(start, out);
                }
                out.put_u8(b'\n');
            });
        }
    }

    /// Appends a row of plain columns.
    pub(super) fn append(self, columns: &[ArrayRef], row: usize, is_first: bool, out: &mut BytesMut) -> Result<(), ArrowError> {
        answers::message(out, b'd', |out| {
            if self.style == Style::Binary {
                // As PostgreSQL does, and DuckDB expects: the header is in the message of the first row.
                out.put_slice(if is_first { BINARY_HEADER } else { &[] });
                answers::put_count(out, columns.len());
                return columns.iter().try_for_each(|column| append_binary(column, row, out));
            }
            for (index, column) in columns.iter().enumerate() {
                self.put_separator(index, out);
                if !encode::is_null(column, row) {
                    let start = out.len();
                    encode::append_text(column, row, out)?;
                    self.quote(start, out);
                } else if self.style == Style::Text {
                    out.put_slice(b"\\N");
                }
            }
            out.put_u8(b'\n');
            Ok(())
        })
    }

    /// Appends what comes after the rows.
    fn end(self, rows: u64, out: &mut BytesMut) {
        if self.style == Style::Binary {
            answers::message(out, b'd', |out| {
                out.put_slice(if rows == 0 { BINARY_HEADER } else { &[] });
                out.put_i16(BINARY_END);
            });
        }
        answers::bare(out, answers::COPY_DONE);
        answers::complete(out, &format!("COPY {rows}"));
    }

    fn put_separator(self, index: usize, out: &mut BytesMut) {
        if index > 0 {
            out.put_u8(if self.style == Style::Csv { b',' } else { b'\t' });
        }
    }

    /// Writes a value, from its first byte on, so that nothing in it is taken for a separator, the end of a line or NULL.
    fn quote(self, start: usize, out: &mut BytesMut) {
        let value = out.get(start..).unwrap_or_default();
        let is_csv = self.style == Style::Csv;
        let needs_it = match is_csv {
            true => value.is_empty() || value == b"\\." || value.iter().any(|byte| matches!(byte, b',' | b'"' | b'\n' | b'\r')),
            false => value.iter().any(|byte| letter(*byte).is_some()),
        };
        if !needs_it {
            return;
        }
        let value = value.to_vec();
        out.truncate(start);
        if !is_csv {
            return value.into_iter().for_each(|byte| match letter(byte) {
                Some(letter) => out.put_slice(&[b'\\', letter]),
                None => out.put_u8(byte),
            });
        }
        out.put_u8(b'"');
        value.into_iter().for_each(|byte| out.put_slice(if byte == b'"' { b"\"\"" } else { std::slice::from_ref(&byte) }));
        out.put_u8(b'"');
    }
}

fn style(name: &str) -> Option<Style> {
    match name.to_lowercase().as_str() {
        "text" => Some(Style::Text),
        "csv" => Some(Style::Csv),
        "binary" => Some(Style::Binary),
        _ => None,
    }
}

/// What a character that has a meaning in the text format is written as, after a backslash.
const fn letter(byte: u8) -> Option<u8> {
    match byte {
        b'\\' => Some(b'\\'),
        0x08 => Some(b'b'),
        b'\t' => Some(b't'),
        b'\n' => Some(b'n'),
        0x0b => Some(b'v'),
        0x0c => Some(b'f'),
        b'\r' => Some(b'r'),
        _ => None,
    }
}

/// Appends a value with its length. As in PostgreSQL, a decimal has as many digits after the point as its column, zeros too: DuckDB takes
/// the number of digits from the value, and reads 1.5 among numbers of nine digits as 0.000000015 otherwise.
fn append_binary(column: &ArrayRef, row: usize, out: &mut BytesMut) -> Result<(), ArrowError> {
    let start = out.len();
    encode::append(column, row, Format::Binary, out)?;
    if let DataType::Decimal128(_, scale) | DataType::Decimal256(_, scale) = column.data_type()
        && let Ok(scale) = u16::try_from(*scale)
        && let Some(place) = out.get_mut(start..).and_then(|value| value.get_mut(SCALE))
    {
        place.copy_from_slice(&scale.to_be_bytes());
    }
    Ok(())
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Connection<S> {
    /// Sends the rows of a statement as a copy, and its tag.
    pub(super) async fn copy(&mut self, statement: &Parsed, layout: Layout, text: &str, limits: &mut Limits) -> Result<(), Fault> {
        let mut rows = self.begin(statement, text, limits).await?;
        rows.copied = Some(layout);
        layout.begin(&rows.columns, &mut self.frames.out);
        self.send(&mut rows, &[], 0, text, limits).await?;
        layout.end(rows.sent, &mut self.frames.out);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Decimal128Array, StringArray};

    use super::*;

    fn written(layout: Layout, columns: &[ArrayRef]) -> Vec<u8> {
        let mut out = BytesMut::new();
        layout.append(columns, 0, true, &mut out).unwrap();
        assert_eq!(out.first(), Some(&b'd'));
        out[5..].to_vec()
    }

    fn texts(texts: &[Option<&str>]) -> Vec<ArrayRef> {
        texts.iter().map(|text| -> ArrayRef { Arc::new(StringArray::from(vec![*text])) }).collect()
    }

    #[test]
    fn values_are_told_from_separators_and_null() {
        let columns = texts(&[Some("a\tb\nc\\d"), None, Some(""), Some("\\N"), Some("it's")]);
        assert_eq!(written(Layout::default(), &columns), b"a\\tb\\nc\\\\d\t\\N\t\t\\\\N\tit's\n");
        let csv = Layout { style: Style::Csv, has_names: false };
        let columns = texts(&[Some("a,b"), None, Some(""), Some("say \"x\""), Some("it's"), Some("x\ny"), Some("\\.")]);
        assert_eq!(written(csv, &columns), b"\"a,b\",,\"\",\"say \"\"x\"\"\",it's,\"x\ny\",\"\\.\"\n");
    }

    #[test]
    fn a_decimal_in_binary_has_the_digits_of_its_column() {
        let column = |value: Option<i128>| -> Vec<ArrayRef> {
            vec![Arc::new(Decimal128Array::from(vec![value]).with_precision_and_scale(38, 9).unwrap())]
        };
        let binary = Layout { style: Style::Binary, has_names: false };
        let row = |rest: &[u8]| [BINARY_HEADER, &[0, 1], rest].concat();
        // Digits 1 and 5000, weight 0, positive, nine digits after the point.
        let expected = row(&[0, 0, 0, 12, 0, 2, 0, 0, 0, 0, 0, 9, 0, 1, 0x13, 0x88]);
        assert_eq!(written(binary, &column(Some(1_500_000_000))), expected);
        assert_eq!(written(binary, &column(Some(0))), row(&[0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 9]));
        assert_eq!(written(binary, &column(None)), row(&[0xff; 4]));
    }
}
