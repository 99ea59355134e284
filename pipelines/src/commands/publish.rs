//! `headwater publish`: lines become events.

use std::io::BufRead;

use anyhow::Context;
use headwater_connectors::transport::Transport;
use headwater_schemas::Topic;
use headwater_schemas::events::Event;

use crate::config::SourceConfig;

/// Publishes each line; how many there were. A line that is no event of the topic is published as it is, without a key:
/// the pipeline will put it among the dead letters with its reason, where it is seen. A topic that is none of ours is
/// refused.
pub fn publish(transport: &dyn Transport, names: &SourceConfig, topic: &str, lines: impl BufRead) -> anyhow::Result<u64> {
    let known = Topic::from_word(topic);
    let known = known.with_context(|| {
        format!("{topic:?} is not a topic: use one of {}", Topic::ALL.iter().map(|topic| topic.as_str()).collect::<Vec<_>>().join(", "))
    })?;
    let name = names.name_of(known);
    let mut publisher = transport.publisher()?;
    let mut count = 0;
    for (number, line) in lines.split(b'\n').enumerate() {
        let line = line.with_context(|| format!("reading line {}", number + 1))?;
        let line = line.strip_suffix(b"\r").unwrap_or(&line);
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let key = Event::decode(known, None, Some(line)).ok().map(|event| event.key());
        publisher.send(&name, key.as_ref().map(|key| key.as_bytes()), Some(line))?;
        count += 1;
    }
    publisher.flush()?;
    Ok(count)
}
