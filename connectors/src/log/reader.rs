//! Reading lines.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::ops::ControlFlow;
use std::path::PathBuf;

use super::{LogTransport, MAX_LINE_BYTES, failed};
use crate::transport::{RawRecord, ReadStatus, Reader, TransportError};

/// Bytes that are read at once.
const CHUNK: usize = 256 << 10;

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
    /// The file position of the first byte of `buffer` behind `consumed`.
    position: u64,
    buffer: Vec<u8>,
    consumed: usize,
    /// Bytes of `buffer` that are known to hold no newline behind `consumed`.
    searched: usize,
}

impl Tail {
    fn open(path: PathBuf, from: u64) -> Result<Self, TransportError> {
        let mut file = File::open(&path).map_err(|error| failed("opening", &path, &error))?;
        let length = file.metadata().map_err(|error| failed("opening", &path, &error))?.len();
        if length < from {
            return Err(shorter(&path, length, from));
        }
        file.seek(SeekFrom::Start(from)).map_err(|error| failed("opening", &path, &error))?;
        Ok(Self { path, file, position: from, buffer: Vec::new(), consumed: 0, searched: 0 })
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
                let line = line.strip_suffix(b"\r").unwrap_or(line);
                let next = self.position + length as u64 + 1;
                let mut flow = ControlFlow::Continue(());
                // An empty line says nothing, so there is nothing to refuse either.
                if !line.iter().all(u8::is_ascii_whitespace) {
                    flow = sink(RawRecord { offset: self.position, next_offset: next, key: None, value: Some(line), timestamp_ms: None });
                    given += 1;
                }
                self.position = next;
                self.consumed += length + 1;
                self.searched = 0;
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
            let cause =
                format!("the line at byte {} is longer than {MAX_LINE_BYTES} bytes: end it with a newline, or remove it", self.position);
            return Err(TransportError { attempt: "reading", object: self.path.display().to_string(), cause, retry: false });
        }
        let before = self.buffer.len();
        self.buffer.resize(before + CHUNK, 0);
        let read = self.file.read(self.buffer.get_mut(before..).unwrap_or_default());
        let read = read.map_err(|error| failed("reading", &self.path, &error))?;
        self.buffer.truncate(before + read);
        if read == 0 {
            let length = self.file.metadata().map_err(|error| failed("reading", &self.path, &error))?.len();
            let behind = self.position + before as u64;
            if length < behind {
                return Err(shorter(&self.path, length, behind));
            }
        }
        Ok(read > 0)
    }
}

fn shorter(path: &std::path::Path, length: u64, read: u64) -> TransportError {
    TransportError {
        attempt: "reading",
        object: path.display().to_string(),
        cause: format!("the file is shorter ({length} bytes) than what was read of it ({read}): a log is only added to, restore it"),
        retry: false,
    }
}
