//! Outbox of a log: batches of lines, each appended exactly once across crashes.
//!
//! A file with the outbox's progress, beside the topics, holds each file's length after the last batch. A batch that was cut off
//! may have left some of its bytes after that length. Because the same batch comes again, only its missing bytes are appended,
//! and bytes that a reader may have seen are never removed.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fs::{self, File};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{LogTransport, failed};
use crate::durable;
use crate::transport::{Outbox, Outgoing, Transport, TransportError, partition_of};

/// The folder of the outboxes' progress files, beside the topics.
const FOLDER: &str = ".outbox";

/// Appends batches to the files of topics.
pub(super) struct LogOutbox {
    log: LogTransport,
    path: PathBuf,
    standing: Standing,
}

/// Durable progress of an outbox.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Standing {
    /// The caller's progress, given with the last batch.
    progress: Option<String>,
    /// The length of each partition's file after the last batch, by `<topic>/<partition>`.
    lengths: BTreeMap<String, u64>,
}

impl LogOutbox {
    pub(super) fn open(log: LogTransport, id: &str) -> Result<Self, TransportError> {
        let folder = log.directory.join(FOLDER);
        fs::create_dir_all(&folder).map_err(|error| failed("creating", &folder, error))?;
        let path = folder.join(format!("{id}.json"));
        let standing = match fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text).map_err(|error| damaged(&path, error))?,
            Err(error) if error.kind() == ErrorKind::NotFound => Standing::default(),
            Err(error) => return Err(failed("reading", &path, error)),
        };
        Ok(Self { log, path, standing })
    }

    fn record(&self) -> Result<(), TransportError> {
        let text = serde_json::to_vec(&self.standing).map_err(|error| damaged(&self.path, error))?;
        durable::replace(&self.path, &text).map_err(|error| failed("writing", &self.path, error))
    }

    /// The lines of a batch, by file.
    fn lines(&self, records: &[Outgoing]) -> Result<BTreeMap<(String, u16), Vec<u8>>, TransportError> {
        let mut counts = BTreeMap::<&str, u16>::new();
        let mut lines = BTreeMap::<_, Vec<u8>>::new();
        for record in records {
            let count = match counts.get(record.topic.as_str()) {
                Some(count) => *count,
                None => {
                    self.log.create_topic(&record.topic, 1)?;
                    let count = u16::try_from(self.log.list(&record.topic)?.len()).unwrap_or(u16::MAX);
                    *counts.entry(&record.topic).or_insert(count)
                }
            };
            let lines = lines.entry((record.topic.clone(), partition_of(record.key.as_bytes(), count))).or_default();
            lines.extend_from_slice(&record.value);
            lines.push(b'\n');
        }
        Ok(lines)
    }
}

impl Outbox for LogOutbox {
    fn progress(&mut self) -> Result<Option<String>, TransportError> {
        Ok(self.standing.progress.clone())
    }

    fn publish(&mut self, records: &[Outgoing], progress: &str, sent: &mut dyn FnMut()) -> Result<(), TransportError> {
        let lines = self.lines(records)?;
        // The offset of a file's first batch is made durable before anything is appended.
        let mut is_new = false;
        for (topic, partition) in lines.keys() {
            let path = self.log.partition_file(topic, *partition);
            if let Entry::Vacant(unknown) = self.standing.lengths.entry(format!("{topic}/{partition}")) {
                let metadata = fs::metadata(&path).map_err(|error| failed("reading", &path, error))?;
                unknown.insert(metadata.len());
                is_new = true;
            }
        }
        if is_new {
            self.record()?;
        }
        for ((topic, partition), lines) in &lines {
            let path = self.log.partition_file(topic, *partition);
            let length = self.standing.lengths.entry(format!("{topic}/{partition}")).or_default();
            append(&path, *length, lines)?;
            *length += lines.len() as u64;
        }
        sent();
        self.standing.progress = Some(progress.to_owned());
        self.record()
    }
}

/// Completes the bytes of a batch at an offset of a file, where some of its first bytes may already be.
fn append(path: &Path, from: u64, bytes: &[u8]) -> Result<(), TransportError> {
    let opened = || {
        let mut file = File::options().read(true).append(true).open(path)?;
        file.seek(SeekFrom::Start(from))?;
        let mut there = Vec::new();
        file.read_to_end(&mut there)?;
        Ok((file, there))
    };
    let (mut file, there) = opened().map_err(|error| failed("opening", path, error))?;
    let Some(missing) = bytes.strip_prefix(there.as_slice()) else {
        return Err(TransportError {
            attempt: "publishing to",
            object: path.display().to_string(),
            cause: format!(
                "another program has written after byte {from}: a topic of an outbox has one writer; remove what the other program wrote, or give the topic another name in source.aliases"
            )
            .into(),
            retry: false,
        });
    };
    file.write_all(missing).and_then(|()| file.sync_data()).map_err(|error| failed("appending to", path, error))
}

/// The progress file is damaged.
#[derive(Debug, thiserror::Error)]
#[error("it is damaged: restore it from a copy")]
struct Damaged(#[source] serde_json::Error);

fn damaged(path: &Path, error: serde_json::Error) -> TransportError {
    TransportError { attempt: "reading", object: path.display().to_string(), cause: Damaged(error).into(), retry: false }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::with_causes;

    fn batch(lines: &[&str]) -> Vec<Outgoing> {
        let record = |line: &&str| Outgoing { topic: "executions".to_owned(), key: (*line).to_owned(), value: line.as_bytes().to_vec() };
        lines.iter().map(record).collect()
    }

    #[test]
    fn a_batch_that_was_cut_off_anywhere_is_completed() -> Result<(), Box<dyn std::error::Error>> {
        let whole = "one\ntwo\nthree\nfour\n";
        for cut in "one\ntwo\n".len()..=whole.len() {
            let folder = tempfile::tempdir()?;
            let log = LogTransport::new(folder.path());
            let mut outbox = LogOutbox::open(log.clone(), "id")?;
            outbox.publish(&batch(&["one", "two"]), "1", &mut || ())?;
            // The process dies while it appends the second batch.
            let path = log.partition_file("executions", 0);
            fs::write(&path, whole.get(..cut).unwrap_or_default())?;
            let mut outbox = LogOutbox::open(log, "id")?;
            assert_eq!(outbox.progress()?.as_deref(), Some("1"));
            outbox.publish(&batch(&["three", "four"]), "2", &mut || ())?;
            assert_eq!(fs::read_to_string(&path)?, whole, "cut at {cut}");
            assert_eq!(outbox.progress()?.as_deref(), Some("2"));
        }
        Ok(())
    }

    #[test]
    fn another_writer_is_named_and_what_was_there_before_stays() -> Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let log = LogTransport::new(folder.path());
        log.create_topic("executions", 1)?;
        let path = log.partition_file("executions", 0);
        fs::write(&path, "before\n")?;
        let mut outbox = LogOutbox::open(log, "id")?;
        outbox.publish(&batch(&["one"]), "1", &mut || ())?;
        assert_eq!(fs::read_to_string(&path)?, "before\none\n");
        fs::write(&path, "before\none\nforeign\n")?;
        let refused = outbox.publish(&batch(&["two"]), "2", &mut || ()).map_err(|error| with_causes(&error));
        assert!(refused.as_ref().is_err_and(|error| error.contains("executions/0.jsonl") && error.contains("one writer")), "{refused:?}");
        assert!(refused.is_err_and(|error| error.contains("source.aliases")), "the key of the configuration is named");
        Ok(())
    }
}
