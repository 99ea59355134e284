//! A report as a document, before it is rendered.

use arrow::datatypes::{DataType, Field};

/// What a report says, and what it was made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// Name of the report.
    pub report: &'static str,
    /// Version of its sections and columns.
    pub version: u32,
    /// Its title.
    pub title: &'static str,
    /// The commit whose rows it shows.
    pub commit_id: u64,
    /// Hash of that commit.
    pub commit_hash: String,
    /// Names and values of the parameters.
    pub parameters: Vec<Parameter>,
    /// The tables of figures.
    pub sections: Vec<Section>,
    /// What validation found.
    pub findings: Vec<Finding>,
    /// The document as an earlier commit gives it, in one that amends it.
    pub earlier: Option<Box<Document>>,
}

/// A parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// Its name.
    pub name: &'static str,
    /// Its value.
    pub value: String,
}

/// A table of figures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// Its stable name.
    pub name: &'static str,
    /// Its title.
    pub title: String,
    /// Its columns.
    pub columns: Vec<Column>,
    /// Its rows, in a fixed order: a text for each column, or `None` for NULL.
    pub rows: Vec<Vec<Option<String>>>,
}

/// A column of a section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its stable name.
    pub name: String,
    /// Type of its values.
    pub kind: Kind,
}

/// Type of a column's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Text.
    Text,
    /// A whole number.
    Integer,
    /// An exact decimal.
    Decimal,
    /// A ratio or statistic: a binary floating-point number.
    Statistic,
    /// True or false.
    Boolean,
    /// A date or a time.
    Time,
}

/// A fact that a reader of the report must know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// `error`, `warning` or `information`.
    pub severity: String,
    /// Name of the check.
    pub check: &'static str,
    /// The row that it is about.
    pub key: String,
    /// A sentence.
    pub finding: String,
}

impl Column {
    /// The column of a query's result.
    pub(super) fn of(field: &Field) -> Self {
        Self { name: field.name().clone(), kind: Kind::of(field.data_type()) }
    }

    /// A column of text.
    pub(super) fn text(name: &str) -> Self {
        Self { name: name.to_owned(), kind: Kind::Text }
    }
}

impl Kind {
    fn of(data_type: &DataType) -> Self {
        match data_type {
            data_type if data_type.is_integer() => Self::Integer,
            data_type if data_type.is_decimal() => Self::Decimal,
            data_type if data_type.is_floating() => Self::Statistic,
            DataType::Boolean => Self::Boolean,
            data_type if data_type.is_temporal() => Self::Time,
            _ => Self::Text,
        }
    }

    /// Its name in renderings.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Integer => "integer",
            Self::Decimal => "decimal",
            Self::Statistic => "statistic",
            Self::Boolean => "boolean",
            Self::Time => "time",
        }
    }

    /// Whether values are aligned on the right.
    pub(super) const fn is_number(self) -> bool {
        matches!(self, Self::Integer | Self::Decimal | Self::Statistic)
    }
}
