//! Names of files' objects: the path with part of the content's hash before its extension.
//!
//! ```text
//!  balances/date=2026-01-05/7-0.parquet   ◄─►  balances/date=2026-01-05/7-0.5d41402abc4b2a76.parquet
//!  segments/7-0.segment                   ◄─►  segments/7-0.b1946ac92492d234.segment
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use headwater_schemas::Digest;

use crate::parquet::chain::{ChainError, Live};
use crate::parquet::directory::SEGMENTS;
use crate::parquet::record::CommittedFile;
use crate::parquet::records::Records;

/// Digits of the hash in a name.
const DIGITS: usize = 16;

/// The objects of files, by path. All parts of a segment must be among them, because its name depends on each.
pub(super) fn objects(files: &[CommittedFile]) -> BTreeMap<String, String> {
    let mut segments = BTreeMap::<&str, BTreeMap<u64, &str>>::new();
    let mut objects = BTreeMap::new();
    for file in files {
        match &file.part {
            Some(part) => {
                segments.entry(&file.path).or_default().insert(part.begin, &file.sha256);
            }
            None => {
                objects.insert(file.path.clone(), object(&file.path, &file.sha256));
            }
        }
    }
    for (path, parts) in segments {
        let mut hashes = String::new();
        for (begin, sha256) in parts {
            let _ = writeln!(hashes, "{begin} {sha256}");
        }
        objects.insert(path.to_owned(), object(path, &Digest::sha256(hashes).to_string()));
    }
    objects
}

/// The files that exist with what names their objects. Those of segments follow from the records that added them.
pub(super) fn stored(live: &Live, records: &mut Records) -> Result<Vec<CommittedFile>, ChainError> {
    let mut files: Vec<_> = live.files().iter().filter(|file| file.part.is_none()).map(|file| file.committed()).collect();
    let segments: BTreeMap<&str, u64> =
        live.files().iter().filter(|file| file.part.is_some()).map(|file| (&*file.path, file.commit_id)).collect();
    let commits: BTreeSet<u64> = segments.values().copied().collect();
    for commit_id in commits {
        let parts = records.record(commit_id)?.files.into_iter().filter(|file| segments.contains_key(file.path.as_str()));
        files.extend(parts);
    }
    Ok(files)
}

fn object(path: &str, sha256: &str) -> String {
    let (stem, extension) = path.rsplit_once('.').unwrap_or((path, ""));
    format!("{stem}.{}.{extension}", sha256.get(..DIGITS).unwrap_or(sha256))
}

/// The path of an object's file; `None` of other objects, such as those of another directory below this one's folder.
pub(super) fn path(object: &str) -> Option<String> {
    let (named, extension) = object.rsplit_once('.')?;
    let (stem, hash) = named.rsplit_once('.')?;
    let is_hash = hash.len() == DIGITS && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
    let folders: Vec<_> = stem.split('/').rev().skip(1).collect();
    let is_of_table = matches!(folders.as_slice(), [day, _] if day.starts_with("date="));
    (is_hash && (is_of_table || folders == [SEGMENTS])).then(|| format!("{stem}.{extension}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parquet::record::{FileRole, Part};

    fn file(path: &str, begin: Option<u64>, content: &str) -> CommittedFile {
        let part = begin.map(|begin| Part { begin, day: "2026-01-05".to_owned() });
        let (path, table, sha256) = (path.to_owned(), "t".to_owned(), Digest::sha256(content).to_string());
        CommittedFile { path, table, role: FileRole::Rows, merged: None, part, rows: 1, bytes: 1, sha256 }
    }

    #[test]
    fn another_content_has_another_object_and_every_object_tells_its_path() {
        let parquet = "t/date=2026-01-05/7-0.parquet";
        let segment = "segments/7-0.segment";
        let of = |parts: &[(u64, &str)], content: &str| {
            let parts = parts.iter().map(|(begin, content)| file(segment, Some(*begin), content));
            let files: Vec<_> = parts.chain([file(parquet, None, content)]).collect();
            objects(&files)
        };
        let one = of(&[(0, "a"), (9, "b")], "c");
        assert_eq!(one, of(&[(9, "b"), (0, "a")], "c"), "whatever the order of the parts");
        for other in [of(&[(0, "a"), (9, "B")], "C"), of(&[(0, "a"), (8, "b")], "d")] {
            for path in [parquet, segment] {
                assert_ne!(one.get(path), other.get(path), "{path}");
            }
        }
        for (file, object) in &one {
            assert_eq!(path(object).as_deref(), Some(file.as_str()));
        }
        for other in [
            "HEAD",
            "OUTBOX",
            "commits/7.json",
            "commits/1-64.jsonl.zst",
            "commits/64.files.json",
            "commits/abc.configuration.json",
            "other/segments/7-0.0123456789abcdef.segment",
            "other/t/date=2026-01-05/7-0.0123456789abcdef.parquet",
            "static/main.0123456789abcdef.js",
        ] {
            assert_eq!(path(other), None, "{other}");
        }
    }
}
