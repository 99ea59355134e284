//! Detection of log files that were changed after they were read.
//!
//! A log file may only grow. While a file is read, it is checked whenever its end is reached, and again once it has grown: it
//! must still be the file of its name, be no shorter than what was read, and end with the bytes that were read. Between runs,
//! commits keep a [`fingerprint`] of each file. It covers a few KiB, because every commit computes it. The audit has a digest of
//! every accepted record, with which a replay compares everything that was read.

use std::fs::{self, File, Metadata};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::time::{Duration, Instant};

use headwater_schemas::Digest;
use sha2::{Digest as _, Sha256};

use super::{failed, open};
use crate::transport::TransportError;

/// Bytes before an offset, and bytes at the beginning of a file, that a fingerprint covers.
const COVERED: u64 = 4096;
/// Bytes before the end that are compared when a file has grown.
const COMPARED: u64 = 256;
/// Interval at which a file that was read to its end is checked to still be the file of its name.
const LOOK: Duration = Duration::from_millis(100);
/// Length of a fingerprint in bytes.
const LENGTH: usize = 16;

/// The bytes that were read last when the end of a file was reached.
#[derive(Default)]
pub(super) struct Proof {
    /// Offset of the end.
    end: u64,
    bytes: Vec<u8>,
    /// Whether the end of the file was reached after the last read.
    is_at_end: bool,
    looked: Option<Instant>,
}

impl Proof {
    /// Called when the open file has no bytes after `end`.
    pub(super) fn at_end(&mut self, path: &Path, file: &File, look: &Metadata, end: u64) -> Result<(), TransportError> {
        if look.len() < end {
            return Err(shorter(path, look.len(), end));
        }
        if self.end != end || self.bytes.is_empty() {
            self.bytes = before(file, end, COMPARED).map_err(|error| failed("reading", path, error))?;
            self.end = end;
        }
        self.is_at_end = true;
        if self.looked.is_none_or(|looked| looked.elapsed() >= LOOK) {
            self.looked = Some(Instant::now());
            is_named(path, look)?;
        }
        Ok(())
    }

    /// Called when the file has grown, before more is read.
    pub(super) fn before_more(&mut self, path: &Path, file: &File) -> Result<(), TransportError> {
        if !std::mem::take(&mut self.is_at_end) {
            return Ok(());
        }
        let bytes = before(file, self.end, COMPARED).map_err(|error| failed("reading", path, error))?;
        if bytes == self.bytes { Ok(()) } else { Err(changed(path, self.end)) }
    }
}

/// Checks that an open file is still the file of its name.
fn is_named(path: &Path, opened: &Metadata) -> Result<(), TransportError> {
    let is_same = |named: Metadata| (named.dev(), named.ino()) == (opened.dev(), opened.ino());
    match fs::metadata(path).map(is_same) {
        Ok(true) => Ok(()),
        Ok(false) => Err(replaced(path, "another file took its place while it was read")),
        Err(error) if error.kind() == ErrorKind::NotFound => Err(replaced(path, "it was moved away while it was read")),
        Err(error) => Err(failed("reading", path, error)),
    }
}

/// The bytes before an offset, at most `most`.
fn before(file: &File, offset: u64, most: u64) -> io::Result<Vec<u8>> {
    let begin = offset.saturating_sub(most);
    let mut bytes = vec![0; usize::try_from(offset - begin).unwrap_or(0)];
    file.read_exact_at(&mut bytes, begin)?;
    Ok(bytes)
}

/// Digest of the first and the last bytes of a file before an offset.
pub(super) fn fingerprint(path: &Path, offset: u64) -> io::Result<String> {
    let file = open(path)?;
    let mut digest = Sha256::new();
    digest.update(offset.to_be_bytes());
    digest.update(before(&file, offset.min(COVERED), COVERED)?);
    digest.update(before(&file, offset, COVERED)?);
    Ok(Digest::<LENGTH>::shortened(&digest.finalize()).to_string())
}

pub(super) fn shorter(path: &Path, length: u64, read: u64) -> TransportError {
    replaced(path, &format!("the file is shorter ({length} bytes) than what was read of it ({read})"))
}

fn changed(path: &Path, end: u64) -> TransportError {
    replaced(path, &format!("the bytes before {end} are not those that were read: it was cut off and written again"))
}

fn replaced(path: &Path, problem: &str) -> TransportError {
    let cause = format!("{problem}: a log is only added to, restore it");
    TransportError { attempt: "reading", object: path.display().to_string(), cause: cause.into(), retry: false }
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;

    use headwater_schemas::Offset;

    use super::super::LogTransport;
    use crate::fault::with_causes;
    use crate::transport::{Reader, Transport, TransportError};

    use super::*;

    type TestResult = Result<(), Box<dyn std::error::Error>>;

    fn read(reader: &mut dyn Reader, slot: usize) -> Result<usize, TransportError> {
        let mut count = 0;
        reader.read(slot, 1000, &mut |_| {
            count += 1;
            ControlFlow::Continue(())
        })?;
        Ok(count)
    }

    #[test]
    fn what_was_read_must_stay_while_a_file_is_read() -> TestResult {
        type Change = fn(&Path) -> io::Result<()>;
        let cases: [(&str, Change, Option<&str>); 5] = [
            ("it grew", |path| fs::write(path, "{\"a\":1}\n{\"a\":2}\n{\"a\":3}\n"), None),
            ("it was cut off", |path| fs::write(path, "{\"a\":1}\n"), Some("shorter")),
            ("cut off and grown", |path| fs::write(path, "{\"b\":1}\n{\"b\":2}\n{\"b\":3}\n"), Some("not those that were read")),
            (
                "another file in its place",
                |path| {
                    fs::rename(path, path.with_extension("old"))?;
                    fs::write(path, "{\"a\":1}\n{\"a\":2}\n")
                },
                Some("another file took its place"),
            ),
            ("moved away", |path| fs::rename(path, path.with_extension("old")), Some("moved away")),
        ];
        for (case, change, expected) in cases {
            let folder = tempfile::tempdir()?;
            let log = LogTransport::new(folder.path());
            log.create_topic("fills", 1)?;
            let path = folder.path().join("fills/0.jsonl");
            fs::write(&path, "{\"a\":1}\n{\"a\":2}\n")?;
            let mut reader = log.reader(Box::new(|| ()))?;
            let slot = reader.assign("fills", 0, Offset::ZERO)?;
            assert_eq!(read(reader.as_mut(), slot)?, 2, "{case}");
            change(&path)?;
            std::thread::sleep(LOOK);
            let said = read(reader.as_mut(), slot).map_err(|error| with_causes(&error));
            match expected {
                None => assert_eq!(said, Ok(1), "{case}"),
                Some(expected) => {
                    let said = said.expect_err(case);
                    assert!(said.contains("fills/0.jsonl") && said.contains(expected) && said.contains("restore it"), "{case}: {said}");
                }
            }
        }
        Ok(())
    }

    #[test]
    fn a_fingerprint_covers_the_beginning_the_last_bytes_and_the_offset() -> TestResult {
        let folder = tempfile::tempdir()?;
        let log = LogTransport::new(folder.path());
        let path = folder.path().join("fills/0.jsonl");
        log.create_topic("fills", 1)?;
        let content = vec![b'x'; 20_000];
        fs::write(&path, &content)?;
        let of = |offset| log.fingerprint("fills", 0, Offset::new(offset)).ok().flatten();
        let first = of(15_000);
        assert!(first.is_some());
        fs::write(&path, vec![b'x'; 30_000])?;
        assert_eq!(of(15_000), first, "more has come");
        assert_ne!(of(15_001), first);
        for changed in [0, 4_095, 10_904, 14_999] {
            let mut other = content.clone();
            other[changed] = b'y';
            fs::write(&path, other)?;
            assert_ne!(of(15_000), first, "{changed}");
        }
        fs::write(&path, &content[..14_999])?;
        assert_eq!(of(15_000), None, "it is not there");
        Ok(())
    }
}
