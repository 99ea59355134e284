//! Headwater's topics, events, values and tables, without I/O or dataflow.
//!
//! In the order of the flow:
//!
//! - [`Topic`]: a stream of records, with its name, key and rank.
//! - [`events`]: the content of records, one noun per file; decoding, encoding, error codes and JSON Schemas.
//! - [`avro`]: records with schemas of a registry as JSON, and published rows as such records.
//! - [`value`]: prices, quantities, money, identifiers and times; each exact, with one reader and one writer.
//! - [`EffectiveTime`], [`Nanos`]: readings of clocks, and lengths of time between them.
//! - [`Tick`]: the timestamp of the dataflow. [`Clock`]: tick and grid intervals.
//! - [`Offset`], [`Sequence`]: the position of a record in its partition.
//! - [`Place`], [`Placed`]: the position of an event in the total order that determines every result.
//! - [`Correction`]: an event that corrects earlier results.
//! - [`tables`]: the rows that are committed, with their Arrow schemas.
//! - [`privacy`]: fields with personal data, and the tokens that rows have in place of their values.
//!
//! Terms of records and rows:
//!
//! - **Event time** (`ts`): when an event happened, according to its record. **Effective time**: when it counts, according to its
//!   partition's clock.
//! - **Tick size, lot size**: prices and quantities are multiples of them. A *tick* alone is an interval of time.
//! - **Multiplier**: value of one unit per point of price. **Notional**: price × quantity × multiplier.
//! - **Execution**: one side of a match on our own book. **Fill**: a trade on another venue. **Bust**: the cancellation of a
//!   fill.
//! - **Leg**: the part of a transaction that moves money into or out of one account. **Hold**: a pending transaction that is not
//!   resolved yet.
//! - **Scope**: what figures and limits refer to, like an account, or a node of the book path `firm/desk/book`.
//! - **Append, state**: a table of facts that never change, and one with a row per key that changes.
//! - **Dead letter**: a rejected record, with one of the stable codes in [`events::ErrorCode`].

pub mod avro;
mod clock;
mod correction;
mod effective;
pub mod events;
mod nanos;
mod number;
mod place;
mod position;
pub mod privacy;
pub mod tables;
mod tick;
mod topic;
pub mod value;

pub use clock::Clock;
pub use correction::{Correction, Corrections};
pub use effective::EffectiveTime;
pub use nanos::Nanos;
pub use place::{Place, Placed};
pub use position::{Offset, Sequence};
pub use tick::Tick;
pub use topic::Topic;
pub use value::{
    AccountId, Amount, Currency, CustomerId, Date, Decimal, Digest, EventTime, Factor, Hex, Id, Money, Name, OwnerId, Price, Quantity,
    Scope, Size, Statistic, Symbol, Text, Total,
};
