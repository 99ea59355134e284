//! What the pipeline says about itself.

use super::table;
use crate::value::{EventTime, Text};

table! {
    /// A record that was not taken, whole, with the reason.
    Append DeadLetter = "dead_letters" by (topic, partition, offset, code) {
        /// The topic's name, as the pipeline knows it (without prefix).
        topic: Text,
        /// The partition.
        partition: i32,
        /// The record's offset.
        offset: u64,
        /// The effective time at which it was refused.
        ts: EventTime,
        /// The record's key, if it had one; bytes that are not UTF-8 are replaced.
        key: Option<Text>,
        /// The record's value, if it had one; bytes that are not UTF-8 are replaced.
        value: Option<Text>,
        /// The stable code: see the list of codes.
        code: Text,
        /// What is wrong, where, and how to mend it.
        error: Text,
    }
}

table! {
    /// Where the wall clock decided something that the topics alone do not tell.
    Append Remap = "remap" by (topic, partition, offset, tick) {
        /// The topic.
        topic: Text,
        /// The partition.
        partition: i32,
        /// The record that got the clock; a run's end names the offset behind the last record.
        offset: u64,
        /// The tick of the clock.
        tick: u64,
        /// The partition's clock, in nanoseconds since the epoch.
        clock: u64,
        /// The clock as a time.
        ts: EventTime,
    }
}

table! {
    /// An event that was let through, so that it is known when it comes again. State of the admission.
    Checkpoint Admitted = "admitted" by (identity) {
        /// The digest of topic, `type` or `status`, and id.
        identity: Text,
        /// The digest of what it says.
        body: Text,
        /// Whether it is remembered for ever.
        forever: bool,
        /// Its effective time.
        ts: EventTime,
    }
}
