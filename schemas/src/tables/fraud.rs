//! The checkpoint of fraud scoring.

use super::{AlertState, Amendment, DecisionState, Reason, Severity, TransactionRole, Verdict, tables};
use crate::events::{Channel, TransactionPhase, TransactionType};
use crate::value::{AccountId, Amount, Decimal, EventTime, Id, Text};

tables! {
    /// A transaction within reach of a ruleset's windows, with the fields that later decisions read, the customer's data at its
    /// arrival, and the decision about it. State of fraud scoring.
    Checkpoint ScoredEvent = "fraud_events" by (ruleset, account_id, ts, rank, partition, offset, sequence) {
        /// The name of the ruleset.
        ruleset: Text,
        /// The account.
        account_id: AccountId,
        /// The event's own time.
        ts: EventTime,
        /// The topic's rank of its place.
        rank: i32,
        /// The partition of its place.
        partition: i32,
        /// The offset of its place.
        offset: u64,
        /// The sequence of its place.
        sequence: i64,
        /// The transaction.
        transaction_id: Id,
        /// The type of transaction.
        transaction_type: TransactionType,
        /// `posted` or `pending`.
        phase: TransactionPhase,
        /// Whether it is an original, a capture or a reversal.
        role: TransactionRole,
        /// The channel by which it was initiated.
        channel: Option<Channel>,
        /// The amount; for a captured hold, the captured amount.
        amount: Amount,
        /// The currency, if the ruleset reads it.
        currency: Option<Text>,
        /// The account on the other side, if the ruleset reads it.
        counterparty_account: Option<Text>,
        /// The hold that it captures or voids, if the ruleset reads it.
        pending_id: Option<Text>,
        /// The transaction that it reverses, if the ruleset reads it.
        reverses: Option<Text>,
        /// The merchant, if the ruleset reads it.
        merchant: Option<Text>,
        /// The merchant's category code, if the ruleset reads it.
        mcc: Option<Text>,
        /// The device, if the ruleset reads it.
        device_id: Option<Text>,
        /// The country, if the ruleset reads it.
        country: Option<Text>,
        /// Latitude, in degrees.
        lat: Option<Decimal>,
        /// Longitude, in degrees.
        lon: Option<Decimal>,
        /// Latitude of the customer's home when the event arrived.
        home_lat: Option<Decimal>,
        /// Longitude of the customer's home when the event arrived.
        home_lon: Option<Decimal>,
        /// The customer's offset from UTC at the time, in seconds.
        utc_offset: Option<i32>,
        /// Whether the decision is unchanged, amended or withdrawn.
        state: DecisionState,
        /// The sum of the points.
        score: i64,
        /// The verdict.
        decision: Verdict,
        /// The rules that fired or could not be decided.
        reasons: Vec<Reason>,
        /// The ids in the reasons.
        evidence: Vec<Id>,
        /// Why the decision was last changed.
        amendment: Option<Amendment>,
        /// The event that last changed it.
        amended_by: Option<Id>,
        /// The state of the alert, if one was raised.
        alert_state: Option<AlertState>,
        /// The severity of the alert.
        alert_severity: Option<Severity>,
        /// Time of the last change of the alert.
        alert_ts: Option<EventTime>,
    }
}
