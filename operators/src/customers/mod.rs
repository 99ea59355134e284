//! Customers' views: what customers spend, and what they want to be told.
//!
//! - [`price_alerts`]: view that raises an alert when a symbol's mark reaches a watched price. **Key**: the symbol.
//! - [`purchases`]: view that finds the customer, the local date and the category of each purchase. **Key**: the account.
//! - [`labelled`]: view that moves a purchase to the category of its label. **Key**: the transaction.
//! - [`spending`]: view that sums purchases by month and category, and compares them with budgets and the month before.
//!   **Key**: the customer.
//! - [`notifications`]: view that turns the notices of price alerts and of spending into notifications. **Key**: the customer.

mod budgets;
mod buyers;
mod category;
pub mod labelled;
mod month;
mod notice;
pub mod notifications;
pub mod price_alerts;
pub mod purchases;
mod quiet;
mod settings;
pub mod spending;
mod spikes;
#[cfg(test)]
mod tests;

pub use buyers::Buyers;
pub use category::Categories;
pub use labelled::{LabelledPurchases, LabelledTables, SavedLabelled, SpendingChange};
pub use notice::Notice;
pub use notifications::{NotificationSettings, NotificationTables, Notifications, SavedNotifications};
pub use price_alerts::{PriceAlertTables, PriceAlerts, PriceEvent, SavedPriceAlerts};
pub use purchases::{AccountPurchase, Purchase, PurchaseEvent, Purchases, is_purchase};
pub use quiet::TimeOfDay;
pub use settings::CustomerSettings;
pub use spending::{SavedSpending, Spending, SpendingEvent, SpendingTables};

use headwater_schemas::events::ErrorCode;
use headwater_schemas::tables::DeadLetter;
use headwater_schemas::{Place, Text, Topic};

/// The dead letter of a transaction that was accepted, and counts as nobody's purchase.
fn rejected(place: Place, key: Text, code: ErrorCode, error: String) -> DeadLetter {
    DeadLetter {
        topic: Text::new(Topic::Transactions.as_str()),
        partition: i32::from(place.partition),
        offset: place.offset,
        ts: place.event_time(),
        key: Some(key),
        value: None,
        text: None,
        code: Text::new(code.as_str()),
        error: Text::from(error),
    }
}
