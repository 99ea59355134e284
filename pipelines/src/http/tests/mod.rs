mod answers;
mod attacks;
mod health;
mod streams;

use std::fs;
use std::path::Path;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::request::Builder;
use axum::http::{HeaderMap, Request, StatusCode};
use headwater_connectors::log::LogTransport;
use tempfile::TempDir;
use tower::ServiceExt;

use super::desk::{Desk, DeskSettings};
use super::router;
use crate::config::Config;
use crate::run::{Run, run};

/// A hostile text in a place where an account's name is shown.
const HOSTILE: &str = "<img/src=x/onerror=alert(1)>";

/// A data directory that a run has written, and a console of it.
struct Console {
    folder: TempDir,
    router: Router,
}

/// An answer.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    text: String,
}

impl Answer {
    fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

fn deposit(number: u32) -> String {
    format!(
        "{{\"transaction_id\":\"T{number}\",\"account_id\":\"A1\",\"type\":\"deposit\",\"amount\":\"100.25\",\"currency\":\"USD\",\
         \"ts\":\"2026-01-05T14:{number:02}:00Z\"}}\n"
    )
}

impl Console {
    /// Two accounts, one with a hostile name, and a deposit; a dead letter. With a section `[serve]` and an address.
    fn new(more: &str, bound: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let account = |id: &str| {
            format!(
                "{{\"type\":\"opened\",\"account_id\":\"{id}\",\"customer_id\":\"C1\",\"account_type\":\"checking\",\"currency\":\"USD\",\
                 \"ts\":\"2026-01-05T14:00:00Z\"}}\n"
            )
        };
        append(folder.path(), "accounts", &(account("A1") + &account(HOSTILE)));
        append(folder.path(), "transactions", &(deposit(1) + "no event\n"));
        let config = Config::parse("c.toml", more).expect("a configuration");
        let data = folder.path().join("data");
        commit(folder.path());
        let bound = bound.parse().expect("an address");
        let settings = DeskSettings::new(data, &config, None);
        let desk = settings.may_be_served_on(bound).then(|| Desk::new(settings, &bound.to_string(), bound, None));
        Self { router: router(None, desk), folder }
    }

    fn local() -> Self {
        Self::new("", "127.0.0.1:9464")
    }

    /// Another deposit, and a commit with it.
    fn deposit(&self, number: u32) {
        append(self.folder.path(), "transactions", &deposit(number));
        // A run waits for its work, which async code must not.
        std::thread::scope(|scope| scope.spawn(|| commit(self.folder.path())).join()).expect("a run");
    }

    async fn response(&self, request: Request<Body>) -> axum::response::Response {
        self.router.clone().oneshot(request).await.unwrap_or_else(|never| match never {})
    }

    async fn ask(&self, request: Request<Body>) -> Answer {
        let (parts, body) = self.response(request).await.into_parts();
        let bytes = to_bytes(body, 10_000_000).await.expect("a body");
        Answer { status: parts.status, headers: parts.headers, text: String::from_utf8(bytes.to_vec()).expect("text") }
    }
}

fn append(folder: &Path, topic: &str, lines: &str) {
    use std::io::Write;
    let path = folder.join("log").join(topic).join("0.jsonl");
    fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    let mut file = fs::OpenOptions::new().create(true).append(true).open(path).expect("a file");
    file.write_all(lines.as_bytes()).expect("lines");
}

/// Runs the pipeline to the end of the log.
fn commit(folder: &Path) {
    let text = "[http]\naddress = \"\"\n[outbox]\ntopics = []\n[time]\nhorizon = \"87600h\"\n";
    let config = Config::parse("c.toml", text).expect("a configuration");
    let transport = Arc::new(LogTransport::new(folder.join("log")));
    run(Run { until_end: true, ..Run::new(transport, folder.join("data"), config) }).expect("a run");
}

/// A request as a browser on the console's page makes it.
fn get(path: &str) -> Builder {
    Request::get(path).header("host", "localhost:9464").header("sec-fetch-site", "same-origin")
}

fn post(path: &str, media_type: &str) -> Builder {
    Request::post(path)
        .header("host", "localhost:9464")
        .header("origin", "http://localhost:9464")
        .header("sec-fetch-site", "same-origin")
        .header("content-type", media_type)
}

fn asked(builder: Builder) -> Request<Body> {
    builder.body(Body::empty()).expect("a request")
}

fn sql(text: &str) -> Request<Body> {
    post("/api/sql", "application/sql").body(Body::from(text.to_owned())).expect("a request")
}

fn block<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(work)
}
