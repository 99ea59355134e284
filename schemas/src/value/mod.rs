//! Values: numbers, identifiers and times, each with one reader and one writer.

mod blob;
pub mod currency;
mod date;
pub mod decimal_text;
mod digest;
pub mod fixed;
mod id;
mod name;
mod numbers;
mod read_text;
mod rfc3339;
mod statistic;
mod text_enum;
mod time;
mod total;

pub use blob::Blob;
pub use date::Date;
pub use digest::{Digest, Hex, ParseDigestError};
pub use id::{Id, ParseIdError, Text};
pub use name::{AccountId, Currency, CustomerId, Name, Named, OwnerId, Scope, Symbol, named};
pub use numbers::{Amount, Decimal, Factor, Money, Price, Quantity, Size};
pub(crate) use read_text::read_text;
pub use statistic::Statistic;
pub(crate) use text_enum::text_enum;
pub use time::EventTime;
pub(crate) use time::Until;
pub use total::Total;
