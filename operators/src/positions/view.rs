//! Positions as a keyed fold.

use headwater_schemas::events::{ErrorCode, Event, FillEvent, Side};
use headwater_schemas::tables::{DeadLetter, Execution, HeldTrade, Holding, HoldingState, LotMethod, Moment, OpenLot, PendingBust};
use headwater_schemas::{
    AccountId, Correction, Corrections, EffectiveTime, EventTime, Id, Money, Nanos, Offset, Place, Placed, Price, Quantity, Symbol, Text,
    Topic,
};
use indexmap::IndexMap;
use rustc_hash::FxBuildHasher;
use serde::{Deserialize, Serialize};

use super::busts::WaitingBusts;
use super::lot_rows::Holder;
use super::recent::{Kept, Recent};
use super::{AverageCost, PositionSettings, Trade};
use crate::admission::dead_letter;
use crate::keyed_fold::{Outbox, States, Updates, View};

/// An event that changes positions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PositionEvent {
    /// One side of a match on our own book.
    Execution(Box<Execution>),
    /// A fill from another venue, or its bust.
    Fill(FillEvent),
}

/// A fill of another venue that positions count, or no longer count.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FillChange {
    /// The fill.
    pub fill_id: Id,
    /// The account.
    pub account_id: AccountId,
    /// The instrument.
    pub symbol: Symbol,
    /// The quantity, without its sign.
    pub quantity: Quantity,
    /// The price.
    pub price: Price,
    /// The effective time of the fill.
    pub traded: EffectiveTime,
    /// The bust that cancels it, if it no longer counts.
    pub bust: Option<Correction>,
}

/// The unvalued holding of an account in a symbol.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct HoldingSums {
    /// The account.
    pub account_id: AccountId,
    /// The symbol.
    pub symbol: Symbol,
    /// The sums.
    pub sums: AverageCost,
}

impl HoldingSums {
    /// The sums of a saved row.
    pub fn of(row: &Holding) -> Self {
        let sums = AverageCost { quantity: row.quantity, cost: row.cost, cash_flow: row.cash_flow, fees: row.fees };
        Self { account_id: row.account_id, symbol: row.symbol, sums }
    }
}

/// View of positions.
#[derive(Clone, Debug)]
pub struct Positions {
    /// How long a fill can be busted, in nanoseconds of effective time.
    pub horizon: Nanos,
    /// How positions are closed.
    pub settings: PositionSettings,
}

/// What a timer of an account is for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PositionTimer {
    /// The end of the wait of a bust for its fill.
    Bust(Id),
    /// The account's method has changed: what is open is carried over to it.
    Method,
}

/// The positions of one account.
#[derive(Clone, Debug, Default)]
pub struct PositionState {
    symbols: IndexMap<Symbol, SymbolState, FxBuildHasher>,
    busts: WaitingBusts,
    /// The indices of symbols whose rows are to be emitted.
    touched: Vec<usize>,
    /// The indices of symbols whose updates are to be sent to valuations.
    changed: Vec<usize>,
}

#[derive(Clone, Debug, Default)]
struct SymbolState {
    recent: Recent,
    /// The sums last sent to valuations.
    told: Option<AverageCost>,
    emitted_base: Option<HoldingState>,
    /// Corrections since then.
    corrections: Corrections,
}

headwater_schemas::table_set! {
    /// The tables of positions.
    pub struct PositionTables restored from SavedPositions {
        restored { lots: OpenLot, position_bases: HoldingState, position_trades: HeldTrade, pending_busts: PendingBust }
    }
}

impl SymbolState {
    /// The row of the base, if it differs from the one that was emitted.
    fn new_base_row(&self, account: &AccountId, symbol: &Symbol, as_of: EffectiveTime) -> Option<HoldingState> {
        let base = self.recent.base;
        let row = HoldingState {
            account_id: *account,
            symbol: *symbol,
            base_quantity: base.quantity,
            base_cost: base.cost,
            base_cash_flow: base.cash_flow,
            base_fees: base.fees,
            base_lots: self.recent.lots.as_ref().map(|lots| lots.base.opened).filter(|opened| *opened > 0),
            ts: EventTime::from_effective(as_of),
        };
        let is_same = |emitted: &HoldingState| *emitted == HoldingState { ts: emitted.ts, ..row.clone() };
        (!self.emitted_base.as_ref().is_some_and(is_same)).then_some(row)
    }

    /// Emits the changed rows.
    fn emit(&mut self, account: &AccountId, symbol: &Symbol, at: &Moment, tables: &PositionTables) {
        if let Some(lots) = &mut self.recent.lots {
            let at = Moment { why: self.corrections.clone(), ..*at };
            lots.emit(Holder { account, symbol }, &at, &tables.lots);
        }
        let at = Moment::new(at.tick, at.time);
        if let Some(base) = self.new_base_row(account, symbol, at.time) {
            tables.position_bases.replace(&at, self.emitted_base.replace(base.clone()), Some(base));
        }
        self.recent.gone.drain(..).for_each(|gone| tables.position_trades.retract(&at, trade_row(account, symbol, &gone)));
        for kept in self.recent.kept.iter_mut().rev().take_while(|kept| !kept.emitted) {
            tables.position_trades.insert(&at, trade_row(account, symbol, kept));
            kept.emitted = true;
        }
    }

    /// Sends the holding to valuations, if it has changed.
    fn update(&mut self, account: &AccountId, symbol: &Symbol, at: &Moment, updates: &mut Updates<HoldingSums>) {
        let at = Moment { why: std::mem::take(&mut self.corrections), ..*at };
        let sums = self.recent.now;
        if self.told.replace(sums) != Some(sums) {
            updates.push(&at, HoldingSums { account_id: *account, symbol: *symbol, sums });
        }
    }
}

fn trade_row(account: &AccountId, symbol: &Symbol, kept: &Kept) -> HeldTrade {
    let has_lots = kept.method != LotMethod::Average;
    HeldTrade {
        account_id: *account,
        symbol: *symbol,
        ts: kept.place.event_time(),
        rank: i32::from(kept.place.rank),
        partition: i32::from(kept.place.partition),
        offset: kept.place.offset,
        sequence: i64::from(kept.place.sequence),
        fill_id: kept.fill_id().cloned(),
        execution_id: kept.id.clone().filter(|_| !kept.is_fill),
        trade_ts: has_lots.then_some(kept.ts),
        method: kept.method,
        quantity: kept.trade.quantity,
        price: kept.trade.price,
        fee: kept.trade.fee,
    }
}

crate::fold_operator!(Positions);

impl View for Positions {
    type Key = AccountId;
    type Route = AccountId;
    type Event = PositionEvent;
    type Broadcast = ();
    type Context = ();
    type State = PositionState;
    type Timer = PositionTimer;
    type Tables = PositionTables;
    type Derived = FillChange;
    type Update = HoldingSums;

    const UPDATES: bool = true;

    fn key(&self, event: &PositionEvent) -> AccountId {
        *account_of(event)
    }

    fn route(account: &AccountId) -> AccountId {
        *account
    }

    fn learn(&self, (): &mut (), _: Placed<()>) {}

    fn apply(&self, (): &(), account: &AccountId, state: &mut PositionState, placed: Placed<PositionEvent>, out: &mut Outbox<'_, Self>) {
        let Placed { place, event } = placed;
        let signed = |side, quantity: Quantity| if side == Side::Buy { quantity } else { quantity.negated() };
        let method = self.settings.method(account);
        match event {
            PositionEvent::Execution(execution) => {
                let trade = Trade { quantity: signed(execution.side, execution.quantity), price: execution.price, fee: execution.fee };
                // Only lots name it.
                let id = (method != LotMethod::Average).then(|| execution.execution_id.clone());
                let kept = Kept { place, id, is_fill: false, ts: execution.ts, method, trade, emitted: false };
                if state.trade(&execution.symbol, kept, self.horizon).is_none() {
                    out.refuse(overflowing(place, &execution));
                }
            }
            PositionEvent::Fill(FillEvent::Fill(fill)) => {
                if let Some(busted) = state.busts.take(&fill.fill_id) {
                    return out.cancel_timer(busted.until(self.horizon), PositionTimer::Bust(fill.fill_id));
                }
                let trade = Trade { quantity: signed(fill.side, fill.quantity), price: fill.price, fee: fill.fee.unwrap_or(Money::ZERO) };
                let kept = Kept { place, id: Some(fill.fill_id.clone()), is_fill: true, ts: fill.ts, method, trade, emitted: false };
                let late = place.lateness(fill.ts);
                let late = late.map(|lateness| Correction::Late { topic: Topic::Fills, id: fill.fill_id.clone(), lateness });
                let change = FillChange::of(account, &fill.symbol, &kept, None);
                if let Some(held) = state.trade(&fill.symbol, kept, self.horizon) {
                    held.corrections.extend(late);
                    change.into_iter().for_each(|change| out.derive(change));
                } else {
                    let error = "the position would not fit 19 integer digits: split the account, or correct the fill";
                    let event = Event::Fill(FillEvent::Fill(fill));
                    out.refuse(dead_letter(place, &event, ErrorCode::Overflow, error));
                }
            }
            PositionEvent::Fill(FillEvent::Bust(bust)) => match state.bust(&bust.fill_id, place, self.horizon) {
                Busted::Done(symbol, fill) => {
                    let correction = Correction::Bust { traded: fill.place.time, fill_id: bust.fill_id };
                    let change = FillChange::of(account, &symbol, &fill, Some(correction));
                    change.into_iter().for_each(|change| out.derive(change));
                }
                Busted::NoSuchFill => {
                    let fill_id = bust.fill_id.clone();
                    let until = state.busts.wait(place, *bust).until(self.horizon);
                    out.set_timer(until, PositionTimer::Bust(fill_id));
                }
                Busted::Overflows => {
                    let error = "without the fill the position would not fit 19 integer digits";
                    out.refuse(dead_letter(place, &Event::Fill(FillEvent::Bust(bust)), ErrorCode::Overflow, error));
                }
            },
        }
    }

    fn timer(
        &self,
        (): &(),
        account: &AccountId,
        state: &mut PositionState,
        timer: PositionTimer,
        place: Place,
        out: &mut Outbox<'_, Self>,
    ) {
        let PositionTimer::Bust(fill_id) = timer else {
            return state.carry_over(self.settings.method(account), place, self.horizon);
        };
        let Some(waited) = state.busts.take(&fill_id) else { return };
        let error = "no fill of this id within the horizon belongs to this account: check fill_id and account_id, or correct the position with a fill";
        out.refuse(dead_letter(waited.place, &waited.event(), ErrorCode::UnknownReference, error));
    }

    fn emit(&self, (): &(), account: &AccountId, state: &mut PositionState, at: &Moment, tables: &PositionTables) {
        state.busts.emit(&Moment::new(at.tick, at.time), &tables.pending_busts);
        for index in state.touched.drain(..) {
            state.symbols.get_index_mut(index).into_iter().for_each(|(symbol, held)| held.emit(account, symbol, at, tables));
        }
    }

    fn update(&self, (): &(), account: &AccountId, state: &mut PositionState, at: &Moment, updates: &mut Updates<HoldingSums>) {
        for index in state.changed.drain(..) {
            state.symbols.get_index_mut(index).into_iter().for_each(|(symbol, held)| held.update(account, symbol, at, updates));
        }
    }

    fn restore(&self, saved: &SavedPositions, states: &mut States<'_, Self>) {
        let mut lots: Vec<_> = saved.lots.iter().filter(|row| states.have(&row.account_id)).collect();
        lots.sort();
        for row in lots {
            let Some(state) = states.of(&row.account_id) else { continue };
            state.symbols.entry(row.symbol).or_default().recent.lots.get_or_insert_default().restore(row);
        }
        for row in saved.position_bases.iter() {
            let Some(state) = states.of(&row.account_id) else { continue };
            let base = AverageCost { quantity: row.base_quantity, cost: row.base_cost, cash_flow: row.base_cash_flow, fees: row.base_fees };
            let held = state.symbols.entry(row.symbol).or_default();
            held.recent.restore_base(base, row.base_lots);
            held.emitted_base = Some(row.clone());
        }
        let mut trades: Vec<_> = saved.position_trades.iter().filter(|row| states.have(&row.account_id)).collect();
        trades.sort();
        for row in trades {
            let Some(kept) = kept(row) else { continue };
            let Some(state) = states.of(&row.account_id) else { continue };
            state.symbols.entry(row.symbol).or_default().recent.restore(kept);
        }
        for held in states.iter_mut().flat_map(|state| state.symbols.values_mut()) {
            held.told = Some(held.recent.now);
        }
        for row in saved.pending_busts.iter() {
            states.of(&row.account_id).into_iter().for_each(|state| state.busts.restore(row));
        }
    }

    fn timers(&self, account: &AccountId, state: &PositionState) -> Vec<(EffectiveTime, PositionTimer)> {
        let busts = state.busts.iter();
        let busts = busts.map(|waiting| (waiting.until(self.horizon), PositionTimer::Bust(waiting.bust.fill_id.clone())));
        // It is due at once.
        let is_changed = state.open_by_another(self.settings.method(account)).next().is_some();
        busts.chain(is_changed.then_some((EffectiveTime::ZERO, PositionTimer::Method))).collect()
    }
}

impl FillChange {
    /// The change of a fill; none for an execution.
    fn of(account: &AccountId, symbol: &Symbol, kept: &Kept, bust: Option<Correction>) -> Option<Self> {
        let fill_id = kept.fill_id()?.clone();
        let Trade { quantity, price, .. } = kept.trade;
        let traded = kept.place.time;
        Some(Self { fill_id, account_id: *account, symbol: *symbol, quantity: quantity.magnitude(), price, traded, bust })
    }
}

/// Result of a bust.
enum Busted {
    /// Its fill, which is of the symbol, no longer counts.
    Done(Symbol, Kept),
    /// There is no fill with its id.
    NoSuchFill,
    /// Without the fill a sum would overflow.
    Overflows,
}

/// An execution cannot be rejected any more: the match remains, but the position lacks it.
fn overflowing(place: Place, execution: &Execution) -> DeadLetter {
    let Execution { execution_id, account_id, symbol, .. } = execution;
    let error = format!(
        "the position of {account_id} in {symbol} would not fit 19 integer digits and lacks execution {execution_id}: \
         split the account, or correct the position with a fill"
    );
    // The record is that of the incoming order; its bytes are in the topic.
    let topic = Topic::from_rank(place.rank).unwrap_or(Topic::Orders);
    DeadLetter {
        topic: Text::new(topic.as_str()),
        partition: i32::from(place.partition),
        offset: place.offset,
        ts: place.event_time(),
        key: Some(Text::new(symbol.as_str())),
        value: None,
        text: None,
        code: Text::new(ErrorCode::Overflow.as_str()),
        error: Text::from(error),
    }
}

fn account_of(event: &PositionEvent) -> &AccountId {
    match event {
        PositionEvent::Execution(execution) => &execution.account_id,
        PositionEvent::Fill(fill) => fill.account_id(),
    }
}

fn add_once(indices: &mut Vec<usize>, index: usize) {
    if !indices.contains(&index) {
        indices.push(index);
    }
}

impl PositionState {
    /// Adds a trade. Returns the symbol's state; `None` if a sum would not fit.
    fn trade(&mut self, symbol: &Symbol, kept: Kept, horizon: Nanos) -> Option<&mut SymbolState> {
        let Self { symbols, touched, changed, .. } = self;
        let entry = symbols.entry(*symbol);
        let index = entry.index();
        let held = entry.or_default();
        held.recent.forget(kept.place.time.saturating_sub(horizon));
        held.recent.add(kept)?;
        add_once(touched, index);
        add_once(changed, index);
        Some(held)
    }

    /// The symbols in which something is open that is not closed by a method.
    fn open_by_another(&self, method: LotMethod) -> impl Iterator<Item = (&Symbol, &SymbolState)> {
        self.symbols.iter().filter(move |(_, held)| held.recent.is_open_by_another(method))
    }

    /// Carries over what is open to a method.
    fn carry_over(&mut self, method: LotMethod, place: Place, horizon: Nanos) {
        // The account's only timer of this kind.
        let place = Place { partition: 0, offset: Offset::ZERO, sequence: 0, ..place };
        let trades = self.open_by_another(method).map(|(symbol, held)| (*symbol, held.recent.carrying_over(place, method)));
        let trades: Vec<_> = trades.collect();
        for (symbol, kept) in trades {
            self.trade(&symbol, kept, horizon);
        }
    }

    fn bust(&mut self, fill_id: &Id, place: Place, horizon: Nanos) -> Busted {
        let Self { symbols, touched, changed, .. } = self;
        for (index, held) in symbols.values_mut().enumerate() {
            held.recent.forget(place.time.saturating_sub(horizon));
            if !held.recent.gone.is_empty() {
                add_once(touched, index);
            }
        }
        // Admission lets an id in once, so at most one symbol has it.
        let found = symbols.iter_mut().enumerate().find(|(_, (_, held))| held.recent.has(fill_id));
        let Some((index, (symbol, held))) = found else { return Busted::NoSuchFill };
        let Some(fill) = held.recent.bust(fill_id) else { return Busted::Overflows };
        held.corrections.add(Correction::Bust { traded: fill.place.time, fill_id: fill_id.clone() });
        add_once(touched, index);
        add_once(changed, index);
        Busted::Done(*symbol, fill)
    }
}

fn kept(row: &HeldTrade) -> Option<Kept> {
    let place = Place {
        time: row.ts.effective(),
        rank: row.rank.try_into().ok()?,
        partition: row.partition.try_into().ok()?,
        offset: row.offset,
        sequence: row.sequence.try_into().ok()?,
        is_late: false,
    };
    Some(Kept {
        place,
        id: row.fill_id.as_ref().or(row.execution_id.as_ref()).cloned(),
        is_fill: row.fill_id.is_some(),
        ts: row.trade_ts.unwrap_or(row.ts),
        method: row.method,
        trade: Trade { quantity: row.quantity, price: row.price, fee: row.fee },
        emitted: true,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use headwater_schemas::{Offset, Topic};
    use proptest::prelude::*;

    use super::*;
    use crate::keyed_fold::Updated;
    use crate::testing::{Emitted, Happening, Happenings, history_of, rows_of, run, run_with_restart};

    const VIEW: Positions = Positions { horizon: Nanos::new(1000), settings: PositionSettings::all(LotMethod::Average) };

    fn happening(time: u64, text: &str) -> Placed<Happening<(), PositionEvent>> {
        let Ok(Event::Fill(event)) = Event::decode(Topic::Fills, None, Some(text.as_bytes())) else { panic!("{text}") };
        Placed {
            place: Place::of_record(EffectiveTime::new(time), Topic::Fills, 0, Offset::new(time)),
            event: Happening::Event(PositionEvent::Fill(event)),
        }
    }

    fn fill(time: u64, id: u32, symbol: &str, side: &str, quantity: u32, price: u32) -> Placed<Happening<(), PositionEvent>> {
        happening(
            time,
            &format!(
                r#"{{"type":"fill","fill_id":"f{id}","account_id":"a","symbol":"{symbol}","side":"{side}","quantity":{quantity},"price":{price},"ts":{time}}}"#
            ),
        )
    }

    fn bust(time: u64, id: u32) -> Placed<Happening<(), PositionEvent>> {
        happening(time, &format!(r#"{{"type":"bust","fill_id":"f{id}","account_id":"a","ts":{time}}}"#))
    }

    fn final_sums(happenings: Happenings<Positions>) -> Vec<String> {
        let text = |HoldingSums { symbol, sums, .. }| {
            let realized = sums.in_money(headwater_schemas::Factor::whole(1)).map(|money| money.realized);
            format!("{symbol} {} {} {}", sums.quantity, sums.cost, realized.unwrap_or_default())
        };
        holdings(&run(VIEW, happenings)).into_iter().map(text).collect()
    }

    /// The last holdings sent to valuations.
    fn holdings(emitted: &Emitted<Positions>) -> Vec<HoldingSums> {
        let of_symbol = |(holding, ..): &Updated<HoldingSums>| (holding.symbol, holding.clone());
        let last: BTreeMap<_, _> = emitted.updates.iter().map(of_symbol).collect();
        last.into_values().collect()
    }

    #[test]
    fn an_execution_that_no_position_can_hold_is_a_dead_letter() {
        let execution = |time: u64| {
            let execution = Execution {
                execution_id: Id::derived(format!("S-{time}-b")),
                match_id: Id::derived(format!("S-{time}")),
                order_id: Id::derived("o"),
                account_id: AccountId::derived("a"),
                symbol: Symbol::derived("S"),
                side: Side::Buy,
                price: "9e17".parse().expect("a price"),
                quantity: Quantity::whole(9),
                fee: Money::ZERO,
                liquidity: headwater_schemas::tables::Liquidity::Taker,
                ts: EventTime::from_effective(EffectiveTime::new(time)),
            };
            let event = Happening::Event(PositionEvent::Execution(Box::new(execution)));
            Placed { place: Place::of_record(EffectiveTime::new(time), Topic::Orders, 0, Offset::new(time)).derived(1), event }
        };
        let said = run(VIEW, vec![execution(1), execution(2)]);
        let letters: Vec<_> = said.dead_letters.iter().map(|letter| (&*letter.topic, letter.offset.get(), &*letter.code)).collect();
        assert_eq!(letters, [("orders", 2, "overflow")]);
        assert!(said.dead_letters.iter().all(|letter| letter.error.contains("S-2-b")));
        assert_eq!(holdings(&said).iter().map(|holding| holding.sums.quantity).collect::<Vec<_>>(), [Quantity::whole(9)]);
    }

    #[test]
    fn a_bust_leaves_what_the_other_fills_make() {
        let with = vec![fill(1, 1, "S", "buy", 10, 50), fill(2, 2, "S", "buy", 10, 70), fill(3, 3, "S", "sell", 5, 80), bust(4, 2)];
        let without = vec![fill(1, 1, "S", "buy", 10, 50), fill(3, 3, "S", "sell", 5, 80)];
        assert_eq!(final_sums(with), final_sums(without));
        assert_eq!(final_sums(vec![fill(1, 1, "S", "buy", 10, 50), bust(2, 1)]), ["S 0 0 0"]);
    }

    #[test]
    fn a_bust_of_nothing_is_a_dead_letter_after_the_horizon_and_a_late_one_too() {
        let last = fill(3001, 2, "S", "buy", 10, 50);
        let said = run(VIEW, vec![fill(1, 1, "S", "buy", 10, 50), bust(2, 9), bust(2000, 1), last]);
        let letters: Vec<_> = said.dead_letters.iter().map(|letter| (letter.offset.get(), letter.code.to_string())).collect();
        assert_eq!(letters, [(2, "unknown_reference".to_owned()), (2000, "unknown_reference".to_owned())]);
        let value = said.dead_letters.first().and_then(|letter| letter.text.as_deref());
        assert!(value.is_some_and(|value| value.contains(r#""fill_id":"f9""#) && value.contains(r#""ts":""#)), "{value:?}");
        assert_eq!(holdings(&said).len(), 1);
        assert!(rows_of(&said.tables.pending_busts).is_empty());
    }

    #[test]
    fn a_bust_that_comes_before_its_fill_waits_for_it() {
        let others = [fill(20, 1, "S", "buy", 10, 50), fill(40, 3, "S", "sell", 5, 80), fill(60, 4, "T", "buy", 1, 7)];
        let without = final_sums(others.to_vec());
        for (busted, filled) in [(10, 30), (10, 50), (30, 50), (50, 30), (10, 10), (10, 1010)] {
            let mut happenings = vec![bust(busted, 2), fill(filled, 2, "S", "buy", 10, 70)];
            if busted == filled {
                happenings[1].place.offset = happenings[1].place.offset.next();
            }
            happenings.extend(others.clone());
            let said = run(VIEW, happenings.clone());
            assert_eq!(final_sums(happenings), without, "busted at {busted}, filled at {filled}");
            assert!(said.dead_letters.is_empty() && rows_of(&said.tables.pending_busts).is_empty(), "{:?}", said.dead_letters);
        }
    }

    #[test]
    fn a_fill_that_comes_after_its_busts_horizon_counts_and_the_bust_is_a_dead_letter() {
        let said = run(VIEW, vec![bust(10, 2), fill(1011, 2, "S", "buy", 10, 70)]);
        assert_eq!(said.dead_letters.iter().map(|letter| &*letter.code).collect::<Vec<_>>(), ["unknown_reference"]);
        assert_eq!(holdings(&said).len(), 1);
    }

    #[test]
    fn a_bust_that_waits_is_remembered_over_a_restart() {
        let happenings = vec![bust(10, 2), bust(11, 9), fill(30, 2, "S", "buy", 10, 70), fill(2000, 1, "S", "buy", 1, 70)];
        for cut in 0..=happenings.len() {
            let said = run_with_restart(VIEW, happenings.clone(), cut);
            let letters: Vec<_> = said.dead_letters.iter().map(|letter| (letter.offset.get(), &*letter.code)).collect();
            assert_eq!(letters, [(11, "unknown_reference")], "cut at {cut}");
            let sums: Vec<_> = holdings(&said).iter().map(|holding| holding.sums.quantity).collect();
            assert_eq!(sums, [Quantity::whole(1)], "cut at {cut}");
        }
    }

    proptest! {
        #[test]
        fn a_restart_in_the_middle_changes_nothing(steps in proptest::collection::vec((1..400_u64, 0..6_u32, 0..2_usize, any::<bool>(), 1..9_u32), 1..40), cut in 0..40_usize) {
            let mut time = 0;
            let happenings: Happenings<Positions> = steps.iter().zip(0..).map(|((step, what, symbol, buy, quantity), id)| {
                time += step;
                match what {
                    0 => bust(time, id.max(1) - 1),
                    1 => bust(time, id + 1),
                    _ => fill(time, id, ["S", "T"][*symbol], if *buy { "buy" } else { "sell" }, *quantity, quantity * 3 + 1),
                }
            }).collect();
            let whole = run(VIEW, happenings.clone());
            let cut = run_with_restart(VIEW, happenings, cut);
            prop_assert_eq!(whole.updates, cut.updates);
            prop_assert_eq!(history_of(&whole.tables.position_bases), history_of(&cut.tables.position_bases));
            prop_assert_eq!(history_of(&whole.tables.position_trades), history_of(&cut.tables.position_trades));
            prop_assert_eq!(history_of(&whole.tables.pending_busts), history_of(&cut.tables.pending_busts));
            prop_assert_eq!(whole.dead_letters, cut.dead_letters);
        }
    }
}
