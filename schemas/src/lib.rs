//! What Headwater's records, values and tables are: no I/O and no dataflow.
//!
//! In the order of the flow:
//!
//! - [`Topic`]: a stream of records, with its name, key and rank.
//! - [`events`]: what a record says, one noun per file; decoding, encoding, error codes and JSON Schemas.
//! - [`value`]: prices, quantities, money, identifiers and times; exact, with one way in and one way out.
//! - [`Place`], [`Placed`]: where an event stands in the one order that decides every result.
//! - [`tables`]: the rows that are committed, with their Arrow schemas.

pub mod events;
mod place;
pub mod tables;
mod topic;
pub mod value;

pub use place::{Place, Placed};
pub use topic::Topic;
pub use value::{Amount, Date, Decimal, EventTime, Factor, Id, Money, Price, Quantity, Size, Statistic, Text};
