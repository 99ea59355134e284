//! Appends lines to a log's files.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};

use super::{LogTransport, deletion, failed};
use crate::transport::{Publisher, Transport, TransportError, partition_of};

/// Bytes that are gathered before they are written.
const GATHER: usize = 64 << 10;

/// Appends to the files of topics.
pub(super) struct LogPublisher {
    log: LogTransport,
    topics: BTreeMap<String, Vec<Appender>>,
    unkeyed: usize,
}

struct Appender {
    path: std::path::PathBuf,
    file: File,
    lines: Vec<u8>,
}

impl LogPublisher {
    pub(super) const fn new(log: LogTransport) -> Self {
        Self { log, topics: BTreeMap::new(), unkeyed: 0 }
    }

    fn open(&self, topic: &str) -> Result<Vec<Appender>, TransportError> {
        self.log.create_topic(topic, 1)?;
        let open = |partition| {
            let path = self.log.partition_file(topic, partition);
            Appender::open(&path).map_err(|error| failed("opening", &path, error)).map(|(file, lines)| Appender { path, file, lines })
        };
        self.log.list(topic)?.into_iter().map(open).collect()
    }
}

impl Publisher for LogPublisher {
    fn send(&mut self, topic: &str, key: Option<&[u8]>, value: Option<&[u8]>) -> Result<(), TransportError> {
        let line = line(topic, key, value)?;
        if !self.topics.contains_key(topic) {
            let appenders = self.open(topic)?;
            self.topics.insert(topic.to_owned(), appenders);
        }
        let Some(appenders) = self.topics.get_mut(topic) else { return Ok(()) };
        let count = u16::try_from(appenders.len()).unwrap_or(u16::MAX);
        let partition = match key {
            Some(key) => usize::from(partition_of(key, count)),
            None => {
                self.unkeyed += 1;
                self.unkeyed % appenders.len().max(1)
            }
        };
        let Some(appender) = appenders.get_mut(partition) else { return Ok(()) };
        // A newline inside an event is white space: a log has one event a line.
        appender.lines.extend(line.iter().map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { *byte }));
        appender.lines.push(b'\n');
        if appender.lines.len() >= GATHER { appender.write() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), TransportError> {
        for appender in self.topics.values_mut().flatten() {
            appender.write()?;
            appender.file.sync_data().map_err(|error| failed("writing", &appender.path, error))?;
        }
        Ok(())
    }
}

/// The line of a record: its event, or the deletion of its key.
fn line<'a>(topic: &str, key: Option<&[u8]>, value: Option<&'a [u8]>) -> Result<Cow<'a, [u8]>, TransportError> {
    if let Some(value) = value {
        return Ok(Cow::Borrowed(value));
    }
    let refused = |cause| TransportError { attempt: "publishing to", object: topic.to_owned(), cause, retry: false };
    let key = key.ok_or_else(|| refused("a deletion without a key deletes nothing: send the key to delete".into()))?;
    let key = str::from_utf8(key).map_err(|_| refused("the key to delete is not UTF-8: send the event's key field".into()))?;
    deletion::line(key).map(Cow::Owned).map_err(|error| refused(error.into()))
}

impl Appender {
    /// Opens a file for appending. If its last line has no newline, one is written first, so that this line stays separate.
    fn open(path: &std::path::Path) -> std::io::Result<(File, Vec<u8>)> {
        let mut file = File::options().read(true).append(true).create(true).open(path)?;
        let mut last = [b'\n'];
        if file.metadata()?.len() > 0 {
            file.seek(SeekFrom::End(-1))?;
            file.read_exact(&mut last)?;
        }
        Ok((file, if last == [b'\n'] { Vec::new() } else { vec![b'\n'] }))
    }

    /// Writes the gathered lines with one call, so that they do not mix with those of other writers.
    fn write(&mut self) -> Result<(), TransportError> {
        self.file.write_all(&self.lines).map_err(|error| failed("writing", &self.path, error))?;
        self.lines.clear();
        Ok(())
    }
}
