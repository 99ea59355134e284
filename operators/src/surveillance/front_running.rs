//! Front running by linked accounts: an account orders just before a linked account enters a much larger order of the same side.
//!
//! Accounts are linked by their owner: a customer group, or a customer. It fires if an order's quantity is at least
//! `front_running_ratio` times that of an order of a linked account that was accepted within the window before it.

use headwater_schemas::AccountId;
use headwater_schemas::tables::{SurveillanceRule, WatchedEvent};

use super::alerts::{AlertKey, Finding};
use super::book_state::BookHistory;
use super::books::Scene;
use super::ratio::reaches;
use super::settings::Thresholds;

/// Whether an order was entered ahead of a larger one.
pub(super) fn is_ahead(thresholds: &Thresholds, before: &WatchedEvent, large: &WatchedEvent) -> bool {
    before.owner_id == large.owner_id
        && before.account_id != large.account_id
        && before.side == large.side
        && reaches(large.quantity.units(), thresholds.front_running_ratio.0, before.quantity.units())
}

impl BookHistory {
    /// Judges an accepted order of an account with linked accounts, and remembers it.
    pub(super) fn watch_front_running(&mut self, scene: &Scene<'_>, order: WatchedEvent) {
        let ahead: Vec<WatchedEvent> = self.orders.latest().filter(|before| is_ahead(&scene.thresholds, before, &order)).cloned().collect();
        for before in ahead.iter().rev() {
            self.front_run(scene, before, &order);
        }
        self.orders.push(order);
    }

    fn front_run(&mut self, scene: &Scene<'_>, before: &WatchedEvent, large: &WatchedEvent) {
        let account: AccountId = before.account_id;
        let message = format!(
            "{account} entered a {} order of {} {} less than {} before {} entered one of {}",
            before.side, before.quantity, scene.symbol, scene.settings.front_running_window, large.account_id, large.quantity
        );
        let key = AlertKey { rule: SurveillanceRule::FrontRunning, subject: account.to_id(), period: None };
        let evidence = vec![before.event_id.clone(), large.event_id.clone()];
        let finding = Finding { message, evidence, shares: None };
        self.alerts.fire(key, Some(scene.symbol), finding, scene.now, scene.end_of_episode());
    }
}
