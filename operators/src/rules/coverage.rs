//! The events that the versions of a pack judged, by their places in the pack's topic.
//!
//! A version judges from where the run that began with it resumed reading. What an earlier version decided stays as it is, and so
//! does what no version judged: a late event or a reversal makes no decision about it again. Remembered events have offsets, but no
//! effective times, so the bounds are offsets.

use std::collections::BTreeMap;
use std::sync::Arc;

use headwater_schemas::Offset;
use serde::{Deserialize, Serialize};

use super::record::Order;

/// For each partition of a pack's topic, the first offset that is not before a place. A partition that is not listed is not before it
/// from its first record on.
pub type Offsets = BTreeMap<u16, Offset>;

/// By the pack's name. A pack that is not listed judges every event.
pub type Coverages = BTreeMap<String, Arc<Coverage>>;

/// The events that the versions of a pack judged. By default one version judges all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coverage {
    /// Where the version in force began to judge.
    from: Offsets,
    /// The events that earlier versions judged, oldest first. Two spans that meet are one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    earlier: Vec<Span>,
    /// Where the last version ceased to judge, if none is in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until: Option<Offsets>,
}

/// The events from one place on, up to another one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Span {
    from: Offsets,
    until: Offsets,
}

/// Which version of a pack judged an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum JudgedBy {
    /// The one in force.
    Current,
    /// An earlier one, whose decision stands.
    Earlier,
    /// None.
    Nobody,
}

impl Coverage {
    /// That of a pack which begins to judge at a place, and of which no version judged before.
    pub fn beginning(at: &Offsets) -> Self {
        Self { from: at.clone(), ..Self::default() }
    }

    /// Whether one version judges all events.
    pub fn is_whole(&self) -> bool {
        *self == Self::default()
    }

    /// The same, after another version took the place of the one in force, or after a pack that had ceased judges again.
    pub fn replaced(mut self, at: &Offsets) -> Self {
        let span = Span { from: std::mem::take(&mut self.from), until: self.until.take().unwrap_or_else(|| at.clone()) };
        match self.earlier.last_mut().filter(|last| last.until == span.from) {
            Some(last) => last.until = span.until,
            None => self.earlier.push(span),
        }
        Self { from: at.clone(), ..self }
    }

    /// The same, after the pack ceased to judge.
    pub fn ceased(mut self, at: &Offsets) -> Self {
        self.until.get_or_insert_with(|| at.clone());
        self
    }

    /// The version that judged the event with a place.
    pub(super) fn judged_by(&self, order: &Order) -> JudgedBy {
        if is_since(&self.from, order) {
            return JudgedBy::Current;
        }
        let is_in = |span: &Span| is_since(&span.from, order) && !is_since(&span.until, order);
        if self.earlier.iter().any(is_in) { JudgedBy::Earlier } else { JudgedBy::Nobody }
    }
}

fn is_since(from: &Offsets, order: &Order) -> bool {
    from.get(&order.partition).is_none_or(|from| order.offset >= *from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(offset: u64) -> Offsets {
        Offsets::from([(0, Offset::new(offset))])
    }

    fn judged(coverage: &Coverage, partition: u16, offset: u64) -> JudgedBy {
        coverage.judged_by(&Order { ts: 0, rank: 0, partition, offset: Offset::new(offset), sequence: 0 })
    }

    #[test]
    fn an_event_is_judged_by_the_version_in_force_when_it_was_read() {
        // The pack begins at 10, changes at 20 and at 30, ceases at 40, and judges again from 50 on.
        let coverage = Coverage::beginning(&at(10)).replaced(&at(20)).replaced(&at(30)).ceased(&at(40)).replaced(&at(50));
        let found: Vec<_> = [9, 10, 25, 39, 40, 49, 50].map(|offset| judged(&coverage, 0, offset)).into();
        let expected = [
            JudgedBy::Nobody,
            JudgedBy::Earlier,
            JudgedBy::Earlier,
            JudgedBy::Earlier,
            JudgedBy::Nobody,
            JudgedBy::Nobody,
            JudgedBy::Current,
        ];
        assert_eq!(found, expected);
        assert_eq!(coverage.earlier.len(), 1, "spans that meet are one");
        assert_eq!(judged(&coverage, 1, 0), JudgedBy::Current, "a partition that is newer than the version");
    }

    #[test]
    fn what_a_configuration_keeps_of_it_is_read_back() -> Result<(), serde_json::Error> {
        for coverage in [Coverage::default(), Coverage::default().replaced(&at(20)), Coverage::beginning(&at(10)).ceased(&at(40))] {
            let read: Coverage = serde_json::from_value(serde_json::to_value(&coverage)?)?;
            assert_eq!(read, coverage);
        }
        assert!(Coverage::default().is_whole() && !Coverage::default().replaced(&at(20)).is_whole());
        Ok(())
    }
}
