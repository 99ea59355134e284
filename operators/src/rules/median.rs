//! The median of values that come and go, in the logarithm of their number.

use std::collections::BTreeMap;

use headwater_schemas::value::fixed;

/// Values in two halves, each with how often it has a value. The lower half has as many values as the upper one, or one more.
#[derive(Clone, Debug, Default)]
pub(super) struct Median {
    lower: Half,
    upper: Half,
}

#[derive(Clone, Debug, Default)]
struct Half {
    values: BTreeMap<i128, u32>,
    count: u32,
}

impl Half {
    fn add(&mut self, value: i128) {
        *self.values.entry(value).or_default() += 1;
        self.count += 1;
    }

    /// Removes a value once. Returns whether it was there.
    fn remove(&mut self, value: i128) -> bool {
        let Some(times) = self.values.get_mut(&value) else { return false };
        *times -= 1;
        if *times == 0 {
            self.values.remove(&value);
        }
        self.count -= 1;
        true
    }

    fn least(&self) -> Option<i128> {
        self.values.first_key_value().map(|(value, _)| *value)
    }

    fn greatest(&self) -> Option<i128> {
        self.values.last_key_value().map(|(value, _)| *value)
    }
}

impl Median {
    pub(super) const fn is_empty(&self) -> bool {
        self.lower.count == 0
    }

    pub(super) fn add(&mut self, value: i128) {
        let is_upper = self.lower.greatest().is_some_and(|greatest| greatest < value);
        if is_upper {
            self.upper.add(value)
        } else {
            self.lower.add(value)
        }
        self.balance();
    }

    /// Removes a value once, if it is there.
    pub(super) fn remove(&mut self, value: i128) {
        if !self.lower.remove(value) {
            self.upper.remove(value);
        }
        self.balance();
    }

    fn balance(&mut self) {
        if self.lower.count > self.upper.count.saturating_add(1) {
            Self::pass(&mut self.lower, &mut self.upper, Half::greatest);
        } else if self.lower.count < self.upper.count {
            Self::pass(&mut self.upper, &mut self.lower, Half::least);
        }
    }

    fn pass(from: &mut Half, to: &mut Half, which: fn(&Half) -> Option<i128>) {
        if let Some(value) = which(from).filter(|value| from.remove(*value)) {
            to.add(value);
        }
    }

    /// The middle value; of an even number the mean of the middle two, rounded half to even. None of no value.
    pub(super) fn value(&self) -> Option<i128> {
        let lower = self.lower.greatest()?;
        if self.lower.count > self.upper.count {
            return Some(lower);
        }
        let upper = self.upper.least()?;
        fixed::quotient(lower.checked_add(upper)?, 1, 2)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn median_of(values: &[i128]) -> Option<i128> {
        let mut median = Median::default();
        values.iter().for_each(|value| median.add(*value));
        median.value()
    }

    #[test]
    fn the_median_is_the_middle_value_or_the_mean_of_the_middle_two() {
        for (values, expected) in [
            (&[][..], None),
            (&[7], Some(7)),
            (&[7, 9], Some(8)),
            (&[9, 1, 5], Some(5)),
            (&[5, 5, 5, 1], Some(5)),
            // Half a billionth, to even: 2.5 and 3.5.
            (&[2, 3], Some(2)),
            (&[3, 4], Some(4)),
            (&[-3, -2], Some(-2)),
            (&[fixed::MAX_UNITS, fixed::MAX_UNITS], Some(fixed::MAX_UNITS)),
        ] {
            assert_eq!(median_of(values), expected, "{values:?}");
        }
    }

    /// The median of a sorted list.
    fn by_sorting(values: &[i128]) -> Option<i128> {
        let mut sorted = values.to_vec();
        sorted.sort_unstable();
        let middle = sorted.len() / 2;
        match sorted.len() % 2 {
            1 => sorted.get(middle).copied(),
            _ => fixed::quotient(sorted.get(middle.checked_sub(1)?)? + sorted.get(middle)?, 1, 2),
        }
    }

    proptest! {
        #[test]
        fn values_that_come_and_go_have_the_median_of_those_that_are_there(steps in proptest::collection::vec((any::<bool>(), 0..12_i128), 0..80)) {
            let (mut median, mut values) = (Median::default(), Vec::<i128>::new());
            for (is_added, value) in steps {
                match (is_added, values.iter().position(|known| *known == value)) {
                    (false, Some(place)) => {
                        values.remove(place);
                        median.remove(value);
                    }
                    _ => {
                        values.push(value);
                        median.add(value);
                    }
                }
                prop_assert_eq!(median.value(), by_sorting(&values));
                prop_assert_eq!(median.is_empty(), values.is_empty());
            }
        }
    }
}
