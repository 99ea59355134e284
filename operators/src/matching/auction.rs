//! Uncrossing of an auction: accumulated orders trade at one price.
//!
//! The price is the one with the most volume; among those the one with the least surplus; among those the one nearest the
//! reference, which is the last price (the instrument's reference price while there is none); among those the lowest. Every price
//! on the tick grid is a candidate, not only the orders' limits, but none beyond the limits and the reference. If all orders are
//! market orders, only the reference can be the price; without one nothing trades.
//!
//! - **Market orders** trade no further than the price band around the last price before the uncrossing: beyond its edge they
//!   count neither for the price nor for what trades at it.
//! - **Priority**: market orders, then price, then priority, as in continuous trading. Hidden quantity counts in full and with
//!   its order's priority. An order whose displayed quantity was filled entirely displays a fresh part afterwards, at the back of
//!   its queue.
//! - **Self-trades** are prevented where they would happen. The price is computed from all orders; where two orders of one owner
//!   are next in line for each other at that price, the mode of the newer one decides what is left of them, and the volume goes
//!   to the next in the queue. Orders that do not meet at the price stay as they are.
//! - **One price**, unless prevention removed volume that had kept the book from being crossed: then the remainder is uncrossed
//!   again, at a price of its own, until it is not crossed.
//! - **Remaining** quantity of market orders is cancelled, by priority: with `price_band` if orders with limits remain on the
//!   other side, which are then beyond the band, else with `no_liquidity`.

use std::cmp::Reverse;

use headwater_schemas::events::{SelfTrade, Side};
use headwater_schemas::tables::{Liquidity, OrderChange};
use headwater_schemas::value::{Price, Quantity};

use super::book::{Book, opposite};
use super::ladder::Ladder;
use super::order::accepts;
use super::orders::Slot;
use super::queue::QueueId;
use super::reason::Reason;
use super::report::{Match, Reports};
use super::self_trade::kept_apart;

/// The worst prices at which orders without a limit trade; `None`: any.
#[derive(Clone, Copy)]
struct Worst {
    buyer: Option<Price>,
    seller: Option<Price>,
}

impl Worst {
    const fn of(self, side: Side) -> Option<Price> {
        match side {
            Side::Buy => self.buyer,
            Side::Sell => self.seller,
        }
    }
}

impl Book {
    /// Trades accumulated orders, and cancels what is left of market orders. A book that is not crossed stays unchanged.
    pub(super) fn uncross(&mut self, tick_size: Option<Price>, reference: Option<Price>, reports: &mut Reports) {
        let edge = |side| self.band.worst(side, self.head.last_price);
        let worst = Worst { buyer: edge(Side::Buy), seller: edge(Side::Sell) };
        // Each round ends orders, so the loop terminates.
        while self.is_crossed() {
            let reference = self.head.last_price.or(reference);
            let Some(price) = clearing_price(self, tick_size, reference, worst) else { break };
            self.trade_at(price, worst, reports);
        }
        self.cancel_unpriced(reports);
    }

    /// Whether orders of both sides meet, except that those without a limit may meet beyond the band only.
    fn is_crossed(&self) -> bool {
        let (bids, asks) = (&self.bids, &self.asks);
        match (self.unpriced(Side::Buy).is_empty(), self.unpriced(Side::Sell).is_empty(), bids.best(), asks.best()) {
            (false, false, _, _) | (false, _, _, Some(_)) | (_, false, Some(_), _) => true,
            (_, _, Some((bid, _)), Some((ask, _))) => bid >= ask,
            _ => false,
        }
    }

    fn trade_at(&mut self, price: Price, worst: Worst, reports: &mut Reports) {
        let mut buyers = self.willing(Side::Buy, price, worst).into_iter().peekable();
        let mut sellers = self.willing(Side::Sell, price, worst).into_iter().peekable();
        while let (Some(buyer), Some(seller)) = (buyers.peek_mut(), sellers.peek_mut()) {
            if let Some((newest, oldest)) = self.own_pair(buyer.0, seller.0) {
                self.prevent(newest, oldest, reports);
            } else {
                self.pair(buyer.0, seller.0, price, buyer.1.min(seller.1), reports);
            }
            buyer.1 = self.orders.at(buyer.0).leaves;
            seller.1 = self.orders.at(seller.0).leaves;
            buyers.next_if(|(_, left)| left.is_zero());
            sellers.next_if(|(_, left)| left.is_zero());
        }
        // Of the orders that traded, only the last of each side can have quantity left.
        let last = [buyers.next(), sellers.next()];
        last.into_iter().flatten().for_each(|(slot, _)| self.refill(slot));
    }

    /// The newer and the older of two orders that must not trade with each other.
    fn own_pair(&self, buyer: Slot, seller: Slot) -> Option<(Slot, Slot)> {
        let (buying, selling) = (self.orders.at(buyer), self.orders.at(seller));
        let (newest, oldest) = if buying.priority > selling.priority { (buyer, seller) } else { (seller, buyer) };
        let is_prevented = buying.owner_id() == selling.owner_id() && self.orders.at(newest).self_trade() != SelfTrade::Allow;
        is_prevented.then_some((newest, oldest))
    }

    fn prevent(&mut self, newest: Slot, oldest: Slot, reports: &mut Reports) {
        let (newer, older) = (self.orders.at(newest), self.orders.at(oldest));
        let (newest_keeps, oldest_keeps) = kept_apart(newer.self_trade(), newer.leaves, older.leaves);
        self.leave(oldest, oldest_keeps, reports);
        self.leave(newest, newest_keeps, reports);
    }

    /// The orders that trade at the price, by priority, with their full quantity.
    fn willing(&self, side: Side, price: Price, worst: Worst) -> Vec<(Slot, Quantity)> {
        let ladder = self.side(side);
        let unpriced = accepts(side, worst.of(side), price).then(|| ladder.unpriced());
        let priced = ladder.rungs().take_while(|(limit, _)| accepts(side, Some(*limit), price)).map(|(_, queue)| queue);
        let slots = unpriced.into_iter().chain(priced).flat_map(|queue| self.orders.slots_of(queue));
        slots.map(|slot| (slot, self.orders.at(slot).leaves)).collect()
    }

    fn pair(&mut self, buyer: Slot, seller: Slot, price: Price, quantity: Quantity, reports: &mut Reports) {
        let party = |slot| self.orders.at(slot).subject().party(Liquidity::Auction);
        let (buying, selling) = (party(buyer), party(seller));
        let sequence = self.head.sequences.next_match();
        reports.matches.push(Match { sequence, price, quantity, buyer: buying, seller: selling });
        self.fill(buyer, quantity, reports);
        self.fill(seller, quantity, reports);
        self.head.last_price = Some(price);
    }

    fn cancel_unpriced(&mut self, reports: &mut Reports) {
        let unpriced = |ladder: &Ladder| self.orders.slots_of(ladder.unpriced());
        let mut slots: Vec<Slot> = unpriced(&self.bids).chain(unpriced(&self.asks)).collect();
        slots.sort_unstable_by_key(|slot| self.orders.at(*slot).priority);
        for slot in slots {
            let has_offers = self.side(opposite(self.orders.at(slot).side)).best().is_some();
            let reason = if has_offers { Reason::PriceBand } else { Reason::NoLiquidity };
            self.end(slot, OrderChange::Cancelled, Some(reason), reports);
        }
    }
}

/// The price of an uncrossing, as described at the top of this file.
fn clearing_price(book: &Book, tick_size: Option<Price>, reference: Option<Price>, worst: Worst) -> Option<Price> {
    let Book { bids, asks, orders, .. } = book;
    let leaves = |queue: QueueId| orders.queue(queue).leaves().units();
    // With rising prices, supply grows by the asks at each price, and demand falls by the bids below it.
    let mut demand = bids.rungs().fold(0_i128, |sum, (_, queue)| sum.saturating_add(leaves(queue)));
    let mut supply = 0_i128;
    let unpriced = [(Side::Buy, leaves(bids.unpriced())), (Side::Sell, leaves(asks.unpriced()))];
    // At a price, orders without a limit add to those with one, within the band.
    let added = |(side, leaves): (Side, i128), price| if accepts(side, worst.of(side), price) { leaves } else { 0 };
    let limits = bids.rungs().chain(asks.rungs()).map(|(price, _)| price).collect();
    let edges = unpriced.into_iter().filter(|(_, leaves)| *leaves > 0).filter_map(|(side, _)| worst.of(side));
    let prices = candidates(limits, edges, tick_size, reference);
    let [buying, selling] = unpriced;
    let (mut bids, mut asks) = (bids.rungs().rev().peekable(), asks.rungs().peekable());
    let rated = prices.into_iter().filter_map(|price| {
        while let Some((_, queue)) = bids.next_if(|(bid, _)| *bid < price) {
            demand = demand.saturating_sub(leaves(queue));
        }
        while let Some((_, queue)) = asks.next_if(|(ask, _)| *ask <= price) {
            supply = supply.saturating_add(leaves(queue));
        }
        let distance = reference.map(|reference| price.units().abs_diff(reference.units()));
        let (bought, sold) = (demand.saturating_add(added(buying, price)), supply.saturating_add(added(selling, price)));
        let volume = bought.min(sold);
        (volume > 0).then_some((Reverse(volume), bought.abs_diff(sold), distance, price))
    });
    rated.min().map(|(_, _, _, price)| price)
}

/// Candidate prices. Between two neighbouring limits or edges of the band, volume and surplus do not change, so the candidates are
/// each limit, the edges that are on the tick grid, the first price on the grid on either side of each limit and edge, and the reference
/// (the grid's prices around it, if it is not on the grid).
fn candidates(limits: Vec<Price>, edges: impl Iterator<Item = Price>, tick_size: Option<Price>, reference: Option<Price>) -> Vec<Price> {
    let tick = tick_size.filter(|tick| *tick > Price::ZERO);
    let around = |price: Price| tick.map(|tick| neighbours(price, tick)).into_iter().flatten();
    let on_grid = |price: &Price| tick.is_none_or(|tick| price.units().rem_euclid(tick.units()) == 0);
    let mut prices: Vec<Price> = match reference {
        Some(reference) if on_grid(&reference) => vec![reference],
        Some(reference) => around(reference).collect(),
        None => Vec::new(),
    };
    prices.extend(&limits);
    let (lowest, highest) = (prices.iter().min().copied(), prices.iter().max().copied());
    let edges: Vec<Price> = edges.collect();
    let edges_on_grid = edges.iter().copied().filter(|edge| tick.is_some() && on_grid(edge));
    let neighbours = limits.iter().chain(&edges).copied().flat_map(around);
    prices.extend(neighbours.chain(edges_on_grid).filter(|price| Some(*price) > lowest && Some(*price) < highest));
    prices.sort_unstable();
    prices.dedup();
    prices
}

/// The nearest prices on the tick grid below and above, excluding the price itself.
fn neighbours(price: Price, tick: Price) -> [Price; 2] {
    let (units, tick) = (price.units(), tick.units());
    let past = units.rem_euclid(tick);
    let below = if past == 0 { tick } else { past };
    [units.saturating_sub(below), units.saturating_sub(past).saturating_add(tick)].map(Price::from_units)
}
