//! What fraud scoring remembers of the events that it has scored.

use super::{AlertState, Amendment, DecisionState, Reason, Severity, TransactionRole, Verdict, tables};
use crate::events::{Channel, TransactionPhase, TransactionType};
use crate::value::{AccountId, Amount, Decimal, EventTime, Id, Text};

tables! {
    /// A transaction within reach of a ruleset's windows: what later decisions read of it, what was known of its customer
    /// when it came, and what was decided. State of fraud scoring.
    Checkpoint ScoredEvent = "fraud_events" by (ruleset, account_id, ts, rank, partition, offset, sequence) {
        /// The rules that scored it.
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
        /// Why money moved.
        transaction_type: TransactionType,
        /// `posted` or `pending`.
        phase: TransactionPhase,
        /// Whether it stands for itself.
        role: TransactionRole,
        /// The way it came in.
        channel: Option<Channel>,
        /// How much; of a hold that was captured, for how much.
        amount: Amount,
        /// In which currency, if the ruleset reads it.
        currency: Option<Text>,
        /// The account on the other side, if the ruleset reads it.
        counterparty_account: Option<Text>,
        /// The pending transaction that it resolves, if the ruleset reads it.
        pending_id: Option<Text>,
        /// The transaction that it turns back, if the ruleset reads it.
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
        /// Latitude of the customer's home, as known when the event came.
        home_lat: Option<Decimal>,
        /// Longitude of the customer's home.
        home_lon: Option<Decimal>,
        /// The customer's offset from UTC at the time, in seconds.
        utc_offset: Option<i32>,
        /// Whether the decision still stands as it was made.
        state: DecisionState,
        /// The points.
        score: i64,
        /// The outcome.
        decision: Verdict,
        /// The rules that fired or could not be decided.
        reasons: Vec<Reason>,
        /// The ids behind the reasons.
        evidence: Vec<Id>,
        /// Why the decision was changed last.
        amendment: Option<Amendment>,
        /// The event that changed it.
        amended_by: Option<Id>,
        /// The state of the alert, if one was raised.
        alert_state: Option<AlertState>,
        /// The severity of the alert.
        alert_severity: Option<Severity>,
        /// When the alert became what it is.
        alert_ts: Option<EventTime>,
    }
}
