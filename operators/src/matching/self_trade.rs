//! Self-trade prevention: the remaining quantities of two orders of one owner that would have traded.

use headwater_schemas::events::SelfTrade;
use headwater_schemas::value::Quantity;

use super::order::minus;

/// Remaining quantities of the newer and the older of two orders that would have traded. The newer order's mode decides.
///
/// With every mode but `allow`, one of the two is zero, so the orders do not meet a second time.
pub(super) fn kept_apart(mode: SelfTrade, newest: Quantity, oldest: Quantity) -> (Quantity, Quantity) {
    let less = newest.min(oldest);
    match mode {
        SelfTrade::CancelNewest => (Quantity::ZERO, oldest),
        SelfTrade::CancelOldest => (newest, Quantity::ZERO),
        SelfTrade::CancelBoth => (Quantity::ZERO, Quantity::ZERO),
        SelfTrade::Decrement => (minus(newest, less), minus(oldest, less)),
        SelfTrade::Allow => (newest, oldest),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_orders_mode_decides_what_is_left() {
        use SelfTrade::*;
        // (mode, newest, oldest) → (newest, oldest)
        for (mode, newest, oldest, left) in [
            (CancelNewest, 5, 3, (0, 3)),
            (CancelOldest, 5, 3, (5, 0)),
            (CancelBoth, 5, 3, (0, 0)),
            (Decrement, 5, 3, (2, 0)),
            (Decrement, 3, 5, (0, 2)),
            (Decrement, 4, 4, (0, 0)),
            (Allow, 5, 3, (5, 3)),
        ] {
            let whole = Quantity::whole;
            assert_eq!(kept_apart(mode, whole(newest), whole(oldest)), (whole(left.0), whole(left.1)), "{mode} {newest} {oldest}");
        }
    }
}
