//! Who looked at or changed what.

use super::AccessOutcome;
use super::json::event;
use crate::value::{Decimal, EventTime, Id, Text};

event! {
    /// An attempt to look at or change something.
    Access {
        /// Who.
        actor: Id,
        /// Did what.
        action: Text,
        /// To what kind of thing.
        entity_type: Option<Text>,
        /// To which.
        entity_id: Option<Text>,
        /// And how it ended.
        outcome: AccessOutcome,
        /// From which device.
        device_id: Option<Text>,
        /// From which address.
        ip: Option<Text>,
        /// Latitude, in degrees.
        lat: Option<Decimal>,
        /// Longitude, in degrees.
        lon: Option<Decimal>,
        /// When.
        ts: EventTime,
    }
}
