//! What is on the worker that has its account.

use headwater_schemas::AccountId;
use timely::dataflow::StreamVec;

use super::{FoldOutput, Updated, View};

/// A stream of what is on the worker that has its account: it comes of a view that is routed by account. What reads several of
/// them finds all that belongs to an account on one worker.
#[derive(Clone)]
pub struct ByAccount<S>(S);

impl<'scope, U: 'static> ByAccount<StreamVec<'scope, u64, Updated<U>>> {
    /// What a view that is routed by account tells others.
    pub fn updates<V: View<Route = AccountId, Update = U>>(output: FoldOutput<'scope, V>) -> Self {
        Self(output.updates)
    }
}

impl<S> ByAccount<S> {
    /// The stream, for what reads it where it is.
    pub fn stream(self) -> S {
        self.0
    }
}
