//! Lengths of time.

use std::time::Duration;

use crate::number::number;

number! {
    /// A length of time in nanoseconds, up to 584 years.
    Nanos
}

impl Nanos {
    /// A day.
    pub const DAY: Self = Self(86_400_000_000_000);
}

impl From<Duration> for Nanos {
    /// A longer duration becomes the greatest length.
    fn from(duration: Duration) -> Self {
        Self(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX))
    }
}

impl From<Nanos> for Duration {
    fn from(length: Nanos) -> Self {
        Self::from_nanos(length.0)
    }
}
