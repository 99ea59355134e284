//! Wash trades: an owner's accounts buy and sell without a change of ownership.
//!
//! It fires if both sides of a match are of one owner (customer group, else customer, else account), which needs self-trade
//! prevention to be off; or if within the window one account of an owner has bought what another one has sold: an equal quantity
//! at an equal price. A purchase and a sale of one and the same account have each changed what it owns, so they are no wash
//! trade unless they are one match.

use headwater_schemas::tables::{Execution, SurveillanceRule, WatchedEvent};
use headwater_schemas::{Id, OwnerId};

use super::alerts::{AlertKey, Finding};
use super::book_state::BookHistory;
use super::books::Scene;

/// Whether an execution and an earlier one of a linked account are a purchase and a sale of equal terms.
pub(super) fn is_matched(execution: &Execution, before: &WatchedEvent) -> bool {
    before.side != execution.side && before.quantity == execution.quantity && before.price == Some(execution.price)
}

impl BookHistory {
    /// Judges an execution that is not yet remembered.
    pub(super) fn watch_wash_trade(&mut self, scene: &Scene<'_>, owner: OwnerId, execution: &Execution) {
        let Some(before) = self.washed(scene, owner, execution) else { return };
        let Execution { account_id, quantity, price, side, .. } = execution;
        let what = if before.1 { "were both sides of a match of" } else { "bought and sold" };
        let message = format!("accounts of {owner} {what} {quantity} {} at {price}: {side} by {account_id}", scene.symbol);
        let key = AlertKey { rule: SurveillanceRule::WashTrade, subject: owner.to_id(), period: None };
        let finding = Finding { message, evidence: vec![before.0, execution.execution_id.clone()], shares: None };
        self.alerts.fire(key, Some(scene.symbol), finding, scene.now, scene.end_of_episode());
    }

    /// The earlier execution of a wash trade, and whether both are one match.
    fn washed(&self, scene: &Scene<'_>, owner: OwnerId, execution: &Execution) -> Option<(Id, bool)> {
        // The two executions of a match follow each other.
        let of_match = self.trades.last().filter(|last| last.match_id.as_ref() == Some(&execution.match_id));
        if let Some(last) = of_match.filter(|last| last.owner_id == owner) {
            return Some((last.event_id.clone(), true));
        }
        let oldest = scene.settings.wash_trade_window.before(scene.now);
        let others = scene.linked.others(owner, execution.account_id).filter_map(|other| self.traders.get(&other));
        let recent = others.flat_map(|other| {
            let trades = other.trades.iter().rev().filter_map(|number| self.trades.get(*number));
            trades.take_while(|row| row.ts >= oldest)
        });
        let washed = recent.filter(|row| row.owner_id == owner && is_matched(execution, row));
        washed.max_by_key(|row| (row.ts, row.partition, row.offset, row.sequence)).map(|row| (row.event_id.clone(), false))
    }
}
