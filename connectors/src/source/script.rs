//! Decisions that a replay follows, and the part of the topics that it reads. A live run after a crash follows the decisions by
//! which the crashed run had already published.

use std::collections::BTreeMap;

use headwater_schemas::Topic;

/// A record whose clock the wall clock decided: its offset, and the clock.
pub type Remapped = (u64, u64);

/// The records of each partition whose clocks the wall clock decided, by ascending offset.
pub type Remaps = BTreeMap<(Topic, u16), Vec<Remapped>>;

/// A partition of the run that is replayed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repeated {
    /// The offset up to which it was read; records after it are ignored.
    pub end: u64,
    /// The end of the first commit that contained it, in nanoseconds since the epoch; 0 if there was none before.
    pub since: u64,
}

/// Decisions that a replay follows. The default has none: everything is read, with the clocks that follow from the records.
#[derive(Clone, Debug)]
pub struct Script {
    /// The records of each partition whose clocks the wall clock decided, by ascending offset.
    pub remap: Remaps,
    /// The offsets of each partition's records that the wall clock rejected, ascending.
    pub refused: BTreeMap<(Topic, u16), Vec<u64>>,
    /// By partition: an offset, and the minimum clock from that offset on, which a crashed live run had reached.
    pub floors: BTreeMap<(Topic, u16), Remapped>,
    /// The partitions to read, if not all.
    pub partitions: Option<BTreeMap<(Topic, u16), Repeated>>,
    /// Time advances at least to here, in nanoseconds since the epoch.
    pub end_of_time: u64,
    /// Earlier effective times are left out, except [reference data](Script::is_known), in nanoseconds since the epoch.
    pub from: u64,
    /// Effective times from here on are left out, in nanoseconds since the epoch.
    pub to: u64,
}

impl Default for Script {
    fn default() -> Self {
        Self {
            remap: BTreeMap::new(),
            refused: BTreeMap::new(),
            floors: BTreeMap::new(),
            partitions: None,
            end_of_time: 0,
            from: 0,
            to: u64::MAX,
        }
    }
}

impl Script {
    /// Whether records of a topic affect later results however old they are: reference data, closes and rates.
    pub const fn is_known(topic: Topic) -> bool {
        topic.is_table() || matches!(topic, Topic::Accounts | Topic::Closes | Topic::FxRates)
    }
}
