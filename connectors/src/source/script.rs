//! Decisions that a replay follows, and the part of the topics that it reads. A live run after a crash follows the decisions by
//! which the crashed run had already published.

use std::collections::BTreeMap;

use headwater_schemas::{EffectiveTime, Offset, Topic};

/// A record whose clock the wall clock decided: its offset, and the clock.
pub type Remapped = (Offset, EffectiveTime);

/// The records of each partition whose clocks the wall clock decided, by ascending offset.
pub type Remaps = BTreeMap<(Topic, u16), Vec<Remapped>>;

/// A partition of the run that is replayed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Repeated {
    /// The offset up to which it was read; records after it are ignored.
    pub end: Offset,
    /// The end of the first commit that contained it; the epoch if there was none before.
    pub since: EffectiveTime,
}

/// Decisions that a replay follows. The default has none: everything is read, with the clocks that follow from the records.
#[derive(Clone, Debug)]
pub struct Script {
    /// The records of each partition whose clocks the wall clock decided, by ascending offset.
    pub remap: Remaps,
    /// The offsets of each partition's records that the wall clock rejected, ascending.
    pub refused: BTreeMap<(Topic, u16), Vec<Offset>>,
    /// By partition: an offset, and the minimum clock from that offset on, which a crashed live run had reached.
    pub floors: BTreeMap<(Topic, u16), Remapped>,
    /// The partitions to read, if not all.
    pub partitions: Option<BTreeMap<(Topic, u16), Repeated>>,
    /// Time advances at least to here.
    pub end_of_time: EffectiveTime,
    /// Earlier effective times are left out, except [reference data](Script::is_known).
    pub from: EffectiveTime,
    /// Effective times from here on are left out.
    pub to: EffectiveTime,
}

impl Default for Script {
    fn default() -> Self {
        Self {
            remap: BTreeMap::new(),
            refused: BTreeMap::new(),
            floors: BTreeMap::new(),
            partitions: None,
            end_of_time: EffectiveTime::ZERO,
            from: EffectiveTime::ZERO,
            to: EffectiveTime::MAX,
        }
    }
}

impl Script {
    /// Whether records of a topic affect later results however old they are: reference data, closes, rates and rules.
    pub const fn is_known(topic: Topic) -> bool {
        topic.is_table() || matches!(topic, Topic::Accounts | Topic::Closes | Topic::FxRates | Topic::Rules)
    }
}
