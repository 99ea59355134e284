//! A session of the query engine as a client sees it: with `pg_catalog`, and with the tables that the user may read.

use std::sync::Arc;

use super::functions::{Context, functions};
use super::pg_catalog::{self, PgCatalog};
use crate::error::QueryError;
use crate::query::Snapshot;
use crate::readable::readable;
use crate::rights::Rights;
use crate::session::{CATALOG, session};

/// The snapshot with a session for a client.
pub(super) fn for_clients(snapshot: &Snapshot, rights: &Rights, context: &Arc<Context>) -> Result<Snapshot, QueryError> {
    let resources = &snapshot.engine.resources;
    let session = session(&snapshot.committed, rights, &snapshot.config, resources).map_err(|error| readable(&error))?;
    for function in functions(context) {
        session.register_udf(function);
    }
    let Context { relations, settings, user, .. } = context.as_ref();
    let schema = Arc::new(PgCatalog::new(Arc::clone(relations), settings.clone(), user.clone()));
    let catalog = session.catalog(CATALOG).ok_or_else(|| QueryError::execution("the session has no catalog"))?;
    catalog.register_schema(pg_catalog::NAME, schema).map_err(|error| readable(&error))?;
    Ok(Snapshot { session, rights: rights.clone(), ..snapshot.clone() })
}
