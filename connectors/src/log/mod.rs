//! The embedded log: topics as files, `DIR/<topic>/<partition>.jsonl`, one event a line. The reference connector.
//!
//! - **Offsets** are byte positions of lines. A last line without its newline is not there yet, so a writer that is in
//!   the middle of a line, or died there, is never misread.
//! - **Anyone may append**, also while a pipeline reads: `echo '{…}' >> DIR/orders/0.jsonl`. Files are only ever added to;
//!   one that became shorter than what was read of it is an error that names it.
//! - **Keys** are not stored: a record's key is the key field of its event. So there are no tombstones in a log.
//! - **Delivery**: a reader hands out every line once, in order; a publisher writes whole lines, in one piece each.

mod outbox;
mod publisher;
mod reader;

use std::fs;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use crate::transport::{Outbox, PartitionState, Publisher, Reader, Transport, TransportError};

/// The greatest line that is read, in bytes. Events are far smaller; this only keeps memory bounded.
pub const MAX_LINE_BYTES: usize = 64 << 20;

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
        let directory = self.topic_directory(topic);
        let entries = match fs::read_dir(&directory) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(failed("listing", &directory, &error)),
        };
        let mut partitions = Vec::new();
        for entry in entries {
            let name = entry.map_err(|error| failed("listing", &directory, &error))?.file_name();
            partitions.extend(name.to_str().and_then(|name| name.strip_suffix(".jsonl")).and_then(|number| number.parse::<u16>().ok()));
        }
        partitions.sort_unstable();
        Ok(partitions)
    }
}

impl Transport for LogTransport {
    fn partitions(&self, topic: &str) -> Result<Vec<PartitionState>, TransportError> {
        let state = |partition| {
            let path = self.partition_file(topic, partition);
            let high = end_of_lines(&path).map_err(|error| failed("reading", &path, &error))?;
            Ok(PartitionState { partition, low: 0, high })
        };
        self.list(topic)?.into_iter().map(state).collect()
    }

    fn create_topic(&self, topic: &str, partitions: u16) -> Result<bool, TransportError> {
        if !self.list(topic)?.is_empty() {
            return Ok(false);
        }
        let directory = self.topic_directory(topic);
        fs::create_dir_all(&directory).map_err(|error| failed("creating", &directory, &error))?;
        for partition in 0..partitions.max(1) {
            let path = self.partition_file(topic, partition);
            fs::File::options().append(true).create(true).open(&path).map_err(|error| failed("creating", &path, &error))?;
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

    fn outbox(&self, id: &str, _progress_topic: &str) -> Result<Box<dyn Outbox>, TransportError> {
        Ok(Box::new(outbox::LogOutbox::open(self.clone(), id)?))
    }
}

/// The position behind a file's last newline.
fn end_of_lines(path: &Path) -> std::io::Result<u64> {
    const BLOCK: u64 = 64 << 10;
    let mut file = fs::File::open(path)?;
    let mut end = file.metadata()?.len();
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

fn failed(attempt: &'static str, path: &Path, error: &std::io::Error) -> TransportError {
    TransportError { attempt, object: path.display().to_string(), cause: error.to_string(), retry: false }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::ops::ControlFlow;

    use super::*;
    use crate::transport::ReadStatus;

    type TestResult = Result<(), Box<dyn std::error::Error>>;

    fn read_all(reader: &mut dyn Reader, slot: usize) -> Result<(Vec<(u64, String)>, ReadStatus), TransportError> {
        let mut lines = Vec::new();
        let status = reader.read(slot, 1000, &mut |record| {
            let text = String::from_utf8_lossy(record.value.unwrap_or_default()).into_owned();
            lines.push((record.offset, text));
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
        assert_eq!(log.partitions("orders")?, [PartitionState { partition: 0, low: 0, high: 9 }]);

        let mut reader = log.reader(Box::new(|| ()))?;
        let slot = reader.assign("orders", 0, 0)?;
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
        let slot = reader.assign("orders", 0, 0)?;
        let mut offsets = Vec::new();
        let status = reader.read(slot, 1000, &mut |record| {
            offsets.push(record.offset);
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
        let slot = reader.assign("fills", partition, 0)?;
        assert_eq!(read_all(reader.as_mut(), slot)?.0, [(0, "{ \"x\": 1}".into()), (10, "{}".into())]);
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
    fn a_file_that_became_shorter_is_an_error_that_names_it() -> TestResult {
        let folder = tempfile::tempdir()?;
        let log = LogTransport::new(folder.path());
        log.create_topic("fills", 1)?;
        fs::write(folder.path().join("fills/0.jsonl"), "{}\n{}\n")?;
        let mut reader = log.reader(Box::new(|| ()))?;
        let slot = reader.assign("fills", 0, 0)?;
        read_all(reader.as_mut(), slot)?;
        fs::write(folder.path().join("fills/0.jsonl"), "{}\n")?;
        let error = read_all(reader.as_mut(), slot).map(|_| ()).map_err(|error| error.to_string());
        assert!(error.is_err_and(|text| text.contains("fills/0.jsonl") && text.contains("shorter")));
        Ok(())
    }
}
