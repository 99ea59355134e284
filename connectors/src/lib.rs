//! Connectors: how records come in, and how tables go out.
//!
//! ```text
//!  log/  ──┐                       ┌─► events of each topic, placed ─► operators ─► rows ─┐
//!          ├─► transport ─► source ┼─► dead letters, remap ───────────────────────────────┤
//!  kafka/ ─┘                   ▲   └─► ends of partitions ────────────────────────────────┤
//!                              └───────────────── frontier of all rows ───────────────────┴─► parquet: commit
//! ```
//!
//! - [`transport`]: the traits that carry records: partitions, a reader, a publisher. What a transport promises is one
//!   sentence: every record from an offset on, in order, each once.
//! - [`log`]: topics as files, one event a line. The reference connector; anyone may append to it.
//! - [`kafka`]: topics on brokers, through librdkafka. It waits for brokers that go away.
//! - [`source`]: the operator that reads partitions, decodes records, gives each an effective time and sends it on. The
//!   same for every transport: clocks, offsets and decoding are its business alone. [`source::clock`]: a clock.
//! - [`parquet`]: commits. One tick closes all tables; workers write their rows below it, worker 0 publishes the record.
//!
//! **Where time comes from.** Events carry it. A partition's clock is the greatest event time read from it, so it only
//! rises, and the slowest clock of all partitions is the frontier. The wall clock is injected. In a live run it lowers what claims
//! to be from the future, and lifts partitions that are read to their end; in any run a record of more than a day after it is a
//! dead letter (`future_timestamp`) that moves no clock. Where it decided something, `remap` has a row.
//!
//! **What exists.** A commit's files are made durable under their names first; the record that names them comes last, in one
//! piece, and never over another. What no record names does not exist, so a process that dies leaves a whole state.
//!
//! **What can fail.** A bad record is a dead letter, and reading goes on. A broker that goes away is waited for. Everything
//! else (an offset that is gone, a disk that is full) ends the run with an error that says what was attempted and on what.
//!
//! Words:
//!
//! - **Topic, partition**: a stream of records, and one of the ordered parts that it is read in. One worker reads a
//!   partition, by a hash of both.
//! - **Offset**: where a record stands in its partition: Kafka's number, or the byte at which its line begins.
//! - **Clock**: the time of a partition. **Effective time**: the clock once a record was read; its place in the order.
//! - **Tick**: effective time over the tick interval: the granularity of the frontier. Results do not depend on it.
//! - **Frontier**: the first tick that may still come. What is below it is complete.
//! - **Stride**: records of a partition (at most 1024 unless configured otherwise), read and sent at once; the step of clocks and
//!   capabilities. It ends earlier with the record after which the partition has to pause.
//! - **Pause**: a partition is not read while too much of it, or of all partitions, is ahead of the frontier of all results.
//! - **Remap**: the record of what the wall clock decided: which clock a record got that its topic alone does not tell.
//! - **Dead letter**: a record that was not taken, whole, with a stable code and how to mend it.
//! - **Commit**: everything below a tick, of all tables, at once. It closes at a grid point of valuations, so that none is open.
//!   Commits are numbered from 1 without gaps and chained by hashes. The last one of a run names the greatest clock: the next run
//!   goes on from there, in a tick that both may have rows of.
//! - **Staging**: the folder where a commit's files are written before they get their names.

pub mod durable;
pub mod fault;
pub mod kafka;
pub mod log;
pub mod parquet;
pub mod source;
#[cfg(any(test, feature = "test-broker"))]
pub mod testing;
pub mod transport;
