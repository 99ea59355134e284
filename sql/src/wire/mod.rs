//! SQL for PostgreSQL clients: their wire protocol, version 3.0, over the commits of a data directory.
//!
//! ```text
//!  server ── tls, scram: who is it?
//!    │
//!  connection ── frames: messages in        answers: messages out
//!    │
//!    ├─ command ── settings: SET, SHOW      BEGIN: one commit until COMMIT
//!    │
//!    ├─ extended, cursors: statements in parts      copy: COPY … TO STDOUT
//!    │
//!    ├─ parameters, arrays ─► rewrite ─► query (as `headwater sql`) ─► rows ─► encode
//!    │
//!    └─ session ── pg_catalog, information_schema (listing), functions, relations: what clients ask about the tables
//! ```
//!
//! - It only reads. A statement that would write is refused by grammar and by plan in both query protocols.
//! - A statement sees one commit, the newest; a transaction sees one throughout; `SET headwater.commit` picks an earlier one.
//! - Decimals are exact in both formats. Times have microseconds in the protocol.
//! - Without users it listens only on addresses of this machine. With TLS it takes only encrypted connections.
//! - No length or count in a message is trusted. Work, rows, messages, statements, portals and connections have limits.

mod access;
mod answers;
mod arrays;
mod attempts;
mod clock;
mod command;
mod config;
mod connection;
mod copy;
mod cursors;
mod encode;
mod extended;
mod frames;
mod functions;
mod information_schema;
mod listing;
mod numeric;
mod parameters;
mod pg_catalog;
mod problem;
mod relations;
mod rewrite;
mod rows;
mod scram;
mod server;
mod session;
mod settings;
mod shared;
mod strangers;
#[cfg(test)]
mod tests;
mod tls;
mod types;

pub use access::{Access, Reader};
pub(crate) use command::label_of;
pub use config::{ServeConfig, UserConfig};
pub(crate) use functions::quoted as quoted_name;
pub(crate) use parameters::number_of;
pub use problem::Problem;
pub use scram::{Secret, SecretError};
pub use server::{ServeError, Server};
pub use tls::TlsError;
pub(crate) use types::type_name;
