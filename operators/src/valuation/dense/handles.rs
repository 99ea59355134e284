//! Interned names: small integers, and arrays indexed by them.
//!
//! A handle identifies an account, a symbol, a currency or a book within a worker at run time. Handles depend on the order of
//! arrival, so no visible output is ordered by them, and they never leave the worker: messages carry names.

use std::hash::Hash;
use std::marker::PhantomData;

use headwater_schemas::{AccountId, Currency, Scope, Symbol};
use rustc_hash::FxHashMap;

/// An index of an array.
pub(super) trait Handle: Copy + Eq {
    /// The name that it represents.
    type Name: Copy + Eq + Hash;
    /// The handle with an index. More than 2^32 names would not fit into memory.
    fn at(place: usize) -> Self;
    /// The index.
    fn place(self) -> usize;
}

macro_rules! handle {
    ($($(#[$doc:meta])* $name:ident of $of:ty),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub(super) struct $name(u32);

        impl Handle for $name {
            type Name = $of;

            fn at(place: usize) -> Self {
                Self(u32::try_from(place).unwrap_or(u32::MAX))
            }

            fn place(self) -> usize {
                self.0 as usize
            }
        }
    )+};
}

handle! {
    /// An account.
    AccountHandle of AccountId,
    /// A symbol.
    SymbolHandle of Symbol,
    /// A currency.
    CurrencyHandle of Currency,
    /// A node of a book path.
    BookHandle of Scope,
    /// A scope, on the worker that sums it.
    ScopeHandle of Scope,
    /// A holding, within those of its symbol.
    HoldingHandle of (),
}

/// An array indexed by handles. Rows are never removed.
#[derive(Debug)]
pub(super) struct Rows<H, T> {
    rows: Vec<T>,
    handle: PhantomData<H>,
}

impl<H, T> Default for Rows<H, T> {
    fn default() -> Self {
        Self { rows: Vec::new(), handle: PhantomData }
    }
}

impl<H: Handle, T> Rows<H, T> {
    pub(super) fn push(&mut self, row: T) -> H {
        self.rows.push(row);
        H::at(self.rows.len() - 1)
    }

    pub(super) fn get(&self, handle: H) -> Option<&T> {
        self.rows.get(handle.place())
    }

    pub(super) fn get_mut(&mut self, handle: H) -> Option<&mut T> {
        self.rows.get_mut(handle.place())
    }

    pub(super) fn handles(&self) -> impl Iterator<Item = H> + use<H, T> {
        (0..self.rows.len()).map(H::at)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (H, &T)> {
        self.rows.iter().enumerate().map(|(place, row)| (H::at(place), row))
    }
}

/// Rows with names.
#[derive(Debug)]
pub(super) struct Named<H: Handle, T> {
    handles: FxHashMap<H::Name, H>,
    rows: Rows<H, (H::Name, T)>,
}

impl<H: Handle, T> Default for Named<H, T> {
    fn default() -> Self {
        Self { handles: FxHashMap::default(), rows: Rows::default() }
    }
}

impl<H: Handle, T> Named<H, T> {
    /// The handle of a name; `new` creates the row of a new name.
    pub(super) fn intern(&mut self, name: H::Name, new: impl FnOnce() -> T) -> H {
        if let Some(handle) = self.handles.get(&name) {
            return *handle;
        }
        let handle = self.rows.push((name, new()));
        self.handles.insert(name, handle);
        handle
    }

    pub(super) fn find(&self, name: H::Name) -> Option<H> {
        self.handles.get(&name).copied()
    }

    pub(super) fn name(&self, handle: H) -> Option<H::Name> {
        self.rows.get(handle).map(|(name, _)| *name)
    }

    pub(super) fn get(&self, handle: H) -> Option<&T> {
        self.rows.get(handle).map(|(_, row)| row)
    }

    pub(super) fn get_mut(&mut self, handle: H) -> Option<&mut T> {
        self.rows.get_mut(handle).map(|(_, row)| row)
    }

    pub(super) fn named_mut(&mut self, handle: H) -> Option<(H::Name, &mut T)> {
        self.rows.get_mut(handle).map(|(name, row)| (*name, row))
    }

    pub(super) fn handles(&self) -> impl Iterator<Item = H> + use<H, T> {
        self.rows.handles()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (H, &T)> {
        self.rows.iter().map(|(handle, (_, row))| (handle, row))
    }
}
