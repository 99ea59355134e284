//! What the console answers to those who may ask.

use axum::http::StatusCode;

use super::{Console, HOSTILE, asked, block, get, post, sql};
use crate::http::panels::PANELS;

#[test]
fn the_page_and_its_files_are_there_with_a_strict_policy() {
    let console = Console::local();
    block(async {
        let page = console.ask(asked(get("/"))).await;
        assert_eq!((page.status, page.header("content-type")), (StatusCode::OK, "text/html; charset=utf-8"));
        assert!(!page.text.contains("style=") && !page.text.contains("onclick") && !page.text.contains("<script>"), "{}", page.text);
        let policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; \
                      frame-ancestors 'none'; base-uri 'none'; form-action 'none'";
        assert_eq!(page.header("content-security-policy"), policy);
        let mut named = page.text.split('"').filter(|part| part.starts_with("/console/")).peekable();
        assert!(named.peek().is_some());
        for path in named {
            assert_eq!(console.ask(asked(get(path))).await.status, StatusCode::OK, "{path}");
        }
        let module = console.ask(asked(get("/console/main.js"))).await;
        for import in module.text.split('"').filter_map(|part| part.strip_prefix("./")) {
            let file = console.ask(asked(get(&format!("/console/{import}")))).await;
            assert_eq!((file.status, file.header("content-type")), (StatusCode::OK, "text/javascript; charset=utf-8"), "{import}");
        }
    });
}

#[test]
fn every_panel_has_columns() {
    let console = Console::local();
    block(async {
        for panel in PANELS {
            let query = if panel.parameters.is_empty() { "" } else { "?symbol=A%27B" };
            let answer = console.ask(asked(get(&format!("/api/panels/{}{query}", panel.name)))).await;
            assert_eq!(answer.status, StatusCode::OK, "{}: {}", panel.name, answer.text);
            assert!(answer.json()["columns"].as_array().is_some_and(|columns| columns.len() > 2), "{}", answer.text);
            assert_eq!((answer.header("cache-control"), answer.header("x-content-type-options")), ("no-store", "nosniff"));
        }
        let letters = console.ask(asked(get("/api/panels/dead_letters"))).await.json();
        assert_eq!(letters["rows"][0][0], "not_json", "{letters}");
    });
}

#[test]
fn statements_are_answered_in_texts_and_errors_have_positions() {
    let console = Console::local();
    block(async {
        let answer = console.ask(sql("SELECT account_id, posted FROM balances WHERE currency = 'USD' AND account_id IN ('A1')")).await;
        assert_eq!(answer.json()["rows"], serde_json::json!([["A1", "100.25"]]));
        let hostile = console.ask(sql("SELECT account_id FROM balances WHERE account_id LIKE '<%'")).await;
        assert_eq!(hostile.json()["rows"], serde_json::json!([[HOSTILE]]));
        assert_eq!(hostile.header("content-type"), "application/json");
        let wrong = console.ask(sql("SELECT 1\nSELEC 2")).await;
        assert_eq!(
            (wrong.status, wrong.json()["code"].as_str(), wrong.json()["position"].as_u64()),
            (StatusCode::BAD_REQUEST, Some("42601"), Some(16))
        );
        let few = post("/api/sql?rows=3", "application/sql; charset=utf-8").body("SELECT value FROM generate_series(1, 1000000)".into());
        let few = console.ask(few.expect("a request")).await.json();
        assert_eq!((few["rows"].as_array().map(Vec::len), few["is_cut"].as_bool()), (Some(3), Some(true)));
    });
}

#[test]
fn the_files_are_proved_and_ids_are_explained() {
    let console = Console::local();
    block(async {
        let proof = console.ask(post("/api/verify", "application/json").body("{}".into()).expect("a request")).await;
        assert_eq!((proof.status, proof.json()["is_proved"].as_bool()), (StatusCode::OK, Some(true)), "{}", proof.text);
        let decision = console.ask(asked(get("/api/explain?id=banking:transaction:T1"))).await;
        let text = decision.json()["text"].as_str().map(str::to_owned).unwrap_or_default();
        assert!(text.starts_with("decision banking:transaction:T1"), "{}", decision.text);
        let unknown = console.ask(asked(get("/api/explain?id=nobody"))).await;
        assert_eq!((unknown.status, unknown.json()["code"].as_str()), (StatusCode::NOT_FOUND, Some("unknown_id")));
        let status = console.ask(asked(get("/api/status"))).await.json();
        assert_eq!((status["commit_id"].as_u64(), status["has_flow"].as_bool()), (Some(1), Some(false)));
        assert_eq!(console.ask(asked(get("/api/flow"))).await.status, StatusCode::NOT_FOUND);
    });
}
