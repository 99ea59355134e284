//! Reads the lines of a log's files.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::ops::ControlFlow;
use std::path::PathBuf;

use headwater_schemas::events::MAX_RECORD_BYTES;

use super::proof::{Proof, shorter};
use super::{BYTE_ORDER_MARK, LogTransport, MAX_LINE_BYTES, failed, open};
use crate::transport::{RawRecord, ReadStatus, Reader, TransportError};

/// Bytes that are read at once.
const CHUNK: usize = 256 << 10;
/// Bytes kept of a line that is longer than [`MAX_LINE_BYTES`]. They are more than an event may have, so the line is refused.
pub(super) const KEPT_BYTES: usize = MAX_RECORD_BYTES + 1;

/// Reads the files of its partitions, each from where it was assigned.
pub(super) struct LogReader {
    log: LogTransport,
    slots: Vec<Tail>,
}

impl LogReader {
    pub(super) const fn new(log: LogTransport) -> Self {
        Self { log, slots: Vec::new() }
    }
}

impl Reader for LogReader {
    fn assign(&mut self, topic: &str, partition: u16, from: u64) -> Result<usize, TransportError> {
        let path = self.log.partition_file(topic, partition);
        self.slots.push(Tail::open(path, from)?);
        Ok(self.slots.len() - 1)
    }

    fn read(
        &mut self,
        slot: usize,
        max_records: usize,
        sink: &mut dyn FnMut(RawRecord<'_>) -> ControlFlow<()>,
    ) -> Result<ReadStatus, TransportError> {
        match self.slots.get_mut(slot) {
            Some(tail) => tail.read(max_records, sink),
            None => Ok(ReadStatus::Waiting),
        }
    }

    fn high_watermark(&self, slot: usize) -> Option<u64> {
        self.slots.get(slot).and_then(|tail| tail.file.metadata().ok()).map(|metadata| metadata.len())
    }

    fn announce(&mut self, _slot: usize, _offset: u64) -> Result<(), TransportError> {
        Ok(())
    }
}

/// A file that is read as it grows.
struct Tail {
    path: PathBuf,
    file: File,
    /// The file position of the first byte of `buffer` after `consumed`.
    position: u64,
    buffer: Vec<u8>,
    consumed: usize,
    /// Bytes of `buffer` that are known to hold no newline after `consumed`.
    searched: usize,
    /// Bytes of a line that is too long to be kept which were removed from `buffer` after its beginning.
    left_out: u64,
    /// The bytes read last when the end of the file was reached.
    proof: Proof,
}

impl Tail {
    fn open(path: PathBuf, from: u64) -> Result<Self, TransportError> {
        let mut file = open(&path).map_err(|error| failed("opening", &path, error))?;
        let length = file.metadata().map_err(|error| failed("opening", &path, error))?.len();
        if length < from {
            return Err(shorter(&path, length, from));
        }
        file.seek(SeekFrom::Start(from)).map_err(|error| failed("opening", &path, error))?;
        let (buffer, proof) = (Vec::new(), Proof::default());
        Ok(Self { path, file, position: from, buffer, consumed: 0, searched: 0, left_out: 0, proof })
    }

    fn read(&mut self, max_records: usize, sink: &mut dyn FnMut(RawRecord<'_>) -> ControlFlow<()>) -> Result<ReadStatus, TransportError> {
        let mut given = 0;
        loop {
            while given < max_records {
                let rest = self.buffer.get(self.consumed..).unwrap_or_default();
                let Some(newline) = memchr::memchr(b'\n', rest.get(self.searched..).unwrap_or_default()) else {
                    self.searched = rest.len();
                    break;
                };
                let length = self.searched + newline;
                let line = rest.get(..length).unwrap_or_default();
                let next = self.position + length as u64 + self.left_out + 1;
                let mut flow = ControlFlow::Continue(());
                if let Some(record) = record(self.position, next, line, self.left_out) {
                    flow = sink(record);
                    given += 1;
                }
                self.position = next;
                self.consumed += length + 1;
                (self.searched, self.left_out) = (0, 0);
                if flow.is_break() {
                    return Ok(ReadStatus::More);
                }
            }
            if given == max_records {
                return Ok(ReadStatus::More);
            }
            if !self.fill()? {
                return Ok(ReadStatus::End);
            }
        }
    }

    /// Reads on; false at the file's end.
    fn fill(&mut self) -> Result<bool, TransportError> {
        self.buffer.drain(..self.consumed);
        self.consumed = 0;
        if self.buffer.len() > MAX_LINE_BYTES {
            // The beginning of the line is enough to refuse it.
            self.left_out += (self.buffer.len() - KEPT_BYTES) as u64;
            self.buffer.truncate(KEPT_BYTES);
            self.searched = KEPT_BYTES;
        }
        let before = self.buffer.len();
        let end = self.position + before as u64 + self.left_out;
        self.buffer.resize(before + CHUNK, 0);
        let read = self.file.read(self.buffer.get_mut(before..).unwrap_or_default());
        let read = read.map_err(|error| failed("reading", &self.path, error))?;
        self.buffer.truncate(before + read);
        if read == 0 {
            self.proof.at_end(&self.path, &self.file, end)?;
        } else {
            self.proof.before_more(&self.path, &self.file)?;
        }
        Ok(read > 0)
    }
}

/// The record of a line, of which `left_out` bytes are missing; none for an empty line, which is neither an event nor a dead letter.
pub(super) fn record(offset: u64, next_offset: u64, line: &[u8], left_out: u64) -> Option<RawRecord<'_>> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    // A byte order mark belongs to the file, not to its first event.
    let line = if offset == 0 { line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line) } else { line };
    if left_out == 0 && line.iter().all(u8::is_ascii_whitespace) {
        return None;
    }
    let bytes = line.len() as u64 + left_out;
    let (value, cut_from) = if left_out > 0 { (line.get(..KEPT_BYTES).unwrap_or(line), Some(bytes)) } else { (line, None) };
    Some(RawRecord { offset, next_offset, key: None, value: Some(value), timestamp_ms: None, cut_from })
}
