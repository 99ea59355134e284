//! Corrections: why earlier results have changed.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{EffectiveTime, Id, Nanos, Text, Topic};

/// Maximum number of corrections that a reason names.
const NAMED: usize = 8;
/// Maximum number of corrections that are kept; of further ones it is only known that they exist.
const MOST: usize = 32;

/// An event that corrects earlier results: the reason of a change in a history.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Correction {
    /// A bust of a fill.
    Bust {
        /// The effective time of the fill.
        traded: EffectiveTime,
        /// The fill.
        fill_id: Id,
    },
    /// A reversal of a posted transaction, or of a part of it.
    Reversal {
        /// The reversing transaction.
        transaction_id: Id,
        /// The reversed transaction.
        original: Id,
    },
    /// A release of a hold.
    Void {
        /// The transaction that releases it.
        transaction_id: Id,
        /// The hold.
        hold: Id,
    },
    /// A release of a hold that was open for too long.
    Expired {
        /// The hold.
        hold: Id,
    },
    /// A label that moves a purchase to another category.
    Label {
        /// The purchase.
        transaction_id: Id,
        /// The category.
        category: Text,
    },
    /// An event that arrived late.
    Late {
        /// Its topic.
        topic: Topic,
        /// Its id; its key if it has no id.
        id: Id,
        /// By how much its effective time exceeds its own time.
        lateness: Nanos,
    },
}

impl Correction {
    /// The id of the correcting event.
    pub const fn event_id(&self) -> &Id {
        match self {
            Self::Bust { fill_id: id, .. }
            | Self::Reversal { transaction_id: id, .. }
            | Self::Void { transaction_id: id, .. }
            | Self::Expired { hold: id }
            | Self::Label { transaction_id: id, .. }
            | Self::Late { id, .. } => id,
        }
    }
}

impl fmt::Display for Correction {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bust { fill_id, .. } => write!(out, "fill {fill_id} was busted"),
            Self::Reversal { transaction_id, original } => write!(out, "transaction {transaction_id} reverses {original}"),
            Self::Void { transaction_id, hold } => write!(out, "transaction {transaction_id} voids {hold}"),
            Self::Expired { hold } => write!(out, "the hold {hold} expired"),
            Self::Label { transaction_id, category } => write!(out, "{transaction_id} was labelled {category}"),
            Self::Late { topic, id, lateness } => {
                let nanos = lateness.get();
                write!(out, "{id} of {topic} came {}.{:03} s late", nanos / 1_000_000_000, nanos / 1_000_000 % 1000)
            }
        }
    }
}

/// The corrections that caused a change: each once, in an order that does not depend on when they were added. Only the first in
/// that order are kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Corrections(Vec<Correction>);

impl Corrections {
    /// No corrections.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Whether there are no corrections: the change is an ordinary one.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The effective time of the earliest busted fill. It is known however many there are, because they are sorted by it.
    pub fn busted_since(&self) -> Option<EffectiveTime> {
        self.0.iter().find_map(|correction| if let Correction::Bust { traded, .. } = correction { Some(*traded) } else { None })
    }

    /// Adds a correction.
    pub fn add(&mut self, correction: Correction) {
        if let Err(place) = self.0.binary_search(&correction) {
            self.0.insert(place, correction);
            self.0.truncate(MOST + 1);
        }
    }
}

impl Extend<Correction> for Corrections {
    fn extend<I: IntoIterator<Item = Correction>>(&mut self, corrections: I) {
        corrections.into_iter().for_each(|correction| self.add(correction));
    }
}

impl FromIterator<Correction> for Corrections {
    fn from_iter<I: IntoIterator<Item = Correction>>(corrections: I) -> Self {
        let mut all = Self::default();
        all.extend(corrections);
        all
    }
}

impl IntoIterator for Corrections {
    type Item = Correction;
    type IntoIter = std::vec::IntoIter<Correction>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl fmt::Display for Corrections {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, correction) in self.0.iter().take(NAMED).enumerate() {
            write!(out, "{}{correction}", if number == 0 { "" } else { "; " })?;
        }
        match self.0.len() {
            0..=NAMED => Ok(()),
            few @ ..=MOST => write!(out, "; and {} more", few - NAMED),
            _ => write!(out, "; and many more"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn late(id: &str) -> Correction {
        Correction::Late { topic: Topic::Transactions, id: Id::derived(id), lateness: Nanos::new(2_345_678_901) }
    }

    #[test]
    fn corrections_are_told_once_and_in_one_order() {
        let bust = Correction::Bust { traded: EffectiveTime::new(1), fill_id: Id::derived("F1") };
        let one: Corrections = [late("T1"), bust.clone(), late("T1")].into_iter().collect();
        let other: Corrections = [bust, late("T1")].into_iter().collect();
        assert_eq!(one, other);
        assert_eq!(one.to_string(), "fill F1 was busted; T1 of transactions came 2.345 s late");
    }

    #[test]
    fn of_however_many_busts_the_earliest_fill_is_known() {
        let bust =
            |traded: u64| Correction::Bust { traded: EffectiveTime::new(traded), fill_id: Id::derived(format!("F{}", 1000 - traded)) };
        let all: Corrections = (1..100).rev().map(bust).chain([late("T1")]).collect();
        assert_eq!((all.busted_since(), Corrections::from_iter([late("T1")]).busted_since()), (Some(EffectiveTime::new(1)), None));
    }

    #[test]
    fn of_many_corrections_the_first_are_named_and_the_others_counted() {
        let many: Corrections = (10..22).map(|number| late(&format!("T{number}"))).collect();
        let text = many.to_string();
        assert!(text.starts_with("T10 of") && text.ends_with("T17 of transactions came 2.345 s late; and 4 more"), "{text}");
        // In whatever order they are added, the same ones are kept.
        let numbered = |numbers: std::ops::Range<u32>| numbers.map(|number| late(&format!("T{number}"))).collect::<Corrections>();
        let mut crowd = numbered(500..900);
        crowd.extend(numbered(100..500));
        assert_eq!(crowd, numbered(100..900));
        assert!(crowd.to_string().ends_with("; and many more"));
        let eight: Corrections = (0..8).map(|number| late(&format!("T{number}"))).collect();
        assert!(!eight.to_string().contains("more"));
    }
}
