//! Random command streams from a seed: the book and a naive book must give the same reports and hold the same orders, and
//! invariants must hold. A failing stream is shortened before it is shown.

use std::collections::BTreeMap;

use headwater_schemas::events::{OrderType, SelfTrade, Side, TimeInForce, TradingPhase};
use headwater_schemas::tables::OrderChange;
use headwater_schemas::value::{AccountId, EventTime, Factor, Id, OwnerId, Price, Quantity};

use super::naive::NaiveBook;
use crate::matching::order::accepts;
use crate::matching::*;

pub(super) type Stream = Vec<(EventTime, Command)>;

/// A deterministic random number generator (SplitMix64).
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from `low` to `high`.
    pub(super) fn between(&mut self, low: i64, high: i64) -> i64 {
        low + i64::try_from(self.roll() % u64::try_from(high - low + 1).unwrap()).unwrap()
    }

    pub(super) fn percent(&mut self, chance: u64) -> bool {
        self.roll() % 100 < chance
    }

    /// One of several choices, with probability by weight.
    fn pick<T: Copy>(&mut self, choices: &[(u64, T)]) -> T {
        let mut roll = self.roll() % choices.iter().map(|(weight, _)| weight).sum::<u64>();
        for (weight, choice) in choices {
            if roll < *weight {
                return *choice;
            }
            roll -= weight;
        }
        unreachable!()
    }
}

/// Composition of a stream.
#[derive(Clone, Copy)]
pub(super) enum Market {
    /// Limit and market orders, cancels and amendments.
    Plain,
    /// All commands.
    Wild,
    /// Mostly auction phases with uncrossings.
    Auctions,
}

/// A random command stream.
pub(super) fn stream(seed: u64, length: usize, market: Market) -> Stream {
    let mut dice = Dice::new(seed);
    let (mut commands, mut names, mut now, mut phase) = (vec![], vec![], 0, TradingPhase::Continuous);
    while commands.len() < length {
        now += dice.between(0, 3);
        let kind = match market {
            Market::Plain => dice.pick(&[(60, 0), (25, 1), (15, 2)]),
            Market::Wild if phase == TradingPhase::Continuous => dice.pick(&[(70, 0), (14, 1), (14, 2), (2, 3)]),
            Market::Wild => dice.pick(&[(60, 0), (15, 1), (10, 2), (15, 3)]),
            Market::Auctions => dice.pick(&[(70, 0), (10, 1), (10, 2), (10, 3)]),
        };
        let command = match kind {
            0 => Command::New(new_order(&mut dice, now, market, &mut names)),
            1 => {
                let (order_id, account_id) = known(&mut dice, &names);
                Command::Cancel(Cancellation { order_id, account_id })
            }
            2 => amendment(&mut dice, &names),
            _ => {
                phase = next_phase(&mut dice, market);
                Command::Phase(phase_change(&mut dice, phase))
            }
        };
        commands.push((EventTime::from_nanos(now), command));
    }
    commands
}

fn next_phase(dice: &mut Dice, market: Market) -> TradingPhase {
    use TradingPhase::*;
    match market {
        Market::Auctions => dice.pick(&[(40, Auction), (20, PreOpen), (25, Continuous), (10, Closed), (5, Halted)]),
        _ => dice.pick(&[(15, Auction), (10, PreOpen), (55, Continuous), (10, Closed), (10, Halted)]),
    }
}

fn phase_change(dice: &mut Dice, phase: TradingPhase) -> PhaseChange {
    let reference_price = dice.percent(60).then(|| Price::from_units(i128::from(dice.between(2 * 94, 2 * 106)) * 500_000_000));
    PhaseChange { phase, tick_size: dice.percent(80).then(|| Price::whole(1)), reference_price }
}

fn new_order(dice: &mut Dice, now: i64, market: Market, names: &mut Vec<(Id, AccountId)>) -> NewOrder {
    use {SelfTrade::*, TimeInForce::*};
    let wild = !matches!(market, Market::Plain);
    let number = dice.between(0, 5);
    let account_id = AccountId::derived(format!("account{number}"));
    let repeats = dice.percent(1) && !names.is_empty();
    let order_id = if repeats { known(dice, names).0 } else { Id::derived(format!("o{}", names.len())) };
    names.push((order_id.clone(), account_id));
    let order_type = if wild {
        dice.pick(&[(65, OrderType::Limit), (12, OrderType::Market), (11, OrderType::Stop), (12, OrderType::StopLimit)])
    } else {
        dice.pick(&[(85, OrderType::Limit), (15, OrderType::Market)])
    };
    let time_in_force = if wild {
        dice.pick(&[(48, Gtc), (14, Day), (14, Gtd), (12, Ioc), (12, Fok)])
    } else {
        dice.pick(&[(80, Gtc), (10, Ioc), (10, Fok)])
    };
    let side = dice.pick(&[(1, Side::Buy), (1, Side::Sell)]);
    // Buyers bid a little lower than sellers ask, so that the book grows.
    let middle = if side == Side::Buy { 99 } else { 101 };
    let price = |dice: &mut Dice| Some(Price::whole(middle + dice.between(-4, 4)));
    let (forgets, least) = (dice.percent(1), i64::from(!dice.percent(1)));
    NewOrder {
        order_id,
        account_id,
        owner_id: OwnerId::derived(format!("owner{}", number % 3)),
        side,
        order_type,
        time_in_force,
        quantity: Quantity::whole(dice.between(least, 20)),
        price: price(dice).filter(|_| !forgets),
        stop_price: Some(Price::whole(dice.between(95, 105))).filter(|_| !(wild && forgets && dice.percent(50))),
        display_quantity: (wild && dice.percent(20)).then(|| Quantity::whole(dice.between(1, 6))),
        post_only: wild && dice.percent(8),
        expires_at: Some(EventTime::from_nanos(now + dice.between(0, 60))).filter(|_| !(forgets && dice.percent(50))),
        self_trade: if wild {
            dice.pick(&[(5, CancelNewest), (2, CancelOldest), (2, CancelBoth), (2, Decrement), (3, Allow)])
        } else {
            dice.pick(&[(9, Allow), (1, CancelNewest)])
        },
    }
}

/// One of the latest orders; sometimes an unknown one, or one with another account.
fn known(dice: &mut Dice, names: &[(Id, AccountId)]) -> (Id, AccountId) {
    let latest = i64::try_from(names.len()).unwrap();
    if latest == 0 || dice.percent(3) {
        return (Id::derived("stranger"), AccountId::derived("account0"));
    }
    let (order_id, account_id) = names[usize::try_from(dice.between((latest - 60).max(0), latest - 1)).unwrap()].clone();
    (order_id, if dice.percent(3) { AccountId::derived("account9") } else { account_id })
}

fn amendment(dice: &mut Dice, names: &[(Id, AccountId)]) -> Command {
    let (order_id, account_id) = known(dice, names);
    let quantity = dice.percent(70).then(|| Quantity::whole(dice.between(0, 22)));
    let price = dice.percent(50).then(|| Price::whole(dice.between(95, 105)));
    Command::Amend(Amendment { order_id, account_id, quantity, price })
}

/// The standing of an order for comparison: without priority and times.
#[derive(Debug, PartialEq, Eq)]
struct Standing {
    order_id: Id,
    price: Option<Price>,
    leaves: i128,
    filled: i128,
    shown: i128,
    waits: bool,
}

fn standing(book: &Book) -> Vec<Standing> {
    let stands = |order: Order| Standing {
        order_id: order.terms.order_id.clone(),
        price: order.standing.price,
        leaves: order.standing.leaves.units(),
        filled: order.standing.filled.units(),
        shown: order.standing.shown.units(),
        waits: order.waits(),
    };
    book.orders().map(stands).collect()
}

fn naive_standing(book: &NaiveBook) -> Vec<Standing> {
    let stands = |order: &super::naive::NaiveOrder| Standing {
        order_id: order.new.order_id.clone(),
        price: order.price,
        leaves: order.leaves,
        filled: order.filled,
        shown: order.shown,
        waits: order.waits,
    };
    book.orders.iter().map(stands).collect()
}

/// An account and its order id.
type Name = (AccountId, Id);

/// How often each change with each reason was reported.
#[derive(Debug, Default)]
struct Seen {
    all: BTreeMap<(OrderChange, Option<Reason>), usize>,
    /// Only those in answer to a phase command, of orders that it did not trigger: the others of these trade continuously.
    in_auctions: BTreeMap<(OrderChange, Option<Reason>), usize>,
}

impl Seen {
    fn hear(&mut self, command: &Command, reports: &Reports) {
        let is_phase = matches!(command, Command::Phase(_));
        let name = |change: &Change| (change.account_id, change.order_id.clone());
        let triggered: Vec<_> = reports.changes.iter().filter(|change| change.change == OrderChange::Triggered).map(name).collect();
        for change in &reports.changes {
            let what = (change.change, change.reason);
            *self.all.entry(what).or_default() += 1;
            if is_phase && !triggered.contains(&name(change)) {
                *self.in_auctions.entry(what).or_default() += 1;
            }
        }
    }

    fn add(&mut self, other: Self) {
        other.all.into_iter().for_each(|(what, count)| *self.all.entry(what).or_default() += count);
        other.in_auctions.into_iter().for_each(|(what, count)| *self.in_auctions.entry(what).or_default() += count);
    }
}

/// Follows the reports of each order, and checks invariants.
#[derive(Default)]
struct Auditor {
    /// Remaining and filled quantity of each live order.
    live: BTreeMap<Name, (i128, i128)>,
    seen: Seen,
}

impl Auditor {
    fn hear(&mut self, command: &Command, reports: &Reports) -> Result<(), String> {
        self.seen.hear(command, reports);
        let mut matched = BTreeMap::<Name, i128>::new();
        for found in &reports.matches {
            for party in [&found.buyer, &found.seller] {
                *matched.entry((party.account_id, party.order_id.clone())).or_default() += found.quantity.units();
            }
        }
        for change in &reports.changes {
            let name = (change.account_id, change.order_id.clone());
            let now = (change.leaves.units(), change.filled.units());
            let before = self.live.get(&name).copied();
            let is_lawful = match (change.change, before) {
                (OrderChange::Accepted, None) => now.0 > 0 && now.1 == 0,
                (OrderChange::Rejected, before) => now == (0, 0) || before == Some(now),
                (OrderChange::PartiallyFilled | OrderChange::Filled, Some(before)) => {
                    let quantity = now.1 - before.1;
                    *matched.entry(name.clone()).or_default() -= quantity;
                    quantity > 0 && before.0 == now.0 + quantity && (now.0 == 0) == (change.change == OrderChange::Filled)
                }
                (OrderChange::Amended, Some(before)) => now.0 > 0 && now.1 == before.1,
                (OrderChange::Triggered, Some(before)) => now == before,
                (OrderChange::Cancelled | OrderChange::Expired, Some(before)) => now == (0, before.1),
                _ => false,
            };
            if !is_lawful {
                return Err(format!("{change:?} after {before:?}"));
            }
            match change.change {
                OrderChange::Rejected => {}
                OrderChange::Filled | OrderChange::Cancelled | OrderChange::Expired => drop(self.live.remove(&name)),
                _ => drop(self.live.insert(name, now)),
            }
        }
        if matched.values().any(|quantity| *quantity != 0) { Err(format!("matches and fills differ: {matched:?}")) } else { Ok(()) }
    }

    fn compare(&self, book: &Book) -> Result<(), String> {
        let resting = book.orders().map(|order| (name(&order), (order.standing.leaves.units(), order.standing.filled.units())));
        let resting: BTreeMap<_, _> = resting.collect();
        if resting == self.live { Ok(()) } else { Err(format!("said to live: {:?}\nin the book:  {resting:?}", self.live)) }
    }
}

fn name(order: &Order) -> Name {
    (order.terms.account_id, order.terms.order_id.clone())
}

/// Checks the invariants between two commands.
fn check(book: &Book) -> Result<(), String> {
    for ladder in [&book.bids, &book.asks, &book.buy_stops, &book.sell_stops] {
        let queues = ladder.rungs().map(|(price, queue)| (Some(price), queue)).chain([(None, ladder.unpriced())]);
        for (price, id) in queues {
            let (queue, slots) = (book.orders.queue(id), book.orders.slots_of(id).collect::<Vec<_>>());
            let of = |what: fn(&crate::matching::Standing) -> Quantity| {
                slots.iter().map(|slot| what(&book.orders.standing(*slot)).units()).sum::<i128>()
            };
            let sums = (of(|standing| standing.shown), of(|standing| standing.leaves));
            if sums != (queue.shown().units(), queue.leaves().units()) {
                return Err(format!("at {price:?} {sums:?} are there, {queue:?} is counted"));
            }
            let priorities: Vec<_> = slots.iter().map(|slot| book.orders.at(*slot).priority).collect();
            let in_order = priorities.is_sorted_by(|a, b| a < b) && slots.iter().all(|slot| book.orders.order(*slot).rung() == price);
            if !in_order || (price.is_some() && slots.is_empty()) {
                return Err(format!("at {price:?} the queue is {slots:?} with {priorities:?}"));
            }
        }
    }
    if book.orders().any(|order| order.standing.shown <= Quantity::ZERO || order.standing.shown > order.standing.leaves) {
        return Err("an order shows nothing, or more than it has".to_owned());
    }
    let crossed = book.bids.best().zip(book.asks.best()).is_some_and(|((bid, _), (ask, _))| bid >= ask);
    let unpriced = !book.unpriced(Side::Buy).is_empty() || !book.unpriced(Side::Sell).is_empty();
    if book.head().phase == TradingPhase::Continuous && (crossed || unpriced) { Err("crossed".to_owned()) } else { Ok(()) }
}

/// The limits that each order has had.
#[derive(Default)]
struct Limits(BTreeMap<Name, Vec<(Side, Option<Price>)>>);

impl Limits {
    fn hear(&mut self, command: &Command) {
        match command {
            Command::New(new) => {
                let limit = new.price.filter(|_| order::has_limit(new.order_type));
                self.0.entry((new.account_id, new.order_id.clone())).or_default().push((new.side, limit));
            }
            Command::Amend(amend) => {
                let limits = self.0.entry((amend.account_id, amend.order_id.clone())).or_default();
                limits.extend(limits.last().copied().and_then(|(side, _)| amend.price.map(|price| (side, Some(price)))));
            }
            _ => {}
        }
    }

    /// Checks that every match was within a limit that each side has had.
    fn check(&self, reports: &Reports) -> Result<(), String> {
        let parties = reports.matches.iter().flat_map(|found| [(found.price, &found.buyer), (found.price, &found.seller)]);
        for (price, party) in parties {
            let asked = self.0.get(&(party.account_id, party.order_id.clone())).into_iter().flatten();
            if !asked.clone().any(|(side, limit)| accepts(*side, *limit, price)) {
                return Err(format!("{party:?} never accepted {price}"));
            }
        }
        Ok(())
    }
}

/// The first difference or violation, if any; `seen` counts what happened.
fn differs(commands: &Stream, band: Band, seen: &mut Seen) -> Option<String> {
    let (mut book, mut naive, mut auditor) = (Book::default(), NaiveBook::new(), Auditor::default());
    book.set_band(band);
    naive.band = band;
    let (mut reports, mut expected) = (Reports::default(), Reports::default());
    let (mut limits, mut said) = (Limits::default(), BTreeMap::new());
    for (number, (now, command)) in commands.iter().enumerate() {
        reports.clear();
        expected.clear();
        book.apply(*now, command.clone(), &mut reports);
        naive.apply(*now, command.clone(), &mut expected);
        let same = if (&reports, standing(&book)) == (&expected, naive_standing(&naive)) {
            Ok(())
        } else {
            Err(format!(
                "said {reports:#?}\nbut the naive book {expected:#?}\nholds {:#?}\nbut the naive book {:#?}",
                standing(&book),
                naive_standing(&naive)
            ))
        };
        limits.hear(command);
        let mut lawful = || {
            let audited = check(&book).and_then(|()| auditor.hear(command, &reports)).and_then(|()| auditor.compare(&book));
            audited.and_then(|()| limits.check(&reports))
        };
        let outcome = same.and_then(|()| lawful());
        if let Err(wrong) = outcome {
            return Some(format!("command {number}, {command:?}: {wrong}"));
        }
        if number % 7 == 0 {
            follow(&mut book, &mut said);
        }
        if number % 101 == 0 {
            book = restarted(&book);
            book.set_band(band);
            said = book.orders().map(|order| (name(&order), order.standing)).collect();
        }
    }
    seen.add(auditor.seen);
    None
}

/// Applies the changes that the book reports; they must lead from the previous state to the current one.
fn follow(book: &mut Book, said: &mut BTreeMap<Name, crate::matching::Standing>) {
    let mut lawful = true;
    book.drain_changes(|terms, old, new| {
        let name = (*terms.account_id(), terms.order_id().clone());
        let before = said.remove(&name);
        // A reused id is reported as the end of one order and the beginning of another.
        lawful &= before == old || (old.is_none() && new.is_some());
        said.extend(new.map(|new| (name, new)));
    });
    let is: BTreeMap<_, _> = book.orders().map(|order| (name(&order), order.standing)).collect();
    assert!(lawful && *said == is, "what was said does not add up: {said:?} but it is {is:?}");
}

/// The book as a restart would restore it.
pub(super) fn restarted(book: &Book) -> Book {
    let mut orders: Vec<_> = book.orders().map(|order| (order.terms.clone(), order.standing)).collect();
    orders.reverse();
    Book::restore(book.head(), orders)
}

/// Removes commands as long as the stream still fails.
fn shortened(mut commands: Stream, band: Band) -> Stream {
    let is_wrong = |commands: &Stream| differs(commands, band, &mut Seen::default()).is_some();
    let mut chunk = commands.len() / 2;
    while chunk > 0 {
        let mut start = 0;
        while start < commands.len() {
            let mut shorter = commands.clone();
            shorter.drain(start..(start + chunk).min(commands.len()));
            if is_wrong(&shorter) { commands = shorter } else { start += chunk }
        }
        chunk /= 2;
    }
    commands
}

fn agree(market: Market, band: Band, seeds: std::ops::Range<u64>, length: usize) -> Seen {
    let mut seen = Seen::default();
    for seed in seeds {
        let commands = stream(seed, length, market);
        if differs(&commands, band, &mut seen).is_some() {
            let commands = shortened(commands, band);
            let wrong = differs(&commands, band, &mut Seen::default());
            panic!("seed {seed}, shortened to {} commands:\n{commands:#?}\n{}", commands.len(), wrong.unwrap_or_default());
        }
    }
    seen
}

#[test]
fn a_plain_market_agrees_with_the_naive_book_10_3000() {
    agree(Market::Plain, Band::default(), 0..10, 3_000);
}

#[test]
fn a_market_of_auctions_agrees_with_the_naive_book_30_1000() {
    agree(Market::Auctions, Band::default(), 100..130, 1_000);
}

#[test]
fn a_market_of_auctions_within_a_band_agrees_with_the_naive_book_30_1000() {
    let mut seen = Seen::default();
    // With 150, the edges are between ticks.
    for (bps, seeds) in [(100, 300..310), (150, 310..320), (300, 320..330)] {
        let band = Band { bps: Some(Factor::whole(bps)), reference_price: Some(Price::whole(100)) };
        seen.add(agree(Market::Auctions, band, seeds, 1_000));
    }
    assert!(seen.in_auctions.contains_key(&(OrderChange::Cancelled, Some(Reason::PriceBand))), "{seen:?}");
}

#[test]
fn a_wild_market_agrees_with_the_naive_book_40_1500_and_sees_everything() {
    let seen = agree(Market::Wild, Band::default(), 1_000..1_040, 1_500);
    // The firm's checks are not part of the book, and no stream can make a number overflow.
    let elsewhere = Reason::ALL.iter().position(|reason| *reason == Reason::NoQuantity).unwrap();
    let missing: Vec<_> =
        Reason::ALL[elsewhere..].iter().filter(|reason| !seen.all.keys().any(|(_, seen)| seen.as_ref() == Some(reason))).collect();
    assert_eq!(missing, Vec::<&Reason>::new(), "{seen:?}");
}

#[test]
fn a_wild_market_within_a_band_agrees_with_the_naive_book_20_1500() {
    let band = Band { bps: Some(Factor::whole(200)), reference_price: Some(Price::whole(100)) };
    let seen = agree(Market::Wild, band, 2_000..2_020, 1_500);
    assert!(seen.all.contains_key(&(OrderChange::Cancelled, Some(Reason::PriceBand))), "{seen:?}");
}
