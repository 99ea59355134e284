//! Quote stuffing: an account floods a book with order messages that are not meant to trade.
//!
//! It fires if an account has sent at least `stuffing_messages` messages (orders, amendments and cancels, also rejected ones) about
//! a symbol within the window, with less than `stuffing_filled` executions for each.

use headwater_schemas::tables::SurveillanceRule;
use headwater_schemas::{AccountId, Id};

use super::alerts::{AlertKey, Finding};
use super::book_state::BookHistory;
use super::books::Scene;
use super::ratio::reaches;
use super::settings::Thresholds;

/// Whether so many messages with so many executions are quote stuffing.
pub(super) fn is_stuffing(thresholds: &Thresholds, messages: usize, executions: usize) -> bool {
    messages as u64 >= thresholds.stuffing_messages && !reaches(executions as i128, thresholds.stuffing_filled.0, messages as i128)
}

impl BookHistory {
    /// Judges an account after a message.
    pub(super) fn watch_quote_stuffing(&mut self, scene: &Scene<'_>, account: AccountId, order_id: &Id) {
        let counts = self.traders.get(&account).and_then(|trader| trader.counts.as_ref());
        let counted = counts.map(|counts| (counts.message_times.len(), counts.execution_times.len()));
        let Some((messages, executions)) = counted.filter(|counted| is_stuffing(&scene.thresholds, counted.0, counted.1)) else { return };
        let message = format!(
            "{account} sent {messages} order messages about {} with {executions} executions within {}",
            scene.symbol, scene.settings.stuffing_window
        );
        let key = AlertKey { rule: SurveillanceRule::QuoteStuffing, subject: account.to_id(), period: None };
        let finding = Finding { message, evidence: vec![order_id.clone()], shares: None };
        self.alerts.fire(key, Some(scene.symbol), finding, scene.now, scene.end_of_episode());
    }
}
