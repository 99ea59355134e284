//! Budgets: their terms, and how spending compares with them.

use headwater_schemas::events::Budget;
use headwater_schemas::tables::{CustomerBudget, SpendingRule};
use headwater_schemas::value::fixed;
use headwater_schemas::{Amount, Currency, CustomerId, Decimal, EventTime, Text, Total};

use super::month::Month;
use super::spending::Category;

/// The budget of a category, as its record gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Budgeted {
    pub(super) amount: Amount,
    pub(super) currency: Currency,
    pub(super) threshold: Option<Decimal>,
    /// The record's own time; a record without one counts as the oldest.
    pub(super) written: Option<EventTime>,
    ts: EventTime,
}

/// The terms of a budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Terms {
    /// The amount of a month.
    pub(super) amount: Amount,
    /// The part of it from which on there is a warning.
    pub(super) threshold: Decimal,
}

impl Budgeted {
    pub(super) const fn of(budget: &Budget, ts: EventTime) -> Self {
        Self { amount: budget.amount, currency: budget.currency, threshold: budget.threshold, written: budget.ts, ts }
    }

    /// Whether another record gives the same terms.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        (self.amount, self.currency, self.threshold) == (other.amount, other.currency, other.threshold)
    }

    /// The terms, with a threshold for a budget that gives none.
    pub(super) fn terms(&self, threshold: Decimal) -> Terms {
        Terms { amount: self.amount, threshold: self.threshold.unwrap_or(threshold) }
    }

    pub(super) fn row(&self, customer_id: CustomerId, category: &Text) -> CustomerBudget {
        let Self { amount, currency, threshold, written, ts } = *self;
        CustomerBudget { customer_id, category: category.clone(), amount, currency, threshold, written, ts }
    }

    pub(super) const fn restored(row: &CustomerBudget) -> Self {
        let CustomerBudget { amount, currency, threshold, written, ts, .. } = *row;
        Self { amount, currency, threshold, written, ts }
    }
}

impl Terms {
    /// The rule that an amount spent fulfils, if any.
    pub(super) fn level(self, spent: Total) -> Option<SpendingRule> {
        let (spent, budget) = (spent.units(), self.amount.units());
        let threshold = fixed::product(budget, self.threshold.units()).unwrap_or(budget);
        if spent > budget {
            Some(SpendingRule::BudgetExceeded)
        } else if spent > 0 && spent >= threshold {
            Some(SpendingRule::BudgetWarning)
        } else {
            None
        }
    }

    /// A sentence with the figures.
    pub(super) fn message(self, spent: Total, month: Month, category: &Category) -> String {
        let Category { name, currency } = category;
        format!("{spent} of the {} {currency} budgeted for {name} in {month} are spent", self.amount)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_warns_at_its_threshold_and_is_exceeded_above_its_amount() {
        use SpendingRule::{BudgetExceeded, BudgetWarning};
        for (amount, threshold, spent, expected) in [
            ("100", "0.8", "79.99", None),
            ("100", "0.8", "80", Some(BudgetWarning)),
            ("100", "0.8", "100", Some(BudgetWarning)),
            ("100", "0.8", "100.01", Some(BudgetExceeded)),
            ("100", "1", "99.99", None),
            ("100", "1", "100", Some(BudgetWarning)),
            ("100", "0", "0", None),
            ("100", "0", "0.01", Some(BudgetWarning)),
            ("0", "0.8", "0", None),
            ("0", "0.8", "0.01", Some(BudgetExceeded)),
        ] {
            let terms = Terms { amount: amount.parse().unwrap(), threshold: threshold.parse().unwrap() };
            let spent_units = spent.parse::<Amount>().unwrap().units();
            assert_eq!(terms.level(Total::from_units(spent_units)), expected, "{spent} of {amount} at {threshold}");
        }
    }
}
