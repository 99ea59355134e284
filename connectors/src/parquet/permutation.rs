//! Sorting things of any size and type by their numbers: the sort is compiled once, and each thing is moved once.

use std::cmp::Ordering;

/// The numbers of things in their order: that of their columns, which `compare` compares. `bytes` are those in whose order a column
/// of a thing is; a column has them for all things or for none. Equal things keep their order.
pub(super) fn order_of<'a>(
    things: usize,
    bytes: &dyn Fn(usize, usize) -> Option<&'a [u8]>,
    compare: &dyn Fn(usize, usize) -> Ordering,
) -> Vec<usize> {
    let column = first_that_differs(things, bytes);
    let bytes = |thing| column.and_then(|column| bytes(thing, column)).unwrap_or_default();
    let shared = shared_by_all((0..things).map(bytes));
    let mut order: Vec<_> = (0..things).map(|thing| (prefix(bytes(thing).get(shared..).unwrap_or_default()), thing)).collect();
    // The prefixes decide most comparisons, and are contiguous in memory.
    order.sort_by(|(prefix_of_one, one), (prefix_of_other, other)| prefix_of_one.cmp(prefix_of_other).then_with(|| compare(*one, *other)));
    order.into_iter().map(|(_, thing)| thing).collect()
}

/// The first column in which things differ, if it and all before it have bytes: keys of several kinds of things begin with the kind,
/// which all may share.
fn first_that_differs<'a>(things: usize, bytes: &dyn Fn(usize, usize) -> Option<&'a [u8]>) -> Option<usize> {
    if things < 2 {
        return None;
    }
    let is_shared = |first: &[u8], column| (1..things).all(|thing| bytes(thing, column) == Some(first));
    (0..).map_while(|column| Some((column, bytes(0, column)?))).find(|(column, first)| !is_shared(first, *column)).map(|(column, _)| column)
}

/// The number of bytes with which all begin: many keys begin with the name of a kind.
pub(super) fn shared_by_all<'a>(mut all: impl Iterator<Item = &'a [u8]>) -> usize {
    let Some(first) = all.next() else { return 0 };
    all.fold(first.len(), |shared, bytes| first.iter().zip(bytes).take(shared).take_while(|(one, other)| one == other).count())
}

/// The first bytes as a number with the same order; too few bytes are padded with zeros.
pub(super) fn prefix(bytes: &[u8]) -> u128 {
    let mut first = [0; size_of::<u128>()];
    first.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
    u128::from_be_bytes(first)
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
            let keys: Vec<_> = sorted.iter().map(|(key, _)| format!("a shared beginning {key:03}")).collect();
            let compare = |one: usize, other: usize| keys[one].cmp(&keys[other]);
            let order = order_of(sorted.len(), &|thing, column| Some(keys[thing].as_bytes()).filter(|_| column == 0), &compare);
            assert_eq!(order_of(sorted.len(), &|_, _| None, &compare), order, "{case}: without bytes");
            let second = |thing: usize, column| [&b"a kind"[..], keys[thing].as_bytes()].get(column).copied();
            assert_eq!(order_of(sorted.len(), &second, &compare), order, "{case}: behind a column that all share");
            let behind_a_number = |thing: usize, column| Some(keys[thing].as_bytes()).filter(|_| column == 1);
            let by_length = |one: usize, other: usize| keys[one].len().cmp(&keys[other].len()).then(other.cmp(&one));
            let turned: Vec<_> = (0..sorted.len()).rev().collect();
            assert_eq!(order_of(sorted.len(), &behind_a_number, &by_length), turned, "{case}: behind a column without bytes");
            put_in_order(&mut sorted, order);
            assert_eq!(sorted, expected, "{case}");
        }
    }
}
