//! The routes of the console and its API.

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Router};
use headwater_sql::Reader;

use super::desk::Desk;
use super::guard::{guard, harden};
use super::parameters::Parameters;
use super::refusal::Refusal;
use super::{assets, changes, commits, explained, panels};

/// Bytes of a statement, as for PostgreSQL clients.
const STATEMENT_MAX: usize = 1024 * 1024;
/// Rows of a statement that are sent, unless the request asks for another number.
const ROWS: u64 = 1000;
const ROWS_MAX: u64 = 100_000;

/// An answer in JSON.
pub(super) struct Json(pub(super) String);

impl IntoResponse for Json {
    fn into_response(self) -> Response {
        ([(header::CONTENT_TYPE, "application/json")], self.0).into_response()
    }
}

/// The console and its API, behind the guard.
pub(super) fn router(desk: Arc<Desk>) -> Router {
    Router::new()
        .route("/", get(assets::page))
        .route("/console", get(assets::page))
        .route("/console/{name}", get(assets::file))
        .route("/api/status", get(status))
        .route("/api/flow", get(flow))
        .route("/api/panels/{name}", get(panels::panel))
        .route("/api/sql", post(sql))
        .route("/api/explain", get(explained::explain))
        .route("/api/verify", post(explained::verify))
        .route("/api/commits", get(commits::commits))
        .route("/api/changes", get(changes::changes))
        .route("/api/{*rest}", get(nothing).post(nothing))
        .route_layer(from_fn_with_state(Arc::clone(&desk), guard))
        .layer(from_fn(harden))
        .with_state(desk)
}

async fn nothing() -> Refusal {
    Refusal::new(StatusCode::NOT_FOUND, "no_path", "there is nothing at this address: docs/console.md lists what there is")
}

/// `GET /api/status`
async fn status(State(desk): State<Arc<Desk>>, Extension(reader): Extension<Reader>) -> Result<Json, Refusal> {
    let status = serde_json::json!({
        "version": env!("CARGO_PKG_VERSION"),
        "commit_id": reader.newest_commit().await?,
        "has_flow": desk.metrics.is_some(),
        "reads_all": reader.reads_all(),
        "user": reader.user(),
    });
    Ok(Json(status.to_string()))
}

/// `GET /api/flow`
async fn flow(State(desk): State<Arc<Desk>>) -> Result<Json, Refusal> {
    let missing =
        || Refusal::new(StatusCode::NOT_FOUND, "no_run", "this program serves tables and runs no pipeline: ask the one that does");
    let report = desk.metrics.as_ref().ok_or_else(missing)?.flow();
    Ok(Json(serde_json::to_string(&report).map_err(|error| Refusal::failure(&error.into()))?))
}

/// `POST /api/sql[?rows=N]`
async fn sql(headers: HeaderMap, RawQuery(query): RawQuery, Extension(reader): Extension<Reader>, body: Body) -> Result<Json, Refusal> {
    check_media_type(&headers, "application/sql")?;
    let rows = Parameters::read(query.as_deref(), &["rows"])?.number("rows")?.unwrap_or(ROWS);
    if !(1..=ROWS_MAX).contains(&rows) {
        return Err(Refusal::parameter(format!("rows is {rows}: give 1 to {ROWS_MAX}")));
    }
    let too_large = |_| {
        Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", format!("the statement has more than {STATEMENT_MAX} bytes: shorten it"))
    };
    let body = to_bytes(body, STATEMENT_MAX).await.map_err(too_large)?;
    let text = std::str::from_utf8(&body).map_err(|error| {
        Refusal::new(StatusCode::BAD_REQUEST, "not_text", format!("the statement is not UTF-8 from byte {}", error.valid_up_to()))
    })?;
    Ok(Json(reader.query(text, usize::try_from(rows).unwrap_or(usize::MAX)).await?.into_json()))
}

/// Refuses a body of another media type. A form of another site cannot send these types.
pub(super) fn check_media_type(headers: &HeaderMap, expected: &str) -> Result<(), Refusal> {
    let given = headers.get(header::CONTENT_TYPE).and_then(|given| given.to_str().ok()).unwrap_or_default();
    let essence = given.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case(expected) {
        return Ok(());
    }
    let message = format!("the content type is {given:?}: send the body as {expected}");
    Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "media_type", message))
}
