//! Headwater: configuration, wiring and commands of the pipeline. The binary only parses the command line.
//!
//! - [`flow`]: the dataflow, from topics to tables; read it top to bottom.
//! - [`run`]: runs it. [`cluster`]: in several processes. [`config`]: its configuration. [`location`]: the address of topics.
//! - [`outbox`]: publishes committed rows to topics, except those of alerts that are [`suppressed`].
//! - [`avro`]: the schema registry of topics that carry Avro.
//! - [`calendar`]: makes reports by event time, beside a run or by a command.
//! - [`discovery`]: finds new partitions during a live run.
//! - [`resume`], [`saved`]: restart from the last commit: positions in the topics, and state of the operators.
//! - [`key_file`]: the keys of what is written in place of personal values.
//! - [`metrics`], [`http`], [`progress`]: reports of a run.
//! - [`simulator`]: the producers of the demo, the tests and the benches.
//! - [`commands`]: the other commands of the binary. [`arguments`]: what they are given. [`output`]: what they print.
//! - [`wall_clock`]: the only place that reads the time of day.
//!
//! Terms: **live run**: runs until it is stopped, with the wall clock. **Bounded run**: reads the records that exist at its
//! start, without the wall clock. **Worker**: a thread with its share of partitions and keys; rows do not depend on the number of
//! workers. **Grid**: the points of event time at which positions are valued. `headwater_connectors` explains terms of time,
//! `headwater_schemas` those of trading, `headwater_operators` those of operators.

#![warn(clippy::print_stdout, clippy::print_stderr)]

pub mod arguments;
pub mod avro;
mod bounds;
pub mod calendar;
pub mod cluster;
pub mod commands;
pub mod config;
pub mod coverage;
pub mod decisive;
pub mod discovery;
pub mod flow;
pub mod horizons;
pub mod http;
pub mod journal;
pub mod key_file;
pub mod location;
pub mod metrics;
pub mod outbox;
pub mod output;
pub mod progress;
pub mod rejected;
pub mod resume;
pub mod run;
pub mod saved;
pub mod simulator;
pub mod starting_rules;
pub mod suppressed;
pub mod upkeep;
pub mod wall_clock;
