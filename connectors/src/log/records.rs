//! Random access to single lines of a log.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fs::File;
use std::os::unix::fs::FileExt;

use headwater_schemas::Offset;

use super::reader::{KEPT_BYTES, record};
use super::{LogTransport, MAX_LINE_BYTES, failed, open};
use crate::transport::{Records, TransportError};

/// Bytes of the first read; most lines are shorter.
const FIRST: usize = 1024;

/// Reads lines by offset. Keeps files open.
pub(super) struct LogRecords {
    log: LogTransport,
    files: BTreeMap<(String, u16), File>,
}

impl LogRecords {
    pub(super) const fn new(log: LogTransport) -> Self {
        Self { log, files: BTreeMap::new() }
    }
}

impl Records for LogRecords {
    fn value(&mut self, topic: &str, partition: u16, offset: Offset) -> Result<Vec<u8>, TransportError> {
        let path = self.log.partition_file(topic, partition);
        let error = |error: std::io::Error| failed("reading", &path, error);
        let file = match self.files.entry((topic.to_owned(), partition)) {
            Entry::Occupied(file) => file.into_mut(),
            Entry::Vacant(place) => place.insert(open(&path).map_err(error)?),
        };
        let mut line = line(file, offset.get()).map_err(error)?;
        let left_out = if line.len() > MAX_LINE_BYTES { (line.len() - KEPT_BYTES) as u64 } else { 0 };
        if left_out > 0 {
            line.truncate(KEPT_BYTES);
        }
        Ok(record(offset, offset, &line, left_out, &mut Vec::new()).and_then(|record| record.value).unwrap_or_default().to_vec())
    }
}

/// The line that begins at an offset. A line longer than [`MAX_LINE_BYTES`] is not read to its end.
fn line(file: &File, offset: u64) -> std::io::Result<Vec<u8>> {
    let (mut line, mut searched) = (Vec::new(), 0);
    loop {
        line.resize((searched * 2).max(FIRST), 0);
        let read = file.read_at(line.get_mut(searched..).unwrap_or_default(), offset + searched as u64)?;
        line.truncate(searched + read);
        if let Some(newline) = memchr::memchr(b'\n', line.get(searched..).unwrap_or_default()) {
            line.truncate(searched + newline);
            return Ok(line);
        }
        if read == 0 || line.len() > MAX_LINE_BYTES {
            return Ok(line);
        }
        searched = line.len();
    }
}
