//! `md5(x)`, the hexadecimal digits that PostgreSQL gives.

use std::fmt::Write;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, StringArray};
use arrow::datatypes::DataType;
use datafusion::common::exec_err;
use datafusion::logical_expr::{ColumnarValue, ScalarUDF, Volatility, create_udf};
use md5::{Digest, Md5};

/// The function of a text.
pub(crate) fn md5_of_text() -> ScalarUDF {
    let of_column = |arguments: &[ColumnarValue]| {
        let columns = ColumnarValue::values_to_arrays(arguments)?;
        let [texts] = columns.as_slice() else { return exec_err!("a text was promised") };
        let hashes: StringArray = texts.as_string::<i32>().iter().map(|text| text.map(digits)).collect();
        Ok(ColumnarValue::Array(Arc::new(hashes) as ArrayRef))
    };
    create_udf("md5", vec![DataType::Utf8], DataType::Utf8, Volatility::Immutable, Arc::new(of_column))
}

fn digits(text: &str) -> String {
    let mut digits = String::with_capacity(32);
    for byte in Md5::digest(text.as_bytes()) {
        // Writing to a text cannot fail.
        let _ = write!(digits, "{byte:02x}");
    }
    digits
}

#[cfg(test)]
mod tests {
    use crate::testing::{TestData, rows};

    /// The digests are those of RFC 1321, A.5.
    #[test]
    fn a_text_has_a_digest() {
        let sql = "SELECT md5(x) FROM (VALUES (''), ('abc'), ('message digest'), (NULL)) AS v(x) ORDER BY length(x)";
        let digests = ["d41d8cd98f00b204e9800998ecf8427e", "900150983cd24fb0d6963f7d28e17f72", "f96b697d7cb7938d525a2f31aaf161d0", ""];
        assert_eq!(rows(&TestData::new().catalog(), sql), digests);
    }
}
