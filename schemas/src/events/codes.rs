//! The stable codes of dead letters: the one list.

use crate::value::text_enum;

text_enum! {
    /// Why a record was not taken. The codes are stable: queries and alarms may rely on them.
    ErrorCode {
        /// The record is larger than 1 MiB: send less in one event.
        TooLarge = "too_large",
        /// The value is not JSON, or something follows the JSON object: mend the producer's serialisation.
        NotJson = "not_json",
        /// The value is JSON, but not an object: wrap it in `{…}`.
        NotAnObject = "not_an_object",
        /// A field that the event needs is not there: add it.
        MissingField = "missing_field",
        /// A field is there twice: send it once.
        DuplicateField = "duplicate_field",
        /// A field has another JSON type than it should: see the topic's JSON Schema.
        WrongType = "wrong_type",
        /// The topic has no events of that `type`.
        UnknownType = "unknown_type",
        /// A field has a word that it does not know.
        UnknownValue = "unknown_value",
        /// A decimal has more than 18 integer or 9 fraction digits, or is no number.
        BadDecimal = "bad_decimal",
        /// A time is neither RFC 3339 with an offset nor integer nanoseconds.
        BadTime = "bad_time",
        /// A date is not `YYYY-MM-DD`.
        BadDate = "bad_date",
        /// An identifier is not 1 to 64 visible ASCII characters.
        BadId = "bad_id",
        /// A limit's scope is none of the known forms.
        BadScope = "bad_scope",
        /// A number is below zero where that means nothing.
        NegativeNumber = "negative_number",
        /// A number is not above zero where it must be.
        NotPositive = "not_positive",
        /// A number is outside what its field can mean: a latitude of 100 degrees.
        OutOfRange = "out_of_range",
        /// Fields contradict each other.
        Inconsistent = "inconsistent",
        /// The record's key is not UTF-8.
        BadKey = "bad_key",
        /// The record's key is not the event's key: whoever reads by key would be misled.
        KeyMismatch = "key_mismatch",
        /// A null value on a topic that is not a table.
        Tombstone = "tombstone",
        /// `ts` is more than a day after the record's own timestamp.
        FutureTimestamp = "future_timestamp",
        /// The event is further behind its effective time than the view remembers.
        TooLate = "too_late",
        /// An event with this identity was taken already, with another body.
        ConflictingDuplicate = "conflicting_duplicate",
        /// A result would not fit the tables' 19 integer digits.
        Overflow = "overflow",
        /// The event names another one that is not known.
        UnknownReference = "unknown_reference",
        /// A transaction was refused because the ledger's rules are enforced.
        Refused = "refused",
        /// The event is understood, but nothing here handles it yet.
        Unsupported = "unsupported",
    }
}

/// Why a record was not taken, in words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct BadRecord {
    /// The stable code.
    pub code: ErrorCode,
    /// What is wrong, where, and how to mend it.
    pub message: String,
}

impl BadRecord {
    /// A bad record with its reason.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}
