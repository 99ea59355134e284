//! The stable codes of dead letters.

use crate::value::text_enum;

text_enum! {
    /// Why a record was rejected. The codes are stable: queries and alerts may rely on them.
    ErrorCode {
        /// The record is larger than 1 MiB: send less in one event.
        TooLarge = "too_large",
        /// The value is not UTF-8: encode it as UTF-8.
        NotUtf8 = "not_utf8",
        /// The value is not JSON, or something follows the JSON object: fix the producer's serialisation.
        NotJson = "not_json",
        /// The value is JSON, but not an object: wrap it in `{…}`.
        NotAnObject = "not_an_object",
        /// The value of a topic that carries Avro does not begin with a zero byte and a schema id: send it with the serializer of a
        /// schema registry.
        NotFramed = "not_framed",
        /// The schema registry has no schema of the record's id: register the schema, and send the event again.
        UnknownSchema = "unknown_schema",
        /// The schema of the record's id is not Avro, or cannot be read: register a valid one, and send the event again with its id.
        BadSchema = "bad_schema",
        /// The record is not what its schema says: cut off, longer, or damaged. Send it whole, with the id of the schema that wrote it.
        BadAvro = "bad_avro",
        /// A field that the event needs is missing: add it.
        MissingField = "missing_field",
        /// A field occurs twice: send it once.
        DuplicateField = "duplicate_field",
        /// A field has the wrong JSON type: see the topic's JSON Schema.
        WrongType = "wrong_type",
        /// The topic has no events of that `type`: use one that it has.
        UnknownType = "unknown_type",
        /// A field has a word that is not in its list: use one of those in the topic's JSON Schema.
        UnknownValue = "unknown_value",
        /// A decimal has more than 18 integer or 9 fraction digits, or is not a number: it is rejected, never rounded; round it
        /// where it is made.
        BadDecimal = "bad_decimal",
        /// A time is neither RFC 3339 with an offset nor integer nanoseconds, or not between 1678 and 2261: write it as one.
        BadTime = "bad_time",
        /// A date is not `YYYY-MM-DD`, or there is no such day: write it in this form.
        BadDate = "bad_date",
        /// An identifier is not 1 to 64 visible ASCII characters (a currency: 1 to 12): remove spaces and other characters.
        BadId = "bad_id",
        /// A text has more than 1024 characters: shorten it.
        BadText = "bad_text",
        /// A limit's scope has none of the known forms: write `default`, `account:ID`, `book:PATH`, `symbol:S` or `customer:ID`.
        BadScope = "bad_scope",
        /// A number is negative where that has no meaning: send the magnitude; the direction is another field.
        NegativeNumber = "negative_number",
        /// A number is not positive where it must be: leave the field out, or send the intended value.
        NotPositive = "not_positive",
        /// A number is outside the range of its field, like a latitude of 100 degrees: check its unit.
        OutOfRange = "out_of_range",
        /// Fields contradict each other, or an earlier event: correct the one that is wrong.
        Inconsistent = "inconsistent",
        /// The record's key is not UTF-8, or a tombstone has none: send the event's key field.
        BadKey = "bad_key",
        /// The record's key differs from the event's key, which would mislead consumers that read by key: send them equal.
        KeyMismatch = "key_mismatch",
        /// A null value on a topic that is not a table: send an event; only keys of table topics can be deleted.
        Tombstone = "tombstone",
        /// `ts` is more than a day after the record's own timestamp, or after the run's start where records have none: correct the
        /// producer's clock or unit.
        FutureTimestamp = "future_timestamp",
        /// The event is late by more than the horizon that the view remembers: send it sooner, or widen the horizon.
        TooLate = "too_late",
        /// An event with this identity was accepted before, with another body: the first one counts; use a new id.
        ConflictingDuplicate = "conflicting_duplicate",
        /// A result would not fit the tables' 19 integer digits: check the event's unit.
        Overflow = "overflow",
        /// The pack of rules cannot be loaded, or one of its own tests fails: mend what the message lists, with `headwater rules
        /// check`, and propose it as another version.
        BadRules = "bad_rules",
        /// Who proposed the change also approved it: let another person approve it.
        MakerIsChecker = "maker_is_checker",
        /// The proposal was approved or rejected before: the first decision counts; propose another version.
        AlreadyDecided = "already_decided",
        /// The event refers to another one that is not known: send that one first, or correct the id.
        UnknownReference = "unknown_reference",
        /// The transaction breaks a rule of the ledger, which the message names.
        Refused = "refused",
        /// The debit is more than the account has available, and `ledger.enforce` is set: pay in first.
        InsufficientFunds = "insufficient_funds",
        /// The account is frozen, and `ledger.enforce` is set: send the transaction again once it is unfrozen.
        FrozenAccount = "frozen_account",
        /// The account is closed, and `ledger.enforce` is set: use another account.
        ClosedAccount = "closed_account",
        /// The amount is above the limit `transaction_amount` of the account, and `ledger.enforce` is set: send less, or raise the limit.
        TransactionLimit = "transaction_limit",
        /// With it, the withdrawals of the day would be above the limit `daily_withdrawal` of the account, and `ledger.enforce` is set:
        /// send less, on another day, or raise the limit.
        DailyWithdrawal = "daily_withdrawal",
        /// With it, the transfers of the day would be above the limit `daily_transfer` of the account, and `ledger.enforce` is set: send
        /// less, on another day, or raise the limit.
        DailyTransfer = "daily_transfer",
        /// The event is valid, but no view processes it.
        Unsupported = "unsupported",
    }
}

/// Why a record was rejected, as a message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct BadRecord {
    /// The stable code.
    pub code: ErrorCode,
    /// What is wrong, where, and how to fix it.
    pub message: String,
}

impl BadRecord {
    /// A bad record with its message. A message that quotes half the record is shortened in the middle: the field is named at the
    /// beginning, the instruction at the end.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: shortened(message.into()) }
    }

    /// The error of an event that was read from Avro: it names the schema in place of the position in the event's JSON, which the
    /// producer never saw.
    pub fn of_avro(mut self, schema_id: u32) -> Self {
        if let Some(position) = self.message.rfind(" (found at line ").filter(|_| self.message.ends_with(')')) {
            self.message.truncate(position);
            self.message.push_str(&format!(" (Avro with the schema of id {schema_id})"));
        }
        self
    }

    /// A record with more bytes than are decoded.
    pub fn too_large(bytes: u64) -> Self {
        let message = format!("the record has {bytes} bytes, more than {}: send less in one event", super::MAX_RECORD_BYTES);
        Self::new(ErrorCode::TooLarge, message)
    }
}

const HEAD_CHARACTERS: usize = 200;
const TAIL_CHARACTERS: usize = 280;

fn shortened(message: String) -> String {
    // A character has at least one byte, so most messages need no counting.
    let length = if message.len() > HEAD_CHARACTERS + TAIL_CHARACTERS { message.chars().count() } else { 0 };
    if length <= HEAD_CHARACTERS + TAIL_CHARACTERS {
        return message;
    }
    let head: String = message.chars().take(HEAD_CHARACTERS).collect();
    let tail: String = message.chars().skip(length - TAIL_CHARACTERS).collect();
    format!("{head} … {tail}")
}
