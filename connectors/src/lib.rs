//! Connectors: reading events from topics, and committing tables to Parquet.
//!
//! ```text
//!  log/  ──┐                       ┌─► events of each topic, placed ─► operators ─► rows ─┐
//!          ├─► transport ─► source ┼─► dead letters, remap ───────────────────────────────┤
//!  kafka/ ─┘                   ▲   └─► ends of partitions ────────────────────────────────┤
//!                              └───────────────── frontier of all rows ───────────────────┴─► parquet: commit
//! ```
//!
//! - [`transport`]: traits of the systems that carry records: partitions, a reader, a publisher. The contract of a reader: every
//!   record from an offset on, in order, each once.
//! - [`log`]: topics as files, one event a line. The reference connector; any program may append to the files.
//! - [`kafka`]: topics on brokers, through librdkafka. Brokers that are down are waited for.
//! - [`registry`]: schemas of topics that carry Avro. A registry that does not answer is waited for, like a broker.
//! - [`bucket`]: a bucket of an object store, which can have the commits of a data directory.
//! - [`source`]: the operator that reads partitions, decodes records, gives each an effective time and emits events. It is the
//!   same for every transport; transports know nothing of clocks or decoding. [`source::clock`]: the clock of a partition.
//! - [`parquet`]: commits. One tick closes all tables; workers write their rows below it, worker 0 publishes the record.
//!
//! **Event time.** Events carry their time. A partition's clock is the greatest event time read from it, so it never decreases,
//! and the slowest clock of all partitions is the frontier. The wall clock is injected. In a live run it lowers timestamps from
//! the future, and advances partitions that are read to their end; in any run a record dated more than a day after the wall clock
//! is a dead letter (`future_timestamp`) that moves no clock. Every decision of the wall clock has a row in `remap`.
//!
//! **Atomicity.** A commit's files are made durable under their names first. The record that names them is published last,
//! atomically, and never over another. A file that no record names does not exist, so a crash leaves the state of the last
//! commit.
//!
//! **Failures.** A bad record becomes a dead letter, and reading continues. A broker that is down is waited for. Every other
//! failure (an offset that was deleted, a full disk) ends the run with an error that names the operation and its object.
//!
//! Terms:
//!
//! - **Topic, partition**: a stream of records, and one of its ordered parts. One worker reads a partition, by a hash of topic
//!   and number.
//! - **Offset**: the position of a record in its partition: Kafka's offset, or the byte at which its line begins.
//! - **Clock**: the time of a partition. **Effective time**: the partition's clock after a record was read; it orders the
//!   records.
//! - **Tick**: effective time divided by the tick interval: the granularity of the frontier. Results do not depend on it.
//! - **Frontier**: the first tick for which records may still come. All lower ticks are complete.
//! - **Stride**: records of a partition (at most 1024 unless configured otherwise) that are read and emitted together; clocks and
//!   capabilities advance once per stride. It ends early at the record after which the partition has to pause.
//! - **Pause**: a partition is not read while it, or all partitions together, are too far ahead of the frontier of all results.
//! - **Remap**: a table with the clocks of records that the wall clock decided, which the topic alone does not determine.
//! - **Dead letter**: a rejected record, complete, with a stable code and an instruction that resolves it.
//! - **Commit**: all rows of all tables below a tick, at once. It closes at a grid point of valuations, so no valuation is open.
//!   Commits are numbered from 1 without gaps and chained by hashes. The last commit of a run names the greatest clock: the next
//!   run continues from there, in a tick that may have rows of both runs.
//! - **Staging**: the folder in which a commit's files are written before they are renamed.

pub mod bucket;
pub mod durable;
pub mod fault;
pub mod kafka;
pub mod log;
pub mod parquet;
pub mod registry;
pub mod source;
#[cfg(any(test, feature = "test-broker"))]
pub mod testing;
pub mod transport;
