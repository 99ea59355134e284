//! `headwater topics`: creates what is missing, and shows what is there.

use std::io::Write;

use headwater_connectors::transport::Transport;
use headwater_schemas::Topic;

use crate::config::SourceConfig;
use crate::outbox::PUBLISHED;

/// Creates missing topics with so many partitions and lists all of them.
pub fn topics(transport: &dyn Transport, names: &SourceConfig, partitions: u16, out: &mut impl Write) -> anyhow::Result<()> {
    writeln!(out, "{:<24} {:>9} {:>14} {:>14}", "topic", "partition", "first offset", "end offset")?;
    let read = Topic::ALL.iter().map(|topic| names.name_of(*topic));
    for name in read.chain(PUBLISHED.iter().map(|published| names.outside(published.name))) {
        let created = transport.create_topic(&name, partitions)?;
        for state in transport.partitions(&name)? {
            let note = if created { "  created" } else { "" };
            writeln!(out, "{name:<24} {:>9} {:>14} {:>14}{note}", state.partition, state.low, state.high)?;
        }
    }
    Ok(())
}
