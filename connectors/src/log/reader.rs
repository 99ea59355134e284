//! Reads the lines of a log's files.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::ops::ControlFlow;
use std::path::PathBuf;

use headwater_schemas::Offset;
use headwater_schemas::events::MAX_RECORD_BYTES;

use super::proof::{Proof, shorter};
use super::{BYTE_ORDER_MARK, LogTransport, MAX_LINE_BYTES, deleted_key, failed, open};
use crate::transport::{RawRecord, ReadStatus, Reader, TransportError};

/// Maximum number of bytes per read.
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
    fn assign(&mut self, topic: &str, partition: u16, from: Offset) -> Result<usize, TransportError> {
        let path = self.log.partition_file(topic, partition);
        self.slots.push(Tail::open(path, from.get())?);
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

    fn high_watermark(&self, slot: usize) -> Option<Offset> {
        self.slots.get(slot).map(|tail| Offset::new(tail.end_of_records()))
    }

    fn announce(&mut self, _slot: usize, _offset: Offset) -> Result<(), TransportError> {
        Ok(())
    }
}

/// A file that is read as it grows.
struct Tail {
    path: PathBuf,
    file: File,
    /// Length of the file at the last check.
    length: u64,
    /// The file position after the last record.
    after_records: u64,
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
    /// The key of the last deletion that was read.
    deleted: Vec<u8>,
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
        Ok(Self {
            path,
            file,
            length,
            after_records: from,
            position: from,
            buffer,
            consumed: 0,
            searched: 0,
            left_out: 0,
            proof,
            deleted: Vec::new(),
        })
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
                if let Some(record) = record(Offset::new(self.position), Offset::new(next), line, self.left_out, &mut self.deleted) {
                    flow = sink(record);
                    given += 1;
                    self.after_records = next;
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

    /// The end of the file, without blank lines that were read there: a reader is not late because of them.
    const fn end_of_records(&self) -> u64 {
        if self.position == self.length { self.after_records } else { self.length }
    }

    /// Reads more bytes; false at the file's end. Of a file that has not grown, which is the usual case, only the length is checked.
    fn fill(&mut self) -> Result<bool, TransportError> {
        let more = self.look()?;
        if more == 0 {
            return Ok(false);
        }
        self.drop_consumed();
        let before = self.buffer.len();
        let wanted = usize::try_from(more).map_or(CHUNK, |more| more.min(CHUNK));
        self.buffer.resize(before + wanted, 0);
        let read = self.file.read(self.buffer.get_mut(before..).unwrap_or_default());
        let read = read.map_err(|error| failed("reading", &self.path, error))?;
        self.buffer.truncate(before + read);
        if read == 0 {
            // The file was truncated since the check.
            return Ok(self.look()? > 0);
        }
        self.proof.before_more(&self.path, &self.file)?;
        Ok(true)
    }

    /// Number of bytes of the file that are not read yet.
    fn look(&mut self) -> Result<u64, TransportError> {
        let metadata = self.file.metadata().map_err(|error| failed("reading", &self.path, error))?;
        self.length = metadata.len();
        let end = self.position + (self.buffer.len() - self.consumed) as u64 + self.left_out;
        if self.length <= end {
            self.proof.at_end(&self.path, &self.file, &metadata, end)?;
        }
        Ok(self.length.saturating_sub(end))
    }

    /// Makes room in the buffer.
    fn drop_consumed(&mut self) {
        self.buffer.drain(..self.consumed);
        self.consumed = 0;
        if self.buffer.len() > MAX_LINE_BYTES {
            // The beginning of the line is enough to refuse it.
            self.left_out += (self.buffer.len() - KEPT_BYTES) as u64;
            self.buffer.truncate(KEPT_BYTES);
            self.searched = KEPT_BYTES;
        }
    }
}

/// The record of a line, of which `left_out` bytes are missing; none for an empty line, which is neither an event nor a dead letter.
/// The key of a deletion is put into `deleted`.
pub(super) fn record<'a>(
    offset: Offset,
    next_offset: Offset,
    line: &'a [u8],
    left_out: u64,
    deleted: &'a mut Vec<u8>,
) -> Option<RawRecord<'a>> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    // A byte order mark belongs to the file, not to its first event.
    let line = if offset == Offset::ZERO { line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line) } else { line };
    if left_out == 0 && line.iter().all(u8::is_ascii_whitespace) {
        return None;
    }
    if let Some(key) = deleted_key(line).filter(|_| left_out == 0) {
        deleted.clear();
        deleted.extend_from_slice(key.as_bytes());
        return Some(RawRecord { offset, next_offset, key: Some(&*deleted), value: None, timestamp_ms: None, cut_from: None });
    }
    let bytes = line.len() as u64 + left_out;
    let (value, cut_from) = if left_out > 0 { (line.get(..KEPT_BYTES).unwrap_or(line), Some(bytes)) } else { (line, None) };
    Some(RawRecord { offset, next_offset, key: None, value: Some(value), timestamp_ms: None, cut_from })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;

    use super::*;

    type TestResult = Result<(), Box<dyn std::error::Error>>;

    fn read(tail: &mut Tail) -> Result<(usize, ReadStatus), TransportError> {
        let mut count = 0;
        let status = tail.read(1000, &mut |_| {
            count += 1;
            ControlFlow::Continue(())
        })?;
        Ok((count, status))
    }

    #[test]
    fn a_file_that_has_not_grown_is_not_read_and_one_that_has_takes_memory_for_what_came() -> TestResult {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("0.jsonl");
        fs::write(&path, "{\"a\":1}\n")?;
        let mut tail = Tail::open(path.clone(), 8)?;
        for _ in 0..3 {
            assert_eq!(read(&mut tail)?, (0, ReadStatus::End));
        }
        assert_eq!((tail.buffer.capacity(), tail.length), (0, 8), "nothing was read");
        let mut file = File::options().append(true).open(&path)?;
        for (number, text) in (1..).zip(["{\"a\":2}\n", "{\"a\":3}\n", "{\"a\":4}\n"]) {
            file.write_all(text.as_bytes())?;
            assert_eq!(read(&mut tail)?, (1, ReadStatus::End));
            assert_eq!(tail.length, 8 + number * 8);
        }
        assert!(tail.buffer.capacity() < 1024, "{}", tail.buffer.capacity());
        Ok(())
    }

    #[test]
    fn blank_lines_at_the_end_are_not_waited_for() -> TestResult {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("0.jsonl");
        fs::write(&path, "{\"a\":1}\n\n  \n")?;
        let mut tail = Tail::open(path.clone(), 0)?;
        assert_eq!((tail.end_of_records(), read(&mut tail)?), (12, (1, ReadStatus::End)));
        assert_eq!(tail.end_of_records(), 8);
        let mut file = File::options().append(true).open(&path)?;
        file.write_all(b"{\"a\"")?;
        assert_eq!((read(&mut tail)?, tail.end_of_records()), ((0, ReadStatus::End), 16));
        file.write_all(b":2}\n")?;
        assert_eq!((read(&mut tail)?, tail.end_of_records()), ((1, ReadStatus::End), 20));
        Ok(())
    }

    #[test]
    fn a_line_comes_whole_in_whatever_pieces_it_was_written() -> TestResult {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("0.jsonl");
        let mut file = File::options().append(true).create(true).open(&path)?;
        let mut tail = Tail::open(path, 0)?;
        for piece in ["{\"a\"", ":", "1}"] {
            file.write_all(piece.as_bytes())?;
            assert_eq!(read(&mut tail)?, (0, ReadStatus::End), "{piece}");
        }
        file.write_all(b"\n{}\n{")?;
        assert_eq!(read(&mut tail)?, (2, ReadStatus::End));
        file.write_all(b"}\n")?;
        assert_eq!(read(&mut tail)?, (1, ReadStatus::End));
        Ok(())
    }
}
