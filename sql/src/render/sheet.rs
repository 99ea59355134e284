//! The first rows of a result as one JSON object, for programs that show them: every value is text or null.
//!
//! `{"commit_id":7,"columns":[{"name":"symbol","type":"VARCHAR","is_number":false}],"rows":[["AAPL"]],"is_cut":false}`
//!
//! A browser reads JSON numbers as floating point; text stays exact.

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use arrow::error::ArrowError;

use super::value;
use crate::describe::sql_type;

/// Bytes of rows after which a sheet is cut.
const BYTES_MAX: usize = 8 * 1024 * 1024;

/// The first rows of a result.
pub struct Sheet {
    json: String,
    rows: usize,
    is_cut: bool,
}

impl Sheet {
    pub(crate) fn new(commit_id: u64, schema: &Schema) -> Self {
        let mut json = format!("{{\"commit_id\":{commit_id},\"columns\":[");
        for (index, field) in schema.fields().iter().enumerate() {
            json.push_str(if index == 0 { "{\"name\":" } else { ",{\"name\":" });
            value::append_string(field.name(), &mut json);
            json.push_str(",\"type\":");
            value::append_string(&sql_type(field.data_type()), &mut json);
            json.push_str(if value::is_number(field.data_type()) { ",\"is_number\":true}" } else { ",\"is_number\":false}" });
        }
        json.push_str("],\"rows\":[");
        Self { json, rows: 0, is_cut: false }
    }

    /// Adds rows, up to a number of all rows.
    pub(crate) fn add(&mut self, batch: &RecordBatch, most: usize) -> Result<(), ArrowError> {
        for row in 0..batch.num_rows() {
            if self.rows >= most || self.json.len() > BYTES_MAX {
                self.is_cut = true;
                return Ok(());
            }
            self.json.push_str(if self.rows == 0 { "\n[" } else { ",\n[" });
            for column in 0..batch.num_columns() {
                if column > 0 {
                    self.json.push(',');
                }
                match value::text(batch, column, row)? {
                    Some(text) => value::append_string(&text, &mut self.json),
                    None => self.json.push_str("null"),
                }
            }
            self.json.push(']');
            self.rows = self.rows.saturating_add(1);
        }
        Ok(())
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Whether there are more rows.
    pub fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// The whole as JSON.
    pub fn into_json(mut self) -> String {
        self.json.push_str(if self.is_cut { "\n],\"is_cut\":true}\n" } else { "\n],\"is_cut\":false}\n" });
        self.json
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestData;

    #[test]
    fn every_value_is_text_and_rows_beyond_the_limit_are_left_out() {
        let catalog = TestData::new().catalog();
        let result = catalog.query("SELECT value AS n, 9007199254740993 AS big, 0.10 AS d, NULL AS x FROM generate_series(1, 5)").unwrap();
        let mut sheet = Sheet::new(result.commit_id(), result.schema());
        result.for_each(|batch| sheet.add(&batch.unwrap(), 2).unwrap());
        assert_eq!((sheet.rows(), sheet.is_cut()), (2, true));
        let json: serde_json::Value = serde_json::from_str(&sheet.into_json()).unwrap();
        assert_eq!(json["rows"], serde_json::json!([["1", "9007199254740993", "0.1", null], ["2", "9007199254740993", "0.1", null]]));
        assert_eq!(json["columns"][0], serde_json::json!({"name": "n", "type": "BIGINT", "is_number": true}));
        assert_eq!(json["is_cut"], true);
    }
}
