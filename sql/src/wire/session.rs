//! A session of the query engine as a client sees it: with `pg_catalog` and PostgreSQL's `information_schema`, and with the tables that the user may read.

use std::sync::Arc;

use super::functions::{Context, functions};
use super::information_schema::{self, InformationSchema};
use super::listing::Listed;
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
    let schema = Arc::new(Listed(PgCatalog::new(Arc::clone(relations), settings.clone(), user.clone())));
    let catalog = session.catalog(CATALOG).ok_or_else(|| QueryError::execution("the session has no catalog"))?;
    catalog.register_schema(pg_catalog::NAME, schema).map_err(|error| readable(&error))?;
    // In place of DataFusion's own, whose types have other names.
    session.state_ref().write().config_mut().options_mut().catalog.information_schema = false;
    let standard = Arc::new(Listed(InformationSchema::new(Arc::clone(relations), user.clone())));
    catalog.register_schema(information_schema::NAME, standard).map_err(|error| readable(&error))?;
    Ok(Snapshot { session, rights: rights.clone(), ..snapshot.clone() })
}
