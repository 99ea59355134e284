//! SQL over committed tables.
//!
//! One query, followed from text to committed files to rows:
//!
//! ```text
//!  "SELECT … FROM positions"        commits/1.json, 2.json, … n.json
//!            │                               │
//!        statement: does it only read?    commits: is the chain whole?
//!            │                               │
//!            │                           committed: what exists at commit n
//!            ▼                               │
//!        session ── names: what does `positions` mean? ──┐
//!            │                               ▼           ▼
//!            │                     state, current     scan, files       views, commits_table
//!            │                     (newest row        (exactly the      (SQL over the others)
//!            │                      per key)           files named)
//!            ▼                               │           │
//!   query, engine: an answer, batch by batch ◄┴───────────┘
//!            │
//!         render: a table, CSV or JSON
//! ```
//!
//! - A query sees one commit throughout: a [`Snapshot`]. [`Catalog::refresh`] makes a new one for the queries to come.
//! - What no commit names does not exist. Table folders are never listed.
//! - Tables, histories, `commits` and views all exist from the start, possibly empty: [`tables()`], [`VIEWS`].
//! - Money is exact: literals such as `1.1` are decimals, and a sum of a DECIMAL(28,9) column cannot overflow before
//!   10^10 rows of the greatest amount.
//! - SQL only reads. What would write is refused by grammar and again by plan.

mod catalog;
mod commits;
mod commits_table;
mod committed;
mod config;
mod current;
mod describe;
mod engine;
mod error;
mod files;
mod limits;
mod names;
mod prompt;
mod query;
mod readable;
mod render;
mod scan;
mod session;
mod split;
mod state;
mod statement;
mod tables;
#[cfg(test)]
mod testing;
mod views;

pub use catalog::{Catalog, QueryResult};
pub use config::SqlConfig;
pub use error::{CatalogError, FileError, QueryError};
pub use prompt::{Prompt, converse, run_script};
pub use query::{Answer, Snapshot};
pub use render::{Format, Renderer, Summary};
pub use tables::{Table, tables};
pub use views::{VIEWS, View};
