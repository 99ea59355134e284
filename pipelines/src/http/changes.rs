//! `GET /api/changes`: the changes of a table as server-sent events, for a client that follows it.
//!
//! ```text
//!  Changes ─► event ─► channel of one ─► socket ─► client
//!     ▲                     │ no room for a second:
//!     └── release ◄─────────┘ what is kept for the client is dropped, except its place
//! ```

use std::convert::Infallible;
use std::time::Duration;

use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::RawQuery;
use axum::http::HeaderMap;
use axum::response::Response;
use futures::stream::unfold;
use headwater_sql::{ChangeEvent, Changes, ChangesRequest, Place, Reader};
use tokio::sync::mpsc::{Permit, Sender, channel};
use tokio::time::{Instant, sleep, timeout};

use super::commits::{HEARTBEAT, PAUSE, last_event_id, stream};
use super::guard;
use super::parameters::Parameters;
use super::refusal::Refusal;

/// How long a client may take for an event before what is kept for it is dropped, and read from files again.
const SOON: Duration = Duration::from_secs(1);

/// `GET /api/changes?table=T[&from=COMMIT][&where=EXPR][&columns=a,b]`
pub(super) async fn changes(
    headers: HeaderMap,
    RawQuery(query): RawQuery,
    Extension(reader): Extension<Reader>,
    Extension(place): Extension<guard::Place>,
) -> Result<Response, Refusal> {
    let parameters = Parameters::read(query.as_deref(), &["table", "from", "where", "columns"])?;
    let from = last_event_id(&headers)?.or_else(|| parameters.get("from"));
    let from = from.map(str::parse::<Place>).transpose().map_err(|error| Refusal::parameter(error.to_string()))?;
    let request = ChangesRequest {
        table: parameters.required("table")?.to_owned(),
        from,
        filter: parameters.get("where").map(str::to_owned),
        columns: parameters.get("columns").map(|columns| columns.split(',').map(|column| column.trim().to_owned()).collect()),
    };
    let changes = Changes::begin(reader, request).await?;
    let (sender, receiver) = channel(1);
    tokio::spawn(async move {
        follow(changes, &sender).await;
        // The place among the requests is free once the client has gone.
        drop(place);
    });
    let events = unfold(receiver, |mut receiver| async move { Some((Ok::<_, Infallible>(receiver.recv().await?), receiver)) });
    Ok(stream(Body::from_stream(events)))
}

/// Sends events until the client has gone, or reading fails.
async fn follow(mut changes: Changes, sender: &Sender<Bytes>) {
    let greeting = format!("retry: 1000\n: changes of {} after {}\n\n", changes.table(), changes.place());
    if sender.send(greeting.into()).await.is_err() {
        return;
    }
    let mut quiet_since = Instant::now();
    loop {
        let Some(room) = room(&mut changes, sender).await else { return };
        match changes.next_event().await {
            Ok(Some(event)) => {
                room.send(text(changes.table(), &event).into());
                quiet_since = Instant::now();
            }
            Ok(None) if quiet_since.elapsed() >= HEARTBEAT => {
                // An event without data is none, but its id counts.
                room.send(format!(": nothing new\nid: {}\n\n", changes.place()).into());
                quiet_since = Instant::now();
            }
            Ok(None) => {
                drop(room);
                tokio::select! {
                    () = sleep(PAUSE) => {}
                    () = sender.closed() => return,
                }
            }
            Err(problem) => {
                room.send(format!("event: failed\ndata: {}\n\n", Refusal::from(problem).json()).into());
                return;
            }
        }
    }
}

/// Waits until the client takes an event; none once it has gone.
async fn room<'s>(changes: &mut Changes, sender: &'s Sender<Bytes>) -> Option<Permit<'s, Bytes>> {
    if let Ok(room) = timeout(SOON, sender.reserve()).await {
        return room.ok();
    }
    changes.release();
    sender.reserve().await.ok()
}

/// The event, with one change in a line of data.
fn text(table: &str, event: &ChangeEvent) -> String {
    let mut text = format!("id: {}\ndata: {{\"commit_id\":{},\"table\":\"{table}\",\"changes\":[\n", event.place, event.commit_id);
    for (place, row) in event.rows.iter().enumerate() {
        text.push_str("data: ");
        text.push_str(row);
        text.push_str(if place + 1 < event.rows.len() { ",\n" } else { "\n" });
    }
    text.push_str("data: ]}\n\n");
    text
}
