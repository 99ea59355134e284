//! Passwords: SCRAM-SHA-256 (RFC 5802, RFC 7677) from the side of the server, without channel binding.
//!
//! A [`Secret`] has the form of PostgreSQL's, so that it can be copied from `pg_authid`. A password can be checked with it, but
//! whoever reads it cannot log in with it.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Deserializer};
use sha2::{Digest, Sha256};

const PREFIX: &str = "SCRAM-SHA-256$";
/// Iterations of new secrets, as in PostgreSQL.
const ITERATIONS: u32 = 4096;
/// The most iterations: they cost the client time.
const ITERATIONS_MAX: u32 = 10_000_000;

type Key = [u8; 32];

/// What is kept of a password.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    iterations: u32,
    salt: Vec<u8>,
    stored_key: Key,
    server_key: Key,
}

/// Why a secret or a password cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// The text is not a secret.
    #[error("it is not a secret like SCRAM-SHA-256$4096:…$…:…: make one with `headwater serve --password NAME`")]
    Form,
    /// The password has characters that clients do not all send in the same way.
    #[error("the password needs 1 to 256 visible ASCII characters or spaces: clients do not all send other ones in the same way")]
    Characters,
    /// The system gives no random bytes.
    #[error("the system gives no random bytes")]
    Random,
}

impl Secret {
    /// The secret of a new password.
    pub fn new(password: &str) -> Result<Self, SecretError> {
        Self::of(password, &random::<16>()?)
    }

    pub(super) fn of(password: &str, salt: &[u8]) -> Result<Self, SecretError> {
        let is_plain = (1..=256).contains(&password.len()) && password.bytes().all(|byte| (b' '..=b'~').contains(&byte));
        if !is_plain {
            return Err(SecretError::Characters);
        }
        Self::derived(password.as_bytes(), salt).ok_or(SecretError::Characters)
    }

    fn derived(password: &[u8], salt: &[u8]) -> Option<Self> {
        let salted = salted(password, salt, ITERATIONS)?;
        let stored_key = stored_key(&salted)?;
        Some(Self { iterations: ITERATIONS, salt: salt.to_vec(), stored_key, server_key: hmac(&salted, b"Server Key")? })
    }

    /// Whether it is that of a password. It takes as long as the iterations, whether or not the password is right.
    pub(super) fn is_of(&self, password: &str) -> bool {
        let key = salted(password.as_bytes(), &self.salt, self.iterations).and_then(|salted| stored_key(&salted));
        key.is_some_and(|key| are_equal(&key, &self.stored_key))
    }

    /// What an unknown user is asked for, so that it looks like a known one: always the same for a name, and no password fits.
    pub(super) fn of_nobody(name: &str, seed: &[u8]) -> Self {
        let salt = hmac(seed, name.as_bytes()).unwrap_or_default().get(..16).unwrap_or_default().to_vec();
        Self { iterations: ITERATIONS, salt, stored_key: [0; 32], server_key: [0; 32] }
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { iterations, salt, stored_key, server_key } = self;
        let [salt, stored, server] = [STANDARD.encode(salt), STANDARD.encode(stored_key), STANDARD.encode(server_key)];
        write!(out, "{PREFIX}{iterations}:{salt}${stored}:{server}")
    }
}

/// Not in logs.
impl fmt::Debug for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a secret")
    }
}

impl FromStr for Secret {
    type Err = SecretError;

    fn from_str(text: &str) -> Result<Self, SecretError> {
        let parse = || {
            let (head, keys) = text.strip_prefix(PREFIX)?.split_once('$')?;
            let (iterations, salt) = head.split_once(':')?;
            let (stored, server) = keys.split_once(':')?;
            let key = |text: &str| Key::try_from(STANDARD.decode(text).ok()?).ok();
            let iterations = iterations.parse().ok().filter(|count| (1..=ITERATIONS_MAX).contains(count))?;
            Some(Self { iterations, salt: STANDARD.decode(salt).ok()?, stored_key: key(stored)?, server_key: key(server)? })
        };
        parse().ok_or(SecretError::Form)
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        String::deserialize(input)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Random bytes of the system.
pub(super) fn random<const N: usize>() -> Result<[u8; N], SecretError> {
    use rand::TryRng;
    let mut bytes = [0; N];
    rand::rngs::SysRng.try_fill_bytes(&mut bytes).map_err(|_| SecretError::Random)?;
    Ok(bytes)
}

/// An exchange in which the client has yet to prove that it knows the password.
pub(super) struct Exchange {
    secret: Secret,
    nonce: String,
    /// The beginning of what both sides sign.
    signed: String,
    /// The client's flag of channel binding, which it has to repeat.
    header: String,
}

impl Exchange {
    /// Takes the client's first message; the second value is the answer to it.
    pub(super) fn begin(secret: Secret, first: &str, server_nonce: &[u8]) -> Option<(Self, String)> {
        // `n,,` or `y,,` and then the bare message. `p` would ask for channel binding, which is not offered.
        let (flag, rest) = first.split_once(',')?;
        let (authorization, bare) = rest.split_once(',')?;
        if !matches!(flag, "n" | "y") || !authorization.is_empty() {
            return None;
        }
        let nonce = bare.split(',').find_map(|attribute| attribute.strip_prefix("r="))?;
        let nonce = format!("{nonce}{}", STANDARD.encode(server_nonce));
        let answer = format!("r={nonce},s={},i={}", STANDARD.encode(&secret.salt), secret.iterations);
        let signed = format!("{bare},{answer}");
        Some((Self { secret, nonce, signed, header: format!("{flag},,") }, answer))
    }

    /// Takes the client's last message; the answer proves that the server has the secret. `None` if the password is wrong.
    pub(super) fn finish(&self, last: &str) -> Option<String> {
        let (unproved, proof) = last.rsplit_once(",p=")?;
        let attribute = |name: &str| unproved.split(',').find_map(|attribute| attribute.strip_prefix(name));
        if attribute("c=")? != STANDARD.encode(&self.header) || attribute("r=")? != self.nonce {
            return None;
        }
        let signed = format!("{},{unproved}", self.signed);
        let signature = hmac(&self.secret.stored_key, signed.as_bytes())?;
        let server_proof = hmac(&self.secret.server_key, signed.as_bytes())?;
        let proof = Key::try_from(STANDARD.decode(proof).ok()?).ok()?;
        let client_key = xor(&proof, &signature);
        let stored_key: Key = Sha256::digest(client_key).into();
        are_equal(&stored_key, &self.secret.stored_key).then(|| format!("v={}", STANDARD.encode(server_proof)))
    }
}

/// The key that a server keeps, from a salted password.
fn stored_key(salted: &Key) -> Option<Key> {
    Some(Sha256::digest(hmac(salted, b"Client Key")?).into())
}

/// Compares keys in a time that does not depend on where they differ.
pub(super) fn are_equal(a: &Key, b: &Key) -> bool {
    xor(a, b).iter().fold(0, |all, byte| all | byte) == 0
}

/// HMAC-SHA-256. Keys of every length are taken.
pub(super) fn hmac(key: &[u8], message: &[u8]) -> Option<Key> {
    Some(sign(&Hmac::new_from_slice(key).ok()?, message))
}

fn sign(keyed: &Hmac<Sha256>, message: &[u8]) -> Key {
    keyed.clone().chain_update(message).finalize().into_bytes().into()
}

/// PBKDF2 with HMAC-SHA-256 and one block (RFC 8018).
fn salted(password: &[u8], salt: &[u8], iterations: u32) -> Option<Key> {
    let keyed = Hmac::new_from_slice(password).ok()?;
    let mut round = sign(&keyed, &[salt, &1_u32.to_be_bytes()].concat());
    let mut key = round;
    for _ in 1..iterations {
        round = sign(&keyed, &round);
        key = xor(&key, &round);
    }
    Some(key)
}

fn xor(a: &Key, b: &Key) -> Key {
    let mut both = *a;
    both.iter_mut().zip(b).for_each(|(byte, other)| *byte ^= other);
    both
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 7677.
    #[test]
    fn the_exchange_of_the_standard_is_followed() {
        let salt = STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
        let secret = Secret::of("pencil", &salt).unwrap();
        let first = "n,,n=user,r=rOprNGfwEbeRWgbNEkqO";
        let (mut exchange, _) = Exchange::begin(secret, first, b"").unwrap();
        exchange.nonce = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0".to_owned();
        let answer = format!("r={},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096", exchange.nonce);
        exchange.signed = format!("n=user,r=rOprNGfwEbeRWgbNEkqO,{answer}");
        let last = format!("c=biws,r={},p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=", exchange.nonce);
        assert_eq!(exchange.finish(&last).as_deref(), Some("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="));
        assert_eq!(exchange.finish(&last.replace("dHz", "eHz")), None);
        assert_eq!(exchange.finish(&last.replace("biws", "eSws")), None);
    }

    #[test]
    fn a_password_is_checked_with_its_secret() {
        let secret = Secret::new("correct horse").unwrap();
        assert!(secret.is_of("correct horse"));
        for wrong in ["", "correct horse ", "Correct horse", "correct\u{a0}horse"] {
            assert!(!secret.is_of(wrong), "{wrong:?}");
        }
        assert!(!Secret::of_nobody("ann", &[1; 32]).is_of("correct horse"));
    }

    #[test]
    fn a_secret_reads_back_and_hides_itself() {
        let secret = Secret::new("correct horse").unwrap();
        assert_eq!(secret.to_string().parse(), Ok(secret.clone()));
        assert_eq!(format!("{secret:?}"), "a secret");
        assert_ne!(Secret::new("correct horse").unwrap(), secret, "each has its own salt");
        for bad in ["", "pencil", "SCRAM-SHA-256$0:AAAA$AAAA:AAAA", "SCRAM-SHA-256$4096:AAAA$AAAA:AAAA"] {
            assert_eq!(bad.parse::<Secret>(), Err(SecretError::Form), "{bad}");
        }
        assert_eq!(Secret::new("pässword"), Err(SecretError::Characters));
    }
}
