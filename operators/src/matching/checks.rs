//! The firm's pre-trade checks of orders and amendments. The book's own checks follow.
//!
//! Their sequence is part of the contract, so that an order or an amendment with several faults always gets the same reason: the
//! sequence of [`Reason`], for both. An amendment is checked only for what it changes: reducing an order is allowed even where
//! the same order would now be rejected. A cancel is never checked: an account that may not trade may always cancel.
//!
//! Limits are in the instrument's currency; [`Reference::limit`] defines which limits apply.

use headwater_schemas::events::{AssetClass, Instrument, LimitKind};
use headwater_schemas::value::{AccountId, Factor, Money, Price, Quantity, Symbol};

use super::band::Band;
use super::command::{Amendment, NewOrder};
use super::config::MatchingConfig;
use super::order::{Order, has_limit, is_stop};
use super::reason::Reason;
use crate::reference::{Account, AccountStatus, Reference};

/// Inputs to the checks, besides the order.
pub(super) struct Desk<'a> {
    pub(super) config: &'a MatchingConfig,
    pub(super) reference: &'a Reference,
    pub(super) symbol: &'a Symbol,
    /// The price of the last match.
    pub(super) last_price: Option<Price>,
}

impl Desk<'_> {
    /// Checks a new order.
    pub(super) fn check_new(&self, order: &NewOrder) -> Result<(), Reason> {
        let instrument = self.instrument()?;
        let has_limit = has_limit(order.order_type);
        let (limit, stop) = (order.price.filter(|_| has_limit), order.stop_price.filter(|_| is_stop(order.order_type)));
        let display = order.display_quantity.filter(|_| has_limit);
        self.check_terms(instrument, [limit, stop], [Some(order.quantity), display])?;
        self.within_limits(instrument, &order.account_id, order.quantity, self.expected_price(order))?;
        self.may_trade(&order.account_id)
    }

    /// The price at which an order is valued: its limit, else its trigger, else the price at which a market order is expected to
    /// trade.
    pub(super) fn expected_price(&self, order: &NewOrder) -> Option<Price> {
        let limit = order.price.filter(|_| has_limit(order.order_type));
        let stop = order.stop_price.filter(|_| is_stop(order.order_type));
        limit.or(stop).or_else(|| self.reference_price(self.reference.instrument(self.symbol)?))
    }

    /// Checks an amendment of a resting order.
    pub(super) fn check_amend(&self, order: Result<Order, Reason>, amendment: &Amendment) -> Result<(), Reason> {
        let instrument = self.instrument()?;
        let order = order?;
        self.check_terms(instrument, [amendment.price, None], [amendment.quantity, None])?;
        let quantity = amendment.quantity.unwrap_or(order.quantity());
        if amendment.price.is_some() || quantity > order.quantity() {
            let price = amendment.price.or(order.standing.price).or(order.terms.stop_price).or(self.reference_price(instrument));
            self.within_limits(instrument, &amendment.account_id, quantity, price)?;
        }
        self.may_trade(&amendment.account_id)
    }

    fn instrument(&self) -> Result<&Instrument, Reason> {
        self.reference.instrument(self.symbol).ok_or(Reason::UnknownInstrument)
    }

    /// Checks prices and quantities against the instrument. The first price is the limit.
    fn check_terms(&self, instrument: &Instrument, prices: [Option<Price>; 2], quantities: [Option<Quantity>; 2]) -> Result<(), Reason> {
        above_zero(instrument, prices)?;
        on_tick(instrument, prices)?;
        on_lot(instrument, quantities)?;
        let [limit, _] = prices;
        self.within_band(instrument, limit)
    }

    /// Whether the account may trade the symbol at all. An unknown account may: it may be opened later.
    fn may_trade(&self, account_id: &AccountId) -> Result<(), Reason> {
        match self.reference.account(account_id).map(Account::status) {
            Some(AccountStatus::Closed) => return Err(Reason::AccountClosed),
            Some(AccountStatus::Frozen) => return Err(Reason::AccountFrozen),
            Some(AccountStatus::Open) | None => {}
        }
        if self.config.restricted_symbols.contains(self.symbol) {
            return Err(Reason::RestrictedSymbol);
        }
        Ok(())
    }

    /// The expected price of a market order: the last price, else the instrument's reference price.
    fn reference_price(&self, instrument: &Instrument) -> Option<Price> {
        self.last_price.or(instrument.reference_price)
    }

    fn within_band(&self, instrument: &Instrument, limit: Option<Price>) -> Result<(), Reason> {
        let is_within = limit.is_none_or(|limit| Band::of(instrument).holds(limit, self.last_price));
        if is_within { Ok(()) } else { Err(Reason::PriceBand) }
    }

    fn within_limits(
        &self,
        instrument: &Instrument,
        account_id: &AccountId,
        quantity: Quantity,
        price: Option<Price>,
    ) -> Result<(), Reason> {
        let limit = |kind| self.reference.limit(kind, account_id, self.symbol).map(|limit| limit.value.units());
        if limit(LimitKind::OrderQuantity).is_some_and(|limit| quantity.units() > limit) {
            return Err(Reason::OrderQuantity);
        }
        let limit = limit(LimitKind::OrderNotional);
        let Some(price) = price else {
            // A value that cannot be computed cannot be checked against its limit.
            return if limit.is_some() { Err(Reason::NoReferencePrice) } else { Ok(()) };
        };
        let multiplier = instrument.multiplier.unwrap_or(Factor::whole(1));
        let value = Money::notional(price, quantity, multiplier).ok_or(Reason::Overflow)?;
        let is_within = limit.is_none_or(|limit| value.magnitude().units() <= limit);
        if is_within { Ok(()) } else { Err(Reason::OrderNotional) }
    }
}

/// Only a future can have a price of zero or below.
fn above_zero(instrument: &Instrument, prices: [Option<Price>; 2]) -> Result<(), Reason> {
    let fits = |price: Price| price > Price::ZERO || instrument.asset_class == AssetClass::Future;
    if prices.into_iter().flatten().all(fits) { Ok(()) } else { Err(Reason::NotPositive) }
}

fn on_lot(instrument: &Instrument, quantities: [Option<Quantity>; 2]) -> Result<(), Reason> {
    let fits = |quantity: Quantity| is_multiple(quantity.units(), instrument.lot_size);
    if quantities.into_iter().flatten().all(fits) { Ok(()) } else { Err(Reason::OffLot) }
}

fn on_tick(instrument: &Instrument, prices: [Option<Price>; 2]) -> Result<(), Reason> {
    let fits = |price: Price| is_multiple(price.units(), instrument.tick_size);
    if prices.into_iter().flatten().all(fits) { Ok(()) } else { Err(Reason::OffTick) }
}

fn is_multiple(units: i128, step: Factor) -> bool {
    units.checked_rem(step.units()).is_none_or(|rest| rest == 0)
}
