//! Output formats: a table for people, CSV and JSON for programs.
//!
//! A [`Renderer`] takes batches as they come and keeps none of them, so a result may be larger than memory. All formats write
//! values the same way ([`value`]).

pub(crate) mod csv;
mod json;
mod sheet;
mod table;
pub(crate) mod value;

use std::io::{self, BufWriter, Write};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use crate::catalog::QueryResult;
use crate::error::QueryError;
use crate::formats::formats;

pub use sheet::Sheet;

formats! {
    /// Output format.
    #[derive(Default)]
    Format {
        /// Aligned columns, for reading.
        #[default]
        Table = "table",
        /// A header line, then one line per row: NULL is empty, lists and structs are JSON text.
        Csv = "csv",
        /// An array with one object per row: decimals are strings, so that they stay exact.
        Json = "json",
    }
}

impl Format {
    /// A renderer for these columns.
    pub fn renderer(self, schema: &SchemaRef) -> Box<dyn Renderer> {
        match self {
            Self::Table => Box::new(table::Table::new(schema)),
            Self::Csv => Box::new(csv::Csv::new(schema)),
            Self::Json => Box::new(json::Json::new(schema)),
        }
    }
}

/// Writes a result, batch by batch: [`Renderer::batch`] for each, then [`Renderer::finish`].
pub trait Renderer {
    /// Writes rows.
    fn batch(&mut self, batch: &RecordBatch, out: &mut dyn Write) -> Result<(), QueryError>;
    /// Writes the rest; also the frame of a result without rows.
    fn finish(&mut self, out: &mut dyn Write) -> Result<(), QueryError>;
}

/// Each row of a batch as one JSON object, as [`Format::Json`] writes it: decimals are strings, times RFC 3339.
pub fn json_objects(batch: &RecordBatch) -> Result<Vec<String>, QueryError> {
    (0..batch.num_rows()).map(|row| Ok(json::object(batch, row)?)).collect()
}

/// A row of a batch as one JSON object, as [`Format::Json`] writes it.
pub(crate) fn json_object_of(batch: &RecordBatch, row: usize) -> Result<String, QueryError> {
    Ok(json::object(batch, row)?)
}

/// Summary of a written result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Number of rows.
    pub rows: usize,
    /// The commit of the rows; 0 if there was none.
    pub commit_id: u64,
}

impl QueryResult {
    /// Writes all rows. A reader that closes the pipe early (`| head`) is not an error.
    pub fn write(mut self, format: Format, out: &mut dyn Write) -> Result<Summary, QueryError> {
        let mut summary = Summary { rows: 0, commit_id: self.commit_id() };
        match self.write_all(format, &mut BufWriter::new(out), &mut summary) {
            Err(QueryError::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(summary),
            result => result.map(|()| summary),
        }
    }

    /// Writes all rows. A pipe that its reader closed is an error, so that nothing else is computed for it.
    pub(crate) fn write_until_closed(mut self, format: Format, out: &mut dyn Write) -> Result<Summary, QueryError> {
        let mut summary = Summary { rows: 0, commit_id: self.commit_id() };
        self.write_all(format, &mut BufWriter::new(out), &mut summary)?;
        Ok(summary)
    }

    fn write_all(&mut self, format: Format, out: &mut dyn Write, summary: &mut Summary) -> Result<(), QueryError> {
        let mut renderer = format.renderer(self.schema());
        for batch in self {
            let batch = batch?;
            renderer.batch(&batch, out)?;
            summary.rows += batch.num_rows();
        }
        renderer.finish(out)?;
        Ok(out.flush()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{TestData, text};

    const VALUES: &str = "SELECT * FROM (VALUES \
        (1, CAST('123.450000000' AS DECIMAL(28,9)), 'plain', CAST('2026-01-31T09:30:00.000000001Z' AS TIMESTAMPTZ), CAST('0.5' AS DOUBLE), true, [1, NULL]), \
        (-20, CAST('-1000000000' AS DECIMAL(28,9)), 'with \"quotes\", and\nlines', NULL, CAST('1e300' AS DOUBLE), false, []), \
        (NULL, NULL, '', CAST('1969-12-31T23:59:59Z' AS TIMESTAMPTZ), NULL, NULL, NULL)) AS t(i, d, s, t, f, b, l)";

    fn written(sql: &str, format: Format) -> String {
        text(&TestData::new().catalog(), sql, format).unwrap()
    }

    #[test]
    fn csv_has_a_header_and_null_is_empty() {
        let expected = "\
i,d,s,t,f,b,l
1,123.45,plain,2026-01-31T09:30:00.000000001Z,0.5,true,\"[1,null]\"
-20,-1000000000,\"with \"\"quotes\"\", and\nlines\",,1e300,false,[]
,,\"\",1969-12-31T23:59:59Z,,,
";
        assert_eq!(written(VALUES, Format::Csv), expected);
    }

    #[test]
    fn json_is_an_array_of_objects_with_exact_decimals() {
        let expected = r#"[
{"i":1,"d":"123.45","s":"plain","t":"2026-01-31T09:30:00.000000001Z","f":0.5,"b":true,"l":[1,null]},
{"i":-20,"d":"-1000000000","s":"with \"quotes\", and\nlines","t":null,"f":1e+300,"b":false,"l":[]},
{"i":null,"d":null,"s":"","t":"1969-12-31T23:59:59Z","f":null,"b":null,"l":null}
]
"#;
        assert_eq!(written(VALUES, Format::Json), expected);
        assert!(serde_json::from_str::<serde_json::Value>(expected).is_ok());
    }

    #[test]
    fn a_table_is_aligned_with_numbers_at_the_right() {
        let expected = "
    i |           d | s                  | t                              |     f | b     | l
------+-------------+--------------------+--------------------------------+-------+-------+----------
    1 |      123.45 | plain              | 2026-01-31T09:30:00.000000001Z |   0.5 | true  | [1,null]
  -20 | -1000000000 | with \"quotes\", and | NULL                           | 1e300 | false | []
      |             | lines              |                                |       |       |
 NULL |        NULL |                    | 1969-12-31T23:59:59Z           |  NULL | NULL  | NULL
";
        assert_eq!(format!("\n{}", written(VALUES, Format::Table)), expected);
    }

    #[test]
    fn a_terminal_is_not_told_what_to_do_by_data() {
        let sql = "SELECT 'a\\tb\u{1b}[31m\r' AS text".replace("\\\\t", "\t");
        assert_eq!(written(&sql, Format::Table).lines().last().unwrap(), " a\\tb\\u{1b}[31m\\r");
    }

    #[test]
    fn no_rows_still_have_their_columns() {
        let sql = "SELECT commit_id, hash FROM commits";
        assert_eq!(written(sql, Format::Csv), "commit_id,hash\n");
        assert_eq!(written(sql, Format::Json), "[]\n");
        assert_eq!(written(sql, Format::Table), " commit_id | hash\n-----------+------\n");
    }

    #[test]
    fn nested_and_unusual_values_are_json_too() {
        let sql = "SELECT NAMED_STRUCT('a', 1.50, 'b', ['x\"y']) AS s, CAST('NaN' AS DOUBLE) AS nan, DATE '2026-01-31' AS d, \
                   1 AS n, 2 AS n_2, NULL AS nothing, ARROW_CAST('v', 'Utf8View') AS v, ARROW_CAST('k', 'Dictionary(Int32, Utf8)') AS k";
        let expected = r#"[
{"s":{"a":"1.5","b":["x\"y"]},"nan":null,"d":"2026-01-31","n":1,"n_2":2,"nothing":null,"v":"v","k":"k"}
]
"#;
        assert_eq!(written(sql, Format::Json), expected);
        assert_eq!(written(sql, Format::Csv).lines().last().unwrap(), r#""{""a"":""1.5"",""b"":[""x\""y""]}",NaN,2026-01-31,1,2,,v,k"#);
    }

    #[test]
    fn no_value_is_lost_where_columns_have_one_name() {
        let sql = "SELECT * FROM (SELECT 1 AS count) AS a, (SELECT 2 AS count) AS b";
        assert_eq!(written(sql, Format::Json), "[\n{\"count\":1,\"count_2\":2}\n]\n");
        assert_eq!(written(sql, Format::Csv), "count,count\n1,2\n");
    }

    #[test]
    fn a_long_answer_streams_in_every_format() {
        let sql = "SELECT value FROM generate_series(1, 25000)";
        assert_eq!(written(sql, Format::Table).lines().count(), 25_002);
        assert_eq!(written(sql, Format::Csv).lines().count(), 25_001);
        assert_eq!(serde_json::from_str::<Vec<serde_json::Value>>(&written(sql, Format::Json)).unwrap().len(), 25_000);
    }

    #[test]
    fn a_reader_who_has_seen_enough_is_no_error() {
        struct Full;
        impl Write for Full {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let data = TestData::new();
        let catalog = data.catalog();
        assert!(catalog.query("SELECT value FROM generate_series(1, 1000000)").unwrap().write(Format::Csv, &mut Full).is_ok());
    }

    #[test]
    fn formats_have_names() {
        for format in Format::ALL {
            assert_eq!(format.as_str().parse(), Ok(*format));
        }
        assert_eq!("xml".parse::<Format>(), Err("there is no format \"xml\": give table, csv or json".to_owned()));
    }
}
