//! Multi-step transfers.

use super::json::{event, typed_events};
use crate::value::{AccountId, Amount, Currency, EventTime, Id};

typed_events! {
    /// A step of a transfer.
    TransferEvent {
        /// The transfer is initiated.
        "initiated" => Initiated(Box<TransferInitiated>),
        /// The money has left the payer's account.
        "debited" => Debited(Box<TransferStep>),
        /// The money has reached the payee's account.
        "credited" => Credited(Box<TransferStep>),
        /// Both legs are completed.
        "completed" => Completed(Box<TransferStep>),
        /// The transfer has failed; completed steps are to be reversed.
        "failed" => Failed(Box<TransferStep>),
        /// The payer has been refunded.
        "debit_reversed" => DebitReversed(Box<TransferStep>),
        /// The payee has returned the money.
        "credit_reversed" => CreditReversed(Box<TransferStep>),
    }
}

event! {
    /// The initiation of a transfer.
    TransferInitiated {
        /// The transfer.
        transfer_id: Id,
        /// The payer's account.
        from_account: AccountId,
        /// The payee's account.
        to_account: AccountId,
        /// The amount.
        amount: Amount,
        /// The currency of the amount.
        #[schemars(extend("maxLength" = 12))]
        currency: Currency,
        /// Time of the initiation.
        ts: EventTime,
    }
}

event! {
    /// A later step of a transfer.
    TransferStep {
        /// The transfer.
        transfer_id: Id,
        /// Time of the step.
        ts: EventTime,
    }
}

impl TransferEvent {
    /// The transfer.
    pub const fn transfer_id(&self) -> &Id {
        match self {
            Self::Initiated(event) => &event.transfer_id,
            Self::Debited(step) | Self::Credited(step) | Self::Completed(step) => &step.transfer_id,
            Self::Failed(step) | Self::DebitReversed(step) | Self::CreditReversed(step) => &step.transfer_id,
        }
    }
}
