//! The surveillance of traders: rules that judge an account, or an owner, in all symbols.

use std::collections::BTreeMap;
use std::sync::Arc;

use headwater_schemas::events::AssetClass;
use headwater_schemas::tables::{Alert, AlertState, Moment, OrderValue, SurveillanceAlert, SurveillanceRule, TradedVolume};
use headwater_schemas::{
    AccountId, Correction, Currency, Date, Decimal, EffectiveTime, EventTime, Id, Money, Nanos, OwnerId, Place, Placed, Quantity, Symbol,
};
use serde::{Deserialize, Serialize};

use super::alerts::{AlertKey, Alerts, Finding};
use super::book_state::{beginning, minute_after};
use super::fat_finger::OrderValues;
use super::large_trader::TradedVolumes;
use super::settings::{Span, SurveillanceSettings};
use crate::keyed_fold::{Outbox, States, View};

/// An account or an owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TraderKey {
    /// An account's orders.
    Account(AccountId),
    /// What an owner's accounts trade.
    Owner(OwnerId),
}

/// An event of an account or owner.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum TraderEvent {
    /// An account has entered an order.
    Ordered(Ordered),
    /// An owner has traded.
    Traded(Traded),
}

/// An accepted order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Ordered {
    /// The account.
    pub account_id: AccountId,
    /// The order.
    pub order_id: Id,
    /// The instrument.
    pub symbol: Symbol,
    /// The instrument's currency.
    pub currency: Currency,
    /// Price × quantity × multiplier, without its sign.
    pub value: Money,
    /// The multiple of the median above which the order is excessive.
    pub multiple: Decimal,
}

/// An execution, a fill, or a fill that was busted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Traded {
    /// The owner.
    pub owner_id: OwnerId,
    /// The instrument's asset class.
    pub asset_class: AssetClass,
    /// The instrument's currency.
    pub currency: Currency,
    /// The quantity.
    pub quantity: Quantity,
    /// Price × quantity × multiplier, without its sign.
    pub value: Money,
    /// The execution or fill.
    pub id: Id,
    /// The day of the trade, in UTC.
    pub day: Date,
    /// The bust, if the trade no longer counts.
    pub bust: Option<Correction>,
}

/// View of the surveillance of traders.
#[derive(Clone, Debug)]
pub struct TraderSurveillance {
    /// Windows and thresholds.
    pub settings: Arc<SurveillanceSettings>,
    /// How long a fill can be busted.
    pub horizon: Nanos,
}

/// What surveillance remembers of an account or owner.
#[derive(Clone, Debug, Default)]
pub struct TraderHistory {
    orders: BTreeMap<Currency, OrderValues>,
    traded: TradedVolumes,
    alerts: Alerts,
}

headwater_schemas::table_set! {
    /// The tables of the surveillance of traders.
    pub struct TraderSurveillanceTables restored from SavedTraderSurveillance {
        restored { order_values: OrderValue, traded: TradedVolume, saved_alerts: SurveillanceAlert }
        written { alerts: Alert }
    }
}

crate::fold_operator!(TraderSurveillance);

impl View for TraderSurveillance {
    type Key = TraderKey;
    type Route = TraderKey;
    type Event = TraderEvent;
    type Broadcast = ();
    type Context = ();
    type State = TraderHistory;
    type Timer = ();
    type Tables = TraderSurveillanceTables;
    type Derived = ();
    type Update = ();

    fn key(&self, event: &TraderEvent) -> TraderKey {
        match event {
            TraderEvent::Ordered(ordered) => TraderKey::Account(ordered.account_id),
            TraderEvent::Traded(traded) => TraderKey::Owner(traded.owner_id),
        }
    }

    fn route(key: &TraderKey) -> TraderKey {
        *key
    }

    fn learn(&self, (): &mut (), _: Placed<()>) {}

    fn apply(&self, (): &(), _: &TraderKey, history: &mut TraderHistory, placed: Placed<TraderEvent>, out: &mut Outbox<'_, Self>) {
        let now = placed.place.event_time();
        let due = self.due(history);
        self.forget(history, now);
        match placed.event {
            TraderEvent::Ordered(ordered) => self.ordered(history, &ordered, now),
            TraderEvent::Traded(traded) => self.traded(history, &traded, now, out),
        }
        let next = self.due(history);
        if next != due {
            due.into_iter().for_each(|time| out.cancel_timer(time.effective(), ()));
            next.into_iter().for_each(|time| out.set_timer(time.effective(), ()));
        }
    }

    fn timer(&self, (): &(), _: &TraderKey, history: &mut TraderHistory, (): (), place: Place, out: &mut Outbox<'_, Self>) {
        self.forget(history, place.event_time());
        self.due(history).into_iter().for_each(|time| out.set_timer(time.effective(), ()));
    }

    fn emit(&self, (): &(), key: &TraderKey, history: &mut TraderHistory, at: &Moment, tables: &TraderSurveillanceTables) {
        match key {
            TraderKey::Account(account) => {
                history.orders.iter_mut().for_each(|(currency, orders)| orders.emit(*account, *currency, at, &tables.order_values));
            }
            TraderKey::Owner(owner) => history.traded.emit(*owner, at, &tables.traded),
        }
        history.alerts.emit(at, &tables.alerts, &tables.saved_alerts);
    }

    fn is_forgettable(&self, history: &TraderHistory) -> bool {
        history.orders.is_empty() && history.traded.is_empty() && history.alerts.is_empty()
    }

    fn restore(&self, saved: &SavedTraderSurveillance, states: &mut States<'_, Self>) {
        let mut orders: Vec<_> = saved.order_values.iter().filter(|row| states.have(&TraderKey::Account(row.account_id))).collect();
        orders.sort_by_key(|row| row.number);
        for row in orders {
            let Some(history) = states.of(&TraderKey::Account(row.account_id)) else { continue };
            history.orders.entry(row.currency).or_default().restore(row);
        }
        for row in saved.traded.iter() {
            states.of(&TraderKey::Owner(row.owner_id)).into_iter().for_each(|history| history.traded.restore(row));
        }
        for row in saved.saved_alerts.iter() {
            let Some((key, until)) = self.alert_of(row) else { continue };
            states.of(&key).into_iter().for_each(|history| history.alerts.restore(row, until));
        }
    }

    fn timers(&self, _: &TraderKey, history: &TraderHistory) -> Vec<(EffectiveTime, ())> {
        self.due(history).map(|time| (time.effective(), ())).into_iter().collect()
    }
}

impl TraderSurveillance {
    fn ordered(&self, history: &mut TraderHistory, ordered: &Ordered, now: EventTime) {
        let Ordered { account_id, order_id, symbol, currency, value, multiple } = ordered;
        let orders = history.orders.entry(*currency).or_default();
        if orders.is_excessive(*value, *multiple) {
            let median = orders.median().unwrap_or_default();
            let message = format!("order {order_id} of {account_id} in {symbol} is worth {value} {currency}; its median order {median}");
            let finding = Finding { message, evidence: vec![order_id.clone()], shares: None };
            let key = AlertKey { rule: SurveillanceRule::FatFinger, subject: account_id.to_id(), period: None };
            history.alerts.fire(key, Some(*symbol), finding, now, self.settings.episode.after(now));
        }
        orders.push(*value, now);
    }

    fn traded(&self, history: &mut TraderHistory, traded: &Traded, now: EventTime, out: &mut Outbox<'_, Self>) {
        let Traded { owner_id, day, .. } = *traded;
        history.traded.count(traded, now);
        let large = history.traded.large(&self.settings, day);
        let key = AlertKey { rule: SurveillanceRule::LargeTrader, subject: owner_id.to_id(), period: Some(beginning(day)) };
        if large.is_some() == history.alerts.stands(&key) {
            return;
        }
        let finding = large.map(|large| {
            let message = format!("accounts of {owner_id} have traded {large} on {day}");
            Finding { message, evidence: vec![traded.id.clone()], shares: None }
        });
        history.alerts.set(key, None, finding, AlertState::Withdrawn, now, self.end_of_volume(day));
        traded.bust.iter().for_each(|bust| out.correct(bust.clone()));
    }

    /// The time after which no bust changes the volume of a day.
    fn end_of_volume(&self, day: Date) -> EventTime {
        Span(self.horizon).after(day.end())
    }

    fn due(&self, history: &TraderHistory) -> Option<EventTime> {
        let ends = [history.traded.first().map(|day| self.end_of_volume(day)), history.alerts.until()];
        ends.into_iter().flatten().min().map(minute_after)
    }

    fn forget(&self, history: &mut TraderHistory, now: EventTime) {
        if self.due(history).is_some_and(|due| due <= now) {
            history.traded.forget(|day| self.end_of_volume(day) < now);
            history.alerts.forget(now);
        }
    }

    /// The key of a saved alert, and the time after which it cannot change; none for an alert of another view.
    fn alert_of(&self, row: &SurveillanceAlert) -> Option<(TraderKey, EventTime)> {
        match (row.rule, row.period) {
            (SurveillanceRule::FatFinger, _) => {
                Some((TraderKey::Account(AccountId::derived(row.subject.as_str())), self.settings.episode.after(row.last_ts)))
            }
            (SurveillanceRule::LargeTrader, Some(day)) => {
                Some((TraderKey::Owner(OwnerId::derived(row.subject.as_str())), self.end_of_volume(day.date())))
            }
            _ => None,
        }
    }
}
