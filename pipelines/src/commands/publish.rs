//! `headwater publish`: publishes lines as events.

use std::io::BufRead;

use anyhow::{Context, bail};
use headwater_connectors::log::BYTE_ORDER_MARK;
use headwater_connectors::transport::Transport;
use headwater_schemas::events::Event;
use headwater_schemas::{EventTime, Text, Topic};

use crate::config::SourceConfig;

/// The order in which lines are published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineOrder {
    /// As given.
    AsGiven,
    /// By the times of their events. All lines are held in memory.
    ByTime,
}

/// Publishes each line and returns their number. A line that is not an event of the topic is published unchanged and without a
/// key: the pipeline makes it a dead letter with the reason. An unknown topic is an error.
pub fn publish(transport: &dyn Transport, names: &SourceConfig, topic: &str, lines: impl BufRead, order: LineOrder) -> anyhow::Result<u64> {
    let known = Topic::from_word(topic);
    let known = known.with_context(|| {
        format!("{topic:?} is not a topic: use one of {}", Topic::ALL.iter().map(|topic| topic.as_str()).collect::<Vec<_>>().join(", "))
    })?;
    if names.avro.iter().any(|avro| avro == topic) {
        bail!("{topic} carries Avro (source.avro), and lines are JSON: publish to it with the serializer of a schema registry");
    }
    let name = names.name_of(known);
    let mut publisher = transport.publisher()?;
    let mut send = |line: &Line| publisher.send(&name, line.key.as_ref().map(|key| key.as_bytes()), Some(&line.text));
    let (mut count, mut held) = (0, Vec::new());
    for (number, text) in lines.split(b'\n').enumerate() {
        let text = text.with_context(|| format!("reading line {}", number + 1))?;
        let Some(line) = Line::read(known, text, number == 0) else { continue };
        count += 1;
        match order {
            LineOrder::AsGiven => send(&line)?,
            LineOrder::ByTime => held.push(line),
        }
    }
    for line in by_time(held) {
        send(&line)?;
    }
    publisher.flush()?;
    Ok(count)
}

/// A line that is not blank.
struct Line {
    text: Vec<u8>,
    key: Option<Text>,
    ts: Option<EventTime>,
}

impl Line {
    fn read(topic: Topic, mut text: Vec<u8>, is_first: bool) -> Option<Self> {
        if text.last() == Some(&b'\r') {
            text.pop();
        }
        if is_first && text.starts_with(BYTE_ORDER_MARK) {
            text.drain(..BYTE_ORDER_MARK.len());
        }
        if text.iter().all(u8::is_ascii_whitespace) {
            return None;
        }
        let event = Event::decode(topic, None, Some(&text)).ok();
        Some(Self { key: event.as_ref().map(Event::key), ts: event.as_ref().and_then(Event::ts), text })
    }
}

/// The lines by time. A line without a time stays after the line that it follows.
fn by_time(mut lines: Vec<Line>) -> Vec<Line> {
    let mut last = None;
    for line in &mut lines {
        last = line.ts.or(last);
        line.ts = last;
    }
    lines.sort_by_key(|line| line.ts);
    lines
}

#[cfg(test)]
mod tests {
    use headwater_connectors::log::LogTransport;

    use super::*;

    #[test]
    fn lines_are_published_as_they_stand_or_by_time() -> anyhow::Result<()> {
        let label = |id: &str, day: u32| format!("{{\"subject_id\":\"{id}\",\"label\":\"fraud\",\"ts\":\"2026-01-0{day}T00:00:00Z\"}}");
        let lines =
            [format!("\u{feff}{}", label("a", 3)), "nonsense".to_owned(), label("b", 1), String::new(), label("c", 2), label("d", 1)];
        for (order, expected) in [(LineOrder::AsGiven, ["a", "n", "b", "c", "d"]), (LineOrder::ByTime, ["b", "d", "c", "a", "n"])] {
            let folder = tempfile::tempdir()?;
            let log = LogTransport::new(folder.path());
            assert_eq!(publish(&log, &SourceConfig::default(), "labels", lines.join("\r\n").as_bytes(), order)?, 5);
            let text = std::fs::read_to_string(folder.path().join("labels/0.jsonl"))?;
            let ids: Vec<_> =
                text.lines().map(|line| line.strip_prefix("{\"subject_id\":\"").unwrap_or(line).get(..1).unwrap_or("")).collect();
            assert_eq!(ids, expected, "{order:?}: {text}");
        }
        Ok(())
    }
}
