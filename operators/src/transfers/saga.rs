//! The legal steps of a transfer.

use headwater_schemas::events::{TransferEvent, TransferInitiated, TransferStep};
use headwater_schemas::tables::{StepRule, TransferState};
use headwater_schemas::{AccountId, Amount, Currency, EffectiveTime, EventTime, Id};

use crate::steps::{Course, Process};

/// The terms of a transfer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Terms {
    pub(super) from_account: AccountId,
    pub(super) to_account: AccountId,
    pub(super) amount: Amount,
    pub(super) currency: Currency,
}

/// A step of a transfer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) state: TransferState,
    /// Its own time.
    pub(super) written: EventTime,
    /// The terms, which the initiation gives.
    pub(super) terms: Option<Box<Terms>>,
}

impl Step {
    pub(super) fn of(event: &TransferEvent) -> Self {
        let (state, terms) = match event {
            TransferEvent::Initiated(event) => {
                let TransferInitiated { from_account, to_account, amount, currency, .. } = **event;
                (TransferState::Initiated, Some(Box::new(Terms { from_account, to_account, amount, currency })))
            }
            TransferEvent::Debited(_) => (TransferState::Debited, None),
            TransferEvent::Credited(_) => (TransferState::Credited, None),
            TransferEvent::Completed(_) => (TransferState::Completed, None),
            TransferEvent::Failed(_) => (TransferState::Failed, None),
            TransferEvent::CreditReversed(_) => (TransferState::CreditReversed, None),
            TransferEvent::DebitReversed(_) => (TransferState::DebitReversed, None),
        };
        Self { state, written: event.ts(), terms }
    }

    /// The event of a step; `None` for an initiation without terms, which does not exist.
    pub(super) fn event(&self, transfer_id: &Id) -> Option<TransferEvent> {
        let (transfer_id, ts) = (transfer_id.clone(), self.written);
        let step = |transfer_id| Box::new(TransferStep { transfer_id, ts });
        Some(match self.state {
            TransferState::Initiated => {
                let Terms { from_account, to_account, amount, currency } = **self.terms.as_ref()?;
                TransferEvent::Initiated(Box::new(TransferInitiated { transfer_id, from_account, to_account, amount, currency, ts }))
            }
            TransferState::Debited => TransferEvent::Debited(step(transfer_id)),
            TransferState::Credited => TransferEvent::Credited(step(transfer_id)),
            TransferState::Completed => TransferEvent::Completed(step(transfer_id)),
            TransferState::Failed => TransferEvent::Failed(step(transfer_id)),
            TransferState::CreditReversed => TransferEvent::CreditReversed(step(transfer_id)),
            TransferState::DebitReversed => TransferEvent::DebitReversed(step(transfer_id)),
        })
    }
}

/// The progress of a transfer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Saga {
    /// The last legal step; `None` before the initiation.
    pub(super) state: Option<TransferState>,
    is_debited: bool,
    is_credited: bool,
}

impl Process for Saga {
    type Step = Step;

    fn after(&self, step: &Step) -> Option<Self> {
        use TransferState::{Completed, CreditReversed, Credited, DebitReversed, Debited, Failed, Initiated};
        let is_legal = match (self.state, step.state) {
            (None, Initiated) => step.terms.is_some(),
            (Some(Initiated), Debited | Failed) | (Some(Debited), Credited | Failed) | (Some(Credited), Completed | Failed) => true,
            (Some(Failed | CreditReversed), CreditReversed | DebitReversed) => self.awaits() == Some(step.state),
            _ => false,
        };
        is_legal.then_some(Self {
            state: Some(step.state),
            is_debited: self.is_debited || step.state == Debited,
            is_credited: self.is_credited || step.state == Credited,
        })
    }

    fn own_order(step: &Step) -> (EventTime, u8) {
        (step.written, step.state as u8)
    }
}

impl Saga {
    /// The step that must follow, unless the transfer fails; `None` if the transfer is over or not initiated.
    pub(super) fn awaits(&self) -> Option<TransferState> {
        match self.state? {
            TransferState::Initiated => Some(TransferState::Debited),
            TransferState::Debited => Some(TransferState::Credited),
            TransferState::Credited => Some(TransferState::Completed),
            TransferState::Failed if self.is_credited => Some(TransferState::CreditReversed),
            TransferState::Failed if self.is_debited => Some(TransferState::DebitReversed),
            TransferState::CreditReversed => Some(TransferState::DebitReversed),
            TransferState::Completed | TransferState::Failed | TransferState::DebitReversed => None,
        }
    }

    /// Whether money has left the payer and not reached the payee.
    pub(super) fn is_in_flight(&self) -> bool {
        self.state == Some(TransferState::Debited)
    }
}

impl Course<'_, Saga> {
    /// The time of a legal step.
    pub(super) fn time_of(&self, state: TransferState) -> Option<EventTime> {
        self.legal.iter().find(|step| step.event.state == state).map(|step| step.event.written)
    }

    /// The rule that a transfer breaks if the awaited step does not come, and the effective time from which it is awaited.
    pub(super) fn awaited_since(&self) -> Option<(StepRule, EffectiveTime)> {
        self.reached.awaits()?;
        let failure = self.legal.iter().find(|step| step.event.state == TransferState::Failed);
        match failure {
            Some(failure) => Some((StepRule::NotReversed, failure.place.time)),
            None => Some((StepRule::Stuck, self.moved_at()?)),
        }
    }
}
