//! Spending: what each customer spends in a month and category, compared with budgets and with the month before.
//!
//! - **Key**: customer. **Rows**: [`Spending`], and alerts. **State**: sums of months and of recent days, budgets, and alerts that
//!   were raised.
//! - Sums are in the currency of the purchases; nothing is converted. Months are those of the customer's time zone.
//! - **Budgets** ([`budgets`](super::budgets)) are compared with spending in their currency, in each month: `budget_warning` from the
//!   threshold on, `budget_exceeded` above the amount. One of them stands at a time.
//! - **Spikes** ([`spikes`](super::spikes)): `spending_spike` if a month has so far at least a part more than the same days of the
//!   month before. A month is compared until the end of the month after it.
//! - An alert is amended with each purchase that changes its figures. It is `withdrawn` if a correction (a reversal, a void, a late
//!   purchase, a label) ends it, and `cleared` otherwise.

use std::collections::BTreeMap;

use headwater_schemas::events::{Budget, ErrorCode, Event};
use headwater_schemas::tables::{
    Alert, AlertKind, AlertState, CustomerBudget, Moment, NotificationKind, Severity, Spending as SpendingRow, SpendingAlert, SpendingDay,
    SpendingRule,
};
use headwater_schemas::{Currency, CustomerId, Date, EventTime, Id, Nanos, Place, Placed, Text, Total};
use serde::{Deserialize, Serialize};

use super::budgets::{Budgeted, Terms};
use super::labelled::SpendingChange;
use super::month::Month;
use super::notice::Notice;
use super::rejected;
use super::settings::CustomerSettings;
use super::spikes::Compared;
use crate::alerts::Raised;
use crate::keyed_fold::{Outbox, States, View};
use crate::small_map::SmallMap;
use crate::touched::Touched;
use crate::zones::CustomerZones;

/// View of spending.
#[derive(Clone, Debug)]
pub struct Spending {
    /// Thresholds.
    pub settings: CustomerSettings,
    /// How long a purchase can be reversed.
    pub reversal_horizon: Nanos,
}

/// An event of a customer's spending.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum SpendingEvent {
    /// Spending changed.
    Spent(Box<SpendingChange>),
    /// A budget was set.
    Budget(Box<Budget>),
    /// A budget was deleted.
    NoBudget {
        /// The customer.
        customer_id: CustomerId,
        /// The category.
        category: Text,
    },
}

impl SpendingEvent {
    /// What the deletion of a key of `budgets` ends. A customer's name or a category may contain the separator of the key, so all
    /// budgets of that key end.
    pub fn no_budget(key: &str) -> impl Iterator<Item = Self> {
        key.match_indices('|').filter_map(|(at, separator)| {
            let (customer, category) = (key.get(..at)?, key.get(at + separator.len()..)?);
            Some(Self::NoBudget { customer_id: CustomerId::new(customer).ok()?, category: Text::new(category) })
        })
    }
}

headwater_schemas::table_set! {
    /// The tables of spending.
    pub struct SpendingTables restored from SavedSpending {
        restored {
            spending: SpendingRow,
            spending_days: SpendingDay,
            customer_budgets: CustomerBudget,
            spending_alerts: SpendingAlert,
        }
        written { alerts: Alert }
    }
}

/// A category in a currency.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Category {
    pub(super) name: Text,
    pub(super) currency: Currency,
}

/// What was spent in a month.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Sum {
    amount: Total,
    count: i64,
    ts: EventTime,
    /// What was spent on each day, in order. Forgotten once the month is compared no more.
    days: Vec<(Date, Total)>,
}

/// A category and a month of spending.
type MonthKey = (Category, Month);

/// An alert's rule, month and category.
type AlertKey = (SpendingRule, Month, Category);

/// An alert that was raised.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Standing {
    raised: Raised,
    /// The terms of the budget with which the month was compared last.
    terms: Option<Terms>,
}

/// The spending of a customer.
#[derive(Clone, Debug, Default)]
pub struct SpendingState {
    months: SmallMap<MonthKey, Sum>,
    budgets: BTreeMap<Text, Budgeted>,
    alerts: BTreeMap<AlertKey, Standing>,
    touched_months: Touched<MonthKey, SpendingRow>,
    touched_days: Touched<(MonthKey, Date), SpendingDay>,
    touched_budgets: Touched<Text, CustomerBudget>,
    touched_alerts: Touched<AlertKey, SpendingAlert>,
    /// Alerts to be emitted, each in its latest state.
    now: Vec<Alert>,
}

/// The event that changes alerts.
struct Cause<'a> {
    customer_id: CustomerId,
    ts: EventTime,
    zones: &'a CustomerZones,
    /// The first month whose days are remembered. It follows UTC, so that a customer who moves house cannot turn it back.
    remembered: Month,
    /// The purchase.
    transaction_id: Option<&'a Id>,
    /// The state of an alert that it ends.
    end: AlertState,
}

impl Cause<'_> {
    /// The current month of the customer. It takes a look-up, which most purchases do not need.
    fn month(&self) -> Month {
        Month::of(self.zones.date(&self.customer_id, self.ts)).0
    }
}

/// What a rule finds in a month and category.
struct Finding<'a> {
    severity: Option<Severity>,
    /// The state of the alert, if this ends it.
    end: AlertState,
    message: &'a dyn Fn() -> String,
    terms: Option<Terms>,
}

crate::fold_operator!(Spending);

impl View for Spending {
    type Key = CustomerId;
    type Route = CustomerId;
    type Event = SpendingEvent;
    type Broadcast = Event;
    type Context = CustomerZones;
    type State = SpendingState;
    type Timer = ();
    type Tables = SpendingTables;
    type Derived = Notice;
    type Update = ();

    fn key(&self, event: &SpendingEvent) -> CustomerId {
        match event {
            SpendingEvent::Spent(change) => change.customer_id,
            SpendingEvent::Budget(budget) => budget.customer_id,
            SpendingEvent::NoBudget { customer_id, .. } => *customer_id,
        }
    }

    fn route(customer: &CustomerId) -> CustomerId {
        *customer
    }

    fn learn(&self, zones: &mut CustomerZones, broadcast: Placed<Event>) {
        zones.learn(&broadcast.event);
    }

    fn apply(
        &self,
        zones: &CustomerZones,
        customer: &CustomerId,
        state: &mut SpendingState,
        placed: Placed<SpendingEvent>,
        out: &mut Outbox<'_, Self>,
    ) {
        let Placed { place, event } = placed;
        let ts = place.event_time();
        let mut cause = Cause {
            customer_id: *customer,
            ts,
            zones,
            remembered: Month::of(ts.date()).0.before().before(),
            transaction_id: None,
            end: AlertState::Cleared,
        };
        self.forget_alerts(state, *customer, place);
        match event {
            SpendingEvent::Spent(change) => {
                cause.transaction_id = Some(&change.transaction_id);
                if change.correction.is_some() {
                    cause.end = AlertState::Withdrawn;
                }
                if state.add(&change, &cause).is_none() {
                    let SpendingChange { transaction_id, category, .. } = &*change;
                    let error = format!("{category} of {customer} would not fit its column with {transaction_id}: check the amount's unit");
                    return out.refuse(rejected(place, Text::new(transaction_id.as_str()), ErrorCode::Overflow, error));
                }
                self.follow(state, &change, &cause, out);
                change.correction.into_iter().for_each(|correction| out.correct(correction));
            }
            SpendingEvent::Budget(budget) => {
                let category = budget.category.clone();
                let Some(before) = state.set_budget(*customer, *budget, ts) else { return };
                self.follow_budget(state, &category, before, &cause, out);
            }
            SpendingEvent::NoBudget { category, .. } => {
                let before = state.unset_budget(*customer, &category);
                self.follow_budget(state, &category, before, &cause, out);
            }
        }
    }

    fn emit(&self, _: &CustomerZones, customer: &CustomerId, state: &mut SpendingState, at: &Moment, tables: &SpendingTables) {
        let SpendingState { months, budgets, alerts, now, .. } = state;
        state.touched_months.emit(at, &tables.spending, |key| months.get(key)?.row(*customer, key));
        state.touched_days.emit(at, &tables.spending_days, |(key, date)| months.get(key)?.day_row(*customer, key, *date));
        state.touched_budgets.emit(at, &tables.customer_budgets, |category| Some(budgets.get(category)?.row(*customer, category)));
        state.touched_alerts.emit(at, &tables.spending_alerts, |key| Some(alerts.get(key)?.row(*customer, key)));
        now.drain(..).for_each(|alert| tables.alerts.insert(at, alert));
    }

    fn is_forgettable(&self, state: &SpendingState) -> bool {
        state.months.is_empty() && state.budgets.is_empty() && state.alerts.is_empty()
    }

    fn restore(&self, saved: &SavedSpending, states: &mut States<'_, Self>) {
        for row in saved.spending.iter() {
            let Ok(month) = row.month.parse::<Month>() else { continue };
            let Some(state) = states.of(&row.customer_id) else { continue };
            let key = (Category { name: row.category.clone(), currency: row.currency }, month);
            state.months.insert(key, Sum { amount: row.amount, count: row.count, ts: row.ts, days: Vec::new() });
        }
        for row in saved.spending_days.iter() {
            let Some(state) = states.of(&row.customer_id) else { continue };
            let key = (Category { name: row.category.clone(), currency: row.currency }, Month::of(row.date).0);
            state.months.update(key, |sum| sum.set_day(row.date, row.amount));
        }
        for row in saved.customer_budgets.iter() {
            let Some(state) = states.of(&row.customer_id) else { continue };
            state.budgets.insert(row.category.clone(), Budgeted::restored(row));
        }
        for row in saved.spending_alerts.iter() {
            let Ok(month) = row.month.parse::<Month>() else { continue };
            let Some(state) = states.of(&row.customer_id) else { continue };
            let key = (row.rule, month, Category { name: row.category.clone(), currency: row.currency });
            state.alerts.insert(key, Standing::restored(row));
        }
    }
}

impl Spending {
    /// Compares the months whose figures a purchase changed.
    fn follow(&self, state: &mut SpendingState, change: &SpendingChange, cause: &Cause<'_>, out: &mut Outbox<'_, Self>) {
        let category = Category { name: change.category.clone(), currency: change.currency };
        let (month, _) = Month::of(change.date);
        self.compare_budget(state, month, &category, cause, out);
        self.compare_months(state, month, change.date, &category, cause, out);
        self.compare_months(state, month.after(), change.date, &category, cause, out);
    }

    /// Compares the current month with a budget that changed. `before` is the budget of before.
    fn follow_budget(
        &self,
        state: &mut SpendingState,
        category: &Text,
        before: Option<Budgeted>,
        cause: &Cause<'_>,
        out: &mut Outbox<'_, Self>,
    ) {
        let now = state.budgets.get(category).map(|budget| budget.currency);
        let before = before.map(|budget| budget.currency).filter(|currency| Some(*currency) != now);
        for currency in before.into_iter().chain(now) {
            let category = Category { name: category.clone(), currency };
            self.compare_budget(state, cause.month(), &category, cause, out);
        }
    }

    /// Compares a month with the budget of a category.
    fn compare_budget(&self, state: &mut SpendingState, month: Month, category: &Category, cause: &Cause<'_>, out: &mut Outbox<'_, Self>) {
        if !state.budgets.contains_key(&category.name) && state.alerts.is_empty() {
            return;
        }
        let terms = state.terms(month, category, cause).or_else(|| {
            // A correction of a month long over raises nothing.
            let is_recent = month >= cause.remembered;
            let budget = state.budgets.get(&category.name).filter(|budget| is_recent && budget.currency == category.currency)?;
            Some(budget.terms(self.settings.budget_threshold))
        });
        let spent = state.months.get(&(category.clone(), month)).map_or(Total::ZERO, |sum| sum.amount);
        let level = terms.and_then(|terms| terms.level(spent));
        let message = || match terms {
            Some(terms) => terms.message(spent, month, category),
            None => format!("{} has no budget in {} any more", category.name, category.currency),
        };
        for (rule, severity) in [(SpendingRule::BudgetWarning, Severity::Low), (SpendingRule::BudgetExceeded, Severity::Medium)] {
            let severity = (level == Some(rule)).then_some(severity);
            // A warning is over once the budget is exceeded.
            let end = if level.is_some() { AlertState::Cleared } else { cause.end };
            let finding = Finding { severity, end, message: &message, terms };
            state.find((rule, month, category.clone()), finding, cause, out);
        }
    }

    /// Compares a month with the same days of the month before, if the days of both are remembered, and what was spent on `date`
    /// is one of them.
    fn compare_months(
        &self,
        state: &mut SpendingState,
        month: Month,
        date: Date,
        category: &Category,
        cause: &Cause<'_>,
        out: &mut Outbox<'_, Self>,
    ) {
        if month.before() < cause.remembered {
            return;
        }
        let before = state.days_of(category, month.before());
        if before.is_empty() && state.alerts.is_empty() {
            return;
        }
        let compared = Compared::of(before, state.days_of(category, month));
        if !compared.concerns(month, date) {
            return;
        }
        let severity = compared.is_spike(&self.settings).then_some(Severity::Low);
        let message = || compared.message(month, category);
        let finding = Finding { severity, end: cause.end, message: &message, terms: None };
        state.find((SpendingRule::SpendingSpike, month, category.clone()), finding, cause, out);
    }

    /// Forgets alerts of months whose purchases can no longer be reversed.
    fn forget_alerts(&self, state: &mut SpendingState, customer: CustomerId, place: Place) {
        let oldest = EventTime::from_effective(place.time.saturating_sub(self.reversal_horizon)).date();
        // A purchase may be a little late, and its date is local.
        let oldest = Month::of(oldest).0.before();
        let SpendingState { alerts, touched_alerts, .. } = state;
        alerts.retain(|key, standing| {
            let stays = key.1 >= oldest;
            if !stays {
                touched_alerts.note(key.clone(), || Some(standing.row(customer, key)));
            }
            stays
        });
    }
}

impl SpendingState {
    /// Adds a change to the sums; `None` if a sum overflows its column.
    fn add(&mut self, change: &SpendingChange, cause: &Cause<'_>) -> Option<()> {
        let SpendingChange { customer_id, date, currency, amount, count, .. } = change;
        let category = Category { name: change.category.clone(), currency: *currency };
        self.forget_days(&category, cause);
        let key = (category, Month::of(*date).0);
        let Self { months, touched_months, touched_days, .. } = self;
        let before = months.get(&key);
        let total = before.map_or(Total::ZERO, |sum| sum.amount).checked_add(*amount)?;
        touched_months.note(key.clone(), || before?.row(*customer_id, &key));
        let is_nothing = months.update(key.clone(), |sum| {
            (sum.amount, sum.count, sum.ts) = (total, sum.count.saturating_add(*count), cause.ts);
            if key.1 >= cause.remembered {
                touched_days.note((key.clone(), *date), || sum.day_row(*customer_id, &key, *date));
                sum.set_day(*date, sum.day(*date).unwrap_or_default().checked_add(*amount)?);
            }
            Some(sum.is_nothing())
        })?;
        if is_nothing {
            months.remove(&key);
        }
        Some(())
    }

    /// Forgets days of a category that are compared no more.
    fn forget_days(&mut self, category: &Category, cause: &Cause<'_>) {
        let Self { months, touched_days, .. } = self;
        let (first, remembered) = ((category.clone(), Month::FIRST), (category.clone(), cause.remembered));
        for (key, sum) in months.range_mut(&first, &remembered).filter(|(_, sum)| !sum.days.is_empty()) {
            for (date, _) in &sum.days {
                touched_days.note((key.clone(), *date), || sum.day_row(cause.customer_id, key, *date));
            }
            sum.days.clear();
        }
    }

    /// What was spent in a category on the days of a month, in order.
    fn days_of(&self, category: &Category, month: Month) -> &[(Date, Total)] {
        self.months.get(&(category.clone(), month)).map_or(&[], |sum| &sum.days)
    }

    /// Sets a budget, unless the existing one has a later time of its own. Returns the one of before if the terms changed.
    fn set_budget(&mut self, customer: CustomerId, budget: Budget, ts: EventTime) -> Option<Option<Budgeted>> {
        let category = budget.category.clone();
        let budget = Budgeted::of(&budget, ts);
        let before = self.budgets.get(&category);
        if before.is_some_and(|before| before.written > budget.written) {
            return None;
        }
        let (before, is_same) = (before.cloned(), before.is_some_and(|before| before.is_same(&budget)));
        self.touched_budgets.note(category.clone(), || before.as_ref().map(|before| before.row(customer, &category)));
        self.budgets.insert(category, budget);
        (!is_same).then_some(before)
    }

    fn unset_budget(&mut self, customer: CustomerId, category: &Text) -> Option<Budgeted> {
        let before = self.budgets.remove(category)?;
        self.touched_budgets.note(category.clone(), || Some(before.row(customer, category)));
        Some(before)
    }

    /// The terms with which a month that is over was compared, so that a budget that changes later does not change its alerts.
    fn terms(&self, month: Month, category: &Category, cause: &Cause<'_>) -> Option<Terms> {
        let rules = [SpendingRule::BudgetExceeded, SpendingRule::BudgetWarning];
        let of = |rule| self.alerts.get(&(rule, month, category.clone()));
        let latest = rules.into_iter().filter_map(of).max_by_key(|standing| standing.raised.ts);
        latest.and_then(|standing| standing.terms).filter(|_| month < cause.month())
    }

    /// Applies what a rule finds to its alert.
    fn find(&mut self, key: AlertKey, finding: Finding<'_>, cause: &Cause<'_>, out: &mut Outbox<'_, Spending>) {
        let before = self.alerts.get(&key);
        let raised = before.map(|standing| standing.raised);
        let next = Raised::next(raised, finding.severity, finding.end, cause.ts);
        let Some(next) = next.filter(|next| raised != Some(*next)) else { return };
        self.touched_alerts.note(key.clone(), || before.map(|standing| standing.row(cause.customer_id, &key)));
        let terms = finding.terms.or(before.and_then(|standing| standing.terms));
        let alert = alert(&key, next, &(finding.message)(), cause);
        if next.stands() && !raised.is_some_and(Raised::stands) {
            let Alert { rule, subject, message, .. } = alert.clone();
            let kind = if key.0 == SpendingRule::SpendingSpike { NotificationKind::Spending } else { NotificationKind::Budget };
            out.derive(Notice { customer_id: cause.customer_id, kind, rule, subject, message });
        }
        self.now.retain(|old| old.alert_id != alert.alert_id);
        self.now.push(alert);
        self.alerts.insert(key, Standing { raised: next, terms });
    }
}

fn alert((rule, month, category): &AlertKey, raised: Raised, message: &str, cause: &Cause<'_>) -> Alert {
    let (customer, Category { name, currency }) = (cause.customer_id, category);
    Alert {
        alert_id: Id::shortened(&format!("{rule}:{customer}|{name}:{month}:{currency}")),
        kind: if *rule == SpendingRule::SpendingSpike { AlertKind::Spending } else { AlertKind::Budget },
        rule: Text::new(rule.as_str()),
        severity: raised.severity,
        subject: Id::shortened(&format!("{customer}|{name}")),
        state: raised.state,
        message: Text::new(message),
        evidence: cause.transaction_id.cloned().into_iter().collect(),
        ts: raised.ts,
    }
}

impl Sum {
    /// Whether nothing was spent.
    fn is_nothing(&self) -> bool {
        self.count == 0 && self.amount == Total::ZERO && self.days.is_empty()
    }

    /// What was spent on a day, if it is not zero.
    fn day(&self, date: Date) -> Option<Total> {
        let index = self.days.binary_search_by_key(&date, |(date, _)| *date).ok()?;
        self.days.get(index).map(|(_, amount)| *amount)
    }

    fn set_day(&mut self, date: Date, amount: Total) {
        let index = self.days.partition_point(|(earlier, _)| *earlier < date);
        match self.days.get_mut(index).filter(|(found, _)| *found == date) {
            Some(_) if amount == Total::ZERO => drop(self.days.remove(index)),
            Some((_, old)) => *old = amount,
            None if amount == Total::ZERO => {}
            None => self.days.insert(index, (date, amount)),
        }
    }

    /// The row of the month, unless nothing was spent.
    fn row(&self, customer_id: CustomerId, (category, month): &MonthKey) -> Option<SpendingRow> {
        (self.count != 0 || self.amount != Total::ZERO).then(|| SpendingRow {
            customer_id,
            month: Text::from(month.to_string()),
            category: category.name.clone(),
            currency: category.currency,
            amount: self.amount,
            count: self.count,
            ts: self.ts,
        })
    }

    fn day_row(&self, customer_id: CustomerId, (category, _): &MonthKey, date: Date) -> Option<SpendingDay> {
        let Category { name, currency } = category.clone();
        Some(SpendingDay { customer_id, category: name, currency, date, amount: self.day(date)?, ts: date.end() })
    }
}

impl Standing {
    fn row(&self, customer_id: CustomerId, (rule, month, category): &AlertKey) -> SpendingAlert {
        SpendingAlert {
            customer_id,
            rule: *rule,
            month: Text::from(month.to_string()),
            category: category.name.clone(),
            currency: category.currency,
            alert_state: self.raised.state,
            severity: self.raised.severity,
            budget: self.terms.map(|terms| terms.amount),
            threshold: self.terms.map(|terms| terms.threshold),
            ts: self.raised.ts,
        }
    }

    fn restored(row: &SpendingAlert) -> Self {
        let raised = Raised { state: row.alert_state, severity: row.severity, ts: row.ts };
        let terms = row.budget.zip(row.threshold).map(|(amount, threshold)| Terms { amount, threshold });
        Self { raised, terms }
    }
}
