//! Fat finger: an order is many times as large as the account's usual ones.
//!
//! It fires if the value of an accepted order is more than `fat_finger` times the median value of the account's last orders in
//! the currency: the last 50, and at least 10. Only earlier orders count, so that a large order does not raise its own measure.

use std::collections::VecDeque;

use headwater_schemas::tables::{Moment, OrderValue, TableWriter};
use headwater_schemas::{AccountId, Currency, Decimal, EventTime, Money};

use super::ratio::exceeds;

/// Number of orders that are remembered.
const REMEMBERED: u64 = 50;
/// Number of orders without which no order is judged.
const LEAST: usize = 10;

/// The value of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Valued {
    value: Money,
    ts: EventTime,
}

/// Values of an account's last orders in a currency.
#[derive(Clone, Debug, Default)]
pub(super) struct OrderValues {
    last: VecDeque<Valued>,
    /// The same values, sorted.
    sorted: Vec<Money>,
    /// The number of orders so far.
    count: u64,
    /// The number of orders whose rows were emitted.
    emitted: u64,
}

impl OrderValues {
    /// Whether a value is more than `multiple` times the median.
    pub(super) fn is_excessive(&self, value: Money, multiple: Decimal) -> bool {
        self.doubled_median().is_some_and(|median| exceeds(value.units().saturating_mul(2), multiple, median))
    }

    /// The median, if there are enough orders.
    pub(super) fn median(&self) -> Option<Money> {
        self.doubled_median().map(|doubled| Money::from_units(doubled / 2))
    }

    /// Twice the median, in billionths: of an even number of values it is the mean of the two in the middle.
    fn doubled_median(&self) -> Option<i128> {
        let length = self.sorted.len();
        let lower = self.sorted.get(length.checked_sub(1)? / 2)?;
        let upper = self.sorted.get(length / 2)?;
        (length >= LEAST).then(|| lower.units().saturating_add(upper.units()))
    }

    /// Adds an order, and forgets the earliest one if there are enough.
    pub(super) fn push(&mut self, value: Money, ts: EventTime) {
        self.add(Valued { value, ts });
        self.count = self.count.saturating_add(1);
    }

    fn add(&mut self, valued: Valued) {
        if self.last.len() as u64 >= REMEMBERED
            && let Some(first) = self.last.pop_front()
            && let Ok(place) = self.sorted.binary_search(&first.value)
        {
            self.sorted.remove(place);
        }
        let place = self.sorted.partition_point(|value| *value < valued.value);
        self.sorted.insert(place, valued.value);
        self.last.push_back(valued);
    }

    pub(super) fn emit(&mut self, account_id: AccountId, currency: Currency, at: &Moment, table: &TableWriter<OrderValue>) {
        let begin = self.count.saturating_sub(self.last.len() as u64);
        for (number, Valued { value, ts }) in (begin..).zip(&self.last).filter(|(number, _)| *number >= self.emitted) {
            let slot = i32::try_from(number % REMEMBERED).unwrap_or_default();
            table.insert(at, OrderValue { account_id, currency, slot, number, value: *value, ts: *ts });
        }
        self.emitted = self.count;
    }

    /// Restores an order. Rows come in the order of their numbers.
    pub(super) fn restore(&mut self, row: &OrderValue) {
        self.add(Valued { value: row.value, ts: row.ts });
        self.count = row.number.saturating_add(1);
        self.emitted = self.count;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn values(values: &[i64]) -> OrderValues {
        let mut kept = OrderValues::default();
        values.iter().for_each(|value| kept.push(Money::whole(*value), EventTime::default()));
        kept
    }

    #[test]
    fn an_order_is_compared_with_the_median_of_enough_earlier_ones() {
        let ten = Decimal::whole(10);
        let even = [1, 2, 3, 4, 100, 200, 300, 400, 500, 600]; // the median is 150
        for (name, before, value, expected) in [
            ("just above", &even[..], 1501, true),
            ("exactly ten times", &even, 1500, false),
            ("too few orders", &even[1..], 1_000_000, false),
            ("an odd number", &[9, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10], 61, true),
            ("an odd number, exactly", &[9, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10], 60, false),
            ("of zero value", &[0; 10], 1, true),
        ] {
            assert_eq!(values(before).is_excessive(Money::whole(value), ten), expected, "{name}");
        }
    }

    proptest! {
        #[test]
        fn the_median_is_that_of_the_last_fifty(orders in proptest::collection::vec(0..50_i64, 10..120)) {
            let mut last: Vec<i64> = orders.iter().rev().take(50).copied().collect();
            last.sort_unstable();
            let middle = last.len() / 2;
            let doubled = if last.len() % 2 == 1 { last[middle] * 2 } else { last[middle] + last[middle - 1] };
            prop_assert_eq!(values(&orders).doubled_median(), Some(Money::whole(doubled).units()));
        }
    }
}
