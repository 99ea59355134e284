//! What Headwater's records, values and tables are: no I/O and no dataflow.
//!
//! In the order of the flow:
//!
//! - [`Topic`]: a stream of records, with its name, key and rank.
//! - [`events`]: what a record says, one noun per file; decoding, encoding, error codes and JSON Schemas.
//! - [`value`]: prices, quantities, money, identifiers and times; exact, with one way in and one way out.
//! - [`Clock`]: how the flow divides time.
//! - [`Place`], [`Placed`]: where an event stands in the one order that decides every result.
//! - [`Correction`]: an event that changes what was said before it.
//! - [`tables`]: the rows that are committed, with their Arrow schemas.
//!
//! Words that records and rows share:
//!
//! - **Event time** (`ts`): when it happened, as the record says. **Effective time**: when it counts, as its partition's clock
//!   says.
//! - **Tick size, lot size**: what prices and quantities are multiples of. A *tick* alone is a step of time.
//! - **Multiplier**: what one unit is worth per point of price. **Notional**: price × quantity × multiplier.
//! - **Execution**: one side of a match on our own book. **Fill**: a trade on another venue. **Bust**: a fill taken back.
//! - **Leg**: what a transaction moves into or out of one account. **Hold**: a pending transaction that was not resolved yet.
//! - **Scope**: what figures and limits are about, like an account, or a node of the book path `firm/desk/book`.
//! - **Append, state**: a table of facts that stay, and one with a row per key that changes.
//! - **Dead letter**: a record that was not taken, with one of the stable codes in [`events::ErrorCode`].

mod clock;
mod correction;
pub mod events;
mod place;
pub mod tables;
mod topic;
pub mod value;

pub use clock::Clock;
pub use correction::{Correction, Corrections};
pub use place::{Place, Placed};
pub use topic::Topic;
pub use value::{
    AccountId, Amount, Currency, CustomerId, Date, Decimal, Digest, EventTime, Factor, Hex, Id, Money, Name, OwnerId, Price, Quantity,
    Scope, Size, Statistic, Symbol, Text, Total,
};
