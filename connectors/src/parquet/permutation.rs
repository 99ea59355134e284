//! Sorting things of any size and type by their numbers: the sort is compiled once, and each thing is moved once.

use std::cmp::Ordering;

/// The numbers of things in their order. Equal ones keep their order.
pub(super) fn order_of(things: usize, compare: &dyn Fn(usize, usize) -> Ordering) -> Vec<usize> {
    let mut order: Vec<_> = (0..things).collect();
    order.sort_by(|one, other| compare(*one, *other));
    order
}

/// Moves each thing to where its number stands in `order`, which has every number once.
pub(super) fn put_in_order<T>(things: &mut [T], mut order: Vec<usize>) {
    for begin in 0..order.len() {
        // Follows a cycle of things that take each other's places. What is in its place is marked by its own number.
        let mut at = begin;
        while let Some(from) = order.get_mut(at).map(|from| std::mem::replace(from, at)).filter(|from| *from != begin) {
            if from.max(at) < things.len() {
                things.swap(at, from);
            }
            at = from;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn things_are_sorted_as_a_stable_sort_does() {
        let repeated: Vec<_> = (0_u64..1_000).map(|number| (number * 7_919 % 101, number)).collect();
        for (case, things) in [
            ("none", vec![]),
            ("one", vec![(3, 0)]),
            ("in order", vec![(1, 0), (2, 1), (3, 2)]),
            ("the other way round", vec![(3, 0), (2, 1), (1, 2), (0, 3)]),
            ("moved by one", vec![(9, 0), (1, 1), (2, 2), (3, 3)]),
            ("two cycles", vec![(2, 0), (1, 1), (4, 2), (3, 3)]),
            ("all equal", vec![(7, 0), (7, 1), (7, 2)]),
            ("many, with equal ones", repeated),
        ] {
            let mut expected = things.clone();
            expected.sort_by_key(|(key, _)| *key);
            let mut sorted = things;
            let order = order_of(sorted.len(), &|one, other| sorted[one].0.cmp(&sorted[other].0));
            put_in_order(&mut sorted, order);
            assert_eq!(sorted, expected, "{case}");
        }
    }
}
