//! Labels, versions of rule packs, and the checkpoints of rules.

use super::{AlertState, Amendment, DecisionState, EventRole, Reason, RuleVersionState, Severity, Verdict, tables};
use crate::Offset;
use crate::value::{AccountId, Amount, Currency, Decimal, EventTime, Id, Text};

tables! {
    /// The label that people gave a transaction, a payment, an account or an alert.
    State Labelled = "labels" by (subject_id, is_category) {
        /// What is labelled.
        subject_id: Id,
        /// Whether the label is a spending category; otherwise it says `fraud` or `legitimate`.
        is_category: bool,
        /// The label: of several, the newest.
        label: Text,
        /// The label's own time.
        ts: EventTime,
    }

    /// A proposed version of a rule pack, and what became of it.
    State RuleVersion = "rule_versions" by (ruleset, version) {
        /// The pack's name.
        ruleset: Id,
        /// The proposal.
        version: Id,
        /// Where it is in its course.
        state: RuleVersionState,
        /// Who proposed it.
        proposed_by: Id,
        /// Who approved or rejected it.
        decided_by: Option<Id>,
        /// Before the approval, the time that the proposal gives. From then on the time from which it judges: a grid point.
        effective_from: Option<EventTime>,
        /// When its longest windows are complete, where not all that they need was remembered when it took effect.
        counts_from: Option<EventTime>,
        /// The pack, as TOML; of a retirement nothing.
        pack: Option<Text>,
        /// Effective time of the last change.
        ts: EventTime,
    }

    /// An event within reach of the windows of rules, with the fields that the rules read. State of rules.
    Checkpoint RememberedEvent = "rule_events" by (subject, grouping, group_key, ts, rank, partition, offset, sequence) {
        /// What rules judge: `transaction`, `payment` or `access`.
        subject: Text,
        /// What events are grouped by: `account_id`, `customer_id` or another field.
        grouping: Text,
        /// The group's value: an account, a customer, a device.
        group_key: Text,
        /// The event's own time.
        ts: EventTime,
        /// The topic's rank of its place.
        rank: i32,
        /// The partition of its place.
        partition: i32,
        /// The offset of its place.
        offset: Offset,
        /// The sequence of its place.
        sequence: i64,
        /// The transaction, payment or attempt.
        event_id: Id,
        /// Its account, where there is one.
        account_id: Option<AccountId>,
        /// Whether it is an original, a capture or a reversal.
        role: EventRole,
        /// Whether it is remembered for the account of the other side.
        is_mirrored: bool,
        /// Whether it was taken back.
        is_withdrawn: bool,
        /// The customer's offset from UTC at the time, in seconds.
        utc_offset: Option<i32>,
        /// The fields that rules read, each as `name=value`; of a captured hold, the captured amount.
        fields: Vec<Text>,
        /// The rules of packs with points that could not be decided, each as `ruleset.rule=fields`, where nothing else was found.
        undecided: Vec<Text>,
    }

    /// What a ruleset found about a remembered event, where it found something. State of rules.
    Checkpoint RuleOutcome = "rule_outcomes" by (ruleset, grouping, group_key, ts, rank, partition, offset, sequence) {
        /// The name of the ruleset.
        ruleset: Text,
        /// What the ruleset groups events by: `account_id`, `party`, `customer_id` or another field.
        grouping: Text,
        /// The group's value.
        group_key: Text,
        /// The event's own time.
        ts: EventTime,
        /// The topic's rank of its place.
        rank: i32,
        /// The partition of its place.
        partition: i32,
        /// The offset of its place.
        offset: Offset,
        /// The sequence of its place.
        sequence: i64,
        /// Whether the decision is unchanged, amended or withdrawn.
        state: DecisionState,
        /// The score.
        score: Decimal,
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

    /// An alert of one rule in one group, while an event of it is remembered. State of rules.
    Checkpoint RuleAlert = "rule_alerts" by (alert_id) {
        /// The alert.
        alert_id: Id,
        /// The name of the ruleset.
        ruleset: Text,
        /// What events are grouped by.
        grouping: Text,
        /// The group's value.
        group_key: Text,
        /// The rule.
        rule: Text,
        /// Own time of the first event for which the rule fired.
        ts: EventTime,
        /// The topic's rank of its place.
        rank: i32,
        /// The partition of its place.
        partition: i32,
        /// The offset of its place.
        offset: Offset,
        /// The sequence of its place.
        sequence: i64,
        /// Own time of the last event for which the rule fired.
        last_ts: EventTime,
        /// The state of the alert.
        state: AlertState,
        /// The severity.
        severity: Severity,
        /// The figures for which the rule fired last.
        figures: Text,
        /// The ids of the events that caused it.
        evidence: Vec<Id>,
        /// Time of the last change of the alert.
        changed_at: EventTime,
    }

    /// A transfer between two accounts that a round trip may pass. State of the round trips.
    Checkpoint RoundTripTransfer = "round_trip_transfers" by (transaction_id) {
        /// The transaction.
        transaction_id: Id,
        /// The account that pays.
        payer: AccountId,
        /// The account that is paid.
        payee: AccountId,
        /// The currency.
        currency: Currency,
        /// The amount; of a captured hold, the captured one.
        amount: Amount,
        /// Whether it was reversed or released, and does not count.
        is_taken_back: bool,
        /// Its own time.
        written: EventTime,
        /// The partition of its place.
        partition: i32,
        /// The offset of its place.
        offset: Offset,
        /// Effective time at which the ledger accepted it.
        ts: EventTime,
    }

    /// A round trip of which the last hop is remembered, standing or over. State of the round trips.
    Checkpoint RoundTrip = "round_trips" by (transaction_id) {
        /// The transfer that ends it.
        transaction_id: Id,
        /// The account that is paid by the last hop, and paid the first one.
        account_id: AccountId,
        /// The currency.
        currency: Currency,
        /// The hops, in order; of a trip that is over, its last ones.
        transactions: Vec<Id>,
        /// A sentence with its accounts and amounts.
        message: Text,
        /// The event since which the trip is over.
        ended_by: Option<Id>,
        /// The state of the alert.
        alert_state: AlertState,
        /// The severity of the alert.
        alert_severity: Severity,
        /// Time of the last change of the alert.
        alert_ts: EventTime,
        /// The partition of the last hop's place.
        partition: i32,
        /// The offset of the last hop's place.
        offset: Offset,
        /// Own time of the last hop.
        ts: EventTime,
    }
}
