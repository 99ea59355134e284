//! Spoofing and layering: an account has orders on one side, trades on the other, and cancels the orders.
//!
//! It fires if within the window an account has cancelled at least `layering_orders` orders of one side, with a quantity of at
//! least `layering_ratio` times what it has filled of that side, and has traded on the other side. The cancelled quantity must be
//! at least `layering_one_sided` times that of the other side: a market maker moves the quotes of both sides.
//!
//! Cancels are those that the account has asked for. Orders that ended by their own terms (`ioc`, expiry, self-trade prevention)
//! do not count.

use headwater_schemas::events::Side;
use headwater_schemas::tables::SurveillanceRule;
use headwater_schemas::{AccountId, Id, Quantity};

use super::alerts::{AlertKey, Finding, MAX_EVIDENCE};
use super::book_state::BookHistory;
use super::books::{Scene, opposite};
use super::ratio::reaches;
use super::settings::Thresholds;
use super::trader::{SideSums, Trader};

/// Whether the sums of a side and of the other one are those of layering.
pub(super) fn is_layering(thresholds: &Thresholds, side: &SideSums, other: &SideSums) -> bool {
    side.orders >= thresholds.layering_orders
        && other.executed > 0
        && reaches(side.cancelled, thresholds.layering_ratio.0, side.executed)
        && reaches(side.cancelled, thresholds.layering_one_sided.0, other.cancelled)
}

impl BookHistory {
    /// Judges an account after a cancel of a side, or an execution of the other one.
    pub(super) fn watch_layering(&mut self, scene: &Scene<'_>, account: AccountId, side: Side) {
        let Some(trader) = self.traders.get(&account) else { return };
        let (layers, other) = (*trader.side(side), *trader.side(opposite(side)));
        if !is_layering(&scene.thresholds, &layers, &other) {
            return;
        }
        let evidence = self.layering_evidence(trader, side);
        let [cancelled, filled, traded] = [layers.cancelled, layers.executed, other.executed].map(Quantity::from_units);
        let message = format!(
            "{account} cancelled {} {side} orders of {} with {cancelled}, had {filled} of that side filled, and traded {traded} on the \
             other side within {}",
            layers.orders, scene.symbol, scene.settings.layering_window
        );
        let key = AlertKey { rule: SurveillanceRule::Layering, subject: account.to_id(), period: None };
        let finding = Finding { message, evidence, shares: None };
        self.alerts.fire(key, Some(scene.symbol), finding, scene.now, scene.end_of_episode());
    }

    /// The cancelled orders of a side, and the executions of the other one.
    fn layering_evidence(&self, trader: &Trader, side: Side) -> Vec<Id> {
        let cancels = trader.cancels.iter().filter_map(|number| self.cancels.get(*number)).filter(|row| row.side == side);
        let within = trader.trades.iter().rev().take_while(|number| **number >= self.layered);
        let trades = within.filter_map(|number| self.trades.get(*number)).filter(|row| row.side != side);
        let half = MAX_EVIDENCE / 2;
        let mut evidence: Vec<Id> = cancels.rev().take(half).map(|row| row.event_id.clone()).collect();
        evidence.reverse();
        evidence.extend(trades.take(half).map(|row| row.event_id.clone()));
        evidence
    }
}
