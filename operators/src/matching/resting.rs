//! An order as a book stores it: 128 bytes, so that a processor fetches it as two adjacent cache lines.
//!
//! Rarely used fields are boxed. An order's price is the price of its queue.

use headwater_schemas::events::{OrderType, SelfTrade, Side, TimeInForce};
use headwater_schemas::value::{AccountId, EventTime, Id, OwnerId, Price, Quantity};

use super::order::{Order, Standing, Terms, is_stop, minus, plus};
use super::orders::{NOWHERE, Slot, UNTOUCHED};
use super::queue::QueueId;
use super::report::Subject;
use crate::slot_index::KeyHash;

/// A resting order or a waiting stop. The fields that a cancel reads come first.
#[derive(Clone, Debug)]
#[repr(C, align(128))]
pub(super) struct Resting {
    pub(super) order_id: Id,
    pub(super) account_id: AccountId,
    /// Its queue, and its neighbours there.
    pub(super) queue: QueueId,
    pub(super) previous: Slot,
    pub(super) next: Slot,
    /// Its index in the list of changed orders, or [`UNTOUCHED`].
    pub(super) touched: u32,
    /// The hash of its account and id.
    pub(super) hash: KeyHash,
    pub(super) leaves: Quantity,
    pub(super) filled: Quantity,
    pub(super) priority: u64,
    pub(super) ts: EventTime,
    rare: Option<Box<Rare>>,
    pub(super) side: Side,
    order_type: OrderType,
    pub(super) time_in_force: TimeInForce,
    self_trade: SelfTrade,
    post_only: bool,
    triggered: bool,
}

const _: () = assert!(size_of::<Resting>() <= 128, "an order has grown beyond two lines");

/// View of an order's terms in the book, without copying them.
#[derive(Clone, Copy, Debug)]
pub struct TermsOf<'a>(pub(super) &'a Resting);

impl TermsOf<'_> {
    /// The order.
    pub const fn order_id(&self) -> &Id {
        &self.0.order_id
    }

    /// The account.
    pub const fn account_id(&self) -> &AccountId {
        &self.0.account_id
    }

    /// A copy of the terms.
    pub fn copied(&self) -> Terms {
        self.0.terms()
    }
}

/// Rarely used fields.
#[derive(Clone, Debug)]
struct Rare {
    /// The owner of the account when the order was entered, if not the account itself.
    owner_id: Option<OwnerId>,
    /// A stop's limit while it waits, when its queue is that of its trigger.
    limit: Option<Price>,
    stop_price: Option<Price>,
    display_quantity: Option<Quantity>,
    /// The displayed quantity of an order with a display quantity.
    shown: Quantity,
    expires_at: Option<EventTime>,
}

impl Resting {
    /// The content of an empty slot.
    pub(super) fn nobody() -> Self {
        Self {
            order_id: Id::default(),
            account_id: AccountId::default(),
            queue: QueueId::NONE,
            previous: NOWHERE,
            next: NOWHERE,
            touched: UNTOUCHED,
            hash: KeyHash::default(),
            leaves: Quantity::ZERO,
            filled: Quantity::ZERO,
            priority: 0,
            ts: EventTime::BEGINNING,
            rare: None,
            side: Side::Buy,
            order_type: OrderType::Limit,
            time_in_force: TimeInForce::Gtc,
            self_trade: SelfTrade::CancelNewest,
            post_only: false,
            triggered: false,
        }
    }

    /// An order to be linked into a queue, still without neighbours. The id is moved out of `order`.
    #[inline]
    pub(super) fn new(order: &mut Order, queue: QueueId) -> Self {
        let rare = Rare::of(order).map(Box::new);
        let Order { terms, standing, touched, hash } = order;
        Self {
            order_id: std::mem::take(&mut terms.order_id),
            account_id: terms.account_id,
            queue,
            previous: NOWHERE,
            next: NOWHERE,
            touched: *touched,
            hash: *hash,
            leaves: standing.leaves,
            filled: standing.filled,
            priority: standing.priority,
            ts: standing.ts,
            rare,
            side: terms.side,
            order_type: terms.order_type,
            time_in_force: terms.time_in_force,
            self_trade: terms.self_trade,
            post_only: terms.post_only,
            triggered: standing.triggered,
        }
    }

    /// Whether it is a stop that has not been triggered.
    pub(super) const fn waits(&self) -> bool {
        is_stop(self.order_type) && !self.triggered
    }

    /// The owner of the account when the order was entered.
    pub(super) fn owner_id(&self) -> OwnerId {
        self.rare.as_ref().and_then(|rare| rare.owner_id).unwrap_or(self.account_id.of_kind())
    }

    pub(super) const fn self_trade(&self) -> SelfTrade {
        self.self_trade
    }

    pub(super) const fn order_type(&self) -> OrderType {
        self.order_type
    }

    pub(super) const fn post_only(&self) -> bool {
        self.post_only
    }

    pub(super) fn expires_at(&self) -> Option<EventTime> {
        self.rare.as_ref().and_then(|rare| rare.expires_at)
    }

    /// The displayed quantity.
    pub(super) fn shown(&self) -> Quantity {
        match &self.rare {
            Some(rare) if rare.display_quantity.is_some() => rare.shown,
            _ => self.leaves,
        }
    }

    /// Its standing, given the price of its queue.
    #[inline]
    pub(super) fn standing(&self, queue_price: Option<Price>) -> Standing {
        let limit = || self.rare.as_ref().and_then(|rare| rare.limit);
        Standing {
            price: if self.waits() { limit() } else { queue_price },
            leaves: self.leaves,
            filled: self.filled,
            shown: self.shown(),
            triggered: self.triggered,
            priority: self.priority,
            ts: self.ts,
        }
    }

    /// Its terms.
    pub(super) fn terms(&self) -> Terms {
        self.terms_of(self.order_id.clone(), self.account_id)
    }

    /// Moves its terms out.
    pub(super) fn take_terms(&mut self) -> Terms {
        let (order_id, account_id) = (std::mem::take(&mut self.order_id), std::mem::take(&mut self.account_id));
        self.terms_of(order_id, account_id)
    }

    fn terms_of(&self, order_id: Id, account_id: AccountId) -> Terms {
        let rare = self.rare.as_deref();
        Terms {
            owner_id: rare.and_then(|rare| rare.owner_id).unwrap_or(account_id.of_kind()),
            order_id,
            account_id,
            side: self.side,
            order_type: self.order_type,
            time_in_force: self.time_in_force,
            stop_price: rare.and_then(|rare| rare.stop_price),
            display_quantity: rare.and_then(|rare| rare.display_quantity),
            expires_at: rare.and_then(|rare| rare.expires_at),
            post_only: self.post_only,
            self_trade: self.self_trade,
        }
    }

    /// The fields for a report.
    pub(super) const fn subject(&self) -> Subject<'_> {
        Subject { order_id: &self.order_id, account_id: &self.account_id, leaves: self.leaves, filled: self.filled }
    }

    /// Applies a match of less than the remaining quantity: first from the displayed part.
    pub(super) fn fill(&mut self, quantity: Quantity, ts: EventTime) {
        self.leaves = minus(self.leaves, quantity);
        self.filled = plus(self.filled, quantity);
        self.ts = ts;
        if let Some(rare) = &mut self.rare {
            rare.shown = minus(rare.shown, quantity).max(Quantity::ZERO);
        }
    }

    /// Reduces the remaining quantity. The hidden part is reduced first.
    pub(super) fn reduce(&mut self, leaves: Quantity, ts: EventTime) {
        self.leaves = leaves;
        self.ts = ts;
        if let Some(rare) = &mut self.rare {
            rare.shown = rare.shown.min(leaves);
        }
    }

    /// Displays a fresh part, with a new priority.
    pub(super) fn refill(&mut self, priority: u64) {
        self.priority = priority;
        if let Some(rare) = &mut self.rare {
            rare.shown = rare.display_quantity.map_or(self.leaves, |display| display.min(self.leaves));
        }
    }
}

impl Rare {
    fn of(order: &Order) -> Option<Self> {
        let Order { terms, standing, .. } = order;
        let owner_id = Some(terms.owner_id).filter(|owner| *owner != terms.account_id.of_kind());
        let is_plain = owner_id.is_none() && terms.stop_price.is_none() && terms.display_quantity.is_none() && terms.expires_at.is_none();
        (!is_plain).then(|| Self {
            owner_id,
            limit: standing.price.filter(|_| order.waits()),
            stop_price: terms.stop_price,
            display_quantity: terms.display_quantity,
            shown: standing.shown,
            expires_at: terms.expires_at,
        })
    }
}
