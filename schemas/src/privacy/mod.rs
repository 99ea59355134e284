//! Personal data: the fields that hold it, and the tokens that are written in their place.
//!
//! - [`PERSONAL`] are the fields. No error quotes their values.
//! - [`Tokens`] replaces values of chosen fields in rows, each by a keyed hash.
//! - [`Keys`] are the keys of those hashes. When that of a customer is destroyed, nobody can tell any more whether a token was of a
//!   guessed value.

mod keys;
mod letters;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

pub use keys::{Keys, KeysError, Subject};

use crate::value::Digest;

/// Fields with personal data. Errors do not quote their values: errors are logged, counted and shown where records are not.
pub const PERSONAL: [&str; 10] =
    ["home_lat", "home_lon", "birth_date", "country", "lat", "lon", "device_id", "ip", "merchant", "description"];

/// What begins a token.
const TOKEN: &str = "tok_";
/// In place of a value whose record names no customer and no account.
const WITHHELD: &str = "withheld";
/// In place of a value of a subject whose key was destroyed.
const ERASED: &str = "erased";

/// Tokens in place of the values of some personal fields.
///
/// The token of a value is `tok_` and the first 12 bytes, as hexadecimal, of HMAC-SHA-256 over the field's name, a zero byte and the
/// value, with the key of the account, or of the customer where there is no account. So equal values of one account have equal tokens,
/// and those of two accounts differ.
#[derive(Clone, Debug)]
pub struct Tokens {
    fields: Vec<String>,
    keys: Keys,
}

impl Tokens {
    /// Tokens for the values of fields.
    pub const fn new(fields: Vec<String>, keys: Keys) -> Self {
        Self { fields, keys }
    }

    /// Whether values of a field are replaced.
    pub fn replaces(&self, field: &str) -> bool {
        self.fields.iter().any(|name| name == field)
    }

    /// What is written in place of a value. Without a subject, that it is withheld.
    pub fn token(&self, subject: Option<Subject<'_>>, field: &str, value: &str) -> String {
        let Some(subject) = subject else { return WITHHELD.to_owned() };
        self.keys.key(subject).and_then(|key| hashed(&key, field, value)).unwrap_or_else(|| ERASED.to_owned())
    }
}

/// The token of a value. Every length of a key is accepted by the hash.
fn hashed(key: &Digest<32>, field: &str, value: &str) -> Option<String> {
    let mut hash = Hmac::<Sha256>::new_from_slice(&key.0).ok()?;
    hash.update(field.as_bytes());
    hash.update(&[0]);
    hash.update(value.as_bytes());
    Some(format!("{TOKEN}{}", Digest::<12>::shortened(&hash.finalize().into_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_a_keyed_hash_of_its_field_and_value() {
        let mut keys = Keys::of(Digest([7; 32]));
        let account = |id| Some(Subject::Account(id));
        let tokens = |keys: &Keys| Tokens::new(vec!["ip".to_owned(), "merchant".to_owned()], keys.clone());
        let said = |subject, field, value| tokens(&keys).token(subject, field, value);
        let token = said(account("a"), "ip", "10.0.0.1");
        assert!(token.len() == TOKEN.len() + 24 && token.starts_with(TOKEN), "{token}");
        assert_eq!(said(account("a"), "ip", "10.0.0.1"), token);
        let others = [
            said(account("b"), "ip", "10.0.0.1"),
            said(Some(Subject::Customer("a")), "ip", "10.0.0.1"),
            said(account("a"), "merchant", "10.0.0.1"),
            said(account("a"), "ip", "10.0.0.2"),
        ];
        assert!(!others.contains(&token), "{others:?}");
        assert_eq!(said(None, "ip", "10.0.0.1"), "withheld");
        let before = tokens(&keys);
        assert_eq!((before.replaces("ip"), before.replaces("country")), (true, false));
        keys.destroy(Subject::Account("a"));
        assert_eq!(tokens(&keys).token(account("a"), "ip", "10.0.0.1"), "erased");
        assert_eq!(tokens(&keys).token(account("b"), "ip", "10.0.0.1"), others[0]);
    }

    /// RFC 4231, test case 2, is what this crate's HMAC gives.
    #[test]
    fn the_hash_is_hmac_sha_256() {
        let mut hash = Hmac::<Sha256>::new_from_slice(b"Jefe").expect("any length");
        hash.update(b"what do ya want for nothing?");
        let expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert_eq!(Digest::<32>::shortened(&hash.finalize().into_bytes()).to_string(), expected);
    }
}
