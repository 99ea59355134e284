//! The embedded log: topics as files, `DIR/<topic>/<partition>.jsonl`, one event a line. The reference connector.
//!
//! - **Offsets** are byte positions of lines. A last line without a newline is not visible yet, so a writer that is in the middle
//!   of a line, or died there, is never misread.
//! - **Any program may append**, also while a pipeline reads: `echo '{…}' >> DIR/orders/0.jsonl`. Files must only grow: a file
//!   that was replaced, moved away, or truncated is an error that names it, while it is read and when reading resumes
//!   ([`proof`]).
//! - **Keys** are not stored: a record's key is the key field of its event.
//! - **Tombstones** are lines `{"$delete":"KEY"}`, which are read as a record with the key and no value ([`deleted_key`]).
//! - **Delivery**: a reader hands out every line once, in order; a publisher appends each line whole.

mod deletion;
mod outbox;
mod proof;
mod publisher;
mod reader;
mod records;

use std::fs;
use std::io::{BufRead, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use headwater_schemas::Offset;

pub use deletion::deleted_key;

use crate::transport::{OffsetUnit, Outbox, PartitionState, Publisher, Reader, Records, Transport, TransportError};

/// The longest line that is handed out whole, in bytes. Events are far smaller; the limit bounds memory.
pub const MAX_LINE_BYTES: usize = 64 << 20;
/// The UTF-8 byte order mark, with which some programs begin a file.
pub const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
const EXTENSION: &str = ".jsonl";

/// A directory of topics.
#[derive(Clone, Debug)]
pub struct LogTransport {
    directory: PathBuf,
}

impl LogTransport {
    /// The topics below a directory, which need not exist yet.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self { directory: directory.into() }
    }

    fn topic_directory(&self, topic: &str) -> PathBuf {
        self.directory.join(topic)
    }

    fn partition_file(&self, topic: &str, partition: u16) -> PathBuf {
        self.topic_directory(topic).join(format!("{partition}.jsonl"))
    }

    /// The partitions that have a file, in order.
    fn list(&self, topic: &str) -> Result<Vec<u16>, TransportError> {
        let names = names_in(&self.topic_directory(topic))?;
        let mut partitions: Vec<_> = names.iter().filter_map(|name| partition_of_file(name)).collect();
        partitions.sort_unstable();
        Ok(partitions)
    }
}

/// The partition of a file name: the number in decimal, without a sign or leading zeros.
fn partition_of_file(name: &str) -> Option<u16> {
    let number = name.strip_suffix(EXTENSION)?.parse::<u16>().ok()?;
    (name == format!("{number}{EXTENSION}")).then_some(number)
}

/// Opens a regular file for reading. A pipe is refused: opening it would block, and its content could not be read again.
fn open(path: &Path) -> std::io::Result<fs::File> {
    if !fs::metadata(path)?.is_file() {
        let problem = "it is no regular file: publish what comes through a pipe with `headwater publish`";
        return Err(std::io::Error::new(std::io::ErrorKind::InvalidInput, problem));
    }
    fs::File::open(path)
}

/// The names in a folder; empty if the folder does not exist.
fn names_in(folder: &Path) -> Result<Vec<String>, TransportError> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) => return Ok(Vec::new()),
        Err(error) => return Err(failed("listing", folder, error)),
    };
    let name = |entry: std::io::Result<fs::DirEntry>| Ok(entry?.file_name().to_string_lossy().into_owned());
    let mut names: Vec<_> = entries.map(name).collect::<std::io::Result<_>>().map_err(|error| failed("listing", folder, error))?;
    names.sort_unstable();
    Ok(names)
}

impl Transport for LogTransport {
    fn offset_unit(&self) -> OffsetUnit {
        OffsetUnit::Bytes
    }

    fn partitions(&self, topic: &str) -> Result<Vec<PartitionState>, TransportError> {
        let state = |partition| {
            let path = self.partition_file(topic, partition);
            let high = end_of_lines(&path).map_err(|error| failed("reading", &path, error))?;
            Ok(PartitionState { partition, low: Offset::ZERO, high: Offset::new(high) })
        };
        self.list(topic)?.into_iter().map(state).collect()
    }

    fn create_topic(&self, topic: &str, partitions: u16) -> Result<bool, TransportError> {
        if !self.list(topic)?.is_empty() {
            return Ok(false);
        }
        let directory = self.topic_directory(topic);
        fs::create_dir_all(&directory).map_err(|error| failed("creating", &directory, error))?;
        for partition in 0..partitions.max(1) {
            let path = self.partition_file(topic, partition);
            fs::File::options().append(true).create(true).open(&path).map_err(|error| failed("creating", &path, error))?;
        }
        Ok(true)
    }

    fn reader(&self, _wake: Box<dyn Fn() + Send + Sync>) -> Result<Box<dyn Reader>, TransportError> {
        Ok(Box::new(reader::LogReader::new(self.clone())))
    }

    fn publisher(&self) -> Result<Box<dyn Publisher>, TransportError> {
        Ok(Box::new(publisher::LogPublisher::new(self.clone())))
    }

    fn has_transactions(&self) -> bool {
        false
    }

    fn fingerprint(&self, topic: &str, partition: u16, offset: Offset) -> Result<Option<String>, TransportError> {
        let path = self.partition_file(topic, partition);
        proof::fingerprint(&path, offset.get()).map(Some).map_err(|error| failed("reading", &path, error))
    }

    fn around(&self, topic: &str, partition: u16, offset: Offset) -> Result<Option<(Offset, Offset)>, TransportError> {
        let path = self.partition_file(topic, partition);
        let around = line_around(&path, offset.get()).map_err(|error| failed("reading", &path, error))?;
        Ok(around.map(|(begin, end)| (Offset::new(begin), Offset::new(end))))
    }

    fn records(&self) -> Option<Box<dyn Records>> {
        Some(Box::new(records::LogRecords::new(self.clone())))
    }

    fn unread(&self, topics: &[String]) -> Result<Vec<String>, TransportError> {
        let mut unread = Vec::new();
        for name in names_in(&self.directory)?.into_iter().filter(|name| !name.starts_with('.')) {
            let folder = self.directory.join(&name);
            let files = names_in(&folder)?;
            if topics.contains(&name) {
                let others = files.into_iter().filter(|file| !file.starts_with('.') && partition_of_file(file).is_none());
                let why = "a partition is called by its number alone, like 0.jsonl";
                unread.extend(others.map(|file| format!("{}: {why}", folder.join(file).display())));
            } else if name.ends_with(EXTENSION) || files.iter().any(|file| file.ends_with(EXTENSION)) {
                unread.push(format!("{}: no topic has this name (`headwater topics` lists them)", folder.display()));
            }
        }
        Ok(unread)
    }

    fn outbox(&self, id: &str, _progress_topic: &str) -> Result<Box<dyn Outbox>, TransportError> {
        Ok(Box::new(outbox::LogOutbox::open(self.clone(), id)?))
    }
}

/// Bytes that are searched for a newline at once.
const BLOCK: u64 = 64 << 10;

/// The offset after a file's last newline.
fn end_of_lines(path: &Path) -> std::io::Result<u64> {
    let mut file = open(path)?;
    let end = file.metadata()?.len();
    begin_of_line(&mut file, end)
}

/// The offsets at which the line around an offset begins, and at which the next one does; `None` if a line begins at the offset.
fn line_around(path: &Path, offset: u64) -> std::io::Result<Option<(u64, u64)>> {
    let mut file = open(path)?;
    let begin = begin_of_line(&mut file, offset)?;
    if begin == offset {
        return Ok(None);
    }
    file.seek(SeekFrom::Start(offset))?;
    let mut line = std::io::BufReader::new(file);
    let rest = line.skip_until(b'\n')?;
    Ok(Some((begin, offset + rest as u64)))
}

/// The offset after the last newline before an offset.
fn begin_of_line(file: &mut fs::File, mut end: u64) -> std::io::Result<u64> {
    let mut block = Vec::new();
    while end > 0 {
        let start = end.saturating_sub(BLOCK);
        block.clear();
        file.seek(SeekFrom::Start(start))?;
        file.by_ref().take(end - start).read_to_end(&mut block)?;
        if let Some(newline) = memchr::memrchr(b'\n', &block) {
            return Ok(start + newline as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}

fn failed(attempt: &'static str, path: &Path, error: std::io::Error) -> TransportError {
    TransportError { attempt, object: path.display().to_string(), cause: error.into(), retry: false }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::ops::ControlFlow;

    use super::*;
    use crate::fault::with_causes;
    use crate::transport::ReadStatus;

    type TestResult = Result<(), Box<dyn std::error::Error>>;

    fn read_all(reader: &mut dyn Reader, slot: usize) -> Result<(Vec<(u64, String)>, ReadStatus), TransportError> {
        let mut lines = Vec::new();
        let status = reader.read(slot, 1000, &mut |record| {
            let text = String::from_utf8_lossy(record.value.unwrap_or_default()).into_owned();
            lines.push((record.offset.get(), text));
            ControlFlow::Continue(())
        })?;
        Ok((lines, status))
    }

    #[test]
    fn a_torn_last_line_is_not_there_until_its_newline_is() -> TestResult {
        let folder = tempfile::tempdir()?;
        let log = LogTransport::new(folder.path());
        assert!(log.create_topic("orders", 1)?);
        let mut file = fs::File::options().append(true).open(folder.path().join("orders/0.jsonl"))?;
        file.write_all(b"{\"a\":1}\n\n{\"b\"")?;
        assert_eq!(log.partitions("orders")?, [PartitionState { partition: 0, low: Offset::ZERO, high: Offset::new(9) }]);

        let mut reader = log.reader(Box::new(|| ()))?;
        let slot = reader.assign("orders", 0, Offset::ZERO)?;
        assert_eq!(read_all(reader.as_mut(), slot)?, (vec![(0, "{\"a\":1}".into())], ReadStatus::End));
        file.write_all(b":2}\r\n")?;
        assert_eq!(read_all(reader.as_mut(), slot)?.0, [(9, "{\"b\":2}".into())]);
        Ok(())
    }

    #[test]
    fn a_sink_that_breaks_gets_the_next_record_in_the_next_call() -> TestResult {
        let folder = tempfile::tempdir()?;
        let log = LogTransport::new(folder.path());
        log.create_topic("orders", 1)?;
        fs::write(folder.path().join("orders/0.jsonl"), "{\"a\":1}\n{\"a\":2}\n\n{\"a\":3}\n")?;
        let mut reader = log.reader(Box::new(|| ()))?;
        let slot = reader.assign("orders", 0, Offset::ZERO)?;
        let mut offsets = Vec::new();
        let status = reader.read(slot, 1000, &mut |record| {
            offsets.push(record.offset.get());
            if offsets.len() == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        assert_eq!((offsets, status), (vec![0, 8], ReadStatus::More));
        assert_eq!(read_all(reader.as_mut(), slot)?, (vec![(17, "{\"a\":3}".into())], ReadStatus::End));
        Ok(())
    }

    #[test]
    fn what_is_published_is_read_back_from_the_partition_of_its_key() -> TestResult {
        let folder = tempfile::tempdir()?;
        let log = LogTransport::new(folder.path());
        log.create_topic("fills", 3)?;
        let mut publisher = log.publisher()?;
        publisher.send("fills", Some(b"foobar"), Some(b"{\n\"x\": 1}"))?;
        publisher.send("fills", Some(b"foobar"), Some(b"{}"))?;
        publisher.flush()?;
        let partition = crate::transport::partition_of(b"foobar", 3);
        let mut reader = log.reader(Box::new(|| ()))?;
        let slot = reader.assign("fills", partition, Offset::ZERO)?;
        assert_eq!(read_all(reader.as_mut(), slot)?.0, [(0, "{ \"x\": 1}".into()), (10, "{}".into())]);
        Ok(())
    }

    #[test]
    fn a_deletion_is_a_record_with_a_key_and_no_value_in_the_partition_of_the_key() -> TestResult {
        let folder = tempfile::tempdir()?;
        let log = LogTransport::new(folder.path());
        log.create_topic("limits", 3)?;
        let key = "desk \"a\"|var";
        let partition = crate::transport::partition_of(key.as_bytes(), 3);
        let mut publisher = log.publisher()?;
        publisher.send("limits", Some(key.as_bytes()), Some(b"{}"))?;
        publisher.send("limits", Some(key.as_bytes()), None)?;
        publisher.send("limits", Some(key.as_bytes()), Some(b"{}"))?;
        for (name, wrong) in [("no key", None), ("no UTF-8", Some(&b"\xff"[..]))] {
            assert!(publisher.send("limits", wrong, None).is_err(), "{name}");
        }
        publisher.flush()?;
        let mut reader = log.reader(Box::new(|| ()))?;
        let slot = reader.assign("limits", partition, Offset::ZERO)?;
        let mut records = Vec::new();
        reader.read(slot, 1000, &mut |record| {
            let text = |bytes: Option<&[u8]>| bytes.map(|bytes| String::from_utf8_lossy(bytes).into_owned());
            records.push((record.offset, text(record.key), text(record.value)));
            ControlFlow::Continue(())
        })?;
        let event = || (None, Some("{}".to_owned()));
        let read: Vec<_> = records.iter().map(|(_, key, value)| (key.clone(), value.clone())).collect();
        assert_eq!(read, [event(), (Some(key.to_owned()), None), event()]);
        let offset = records.get(1).map_or(Offset::ZERO, |(offset, ..)| *offset);
        let mut lines = log.records().ok_or("a log has records")?;
        assert_eq!(lines.value("limits", partition, offset)?, b"", "it has no value");
        Ok(())
    }

    #[test]
    fn a_publisher_does_not_write_behind_a_torn_line() -> TestResult {
        let folder = tempfile::tempdir()?;
        let log = LogTransport::new(folder.path());
        log.create_topic("fills", 1)?;
        fs::write(folder.path().join("fills/0.jsonl"), "{\"torn")?;
        let mut publisher = log.publisher()?;
        publisher.send("fills", None, Some(b"{}"))?;
        publisher.flush()?;
        assert_eq!(fs::read_to_string(folder.path().join("fills/0.jsonl"))?, "{\"torn\n{}\n");
        Ok(())
    }

    #[test]
    fn a_line_too_long_for_memory_is_one_record_and_reading_continues() -> TestResult {
        let folder = tempfile::tempdir()?;
        let log = LogTransport::new(folder.path());
        log.create_topic("fills", 1)?;
        let long = 100_000_000;
        let text = [b"{\"a\":1}\n".as_slice(), &vec![b'x'; long], b"\n{\"a\":2}\n"].concat();
        fs::write(folder.path().join("fills/0.jsonl"), text)?;
        let mut reader = log.reader(Box::new(|| ()))?;
        let slot = reader.assign("fills", 0, Offset::ZERO)?;
        let mut records = Vec::new();
        let status = reader.read(slot, 1000, &mut |record| {
            records.push((record.offset.get(), record.next_offset.get(), record.value.map_or(0, <[u8]>::len), record.cut_from));
            ControlFlow::Continue(())
        })?;
        let behind = 8 + long as u64 + 1;
        assert_eq!(records, [(0, 8, 7, None), (8, behind, (1 << 20) + 1, Some(long as u64)), (behind, behind + 8, 7, None)]);
        assert_eq!(status, ReadStatus::End);
        Ok(())
    }

    #[test]
    fn a_byte_order_mark_belongs_to_no_event() -> TestResult {
        for (content, expected) in [
            ("\u{feff}{\"a\":1}\n{}\n", vec![(0, "{\"a\":1}"), (11, "{}")]),
            ("\u{feff}\r\n{}\n", vec![(5, "{}")]),
            ("{}\n\u{feff}{}\n", vec![(0, "{}"), (3, "\u{feff}{}")]),
        ] {
            let folder = tempfile::tempdir()?;
            let log = LogTransport::new(folder.path());
            log.create_topic("fills", 1)?;
            fs::write(folder.path().join("fills/0.jsonl"), content)?;
            let mut reader = log.reader(Box::new(|| ()))?;
            let slot = reader.assign("fills", 0, Offset::ZERO)?;
            let read = read_all(reader.as_mut(), slot)?.0;
            assert_eq!(read.iter().map(|(offset, line)| (*offset, line.as_str())).collect::<Vec<_>>(), expected, "{content:?}");
        }
        Ok(())
    }

    #[test]
    fn an_offset_inside_of_a_line_has_the_lines_around_it() -> TestResult {
        let folder = tempfile::tempdir()?;
        let log = LogTransport::new(folder.path());
        log.create_topic("fills", 1)?;
        let long = "x".repeat(100_000);
        fs::write(folder.path().join("fills/0.jsonl"), format!("{{}}\n{{\"a\":1}}\n{long}\n{{}}\n"))?;
        for (name, offset, expected) in [
            ("the first line", 0, None),
            ("inside of the first line", 1, Some((0, 3))),
            ("at a newline", 2, Some((0, 3))),
            ("another line", 3, None),
            ("inside of another line", 5, Some((3, 11))),
            ("inside of a long line", 90_000, Some((11, 100_012))),
            ("the end", 100_015, None),
        ] {
            let expected = expected.map(|(before, after)| (Offset::new(before), Offset::new(after)));
            assert_eq!(log.around("fills", 0, Offset::new(offset))?, expected, "{name}");
        }
        Ok(())
    }

    #[test]
    fn what_is_named_otherwise_is_not_read_and_is_told() -> TestResult {
        let folder = tempfile::tempdir()?;
        let log = LogTransport::new(folder.path());
        log.create_topic("fills", 2)?;
        for (topic, file) in
            [("fills", "part-1.jsonl"), ("fills", "00.jsonl"), ("fills", "+1.jsonl"), ("fill", "0.jsonl"), (".outbox", "x")]
        {
            fs::create_dir_all(folder.path().join(topic))?;
            fs::write(folder.path().join(topic).join(file), "{}\n")?;
        }
        assert_eq!(log.partitions("fills")?.iter().map(|state| state.partition).collect::<Vec<_>>(), [0, 1]);
        let unread = log.unread(&["fills".to_owned(), "orders".to_owned()])?;
        let parts = ["/fill: no topic", "/fills/+1.jsonl: a partition", "/fills/00.jsonl: ", "/fills/part-1.jsonl: "];
        assert_eq!(unread.len(), parts.len(), "{unread:?}");
        assert!(unread.iter().zip(parts).all(|(line, part)| line.contains(part)), "{unread:?}");
        Ok(())
    }

    #[test]
    fn a_pipe_is_refused_and_not_waited_at() -> TestResult {
        let folder = tempfile::tempdir()?;
        let log = LogTransport::new(folder.path());
        fs::create_dir_all(folder.path().join("fills"))?;
        rustix::fs::mkfifoat(rustix::fs::CWD, folder.path().join("fills/0.jsonl"), rustix::fs::Mode::RWXU)?;
        let said = log.partitions("fills").map(|_| ()).map_err(|error| with_causes(&error));
        assert!(said.as_ref().is_err_and(|said| said.contains("fills/0.jsonl") && said.contains("no regular file")), "{said:?}");
        Ok(())
    }
}
