//! What takes longer than a query: `GET /api/explain` and `POST /api/verify`, each as its command does it.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use headwater_connectors::fault::with_causes;
use headwater_sql::Reader;
use tokio::time::timeout;

use super::api::{Json, check_media_type};
use super::desk::{Desk, apart};
use super::parameters::Parameters;
use super::refusal::Refusal;
use crate::commands::explain;

/// Threads of a verification: the run and the queries need the others.
const THREADS: usize = 1;

/// `GET /api/explain?id=ID`
pub(super) async fn explain(
    State(desk): State<Arc<Desk>>,
    RawQuery(query): RawQuery,
    Extension(reader): Extension<Reader>,
) -> Result<Json, Refusal> {
    reads_all(&reader, "explanations read tables of all kinds")?;
    let parameters = Parameters::read(query.as_deref(), &["id"])?;
    let (id, data) = (parameters.required("id")?.to_owned(), desk.data().to_owned());
    // One place among the queries, for all the queries of an explanation.
    let _turn = reader.turn().await?;
    reader.newest_commit().await?;
    let access = reader.access().clone();
    let text = apart(move || explain::text(access.catalog(), &data, &id)).await?;
    let text = text.map_err(|error| match error.downcast_ref::<explain::UnknownId>() {
        Some(unknown) => Refusal::new(StatusCode::NOT_FOUND, "unknown_id", unknown.to_string()),
        None => Refusal::failure(&error),
    })?;
    Ok(Json(serde_json::json!({ "text": text }).to_string()))
}

/// `POST /api/verify`
pub(super) async fn verify(
    State(desk): State<Arc<Desk>>,
    headers: HeaderMap,
    Extension(reader): Extension<Reader>,
) -> Result<Json, Refusal> {
    check_media_type(&headers, "application/json")?;
    reads_all(&reader, "a proof reads all tables")?;
    let busy = |_| Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "busy", "the files are being verified already: wait until that is done");
    let permit = Arc::clone(&desk.verifying).try_acquire_owned().map_err(busy)?;
    let data = desk.data().to_owned();
    let proving = apart(move || {
        let proof = headwater_sql::verify(&data, THREADS);
        drop(permit);
        proof
    });
    let limit = std::time::Duration::from_secs(match desk.config().timeout_seconds {
        0 => 3600,
        seconds => seconds,
    });
    let late = |_| {
        let message = format!("the proof takes longer than {} s: run headwater verify --data {}", limit.as_secs(), desk.data().display());
        Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "timeout", message)
    };
    let shown = match timeout(limit, proving).await.map_err(late)?? {
        Ok(proof) => serde_json::json!({
            "is_proved": true,
            "commits": proof.commits,
            "files": proof.files,
            "rows": proof.rows,
            "bytes": proof.bytes,
            "audited": proof.audited,
            "holds": headwater_sql::INVARIANTS.iter().map(|(name, _)| *name).collect::<Vec<_>>(),
        }),
        Err(error) => serde_json::json!({ "is_proved": false, "message": with_causes(&error) }),
    };
    Ok(Json(shown.to_string()))
}

fn reads_all(reader: &Reader, why: &str) -> Result<(), Refusal> {
    if reader.reads_all() {
        return Ok(());
    }
    let message = format!("{why}, and serve.users lists those that this user may read: ask as a user without such a list");
    Err(Refusal::new(StatusCode::FORBIDDEN, "42501", message))
}
