//! Benchmark of decoding Avro to events, compared with JSON of the same events.

use std::hint::black_box;

use anyhow::{Context, ensure};
use clap::Args;
use headwater::simulator::{Record, workload};
use headwater_schemas::avro::Schema;
use headwater_schemas::events::Event;
use headwater_schemas::{Decimal, EventTime, Topic};
use serde_json::{Map, Value, json};

use crate::measure::compare;

/// Arguments of `avro`.
#[derive(Args)]
pub(crate) struct AvroArguments {
    /// Simulated records, over all topics.
    #[arg(long, default_value_t = 200_000)]
    events: usize,
    /// Number of rounds.
    #[arg(long, default_value_t = 15)]
    rounds: usize,
}

/// Decodes and checks the records of a topic from Avro, as the source does; for comparison, the same from JSON.
pub(crate) fn avro(arguments: &AvroArguments) -> anyhow::Result<()> {
    let records: Vec<Record> = workload(1, arguments.events).collect();
    println!(
        "{:<14} {:>8} {:>10} {:>10} {:>7} {:>10} {:>10}",
        "topic", "records", "avro ns", "json ns", "ratio", "avro bytes", "json bytes"
    );
    for topic in [Topic::Quotes, Topic::Trades, Topic::Orders, Topic::Transactions, Topic::Payments] {
        let sound = |record: &&Record| record.topic == topic && Event::decode(topic, None, Some(&record.value)).is_ok();
        let chosen: Vec<&Record> = records.iter().filter(sound).take(20_000).collect();
        measure(topic, &chosen, arguments.rounds)?;
    }
    Ok(())
}

fn measure(topic: Topic, records: &[&Record], rounds: usize) -> anyhow::Result<()> {
    let events: Vec<Map<String, Value>> = records.iter().map(|record| serde_json::from_slice(&record.value)).collect::<Result<_, _>>()?;
    let fields = fields_of(&events);
    let schema = Schema::parse(&schema_of(&fields), &[])?;
    let written: Vec<Vec<u8>> = events.iter().map(|event| written(event, &fields)).collect::<Result<_, _>>()?;
    let mut json = Vec::new();
    for (record, avro) in records.iter().zip(&written) {
        schema.to_json(1, avro, &mut json)?;
        ensure!(Event::decode(topic, None, Some(&json)) == Event::decode(topic, None, Some(&record.value)), "{topic}: not the same event");
    }
    let of_avro = || {
        for (record, avro) in records.iter().zip(&written) {
            schema.to_json(1, avro, &mut json)?;
            black_box(Event::decode(topic, record.key.as_deref().map(str::as_bytes), Some(&json))?);
        }
        Ok(())
    };
    let of_json = || {
        for record in records {
            black_box(Event::decode(topic, record.key.as_deref().map(str::as_bytes), Some(&record.value))?);
        }
        Ok(())
    };
    let result = compare(rounds, records.len(), of_avro, of_json)?;
    let mean = |bytes: usize| bytes / records.len().max(1);
    let (avro_bytes, json_bytes) = (written.iter().map(Vec::len).sum(), records.iter().map(|record| record.value.len()).sum());
    let [count, avro_bytes, json_bytes] = [records.len(), mean(avro_bytes), mean(json_bytes)];
    let (name, ratio) = (topic.as_str(), result.ratio());
    println!("{name:<14} {count:>8} {:>10.0} {:>10.0} {ratio:>7.2} {avro_bytes:>10} {json_bytes:>10}", result.ours, result.other);
    Ok(())
}

/// How the values of a field are written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Text,
    /// Bytes with nine fraction digits.
    Decimal,
    /// Nanoseconds.
    Time,
}

struct Field {
    name: String,
    way: Way,
    is_optional: bool,
}

/// The fields of events, `type` first. All values of a decimal are decimals.
fn fields_of(events: &[Map<String, Value>]) -> Vec<Field> {
    let mut names: Vec<&String> = events.iter().flat_map(Map::keys).collect();
    names.sort_unstable_by_key(|name| (*name != "type", *name));
    names.dedup();
    let field = |name: &String| {
        let values: Vec<&Value> = events.iter().filter_map(|event| event.get(name)).collect();
        let all = |is: fn(&str) -> bool| values.iter().all(|value| is(&text(value)));
        let way = match name.ends_with("_id") {
            false if all(|text| text.parse::<Decimal>().is_ok()) => Way::Decimal,
            false if all(|text| text.parse::<EventTime>().is_ok()) => Way::Time,
            _ => Way::Text,
        };
        Field { name: name.clone(), way, is_optional: values.len() < events.len() }
    };
    names.into_iter().map(field).collect()
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn schema_of(fields: &[Field]) -> String {
    let field = |field: &Field| {
        let of = match field.way {
            Way::Text => json!("string"),
            Way::Decimal => json!({ "type": "bytes", "logicalType": "decimal", "precision": 28, "scale": 9 }),
            Way::Time => json!({ "type": "long", "logicalType": "timestamp-nanos" }),
        };
        json!({ "name": field.name, "type": if field.is_optional { json!(["null", of]) } else { of } })
    };
    json!({ "type": "record", "name": "Event", "fields": fields.iter().map(field).collect::<Vec<_>>() }).to_string()
}

fn written(event: &Map<String, Value>, fields: &[Field]) -> anyhow::Result<Vec<u8>> {
    let mut out = Vec::new();
    for Field { name, way, is_optional } in fields {
        let value = event.get(name).map(text);
        if *is_optional {
            long(i64::from(value.is_some()), &mut out);
        }
        let Some(value) = value else {
            ensure!(*is_optional, "{name} is missing");
            continue;
        };
        match way {
            Way::Text => sized(value.as_bytes(), &mut out),
            Way::Decimal => {
                let units = i64::try_from(value.parse::<Decimal>()?.units()).context("a small number")?;
                sized(&units.to_be_bytes(), &mut out);
            }
            Way::Time => long(value.parse::<EventTime>().map_err(anyhow::Error::msg)?.nanos(), &mut out),
        }
    }
    Ok(out)
}

fn sized(bytes: &[u8], out: &mut Vec<u8>) {
    long(i64::try_from(bytes.len()).unwrap_or_default(), out);
    out.extend_from_slice(bytes);
}

fn long(number: i64, out: &mut Vec<u8>) {
    let mut bits = (number << 1 ^ number >> 63).cast_unsigned();
    while bits >= 0x80 {
        out.push(bits.to_le_bytes()[0] | 0x80);
        bits >>= 7;
    }
    out.push(bits.to_le_bytes()[0]);
}
