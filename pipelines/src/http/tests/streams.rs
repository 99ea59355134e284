//! Server-sent events: what comes, and that a stream goes on where another ended.

use std::time::Duration;

use axum::body::Body;
use futures::StreamExt;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::{Console, asked, block, get};

/// How long an event may take to come.
const PATIENCE: Duration = Duration::from_secs(60);

/// An event as a browser reads it.
#[derive(Debug, PartialEq)]
struct Event {
    id: String,
    kind: String,
    data: Value,
}

/// Reads events of a stream, one after the other.
struct Events {
    stream: axum::body::BodyDataStream,
    text: String,
}

impl Events {
    fn of(body: Body) -> Self {
        Self { stream: body.into_data_stream(), text: String::new() }
    }

    async fn next(&mut self) -> Event {
        loop {
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.text = rest;
                let of = |name: &str| {
                    let lines = block.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
                    lines.collect::<Vec<_>>().join("\n")
                };
                let data = of("data");
                if !data.is_empty() {
                    let data = serde_json::from_str(&data).unwrap_or_else(|error| panic!("{error}: {data}"));
                    return Event { id: of("id"), kind: of("event"), data };
                }
                continue;
            }
            let more = timeout(PATIENCE, self.stream.next()).await.expect("an event in time").expect("more").expect("bytes");
            self.text.push_str(std::str::from_utf8(&more).expect("text"));
        }
    }
}

async fn events(console: &Console, path: &str, last: Option<&str>) -> Events {
    let request = match last {
        Some(last) => get(path).header("last-event-id", last),
        None => get(path),
    };
    let response = console.response(asked(request)).await;
    assert_eq!(response.headers().get("content-type").map(|value| value.as_bytes()), Some(b"text/event-stream".as_slice()));
    Events::of(response.into_body())
}

#[test]
fn commits_come_as_they_are_made_and_none_is_missed() {
    let console = Console::local();
    block(async {
        let mut following = events(&console, "/api/commits?last=5", None).await;
        let first = following.next().await;
        assert_eq!((first.id.as_str(), &first.data["commit_id"]), ("1", &json!(1)));
        assert!(first.data["rows"].as_u64().is_some_and(|rows| rows > 0) && first.data["committed_at"].is_string(), "{first:?}");
        console.deposit(2);
        assert_eq!(following.next().await.id, "2");
        drop(following);
        console.deposit(3);
        console.deposit(4);
        let mut resumed = events(&console, "/api/commits?last=5", Some("2")).await;
        assert_eq!((resumed.next().await.id, resumed.next().await.id), ("3".to_owned(), "4".to_owned()));
        // From now on.
        let mut later = events(&console, "/api/commits", None).await;
        console.deposit(5);
        assert_eq!((later.next().await.id, resumed.next().await.id), ("5".to_owned(), "5".to_owned()));
    });
}

#[test]
fn changes_come_as_they_are_made_and_resume_where_they_ended() {
    let console = Console::local();
    let path = "/api/changes?table=balances&columns=account_id,posted&where=account_id%20%3D%20%27A1%27&from=0";
    let change = |diff: i32, posted: &str| json!({ "diff": diff, "account_id": "A1", "posted": posted });
    block(async {
        let mut following = events(&console, path, None).await;
        let first = following.next().await;
        assert_eq!((first.id.as_str(), &first.data["commit_id"], &first.data["table"]), ("1", &json!(1), &json!("balances")));
        let changes = first.data["changes"].as_array().cloned().unwrap_or_default();
        assert_eq!(changes.last(), Some(&change(1, "100.25")));
        console.deposit(2);
        let second = following.next().await;
        assert_eq!((second.id.as_str(), &second.data["changes"]), ("2", &json!([change(-1, "100.25"), change(1, "200.5")])));
        drop(following);
        console.deposit(3);
        // After the first change of commit 2: its other one, and what came meanwhile.
        let mut resumed = events(&console, path, Some("2:1")).await;
        let rest = resumed.next().await;
        assert_eq!((rest.id.as_str(), &rest.data["changes"]), ("2", &json!([change(1, "200.5")])));
        let third = resumed.next().await;
        assert_eq!((third.id.as_str(), &third.data["changes"]), ("3", &json!([change(-1, "200.5"), change(1, "300.75")])));
    });
}
