//! What the fills of accounts counted as, so that a bust takes back the same.
//!
//! A fill counts for the owner that its account has at that moment, in the asset class and currency, and with the multiplier, that its
//! instrument has then. All of these may change before the fill is busted.

use std::collections::BTreeSet;

use headwater_schemas::events::AssetClass;
use headwater_schemas::tables::{CountedFill, Moment, TableWriter};
use headwater_schemas::{AccountId, Currency, Date, EffectiveTime, EventTime, Factor, OwnerId, Symbol};
use rustc_hash::FxHashMap;

use super::books::Scene;
use super::settings::Span;
use crate::small_map::SmallMap;
use crate::touched::Touched;

/// What a fill or an execution counts as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Basis {
    pub(super) owner: OwnerId,
    /// None for an instrument that is not known, whose fills do not count.
    pub(super) terms: Option<Terms>,
}

/// The terms of an instrument that count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Terms {
    pub(super) asset_class: AssetClass,
    pub(super) currency: Currency,
    pub(super) multiplier: Factor,
}

impl Basis {
    /// What a fill of an account counts as now.
    pub(super) fn now(scene: &Scene<'_>, account: AccountId) -> Self {
        let terms = scene.linked.instrument(&scene.symbol).map(|instrument| Terms {
            asset_class: instrument.asset_class,
            currency: instrument.currency,
            multiplier: instrument.multiplier.unwrap_or(Factor::whole(1)),
        });
        Self { owner: scene.linked.owner(account), terms }
    }
}

/// An account, and the time of the first of its fills with one basis.
type Begun = (AccountId, EffectiveTime);

/// The basis of consecutive fills.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Same {
    basis: Basis,
    /// The day of the last of them, in UTC.
    day: Date,
}

/// What the fills in a symbol counted as, by account and time, for as long as they can be busted. An account has one entry, unless its
/// owner or the instrument's terms changed meanwhile.
#[derive(Clone, Debug, Default)]
pub(super) struct Fills {
    known: FxHashMap<AccountId, SmallMap<EffectiveTime, Same>>,
    /// The entries by the days of their last fills.
    days: BTreeSet<(Date, Begun)>,
    touched: Touched<Begun, Same>,
}

impl Fills {
    pub(super) fn is_empty(&self) -> bool {
        self.known.is_empty() && self.touched.is_empty()
    }

    /// Notes what a fill counts as. Times never decrease.
    pub(super) fn count(&mut self, account: AccountId, time: EffectiveTime, basis: Basis) {
        let now = Same { basis, day: EventTime::from_effective(time).date() };
        let known = self.known.entry(account).or_default();
        let last = known.last_until(&time).filter(|(_, same)| same.basis == basis);
        if last.is_some_and(|(_, same)| *same == now) {
            return;
        }
        let begun = last.map_or(time, |(begun, _)| *begun);
        let old = known.insert(begun, now);
        let begun = (account, begun);
        self.touched.note(begun, || old);
        if let Some(old) = old {
            self.days.remove(&(old.day, begun));
        }
        self.days.insert((now.day, begun));
    }

    /// What a fill of an account counted as; none if it did not come, or cannot be busted any more.
    pub(super) fn counted(&self, account: AccountId, time: EffectiveTime) -> Option<Basis> {
        self.known.get(&account)?.last_until(&time).map(|(_, same)| same.basis)
    }

    /// The time from which the first entry is needed no more, if fills can be busted for so long.
    pub(super) fn first_end(&self, horizon: Span) -> Option<EventTime> {
        self.days.first().map(|(day, _)| horizon.after(day.end()))
    }

    /// Forgets what no bust can take back any more.
    pub(super) fn forget(&mut self, horizon: Span, now: EventTime) {
        while self.first_end(horizon).is_some_and(|end| end < now) {
            let Some((_, (account, begun))) = self.days.pop_first() else { return };
            let Some(known) = self.known.get_mut(&account) else { continue };
            let old = known.remove(&begun);
            if known.is_empty() {
                self.known.remove(&account);
            }
            self.touched.note((account, begun), || old);
        }
    }

    pub(super) fn emit(&mut self, symbol: Symbol, at: &Moment, table: &TableWriter<CountedFill>) {
        let row = |(account_id, begun): &Begun, Same { basis, day }: Same| CountedFill {
            symbol,
            account_id: *account_id,
            ts: EventTime::from_effective(*begun),
            day,
            owner_id: basis.owner,
            asset_class: basis.terms.map(|terms| terms.asset_class),
            currency: basis.terms.map(|terms| terms.currency),
            multiplier: basis.terms.map(|terms| terms.multiplier),
        };
        self.touched.emit_as(at, table, row, |(account, begun)| self.known.get(account)?.get(begun).copied());
    }

    pub(super) fn restore(&mut self, row: &CountedFill) {
        let terms = row.asset_class.zip(row.currency).zip(row.multiplier);
        let terms = terms.map(|((asset_class, currency), multiplier)| Terms { asset_class, currency, multiplier });
        let begun = (row.account_id, row.ts.effective());
        let same = Same { basis: Basis { owner: row.owner_id, terms }, day: row.day };
        self.known.entry(begun.0).or_default().insert(begun.1, same);
        self.days.insert((row.day, begun));
    }
}
