//! The console's page: files of `pipelines/console/`, which are part of the program.

use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::refusal::Refusal;

/// A file of the page.
struct Asset {
    name: &'static str,
    media_type: &'static str,
    text: &'static str,
}

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const JS: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

macro_rules! assets {
    ($($name:literal: $media_type:expr),* $(,)?) => {
        [$(Asset { name: $name, media_type: $media_type, text: include_str!(concat!("../../console/", $name)) }),*]
    };
}

const PAGE: &str = "index.html";

static ASSETS: [Asset; 12] = assets! {
    "index.html": HTML,
    "console.css": CSS,
    "icon.svg": SVG,
    "main.js": JS,
    "ask.js": JS,
    "live.js": JS,
    "panels.js": JS,
    "table.js": JS,
    "chart.js": JS,
    "flow.js": JS,
    "statement.js": JS,
    "keys.js": JS,
};

/// `/`
pub(super) async fn page() -> Response {
    served(PAGE)
}

/// `/console/{name}`
pub(super) async fn file(Path(name): Path<String>) -> Response {
    served(&name)
}

fn served(name: &str) -> Response {
    match ASSETS.iter().find(|asset| asset.name == name) {
        Some(asset) => ([(header::CONTENT_TYPE, asset.media_type)], asset.text).into_response(),
        None => Refusal::new(StatusCode::NOT_FOUND, "no_file", "there is no such file: the console is at /").into_response(),
    }
}
