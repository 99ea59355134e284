//! Id of a data directory's outbox, under which its progress is stored.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context, bail};
use headwater_connectors::durable;
use headwater_connectors::parquet::directory::OUTBOX;
use headwater_connectors::parquet::remote::Remote;
use headwater_schemas::Digest;

use crate::wall_clock;

/// The beginning of an id; 16 hexadecimal digits follow.
const PREFIX: &str = "headwater-";

/// What the file has after the id once a commit is published.
const HAS_PUBLISHED: &str = " has published";

/// The outbox of a data directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct OutboxId {
    pub(super) id: String,
    /// Whether a commit was published under the id, so that the topics have its progress.
    pub(super) has_published: bool,
}

impl OutboxId {
    /// Notes that a commit was published.
    pub(super) fn note_published(&mut self, data: &Path, remote: Option<&Remote>) -> anyhow::Result<()> {
        let path = data.join(OUTBOX);
        durable::replace(&path, format!("{}{HAS_PUBLISHED}", self.id).as_bytes()).with_context(|| format!("writing {}", path.display()))?;
        remote.map_or(Ok(()), |remote| remote.replace(data, OUTBOX))?;
        self.has_published = true;
        Ok(())
    }
}

/// The id of a data directory's outbox, created on first use.
pub(super) fn id(data: &Path, remote: Option<&Remote>) -> anyhow::Result<OutboxId> {
    let path = data.join(OUTBOX);
    match fs::read_to_string(&path) {
        Ok(text) => return checked(&path, remote, text.trim()),
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error).with_context(|| format!("reading {}", path.display())),
    }
    // Any id will do that no other directory has.
    let unlike = format!("{} {} {}", data.display(), wall_clock::now(), std::process::id());
    let id = format!("{PREFIX}{}", Digest::<8>::shortened(&Digest::sha256(unlike).0));
    durable::replace(&path, id.as_bytes()).with_context(|| format!("writing {}", path.display()))?;
    // Before anything is published under it.
    remote.map_or(Ok(()), |remote| remote.replace(data, OUTBOX))?;
    Ok(OutboxId { id, has_published: false })
}

/// The id that a file holds. Another text is no id of this directory: under it all commits would be published again, or those of
/// another directory would be taken for this one's.
fn checked(path: &Path, remote: Option<&Remote>, text: &str) -> anyhow::Result<OutboxId> {
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let (id, has_published) = text.strip_suffix(HAS_PUBLISHED).map_or((text, false), |id| (id, true));
    if id.strip_prefix(PREFIX).is_some_and(|digits| digits.len() == 16 && digits.bytes().all(is_digit)) {
        return Ok(OutboxId { id: id.to_owned(), has_published });
    }
    let what = if text.is_empty() { "is empty".to_owned() } else { format!("has {text:?}") };
    let bucket = remote.map_or_else(String::new, |remote| format!(" and {}/{OUTBOX}", remote.bucket().url()));
    bail!(
        "{} {what}, and not the id of an outbox ({PREFIX} and 16 hexadecimal digits): restore it from a copy; or remove it{bucket} to publish all commits of the directory under a new id",
        path.display()
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_created_once_and_kept() {
        let folder = tempfile::tempdir().unwrap();
        let first = id(folder.path(), None).unwrap();
        assert!(!first.has_published);
        assert_eq!(fs::read_to_string(folder.path().join(OUTBOX)).unwrap(), first.id);
        assert_eq!(id(folder.path(), None).unwrap(), first);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no draft is left");
    }

    #[test]
    fn a_file_without_an_id_is_refused_with_the_mend() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(OUTBOX);
        for (case, content, expected) in [
            ("empty after a full disk", "", "OUTBOX is empty"),
            ("blank", "\n", "OUTBOX is empty"),
            ("zeros after a power loss", "\0\0\0", "OUTBOX has \"\\0\\0\\0\""),
            ("cut off", "headwater-0123456789abcde", "OUTBOX has \"headwater-0123456789abcde\""),
            ("too long", "headwater-0123456789abcdef0", "OUTBOX has "),
            ("other digits", "headwater-0123456789ABCDEF", "OUTBOX has "),
            ("another name", "outbox-0123456789abcdef", "OUTBOX has "),
            ("no id that has published", " has published", "OUTBOX has "),
        ] {
            fs::write(&path, content).unwrap();
            let error = id(folder.path(), None).expect_err(case).to_string();
            assert!(error.contains(expected) && error.contains("restore it from a copy; or remove it to publish"), "{case}: {error}");
            assert_eq!(fs::read_to_string(&path).unwrap(), content, "{case}: the file stays as it is");
        }
        fs::write(&path, "headwater-0123456789abcdef\n").unwrap();
        assert_eq!(id(folder.path(), None).unwrap().id, "headwater-0123456789abcdef");
    }

    #[test]
    fn that_a_commit_was_published_is_kept_with_the_id() {
        let folder = tempfile::tempdir().unwrap();
        let mut id_of = id(folder.path(), None).unwrap();
        id_of.note_published(folder.path(), None).unwrap();
        assert!(id_of.has_published);
        assert_eq!(id(folder.path(), None).unwrap(), id_of);
    }
}
