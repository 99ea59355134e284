//! The running peak of a scope's P&L, and the maximum drawdown.
//!
//! A bust takes back what was observed since its fill was traded: peak and drawdown return to their values before the fill. So a
//! row is kept for each grid point at which they first changed after a trade, as far back as fills can be busted.

use std::collections::VecDeque;

use headwater_schemas::tables::{DrawdownState, Moment, TableWriter};
use headwater_schemas::{EffectiveTime, EventTime, Nanos, Scope, Total};

/// Peak and maximum drawdown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Reached {
    peak: Total,
    max_drawdown: Total,
}

/// A scope at a grid point.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Seen {
    /// The P&L (realized, unrealized and FX), in billionths.
    pub(super) pnl: i128,
    /// Whether an account of the scope traded, or entered it with trades.
    pub(super) has_traded: bool,
    /// The effective time of the earliest of the busted fills.
    pub(super) busted_since: Option<EffectiveTime>,
    /// Whether the scope has changed its currency.
    pub(super) begins_anew: bool,
}

/// The emitted rows, oldest first.
#[derive(Clone, Debug, Default)]
pub(super) struct Drawdown(VecDeque<DrawdownState>);

impl Drawdown {
    /// Restores a row of the last commit; rows come in the order of time.
    pub(super) fn restore(&mut self, row: DrawdownState) {
        let place = self.0.partition_point(|before| before.ts < row.ts);
        self.0.insert(place, row);
    }

    /// The maximum drawdown.
    pub(super) fn max_drawdown(&self) -> Total {
        self.reached().max_drawdown
    }

    fn reached(&self) -> Reached {
        self.0.back().map(|row| Reached { peak: row.peak, max_drawdown: row.max_drawdown }).unwrap_or_default()
    }

    /// Applies what is observed at a grid point. Fills can be busted for `horizon`.
    pub(super) fn follow(&mut self, scope: Scope, seen: Seen, horizon: Nanos, at: &Moment, table: &TableWriter<DrawdownState>) {
        // A checkpoint has no history, so its rows need no reason.
        let at = &Moment::new(at.tick, at.time);
        if seen.begins_anew {
            self.clear(at, table);
        }
        if let Some(since) = seen.busted_since {
            while let Some(row) = self.0.pop_back_if(|row| row.ts.effective() > since) {
                table.retract(at, row);
            }
        }
        let old = self.reached();
        let peak = old.peak.max(Total::from_units(seen.pnl));
        let max_drawdown = old.max_drawdown.max(Total::from_units(peak.units() - seen.pnl));
        // Other fills since a busted one may be busted, too.
        let has_traded = seen.has_traded || seen.busted_since.is_some();
        if self.reach(scope, Reached { peak, max_drawdown }, has_traded, at, table) {
            self.forget(at.time.saturating_sub(horizon), at, table);
        }
    }

    /// Stores new values. Returns whether they changed.
    fn reach(&mut self, scope: Scope, new: Reached, has_traded: bool, at: &Moment, table: &TableWriter<DrawdownState>) -> bool {
        let has_changed = self.reached() != new;
        let row = |ts: EventTime, has_traded: bool| DrawdownState { scope, peak: new.peak, max_drawdown: new.max_drawdown, has_traded, ts };
        match self.0.back_mut() {
            // No fill lies between the last change and this one, so no bust goes back to between them.
            Some(last) if !last.has_traded && has_traded != has_changed => {
                let after = row(last.ts, has_traded);
                table.replace(at, Some(std::mem::replace(last, after.clone())), Some(after));
            }
            _ if has_changed => {
                let row = row(at.event_time(), false);
                table.insert(at, row.clone());
                self.0.push_back(row);
            }
            _ => return false,
        }
        true
    }

    /// Removes rows that only the bust of a fill beyond the horizon would need.
    fn forget(&mut self, horizon: EffectiveTime, at: &Moment, table: &TableWriter<DrawdownState>) {
        while self.0.get(1).is_some_and(|next| next.ts.effective() <= horizon) {
            self.0.pop_front().into_iter().for_each(|row| table.retract(at, row));
        }
    }

    /// Retracts all rows.
    pub(super) fn clear(&mut self, at: &Moment, table: &TableWriter<DrawdownState>) {
        self.0.drain(..).for_each(|row| table.retract(at, row));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use headwater_schemas::Tick;

    use super::*;

    const HORIZON: Nanos = Nanos::new(100);

    fn moment(time: u64) -> Moment {
        Moment::new(Tick::new(time), EffectiveTime::new(time))
    }

    /// Time, P&L in units, whether there was a trade, the time of the earliest busted fill.
    type Step = (u64, i128, bool, Option<u64>);

    /// Follows steps, with a restart after `cut` of them.
    fn followed(steps: &[Step], cut: usize) -> (Drawdown, Vec<Total>) {
        let table = TableWriter::default();
        let (mut drawdown, mut all) = (Drawdown::default(), Vec::new());
        for (number, (time, pnl, has_traded, busted_since)) in steps.iter().copied().enumerate() {
            if number == cut {
                let rows = std::mem::take(&mut drawdown).0;
                rows.into_iter().rev().for_each(|row| drawdown.restore(row));
            }
            let busted_since = busted_since.map(EffectiveTime::new);
            let seen = Seen { pnl, has_traded, busted_since, begins_anew: false };
            drawdown.follow(Scope::derived("book:firm"), seen, HORIZON, &moment(time), &table);
            all.push(drawdown.max_drawdown());
        }
        (drawdown, all)
    }

    #[test]
    fn a_bust_takes_back_the_fall_that_its_fill_made() {
        // (steps, greatest falls)
        let cases: [(&str, &[Step], &[i128]); 6] = [
            ("without busts", &[(1, 5, true, None), (2, 2, false, None), (3, 9, false, None), (4, 8, false, None)], &[0, 3, 3, 3]),
            ("the fill made all of it", &[(1, 0, true, None), (2, -90, true, None), (3, 0, true, Some(1))], &[0, 90, 0]),
            (
                "a fall before the fill stays",
                &[(1, 5, true, None), (2, 2, false, None), (3, -90, true, None), (4, 2, true, Some(2))],
                &[0, 3, 95, 3],
            ),
            (
                "a peak that the fill made goes",
                &[(1, 1, true, None), (2, 90, true, None), (3, 1, true, Some(1)), (4, 0, false, None)],
                &[0, 0, 0, 1],
            ),
            (
                "what was seen after an earlier fill stays",
                &[(1, 9, true, None), (2, 3, false, None), (3, 3, true, None), (4, 1, false, None), (5, 3, true, Some(3))],
                &[0, 6, 6, 8, 6],
            ),
            (
                "of two busts the earlier fill counts",
                &[(1, 9, true, None), (2, 3, true, None), (3, -5, true, None), (4, 9, true, Some(1))],
                &[0, 6, 14, 0],
            ),
        ];
        for (name, steps, expected) in cases {
            for cut in 0..=steps.len() {
                let falls: Vec<_> = followed(steps, cut).1.into_iter().map(Total::units).collect();
                assert_eq!(falls, expected, "{name}, restarted at {cut}");
            }
        }
    }

    #[test]
    fn what_no_bust_can_ask_for_is_forgotten() {
        let steps: Vec<_> = (1..=1000).map(|time| (time, i128::from(time), true, None)).collect();
        assert_eq!(followed(&steps, steps.len()).0.0.len(), usize::try_from(HORIZON.get()).expect("a number") + 1);
        let without_trades: Vec<_> = (1..=1000).map(|time| (time, i128::from(time), false, None)).collect();
        assert_eq!(followed(&without_trades, 1000).0.0.len(), 1);
    }

    proptest! {
        /// Compared with a list of all observations: a bust removes what was observed since its fill, all others count.
        #[test]
        fn it_is_the_fold_of_all_that_was_not_taken_back(
            steps in proptest::collection::vec((-20..20_i128, any::<bool>(), proptest::option::of(0..30_u64)), 1..40),
            cut in 0..40_usize,
        ) {
            let steps: Vec<_> = (1_u64..)
                .zip(steps)
                .map(|(time, (pnl, has_traded, back))| (time, pnl, has_traded, back.map(|back| time.saturating_sub(back + 1))))
                .collect();
            // Only a time at which there was a trade, as seen in the following step, can be that of a fill.
            let steps: Vec<_> = steps
                .iter()
                .map(|(time, pnl, traded, since)| (*time, *pnl, *traded, since.filter(|since| steps.iter().any(|step| step.0 == since + 1 && step.2))))
                .collect();
            let mut kept: Vec<(u64, i128)> = Vec::new();
            let (_, falls) = followed(&steps, cut);
            for ((time, pnl, _, since), fall) in steps.into_iter().zip(falls) {
                kept.retain(|(seen, _)| since.is_none_or(|since| *seen <= since));
                kept.push((time, pnl));
                let (_, expected) = kept.iter().fold((0, 0), |(peak, fall), (_, pnl): &(u64, i128)| {
                    let peak = pnl.max(&peak).to_owned();
                    (peak, fall.max(peak - pnl))
                });
                prop_assert_eq!(fall.units(), expected);
            }
        }
    }
}
