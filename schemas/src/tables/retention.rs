//! Tables of the retention of records.

use super::{AlertState, Severity, tables};
use crate::events::AccountType;
use crate::value::{AccountId, EventTime};

tables! {
    /// Whether an account is closed, for the retention of its records. State of the retention.
    Checkpoint AccountRetention = "account_retentions" by (account_id) {
        /// The account.
        account_id: AccountId,
        /// The type of the account, as far as is known.
        account_type: Option<AccountType>,
        /// The own time of the record that gave it.
        account_type_ts: Option<EventTime>,
        /// Whether the newest record that opened or closed it closed it.
        is_closed: bool,
        /// The own time of that record.
        is_closed_ts: Option<EventTime>,
        /// The end of the retention that the alert is about.
        due_at: Option<EventTime>,
        /// Where the alert is in its lifecycle; none before it was raised.
        alert_state: Option<AlertState>,
        /// Its severity.
        alert_severity: Option<Severity>,
        /// The effective time of its last change.
        alert_ts: Option<EventTime>,
        /// The effective time of the last change.
        ts: EventTime,
    }
}
