//! Headwater: the pipeline's configuration, wiring and commands. The binary is a thin shell around this.
//!
//! - [`flow`]: the dataflow, from topics to tables, to be read top to bottom.
//! - [`run`]: running it. [`config`]: what can be configured. [`location`]: where topics are.
//! - [`metrics`], [`http`], [`progress`]: what it says while it runs.
//! - [`simulator`]: the producers of the demo, the tests and the benches.
//! - [`commands`]: the other things that the binary can do.
//! - [`wall_clock`]: the only place that reads the time of day.

pub mod commands;
pub mod config;
pub mod flow;
pub mod http;
pub mod location;
pub mod metrics;
pub mod progress;
pub mod run;
pub mod simulator;
pub mod wall_clock;
