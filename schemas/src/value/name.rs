//! Names of recurring entities: accounts, symbols, customers, currencies, scopes.
//!
//! A process stores each name once (interning). A [`Name`] is a reference to the stored text and its hash: it is copied and compared
//! for equality like a number, and hashed without reading the text. Names are ordered by their texts, like all visible
//! output; to other processes they are sent as texts. The hash is that of the text, equal in every process and run.
//!
//! A name stays in memory until the process ends, some 60 bytes each. Ids of single events, whose number is unbounded, are
//! [`Id`]s.

use std::borrow::Cow;
use std::cell::Cell;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::{Mutex, PoisonError};

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use rustc_hash::FxHasher;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use siphasher::sip::SipHasher13;
use smol_str::SmolStr;

use super::{Id, ParseIdError};

/// The name of an entity of kind `K`, an identifier like [`Id`]. Names of different kinds are different types.
pub struct Name<K> {
    kept: Kept,
    kind: PhantomData<fn() -> K>,
}

/// A stored text, with its hash.
struct Stored {
    hash: u64,
    text: SmolStr,
}

/// A stored text, for as long as the process runs.
type Kept = &'static Stored;

fn keep(hash: u64, text: &str) -> Kept {
    Box::leak(Box::new(Stored { hash, text: text.into() }))
}

/// A kind of entity with names.
pub trait Named: 'static {
    /// The name's type in JSON Schemas.
    const TYPE: &'static str;
}

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {
        /// The kinds of [`Name`](super::Name).
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
    /// The owner of orders, which do not trade with each other: an account's customer group, its customer, or the account itself.
    OwnerId,
    /// The name of an instrument.
    Symbol,
    /// The code of a currency: `USD`, or that of a coin.
    Currency,
    /// What figures and limits refer to: `account:A`, or a node of the book path, `firm/desk`.
    Scope,
}

/// Number of tables of names, a power of two. Several tables make workers seldom wait for each other.
const TABLES: usize = 16;

static NAMES: [Mutex<HashTable<Kept>>; TABLES] = [const { Mutex::new(HashTable::new()) }; TABLES];

/// Number of names that a thread has at hand, 16 bytes each. Of a hundred thousand accounts and customers in any order, it has most.
const AT_HAND: usize = 1 << 17;

/// The place of a name at hand: the hash of its text, and the name.
type AtHand = Cell<Option<(u64, Kept)>>;

thread_local! {
    /// Names that the thread asked for, each with another hash of its text, by that hash. Columns have few currencies and kinds, and
    /// accounts repeat: most names are asked for again soon, and are then found without a lock.
    static RECENT: Box<[AtHand]> = (0..AT_HAND).map(|_| Cell::new(None)).collect();
}

/// The stored text.
fn kept(text: &str) -> Kept {
    let mut hasher = FxHasher::default();
    hasher.write(text.as_bytes());
    let short = hasher.finish();
    let found = RECENT.try_with(|recent| {
        let place = usize::try_from(short).unwrap_or_default() % AT_HAND;
        let recent = recent.get(place)?;
        match recent.get() {
            Some((hash, kept)) if hash == short && kept.text == *text => Some(kept),
            _ => {
                let kept = stored(text);
                recent.set(Some((short, kept)));
                Some(kept)
            }
        }
    });
    // A thread that ends has none at hand any more.
    found.ok().flatten().unwrap_or_else(|| stored(text))
}

/// The text in the table of all names.
fn stored(text: &str) -> Kept {
    let hash = {
        let mut hasher = SipHasher13::new_with_keys(0x6865_6164_7761_7465, 0x726e_616d_6573_3031);
        hasher.write(text.as_bytes());
        hasher.finish()
    };
    // The table itself uses other bits of the hash.
    let number = usize::try_from(hash >> 32).unwrap_or_default() % TABLES;
    let Some(table) = NAMES.get(number) else { return keep(hash, text) };
    let mut table = table.lock().unwrap_or_else(PoisonError::into_inner);
    match table.entry(hash, |kept| kept.hash == hash && kept.text == *text, |kept| kept.hash) {
        Entry::Occupied(kept) => kept.get(),
        Entry::Vacant(place) => place.insert(keep(hash, text)).get(),
    }
}

/// Prefix of the accounts that represent the outside.
const EXTERNAL: &str = "external:";
/// Prefix of the accounts that hold what was bought and sold of a currency.
const POSITION: &str = "position:";

impl AccountId {
    /// The account that represents the outside in a currency: `external:USD`.
    pub fn external(currency: Currency) -> Self {
        Self::derived(format!("{EXTERNAL}{currency}"))
    }

    /// The account that holds what exchanges bought and sold of a currency: `position:USD`.
    pub fn position(currency: Currency) -> Self {
        Self::derived(format!("{POSITION}{currency}"))
    }

    /// Whether it is a contra account of the ledger: the outside, or a position in a currency. No customer owns it.
    pub fn is_contra(&self) -> bool {
        [EXTERNAL, POSITION].iter().any(|prefix| self.as_str().starts_with(prefix))
    }
}

impl<K> Name<K> {
    /// Checks the syntax of identifiers.
    pub fn new(text: &str) -> Result<Self, ParseIdError> {
        Id::check(text).map(|()| Self::derived(text))
    }

    /// A derived name, or one that was checked before.
    pub fn derived(text: impl AsRef<str>) -> Self {
        Self { kept: kept(text.as_ref()), kind: PhantomData }
    }

    /// The same text as a name of another kind.
    pub const fn of_kind<L>(self) -> Name<L> {
        Name { kept: self.kept, kind: PhantomData }
    }

    /// The same text as an [`Id`].
    pub fn to_id(self) -> Id {
        Id::derived(self.as_str())
    }

    /// The name as a string slice.
    pub fn as_str(&self) -> &'static str {
        &self.kept.text
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
        std::ptr::eq(self.kept, other.kept)
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
        if self == other { Ordering::Equal } else { self.kept.text.cmp(&other.kept.text) }
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
        &self.kept.text
    }
}

impl<K> fmt::Display for Name<K> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.kept.text)
    }
}

impl<K> fmt::Debug for Name<K> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:?}", self.kept.text)
    }
}

impl<K> Serialize for Name<K> {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_str(&self.kept.text)
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
    fn contra_accounts_have_one_for_each_currency() {
        let (outside, position) = (AccountId::external(Currency::derived("EUR")), AccountId::position(Currency::derived("EUR")));
        assert_eq!((outside.as_str(), outside.is_contra()), ("external:EUR", true));
        assert_eq!((position.as_str(), position.is_contra()), ("position:EUR", true));
        assert!(!AccountId::derived("external").is_contra());
    }

    #[test]
    fn equal_texts_are_one_name_and_the_order_is_that_of_the_texts() {
        let (late, early) = (AccountId::derived("b-2"), AccountId::derived("a-1"));
        assert_eq!(late, AccountId::new(&["b", "2"].join("-")).unwrap());
        assert!(early < late);
        assert_ne!(early, late);
        assert_eq!((late.as_str(), late.to_string(), format!("{late:?}")), ("b-2", "b-2".to_owned(), "\"b-2\"".to_owned()));
    }

    /// Hashes determine which worker has a key and the order of rows in a file, so they must not change.
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
