//! The wall clock: read here and nowhere else, and passed to the code that may use it.

use std::sync::Arc;
use std::time::SystemTime;

use headwater_connectors::source::WallClock;
use headwater_schemas::{EffectiveTime, EventTime};

/// The current time.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
pub fn now() -> EffectiveTime {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    EffectiveTime::ZERO.saturating_add(since.into())
}

/// The clock for a live source.
pub fn wall_clock() -> WallClock {
    Arc::new(now)
}

/// The current time as RFC 3339.
pub fn now_text() -> String {
    EventTime::from_effective(now()).to_string()
}
