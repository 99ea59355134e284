//! The schema registry: schemas of Avro records, by Confluent's REST API (Confluent, Apicurio, Karapace, Redpanda).
//!
//! ```text
//!  source ─► find(id) ─► cache ─► known, or unusable: a dead letter
//!                          │
//!                          └─► thread `registry` ─► GET /schemas/ids/ID, until there is an answer
//! ```
//!
//! - **Ids are immutable**: what the registry answered for an id is kept as long as the process lives.
//! - **An answer is a schema, or that there is none** (404 with the registry's own error code 40403). A record without a schema is a
//!   dead letter.
//! - **No answer** (unreachable, timed out, 5xx, 429) is not the record's fault: it is waited for. One log line reports the outage, one its
//!   end. Only the partition with the record waits, and whatever waits for its clock.
//! - **A refusal** (401, 403, a 404 of something that is no registry) needs the operator: it ends the run, and names the mend.

mod cache;
mod client;
mod config;
#[cfg(test)]
mod tests;

pub use cache::{Found, RegistryCounters, SchemaRegistry, WriterSchemas};
pub use client::{Registered, RegistryError};
pub use config::RegistryConfig;
