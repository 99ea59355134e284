//! A naive book with the same rules: one list by priority, scanned from end to end for everything. An order that loses its
//! priority moves to the end of the list. There are no links, indices or derived state to keep consistent.

use headwater_schemas::events::{OrderType, SelfTrade, Side, TimeInForce, TradingPhase};
use headwater_schemas::tables::{Liquidity, OrderChange};
use headwater_schemas::value::{AccountId, EventTime, Id, Price, Quantity, fixed};

use crate::matching::*;

#[derive(Clone, Debug)]
pub(super) struct NaiveOrder {
    pub(super) new: NewOrder,
    pub(super) price: Option<Price>,
    pub(super) leaves: i128,
    pub(super) filled: i128,
    pub(super) shown: i128,
    pub(super) waits: bool,
}

#[derive(Clone, Debug)]
pub(super) struct NaiveBook {
    pub(super) phase: TradingPhase,
    pub(super) last: Option<Price>,
    pub(super) orders: Vec<NaiveOrder>,
    pub(super) band: Band,
    triggered: Vec<NaiveOrder>,
    matches: u64,
    changes: u64,
}

impl NaiveBook {
    pub(super) fn new() -> Self {
        Self {
            phase: TradingPhase::Continuous,
            last: None,
            orders: vec![],
            band: Band::default(),
            triggered: vec![],
            matches: 0,
            changes: 0,
        }
    }

    pub(super) fn apply(&mut self, now: EventTime, command: Command, reports: &mut Reports) {
        while let Some(at) = self.orders.iter().position(|order| is_gtd(order) && order.new.expires_at <= Some(now)) {
            self.end(at, OrderChange::Expired, Some(Reason::ExpiresAt), reports);
        }
        match command {
            Command::New(new) => self.submit(now, new, reports),
            Command::Cancel(cancel) => match self.find(&cancel.order_id, &cancel.account_id) {
                Ok(at) => self.end(at, OrderChange::Cancelled, None, reports),
                Err(reason) => self.reject(&cancel.order_id, &cancel.account_id, reason, reports),
            },
            Command::Amend(amend) => self.amend(amend, reports),
            Command::Phase(change) => self.change_phase(change, reports),
        }
        while !self.triggered.is_empty() {
            let mut order = self.triggered.remove(0);
            order.waits = false;
            self.say(&order, OrderChange::Triggered, None, reports);
            self.enter(order, reports);
        }
    }

    fn submit(&mut self, now: EventTime, new: NewOrder, reports: &mut Reports) {
        let is_stop = matches!(new.order_type, OrderType::Stop | OrderType::StopLimit);
        let has_limit = matches!(new.order_type, OrderType::Limit | OrderType::StopLimit);
        let immediate = matches!(new.time_in_force, TimeInForce::Ioc | TimeInForce::Fok);
        let quantity = new.quantity.units();
        let order = NaiveOrder {
            price: if has_limit { new.price } else { None },
            leaves: quantity,
            filled: 0,
            shown: quantity,
            waits: is_stop,
            new,
        };
        let new = &order.new;
        let gtd = new.time_in_force == TimeInForce::Gtd;
        let reason = if quantity <= 0 || new.display_quantity.is_some_and(|display| display.units() <= 0) {
            Some(Reason::NoQuantity)
        } else if has_limit && new.price.is_none() {
            Some(Reason::MissingPrice)
        } else if is_stop && new.stop_price.is_none() {
            Some(Reason::MissingStopPrice)
        } else if gtd && new.expires_at.is_none() {
            Some(Reason::MissingExpiresAt)
        } else if gtd && new.expires_at <= Some(now) {
            Some(Reason::AlreadyExpired)
        } else if self.find(&new.order_id, &new.account_id).is_ok() {
            Some(Reason::DuplicateOrder)
        } else if self.is_shut() || (self.collects() && !is_stop && immediate) {
            Some(Reason::WrongPhase)
        } else if new.post_only && (!has_limit || (!is_stop && self.best(new.side, order.price).is_some())) {
            Some(Reason::PostOnly)
        } else if !self.has_room(&order) {
            Some(Reason::Overflow)
        } else {
            None
        };
        if let Some(reason) = reason {
            let nothing = NaiveOrder { leaves: 0, ..order };
            return self.say(&nothing, OrderChange::Rejected, Some(reason), reports);
        }
        self.say(&order, OrderChange::Accepted, None, reports);
        if !is_stop {
            self.enter(order, reports);
        } else if self.phase == TradingPhase::Continuous && self.last.is_some_and(|last| is_met(&order, last)) {
            self.triggered.push(order);
        } else {
            self.rest(order);
        }
    }

    fn amend(&mut self, amend: Amendment, reports: &mut Reports) {
        let reject = |book: &mut Self, reason, reports: &mut Reports| book.reject(&amend.order_id, &amend.account_id, reason, reports);
        let at = match self.find(&amend.order_id, &amend.account_id) {
            Ok(at) => at,
            Err(reason) => return reject(self, reason, reports),
        };
        let mut order = self.orders[at].clone();
        if self.is_shut() {
            return reject(self, Reason::WrongPhase, reports);
        }
        if amend.price.is_some() && matches!(order.new.order_type, OrderType::Market | OrderType::Stop) {
            return reject(self, Reason::UnexpectedPrice, reports);
        }
        let (old_price, old_leaves) = (order.price, order.leaves);
        order.price = amend.price.or(order.price);
        order.leaves = amend.quantity.map_or(order.leaves, |quantity| quantity.units() - order.filled);
        if order.leaves <= 0 {
            return self.end(at, OrderChange::Cancelled, Some(Reason::AmendedAway), reports);
        }
        if order.price == old_price && order.leaves <= old_leaves {
            order.shown = order.shown.min(order.leaves);
            self.say(&order, OrderChange::Amended, None, reports);
            self.orders[at] = order;
            return;
        }
        if order.new.post_only && !order.waits && self.best(order.new.side, order.price).is_some() {
            return reject(self, Reason::PostOnly, reports);
        }
        if !self.has_room(&order) {
            return reject(self, Reason::Overflow, reports);
        }
        self.orders.remove(at);
        self.say(&order, OrderChange::Amended, None, reports);
        if order.waits { self.rest(order) } else { self.enter(order, reports) }
    }

    fn change_phase(&mut self, change: PhaseChange, reports: &mut Reports) {
        let next = change.phase;
        if next == TradingPhase::Continuous || next == TradingPhase::Closed {
            self.uncross(&change, reports);
        }
        self.phase = next;
        if next == TradingPhase::Closed {
            while let Some(at) = self.orders.iter().position(|order| order.new.time_in_force == TimeInForce::Day) {
                self.end(at, OrderChange::Expired, Some(Reason::EndOfDay), reports);
            }
        }
        if next == TradingPhase::Continuous {
            self.trigger();
        }
    }

    fn enter(&mut self, mut order: NaiveOrder, reports: &mut Reports) {
        if self.collects() {
            return self.rest(order);
        }
        let limit = order.price.or(self.band.worst(order.new.side, self.last));
        // Fill-or-kill is tried on a copy of the book.
        if order.new.time_in_force == TimeInForce::Fok {
            let mut trial = order.clone();
            self.clone().take(&mut trial, limit, &mut Reports::default());
            if trial.filled != order.filled + order.leaves {
                return self.cancel(order, Reason::FillOrKill, reports);
            }
        }
        if order.new.post_only && self.best(order.new.side, order.price).is_some() {
            return self.cancel(order, Reason::PostOnly, reports);
        }
        self.take(&mut order, limit, reports);
        if order.leaves == 0 {
            return;
        }
        match (order.price, order.new.time_in_force) {
            (None, _) if self.best(order.new.side, None).is_some() => self.cancel(order, Reason::PriceBand, reports),
            (None, _) => self.cancel(order, Reason::NoLiquidity, reports),
            (_, TimeInForce::Ioc) => self.cancel(order, Reason::ImmediateOrCancel, reports),
            _ if !self.has_room(&order) => self.cancel(order, Reason::Overflow, reports),
            _ => self.rest(order),
        }
    }

    fn take(&mut self, order: &mut NaiveOrder, limit: Option<Price>, reports: &mut Reports) {
        while order.leaves > 0 {
            let Some(at) = self.best(order.new.side, limit) else { return };
            let resting = self.orders[at].clone();
            if resting.new.owner_id == order.new.owner_id && order.new.self_trade != SelfTrade::Allow {
                let (newest, oldest) = left(order.new.self_trade, order.leaves, resting.leaves);
                self.set_leaves(at, oldest, reports);
                if newest != order.leaves {
                    order.leaves = newest;
                    let change = if newest > 0 { OrderChange::Amended } else { OrderChange::Cancelled };
                    self.say(order, change, Some(Reason::SelfTrade), reports);
                }
                continue;
            }
            let quantity = order.leaves.min(resting.shown);
            let price = resting.price.unwrap();
            let (came, rested) = (party(order, Liquidity::Taker), party(&resting, Liquidity::Maker));
            let (buyer, seller) = if order.new.side == Side::Buy { (came, rested) } else { (rested, came) };
            self.say_match(price, quantity, buyer, seller, reports);
            self.fill(at, quantity, reports);
            order.leaves -= quantity;
            order.filled += quantity;
            let change = if order.leaves > 0 { OrderChange::PartiallyFilled } else { OrderChange::Filled };
            self.say(order, change, None, reports);
            self.last = Some(price);
            self.trigger();
        }
    }

    fn fill(&mut self, at: usize, quantity: i128, reports: &mut Reports) {
        let order = &mut self.orders[at];
        order.leaves -= quantity;
        order.filled += quantity;
        let refill = quantity >= order.shown;
        order.shown -= quantity;
        let order = if order.leaves == 0 || refill { self.orders.remove(at) } else { order.clone() };
        let change = if order.leaves == 0 { OrderChange::Filled } else { OrderChange::PartiallyFilled };
        self.say(&order, change, None, reports);
        if order.leaves > 0 && refill {
            self.rest(order);
        }
    }

    fn trigger(&mut self) {
        let Some(last) = self.last else { return };
        while let Some(at) = self.orders.iter().position(|order| order.waits && is_met(order, last)) {
            self.triggered.push(self.orders.remove(at));
        }
    }

    fn uncross(&mut self, change: &PhaseChange, reports: &mut Reports) {
        let before = self.last;
        while let Some(price) = self.auction_price(change, before) {
            let best = |book: &Self, side| book.best_of(side, Some(price), |order| book.is_protected_at(order, price.units(), before));
            while let (Some(buy), Some(sell)) = (best(self, Side::Sell), best(self, Side::Buy)) {
                self.meet_in_auction(buy, sell, price, reports);
            }
            self.refill_after_auction();
        }
        while let Some(at) = self.orders.iter().position(|order| !order.waits && order.price.is_none()) {
            let side = self.orders[at].new.side;
            let has_offers = self.orders.iter().any(|other| !other.waits && other.new.side != side && other.price.is_some());
            let reason = if has_offers { Reason::PriceBand } else { Reason::NoLiquidity };
            self.end(at, OrderChange::Cancelled, Some(reason), reports);
        }
    }

    /// Whether an order may trade at a price in an auction: one without a limit only within the band around the last price before.
    fn is_protected_at(&self, order: &NaiveOrder, price: i128, before: Option<Price>) -> bool {
        let worst = self.band.worst(order.new.side, before).map(Price::units);
        order.price.is_some() || worst.is_none_or(|worst| if order.new.side == Side::Buy { price <= worst } else { price >= worst })
    }

    fn meet_in_auction(&mut self, buy: usize, sell: usize, price: Price, reports: &mut Reports) {
        // The order further back in the list is the newer one.
        let (newest, oldest) = (buy.max(sell), buy.min(sell));
        let (newer, older) = (self.orders[newest].clone(), self.orders[oldest].clone());
        if newer.new.owner_id == older.new.owner_id && newer.new.self_trade != SelfTrade::Allow {
            let (newest_left, oldest_left) = left(newer.new.self_trade, newer.leaves, older.leaves);
            self.set_leaves(oldest, oldest_left, reports);
            let newest = self.find(&newer.new.order_id, &newer.new.account_id).unwrap();
            return self.set_leaves(newest, newest_left, reports);
        }
        // An iceberg displays its full quantity during the auction.
        let quantity = self.orders[buy].leaves.min(self.orders[sell].leaves);
        let (buyer, seller) = (party(&self.orders[buy], Liquidity::Auction), party(&self.orders[sell], Liquidity::Auction));
        let (order_id, account_id) = (seller.order_id.clone(), seller.account_id);
        self.say_match(price, quantity, buyer, seller, reports);
        self.fill_in_auction(buy, quantity, reports);
        let sell = self.find(&order_id, &account_id).unwrap();
        self.fill_in_auction(sell, quantity, reports);
        self.last = Some(price);
    }

    fn fill_in_auction(&mut self, at: usize, quantity: i128, reports: &mut Reports) {
        let order = &mut self.orders[at];
        order.leaves -= quantity;
        order.filled += quantity;
        order.shown -= quantity;
        let order = if order.leaves == 0 { self.orders.remove(at) } else { order.clone() };
        let change = if order.leaves == 0 { OrderChange::Filled } else { OrderChange::PartiallyFilled };
        self.say(&order, change, None, reports);
    }

    /// At most one order per side has displayed quantity left: all others move to the end.
    fn refill_after_auction(&mut self) {
        for side in [Side::Buy, Side::Sell] {
            while let Some(at) = self.orders.iter().position(|order| order.new.side == side && !order.waits && order.shown <= 0) {
                let order = self.orders.remove(at);
                self.rest(order);
            }
        }
    }

    fn auction_price(&self, change: &PhaseChange, before: Option<Price>) -> Option<Price> {
        let resting: Vec<&NaiveOrder> = self.orders.iter().filter(|order| !order.waits).collect();
        let reference = self.last.or(change.reference_price).map(Price::units);
        let limits = resting.iter().filter_map(|order| order.price).map(Price::units);
        let mut prices: Vec<i128> = limits.collect();
        match (reference, change.tick_size.map(Price::units)) {
            (Some(reference), None) => prices.push(reference),
            (None, None) => {}
            (reference, Some(tick)) => {
                // An off-grid reference is replaced by the grid prices around it; an off-grid limit is a candidate itself.
                let around = reference.map(|reference| [reference.div_euclid(tick) * tick, -(-reference).div_euclid(tick) * tick]);
                prices.extend(around.into_iter().flatten());
                let (low, high) = (*prices.iter().min()?, *prices.iter().max()?);
                prices.extend((low.div_euclid(tick)..=high.div_euclid(tick)).map(|number| number * tick).filter(|price| *price >= low));
            }
        }
        let sum = |side: Side, price: i128| -> i128 {
            let willing = resting.iter().filter(|order| order.new.side == side && crosses(order, price));
            let willing = willing.filter(|order| self.is_protected_at(order, price, before));
            willing.map(|order| order.leaves).sum()
        };
        let rating = |price: &i128| {
            let (bought, sold) = (sum(Side::Buy, *price), sum(Side::Sell, *price));
            (-bought.min(sold), (bought - sold).abs(), reference.map(|reference| (price - reference).abs()), *price)
        };
        let price = prices.into_iter().min_by_key(rating)?;
        (sum(Side::Buy, price).min(sum(Side::Sell, price)) > 0).then_some(Price::from_units(price))
    }

    /// The first order that an order of this side and limit would trade with.
    fn best(&self, side: Side, limit: Option<Price>) -> Option<usize> {
        self.best_of(side, limit, |_| true)
    }

    fn best_of(&self, side: Side, limit: Option<Price>, counts: impl Fn(&NaiveOrder) -> bool) -> Option<usize> {
        let mut best: Option<usize> = None;
        for (at, order) in self.orders.iter().enumerate() {
            let meets = limit.is_none_or(|limit| crosses(order, limit.units()));
            if order.waits || order.new.side == side || !meets || !counts(order) {
                continue;
            }
            let better = |than: &NaiveOrder| match (order.price, than.price) {
                (None, Some(_)) => true,
                (Some(price), Some(than)) if side == Side::Buy => price < than,
                (Some(price), Some(than)) => price > than,
                _ => false,
            };
            if best.is_none_or(|best| better(&self.orders[best])) {
                best = Some(at);
            }
        }
        best
    }

    fn rest(&mut self, mut order: NaiveOrder) {
        let display = order.new.display_quantity.filter(|_| order.price.is_some());
        order.shown = display.map_or(order.leaves, |display| display.units().min(order.leaves));
        self.orders.push(order);
    }

    fn has_room(&self, order: &NaiveOrder) -> bool {
        let same = |other: &&NaiveOrder| !other.waits && other.new.side == order.new.side && other.price == order.price;
        let there: i128 = self.orders.iter().filter(same).map(|other| other.leaves).sum();
        there + order.leaves <= fixed::MAX_UNITS
    }

    fn set_leaves(&mut self, at: usize, leaves: i128, reports: &mut Reports) {
        if leaves == 0 {
            return self.end(at, OrderChange::Cancelled, Some(Reason::SelfTrade), reports);
        }
        if leaves != self.orders[at].leaves {
            self.orders[at].leaves = leaves;
            self.orders[at].shown = self.orders[at].shown.min(leaves);
            let order = self.orders[at].clone();
            self.say(&order, OrderChange::Amended, Some(Reason::SelfTrade), reports);
        }
    }

    fn find(&self, order_id: &Id, account_id: &AccountId) -> Result<usize, Reason> {
        let is_it = |order: &NaiveOrder| order.new.order_id == *order_id && order.new.account_id == *account_id;
        let is_others = self.orders.iter().any(|order| order.new.order_id == *order_id);
        self.orders.iter().position(is_it).ok_or(if is_others { Reason::WrongAccount } else { Reason::UnknownOrder })
    }

    fn collects(&self) -> bool {
        self.phase == TradingPhase::PreOpen || self.phase == TradingPhase::Auction
    }

    fn is_shut(&self) -> bool {
        self.phase == TradingPhase::Halted || self.phase == TradingPhase::Closed
    }

    fn end(&mut self, at: usize, change: OrderChange, reason: Option<Reason>, reports: &mut Reports) {
        let mut order = self.orders.remove(at);
        order.leaves = 0;
        self.say(&order, change, reason, reports);
    }

    fn cancel(&mut self, mut order: NaiveOrder, reason: Reason, reports: &mut Reports) {
        order.leaves = 0;
        self.say(&order, OrderChange::Cancelled, Some(reason), reports);
    }

    fn reject(&mut self, order_id: &Id, account_id: &AccountId, reason: Reason, reports: &mut Reports) {
        let own = self.orders.iter().find(|order| order.new.order_id == *order_id && order.new.account_id == *account_id);
        let (leaves, filled) = own.map_or((0, 0), |order| (order.leaves, order.filled));
        self.say_change((order_id, account_id), OrderChange::Rejected, Some(reason), (leaves, filled), reports);
    }

    fn say(&mut self, order: &NaiveOrder, change: OrderChange, reason: Option<Reason>, reports: &mut Reports) {
        self.say_change((&order.new.order_id, &order.new.account_id), change, reason, (order.leaves, order.filled), reports);
    }

    fn say_change(
        &mut self,
        ids: (&Id, &AccountId),
        change: OrderChange,
        reason: Option<Reason>,
        left: (i128, i128),
        reports: &mut Reports,
    ) {
        self.changes += 1;
        reports.changes.push(Change {
            sequence: self.changes,
            order_id: ids.0.clone(),
            account_id: *ids.1,
            change,
            reason,
            leaves: Quantity::from_units(left.0),
            filled: Quantity::from_units(left.1),
        });
    }

    fn say_match(&mut self, price: Price, quantity: i128, buyer: Party, seller: Party, reports: &mut Reports) {
        self.matches += 1;
        reports.matches.push(Match { sequence: self.matches, price, quantity: Quantity::from_units(quantity), buyer, seller });
    }
}

fn is_gtd(order: &NaiveOrder) -> bool {
    order.new.time_in_force == TimeInForce::Gtd
}

fn is_met(order: &NaiveOrder, last: Price) -> bool {
    match order.new.side {
        Side::Buy => last >= order.new.stop_price.unwrap(),
        Side::Sell => last <= order.new.stop_price.unwrap(),
    }
}

fn crosses(order: &NaiveOrder, price: i128) -> bool {
    match (order.price, order.new.side) {
        (None, _) => true,
        (Some(limit), Side::Buy) => limit.units() >= price,
        (Some(limit), Side::Sell) => limit.units() <= price,
    }
}

fn left(mode: SelfTrade, newest: i128, oldest: i128) -> (i128, i128) {
    match mode {
        SelfTrade::CancelNewest => (0, oldest),
        SelfTrade::CancelOldest => (newest, 0),
        SelfTrade::CancelBoth => (0, 0),
        SelfTrade::Decrement if newest > oldest => (newest - oldest, 0),
        SelfTrade::Decrement => (0, oldest - newest),
        SelfTrade::Allow => (newest, oldest),
    }
}

fn party(order: &NaiveOrder, liquidity: Liquidity) -> Party {
    Party { order_id: order.new.order_id.clone(), account_id: order.new.account_id, liquidity }
}
