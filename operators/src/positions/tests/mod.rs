//! Positions of accounts with lots.

use std::collections::BTreeMap;

use headwater_schemas::events::{Event, Side};
use headwater_schemas::tables::{Execution, Liquidity, LotMethod, OpenLot};
use headwater_schemas::{
    AccountId, Correction, Corrections, EffectiveTime, EventTime, Id, Money, Nanos, Offset, Place, Placed, Price, Quantity, Symbol, Topic,
};
use proptest::prelude::*;

use super::{AverageCost, HoldingSums, PositionEvent, PositionSettings, Positions};
use crate::keyed_fold::Updated;
use crate::testing::{Emitted, Happening, Happenings, history_of, rows_of, run, run_with_restart};

mod methods;

type Given = Placed<Happening<(), PositionEvent>>;

/// A view in which fills can be busted for a long time.
fn by(lots: LotMethod) -> Positions {
    Positions { horizon: Nanos::new(1_000_000), settings: PositionSettings::all(lots) }
}

fn of_fills(time: u64, text: &str) -> Given {
    let Ok(Event::Fill(event)) = Event::decode(Topic::Fills, None, Some(text.as_bytes())) else { panic!("{text}") };
    let place = Place::of_record(EffectiveTime::new(time), Topic::Fills, 0, Offset::new(time));
    Placed { place, event: Happening::Event(PositionEvent::Fill(event)) }
}

/// A fill of account `a` in `S`; a quantity below zero is sold.
fn fill(time: u64, id: u32, quantity: i64, price: u32) -> Given {
    fill_of("a", time, id, quantity, price)
}

fn fill_of(account: &str, time: u64, id: u32, quantity: i64, price: u32) -> Given {
    let (side, size) = (if quantity < 0 { "sell" } else { "buy" }, quantity.unsigned_abs());
    let deal = format!(r#""symbol":"S","side":"{side}","quantity":{size},"price":{price}"#);
    of_fills(time, &format!(r#"{{"type":"fill","fill_id":"f{id}","account_id":"{account}",{deal},"ts":{time}}}"#))
}

fn bust(time: u64, id: u32) -> Given {
    of_fills(time, &format!(r#"{{"type":"bust","fill_id":"f{id}","account_id":"a","ts":{time}}}"#))
}

/// An execution of account `a` in `S`; a quantity below zero is sold.
fn execution(time: u64, id: u32, quantity: i64, price: i64) -> Given {
    let execution = Execution {
        execution_id: Id::derived(format!("S-{id}-x")),
        match_id: Id::derived(format!("S-{id}")),
        order_id: Id::derived("o"),
        account_id: AccountId::derived("a"),
        symbol: Symbol::derived("S"),
        side: if quantity < 0 { Side::Sell } else { Side::Buy },
        price: Price::whole(price),
        quantity: Quantity::whole(quantity).magnitude(),
        fee: Money::ZERO,
        liquidity: Liquidity::Taker,
        ts: EventTime::from_effective(EffectiveTime::new(time)),
    };
    let place = Place::of_record(EffectiveTime::new(time), Topic::Orders, 0, Offset::new(time)).derived(1);
    Placed { place, event: Happening::Event(PositionEvent::Execution(Box::new(execution))) }
}

/// Number, id, quantity and cost of the lots that are open.
fn open(emitted: &Emitted<Positions>) -> Vec<String> {
    let text = |OpenLot { number, lot_id, quantity, cost, .. }| format!("{number} {lot_id} {quantity} {cost}");
    rows_of(&emitted.tables.lots).into_iter().filter(|row| !row.quantity.is_zero()).map(text).collect()
}

/// The sums last sent to valuations, by account and symbol.
fn holdings(emitted: &Emitted<Positions>) -> BTreeMap<(AccountId, Symbol), AverageCost> {
    let sums = |(HoldingSums { account_id, symbol, sums }, ..): &Updated<HoldingSums>| ((*account_id, *symbol), *sums);
    emitted.updates.iter().map(sums).collect()
}

fn cost(emitted: &Emitted<Positions>) -> Option<String> {
    holdings(emitted).values().next().map(|sums| sums.cost.to_string())
}

#[test]
fn each_account_has_its_method_and_the_one_with_average_cost_no_rows() {
    let settings = PositionSettings {
        lots_by_account: BTreeMap::from([(AccountId::derived("a"), LotMethod::Fifo), (AccountId::derived("c"), LotMethod::Lifo)]),
        ..PositionSettings::default()
    };
    let trades = |account| [fill_of(account, 1, 1, 10, 50), fill_of(account, 2, 2, 10, 60), fill_of(account, 3, 3, -5, 80)];
    let happenings = ["a", "b", "c"].into_iter().flat_map(trades).collect();
    let emitted = run(Positions { settings, ..by(LotMethod::Average) }, happenings);
    let rows = rows_of(&emitted.tables.lots);
    let text = |row: &OpenLot| format!("{} {} {} {} at {}", row.account_id, row.method, row.lot_id, row.quantity, row.price);
    let expected = ["a fifo f1 5 at 50", "a fifo f2 10 at 60", "c lifo f1 10 at 50", "c lifo f2 5 at 60"];
    assert_eq!(rows.iter().map(text).collect::<Vec<_>>(), expected);
    // 5 × 50 + 10 × 60; 15 × 55; 10 × 50 + 5 × 60
    let costs = holdings(&emitted).into_iter().map(|((account, _), sums)| format!("{account} {}", sums.cost)).collect::<Vec<_>>();
    assert_eq!(costs, ["a 850", "b 825", "c 800"]);
    let of_average: Vec<_> = rows_of(&emitted.tables.position_trades).into_iter().filter(|row| &*row.account_id == "b").collect();
    assert!(of_average.iter().all(|row| row.method == LotMethod::Average && row.trade_ts.is_none()), "{of_average:?}");
}

#[test]
fn a_lot_has_the_id_and_the_own_time_of_the_trade_that_opened_it() {
    let late = r#"{"type":"fill","fill_id":"f9","account_id":"a","symbol":"S","side":"buy","quantity":1,"price":60,"ts":3}"#;
    let emitted = run(by(LotMethod::Fifo), vec![execution(5, 1, 2, 50), of_fills(9, late), execution(11, 2, 3, 70)]);
    let text = |row: OpenLot| format!("{} {} {} {}", row.number, row.lot_id, row.opened_at.nanos(), row.base_quantity);
    let rows: Vec<_> = rows_of(&emitted.tables.lots).into_iter().map(text).collect();
    // The first execution comes before every fill, so nothing can change it.
    assert_eq!(rows, ["1 S-1-x 5 2", "2 f9 3 0", "3 S-2-x 11 0"]);
}

#[test]
fn a_lot_whose_fill_is_busted_vanishes_and_closings_take_others() {
    for (method, before, after) in [
        (LotMethod::Fifo, ["1 f1 5 250", "2 f2 10 600"].as_slice(), ["1 f2 5 300"].as_slice()),
        (LotMethod::Lifo, &["1 f1 10 500", "2 f2 5 300"], &["1 f2 5 300"]),
    ] {
        let fills = vec![fill(1, 1, 10, 50), fill(2, 2, 10, 60), fill(3, 3, -5, 80)];
        assert_eq!(open(&run(by(method), fills.clone())), before, "{method}");
        let emitted = run(by(method), [fills, vec![bust(4, 1)]].concat());
        assert_eq!(open(&emitted), after, "{method}");
        let busted = Corrections::from_iter([Correction::Bust { traded: EffectiveTime::new(1), fill_id: Id::derived("f1") }]);
        let changes = emitted.tables.lots.changes();
        let at_last: Vec<_> = changes.iter().filter(|change| change.tick.get() == 4).collect();
        assert!(at_last.len() == 2 && at_last.iter().all(|change| change.why == busted), "{method}: {at_last:?}");
    }
}

#[test]
fn a_closed_lot_keeps_its_row_while_a_bust_can_open_it_again() {
    let view = Positions { horizon: Nanos::new(1_000), ..by(LotMethod::Fifo) };
    let text = |row: OpenLot| format!("{} {} {}", row.lot_id, row.quantity, row.base_quantity);
    let rows = |happenings| rows_of(&run(view.clone(), happenings).tables.lots).into_iter().map(text).collect::<Vec<_>>();
    // At 1500 the first fill can no longer be busted, the sale still can.
    let sold = vec![fill(1, 1, 10, 50), fill(1_000, 2, -10, 60), fill(1_500, 3, 1, 70)];
    assert_eq!(rows(sold.clone()), ["f1 0 10", "f3 1 0"]);
    assert_eq!(rows([sold.clone(), vec![bust(1_600, 2)]].concat()), ["f1 10 10", "f3 1 0"]);
    // At 2100 neither can.
    assert_eq!(rows([sold, vec![fill(2_100, 4, 2, 80)]].concat()), ["f3 1 0", "f4 2 0"]);
}

#[test]
fn a_fill_that_does_not_fit_opens_no_lot() {
    let large = |time: u64, id: u32| {
        let deal = r#""account_id":"a","symbol":"S","side":"buy","quantity":9,"price":"900000000000000000""#;
        of_fills(time, &format!(r#"{{"type":"fill","fill_id":"f{id}",{deal},"ts":{time}}}"#))
    };
    let emitted = run(by(LotMethod::Fifo), vec![large(1, 1), large(2, 2), fill(3, 3, -9, 1)]);
    assert_eq!(emitted.dead_letters.iter().map(|letter| (letter.offset.get(), &*letter.code)).collect::<Vec<_>>(), [(2, "overflow")]);
    assert_eq!(open(&emitted), Vec::<String>::new());
}

/// Fills, executions and busts of one account, the later ones far enough from the first to leave the horizon of 1000.
fn happenings(steps: &[(u64, u32, i64, u32)]) -> Happenings<Positions> {
    let mut time = 0;
    let of_step = |((step, what, quantity, price), id): (&(u64, u32, i64, u32), u32)| {
        time += step;
        match what {
            0 => bust(time, id.max(1) - 1),
            1 => bust(time, id.max(3) - 3),
            2 => bust(time, id + 1),
            3..=5 => execution(time, id, *quantity, i64::from(*price)),
            _ => fill(time, id, *quantity, *price),
        }
    };
    steps.iter().zip(0..).map(of_step).collect()
}

fn quantities() -> impl Strategy<Value = i64> {
    prop_oneof![-9..=-1_i64, 1..=9_i64]
}

proptest! {
    #[test]
    fn a_restart_in_the_middle_changes_no_lot(
        lifo in any::<bool>(),
        steps in proptest::collection::vec((1..400_u64, 0..12_u32, quantities(), 1..99_u32), 1..40),
        cut in 0..40_usize,
    ) {
        let view = Positions { horizon: Nanos::new(1_000), ..by(if lifo { LotMethod::Lifo } else { LotMethod::Fifo }) };
        let whole = run(view.clone(), happenings(&steps));
        let cut = run_with_restart(view, happenings(&steps), cut);
        prop_assert_eq!(history_of(&whole.tables.lots), history_of(&cut.tables.lots));
        prop_assert_eq!(history_of(&whole.tables.position_bases), history_of(&cut.tables.position_bases));
        prop_assert_eq!(history_of(&whole.tables.position_trades), history_of(&cut.tables.position_trades));
        prop_assert_eq!(history_of(&whole.tables.pending_busts), history_of(&cut.tables.pending_busts));
        prop_assert_eq!(whole.updates, cut.updates);
        prop_assert_eq!(whole.dead_letters, cut.dead_letters);
    }

    #[test]
    fn rows_of_lots_add_up_to_the_holding(
        lifo in any::<bool>(),
        steps in proptest::collection::vec((1..400_u64, 0..12_u32, quantities(), 1..99_u32), 1..40),
    ) {
        let view = Positions { horizon: Nanos::new(1_000), ..by(if lifo { LotMethod::Lifo } else { LotMethod::Fifo }) };
        let emitted = run(view, happenings(&steps));
        let rows = rows_of(&emitted.tables.lots);
        let now = holdings(&emitted).into_values().next().unwrap_or_default();
        prop_assert_eq!(rows.iter().map(|row| row.quantity.units()).sum::<i128>(), now.quantity.units());
        prop_assert_eq!(rows.iter().map(|row| row.cost.units()).sum::<i128>(), now.cost.units());
        let bases = rows_of(&emitted.tables.position_bases);
        let base = |sum: fn(&OpenLot) -> i128| rows.iter().map(sum).sum::<i128>();
        prop_assert_eq!(base(|row| row.base_quantity.units()), bases.first().map_or(0, |row| row.base_quantity.units()));
        prop_assert_eq!(base(|row| row.base_cost.units()), bases.first().map_or(0, |row| row.base_cost.units()));
    }

    #[test]
    fn a_bust_leaves_the_lots_that_the_other_trades_make(
        lifo in any::<bool>(),
        trades in proptest::collection::vec((any::<bool>(), any::<bool>(), quantities(), 1..99_u32), 1..30),
    ) {
        let view = by(if lifo { LotMethod::Lifo } else { LotMethod::Fifo });
        let (mut all, mut others, mut busts) = (Vec::new(), Vec::new(), Vec::new());
        for ((is_fill, is_busted, quantity, price), id) in trades.iter().zip(1..) {
            let time = u64::from(id);
            let trade = if *is_fill { fill(time, id, *quantity, *price) } else { execution(time, id, *quantity, i64::from(*price)) };
            all.push(trade.clone());
            if *is_fill && *is_busted {
                busts.push(bust(time + 100, id));
            } else {
                others.push(trade);
            }
        }
        all.extend(busts);
        let (with, without) = (run(view.clone(), all), run(view, others));
        prop_assert_eq!(open(&with), open(&without));
        let sums = |emitted| holdings(emitted).into_values().next().unwrap_or_default();
        prop_assert_eq!(sums(&with), sums(&without));
    }
}
