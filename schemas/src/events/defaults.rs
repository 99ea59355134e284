//! Explicit defaults: an event that gives a default has the same content as one that leaves it out.

use std::sync::Arc;

use super::{AccountEvent, Event, FillEvent, OrderEvent, SelfTrade, TransactionPhase};
use crate::value::{Amount, Money};

impl Event {
    /// The event without the defaults that it gives explicitly; `None` if it gives none.
    pub(super) fn without_defaults(&self) -> Option<Self> {
        match self {
            Self::Transaction(event) if event.phase == Some(TransactionPhase::Posted) => {
                let mut event = Arc::clone(event);
                Arc::make_mut(&mut event).phase = None;
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
