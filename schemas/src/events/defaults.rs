//! Explicit defaults: an event that gives a default has the same content as one that leaves it out.

use std::sync::Arc;

use super::{AccountEvent, Event, FillEvent, OrderEvent, SelfTrade, Transaction, TransactionPhase};
use crate::value::{AccountId, Amount, Money};

impl Event {
    /// The event without the defaults that it gives explicitly; `None` if it gives none.
    pub(super) fn without_defaults(&self) -> Option<Self> {
        match self {
            Self::Transaction(event) => {
                let (is_posted, names_outside) = (event.phase == Some(TransactionPhase::Posted), event.names_the_outside());
                if !is_posted && !names_outside {
                    return None;
                }
                let mut event = Arc::clone(event);
                let plain = Arc::make_mut(&mut event);
                plain.phase = plain.phase.filter(|_| !is_posted);
                plain.counterparty_account = plain.counterparty_account.filter(|_| !names_outside);
                Some(Self::Transaction(event))
            }
            Self::Fill(FillEvent::Fill(event)) if event.fee == Some(Money::ZERO) => {
                let mut event = event.clone();
                event.fee = None;
                Some(Self::Fill(FillEvent::Fill(event)))
            }
            Self::Order(OrderEvent::New(order)) => {
                let (posts_only, self_trade) = (order.post_only == Some(false), order.self_trade == Some(SelfTrade::CancelNewest));
                if !posts_only && !self_trade {
                    return None;
                }
                let mut order = order.clone();
                order.post_only = order.post_only.filter(|post_only| *post_only);
                order.self_trade = order.self_trade.filter(|mode| *mode != SelfTrade::CancelNewest);
                Some(Self::Order(OrderEvent::New(order)))
            }
            Self::Account(AccountEvent::Opened(opened)) if opened.overdraft_limit == Some(Amount::ZERO) => {
                let mut opened = Arc::clone(opened);
                Arc::make_mut(&mut opened).overdraft_limit = None;
                Some(Self::Account(AccountEvent::Opened(opened)))
            }
            _ => None,
        }
    }
}

impl Transaction {
    /// Whether it gives the counterparty that it has if it gives none: the outside, in the currency of that side. What resolves a hold
    /// or reverses a posting takes the counterparty from there, so it has no default of its own.
    fn names_the_outside(&self) -> bool {
        let outside = || AccountId::external(self.counter_currency.unwrap_or(self.currency));
        let has_default = self.pending_id.is_none() && self.reverses.is_none();
        has_default && self.counterparty_account.is_some_and(|account| account.is_contra() && account == outside())
    }
}
