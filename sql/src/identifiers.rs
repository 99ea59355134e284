//! Functions of SQL on identifiers: `is_isin`, `is_lei`, `is_iban`, and `json_text`, a field of a record's JSON.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray, StringArray};
use arrow::datatypes::DataType;
use datafusion::common::DataFusionError;
use datafusion::logical_expr::{ColumnarValue, ScalarUDF, Volatility, create_udf};
use serde_json::value::RawValue;

/// Every function.
pub(crate) fn identifier_functions() -> [ScalarUDF; 4] {
    [check("is_isin", is_isin), check("is_lei", is_lei), check("is_iban", is_iban), json_text()]
}

/// Whether a text is an ISIN: two letters, nine letters or digits, and the check digit of ISO 6166 (Luhn over the letters as numbers
/// from 10).
pub(crate) fn is_isin(text: &str) -> bool {
    let form = text.len() == 12
        && text.bytes().take(2).all(|byte| byte.is_ascii_uppercase())
        && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
        && text.bytes().last().is_some_and(|byte| byte.is_ascii_digit());
    let Some(digits) = decimal_digits(text).filter(|_| form) else { return false };
    let weighted = |(place, digit): (usize, &u32)| match digit * (1 + u32::from(place % 2 == 1)) {
        double if double > 9 => double - 9,
        single => single,
    };
    digits.iter().rev().enumerate().map(weighted).sum::<u32>() % 10 == 0
}

/// Whether a text is an LEI: 18 letters or digits and two check digits, together 1 modulo 97 with the letters as numbers from 10
/// (ISO 17442, ISO 7064 mod 97-10).
pub(crate) fn is_lei(text: &str) -> bool {
    let form = text.len() == 20
        && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
        && text.bytes().skip(18).all(|byte| byte.is_ascii_digit());
    form && is_one_modulo_97(text)
}

/// Whether a text is an IBAN in its electronic form: two letters, two check digits, and up to 30 letters or digits; with its first
/// four characters at the end, 1 modulo 97 with the letters as numbers from 10 (ISO 13616). The length that each country has is not
/// checked.
pub(crate) fn is_iban(text: &str) -> bool {
    let letters = |text: &str| text.bytes().all(|byte| byte.is_ascii_uppercase());
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let form = (5..=34).contains(&text.len()) && text.is_ascii();
    let Some((country, rest)) = text.split_at_checked(2).filter(|_| form) else { return false };
    let Some((check, account)) = rest.split_at_checked(2) else { return false };
    letters(country) && digits(check) && !account.is_empty() && is_one_modulo_97(&format!("{account}{country}{check}"))
}

/// Whether a text is 1 modulo 97 with its letters as numbers from 10 (ISO 7064 mod 97-10).
fn is_one_modulo_97(text: &str) -> bool {
    let remainder = |digits: Vec<u32>| digits.iter().fold(0, |remainder, digit| (remainder * 10 + digit) % 97);
    decimal_digits(text).is_some_and(|digits| remainder(digits) == 1)
}

/// The digits of a text with letters as numbers from 10 (A) to 35 (Z); `None` if it has other characters.
fn decimal_digits(text: &str) -> Option<Vec<u32>> {
    let mut digits = Vec::with_capacity(text.len() * 2);
    for letter in text.chars() {
        match letter.to_digit(36)? {
            number if number > 9 => digits.extend([number / 10, number % 10]),
            digit => digits.push(digit),
        }
    }
    Some(digits)
}

fn check(name: &str, function: fn(&str) -> bool) -> ScalarUDF {
    let of_column = move |arguments: &[ColumnarValue]| {
        let columns = ColumnarValue::values_to_arrays(arguments)?;
        let texts = texts(&columns, 0)?;
        let checked: BooleanArray = texts.iter().map(|text| text.map(function)).collect();
        Ok(ColumnarValue::Array(Arc::new(checked) as ArrayRef))
    };
    create_udf(name, vec![DataType::Utf8], DataType::Boolean, Volatility::Immutable, Arc::new(of_column))
}

/// The text or number in a field of a JSON object; NULL if the object does not have it.
fn json_text() -> ScalarUDF {
    let of_columns = |arguments: &[ColumnarValue]| {
        let columns = ColumnarValue::values_to_arrays(arguments)?;
        let (objects, fields) = (texts(&columns, 0)?, texts(&columns, 1)?);
        let found: StringArray = objects.iter().zip(fields.iter()).map(|(object, field)| field_of(object?, field?)).collect();
        Ok(ColumnarValue::Array(Arc::new(found) as ArrayRef))
    };
    create_udf("json_text", vec![DataType::Utf8, DataType::Utf8], DataType::Utf8, Volatility::Immutable, Arc::new(of_columns))
}

/// The text of a field. A number has the digits that are written.
fn field_of(object: &str, field: &str) -> Option<String> {
    let object: BTreeMap<String, &RawValue> = serde_json::from_str(object).ok()?;
    match object.get(field)?.get() {
        "null" => None,
        text if text.starts_with('"') => serde_json::from_str(text).ok(),
        other => Some(other.to_owned()),
    }
}

fn texts(columns: &[ArrayRef], place: usize) -> Result<&StringArray, DataFusionError> {
    let column = columns.get(place).and_then(|column| column.as_string_opt::<i32>());
    column.ok_or_else(|| DataFusionError::Internal("a column of text was promised".to_owned()))
}

#[cfg(test)]
mod tests {
    use crate::testing::{TestData, rows};

    #[test]
    fn identifiers_have_check_digits() {
        let catalog = TestData::new().catalog();
        for (call, expected) in [
            // Apple, Treasury Corporation of Victoria, and BAE Systems.
            ("is_isin('US0378331005')", "true"),
            ("is_isin('AU0000XVGZA3')", "true"),
            ("is_isin('GB0002634946')", "true"),
            ("is_isin('US0378331006')", "false"),
            ("is_isin('us0378331005')", "false"),
            ("is_isin('US037833100')", "false"),
            ("is_isin('')", "false"),
            ("is_isin(NULL)", ""),
            // The Global Legal Entity Identifier Foundation, and wrong digits.
            ("is_lei('506700GE1G29325QX363')", "true"),
            ("is_lei('506700GE1G29325QX364')", "false"),
            ("is_lei('5O6700GE1G29325QX363')", "false"),
            ("is_lei('506700GE1G29325QX36')", "false"),
            // The example of ISO 13616's registry for Germany and for Malta, and wrong ones.
            ("is_iban('DE89370400440532013000')", "true"),
            ("is_iban('MT84MALT011000012345MTLCAST001S')", "true"),
            ("is_iban('DE88370400440532013000')", "false"),
            ("is_iban('DE89 3704 0044 0532 0130 00')", "false"),
            ("is_iban('DE')", "false"),
            ("is_iban('A1')", "false"),
            ("json_text('{\"isin\":\"X\",\"n\":1.50,\"z\":null}', 'isin')", "X"),
            ("json_text('{\"isin\":\"X\"}', 'currency')", ""),
            // A floating-point number would be 1.5 and 12345678901234567000.
            ("json_text('{\"n\":1.50}', 'n')", "1.50"),
            ("json_text('{\"n\":12345678901234567.89}', 'n')", "12345678901234567.89"),
            ("json_text('{\"z\":null}', 'z')", ""),
            ("json_text('no JSON', 'z')", ""),
        ] {
            assert_eq!(rows(&catalog, &format!("SELECT {call}")), [expected], "{call}");
        }
    }
}
