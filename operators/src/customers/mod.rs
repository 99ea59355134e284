//! Customers' views: what customers want to be told.
//!
//! - [`price_alerts`]: view that raises an alert when a symbol's mark reaches a watched price. **Key**: the symbol.

mod notice;
pub mod price_alerts;
mod settings;
mod touched;

pub use notice::Notice;
pub use price_alerts::{PriceAlertTables, PriceAlerts, PriceEvent, SavedPriceAlerts};
pub use settings::CustomerSettings;
