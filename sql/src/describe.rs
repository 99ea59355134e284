//! `SHOW TABLES` and `DESCRIBE`: the tables, and the columns of a table.

use std::sync::Arc;

use arrow::array::{BooleanArray, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use arrow::error::ArrowError;
use headwater_connectors::parquet::columns::{CHANGE, COMMIT_ID, REASON, TICK};

use crate::commits_table;
use crate::names::Relation;
use crate::rights::Rights;
use crate::tables::table_named;

/// Columns that commits add to tables and histories.
const ADDED: [(&str, &str); 4] = [
    (CHANGE, "1 for a row that came, -1 for one that went."),
    (TICK, "The tick of the change."),
    (REASON, "Why it changed, where an earlier event was taken back or came late."),
    (COMMIT_ID, "The commit that wrote the row."),
];

/// One row per name that may follow FROM.
pub(crate) fn tables(rights: &Rights) -> Result<RecordBatch, ArrowError> {
    let relations: Vec<_> = Relation::all().into_iter().filter(|(name, _)| rights.has(name)).collect();
    let names = relations.iter().map(|(name, _)| name.clone()).collect();
    let kinds = relations.iter().map(|(_, relation)| relation.kind().to_owned()).collect();
    let keys = relations.iter().map(|(_, relation)| relation.key()).collect();
    let about = relations.iter().map(|(_, relation)| relation.about()).collect();
    texts(&[("table_name", names), ("kind", kinds), ("key", keys), ("about", about)])
}

/// One row per column of a relation, or of a table that the session has beside them.
pub(crate) fn columns(relation: Option<Relation>, schema: &Schema) -> Result<RecordBatch, ArrowError> {
    let of = |text: fn(&Field) -> String| schema.fields().iter().map(|field| text(field)).collect();
    let about = |field: &Arc<Field>| relation.map_or("", |relation| relation.column_about(field.name())).to_owned();
    let nullable: BooleanArray = schema.fields().iter().map(|field| Some(field.is_nullable())).collect();
    let names = texts(&[("column_name", of(|field| field.name().clone())), ("data_type", of(|field| sql_type(field.data_type())))])?;
    let about = texts(&[("about", schema.fields().iter().map(about).collect())])?;
    let is_nullable = vec![Arc::new(Field::new("is_nullable", DataType::Boolean, false))];
    let fields = [names.schema().fields().to_vec(), is_nullable, about.schema().fields().to_vec()].concat();
    let columns = [names.columns().to_vec(), vec![Arc::new(nullable)], about.columns().to_vec()].concat();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
}

fn texts(columns: &[(&str, Vec<String>)]) -> Result<RecordBatch, ArrowError> {
    let fields: Vec<_> = columns.iter().map(|(name, _)| Field::new(*name, DataType::Utf8, false)).collect();
    let arrays = columns.iter().map(|(_, values)| Arc::new(StringArray::from_iter_values(values)) as _).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)
}

impl Relation {
    fn kind(self) -> &'static str {
        match self {
            Self::Facts(table) | Self::Current(table) => table.kind(),
            Self::History(_) => "history",
            Self::Commits => "append",
            Self::View(_) => "view",
        }
    }

    fn key(self) -> String {
        match self {
            Self::Facts(table) | Self::Current(table) => table.spec.key.join(", "),
            Self::Commits => "commit_id".to_owned(),
            Self::History(_) | Self::View(_) => String::new(),
        }
    }

    pub(crate) fn about(self) -> String {
        match self {
            Self::Facts(table) | Self::Current(table) => table.about().to_owned(),
            Self::History(table) => format!("every change of {}: +1 came, -1 went", table.spec.name),
            Self::Commits => commits_table::ABOUT.to_owned(),
            Self::View(view) => view.question().to_owned(),
        }
    }

    /// Description of a column; empty if there is none.
    pub(crate) fn column_about(self, column: &str) -> &'static str {
        let added = || ADDED.iter().find(|(name, _)| *name == column).map(|(_, about)| *about);
        let own = match self {
            Self::Facts(table) | Self::Current(table) | Self::History(table) => table.column_about(column),
            Self::Commits => commits_table::column_about(column),
            Self::View(view) => view.column_about(column).or_else(|| view.reads().find_map(|name| table_named(name)?.column_about(column))),
        };
        own.or_else(added).unwrap_or_default()
    }
}

/// The SQL name of a column's type.
pub(crate) fn sql_type(data_type: &DataType) -> String {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "VARCHAR".to_owned(),
        DataType::Boolean => "BOOLEAN".to_owned(),
        DataType::Int32 => "INT".to_owned(),
        DataType::Int64 => "BIGINT".to_owned(),
        DataType::UInt64 => "BIGINT UNSIGNED".to_owned(),
        DataType::Float64 => "DOUBLE".to_owned(),
        DataType::Date32 => "DATE".to_owned(),
        DataType::Decimal128(precision, scale) => format!("DECIMAL({precision},{scale})"),
        DataType::Timestamp(unit, zone) => {
            let digits = match unit {
                TimeUnit::Second => "s",
                TimeUnit::Millisecond => "ms",
                TimeUnit::Microsecond => "us",
                TimeUnit::Nanosecond => "ns",
            };
            zone.as_ref().map_or_else(|| format!("TIMESTAMP({digits})"), |zone| format!("TIMESTAMP({digits}, {zone})"))
        }
        DataType::List(item) | DataType::LargeList(item) => format!("LIST<{}>", sql_type(item.data_type())),
        DataType::Struct(fields) => {
            let parts: Vec<_> = fields.iter().map(|field| format!("{} {}", field.name(), sql_type(field.data_type()))).collect();
            format!("STRUCT<{}>", parts.join(", "))
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{TestData, rows};

    #[test]
    fn every_column_has_a_description() {
        let catalog = TestData::new().catalog();
        for (name, _) in Relation::all().into_iter().filter(|(name, _)| !name.starts_with("invariant_")) {
            let columns = rows(&catalog, &format!("DESCRIBE {name}"));
            let without: Vec<_> = columns.iter().filter(|line| line.ends_with(",\"\"") || line.ends_with(',')).collect();
            assert!(without.is_empty(), "{name}: {without:?}");
        }
    }

    #[test]
    fn types_read_as_one_writes_them() {
        let schema = table_named("decisions").map(|table| table.current_schema()).expect("a table");
        let types: Vec<_> = schema.fields().iter().map(|field| format!("{} {}", field.name(), sql_type(field.data_type()))).collect();
        assert!(types.contains(&"ts TIMESTAMP(ns, UTC)".to_owned()), "{types:?}");
        assert!(types.contains(&"score DOUBLE".to_owned()), "{types:?}");
        assert!(types.contains(&"reasons LIST<STRUCT<rule VARCHAR, points DOUBLE, evidence LIST<VARCHAR>>>".to_owned()), "{types:?}");
        assert_eq!(sql_type(&DataType::Decimal128(28, 9)), "DECIMAL(28,9)");
    }
}
