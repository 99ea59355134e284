//! The trades that a bust can still remove.
//!
//! Only fills of other venues can be busted, and only within the horizon. So trades are kept from the earliest such fill on:
//! everything before it is summed up in the base. For an account that trades only on our own book nothing is kept.

use std::collections::VecDeque;

use headwater_schemas::tables::LotMethod;
use headwater_schemas::{EffectiveTime, EventTime, Id, Money, Place, Price, Quantity};

use super::lot_rows::PositionLots;
use super::lots::Lots;
use super::{AverageCost, Trade};

/// A kept trade.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Kept {
    /// Its place, after that of the trade kept before it.
    pub(super) place: Place,
    /// The fill; with lots the execution of our own book, too.
    pub(super) id: Option<Id>,
    /// Whether it is a fill, which can be busted.
    pub(super) is_fill: bool,
    /// The trade's own time.
    pub(super) ts: EventTime,
    /// How the account's positions were closed when it came.
    pub(super) method: LotMethod,
    pub(super) trade: Trade,
    /// Whether its row was emitted.
    pub(super) emitted: bool,
}

impl Kept {
    /// The fill's id; `None` for an execution of our own book.
    pub(super) fn fill_id(&self) -> Option<&Id> {
        self.id.as_ref().filter(|_| self.is_fill)
    }

    fn has_fill_id(&self, fill_id: &Id) -> bool {
        self.fill_id() == Some(fill_id)
    }
}

/// The base and the trades after it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Recent {
    pub(super) base: AverageCost,
    /// The sums after the last kept trade.
    pub(super) now: AverageCost,
    /// The lots of the base and now; none if the account has always had average cost.
    pub(super) lots: Option<Box<PositionLots>>,
    /// In the order in which they were applied, which is that of their places: so they are restored in it.
    pub(super) kept: VecDeque<Kept>,
    /// Trades that are no longer kept and whose rows are to be retracted.
    pub(super) gone: Vec<Kept>,
}

impl Recent {
    /// Adds a trade; `None` if a sum would not fit.
    pub(super) fn add(&mut self, kept: Kept) -> Option<()> {
        self.apply(&kept)?;
        let kept = Kept { place: self.place_after_last(kept.place), ..kept };
        if !self.kept.is_empty() || kept.is_fill {
            self.kept.push_back(kept);
        } else if self.lots.is_none() {
            self.base = self.now;
        } else {
            self.add_to_base(&kept);
        }
        Some(())
    }

    /// Restores the base; its lots are restored.
    pub(super) fn restore_base(&mut self, base: AverageCost, lots_opened: Option<u64>) {
        (self.base, self.now) = (base, base);
        if let Some(opened) = lots_opened {
            self.lots.get_or_insert_default().base.opened = opened;
        }
        self.lots.iter_mut().for_each(|lots| lots.now = lots.base.clone());
    }

    /// Restores a kept trade, after the base and those before it.
    pub(super) fn restore(&mut self, kept: Kept) {
        // The trade was part of the sums before, so it fits.
        self.apply(&kept);
        self.kept.push_back(kept);
    }

    /// Adds the trades before `horizon` to the base.
    pub(super) fn forget(&mut self, horizon: EffectiveTime) {
        while self.kept.front().is_some_and(|kept| kept.place.time < horizon || !kept.is_fill) {
            let Some(kept) = self.kept.pop_front() else { return };
            self.add_to_base(&kept);
            self.gone.extend(Some(kept).filter(|kept| kept.emitted));
        }
    }

    pub(super) fn has(&self, fill_id: &Id) -> bool {
        self.kept.iter().any(|kept| kept.has_fill_id(fill_id))
    }

    /// Removes a fill, applies the trades after it again, and returns it. `None` if a sum would overflow.
    pub(super) fn bust(&mut self, fill_id: &Id) -> Option<Kept> {
        let mut lots = self.lots.as_ref().map(|lots| lots.base.clone());
        let others = |kept: &&Kept| !kept.has_fill_id(fill_id);
        let now = self.kept.iter().filter(others).try_fold(self.base, |sums, kept| after(sums, lots.as_mut(), kept))?;
        let (busted, others): (VecDeque<_>, _) = self.kept.drain(..).partition(|kept| kept.has_fill_id(fill_id));
        self.kept = others;
        let fill = busted.front()?.clone();
        self.gone.extend(busted.into_iter().filter(|kept| kept.emitted));
        self.now = now;
        if let Some((of_position, without)) = self.lots.as_mut().zip(lots) {
            of_position.now.replace(without);
        }
        Some(fill)
    }

    /// Whether something is open that is not closed by a method.
    pub(super) fn is_open_by_another(&self, method: LotMethod) -> bool {
        let by = self.lots.as_ref().map_or(LotMethod::Average, |lots| lots.now.method);
        !self.now.quantity.is_zero() && by != method
    }

    /// A trade of nothing at a place or after the last trade, which carries over what is open to another method.
    pub(super) fn carrying_over(&self, place: Place, method: LotMethod) -> Kept {
        let place = self.place_after_last(place);
        let trade = Trade { quantity: Quantity::ZERO, price: Price::ZERO, fee: Money::ZERO };
        Kept { place, id: None, is_fill: false, ts: place.event_time(), method, trade, emitted: false }
    }

    /// The place of the next trade: its own, or the next after the last kept trade.
    ///
    /// Only a run that resumes within a tick needs the latter. It carries over at the beginning of the tick, which can be before the
    /// last trade, and its first records can have the time of the last trade and another topic or partition.
    fn place_after_last(&self, place: Place) -> Place {
        // Lateness is not part of the order.
        let place = Place { is_late: false, ..place };
        match self.kept.back() {
            Some(Kept { place: last, .. }) if place <= *last => last.derived(last.sequence.saturating_add(1)),
            _ => place,
        }
    }

    fn apply(&mut self, kept: &Kept) -> Option<()> {
        if kept.method != LotMethod::Average {
            self.lots.get_or_insert_default();
        }
        self.now = after(self.now, self.lots.as_deref_mut().map(|lots| &mut lots.now), kept)?;
        Some(())
    }

    fn add_to_base(&mut self, kept: &Kept) {
        // The trade was part of the sums before, so it fits.
        self.base = after(self.base, self.lots.as_deref_mut().map(|lots| &mut lots.base), kept).unwrap_or(self.base);
    }
}

/// The sums after a trade, which is applied to the lots as well.
fn after(sums: AverageCost, lots: Option<&mut Lots>, kept: &Kept) -> Option<AverageCost> {
    match lots {
        None => sums.after(kept.trade),
        Some(lots) => lots.apply(sums, kept),
    }
}
