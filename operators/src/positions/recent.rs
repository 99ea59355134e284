//! The trades that a bust can still remove.
//!
//! Only fills of other venues can be busted, and only within the horizon. So trades are kept from the earliest such fill on:
//! everything before it is summed up in the base. For an account that trades only on our own book nothing is kept.

use std::collections::VecDeque;

use headwater_schemas::{EffectiveTime, Id, Place};

use super::{AverageCost, Trade};

/// A kept trade.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Kept {
    pub(super) place: Place,
    /// The fill's id; `None` for an execution of our own book.
    pub(super) fill_id: Option<Id>,
    pub(super) trade: Trade,
    /// Whether its row was emitted.
    pub(super) emitted: bool,
}

/// The base and the trades after it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Recent {
    pub(super) base: AverageCost,
    pub(super) kept: VecDeque<Kept>,
    /// Trades that are no longer kept and whose rows are to be retracted.
    pub(super) gone: Vec<Kept>,
}

impl Recent {
    /// Adds a trade; `None` if a sum would not fit.
    pub(super) fn add(&mut self, sums: AverageCost, kept: Kept) -> Option<AverageCost> {
        let after = sums.after(kept.trade)?;
        if self.kept.is_empty() && kept.fill_id.is_none() {
            self.base = after;
        } else {
            self.kept.push_back(kept);
        }
        Some(after)
    }

    /// Adds the trades before `horizon` to the base.
    pub(super) fn forget(&mut self, horizon: EffectiveTime) {
        while self.kept.front().is_some_and(|kept| kept.place.time < horizon || kept.fill_id.is_none()) {
            let Some(kept) = self.kept.pop_front() else { return };
            // The trade was part of the sums before, so it fits.
            self.base = self.base.after(kept.trade).unwrap_or(self.base);
            self.gone.extend(Some(kept).filter(|kept| kept.emitted));
        }
    }

    pub(super) fn has(&self, fill_id: &Id) -> bool {
        self.kept.iter().any(|kept| kept.fill_id.as_ref() == Some(fill_id))
    }

    /// Removes a fill and recomputes the sums. Returns them, and the fill. `None` if a sum would overflow.
    pub(super) fn bust(&mut self, fill_id: &Id) -> Option<(AverageCost, Kept)> {
        let others = |kept: &&Kept| kept.fill_id.as_ref() != Some(fill_id);
        let sums = self.kept.iter().filter(others).try_fold(self.base, |sums, kept| sums.after(kept.trade))?;
        let (busted, others): (VecDeque<_>, _) = self.kept.drain(..).partition(|kept| kept.fill_id.as_ref() == Some(fill_id));
        self.kept = others;
        let fill = busted.front()?.clone();
        self.gone.extend(busted.into_iter().filter(|kept| kept.emitted));
        Some((sums, fill))
    }
}
