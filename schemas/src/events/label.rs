//! Corrections by people.

use super::json::event;
use crate::value::{EventTime, Id, Text};

event! {
    /// What somebody found a subject to be.
    Label {
        /// The transaction or payment.
        subject_id: Id,
        /// `fraud`, `legitimate`, or a spending category.
        label: Text,
        /// When.
        ts: EventTime,
    }
}
