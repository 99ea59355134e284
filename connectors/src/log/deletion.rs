//! Deletions in a log: lines that say which key of a table topic is deleted, in place of a record with a key and no value.
//!
//! The line is the object `{"$delete":"KEY"}` and nothing else. It cannot be an event, because an event of any topic has other
//! fields as well. An object with more fields than this is an event, whose unknown field is ignored.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

const FIELD: &[u8] = b"\"$delete\"";

/// The line, as an object.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line<'a> {
    #[serde(rename = "$delete", borrow)]
    key: Cow<'a, str>,
}

/// The key that a line deletes; `None` if the line is no deletion.
pub fn deleted_key(line: &[u8]) -> Option<Cow<'_, str>> {
    // Almost no line is one: only those that begin like one are parsed.
    let fields = line.trim_ascii_start().strip_prefix(b"{")?.trim_ascii_start();
    if !fields.starts_with(FIELD) {
        return None;
    }
    serde_json::from_slice::<Line<'_>>(line).ok().map(|line| line.key)
}

/// The line that deletes a key.
pub(super) fn line(key: &str) -> serde_json::Result<Vec<u8>> {
    serde_json::to_vec(&Line { key: Cow::Borrowed(key) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deletion_is_an_object_of_its_field_alone() {
        for (name, line, expected) in [
            ("as it is written", r#"{"$delete":"eve|var"}"#, Some("eve|var")),
            ("with spaces", r#" { "$delete" : "G1" } "#, Some("G1")),
            ("with escapes", r#"{"$delete":"a\"\u0041\n"}"#, Some("a\"A\n")),
            ("an empty key", r#"{"$delete":""}"#, Some("")),
            ("an event with an unknown field", r#"{"$delete":"G1","symbol":"ACME"}"#, None),
            ("another unknown field first", r#"{"symbol":"ACME","$delete":"G1"}"#, None),
            ("twice", r#"{"$delete":"G1","$delete":"G2"}"#, None),
            ("no text", r#"{"$delete":7}"#, None),
            ("more after it", r#"{"$delete":"G1"} {}"#, None),
            ("no JSON", r#"{"$delete":"G1"#, None),
            ("an event", r#"{"symbol":"ACME"}"#, None),
            ("nothing", "", None),
        ] {
            assert_eq!(deleted_key(line.as_bytes()).as_deref(), expected, "{name}");
        }
        assert_eq!(deleted_key(b"{\"$delete\":\"\xff\"}"), None, "no UTF-8");
    }

    #[test]
    fn every_key_is_read_back_from_its_line() -> serde_json::Result<()> {
        for key in ["", "a", "a|b", "\"\\", "line\nbreak\r", "\u{0}\u{1f}", "Zoë", "{\"$delete\":\"x\"}"] {
            let line = line(key)?;
            assert!(!line.contains(&b'\n') && !line.contains(&b'\r'), "{key:?}");
            assert_eq!(deleted_key(&line).as_deref(), Some(key));
        }
        Ok(())
    }
}
