//! Suppressions of alerts.

use super::json::event;
use super::{BadRecord, ErrorCode};
use crate::value::{EventTime, Id, Text};

event! {
    /// A person's decision not to be alerted by a rule for some time: about one subject, or about any.
    Suppression {
        /// The rule, as in `alerts.rule`.
        rule: Text,
        /// The subject, as in `alerts.subject`; every subject if it is left out.
        subject: Option<Id>,
        /// Who decided it.
        author: Text,
        /// Why.
        reason: Text,
        /// Time at which it ends.
        expires_at: EventTime,
        /// Time of the record, from which it holds; a record without one counts as the oldest.
        ts: Option<EventTime>,
    }
}

impl Suppression {
    /// The subject that no record can name, because tables write it for every subject.
    pub const EVERY_SUBJECT: &str = "*";

    /// Checks that it names a rule, a person and a reason, and that it ends after it begins.
    pub(super) fn check(&self) -> Result<(), BadRecord> {
        let is_name = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        if self.rule.is_empty() || !self.rule.bytes().all(is_name) {
            let message = format!("rule: {:?} is no name of a rule; send one of alerts.rule, like structuring", self.rule.as_str());
            return Err(BadRecord::new(ErrorCode::BadId, message));
        }
        if self.subject.as_ref().is_some_and(|subject| subject.as_str() == Self::EVERY_SUBJECT) {
            return Err(BadRecord::new(ErrorCode::BadId, "subject: leave it out for every subject of the rule"));
        }
        for (field, text) in [("author", &self.author), ("reason", &self.reason)] {
            if text.trim().is_empty() {
                return Err(BadRecord::new(ErrorCode::Inconsistent, format!("{field}: it is empty; say who suppresses alerts, and why")));
            }
        }
        if self.ts.is_some_and(|ts| ts >= self.expires_at) {
            let message = "expires_at: it is not after ts, so nothing is suppressed; delete the key to end a suppression";
            return Err(BadRecord::new(ErrorCode::Inconsistent, message));
        }
        Ok(())
    }
}
