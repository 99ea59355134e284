//! Identifiers and free text. Texts of up to 23 bytes are stored inline, without an allocation; copies of a longer one share it, as many
//! views remember the id of one event.

use std::borrow::Cow;
use std::fmt;
use std::hash::Hasher;
use std::ops::Deref;

use serde::{Deserialize, Deserializer, Serialize};
use siphasher::sip128::{Hasher128, SipHasher13};
use smol_str::SmolStr;

/// Free text: a merchant, a venue, a message. From outside it has at most 1024 characters; a text that the pipeline wrote itself
/// may be longer.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Text(SmolStr);

impl Text {
    /// Maximum length of a text from outside, in characters.
    pub const MAX_LENGTH: usize = 1024;

    /// A text that is known at compile time.
    pub const fn const_new(text: &'static str) -> Self {
        Self(SmolStr::new_static(text))
    }

    /// The text.
    pub fn new(text: impl AsRef<str>) -> Self {
        Self(SmolStr::new(text))
    }

    /// The text as a string slice.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Deref for Text {
    type Target = str;
    fn deref(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for Text {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for Text {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:?}", self.0)
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = Text;
            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a text (a string)")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Text, E> {
                // A character has at least one byte, so most texts need no counting.
                if text.len() > Text::MAX_LENGTH && text.chars().count() > Text::MAX_LENGTH {
                    return Err(E::custom("[bad_text] a text has at most 1024 characters; shorten it"));
                }
                Ok(Text::new(text))
            }
        }
        if input.is_human_readable() { input.deserialize_str(Visitor) } else { SmolStr::deserialize(input).map(Self) }
    }
}

impl schemars::JsonSchema for Text {
    fn schema_name() -> Cow<'static, str> {
        "Text".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "maxLength": Text::MAX_LENGTH, "description": "a text of at most 1024 characters" })
    }
}

/// An identifier: 1 to 64 visible ASCII characters. Symbols, currencies, accounts and customers have [names](super::Name), which
/// are identifiers, too.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Id(SmolStr);

/// Why a text is not an [`Id`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseIdError {
    /// No characters, or more than 64.
    #[error("must have 1 to 64 characters")]
    Length,
    /// Something other than visible ASCII.
    #[error("may only have visible ASCII characters (no spaces, no control characters)")]
    Characters,
}

impl ParseIdError {
    /// The error of a record's field with this text.
    pub(super) fn of<E: serde::de::Error>(self, text: &str) -> E {
        E::custom(format!("[bad_id] {text:?} is no identifier, which {self}"))
    }
}

impl Id {
    /// Maximum length, in characters.
    pub const MAX_LENGTH: usize = 64;

    /// Checks the syntax of identifiers.
    pub fn new(text: &str) -> Result<Self, ParseIdError> {
        Self::check(text).map(|()| Self(SmolStr::new(text)))
    }

    /// Whether a text has the syntax of identifiers.
    pub(super) fn check(text: &str) -> Result<(), ParseIdError> {
        if text.is_empty() || text.len() > Self::MAX_LENGTH {
            return Err(ParseIdError::Length);
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(ParseIdError::Characters);
        }
        Ok(())
    }

    /// A derived identifier, from the parts that make it unique. If the text has more than 64 characters, the result is its first
    /// 31, `~`, and its 128-bit digest in hexadecimal.
    pub fn shortened(text: &str) -> Self {
        if text.len() <= Self::MAX_LENGTH {
            return Self::derived(text);
        }
        let mut hasher = SipHasher13::new_with_keys(0x6865_6164_7761_7465, 0x6c6f_6e67_2069_6473);
        hasher.write(text.as_bytes());
        let kept = text.get(..31).unwrap_or_default();
        Self::derived(format!("{kept}~{:032x}", hasher.finish128().as_u128()))
    }

    /// A derived identifier that is not the id of an event, like a scope. It is not shortened, so possibly longer than 64
    /// characters.
    pub fn derived(text: impl Into<SmolStr>) -> Self {
        Self(text.into())
    }

    /// The identifier as a string slice.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Deref for Id {
    type Target = str;
    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Id {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:?}", self.0)
    }
}

impl std::borrow::Borrow<str> for Id {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = Id;
            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("an identifier (a string)")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Id, E> {
                Id::new(text).map_err(|error| error.of(text))
            }
        }
        if input.is_human_readable() { input.deserialize_str(Visitor) } else { SmolStr::deserialize(input).map(Self) }
    }
}

impl schemars::JsonSchema for Id {
    fn schema_name() -> Cow<'static, str> {
        "Id".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string", "pattern": "^[!-~]{1,64}$",
            "description": "an identifier: 1 to 64 visible ASCII characters"
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_derived_id_has_at_most_64_characters_and_stays_what_it_is() {
        let long = "S".repeat(63);
        for (text, expected) in [("S-1-b".to_owned(), "S-1-b".to_owned()), (format!("{long}x"), format!("{long}x"))] {
            assert_eq!(Id::shortened(&text).as_str(), expected);
        }
        let shortened: Vec<Id> = ["-1-b", "-1-s", "-2-b"].iter().map(|end| Id::shortened(&format!("{long}{end}"))).collect();
        for (number, id) in shortened.iter().enumerate() {
            assert_eq!(Id::new(id.as_str()).as_ref(), Ok(id));
            assert_eq!((id.len(), id.get(..32)), (64, Some("SSSSSSSSSSSSSSSSSSSSSSSSSSSSSSS~")));
            assert!(!shortened[..number].contains(id), "{id} twice");
        }
    }

    #[test]
    fn an_id_is_1_to_64_visible_ascii_characters() {
        for (text, expected) in [
            ("A", Ok(())),
            ("order-1/x~!", Ok(())),
            ("", Err(ParseIdError::Length)),
            (&"x".repeat(64), Ok(())),
            (&"x".repeat(65), Err(ParseIdError::Length)),
            ("a b", Err(ParseIdError::Characters)),
            ("a\n", Err(ParseIdError::Characters)),
            ("é", Err(ParseIdError::Characters)),
        ] {
            assert_eq!(Id::new(text).map(|_| ()), expected, "{text:?}");
        }
    }
}
