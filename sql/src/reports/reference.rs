//! Reference data that the pipeline does not have, from a CSV file. The header tells which of two kinds the file is of.
//!
//! Figures have the header `kind,id,currency,class,value`: classes of assets, rates of flows, own funds, risk weights. Their fields are
//! plain: no quotes, no commas. What [`fields`] has is of firms and people.
//!
//! | kind | id | currency | class | value |
//! |---|---|---|---|---|
//! | `asset` | symbol | – | `1`, `2A` or `2B` | haircut, 0 to 1 |
//! | `outflow`, `inflow` | type of account | – | – | rate over 30 days, 0 to 1 |
//! | `own_funds` | `cet1`, `at1` or `tier2` | currency | – | amount |
//! | `risk_weight` | symbol | – | – | weight, 0 to 12.5 |

mod fields;

use std::collections::BTreeMap;

use headwater_schemas::value::fixed;
use headwater_schemas::{Digest, Money};

use crate::statement::quoted;
pub(super) use fields::FieldRow;

const HEADER: &str = "kind,id,currency,class,value";
const TYPES_OF_ACCOUNTS: [&str; 5] = ["checking", "savings", "credit", "loan", "investment"];
/// The greatest number of rows.
const MAX_ROWS: usize = 100_000;

/// The rows of a reference file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    content: Content,
    /// SHA-256 of the file.
    sha256: String,
}

/// What a reference file is about.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Content {
    Figures(Vec<Row>),
    Fields(Vec<FieldRow>),
}

/// The kind of a reference file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ReferenceKind {
    /// Amounts and rates.
    Figures,
    /// Fields of the firm, of customers, accounts and persons.
    Fields,
}

impl ReferenceKind {
    /// The header of its files.
    pub(super) const fn header(self) -> &'static str {
        match self {
            Self::Figures => HEADER,
            Self::Fields => fields::HEADER,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Row {
    kind: String,
    id: String,
    currency: String,
    class: String,
    value: Money,
}

impl Reference {
    /// Reads the text of a file, or reports all its problems.
    pub fn read(text: &str) -> Result<Self, Vec<String>> {
        let mut lines = (1..).zip(text.lines().map(|line| line.strip_suffix('\r').unwrap_or(line)));
        let header = lines.next().map_or("", |(_, line)| line);
        let lines = lines.filter(|(_, line)| !line.is_empty());
        let content =
            if header == fields::HEADER { Content::Fields(fields::read(lines)?) } else { Content::Figures(read_figures(header, lines)?) };
        Ok(Self { content, sha256: Digest::sha256(text).to_string() })
    }

    /// SHA-256 of the file.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    pub(super) const fn kind(&self) -> ReferenceKind {
        match self.content {
            Content::Figures(_) => ReferenceKind::Figures,
            Content::Fields(_) => ReferenceKind::Fields,
        }
    }

    /// The figures as a relation in SQL.
    pub(super) fn relation(&self) -> Option<String> {
        let Content::Figures(rows) = &self.content else { return None };
        let row = |row: &Row| {
            let texts = [&row.kind, &row.id, &row.currency, &row.class].map(|text| quoted(text)).join(", ");
            format!("({texts}, CAST('{}' AS DECIMAL(28, 9)))", row.value)
        };
        let rows = rows.iter().map(row).collect::<Vec<_>>().join(", ");
        Some(format!("(SELECT * FROM (VALUES {rows}) AS given(kind, id, currency, class, value))"))
    }

    /// The fields of the firm, of customers, accounts and persons.
    pub(super) fn fields(&self) -> &[FieldRow] {
        match &self.content {
            Content::Figures(_) => &[],
            Content::Fields(rows) => rows,
        }
    }
}

/// Reads the rows of a file of figures, or reports all its problems.
fn read_figures<'l>(header: &str, lines: impl Iterator<Item = (usize, &'l str)>) -> Result<Vec<Row>, Vec<String>> {
    let (mut rows, mut problems, mut known) = (Vec::new(), Vec::new(), BTreeMap::new());
    if header != HEADER {
        problems.push(format!("line 1: the header is {header:?}, and must be {HEADER:?}"));
    }
    for (number, line) in lines {
        let Some(row) = read_row(number, line, &mut problems) else { continue };
        let key = (row.kind.clone(), row.id.clone(), row.currency.clone());
        if let Some(first) = known.insert(key, number) {
            problems.push(format!("line {number}: the same kind, id and currency as in line {first}; remove one"));
        }
        rows.push(row);
    }
    if rows.is_empty() && problems.is_empty() {
        problems.push("line 2: there is no row; write at least one".to_owned());
    }
    if rows.len() > MAX_ROWS {
        problems.push(format!("line {}: more than {MAX_ROWS} rows; leave out what is not held", MAX_ROWS + 2));
    }
    rows.sort_by(|a, b| (&a.kind, &a.id, &a.currency).cmp(&(&b.kind, &b.id, &b.currency)));
    if problems.is_empty() { Ok(rows) } else { Err(problems) }
}

/// Reads a row; adds what is wrong to the problems, and is `None` then.
fn read_row(number: usize, line: &str, problems: &mut Vec<String>) -> Option<Row> {
    let before = problems.len();
    let fields: Vec<_> = line.split(',').collect();
    let [kind, id, currency, class, value] = fields[..] else {
        problems.push(format!("line {number}: {} fields instead of 5 ({HEADER})", fields.len()));
        return None;
    };
    let mut wrong = |column: &str, reason: String| problems.push(format!("line {number}, column {column}: {reason}"));
    if line.contains('"') {
        wrong("kind", "quotes are not read; write plain fields".to_owned());
    }
    let greatest = match kind {
        "asset" | "outflow" | "inflow" => Some(fixed::ONE),
        "risk_weight" => Some(fixed::ONE * 25 / 2),
        "own_funds" => None,
        _ => {
            wrong("kind", format!("{kind:?} is none of asset, outflow, inflow, own_funds, risk_weight"));
            return None;
        }
    };
    match kind {
        "outflow" | "inflow" if !TYPES_OF_ACCOUNTS.contains(&id) => {
            wrong("id", format!("{id:?} is no type of account; write one of {}", TYPES_OF_ACCOUNTS.join(", ")));
        }
        "own_funds" if !["cet1", "at1", "tier2"].contains(&id) => wrong("id", format!("{id:?} is none of cet1, at1, tier2")),
        _ if id.is_empty() => wrong("id", "it is empty; write a symbol".to_owned()),
        _ => {}
    }
    match (kind, currency.is_empty()) {
        ("own_funds", true) => wrong("currency", "it is empty; write the currency of the amount".to_owned()),
        ("own_funds", false) | (_, true) => {}
        _ => wrong("currency", format!("{kind} has none; leave it empty")),
    }
    match (kind, class) {
        ("asset", "1" | "2A" | "2B") => {}
        ("asset", _) => wrong("class", format!("{class:?} is none of 1, 2A, 2B")),
        (_, "") => {}
        _ => wrong("class", format!("{kind} has none; leave it empty")),
    }
    let units = match fixed::parse(value) {
        Ok(units) => units,
        Err(error) => {
            wrong("value", format!("{value:?} {error}"));
            0
        }
    };
    if let Some(greatest) = greatest.filter(|greatest| !(0..=*greatest).contains(&units)) {
        wrong("value", format!("{value} is not between 0 and {}", Money::from_units(greatest)));
    }
    let row = || Row { kind: kind.into(), id: id.into(), currency: currency.into(), class: class.into(), value: Money::from_units(units) };
    (problems.len() == before).then(row)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_and_becomes_a_relation() {
        let text = "kind,id,currency,class,value\nrisk_weight,S,,,0.5\nasset,S,,2A,0.15\n";
        let reference = Reference::read(text).unwrap();
        let expected = "(SELECT * FROM (VALUES ('asset', 'S', '', '2A', CAST('0.15' AS DECIMAL(28, 9))), \
                        ('risk_weight', 'S', '', '', CAST('0.5' AS DECIMAL(28, 9)))) AS given(kind, id, currency, class, value))";
        assert_eq!(reference.relation().as_deref(), Some(expected));
        assert_eq!(reference.sha256(), Digest::sha256(text).to_string());
    }

    #[test]
    fn all_problems_are_reported_at_once() {
        let text = "kind,id\nasset,,EUR,3,2\nbond,S,,,1\nown_funds,cet2,,,ten\nasset,S\noutflow,checking,,,0.1\noutflow,checking,,,0.2\n";
        let expected = [
            "line 1: the header is \"kind,id\", and must be \"kind,id,currency,class,value\"",
            "line 2, column id: it is empty; write a symbol",
            "line 2, column currency: asset has none; leave it empty",
            "line 2, column class: \"3\" is none of 1, 2A, 2B",
            "line 2, column value: 2 is not between 0 and 1",
            "line 3, column kind: \"bond\" is none of asset, outflow, inflow, own_funds, risk_weight",
            "line 4, column id: \"cet2\" is none of cet1, at1, tier2",
            "line 4, column currency: it is empty; write the currency of the amount",
            "line 4, column value: \"ten\" is not a decimal number; write digits like \"123.45\"",
            "line 5: 2 fields instead of 5 (kind,id,currency,class,value)",
            "line 7: the same kind, id and currency as in line 6; remove one",
        ];
        assert_eq!(Reference::read(text).unwrap_err(), expected);
        assert_eq!(Reference::read("kind,id,currency,class,value\n").unwrap_err(), ["line 2: there is no row; write at least one"]);
    }
}
