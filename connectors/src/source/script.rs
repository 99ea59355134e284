//! What a replay follows: the decisions of the run that it repeats, and which part of the topics it reads. A live run that goes on
//! behind one that died follows what that one had published by.

use std::collections::BTreeMap;

use headwater_schemas::Topic;

/// A record that got its clock from the wall clock: its offset, and the clock.
pub type Remapped = (u64, u64);

/// The records of each partition that got their clocks from the wall clock, by rising offsets.
pub type Remaps = BTreeMap<(Topic, u16), Vec<Remapped>>;

/// A partition of a run that is repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repeated {
    /// The offset up to which it was read, whatever there is behind it.
    pub end: u64,
    /// When the first commit ended that knew it, in nanoseconds since the epoch; 0 if there was none before.
    pub since: u64,
}

/// What a replay follows. The default is nothing: everything is read, with the clocks that the records tell.
#[derive(Clone, Debug)]
pub struct Script {
    /// The records of each partition that got their clocks from the wall clock, by rising offsets.
    pub remap: Remaps,
    /// The offsets of each partition's records that were refused because of the wall clock, rising.
    pub refused: BTreeMap<(Topic, u16), Vec<u64>>,
    /// From which offset on no clock of a partition is below which time: a live run that died had got there.
    pub floors: BTreeMap<(Topic, u16), Remapped>,
    /// The partitions that there were, if others are not to be read.
    pub partitions: Option<BTreeMap<(Topic, u16), Repeated>>,
    /// Time goes on at least to here, in nanoseconds since the epoch.
    pub end_of_time: u64,
    /// What is effective before is left out, but for [what is known](Script::is_known) from then on.
    pub from: u64,
    /// What is effective then or later is left out.
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
    /// Whether records of a topic count for what comes later, however old they are: reference data, closes and rates.
    pub const fn is_known(topic: Topic) -> bool {
        topic.is_table() || matches!(topic, Topic::Accounts | Topic::Closes | Topic::FxRates)
    }
}
