//! Lots: what is open of each trade that opened a position.
//!
//! A trade in the direction of the position opens a lot, and so does what is left of one that goes through zero. A closing trade
//! closes the oldest lots first (`fifo`), or the newest (`lifo`), in the order of places. The cost of a position is the sum of the
//! costs of its lots: a closed lot takes all of its cost along, and a lot that is closed in part the same fraction of its cost as
//! of its quantity, rounded half to even to nine digits once.
//!
//! Each trade has the method that its account had when it came, so that trades can be applied again whatever the configuration has
//! become. A trade with another method than the one before carries over what is open, as one lot with its cost.

use std::collections::{BTreeSet, VecDeque};

use headwater_schemas::tables::LotMethod;
use headwater_schemas::value::fixed;
use headwater_schemas::{EventTime, Factor, Id, Money, Price, Quantity};

use super::AverageCost;
use super::recent::Kept;

/// The id of a lot that no trade has opened.
const CARRIED_OVER: &str = "carried_over";

/// An open lot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Lot {
    /// Which of the position's lots it is, from 1.
    pub(super) number: u64,
    /// The fill or the execution that opened it.
    pub(super) id: Id,
    /// The own time of that trade.
    pub(super) opened_at: EventTime,
    /// The price of that trade.
    pub(super) price: Price,
    /// Signed quantity, as that of the position.
    pub(super) quantity: Quantity,
    /// Cost of the quantity, as price × quantity.
    pub(super) cost: Money,
}

/// The open lots of a position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Lots {
    /// The method of the last trade.
    pub(super) method: LotMethod,
    /// Number of lots that were ever opened.
    pub(super) opened: u64,
    /// In the order in which they were opened. Invariant: with lots, quantities and costs add up to those of the position.
    pub(super) open: VecDeque<Lot>,
    /// Numbers of the lots that have changed since their rows were emitted.
    pub(super) changed: BTreeSet<u64>,
}

impl Default for Lots {
    fn default() -> Self {
        Self { method: LotMethod::Average, opened: 0, open: VecDeque::new(), changed: BTreeSet::new() }
    }
}

/// What a trade closes.
struct Closing {
    /// Number of lots that it closes.
    lots: usize,
    /// What it leaves of the lot after them.
    left: Option<Left>,
    /// The cost of all that it closes.
    cost: Money,
}

/// What is left of a lot.
struct Left {
    quantity: Quantity,
    cost: Money,
}

impl Lots {
    /// Applies a trade to the lots, and returns the sums after it; `None` if a sum would not fit, and then nothing changes.
    pub(super) fn apply(&mut self, sums: AverageCost, kept: &Kept) -> Option<AverageCost> {
        if kept.method == self.method {
            return self.trade(sums, kept);
        }
        let mut changed = self.clone();
        changed.carry_over(sums, kept);
        let after = changed.trade(sums, kept)?;
        *self = changed;
        Some(after)
    }

    /// The lot with a number.
    pub(super) fn lot(&self, number: u64) -> Option<&Lot> {
        self.open.binary_search_by_key(&number, |lot| lot.number).ok().and_then(|place| self.open.get(place))
    }

    /// Replaces the lots by those without a trade.
    pub(super) fn replace(&mut self, without: Self) {
        let mut changed = std::mem::take(&mut self.changed);
        changed.extend(self.differing_from(&without).chain(without.differing_from(self)));
        *self = Self { changed, ..without };
    }

    /// Numbers of the open lots that are not the same among others.
    fn differing_from(&self, others: &Self) -> impl Iterator<Item = u64> {
        self.open.iter().filter(|lot| others.lot(lot.number) != Some(*lot)).map(|lot| lot.number)
    }

    fn trade(&mut self, sums: AverageCost, kept: &Kept) -> Option<AverageCost> {
        if self.method == LotMethod::Average {
            return sums.after(kept.trade);
        }
        let parts = sums.split(kept.trade.quantity)?;
        let closing = self.closing(parts.closing)?;
        let cost = Money::notional(kept.trade.price, parts.opening, Factor::whole(1))?;
        let after = sums.after_parts(kept.trade, parts, closing.cost)?;
        self.close(closing);
        if !parts.opening.is_zero() {
            let id = kept.id.clone().unwrap_or_else(|| Id::derived(CARRIED_OVER));
            self.add(Lot { number: 0, id, opened_at: kept.ts, price: kept.trade.price, quantity: parts.opening, cost });
        }
        Some(after)
    }

    /// What a quantity closes; `None` if a sum would not fit. The sign of the quantity is ignored.
    fn closing(&self, quantity: Quantity) -> Option<Closing> {
        let mut rest = quantity.magnitude();
        let mut closing = Closing { lots: 0, left: None, cost: Money::ZERO };
        while let Some(lot) = self.in_closing_order(closing.lots).filter(|_| !rest.is_zero()) {
            let size = lot.quantity.magnitude();
            if size > rest {
                let cost = fixed::quotient(lot.cost.units(), rest.units(), size.units()).map(Money::from_units)?;
                let closed = if lot.quantity.units() < 0 { rest.negated() } else { rest };
                closing.left = Some(Left { quantity: lot.quantity.checked_sub(closed)?, cost: lot.cost.checked_sub(cost)? });
                closing.cost = closing.cost.checked_add(cost)?;
                break;
            }
            closing.lots += 1;
            closing.cost = closing.cost.checked_add(lot.cost)?;
            rest = rest.checked_sub(size)?;
        }
        Some(closing)
    }

    /// The lot that is closed after `closed` others.
    fn in_closing_order(&self, closed: usize) -> Option<&Lot> {
        match self.method {
            LotMethod::Lifo => self.open.len().checked_sub(closed + 1).and_then(|place| self.open.get(place)),
            LotMethod::Average | LotMethod::Fifo => self.open.get(closed),
        }
    }

    fn close(&mut self, closing: Closing) {
        let is_lifo = self.method == LotMethod::Lifo;
        for _ in 0..closing.lots {
            let closed = if is_lifo { self.open.pop_back() } else { self.open.pop_front() };
            self.changed.extend(closed.map(|lot| lot.number));
        }
        let next = if is_lifo { self.open.back_mut() } else { self.open.front_mut() };
        if let (Some(lot), Some(left)) = (next, closing.left) {
            (lot.quantity, lot.cost) = (left.quantity, left.cost);
            self.changed.insert(lot.number);
        }
    }

    /// Adds a lot, and numbers it.
    fn add(&mut self, lot: Lot) {
        self.opened += 1;
        self.changed.insert(self.opened);
        self.open.push_back(Lot { number: self.opened, ..lot });
    }

    /// Carries over what is open to the method of a trade.
    fn carry_over(&mut self, sums: AverageCost, kept: &Kept) {
        self.changed.extend(self.open.drain(..).map(|lot| lot.number));
        self.method = kept.method;
        if self.method != LotMethod::Average && !sums.quantity.is_zero() {
            let AverageCost { quantity, cost, .. } = sums;
            let id = Id::derived(CARRIED_OVER);
            self.add(Lot { number: 0, id, opened_at: kept.ts, price: sums.average_price(), quantity, cost });
        }
    }
}

#[cfg(test)]
mod tests {
    use headwater_schemas::{EffectiveTime, Offset, Place, Topic};
    use proptest::prelude::*;

    use super::*;
    use crate::positions::Trade;

    /// The `number`-th trade of a position.
    fn kept(number: u64, method: LotMethod, trade: Trade) -> Kept {
        let place = Place::of_record(EffectiveTime::new(number), Topic::Fills, 0, Offset::new(number));
        let id = Some(Id::derived(format!("t{number}")));
        Kept { place, id, is_fill: true, ts: place.event_time(), method, trade, emitted: false }
    }

    fn trade((quantity, price, fee): &(&str, &str, &str)) -> Trade {
        Trade { quantity: quantity.parse().expect("a quantity"), price: price.parse().expect("a price"), fee: fee.parse().expect("a fee") }
    }

    /// Number, trade, quantity, price and cost of each lot.
    fn text(lots: &Lots) -> Vec<String> {
        let text = |Lot { number, id, price, quantity, cost, .. }: &Lot| format!("{number} {id}: {quantity} at {price} cost {cost}");
        lots.open.iter().map(text).collect()
    }

    struct Case {
        name: &'static str,
        method: LotMethod,
        /// Signed quantity, price and fee.
        trades: &'static [(&'static str, &'static str, &'static str)],
        multiplier: i64,
        lots: &'static [&'static str],
        realized: &'static str,
    }

    const LONG: &[(&str, &str, &str)] = &[("10", "50", "0"), ("10", "60", "0"), ("-15", "70", "0")];
    const SHORT: &[(&str, &str, &str)] = &[("-10", "50", "0"), ("-10", "40", "0"), ("15", "30", "0")];
    const THROUGH_ZERO: &[(&str, &str, &str)] = &[("10", "50", "0"), ("10", "60", "0"), ("-25", "70", "0")];
    const FUTURE: &[(&str, &str, &str)] = &[("2", "4000", "1"), ("1", "4010", "1"), ("-2", "4020", "1")];
    const NEGATIVE: &[(&str, &str, &str)] = &[("2", "-5", "0"), ("2", "-3", "0"), ("-3", "-1", "0")];
    const AGAIN: &[(&str, &str, &str)] = &[("1", "10", "0"), ("-1", "12", "0"), ("1", "11", "0")];

    #[test]
    fn cases() {
        use LotMethod::{Average, Fifo, Lifo};
        let case = |name, method, trades, multiplier, lots, realized| Case { name, method, trades, multiplier, lots, realized };
        let cases = [
            // 10 × (70 − 50) + 5 × (70 − 60)
            case("the oldest lots close first", Fifo, LONG, 1, &["2 t2: 5 at 60 cost 300"], "250"),
            // 10 × (70 − 60) + 5 × (70 − 50)
            case("the newest lots close first", Lifo, LONG, 1, &["1 t1: 5 at 50 cost 250"], "200"),
            // 15 × (70 − 55)
            case("average cost has no lots", Average, LONG, 1, &[], "225"),
            // 10 × (50 − 30) + 5 × (40 − 30)
            case("a short closes its oldest lots first", Fifo, SHORT, 1, &["2 t2: -5 at 40 cost -200"], "250"),
            // 10 × (40 − 30) + 5 × (50 − 30)
            case("a short closes its newest lots first", Lifo, SHORT, 1, &["1 t1: -5 at 50 cost -250"], "200"),
            // 10 × (70 − 50) + 10 × (70 − 60); the rest opens at 70.
            case("through zero, oldest first", Fifo, THROUGH_ZERO, 1, &["3 t3: -5 at 70 cost -350"], "300"),
            case("through zero, newest first", Lifo, THROUGH_ZERO, 1, &["3 t3: -5 at 70 cost -350"], "300"),
            // 2 × (4020 − 4000) × 50 − 3
            case("fees and a multiplier, oldest first", Fifo, FUTURE, 50, &["2 t2: 1 at 4010 cost 4010"], "1997"),
            // ((4020 − 4010) + (4020 − 4000)) × 50 − 3
            case("fees and a multiplier, newest first", Lifo, FUTURE, 50, &["1 t1: 1 at 4000 cost 4000"], "1497"),
            // 2 × (−1 + 5) + (−1 + 3)
            case("negative prices, oldest first", Fifo, NEGATIVE, 1, &["2 t2: 1 at -3 cost -3"], "10"),
            // 2 × (−1 + 3) + (−1 + 5)
            case("negative prices, newest first", Lifo, NEGATIVE, 1, &["1 t1: 1 at -5 cost -5"], "8"),
            case("flat and open again", Fifo, AGAIN, 1, &["2 t3: 1 at 11 cost 11"], "2"),
            case("a quantity of nothing opens no lot", Fifo, &[("1", "10", "0"), ("0", "99", "0")], 1, &["1 t1: 1 at 10 cost 10"], "0"),
            case("nor is it one of a short", Lifo, &[("-1", "10", "0"), ("0", "99", "0")], 1, &["1 t1: -1 at 10 cost -10"], "0"),
            // Billionths: 3 at a half cost 1.5, rounded to 2. A third of 2 is 0.67, rounded to 1; a half of the 1 left, rounded to 0.
            case(
                "a lot that is closed in parts is rounded half to even",
                Fifo,
                &[("0.000000003", "0.5", "0"), ("-0.000000001", "0", "0"), ("-0.000000001", "0", "0")],
                1,
                &["1 t1: 0.000000001 at 0.5 cost 0.000000001"],
                "-0.000000001",
            ),
        ];
        for Case { name, method, trades, multiplier, lots: expected, realized } in cases {
            let (mut lots, mut sums) = (Lots::default(), AverageCost::default());
            for (number, of) in (1..).zip(trades) {
                sums = lots.apply(sums, &kept(number, method, trade(of))).expect(name);
            }
            assert_eq!(text(&lots), expected, "{name}");
            let money = sums.in_money(Factor::whole(multiplier)).expect(name);
            assert_eq!(money.realized.to_string(), realized, "{name}");
        }
    }

    #[test]
    fn another_method_carries_over_what_is_open_with_its_cost() {
        use LotMethod::{Average, Fifo, Lifo};
        let (ten, nothing, sold) = (("10", "50", "0"), ("0", "0", "0"), ("-5", "80", "0"));
        // The methods of the trades, and the lots after them.
        let cases: [(&[LotMethod], &[&str], &str); 4] = [
            (&[Average, Average, Fifo, Fifo], &["1 carried_over: 15 at 55 cost 825"], "825"),
            (&[Average, Average, Lifo], &["1 carried_over: 20 at 55 cost 1100"], "1100"),
            (&[Fifo, Fifo, Lifo, Lifo], &["3 carried_over: 15 at 55 cost 825"], "825"),
            (&[Fifo, Fifo, Average, Average], &[], "825"),
        ];
        for (methods, expected, cost) in cases {
            let (mut lots, mut sums) = (Lots::default(), AverageCost::default());
            for ((number, method), of) in (1..).zip(methods).zip([ten, ("10", "60", "0"), nothing, sold]) {
                sums = lots.apply(sums, &kept(number, *method, trade(&of))).expect("no overflow");
            }
            assert_eq!((text(&lots), sums.cost.to_string()), (expected.iter().map(ToString::to_string).collect(), cost.to_owned()));
        }
    }

    #[test]
    fn of_replaced_lots_those_that_differ_have_changed_however_often_they_are_replaced() {
        let after = |trades: &[(&str, &str, &str)]| {
            let (mut lots, mut sums) = (Lots::default(), AverageCost::default());
            for (number, of) in (1..).zip(trades) {
                sums = lots.apply(sums, &kept(number, LotMethod::Fifo, trade(of))).expect("no overflow");
            }
            lots
        };
        let (first, second, third) = (("10", "50", "0"), ("10", "60", "0"), ("10", "70", "0"));
        let before = after(&[first, second, third]);
        // The first lot is the same. Closed by a sale of five, a half of it is left.
        for (without, expected) in [
            (after(&[first, second, third]), &[][..]),
            (after(&[first, second]), &[3]),
            (after(&[first, third]), &[2, 3]),
            (after(&[first, second, third, ("-5", "80", "0")]), &[1]),
            (after(&[]), &[1, 2, 3]),
        ] {
            let mut lots = Lots { changed: BTreeSet::new(), ..before.clone() };
            for _ in 0..3 {
                lots.replace(without.clone());
            }
            assert_eq!((lots.changed.into_iter().collect::<Vec<_>>(), lots.open), (expected.to_vec(), without.open.clone()));
        }
    }

    #[test]
    fn a_trade_that_does_not_fit_changes_no_lot() {
        let (mut lots, sums) = (Lots::default(), AverageCost::default());
        let large = |number, method| kept(number, method, trade(&("9", "900000000000000000", "0")));
        let sums = lots.apply(sums, &large(1, LotMethod::Fifo)).expect("the first fits");
        for method in [LotMethod::Fifo, LotMethod::Lifo, LotMethod::Average] {
            let before = lots.clone();
            assert_eq!(lots.apply(sums, &large(2, method)), None);
            assert_eq!(lots, before, "{method}");
        }
    }

    /// A unit of a position: bought (1) or sold (−1) at a price.
    type Unit = (i128, i128);

    /// Applies a trade to a list of units, and returns what it realizes.
    fn by_unit(units: &mut Vec<Unit>, method: LotMethod, quantity: i128, price: i128) -> i128 {
        let side = quantity.signum();
        let mut realized = 0;
        for _ in 0..quantity.abs() {
            if units.first().is_none_or(|(open, _)| *open == side) {
                units.push((side, price));
                continue;
            }
            let (open, opened_at) = units.remove(if method == LotMethod::Fifo { 0 } else { units.len() - 1 });
            realized += open * (price - opened_at);
        }
        realized
    }

    proptest! {
        #[test]
        fn lots_are_what_a_list_of_single_units_makes(
            lifo in any::<bool>(),
            trades in proptest::collection::vec((-12..12_i128, -30..99_i128), 1..40),
        ) {
            let method = if lifo { LotMethod::Lifo } else { LotMethod::Fifo };
            let (mut lots, mut sums, mut units, mut realized) = (Lots::default(), AverageCost::default(), Vec::new(), 0);
            for (number, (quantity, price)) in (1..).zip(trades) {
                let trade = Trade {
                    quantity: Quantity::from_units(quantity * fixed::ONE),
                    price: Price::from_units(price * fixed::ONE),
                    fee: Money::ZERO,
                };
                sums = lots.apply(sums, &kept(number, method, trade)).expect("no overflow");
                realized += by_unit(&mut units, method, quantity, price);
                let of_lot = |lot: &Lot| {
                    let size = usize::try_from(lot.quantity.magnitude().units() / fixed::ONE).expect("a size");
                    vec![(lot.quantity.units().signum(), lot.price.units() / fixed::ONE); size]
                };
                prop_assert_eq!(lots.open.iter().flat_map(of_lot).collect::<Vec<_>>(), units.clone());
                let cost: i128 = units.iter().map(|(side, price)| side * price).sum();
                prop_assert_eq!(sums.cost.units(), cost * fixed::ONE);
                prop_assert_eq!(sums.in_money(Factor::whole(1)).map(|money| money.realized.units()), Some(realized * fixed::ONE));
            }
        }

        /// Quantities and prices have four digits, so that no product is rounded.
        #[test]
        fn realized_and_unrealized_are_cash_flow_and_value_whatever_the_method(
            method in proptest::sample::select(LotMethod::ALL),
            trades in proptest::collection::vec((-90_000..90_000_i128, -20_000..90_000_i128, 0..1_000_i128), 1..40),
            mark in -20_000..90_000_i128,
            multiplier in 1..100_i64,
        ) {
            const DIGITS: i128 = 100_000;
            let (mut lots, mut sums, mut cash_flow) = (Lots::default(), AverageCost::default(), 0);
            let value = |quantity: i128, price: i128| quantity * price * i128::from(multiplier) * DIGITS * DIGITS / fixed::ONE;
            let mut held = 0;
            for (number, (quantity, price, fee)) in (1..).zip(trades) {
                let trade = Trade {
                    quantity: Quantity::from_units(quantity * DIGITS),
                    price: Price::from_units(price * DIGITS),
                    fee: Money::from_units(fee),
                };
                sums = lots.apply(sums, &kept(number, method, trade)).expect("no overflow");
                held += quantity;
                cash_flow -= value(quantity, price) + fee;
                let money = sums.in_money(Factor::whole(multiplier)).expect("no overflow");
                let unrealized = value(held, mark) - money.cost.units();
                prop_assert_eq!(money.realized.units() + unrealized, cash_flow + value(held, mark));
                if method != LotMethod::Average {
                    prop_assert_eq!(lots.open.iter().map(|lot| lot.quantity.units()).sum::<i128>(), sums.quantity.units());
                    prop_assert_eq!(lots.open.iter().map(|lot| lot.cost.units()).sum::<i128>(), sums.cost.units());
                    prop_assert!(lots.open.iter().all(|lot| lot.quantity.units().signum() == sums.quantity.units().signum()));
                }
            }
        }
    }
}
