//! Order-to-trade ratio: the order messages of an account in a symbol and day for each of its executions.
//!
//! Messages are orders, amendments and cancels, also rejected ones; a day is one of UTC. Without an execution the ratio is that to
//! one execution. The alert of a day is cleared once executions bring the ratio back.

use headwater_schemas::tables::{AlertState, SurveillanceRule};
use headwater_schemas::{AccountId, Id};

use super::alerts::{AlertKey, Finding};
use super::book_state::{BookHistory, beginning, end_of_counts};
use super::books::Scene;
use super::ratio::exceeds;
use super::settings::Thresholds;

/// Whether so many messages are too many for so many executions.
pub(super) fn is_excessive(thresholds: &Thresholds, messages: u64, executions: u64) -> bool {
    exceeds(messages.into(), thresholds.order_to_trade.0, executions.max(1).into())
}

impl BookHistory {
    /// Judges an account after a message about an order, or an execution of it.
    pub(super) fn watch_order_to_trade(&mut self, scene: &Scene<'_>, account: AccountId, order_id: &Id) {
        let Some(counts) = self.traders.get(&account).and_then(|trader| trader.counts.as_ref()) else { return };
        let (day, messages, executions) = (counts.day, counts.messages, counts.executions);
        let is_excessive = is_excessive(&scene.thresholds, messages, executions);
        if !is_excessive && self.alerts.is_empty() {
            return;
        }
        let key = AlertKey { rule: SurveillanceRule::OrderToTrade, subject: account.to_id(), period: Some(beginning(day)) };
        if is_excessive == self.alerts.stands(&key) {
            return;
        }
        let message = || format!("{account} sent {messages} order messages about {} on {day}, with {executions} executions", scene.symbol);
        let finding = is_excessive.then(|| Finding { message: message(), evidence: vec![order_id.clone()], shares: None });
        let until = end_of_counts(scene.settings, day);
        self.alerts.set(key, Some(scene.symbol), finding, AlertState::Cleared, scene.now, until);
    }
}
