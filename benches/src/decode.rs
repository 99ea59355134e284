//! Benchmark of decoding JSON to events.

use std::hint::black_box;

use anyhow::Context;
use clap::Args;
use headwater::simulator::{Record, workload};
use headwater_schemas::Topic;
use headwater_schemas::events::{Close, Event, NewOrder, Payment, Quote, Trade, Transaction};
use serde::de::DeserializeOwned;

use crate::measure::compare;

/// Arguments of `decode`.
#[derive(Args)]
pub(crate) struct DecodeArguments {
    /// Simulated records, over all topics.
    #[arg(long, default_value_t = 200_000)]
    events: usize,
    /// Number of rounds.
    #[arg(long, default_value_t = 15)]
    rounds: usize,
}

/// Decodes and checks the records of a topic; for comparison, `serde_json` makes the same struct of the same bytes.
pub(crate) fn decode(arguments: &DecodeArguments) -> anyhow::Result<()> {
    let records: Vec<Record> = workload(1, arguments.events).collect();
    println!("{:<14} {:>8} {:>12} {:>12} {:>7}", "topic", "records", "decode ns", "serde ns", "ratio");
    let one = |topic: Topic, measure: fn(&[&Record], usize) -> anyhow::Result<()>, wanted: fn(&Record) -> bool| {
        // Malformed records are excluded: serde stops where they break.
        let sound = |record: &&Record| record.topic == topic && wanted(record) && Event::decode(topic, None, Some(&record.value)).is_ok();
        let chosen: Vec<&Record> = records.iter().filter(sound).take(20_000).collect();
        measure(&chosen, arguments.rounds)
    };
    one(Topic::Quotes, topic::<Quote>, |_| true)?;
    one(Topic::Trades, topic::<Trade>, |_| true)?;
    one(Topic::Closes, topic::<Close>, |_| true)?;
    one(Topic::Orders, topic::<NewOrder>, |record| record.value.starts_with(br#"{"type":"new""#))?;
    one(Topic::Transactions, topic::<Transaction>, |_| true)?;
    one(Topic::Payments, topic::<Payment>, |_| true)
}

fn topic<T: DeserializeOwned>(records: &[&Record], rounds: usize) -> anyhow::Result<()> {
    let topic = records.first().context("the workload has no such records")?.topic;
    let ours = || {
        for record in records {
            let decoded = Event::decode(topic, record.key.as_deref().map(str::as_bytes), Some(&record.value));
            black_box(decoded.map_err(|bad| anyhow::anyhow!("{}", bad.message))?);
        }
        Ok(())
    };
    let bare = || {
        for record in records {
            black_box(serde_json::from_slice::<T>(&record.value)?);
        }
        Ok(())
    };
    let result = compare(rounds, records.len(), ours, bare)?;
    println!("{:<14} {:>8} {:>12.0} {:>12.0} {:>7.2}", topic.as_str(), records.len(), result.ours, result.other, result.ratio());
    Ok(())
}
