//! Attempts to access or change something.

use super::AccessOutcome;
use super::json::event;
use crate::value::{Decimal, EventTime, Id, Text};

event! {
    /// An attempt to access or change something.
    Access {
        /// The person or program.
        actor: Id,
        /// The attempted action.
        action: Text,
        /// The type of the accessed entity.
        entity_type: Option<Text>,
        /// The id of the accessed entity.
        entity_id: Option<Text>,
        /// The outcome.
        outcome: AccessOutcome,
        /// The device.
        device_id: Option<Text>,
        /// The IP address.
        ip: Option<Text>,
        /// Latitude, in degrees.
        lat: Option<Decimal>,
        /// Longitude, in degrees.
        lon: Option<Decimal>,
        /// Time of the attempt.
        ts: EventTime,
    }
}
