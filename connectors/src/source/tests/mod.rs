//! Tests of the source on topics in memory: exact messages and frontiers with 1, 2 and 3 workers ([`pausing`]), and results that
//! must not depend on when partitions pause ([`places`]).
//!
//! Ticks have 10 ms and grid points are 1 s apart; times are in milliseconds since the epoch.

mod avro;
mod harness;
mod pausing;
mod places;

use std::collections::BTreeMap;
use std::sync::Arc;

use headwater_schemas::{Clock, EffectiveTime, EventTime, Nanos, Topic};

use super::{Mode, SourceSettings};
use crate::testing::MemoryLog;
use crate::transport::{Transport, TransportError};

type TestResult = Result<(), Box<dyn std::error::Error>>;

/// Nanoseconds in a millisecond.
const MS: u64 = 1_000_000;
/// Nanoseconds in a tick.
const TICK: u64 = 10 * MS;
/// Ticks between grid points.
const GRID_TICKS: u64 = 100;

/// Settings of a bounded run over a whole log, without bounds for memory.
fn unbounded(log: &MemoryLog) -> Result<SourceSettings, TransportError> {
    let mut partitions = BTreeMap::new();
    for topic in Topic::ALL {
        partitions.insert(*topic, log.partitions(topic.as_str())?);
    }
    Ok(SourceSettings {
        transport: Arc::new(log.clone()),
        partitions: Arc::new(partitions),
        names: Arc::default(),
        avro: None,
        start: Arc::default(),
        start_clock: EffectiveTime::ZERO,
        latest: EffectiveTime::MAX,
        clock: Clock::new(Nanos::new(TICK), Nanos::new(TICK * GRID_TICKS)),
        audit: false,
        stride: 1024,
        late_after: Nanos::ZERO,
        budget_bytes: u64::MAX,
        grid_lead: usize::MAX,
        discovered: Arc::default(),
        script: Arc::default(),
        mode: Mode::Bounded,
        abandoned: Arc::default(),
        counters: Arc::default(),
        failure: Arc::new(|error| panic!("{error}")),
    })
}

/// A quote.
fn quote(ms: u64) -> String {
    format!(
        r#"{{"symbol":"A","bid":"1","ask":"2","bid_size":"1","ask_size":"1","ts":"{}"}}"#,
        EventTime::from_effective(EffectiveTime::new(ms * MS))
    )
}

/// An instrument, an event without a time.
fn instrument(number: usize) -> String {
    format!(r#"{{"symbol":"S{number}","asset_class":"equity","currency":"USD","tick_size":"0.01","lot_size":"1"}}"#)
}

/// A log with quotes at these times, by partition.
fn quotes(partitions: &[&[u64]]) -> MemoryLog {
    let log = MemoryLog::default();
    for (partition, times) in (0..).zip(partitions) {
        log.add_partition(Topic::Quotes.as_str(), partition);
        times.iter().for_each(|ms| log.append(Topic::Quotes.as_str(), partition, quote(*ms)));
    }
    log
}
