//! The relations as `pg_catalog` describes them: numbers, columns, purposes.

use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use datafusion::catalog::SchemaProvider;
use datafusion::common::Result;

use super::pg_catalog;
use crate::commits_table;
use crate::names::Relation;
use crate::rights::Rights;

/// The first number of what is not PostgreSQL's own.
const FIRST_OID: u32 = 16_384;

/// Numbers of the schemas, the database, the owner and the tablespace, as PostgreSQL has them.
pub(super) const PG_CATALOG: u32 = 11;
pub(super) const PUBLIC: u32 = 2200;
pub(super) const INFORMATION_SCHEMA: u32 = 13_000;
pub(super) const DATABASE: u32 = 5;
pub(super) const OWNER: u32 = 10;
pub(super) const TABLESPACE: u32 = 1663;
/// The number of `pg_class` among the relations, which descriptions name.
pub(super) const PG_CLASS: u32 = 1259;

/// A table or view.
#[derive(Clone, Debug)]
pub(super) struct Described {
    pub(super) oid: u32,
    pub(super) name: String,
    /// The query of a view.
    pub(super) definition: Option<&'static str>,
    pub(super) about: String,
    /// Descriptions of the columns, in order; empty where there is none.
    pub(super) columns_about: Vec<&'static str>,
    pub(super) schema: SchemaRef,
}

/// All relations; which there are, and their columns, do not depend on commits.
#[derive(Debug, Default)]
pub(super) struct Relations {
    all: Vec<Described>,
}

impl Relations {
    /// Describes all relations of a session that may read all of them.
    pub(super) async fn describe(names: &dyn SchemaProvider) -> Result<Self> {
        let mut all = Vec::new();
        for (oid, (name, relation)) in (FIRST_OID..).zip(Relation::all()) {
            let schema = match relation {
                // Its rows are read with it.
                Relation::Commits => commits_table::schema(),
                _ => names.table(&name).await?.map_or_else(|| Arc::new(Schema::empty()), |table| table.schema()),
            };
            let definition = match relation {
                Relation::View(view) => Some(view.sql),
                _ => None,
            };
            let columns_about = schema.fields().iter().map(|field| relation.column_about(field.name())).collect();
            all.push(Described { oid, name, definition, about: relation.about(), columns_about, schema });
        }
        Ok(Self { all })
    }

    /// Those that may be read.
    pub(super) fn readable(&self, rights: &Rights) -> Self {
        Self { all: self.all.iter().filter(|relation| rights.has(&relation.name)).cloned().collect() }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Described> {
        self.all.iter()
    }

    pub(super) fn with_oid(&self, oid: u32) -> Option<&Described> {
        self.all.iter().find(|relation| relation.oid == oid)
    }

    /// The number of a relation, which may be one of the catalog's own.
    pub(super) fn oid(&self, name: &str) -> Option<u32> {
        let name = name.replace('"', "");
        let name = name.rsplit('.').next().unwrap_or_default();
        match name {
            "pg_class" => Some(PG_CLASS),
            "pg_namespace" => Some(2615),
            "pg_type" => Some(1247),
            "pg_attribute" => Some(1249),
            "pg_proc" => Some(1255),
            "pg_database" => Some(1262),
            name => {
                let own = self.all.iter().find(|relation| relation.name == name).map(|relation| relation.oid);
                own.or_else(|| pg_catalog::number(name))
            }
        }
    }
}
