//! Payments to merchants.

use super::json::event;
use super::{PaymentMethod, PaymentStatus};
use crate::value::{AccountId, Amount, Currency, CustomerId, Decimal, EventTime, Id, Text};

event! {
    /// A payment to a merchant, at one of its stages.
    Payment {
        /// The payment.
        payment_id: Id,
        /// Who pays.
        customer_id: CustomerId,
        /// From which account.
        account_id: Option<AccountId>,
        /// To whom.
        merchant_id: Id,
        /// How much.
        amount: Amount,
        /// In which currency.
        #[schemars(extend("maxLength" = 12))]
        currency: Currency,
        /// With what.
        method: PaymentMethod,
        /// How far it has come.
        status: PaymentStatus,
        /// The producer's own key against repeats.
        idempotency_key: Option<Text>,
        /// The device.
        device_id: Option<Text>,
        /// Latitude, in degrees.
        lat: Option<Decimal>,
        /// Longitude, in degrees.
        lon: Option<Decimal>,
        /// When.
        ts: EventTime,
    }
}
