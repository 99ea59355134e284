//! `GET /api/commits`: the commits as server-sent events, one each, as they are made.
//!
//! The id of an event is the number of its commit, so a browser that reconnects misses none.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;

use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::RawQuery;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use futures::stream::unfold;
use headwater_sql::{CommitSummary, Reader};
use tokio::time::{Instant, sleep};

use super::guard::Place;
use super::parameters::{Parameters, number};
use super::refusal::Refusal;

/// How often the data directory is looked at for a new commit.
pub(super) const PAUSE: Duration = Duration::from_millis(100);
/// How often a stream without events shows that it is alive.
pub(super) const HEARTBEAT: Duration = Duration::from_secs(15);
/// Commits that are read at once.
const AT_ONCE: u64 = 100;
/// The header with which a client resumes a stream.
pub(super) const LAST_EVENT_ID: &str = "last-event-id";

/// What a client has not been sent yet.
struct Waiting {
    reader: Reader,
    /// The last commit that was read.
    last: u64,
    read: VecDeque<CommitSummary>,
    quiet_since: Instant,
    has_begun: bool,
    has_failed: bool,
    _place: Place,
}

/// `GET /api/commits[?from=N | ?last=N]`
pub(super) async fn commits(
    headers: HeaderMap,
    RawQuery(query): RawQuery,
    Extension(reader): Extension<Reader>,
    Extension(place): Extension<Place>,
) -> Result<Response, Refusal> {
    let parameters = Parameters::read(query.as_deref(), &["from", "last"])?;
    let newest = reader.newest_commit().await?;
    let resumed = last_event_id(&headers)?.map(|id| number("the header last-event-id", id)).transpose()?;
    let from = match (resumed, parameters.number("from")?, parameters.number("last")?) {
        (Some(resumed), _, _) => resumed,
        (None, Some(from), None) => from,
        (None, None, last) => newest.saturating_sub(last.unwrap_or(0)),
        (None, Some(_), Some(_)) => return Err(Refusal::parameter("from and last are both given: give one of them")),
    };
    if from > newest {
        return Err(Refusal::parameter(format!("there is no commit {from} yet: the newest is {newest}")));
    }
    let waiting = Waiting {
        reader,
        last: from,
        read: VecDeque::new(),
        quiet_since: Instant::now(),
        has_begun: false,
        has_failed: false,
        _place: place,
    };
    let events = unfold(waiting, |mut waiting| async move {
        let text = waiting.next().await?;
        Some((Ok::<_, Infallible>(Bytes::from(text)), waiting))
    });
    Ok(stream(Body::from_stream(events)))
}

/// The id of the last event that a client has seen.
pub(super) fn last_event_id(headers: &HeaderMap) -> Result<Option<&str>, Refusal> {
    let wrong = |_| Refusal::parameter("the header last-event-id is not the id of an event");
    headers.get(LAST_EVENT_ID).map(|value| value.to_str().map_err(wrong)).transpose()
}

/// An answer of server-sent events.
pub(super) fn stream(body: Body) -> Response {
    ([(header::CONTENT_TYPE, "text/event-stream")], body).into_response()
}

impl Waiting {
    /// The text of the next event, or of a heartbeat; `None` after an error.
    async fn next(&mut self) -> Option<String> {
        if self.has_failed {
            return None;
        }
        if !std::mem::replace(&mut self.has_begun, true) {
            return Some(format!("retry: 1000\n: commits after {}\n\n", self.last));
        }
        loop {
            if let Some(commit) = self.read.pop_front() {
                self.quiet_since = Instant::now();
                return Some(format!("id: {}\ndata: {}\n\n", commit.commit_id, shown(&commit, self.reader.reads("commits"))));
            }
            match self.look().await {
                Ok(()) if !self.read.is_empty() => {}
                Ok(()) if self.quiet_since.elapsed() >= HEARTBEAT => {
                    self.quiet_since = Instant::now();
                    return Some(": nothing new\n\n".to_owned());
                }
                Ok(()) => sleep(PAUSE).await,
                Err(refusal) => {
                    self.has_failed = true;
                    return Some(format!("event: failed\ndata: {}\n\n", refusal.json()));
                }
            }
        }
    }

    async fn look(&mut self) -> Result<(), Refusal> {
        let newest = self.reader.newest_commit().await?;
        if newest > self.last {
            let upto = newest.min(self.last.saturating_add(AT_ONCE));
            self.read = self.reader.commits(self.last, upto).await?.into();
            self.last = upto;
        }
        Ok(())
    }
}

/// A commit as JSON; for who may not read the table `commits`, only its number.
fn shown(commit: &CommitSummary, is_whole: bool) -> String {
    let whole = serde_json::json!({
        "commit_id": commit.commit_id,
        "rows": commit.rows,
        "files": commit.files,
        "end": commit.end.to_string(),
        "committed_at": commit.committed_at.map(|time| time.to_string()),
    });
    if is_whole { whole.to_string() } else { serde_json::json!({ "commit_id": commit.commit_id }).to_string() }
}
