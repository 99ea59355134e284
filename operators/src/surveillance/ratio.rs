//! Comparisons of ratios, exact for sums of any size and for denominators of zero.

use ethnum::I256;
use headwater_schemas::Decimal;
use headwater_schemas::value::fixed;

/// `part` compared with `ratio × whole`. Both are counts, or both are in billionths.
pub(super) fn compare(part: i128, ratio: Decimal, whole: i128) -> std::cmp::Ordering {
    (I256::from(part) * I256::from(fixed::ONE)).cmp(&(I256::from(ratio.units()) * I256::from(whole)))
}

/// Whether `part` is at least `ratio × whole`.
pub(super) fn reaches(part: i128, ratio: Decimal, whole: i128) -> bool {
    compare(part, ratio, whole).is_ge()
}

/// Whether `part` is more than `ratio × whole`.
pub(super) fn exceeds(part: i128, ratio: Decimal, whole: i128) -> bool {
    compare(part, ratio, whole).is_gt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_is_compared_exactly() {
        let ratio: Decimal = "0.4".parse().unwrap();
        for (part, whole, reached, exceeded) in
            [(399, 1000, false, false), (400, 1000, true, false), (401, 1000, true, true), (0, 0, true, false), (1, 0, true, true)]
        {
            assert_eq!((reaches(part, ratio, whole), exceeds(part, ratio, whole)), (reached, exceeded), "{part} of {whole}");
        }
        assert!(exceeds(i128::MAX, ratio, i128::MAX) && !reaches(i128::MAX / 3, ratio, i128::MAX));
    }
}
