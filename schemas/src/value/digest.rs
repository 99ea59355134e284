//! Digests: fixed-length hashes, written as hexadecimal.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256};

/// A digest of `N` bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest<const N: usize>(pub [u8; N]);

impl<const N: usize> Digest<N> {
    /// All zeros, in place of a predecessor of the first.
    pub const ZERO: Self = Self([0; N]);

    /// Its length in bytes, as the width of a column.
    #[allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap, reason = "digests have a few dozen bytes")]
    pub(crate) const WIDTH: i32 = N as i32;

    /// The first bytes of a longer digest.
    pub fn shortened(bytes: &[u8]) -> Self {
        let mut short = [0; N];
        short.iter_mut().zip(bytes).for_each(|(short, byte)| *short = *byte);
        Self(short)
    }
}

impl Digest<32> {
    /// The SHA-256 of a content.
    pub fn sha256(content: impl AsRef<[u8]>) -> Self {
        Self(Sha256::digest(content).into())
    }
}

/// Bytes, written as lower-case hexadecimal.
#[derive(Clone, Copy, Debug)]
pub struct Hex<'b>(pub &'b [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(out, "{byte:02x}"))
    }
}

impl<const N: usize> Default for Digest<N> {
    fn default() -> Self {
        Self::ZERO
    }
}

impl<const N: usize> fmt::Display for Digest<N> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        Hex(&self.0).fmt(out)
    }
}

impl<const N: usize> fmt::Debug for Digest<N> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

/// A text that is not a digest of this length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a digest is {0} hexadecimal digits")]
pub struct ParseDigestError(usize);

impl<const N: usize> FromStr for Digest<N> {
    type Err = ParseDigestError;

    fn from_str(text: &str) -> Result<Self, ParseDigestError> {
        let wrong = ParseDigestError(N * 2);
        let (pairs, rest) = text.as_bytes().as_chunks::<2>();
        if pairs.len() != N || !rest.is_empty() {
            return Err(wrong);
        }
        let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        let mut bytes = [0; N];
        for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
            *byte = digit(*high).zip(digit(*low)).map(|(high, low)| high << 4 | low).ok_or(wrong)?;
        }
        Ok(Self(bytes))
    }
}

impl<const N: usize> Serialize for Digest<N> {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.collect_str(self)
    }
}

impl<'de, const N: usize> Deserialize<'de> for Digest<N> {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        String::deserialize(input)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_written_as_hexadecimal_and_read_back() {
        let digest = Digest([0x00, 0x7f, 0xff]);
        assert_eq!(digest.to_string(), "007fff");
        assert_eq!("007FFF".parse(), Ok(digest));
        for wrong in ["", "007ff", "007fff00", "007fgg", "00 fff"] {
            assert!(wrong.parse::<Digest<3>>().is_err(), "{wrong}");
        }
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(Digest::sha256("").to_string(), empty);
        assert_eq!(Digest::<2>::shortened(&digest.0), Digest([0x00, 0x7f]));
    }
}
