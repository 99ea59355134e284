//! Notices: what a customer is to be told.

use headwater_schemas::tables::NotificationKind;
use headwater_schemas::{CustomerId, Id, Text};
use serde::{Deserialize, Serialize};

/// A sentence for a customer. It is about what the customer asked to be told: alerts about the customer's conduct have no kind.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Notice {
    /// The customer.
    pub customer_id: CustomerId,
    /// What kind of notification it is.
    pub kind: NotificationKind,
    /// The rule of the alert.
    pub rule: Text,
    /// What it is about.
    pub subject: Id,
    /// The sentence.
    pub message: Text,
}
