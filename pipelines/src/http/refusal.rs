//! Answers to requests that are not fulfilled: a status, a stable code, and a sentence with the mend, as JSON.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use headwater_sql::Problem;
use serde::Serialize;

/// Why a request is not fulfilled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    /// A word, or for SQL its SQLSTATE.
    pub(super) code: &'static str,
    pub(super) message: String,
    /// The character of the statement, from 1 on.
    pub(super) position: Option<usize>,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), position: None }
    }

    /// A parameter of the address that makes no sense.
    pub(super) fn parameter(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_parameter", message)
    }

    /// A failure of the server.
    pub(super) fn failure(error: &anyhow::Error) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "failed", format!("{error:#}"))
    }

    /// The error as JSON, as it is also sent in the middle of a stream.
    pub(super) fn json(&self) -> String {
        let Self { code, message, position, .. } = self;
        let shown = Shown { code, message, position: *position };
        // Converting texts and a number to JSON cannot fail.
        serde_json::to_string(&shown).unwrap_or_default()
    }
}

#[derive(Serialize)]
struct Shown<'a> {
    code: &'a str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    position: Option<usize>,
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        let status = match problem.code {
            "28P01" => StatusCode::UNAUTHORIZED,
            "28000" => StatusCode::TOO_MANY_REQUESTS,
            "42501" => StatusCode::FORBIDDEN,
            // No longer kept.
            "55000" => StatusCode::GONE,
            "57014" | "53200" | "53300" => StatusCode::SERVICE_UNAVAILABLE,
            code if code.starts_with("XX") || code.starts_with("58") => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::BAD_REQUEST,
        };
        Self { status, code: problem.code, position: problem.position, message: problem.message }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = (self.status, [(header::CONTENT_TYPE, "application/json")], self.json() + "\n").into_response();
        if self.status == StatusCode::UNAUTHORIZED {
            let challenge = HeaderValue::from_static("Basic realm=\"headwater\", charset=\"UTF-8\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}
