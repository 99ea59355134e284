//! Marking the close: an account dominates a symbol's volume just before the close.
//!
//! When the phase becomes `closed`, it fires for each account that has traded at least `close_quantity` within the window before,
//! and at least `close_share` of the symbol's volume: each match of the book once, and `market.trades` by the second of their own
//! time, in the whole seconds of the window. A trade of the market that arrives later adds to the volume, and so may withdraw the
//! alert.

use std::collections::BTreeMap;

use headwater_schemas::events::{Side, Trade};
use headwater_schemas::tables::{AlertState, SurveillanceRule};
use headwater_schemas::{AccountId, EventTime, Id, Quantity, Total};

use super::alerts::{AlertKey, Finding, MAX_EVIDENCE, Share};
use super::book_state::BookHistory;
use super::books::Scene;
use super::ratio::reaches;
use super::settings::Thresholds;
use super::volumes::{plus, second_of};

/// Whether an account's quantity dominates a volume.
pub(super) fn dominates(thresholds: &Thresholds, quantity: Quantity, volume: Total) -> bool {
    quantity.units() >= thresholds.close_quantity.0.units() && reaches(quantity.units(), thresholds.close_share.0, volume.units())
}

impl BookHistory {
    /// Judges the accounts that have traded before the close.
    pub(super) fn watch_close(&mut self, scene: &Scene<'_>) {
        let begin = scene.settings.close_window.before(scene.now);
        let mut quantities = BTreeMap::<AccountId, i128>::new();
        let mut volume = self.volumes.between(begin, scene.now);
        for row in self.trades.latest().take_while(|row| row.ts >= begin) {
            let sum = quantities.entry(row.account_id).or_default();
            *sum = sum.saturating_add(row.quantity.units());
            if row.side == Side::Buy {
                volume = volume.saturating_add(row.quantity.units());
            }
        }
        let volume = Total::from_units(volume);
        for (account, quantity) in quantities {
            let quantity = Quantity::from_units(quantity);
            if dominates(&scene.thresholds, quantity, volume) {
                let evidence = self.executions_since(account, begin);
                let finding =
                    Finding { message: message(scene, account.as_str(), quantity, volume), evidence, shares: Some((quantity, volume)) };
                self.set_close(scene, AlertKey { rule: RULE, subject: account.to_id(), period: Some(scene.now) }, scene.now, Some(finding));
            }
        }
    }

    /// Counts a trade of the market. Returns whether it has changed an alert of an earlier close.
    pub(super) fn watch_market(&mut self, scene: &Scene<'_>, trade: &Trade) -> bool {
        let window = scene.settings.close_window;
        if trade.ts >= window.before(scene.now) {
            self.volumes.add(trade.ts, trade.size);
        }
        let mut is_changed = false;
        for Share { key, quantity, volume, evidence } in self.alerts.shares(RULE) {
            let Some(close) = key.period else { continue };
            let second = second_of(trade.ts);
            if second <= second_of(window.before(close)) || second > second_of(close) {
                continue;
            }
            let volume = plus(volume, trade.size);
            let message = message(scene, key.subject.as_str(), quantity, volume);
            let finding = Finding { message, evidence, shares: Some((quantity, volume)) };
            let finding = Some(finding).filter(|_| dominates(&scene.thresholds, quantity, volume));
            self.set_close(scene, key, close, finding);
            is_changed = true;
        }
        is_changed
    }

    fn set_close(&mut self, scene: &Scene<'_>, key: AlertKey, close: EventTime, finding: Option<Finding>) {
        self.alerts.set(key, Some(scene.symbol), finding, AlertState::Withdrawn, scene.now, scene.horizon.after(close));
    }

    /// The latest executions of an account since a time, in their order.
    fn executions_since(&self, account: AccountId, begin: EventTime) -> Vec<Id> {
        let numbers = self.traders.get(&account).into_iter().flat_map(|trader| trader.trades.iter().rev());
        let rows = numbers.filter_map(|number| self.trades.get(*number)).take_while(|row| row.ts >= begin);
        let mut ids: Vec<Id> = rows.take(MAX_EVIDENCE).map(|row| row.event_id.clone()).collect();
        ids.reverse();
        ids
    }
}

const RULE: SurveillanceRule = SurveillanceRule::MarkingTheClose;

fn message(scene: &Scene<'_>, account: &str, quantity: Quantity, volume: Total) -> String {
    let (symbol, window) = (scene.symbol, scene.settings.close_window);
    format!("{account} traded {quantity} of the {volume} {symbol} that were traded within {window} before the close")
}
