//! Headwater: the pipeline's configuration, wiring and commands. The binary is a thin shell around this.
//!
//! - [`flow`]: the dataflow, from topics to tables, to be read top to bottom.
//! - [`run`]: running it. [`cluster`]: in several processes. [`config`]: what can be configured. [`location`]: where topics are.
//! - [`outbox`]: what is committed, published as topics.
//! - [`discovery`]: partitions that come while a run goes on.
//! - [`resume`], [`saved`]: where a restart goes on, in the topics and in the operators.
//! - [`metrics`], [`http`], [`progress`]: what it says while it runs.
//! - [`simulator`]: the producers of the demo, the tests and the benches.
//! - [`commands`]: the other things that the binary can do.
//! - [`wall_clock`]: the only place that reads the time of day.
//!
//! Words: **live run**: one that goes on until it is told to stop, with the wall clock. **Bounded run**: one that reads what is
//! there, without it. **Worker**: a thread with its share of partitions and keys; rows are the same for any number. **Grid**:
//! the points of event time at which positions are valued. Words of time are explained in `headwater_connectors`, of trading
//! in `headwater_schemas`, of operators in `headwater_operators`.

pub mod cluster;
pub mod commands;
pub mod config;
pub mod decisive;
pub mod discovery;
pub mod flow;
pub mod horizons;
pub mod http;
pub mod journal;
pub mod location;
pub mod metrics;
pub mod outbox;
pub mod progress;
pub mod rejected;
pub mod resume;
pub mod run;
pub mod saved;
pub mod simulator;
pub mod upkeep;
pub mod wall_clock;
