//! `SHOW TABLES` and `DESCRIBE`: the tables, and the columns of a table.

use std::sync::Arc;

use arrow::array::{BooleanArray, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use arrow::error::ArrowError;

use crate::commits_table;
use crate::names::{Relation, Visible};

/// One row per name that may follow FROM.
pub(crate) fn tables(visible: &Visible) -> Result<RecordBatch, ArrowError> {
    let relations: Vec<_> = Relation::all().into_iter().filter(|(name, _)| visible.has(name)).collect();
    let names = relations.iter().map(|(name, _)| name.clone()).collect();
    let kinds = relations.iter().map(|(_, relation)| relation.kind().to_owned()).collect();
    let keys = relations.iter().map(|(_, relation)| relation.key()).collect();
    let about = relations.iter().map(|(_, relation)| relation.about()).collect();
    texts(&[("table_name", names), ("kind", kinds), ("key", keys), ("about", about)])
}

/// One row per column.
pub(crate) fn columns(schema: &Schema) -> Result<RecordBatch, ArrowError> {
    let of = |text: fn(&Field) -> String| schema.fields().iter().map(|field| text(field)).collect();
    let nullable: BooleanArray = schema.fields().iter().map(|field| Some(field.is_nullable())).collect();
    let names = texts(&[("column_name", of(|field| field.name().clone())), ("data_type", of(|field| sql_type(field.data_type())))])?;
    let fields = [names.schema().fields().to_vec(), vec![Arc::new(Field::new("is_nullable", DataType::Boolean, false))]].concat();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), [names.columns().to_vec(), vec![Arc::new(nullable)]].concat())
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
}

/// The SQL name of a column's type.
fn sql_type(data_type: &DataType) -> String {
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
    use crate::tables::table_named;

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
