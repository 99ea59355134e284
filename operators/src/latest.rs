//! The latest record of a key, on the grid: terms, rates and closes as valuations see them.
//!
//! - **Key**: the record's. **Rows**: the record as it stands. A deletion takes it away. **Ties**: the later place wins.

use std::hash::{Hash, Hasher};

use headwater_schemas::Placed;
use rustc_hash::FxHasher;
use timely::ExchangeData;

use crate::keyed_fold::{Changes, Outbox, View};

/// What becomes of a key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub enum Upsert<K, R> {
    /// It has this record now.
    Put(K, R),
    /// It has none any more.
    Delete(K),
}

impl<K, R> Upsert<K, R> {
    const fn key(&self) -> &K {
        match self {
            Self::Put(key, _) | Self::Delete(key) => key,
        }
    }
}

/// The view that keeps the latest record of each key.
pub struct Latest<K, R>(std::marker::PhantomData<fn() -> (K, R)>);

impl<K, R> Latest<K, R> {
    /// The view.
    pub const fn new() -> Self {
        Self(std::marker::PhantomData)
    }
}

impl<K, R> Default for Latest<K, R> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K, R> Clone for Latest<K, R> {
    fn clone(&self) -> Self {
        Self::new()
    }
}

/// The record as it was said, and as it is.
#[derive(Debug)]
pub struct Versions<R> {
    said: Option<R>,
    is: Option<R>,
}

impl<R> Default for Versions<R> {
    fn default() -> Self {
        Self { said: None, is: None }
    }
}

impl<K, R> View for Latest<K, R>
where
    K: ExchangeData + Clone + Ord + Hash,
    R: ExchangeData + Clone + Ord,
{
    type Key = K;
    type Event = Upsert<K, R>;
    type Broadcast = ();
    type Context = ();
    type State = Versions<R>;
    type Row = R;
    type Derived = ();

    fn key(&self, event: &Upsert<K, R>) -> K {
        event.key().clone()
    }

    fn route(&self, event: &Upsert<K, R>) -> u64 {
        route(event.key())
    }

    fn learn(&self, (): &mut (), _: Placed<()>) {}

    fn apply(&self, (): &(), _: &K, state: &mut Versions<R>, event: Placed<Upsert<K, R>>, _: &mut Outbox<Self>) {
        state.is = match event.event {
            Upsert::Put(_, record) => Some(record),
            Upsert::Delete(_) => None,
        };
    }

    fn settle(&self, (): &(), _: &K, state: &mut Versions<R>, _: u64, rows: &mut Changes<R>) {
        rows.replace(state.said.take(), state.is.clone());
        state.said.clone_from(&state.is);
    }

    fn is_forgettable(&self, state: &Versions<R>) -> bool {
        state.is.is_none()
    }
}

/// Which worker has a key: the same for every view that is keyed by it.
pub fn route<K: Hash + ?Sized>(key: &K) -> u64 {
    let mut hasher = FxHasher::default();
    key.hash(&mut hasher);
    // The high bits are the well-mixed ones, and the worker is the remainder.
    hasher.finish() >> 20
}
