//! Notices: what a customer is to be told.

use headwater_schemas::tables::{NotificationKind, SubjectType};
use headwater_schemas::{CustomerId, Id, Text};
use serde::{Deserialize, Serialize};

/// What notices have for a rule where the customer must not learn the rules.
const BLOCKED: &str = "blocked";

/// A sentence for a customer: about what the customer asked to be told, or about something of the customer's that was blocked for
/// fraud. Alerts about the customer's conduct have no kind.
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

impl Notice {
    /// The notice of a transaction or payment that was blocked for fraud. It does not name the rules, which a thief could read.
    pub(crate) fn of_blocked(customer_id: CustomerId, subject_type: SubjectType, subject: &Id) -> Self {
        let message = format!("the {subject_type} {subject} was stopped for your security: if it is yours, please confirm it");
        let (rule, message) = (Text::const_new(BLOCKED), Text::from(message));
        Self { customer_id, kind: NotificationKind::Fraud, rule, subject: subject.clone(), message }
    }
}
