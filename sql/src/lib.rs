//! SQL over committed tables.
//!
//! One query, followed from text to committed files to rows:
//!
//! ```text
//!  "SELECT … FROM positions"        commits/1.json, 2.json, … n.json
//!            │                               │
//!        statement: does it only read?    commits: is the chain complete?
//!            │                               │
//!            │                           committed: the files at commit n
//!            ▼                               │
//!        session ── names: the relation of `positions` ──┐
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
//! - A query sees one commit throughout: a [`Snapshot`]. [`Catalog::refresh`] makes a new one for later queries.
//! - A file that no commit names does not exist. Table folders are never listed.
//! - Tables, histories, `commits` and views all exist from the start, possibly empty: [`tables()`], [`VIEWS`].
//! - Money is exact: literals such as `1.1` are decimals, sums and products have as many digits as they need, up to 76, and
//!   quotients have at least 28 after the point.
//! - SQL only reads. A statement that would write is refused by grammar and again by plan.
//! - What other crates wait for is a boxed future: a future's code is compiled where it is polled, and this one's contains all of
//!   DataFusion's planning.
//!
//! ```no_run
//! use headwater_sql::{Catalog, Format};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let catalog = Catalog::open("tables".as_ref(), None)?;
//! catalog.query("SELECT scope, equity FROM portfolios")?.write(Format::Csv, &mut std::io::stdout())?;
//! # Ok(())
//! # }
//! ```
//!
//! Contents:
//!
//! | modules | one idea |
//! |---|---|
//! | `catalog`, `committed` | a data directory; what its chain of commits says that exists at one of them |
//! | `tables`, `views`, `commits_table` | what may be asked: the schemas' tables, named queries, the commits themselves |
//! | `rights`, `restricted` | what a session may read: tables, rows of books, columns |
//! | `names`, `session`, `engine`, `yielding` | what a name means; a session that keeps money exact; threads and memory of its own; joins that can be ended |
//! | `decimals`, `averages`, `exact_numbers`, `floats`, `rounding` | arithmetic that neither wraps nor loses digits: quotients, averages, `numeric`, floating-point numbers beside decimals, `round` |
//! | `layers`, `zones`, `lengths`, `evidence`, `bounded`, `joined`, `type_names`, `text_format`, `like_escapes` | projections that repeat; `AT TIME ZONE`; casts to `varchar(n)`; the parts of evidence; functions and `\|\|`, where they would take too much memory; `pg_typeof`; `format`; `LIKE … ESCAPE` |
//! | `time_texts`, `intervals`, `epochs`, `rounded_times` | times without seconds; intervals; `EXTRACT(EPOCH …)`; `timestamp(0)` |
//! | `window_keys`, `told_apart`, `spellings`, `correlated` | casts that DataFusion takes for the column that is cast, and so answers wrongly; one spelling of each type |
//! | `conditions`, `guards` | conditions in the order in which they are written, where a later one may fail |
//! | `existence`, `memberships`, `quantified`, `quantified_columns`, `negation` | `EXISTS`, `IN` and `ANY` with queries, and `-x`, where DataFusion does not plan them |
//! | `ordered_sets`, `ties`, `row_memberships`, `json_values`, `built_values`, `ages`, `regexps`, `hashes`, `precedence`, `places`, `repetitions`, `lateral_columns` | what PostgreSQL has and DataFusion does not: `percentile_disc` and `mode`; `WITH TIES`; `(a, b) IN` with a query; JSON of values; buckets and intervals of parts; `age`; matches of patterns; `md5`; where `IS DISTINCT FROM` ends; `ORDER BY 2`; `EXCEPT ALL`; computed columns in `FROM` |
//! | `derived`, `lateral`, `lateral_lists`, `limited`, `one_row`, `beside_aggregates` | subqueries that read columns of the query around them: in `FROM`, with `HAVING`, of lists, with `LIMIT`, of one row |
//! | `postgres_syntax`, `rows`, `value_lists`, `full_joins`, `json_operators`, `similar`, `patterns`, `number_patterns` | PostgreSQL's syntax for what DataFusion has in another one; comparisons of rows; literals of `VALUES`; columns in common; `->>`; patterns of `SIMILAR TO`, of times and of numbers |
//! | `state`, `current`, `newest`, `changed` | a state table's rows now: of each key the newest, kept in memory from commit to commit; which of them are newest; the files with changes |
//! | `chosen`, `kept`, `questions`, `key_changes` | which rows of views are kept for later questions; those rows; what was asked last; changes of a few keys |
//! | `scan`, `parts` | append tables and histories: the files that commits name, and the parts of segments |
//! | `statement`, `split`, `limits`, `copies`, `describe` | one statement that reads; where it ends; how large it may be, and grow; `SHOW TABLES` |
//! | `query` | from a text to rows, all from one commit: [`Answer`], or [`QueryResult`] for code that waits |
//! | `render`, `formats`, `prompt` | rows as a table, CSV or JSON: [`Renderer`]; names of formats; the prompt of `headwater sql`: [`Prompt`] |
//! | `reports`, `identifiers` | documents of figures as of the end of a date: [`Report`]; ISINs, LEIs and fields of JSON in SQL |
//! | `wire` | a server for PostgreSQL clients: [`Server`]; its users, tables and limits for other servers: [`Access`] |
//! | `changes` | the changes of a table, commit by commit, for a client that follows it: [`Changes`] |
//! | `export` | tables for other programs: Parquet, CSV, Arrow, Delta Lake: [`export()`] |
//! | `files` | live Parquet files, for programs that read them directly: [`live_files`] |
//! | `compare` | differences of two data directories, row by row |
//! | `verify`, `audit` | proof that a directory is complete, that every record has its place, and that the books balance |
//! | `config`, `error`, `readable`, `suggestions`, `explained` | limits of queries; errors, and DataFusion's errors and plans in a user's words |
//!
//! Terms: **commit**: all tables up to one tick, at once. **Append table**: facts, each written once. **State table** `t`: one
//! row per key; `t_history` has every change, with `change` 1 for a new row and -1 for an old one. **View**: a named query, in
//! `sql/views`.

#![warn(clippy::print_stdout, clippy::print_stderr)]

mod ages;
mod audit;
mod averages;
mod beside_aggregates;
mod bounded;
mod built_values;
mod catalog;
mod changed;
mod changes;
mod chosen;
mod column_words;
mod columns;
mod commits_table;
mod committed;
mod compare;
mod conditions;
mod config;
mod copies;
mod correlated;
mod current;
mod decimals;
mod derived;
mod describe;
mod engine;
mod epochs;
mod error;
mod evidence;
mod exact_numbers;
mod existence;
mod explained;
mod export;
mod files;
mod floats;
mod formats;
mod full_joins;
mod functions;
mod guards;
mod hashes;
#[cfg(test)]
mod histories;
mod history;
mod identifiers;
mod integers;
mod intervals;
mod joined;
mod json_operators;
mod json_values;
mod kept;
mod key_changes;
mod lateral;
mod lateral_columns;
mod lateral_lists;
mod layers;
mod lengths;
mod like_escapes;
mod limited;
mod limits;
mod memberships;
mod named_expressions;
mod names;
mod negation;
mod newest;
mod number_patterns;
mod one_row;
mod ordered_sets;
mod parts;
mod patterns;
mod places;
mod plans;
mod postgres_syntax;
mod precedence;
mod prompt;
mod quantified;
mod quantified_columns;
mod query;
mod questions;
mod readable;
mod regexps;
mod render;
mod repetitions;
mod reports;
mod restricted;
mod rights;
mod rounded_times;
mod rounding;
mod row_memberships;
mod rows;
mod scan;
#[cfg(test)]
mod segments;
mod session;
mod shown;
mod similar;
mod spellings;
mod split;
mod state;
mod statement;
mod suggestions;
mod sums;
mod syntax;
mod tables;
#[cfg(test)]
mod testing;
mod text_format;
mod ties;
mod time_texts;
mod told_apart;
mod type_names;
mod unlike;
mod value_lists;
mod verify;
mod views;
mod warm;
mod window_keys;
mod wire;
mod yielding;
mod zones;

pub use audit::AuditBreak;
pub use catalog::{Catalog, QueryResult};
pub use changes::{ChangeEvent, Changes, ChangesRequest, Place, PlaceError};
pub use commits_table::CommitSummary;
pub use compare::{Difference, compare};
pub use config::SqlConfig;
pub use error::{CatalogError, QueryError};
pub use export::{ExportError, ExportFormat, Exported, export};
pub use files::{LiveFiles, live_files};
pub use prompt::{Prompt, converse, run_script};
pub use query::{Answer, Snapshot};
pub use render::{Format, Renderer, Sheet, Summary, json_objects};
pub use reports::{
    Column, Document, Finding, Kind, Loss, Losses, Parameter, REPORTS, Reference, Rendered, Report, ReportError, ReportFormat,
    ReportRequest, Section, Unfit, report_named,
};
pub use statement::quoted;
pub use tables::{Table, tables};
pub use verify::{Break, INVARIANTS, Proof, verify};
pub use views::{VIEWS, View};
pub use wire::{Access, Problem, Reader, Secret, SecretError, ServeConfig, ServeError, Server, TlsError, UserConfig};
