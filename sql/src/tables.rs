//! The tables of the pipeline, as declared in the schemas.
//!
//! Every table exists, even without a commit: which names a query may use does not depend on the data.

use std::sync::{Arc, LazyLock};

use arrow::datatypes::{FieldRef, Schema, SchemaRef};
use headwater_connectors::parquet::columns::added_fields;
use headwater_connectors::parquet::record::FileRole;
use headwater_schemas::tables::{Declaration, TableKind, TableSpec, declarations};

/// The name of the table of commits.
pub(crate) const COMMITS: &str = "commits";

/// A table that the pipeline commits.
#[derive(Debug)]
pub struct Table {
    /// Its declaration.
    pub spec: TableSpec,
    fields: Vec<FieldRef>,
    docs: Vec<&'static str>,
}

static TABLES: LazyLock<Vec<Table>> = LazyLock::new(|| declarations().into_iter().map(Table::of).collect());

/// All tables that the pipeline commits.
pub fn tables() -> &'static [Table] {
    &TABLES
}

/// The table with a name.
pub(crate) fn table_named(name: &str) -> Option<&'static Table> {
    tables().iter().find(|table| table.spec.name == name)
}

impl Table {
    fn of(declaration: Declaration) -> Self {
        let Declaration { spec, fields, docs, words: _ } = declaration;
        Self { spec, fields: fields.into_iter().map(Arc::new).collect(), docs }
    }

    /// The columns of the files of a role.
    pub(crate) fn file_schema(&self, role: FileRole) -> SchemaRef {
        let added = added_fields(role).into_iter().map(Arc::new);
        Arc::new(Schema::new(self.fields.iter().cloned().chain(added).collect::<Vec<_>>()))
    }

    /// The columns of a state table's current rows: its own, and the commit that last changed the row.
    pub(crate) fn current_schema(&self) -> SchemaRef {
        self.file_schema(FileRole::Rows)
    }

    /// Description of a row: the first sentence of its declaration's comment.
    pub(crate) fn about(&self) -> &'static str {
        let comment = self.spec.about.trim();
        comment.find(". ").and_then(|end| comment.get(..=end)).unwrap_or(comment)
    }

    /// Description of a column of its own, one that no commit adds.
    pub(crate) fn column_about(&self, name: &str) -> Option<&'static str> {
        let column = self.fields.iter().position(|field| field.name() == name)?;
        self.docs.get(column).map(|doc| doc.trim())
    }

    /// Whether it has a column of its own with a name.
    pub(crate) fn has_column(&self, name: &str) -> bool {
        self.fields.iter().any(|field| field.name() == name)
    }

    /// Whether it has current rows.
    pub(crate) const fn is_state(&self) -> bool {
        matches!(self.spec.kind, TableKind::State | TableKind::Checkpoint)
    }

    /// The name of its kind.
    pub(crate) fn kind(&self) -> &'static str {
        match self.spec.kind {
            TableKind::Append | TableKind::Journal => "append",
            TableKind::State => "state",
            TableKind::Checkpoint => "checkpoint",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn keys_are_columns_and_no_column_has_the_name_of_an_added_one() {
        for table in tables() {
            let schema = table.file_schema(match table.spec.kind {
                TableKind::State => FileRole::History,
                TableKind::Checkpoint => FileRole::State,
                TableKind::Append | TableKind::Journal => FileRole::Rows,
            });
            assert!(table.spec.key.iter().all(|key| schema.index_of(key).is_ok()), "{}", table.spec.name);
            let names: BTreeSet<_> = schema.fields().iter().map(|field| field.name()).collect();
            assert_eq!(names.len(), schema.fields().len(), "{}", table.spec.name);
            assert!(schema.field_with_name("ts").is_ok(), "{}: files are pruned by it", table.spec.name);
        }
    }
}
