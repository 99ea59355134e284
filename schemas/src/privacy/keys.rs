//! Keys of customers and accounts, of which a single one can be destroyed.
//!
//! All keys follow from one secret: it is the seed of the root of a binary tree, and a digest of a node's seed is that of its child
//! (Goldreich, Goldwasser, Micali: "How to construct random functions", 1986). The key of a subject is the seed of the leaf at the
//! address that a digest of its name gives. To destroy a key, the seeds above it are replaced by those of the branches beside its path
//! (a puncturable function: Boneh, Waters: "Constrained pseudorandom functions and their applications", 2013). Every other key can
//! still be derived from these, and this one cannot.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::value::Digest;

/// Levels of the tree below its root.
const DEPTH: u8 = 64;
/// The format of a file with keys.
const FORMAT: &str = "headwater keys 1";

/// Whose key it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject<'n> {
    /// A customer, by id.
    Customer(&'n str),
    /// An account, by id.
    Account(&'n str),
}

impl Subject<'_> {
    /// The address of its leaf.
    fn address(self) -> u64 {
        let name = match self {
            Self::Customer(id) => format!("customer:{id}"),
            Self::Account(id) => format!("account:{id}"),
        };
        u64::from_be_bytes(Digest::<8>::shortened(&Digest::sha256(name).0).0)
    }
}

/// The keys of all subjects, without those that were destroyed.
///
/// ```
/// use headwater_schemas::Digest;
/// use headwater_schemas::privacy::{Keys, Subject};
///
/// let mut keys = Keys::of(Digest([7; 32]));
/// let other = keys.key(Subject::Customer("bob"));
/// assert!(keys.destroy(Subject::Customer("ann")));
/// assert_eq!(keys.key(Subject::Customer("ann")), None);
/// assert_eq!(keys.key(Subject::Customer("bob")), other);
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Keys {
    id: Digest<8>,
    /// Seeds of the branches that are left, by depth and by the first bits of the addresses below them.
    branches: BTreeMap<(u8, u64), Digest<32>>,
}

/// A file with keys that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// It is no JSON, or has other fields.
    #[error("it is no file with keys: create one with `headwater keys`")]
    Content(#[from] serde_json::Error),
    /// It has another format.
    #[error("its format is {0:?}, and this program reads {FORMAT:?}")]
    Format(String),
    /// A branch is not a part of the tree, or lies in another one.
    #[error("its branch {prefix} of depth {depth} is not one of a tree: restore the file")]
    Branch {
        /// The depth of the branch.
        depth: u8,
        /// The first bits of its addresses.
        prefix: Digest<8>,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    format: String,
    id: Digest<8>,
    branches: Vec<Branch>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Branch {
    depth: u8,
    prefix: Digest<8>,
    seed: Digest<32>,
}

// A secret is not printed.
impl std::fmt::Debug for Keys {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Keys({})", self.id)
    }
}

impl Keys {
    /// The keys that follow from a secret: 32 random bytes.
    pub fn of(secret: Digest<32>) -> Self {
        let id = Digest::shortened(&Digest::sha256([b"id", secret.0.as_slice()].concat()).0);
        Self { id, branches: BTreeMap::from([((0, 0), secret)]) }
    }

    /// Reads what [`Keys::write`] wrote.
    pub fn read(text: &str) -> Result<Self, KeysError> {
        let File { format, id, branches } = serde_json::from_str(text)?;
        if format != FORMAT {
            return Err(KeysError::Format(format));
        }
        let mut keys = Self { id, branches: BTreeMap::new() };
        for Branch { depth, prefix, seed } in branches {
            let first = u64::from_be_bytes(prefix.0);
            if depth > DEPTH || first != begin(first, depth) || keys.covering(first).is_some() || keys.has_below(first, depth) {
                return Err(KeysError::Branch { depth, prefix });
            }
            keys.branches.insert((depth, first), seed);
        }
        Ok(keys)
    }

    /// The content of a file with the keys.
    pub fn write(&self) -> Result<String, KeysError> {
        let branch = |(&(depth, first), &seed): (&(u8, u64), &Digest<32>)| Branch { depth, prefix: Digest(first.to_be_bytes()), seed };
        let file = File { format: FORMAT.to_owned(), id: self.id, branches: self.branches.iter().map(branch).collect() };
        Ok(serde_json::to_string_pretty(&file)? + "\n")
    }

    /// Tells these keys from others. It does not change when a key is destroyed.
    pub const fn id(&self) -> Digest<8> {
        self.id
    }

    /// The key of a subject; none if it was destroyed.
    pub fn key(&self, subject: Subject<'_>) -> Option<Digest<32>> {
        let address = subject.address();
        let (depth, seed) = self.covering(address)?;
        Some((depth..DEPTH).fold(seed, |seed, depth| child(&seed, is_right(address, depth))))
    }

    /// Destroys the key of a subject. Returns whether there was one.
    pub fn destroy(&mut self, subject: Subject<'_>) -> bool {
        let address = subject.address();
        let Some((depth, mut seed)) = self.covering(address) else { return false };
        self.branches.remove(&(depth, begin(address, depth)));
        for depth in depth..DEPTH {
            let right = is_right(address, depth);
            let beside = begin(address, depth + 1) ^ bit(depth);
            self.branches.insert((depth + 1, beside), child(&seed, !right));
            seed = child(&seed, right);
        }
        true
    }

    /// The depth and the seed of the branch that an address lies in.
    fn covering(&self, address: u64) -> Option<(u8, Digest<32>)> {
        (0..=DEPTH).find_map(|depth| Some((depth, *self.branches.get(&(depth, begin(address, depth)))?)))
    }

    /// Whether a branch lies in that one.
    fn has_below(&self, first: u64, depth: u8) -> bool {
        self.branches.keys().any(|&(_, other)| begin(other, depth) == first)
    }
}

/// The bit of an address that leads from a depth to the next one.
const fn bit(depth: u8) -> u64 {
    1 << (DEPTH - 1 - depth)
}

const fn is_right(address: u64, depth: u8) -> bool {
    address & bit(depth) != 0
}

/// The first address below the node of a depth that an address lies in.
const fn begin(address: u64, depth: u8) -> u64 {
    if depth == 0 { 0 } else { address & (u64::MAX << (DEPTH - depth)) }
}

/// The seed of a child.
fn child(seed: &Digest<32>, is_right: bool) -> Digest<32> {
    let mut content = [0; 33];
    content.iter_mut().zip(seed.0).for_each(|(to, byte)| *to = byte);
    let [.., last] = &mut content;
    *last = u8::from(is_right);
    Digest::sha256(content)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn keys() -> Keys {
        Keys::of(Digest([7; 32]))
    }

    proptest! {
        #[test]
        fn destroyed_keys_are_gone_and_all_others_stay(gone in prop::collection::btree_set(0..200_u32, 0..20), asked in 0..200_u32) {
            let mut left = keys();
            for id in &gone {
                prop_assert!(left.destroy(Subject::Account(&id.to_string())));
                prop_assert!(!left.destroy(Subject::Account(&id.to_string())));
            }
            let asked_id = asked.to_string();
            let expected = keys().key(Subject::Account(&asked_id)).filter(|_| !gone.contains(&asked));
            prop_assert_eq!(left.key(Subject::Account(&asked_id)), expected);
            prop_assert_eq!(left.key(Subject::Customer(&asked_id)), keys().key(Subject::Customer(&asked_id)));
            let read = left.write().and_then(|text| Keys::read(&text)).expect("keys");
            prop_assert_eq!(read, left);
        }
    }

    #[test]
    fn what_is_left_does_not_tell_a_destroyed_key() {
        let subject = Subject::Customer("ann");
        let (mut left, address) = (keys(), subject.address());
        left.destroy(subject);
        assert_eq!(left.branches.len(), usize::from(DEPTH), "one branch beside each step of the path");
        let on_path = |&(depth, first): &(u8, u64)| begin(address, depth) == first;
        assert!(!left.branches.keys().any(on_path));
        assert!(keys().key(subject).is_some_and(|key| !left.branches.values().any(|seed| *seed == key)));
        assert_eq!(left.id(), keys().id());
    }

    #[test]
    fn a_damaged_file_is_refused() {
        let seed = "00".repeat(32);
        let branch = |depth: u8, prefix: &str| format!(r#"{{"depth":{depth},"prefix":"{prefix}","seed":"{seed}"}}"#);
        let file =
            |branches: &[String]| format!(r#"{{"format":"headwater keys 1","id":"0000000000000000","branches":[{}]}}"#, branches.join(","));
        let left = branch(1, "0000000000000000");
        for (case, text, expected) in [
            ("empty", String::new(), "no file with keys"),
            ("a later format", file(&[]).replace("keys 1", "keys 2"), "headwater keys 2"),
            ("an address longer than its depth", file(&[branch(1, "0000000000000001")]), "depth 1"),
            ("too deep", file(&[branch(65, "0000000000000000")]), "depth 65"),
            ("twice", file(&[left.clone(), left.clone()]), "depth 1"),
            ("in another one", file(&[left.clone(), branch(2, "4000000000000000")]), "depth 2"),
            ("around another one", file(&[branch(2, "4000000000000000"), left.clone()]), "depth 1"),
        ] {
            let said = Keys::read(&text).map_err(|error| error.to_string());
            assert!(said.as_ref().is_err_and(|said| said.contains(expected)), "{case}: {said:?}");
        }
        assert!(Keys::read(&file(&[left, branch(2, "c000000000000000")])).is_ok());
    }
}
