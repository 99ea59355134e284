//! Transfers in their steps.

use super::json::{event, typed_events};
use crate::value::{AccountId, Amount, Currency, EventTime, Id};

typed_events! {
    /// A transfer, step by step.
    TransferEvent {
        /// A transfer begins.
        "initiated" => Initiated(Box<TransferInitiated>),
        /// The money left the payer's account.
        "debited" => Debited(TransferStep),
        /// The money reached the payee's account.
        "credited" => Credited(TransferStep),
        /// Both legs are done.
        "completed" => Completed(TransferStep),
        /// It cannot go on; what was done is to be reversed.
        "failed" => Failed(TransferStep),
        /// The payer has the money back.
        "debit_reversed" => DebitReversed(TransferStep),
        /// The payee has given the money back.
        "credit_reversed" => CreditReversed(TransferStep),
    }
}

event! {
    /// The beginning of a transfer.
    TransferInitiated {
        /// The transfer.
        transfer_id: Id,
        /// Where the money comes from.
        from_account: AccountId,
        /// Where it goes.
        to_account: AccountId,
        /// How much.
        amount: Amount,
        /// In which currency.
        #[schemars(extend("maxLength" = 12))]
        currency: Currency,
        /// When.
        ts: EventTime,
    }
}

event! {
    /// A step of a transfer.
    TransferStep {
        /// The transfer.
        transfer_id: Id,
        /// When.
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
