//! Requests that must not be fulfilled, each with the answer that it gets.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use headwater_sql::Secret;

use super::{Console, asked, block, get, post, sql};

fn with_body(builder: axum::http::request::Builder, body: &str) -> Request<Body> {
    builder.body(Body::from(body.to_owned())).expect("a request")
}

/// A request, and the status of the answer.
struct Attack {
    name: &'static str,
    request: Request<Body>,
    expected: StatusCode,
}

const fn attack(name: &'static str, request: Request<Body>, expected: StatusCode) -> Attack {
    Attack { name, request, expected }
}

/// What a page of another site, or one that has rebound its name, can make a browser send, and what a careless client sends.
fn attacks() -> Vec<Attack> {
    let plain = |path: &str| Request::get(path);
    let local = |path: &str| plain(path).header("host", "localhost:9464");
    let posted = |media_type: &str| post("/api/sql", media_type);
    vec![
        attack("a rebound name", asked(plain("/").header("host", "evil.example")), StatusCode::MISDIRECTED_REQUEST),
        attack(
            "a rebound name with the port",
            asked(plain("/api/status").header("host", "evil.example:9464")),
            StatusCode::MISDIRECTED_REQUEST,
        ),
        attack("a name that begins like ours", asked(plain("/").header("host", "localhost.evil.example")), StatusCode::MISDIRECTED_REQUEST),
        attack("another address", asked(plain("/").header("host", "10.0.0.1:9464")), StatusCode::MISDIRECTED_REQUEST),
        attack("no host", asked(plain("/")), StatusCode::MISDIRECTED_REQUEST),
        attack("two hosts", asked(local("/").header("host", "evil.example")), StatusCode::BAD_REQUEST),
        attack("another host in the address", asked(local("http://evil.example/api/status")), StatusCode::MISDIRECTED_REQUEST),
        attack("another origin", asked(local("/api/status").header("origin", "https://evil.example")), StatusCode::FORBIDDEN),
        attack(
            "another port of this machine",
            asked(local("/api/status").header("origin", "http://localhost:3000")),
            StatusCode::FORBIDDEN,
        ),
        attack("an origin without a name", asked(local("/api/status").header("origin", "null")), StatusCode::FORBIDDEN),
        attack("a script of another site", asked(local("/api/panels/books").header("sec-fetch-site", "cross-site")), StatusCode::FORBIDDEN),
        attack("a page of the same site", asked(local("/api/commits").header("sec-fetch-site", "same-site")), StatusCode::FORBIDDEN),
        attack(
            "a frame of another site",
            asked(
                local("/").header("sec-fetch-site", "cross-site").header("sec-fetch-mode", "navigate").header("sec-fetch-dest", "iframe"),
            ),
            StatusCode::FORBIDDEN,
        ),
        attack(
            "a link to the API",
            asked(
                local("/api/status")
                    .header("sec-fetch-site", "cross-site")
                    .header("sec-fetch-mode", "navigate")
                    .header("sec-fetch-dest", "document"),
            ),
            StatusCode::FORBIDDEN,
        ),
        attack("a form", with_body(posted("text/plain"), "SELECT 1"), StatusCode::UNSUPPORTED_MEDIA_TYPE),
        attack("another form", with_body(posted("application/x-www-form-urlencoded"), "SELECT 1"), StatusCode::UNSUPPORTED_MEDIA_TYPE),
        attack("a form with files", with_body(posted("multipart/form-data"), "SELECT 1"), StatusCode::UNSUPPORTED_MEDIA_TYPE),
        attack(
            "no content type",
            with_body(Request::post("/api/sql").header("host", "localhost"), "SELECT 1"),
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
        ),
        attack("a proof by a form", with_body(post("/api/verify", "text/plain"), "{}"), StatusCode::UNSUPPORTED_MEDIA_TYPE),
        attack("a proof by a link", asked(get("/api/verify")), StatusCode::METHOD_NOT_ALLOWED),
        attack("SQL in an address", asked(get("/api/sql?q=SELECT%201")), StatusCode::METHOD_NOT_ALLOWED),
        attack("a statement that writes", sql("DELETE FROM balances"), StatusCode::BAD_REQUEST),
        attack("a file of the machine", sql("SELECT * FROM '/etc/passwd'"), StatusCode::BAD_REQUEST),
        attack("several statements", sql("SELECT 1; SELECT 2"), StatusCode::BAD_REQUEST),
        attack("a statement that is too long", sql(&format!("SELECT '{}'", "x".repeat(1024 * 1024))), StatusCode::PAYLOAD_TOO_LARGE),
        attack(
            "bytes that are no text",
            post("/api/sql", "application/sql").body(Body::from(vec![0xff, 0xfe])).expect("a request"),
            StatusCode::BAD_REQUEST,
        ),
        attack("too many rows", with_body(post("/api/sql?rows=1000000000", "application/sql"), "SELECT 1"), StatusCode::BAD_REQUEST),
        attack("an unknown panel", asked(get("/api/panels/..%2F..%2Fsecret")), StatusCode::NOT_FOUND),
        attack(
            "a panel's value that ends its literal",
            asked(get("/api/panels/depth?symbol=x%27%3B%20DROP%20TABLE%20t%20--")),
            StatusCode::OK,
        ),
        attack("a value that a panel does not have", asked(get("/api/panels/books?symbol=x")), StatusCode::BAD_REQUEST),
        attack("a value given twice", asked(get("/api/panels/depth?symbol=x&symbol=y")), StatusCode::BAD_REQUEST),
        attack("a file above the page's", asked(get("/console/..%2F..%2FCargo.toml")), StatusCode::NOT_FOUND),
        attack("changes by a query", asked(get("/api/changes?table=balances&where=posted%20%3E%20(SELECT%201)")), StatusCode::BAD_REQUEST),
        attack("changes of nothing", asked(get("/api/changes")), StatusCode::BAD_REQUEST),
        attack("changes from nowhere", asked(get("/api/changes?table=balances&from=-1")), StatusCode::BAD_REQUEST),
        attack("changes of the future", asked(get("/api/changes?table=balances&from=99")), StatusCode::BAD_REQUEST),
        attack("an id that is none", asked(get("/api/changes?table=balances").header("last-event-id", "x")), StatusCode::BAD_REQUEST),
        attack("commits of the future", asked(get("/api/commits?from=99")), StatusCode::BAD_REQUEST),
        attack("an address that is none", asked(get("/api/secrets")), StatusCode::NOT_FOUND),
    ]
}

#[test]
fn each_attack_is_refused() {
    let console = Console::local();
    block(async {
        for Attack { name, request, expected } in attacks() {
            let answer = console.ask(request).await;
            assert_eq!(answer.status, expected, "{name}: {}", answer.text);
            assert!(!answer.headers.contains_key("access-control-allow-origin"), "{name}");
            if expected != StatusCode::METHOD_NOT_ALLOWED {
                assert!(answer.text.starts_with('{'), "{name}: {}", answer.text);
            }
            assert_eq!(answer.header("x-content-type-options"), "nosniff", "{name}");
        }
    });
}

#[test]
fn a_link_from_another_site_opens_the_page() {
    let console = Console::local();
    let link = Request::get("/").header("host", "127.0.0.1:9464").header("sec-fetch-site", "cross-site");
    let link = link.header("sec-fetch-mode", "navigate").header("sec-fetch-dest", "document");
    assert_eq!(block(console.ask(asked(link))).status, StatusCode::OK);
}

#[test]
fn without_users_an_address_that_others_reach_has_no_console() {
    let console = Console::new("", "0.0.0.0:9464");
    block(async {
        for path in ["/", "/console/main.js", "/api/status", "/api/changes?table=balances"] {
            assert_eq!(console.ask(asked(get(path))).await.status, StatusCode::NOT_FOUND, "{path}");
        }
        assert_eq!(console.ask(asked(Request::get("/health/live"))).await.status, StatusCode::OK);
    });
}

fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

#[test]
fn users_prove_their_passwords_and_read_what_they_may() {
    let secret = Secret::new("correct horse").expect("a secret");
    let users = format!(
        "[serve.users.ann]\nsecret = \"{secret}\"\n[serve.users.bob]\nsecret = \"{secret}\"\ntables = [\"balances\", \"balances_history\"]\n"
    );
    let console = Console::new(&users, "0.0.0.0:9464");
    let as_user = |path: &str, authorization: &str| asked(get(path).header("authorization", authorization));
    let statement = |user: &str, text: &str| {
        let request = post("/api/sql", "application/sql").header("authorization", basic(user, "correct horse"));
        request.body(Body::from(text.to_owned())).expect("a request")
    };
    block(async {
        let nobody = console.ask(asked(get("/"))).await;
        assert_eq!(
            (nobody.status, nobody.header("www-authenticate")),
            (StatusCode::UNAUTHORIZED, "Basic realm=\"headwater\", charset=\"UTF-8\"")
        );
        for authorization in ["", "Basic", "Basic x", "Bearer x", "Basic YW5u"] {
            assert_eq!(console.ask(as_user("/api/status", authorization)).await.status, StatusCode::UNAUTHORIZED, "{authorization:?}");
        }
        let known = console.ask(as_user("/api/status", &basic("ann", "correct horse"))).await;
        assert_eq!((known.status, known.json()["user"].as_str()), (StatusCode::OK, Some("ann")));
        for (user, text, expected) in [
            ("ann", "SELECT COUNT(*) FROM dead_letters", StatusCode::OK),
            ("bob", "SELECT COUNT(*) FROM balances", StatusCode::OK),
            ("bob", "SELECT COUNT(*) FROM dead_letters", StatusCode::FORBIDDEN),
            ("bob", "SELECT COUNT(*) FROM balances, (SELECT * FROM alerts)", StatusCode::FORBIDDEN),
        ] {
            let answer = console.ask(statement(user, text)).await;
            assert_eq!(answer.status, expected, "{user}, {text}: {}", answer.text);
        }
        let names = console.ask(statement("bob", "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'")).await;
        assert_eq!(names.json()["rows"], serde_json::json!([["balances"], ["balances_history"]]));
        for (path, expected) in [
            ("/api/changes?table=alerts&from=0", StatusCode::FORBIDDEN),
            ("/api/panels/alerts", StatusCode::FORBIDDEN),
            ("/api/explain?id=A1", StatusCode::FORBIDDEN),
        ] {
            assert_eq!(console.ask(as_user(path, &basic("bob", "correct horse"))).await.status, expected, "{path}");
        }
        let verify = post("/api/verify", "application/json").header("authorization", basic("bob", "correct horse"));
        assert_eq!(console.ask(with_body(verify, "{}")).await.status, StatusCode::FORBIDDEN);
        // Guesses wait, longer and longer, whatever the name; who has proved a password does not.
        let began = tokio::time::Instant::now();
        for (user, password) in [("ann", "wrong"), ("nobody", "correct horse"), ("ann", "")] {
            assert_eq!(console.ask(as_user("/api/status", &basic(user, password))).await.status, StatusCode::UNAUTHORIZED);
        }
        assert!(began.elapsed().as_millis() >= 750, "{:?}", began.elapsed());
        assert_eq!(console.ask(as_user("/api/status", &basic("ann", "correct horse"))).await.status, StatusCode::OK);
    });
}

#[test]
fn the_number_of_open_requests_is_limited() {
    let console = Console::new("[serve]\nmax_connections = 2\n", "127.0.0.1:9464");
    block(async {
        let stream = || async { console.response(asked(get("/api/commits"))).await };
        let (first, _second) = (stream().await, stream().await);
        let third = console.ask(asked(get("/api/status"))).await;
        assert_eq!((third.status, third.json()["code"].as_str()), (StatusCode::SERVICE_UNAVAILABLE, Some("busy")));
        drop(first);
        assert_eq!(console.ask(asked(get("/api/status"))).await.status, StatusCode::OK);
    });
}
