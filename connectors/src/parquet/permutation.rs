//! Sorting things of any size and type by their numbers: the sort is compiled once, and each thing is moved once.

use std::cmp::Ordering;

/// Up to this many things are sorted by comparing them.
const FEW: usize = 4;

/// The numbers of things in their order: that of their columns, which `compare` compares. `bytes` are those in whose order a column
/// of a thing is; a column has them for all things or for none. Equal things keep their order.
pub(super) fn order_of<'a>(
    things: usize,
    bytes: &dyn Fn(usize, usize) -> Option<&'a [u8]>,
    compare: &dyn Fn(usize, usize) -> Ordering,
) -> Vec<usize> {
    let mut order: Vec<_> = (0..things).collect();
    sort(&mut order, 0, bytes, compare);
    order
}

/// Sorts things that are equal in the columns before `begin`.
fn sort<'a>(
    order: &mut [usize],
    begin: usize,
    bytes: &dyn Fn(usize, usize) -> Option<&'a [u8]>,
    compare: &dyn Fn(usize, usize) -> Ordering,
) {
    let differing = if order.len() > FEW { first_that_differs(order, begin, bytes) } else { None };
    let Some(column) = differing else { return order.sort_by(|one, other| compare(*one, *other)) };
    let of_column: Vec<&[u8]> = order.iter().map(|thing| bytes(*thing, column).unwrap_or_default()).collect();
    let shared = shared_by_all(of_column.iter().copied());
    let prefixes = of_column.iter().map(|bytes| prefix(bytes.get(shared..).unwrap_or_default()));
    // The prefixes decide most comparisons, and are contiguous in memory.
    let mut prefixed: Vec<_> = prefixes.zip(order.iter().copied()).collect();
    prefixed.sort_by_key(|(prefix, _)| *prefix);
    order.iter_mut().zip(&prefixed).for_each(|(to, (_, thing))| *to = *thing);
    let (all, mut rest) = (order.len(), order);
    for equal in prefixed.chunk_by(|(one, _), (other, _)| one == other) {
        let Some((equals, later)) = rest.split_at_mut_checked(equal.len()) else { return };
        rest = later;
        // Where no prefix differs, the next ones would not either: one may be a beginning of another, up to zeros.
        if equals.len() == all {
            equals.sort_by(|one, other| compare(*one, *other));
        } else if equals.len() > 1 {
            sort(equals, column, bytes, compare);
        }
    }
}

/// The first column from `begin` on in which things differ, if it and all between have bytes: keys of several kinds of things begin
/// with the kind, which all may share.
fn first_that_differs<'a>(things: &[usize], begin: usize, bytes: &dyn Fn(usize, usize) -> Option<&'a [u8]>) -> Option<usize> {
    let (first, others) = things.split_first()?;
    let is_shared = |of_first: &[u8], column| others.iter().all(|thing| bytes(*thing, column) == Some(of_first));
    let mut columns = (begin..).map_while(|column| Some((column, bytes(*first, column)?)));
    columns.find(|(column, of_first)| !is_shared(of_first, *column)).map(|(column, _)| column)
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

    #[test]
    fn things_with_equal_first_columns_are_sorted_by_the_next_ones() {
        // Few values in each column; longer than a prefix, with another one as their beginning, and with zeros at their end.
        let words: [&[u8]; 6] = [b"a", b"a\0", b"a\0\0", b"the same sixteen bytes, 1", b"the same sixteen bytes, 2", b""];
        let things: Vec<_> =
            (0_usize..2_000).map(|number| [words[number * 7 % 6], words[number * 5 / 7 % 6], words[number / 11 % 6]]).collect();
        for columns in 0..=3 {
            let bytes = |thing: usize, column: usize| things[thing].get(column).copied().filter(|_| column < columns);
            let mut expected: Vec<_> = (0..things.len()).collect();
            expected.sort_by_key(|thing| things[*thing]);
            assert_eq!(order_of(things.len(), &bytes, &|one, other| things[one].cmp(&things[other])), expected, "{columns} with bytes");
        }
    }
}
