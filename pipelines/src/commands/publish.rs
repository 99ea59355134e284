//! `headwater publish`: publishes lines as events, and deletes keys of table topics.

use std::io::BufRead;

use anyhow::{Context, bail};
use headwater_connectors::log::{BYTE_ORDER_MARK, deleted_key};
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

/// The lines to publish.
pub struct Input<R> {
    /// The name of the file, or `standard input`.
    pub name: String,
    /// Its text.
    pub lines: R,
}

/// The topic of a word. An unknown one is an error.
fn known(topic: &str) -> anyhow::Result<Topic> {
    Topic::from_word(topic).with_context(|| {
        format!("{topic:?} is not a topic: use one of {}", Topic::ALL.iter().map(|topic| topic.as_str()).collect::<Vec<_>>().join(", "))
    })
}

/// Deletes keys of a table topic: publishes a record with the key and no value for each.
pub fn delete(transport: &dyn Transport, names: &SourceConfig, topic: &str, keys: &[String]) -> anyhow::Result<()> {
    let known = known(topic)?;
    if !known.is_table() {
        let tables = Topic::ALL.iter().filter(|topic| topic.is_table()).map(|topic| topic.as_str()).collect::<Vec<_>>();
        bail!("--delete: {topic} is no table topic, so nothing can be deleted there; the table topics are {}", tables.join(", "));
    }
    if keys.iter().any(String::is_empty) {
        bail!("--delete: the key is empty: give the key of a record of {topic}");
    }
    let name = names.name_of(known);
    let mut publisher = transport.publisher()?;
    for key in keys {
        publisher.send(&name, Some(key.as_bytes()), None)?;
    }
    Ok(publisher.flush()?)
}

/// Publishes each line and returns their number. A line that is not an event of the topic is published unchanged and without a
/// key: the pipeline makes it a dead letter with the reason. A deletion, as the embedded log has them, is published as one. An
/// unknown topic is an error.
pub fn publish(
    transport: &dyn Transport,
    names: &SourceConfig,
    topic: &str,
    input: Input<impl BufRead>,
    order: LineOrder,
) -> anyhow::Result<u64> {
    let known = known(topic)?;
    if names.avro.iter().any(|avro| avro == topic) {
        bail!("{topic} carries Avro (source.avro), and lines are JSON: publish to it with the serializer of a schema registry");
    }
    let name = names.name_of(known);
    let mut publisher = transport.publisher()?;
    let mut send = |line: &Line| publisher.send(&name, line.key.as_ref().map(|key| key.as_bytes()), line.text.as_deref());
    let (mut count, mut held) = (0, Vec::new());
    for (number, text) in input.lines.split(b'\n').enumerate() {
        let text = text.with_context(|| format!("reading line {} of {}", number + 1, input.name))?;
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
    /// `None` for a deletion, which has a key alone.
    text: Option<Vec<u8>>,
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
        if let Some(key) = deleted_key(&text) {
            return Some(Self { key: Some(Text::new(&*key)), ts: None, text: None });
        }
        let event = Event::decode(topic, None, Some(&text)).ok();
        Some(Self { key: event.as_ref().map(Event::key), ts: event.as_ref().and_then(Event::ts), text: Some(text) })
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

    fn input(text: &str) -> Input<&[u8]> {
        Input { name: "lines.jsonl".to_owned(), lines: text.as_bytes() }
    }

    #[test]
    fn a_line_that_cannot_be_read_is_named_with_its_file() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let lines = std::io::BufReader::new(std::fs::File::open(folder.path())?);
        let input = Input { name: "a folder".to_owned(), lines };
        let log = LogTransport::new(folder.path());
        let refused = publish(&log, &SourceConfig::default(), "labels", input, LineOrder::AsGiven).map_err(|error| error.to_string());
        assert_eq!(refused, Err("reading line 1 of a folder".to_owned()));
        Ok(())
    }

    #[test]
    fn a_key_of_a_table_topic_is_deleted_by_command_or_by_line_and_others_are_refused() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let (log, names) = (LogTransport::new(folder.path()), SourceConfig::default());
        delete(&log, &names, "suppressions", &["fan_out|A1".to_owned(), "a\"b".to_owned()])?;
        let input = input("{\"$delete\": \"fan_out\"}\n");
        assert_eq!(publish(&log, &names, "suppressions", input, LineOrder::AsGiven)?, 1);
        let written = std::fs::read_to_string(folder.path().join("suppressions/0.jsonl"))?;
        assert_eq!(written, "{\"$delete\":\"fan_out|A1\"}\n{\"$delete\":\"a\\\"b\"}\n{\"$delete\":\"fan_out\"}\n");
        for (topic, key, part) in [
            ("fills", "a", "fills is no table topic, so nothing can be deleted there; the table topics are instruments, customers,"),
            ("suppressions", "", "the key is empty"),
            ("suppression", "a", "is not a topic: use one of"),
        ] {
            let refused = delete(&log, &names, topic, &[key.to_owned()]).map_err(|error| format!("{error:#}"));
            assert!(refused.as_ref().is_err_and(|said| said.contains(part)), "{topic} {key}: {refused:?}");
        }
        Ok(())
    }

    #[test]
    fn lines_are_published_as_they_stand_or_by_time() -> anyhow::Result<()> {
        let label = |id: &str, day: u32| format!("{{\"subject_id\":\"{id}\",\"label\":\"fraud\",\"ts\":\"2026-01-0{day}T00:00:00Z\"}}");
        let lines =
            [format!("\u{feff}{}", label("a", 3)), "nonsense".to_owned(), label("b", 1), String::new(), label("c", 2), label("d", 1)];
        for (order, expected) in [(LineOrder::AsGiven, ["a", "n", "b", "c", "d"]), (LineOrder::ByTime, ["b", "d", "c", "a", "n"])] {
            let folder = tempfile::tempdir()?;
            let log = LogTransport::new(folder.path());
            assert_eq!(publish(&log, &SourceConfig::default(), "labels", input(&lines.join("\r\n")), order)?, 5);
            let text = std::fs::read_to_string(folder.path().join("labels/0.jsonl"))?;
            let ids: Vec<_> =
                text.lines().map(|line| line.strip_prefix("{\"subject_id\":\"").unwrap_or(line).get(..1).unwrap_or("")).collect();
            assert_eq!(ids, expected, "{order:?}: {text}");
        }
        Ok(())
    }
}
