//! Payments to merchants.

use super::json::event;
use super::{PaymentMethod, PaymentStatus};
use crate::value::{AccountId, Amount, Currency, CustomerId, Decimal, EventTime, Id, Text};

event! {
    /// A payment to a merchant, with its current status.
    Payment {
        /// The payment.
        payment_id: Id,
        /// The customer who pays.
        customer_id: CustomerId,
        /// The account from which it is paid.
        account_id: Option<AccountId>,
        /// The merchant.
        merchant_id: Id,
        /// The amount; of a refund, what it refunds.
        amount: Amount,
        /// The currency of the amount.
        #[schemars(extend("maxLength" = 12))]
        currency: Currency,
        /// The payment method.
        method: PaymentMethod,
        /// The status of the payment.
        status: PaymentStatus,
        /// The producer's idempotency key. Several refunds of a payment have different ones.
        idempotency_key: Option<Text>,
        /// The device.
        device_id: Option<Text>,
        /// Latitude, in degrees.
        lat: Option<Decimal>,
        /// Longitude, in degrees.
        lon: Option<Decimal>,
        /// Time of the status.
        ts: EventTime,
    }
}
