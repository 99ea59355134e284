//! Transfers in their steps.

use super::json::{event, typed_events};
use crate::value::{Amount, EventTime, Id};

typed_events! {
    /// What happens on the `transfers` topic.
    TransferEvent {
        /// A transfer begins.
        "initiated" => Initiated(Box<TransferInitiated>),
        /// `debited`
        "debited" => Debited(TransferStep),
        /// `credited`
        "credited" => Credited(TransferStep),
        /// `completed`
        "completed" => Completed(TransferStep),
        /// `failed`
        "failed" => Failed(TransferStep),
        /// `debit_reversed`
        "debit_reversed" => DebitReversed(TransferStep),
        /// `credit_reversed`
        "credit_reversed" => CreditReversed(TransferStep),
    }
}

event! {
    /// The beginning of a transfer.
    TransferInitiated {
        /// The transfer.
        transfer_id: Id,
        /// Where the money comes from.
        from_account: Id,
        /// Where it goes.
        to_account: Id,
        /// How much.
        amount: Amount,
        /// In which currency.
        currency: Id,
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
