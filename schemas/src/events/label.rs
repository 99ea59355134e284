//! Labels that people assign to transactions and payments.

use super::json::event;
use crate::value::{EventTime, Id, Text};

event! {
    /// A label that a person assigned to a transaction or payment.
    Label {
        /// The transaction or payment.
        subject_id: Id,
        /// `fraud`, `legitimate`, or a spending category.
        label: Text,
        /// Time of the label.
        ts: EventTime,
    }
}

impl Label {
    /// Whether it says that something was fraud, or legitimate; any other label is a spending category.
    pub fn is_verdict(&self) -> bool {
        ["fraud", "legitimate"].contains(&self.label.as_str())
    }
}
