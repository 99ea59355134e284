//! Names that come back with every event: accounts, symbols, customers, currencies, scopes.
//!
//! A process keeps each of them once. A [`Name`] is a reference to that one text, beside the text's hash: it is copied like a
//! number, and compared for equality and hashed without a look at the text. Ordered they are by their texts, like everything visible; to other
//! processes they go as texts. The hash is of the text, and the same in every process and run.
//!
//! What was named once stays in memory until the process ends, some 60 bytes for each. Ids of single events, of which there is
//! no end, are [`Id`]s.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::{Mutex, PoisonError};

use compact_str::CompactString;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use siphasher::sip::SipHasher13;

use super::{Id, ParseIdError};

/// The name of something of kind `K`, an identifier like [`Id`]. Names of two kinds are two types.
pub struct Name<K> {
    kept: Kept,
    kind: PhantomData<fn() -> K>,
}

/// A text that the process keeps.
#[derive(Clone, Copy)]
struct Kept {
    hash: u64,
    text: &'static CompactString,
}

impl Kept {
    fn new(hash: u64, text: &str) -> Self {
        Self { hash, text: Box::leak(Box::new(text.into())) }
    }
}

/// What has names.
pub trait Named: 'static {
    /// The name's type in JSON Schemas.
    const TYPE: &'static str;
}

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {
        /// What has names: the kinds of [`Name`](super::Name).
        pub mod named {$(
            #[doc = concat!("What a [`", stringify!($name), "`](super::", stringify!($name), ") names.")]
            #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
            pub enum $name {}

            impl super::Named for $name {
                const TYPE: &'static str = stringify!($name);
            }
        )+}
        $($(#[$doc])* pub type $name = Name<named::$name>;)+
    };
}

names! {
    /// The name of an account.
    AccountId,
    /// The name of a customer.
    CustomerId,
    /// Whose orders do not trade with each other: an account's customer, or an account that has none.
    OwnerId,
    /// The name of an instrument.
    Symbol,
    /// The code of a currency: `USD`, or a coin's.
    Currency,
    /// What figures and limits are about: `account:A`, or a node of the book path, `firm/desk`.
    Scope,
}

/// A power of two: names are kept in as many tables, so that workers seldom wait for each other.
const TABLES: usize = 16;

static NAMES: [Mutex<HashTable<Kept>>; TABLES] = [const { Mutex::new(HashTable::new()) }; TABLES];

/// What the process keeps for a text.
fn kept(text: &str) -> Kept {
    let hash = {
        let mut hasher = SipHasher13::new_with_keys(0x6865_6164_7761_7465, 0x726e_616d_6573_3031);
        hasher.write(text.as_bytes());
        hasher.finish()
    };
    // The table's own places are found by other bits of the hash.
    let number = usize::try_from(hash >> 32).unwrap_or_default() % TABLES;
    let Some(table) = NAMES.get(number) else { return Kept::new(hash, text) };
    let mut table = table.lock().unwrap_or_else(PoisonError::into_inner);
    match table.entry(hash, |kept| kept.hash == hash && *kept.text == *text, |kept| kept.hash) {
        Entry::Occupied(kept) => *kept.get(),
        Entry::Vacant(place) => *place.insert(Kept::new(hash, text)).get(),
    }
}

/// What the accounts that stand for the world outside begin with.
const EXTERNAL: &str = "external:";

impl AccountId {
    /// The account that stands for the world outside, for a currency: `external:USD`.
    pub fn external(currency: Currency) -> Self {
        Self::derived(format!("{EXTERNAL}{currency}"))
    }

    /// Whether it stands for the world outside, so that money there is not ours.
    pub fn is_external(&self) -> bool {
        self.as_str().starts_with(EXTERNAL)
    }
}

impl<K> Name<K> {
    /// Checks the rule of identifiers.
    pub fn new(text: &str) -> Result<Self, ParseIdError> {
        Id::check(text).map(|()| Self::derived(text))
    }

    /// A name that the pipeline made itself, or that was checked before.
    pub fn derived(text: impl AsRef<str>) -> Self {
        Self { kept: kept(text.as_ref()), kind: PhantomData }
    }

    /// The same text as the name of something of another kind.
    pub const fn of_kind<L>(self) -> Name<L> {
        Name { kept: self.kept, kind: PhantomData }
    }

    /// The same text as an [`Id`].
    pub fn to_id(self) -> Id {
        Id::derived(self.as_str())
    }

    /// The characters.
    pub fn as_str(&self) -> &'static str {
        self.kept.text
    }
}

impl<K> Clone for Name<K> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K> Copy for Name<K> {}

impl<K> Default for Name<K> {
    fn default() -> Self {
        Self::derived("")
    }
}

impl<K> PartialEq for Name<K> {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.kept.text, other.kept.text)
    }
}

impl<K> Eq for Name<K> {}

impl<K> PartialOrd for Name<K> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<K> Ord for Name<K> {
    fn cmp(&self, other: &Self) -> Ordering {
        if self == other { Ordering::Equal } else { self.kept.text.cmp(other.kept.text) }
    }
}

impl<K> Hash for Name<K> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.kept.hash);
    }
}

impl<K> Deref for Name<K> {
    type Target = str;
    fn deref(&self) -> &str {
        self.kept.text
    }
}

impl<K> fmt::Display for Name<K> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.kept.text)
    }
}

impl<K> fmt::Debug for Name<K> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:?}", self.kept.text)
    }
}

impl<K> Serialize for Name<K> {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_str(self.kept.text)
    }
}

impl<'de, K> Deserialize<'de> for Name<K> {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        struct Visitor<K> {
            is_checked: bool,
            kind: PhantomData<K>,
        }
        impl<K> serde::de::Visitor<'_> for Visitor<K> {
            type Value = Name<K>;
            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("an identifier (a string)")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Name<K>, E> {
                if self.is_checked {
                    return Ok(Name::derived(text));
                }
                Name::new(text).map_err(|error| error.of(text))
            }
        }
        let is_checked = !input.is_human_readable();
        input.deserialize_str(Visitor { is_checked, kind: PhantomData })
    }
}

impl<K: Named> JsonSchema for Name<K> {
    fn schema_name() -> Cow<'static, str> {
        K::TYPE.into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Id::json_schema(generator)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_world_outside_has_an_account_for_each_currency() {
        let outside = AccountId::external(Currency::derived("EUR"));
        assert_eq!((outside.as_str(), outside.is_external()), ("external:EUR", true));
        assert!(!AccountId::derived("external").is_external());
    }

    #[test]
    fn equal_texts_are_one_name_and_the_order_is_that_of_the_texts() {
        let (late, early) = (AccountId::derived("b-2"), AccountId::derived("a-1"));
        assert_eq!(late, AccountId::new(&["b", "2"].join("-")).unwrap());
        assert!(early < late);
        assert_ne!(early, late);
        assert_eq!((late.as_str(), late.to_string(), format!("{late:?}")), ("b-2", "b-2".to_owned(), "\"b-2\"".to_owned()));
    }

    /// Hashes decide which worker has a key and where a row stands in a file, so they must not change.
    #[test]
    fn the_hash_of_a_name_is_that_of_its_text_in_every_run() {
        struct Seen(u64);
        impl Hasher for Seen {
            fn finish(&self) -> u64 {
                self.0
            }
            fn write(&mut self, _: &[u8]) {}
            fn write_u64(&mut self, value: u64) {
                self.0 = value;
            }
        }
        let mut seen = Seen(0);
        AccountId::derived("A1").hash(&mut seen);
        assert_eq!(seen.finish(), 14_644_740_622_319_612_563);
    }

    #[test]
    fn a_name_is_a_text_to_other_processes_and_in_json() {
        let name = Symbol::derived("ABC");
        let bytes = bincode::serialize(&name).unwrap();
        assert_eq!(bytes, bincode::serialize("ABC").unwrap());
        assert_eq!(bincode::deserialize::<Symbol>(&bytes).unwrap(), name);
        assert_eq!(serde_json::from_str::<Symbol>("\"ABC\"").unwrap(), name);
        let error = serde_json::from_str::<Symbol>("\"A BC\"").unwrap_err().to_string();
        assert!(error.starts_with("[bad_id] \"A BC\" is no identifier, which may only have visible ASCII characters"), "{error}");
    }

    #[test]
    fn threads_that_meet_a_name_first_at_once_get_the_same() {
        let names: Vec<Vec<CustomerId>> = std::thread::scope(|scope| {
            let threads: Vec<_> =
                (0..4).map(|_| scope.spawn(|| (0..1000).map(|n| CustomerId::derived(format!("c{n}"))).collect())).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        for other in &names[1..] {
            assert_eq!(*other, names[0]);
        }
    }
}
