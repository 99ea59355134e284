//! Patterns of numbers as in PostgreSQL: `to_char(1234.5, 'FM999,999.00')`.
//!
//! DataFusion's `to_char` is of times alone. A pattern with the digits 9 or 0 is one of a number: 9 and 0 are digits, `.` or D the point, `,` or
//! G separates thousands, FM leaves spaces and trailing zeros out, S, MI and PR are signs, and what is in double quotes or no letter is itself.
//! The rules are those of `NUM_processor` in PostgreSQL's `formatting.c`.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, StringArray};
use arrow::compute::{CastOptions, cast, cast_with_options};
use arrow::datatypes::{DECIMAL256_MAX_PRECISION, DataType, Float64Type};
use datafusion::common::{Result, exec_datafusion_err, exec_err, plan_err};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};

/// The function of a number and a pattern.
pub(crate) const NAME: &str = "number_to_char";
/// The most digits of a pattern.
const DIGITS_MAX: usize = 60;

/// A part of a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Nine,
    Zero,
    Point,
    Comma,
    Minus,
    /// A sign or brackets, which are written beside digits.
    Sign,
    Text(String),
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Signs {
    /// A minus before the first digit, or a space.
    #[default]
    Leading,
    /// S before or after the digits.
    Before,
    After,
    /// MI, where it stands.
    Minus,
    /// PR.
    Brackets,
}

/// A pattern that was read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pattern {
    parts: Vec<Part>,
    signs: Signs,
    is_filled: bool,
    /// Digits before and after the point.
    before: usize,
    after: usize,
    has_point: bool,
    /// The places of the first 0 before the point, and of the last 0.
    first_zero: Option<usize>,
    last_zero: usize,
}

/// Whether a pattern is one of a number.
pub(crate) fn is_of_number(pattern: &str) -> bool {
    outside_quotes(pattern).any(|letter| matches!(letter, '0' | '9'))
}

fn outside_quotes(pattern: &str) -> impl Iterator<Item = char> {
    pattern.split('"').step_by(2).flat_map(str::chars)
}

impl Pattern {
    /// Reads a pattern; the part that is not known, if there is one.
    pub(crate) fn of(text: &str) -> std::result::Result<Self, String> {
        let (mut pattern, mut rest) = (Self::default(), text);
        while let Some(letter) = rest.chars().next() {
            let upper = rest.get(..2).unwrap_or_default().to_uppercase();
            if let Some((quoted, after)) = rest.strip_prefix('"').and_then(|rest| rest.split_once('"')) {
                pattern.parts.push(Part::Text(quoted.to_owned()));
                rest = after;
                continue;
            }
            let length = if ["FM", "MI", "PR"].contains(&upper.as_str()) { 2 } else { letter.len_utf8() };
            pattern.take(letter, &upper)?;
            rest = rest.get(length..).unwrap_or_default();
        }
        // S after all digits that are before the point.
        if pattern.signs == Signs::Before && pattern.sign_is_after_digits() {
            pattern.signs = Signs::After;
        }
        match pattern.before {
            0 => Err("a pattern without a digit before its point".to_owned()),
            before if before + pattern.after > DIGITS_MAX => Err(format!("a pattern with more than {DIGITS_MAX} digits")),
            _ => Ok(pattern),
        }
    }

    fn take(&mut self, letter: char, upper: &str) -> std::result::Result<(), String> {
        match (upper, letter) {
            ("FM", _) => self.is_filled = true,
            ("MI", _) => self.sign(Signs::Minus, Part::Minus)?,
            ("PR", _) => self.sign(Signs::Brackets, Part::Sign)?,
            (_, 'S' | 's') => self.sign(if self.has_point { Signs::After } else { Signs::Before }, Part::Sign)?,
            (_, '9' | '0') if self.signs == Signs::Brackets => return Err("a digit after PR".to_owned()),
            (_, '9') => self.digit(Part::Nine),
            (_, '0') => self.digit(Part::Zero),
            (_, '.' | 'D' | 'd') if self.has_point => return Err("a second point".to_owned()),
            (_, '.' | 'D' | 'd') => {
                self.has_point = true;
                self.parts.push(Part::Point);
            }
            (_, ',' | 'G' | 'g') => self.parts.push(Part::Comma),
            (_, letter) if letter.is_alphabetic() => return Err(format!("{letter:?}")),
            (_, letter) => self.parts.push(Part::Text(letter.to_string())),
        }
        Ok(())
    }

    fn sign(&mut self, signs: Signs, part: Part) -> std::result::Result<(), String> {
        if self.signs != Signs::Leading {
            return Err("a second sign".to_owned());
        }
        self.signs = signs;
        self.parts.push(part);
        Ok(())
    }

    fn digit(&mut self, part: Part) {
        if part == Part::Zero && !self.has_point && self.first_zero.is_none() {
            self.first_zero = Some(self.before);
        }
        if self.has_point {
            self.after += 1
        } else {
            self.before += 1
        }
        if part == Part::Zero {
            self.last_zero = self.before + self.after;
        }
        self.parts.push(part);
    }

    fn sign_is_after_digits(&self) -> bool {
        let after_sign = self.parts.iter().skip_while(|part| **part != Part::Sign);
        !after_sign.take_while(|part| **part != Part::Point).any(|part| matches!(part, Part::Nine | Part::Zero))
    }

    /// A number, written with as many digits after its point as the pattern has.
    fn written(&self, number: &str) -> String {
        let (is_negative, digits) = number.strip_prefix('-').map_or((false, number), |digits| (true, digits));
        let is_zero = digits.chars().all(|digit| matches!(digit, '0' | '.'));
        let is_negative = is_negative && !is_zero;
        let length = digits.split('.').next().unwrap_or_default().len();
        let digits =
            if length > self.before { format!("{}.{}", "#".repeat(self.before), "#".repeat(self.after)) } else { digits.to_owned() };
        Writing::new(self, is_negative, digits.chars().collect(), self.before.saturating_sub(length)).run()
    }
}

/// A number that is being written.
struct Writing<'p> {
    pattern: &'p Pattern,
    is_negative: bool,
    digits: Vec<char>,
    /// The next one of the digits.
    at: usize,
    /// Places before the first digit.
    spaces: usize,
    /// The next place.
    place: usize,
    /// The last digit that is written where spaces are left out.
    last_relevant: Option<usize>,
    sign_is_written: bool,
    digit_is_written: bool,
    text: String,
}

impl<'p> Writing<'p> {
    fn new(pattern: &'p Pattern, is_negative: bool, digits: Vec<char>, spaces: usize) -> Self {
        let last_relevant = (pattern.is_filled && pattern.has_point).then(|| last_relevant(&digits)).flatten().map(|last| {
            let kept = if pattern.last_zero > spaces { (pattern.last_zero - spaces).min(digits.len().saturating_sub(1)) } else { 0 };
            last.max(kept)
        });
        let sign_is_written = match pattern.signs {
            Signs::Minus => true,
            Signs::Leading | Signs::Brackets => !is_negative && pattern.is_filled,
            Signs::Before | Signs::After => false,
        };
        let (at, place, digit_is_written) = (0, 0, false);
        Self { pattern, is_negative, digits, at, spaces, place, last_relevant, sign_is_written, digit_is_written, text: String::new() }
    }

    fn run(mut self) -> String {
        let pattern = self.pattern;
        for part in &pattern.parts {
            match part {
                Part::Nine | Part::Zero | Part::Point => self.digit(part),
                Part::Comma if self.digit_is_written => self.text.push(','),
                Part::Comma if !pattern.is_filled => self.text.push(' '),
                Part::Minus if self.is_negative => self.text.push('-'),
                Part::Minus if !pattern.is_filled => self.text.push(' '),
                Part::Comma | Part::Minus | Part::Sign => {}
                Part::Text(text) => self.text.push_str(text),
            }
        }
        self.text
    }

    fn is(&self, place: usize, letter: char) -> bool {
        self.digits.get(place) == Some(&letter)
    }

    /// Whether the next digit is the zero of 0.5, for which a 9 has a space.
    fn is_zero_before_point(&self) -> bool {
        self.pattern.first_zero.is_none() && self.at == 0 && self.is(0, '0') && self.pattern.after > 0
    }

    fn last_is_point(&self) -> bool {
        self.last_relevant.is_some_and(|last| self.is(last, '.'))
    }

    fn digit(&mut self, part: &Part) {
        let zeros_begin = self.pattern.first_zero;
        self.digit_is_written = false;
        let is_reached = self.place >= self.spaces || zeros_begin == Some(self.place);
        if !self.sign_is_written && is_reached && (!self.is_zero_before_point() || self.last_is_point()) {
            self.sign();
        }
        if self.place < self.spaces {
            if zeros_begin.is_some_and(|first| first <= self.place) {
                self.text.push('0');
                self.digit_is_written = true;
            } else if !self.pattern.is_filled {
                self.text.push(' ');
            }
        } else {
            self.next_digit(part);
            self.at = (self.at + 1).min(self.digits.len());
        }
        self.place += 1;
        let is_end = self.place == self.pattern.before + self.pattern.after + usize::from(self.pattern.has_point);
        if is_end {
            self.end();
        }
    }

    fn next_digit(&mut self, part: &Part) {
        if self.is(self.at, '.') {
            self.text.push('.');
        } else if self.last_relevant.is_some_and(|last| self.at > last) && *part != Part::Zero {
        } else if self.is_zero_before_point() {
            if !self.pattern.is_filled {
                self.text.push(' ');
            } else if self.last_is_point() {
                self.text.push('0');
            }
        } else if let Some(digit) = self.digits.get(self.at) {
            self.text.push(*digit);
            self.digit_is_written = true;
        }
    }

    fn sign(&mut self) {
        match (self.pattern.signs, self.is_negative) {
            (Signs::After, _) => return,
            (Signs::Before | Signs::Leading, true) => self.text.push('-'),
            (Signs::Before, false) => self.text.push('+'),
            (Signs::Brackets, true) => self.text.push('<'),
            (Signs::Leading | Signs::Brackets, false) if !self.pattern.is_filled => self.text.push(' '),
            _ => {}
        }
        self.sign_is_written = true;
    }

    fn end(&mut self) {
        match (self.pattern.signs, self.is_negative) {
            (Signs::Brackets, true) => self.text.push('>'),
            (Signs::Brackets, false) if !self.pattern.is_filled => self.text.push(' '),
            (Signs::After, is_negative) => self.text.push(if is_negative { '-' } else { '+' }),
            _ => {}
        }
    }
}

/// The last digit after the point that is not zero, or the point.
fn last_relevant(digits: &[char]) -> Option<usize> {
    let point = digits.iter().position(|digit| *digit == '.')?;
    digits.iter().rposition(|digit| *digit != '0').map(|last| last.max(point))
}

/// The function of a number and a pattern.
pub(crate) fn number_to_char() -> ScalarUDF {
    ScalarUDF::new_from_impl(NumberToChar { signature: Signature::any(2, Volatility::Immutable) })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct NumberToChar {
    signature: Signature,
}

impl ScalarUDFImpl for NumberToChar {
    fn name(&self) -> &'static str {
        NAME
    }

    /// That of the function in the query.
    fn schema_name(&self, arguments: &[datafusion::logical_expr::Expr]) -> Result<String> {
        let [number, pattern] = arguments else { return plan_err!("to_char needs a number and a pattern") };
        Ok(format!("to_char({},{})", number.schema_name(), pattern.schema_name()))
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        match types {
            [number, _] if number.is_numeric() || number.is_null() => Ok(DataType::Utf8),
            [other, _] => plan_err!("to_char: 9 and 0 in a pattern are digits of a number, and {other} is none"),
            _ => plan_err!("to_char needs a number and a pattern"),
        }
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let columns = ColumnarValue::values_to_arrays(&arguments.args)?;
        let [numbers, patterns] = columns.as_slice() else { return exec_err!("to_char needs a number and a pattern") };
        let text = patterns.as_string::<i32>().iter().flatten().next().unwrap_or_default();
        let pattern = Pattern::of(text).map_err(|part| exec_datafusion_err!("to_char: {part} in the pattern {text:?} is not supported"))?;
        let numbers = with_digits(numbers, pattern.after)?;
        let written: StringArray = numbers.as_string::<i32>().iter().map(|number| number.map(|number| pattern.written(number))).collect();
        Ok(ColumnarValue::Array(Arc::new(written) as ArrayRef))
    }
}

/// Numbers as text, rounded to so many digits after their points.
fn with_digits(numbers: &ArrayRef, digits: usize) -> Result<ArrayRef> {
    if numbers.data_type().is_floating() {
        let numbers = cast(numbers, &DataType::Float64)?;
        let texts: StringArray =
            numbers.as_primitive::<Float64Type>().iter().map(|number| number.map(|number| format!("{number:.digits$}"))).collect();
        return Ok(Arc::new(texts));
    }
    let options = CastOptions { safe: false, ..CastOptions::default() };
    let scale = i8::try_from(digits).unwrap_or_default();
    let rounded = cast_with_options(numbers, &DataType::Decimal256(DECIMAL256_MAX_PRECISION, scale), &options)?;
    Ok(cast(&rounded, &DataType::Utf8)?)
}

#[cfg(test)]
mod tests {
    use crate::testing::{TestData, message, rows};

    /// The answers are those of PostgreSQL 15.
    #[test]
    fn a_number_is_written_as_its_pattern_says() {
        let catalog = TestData::new().catalog();
        for (number, pattern, expected) in [
            ("1234567.891", "9,999,999.99", " 1,234,567.89"),
            ("1234.5", "FM999,999.00", "1,234.50"),
            ("-5", "999", "  -5"),
            ("0.5", "0.00", " 0.50"),
            ("0.5", "9.99", "  .50"),
            ("5", "000", " 005"),
            ("1234.5", "FM$999,999.00", "$1,234.50"),
            ("-12.3", "S99.9", "-12.3"),
            ("12.3", "S99.9", "+12.3"),
            ("-12.3", "99.9S", "12.3-"),
            ("-12.3", "99.9MI", "12.3-"),
            ("-12.3", "99.9PR", "<12.3>"),
            ("12345.678", "FM999G999D00", "12,345.68"),
            ("0.5", "FM990.99", "0.5"),
            ("7", "FM990.99", "7."),
            ("-0.004", "FM990.00", "0.00"),
            ("1234", "999", " ###"),
            ("2.5::float8", "FM9.00", "2.50"),
            ("12.3456", "FM990.00\" EUR\"", "12.35 EUR"),
            ("25.5", "FM990.0%", "25.5%"),
            ("NULL::numeric", "999", ""),
        ] {
            let sql = format!("SELECT '[' || to_char({number}, '{pattern}') || ']' AS t");
            let expected = if expected.is_empty() { String::new() } else { format!("[{expected}]") };
            assert_eq!(rows(&catalog, &sql).concat().trim_matches('"').replace("\"\"", "\""), expected, "{number} {pattern}");
        }
        for pattern in ["99V99", "RN9", "9.9EEEE", "PR99"] {
            let refused = message(&catalog, &format!("SELECT to_char(1, '{pattern}')"));
            assert!(refused.starts_with("to_char: ") && refused.contains("is not supported"), "{refused}");
        }
    }
}
