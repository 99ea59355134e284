//! Streams that are partitioned by account.

use headwater_schemas::{AccountId, Tick};
use timely::dataflow::StreamVec;

use super::{FoldOutput, Updated, View};

/// A stream whose items are on the worker of their account, because the view that emits them is routed by account. An operator
/// that reads several such streams finds everything of an account on one worker.
#[derive(Clone)]
pub struct ByAccount<S>(S);

impl<'scope, U: 'static> ByAccount<StreamVec<'scope, Tick, Updated<U>>> {
    /// The updates of a view that is routed by account.
    pub fn updates<V: View<Route = AccountId, Update = U>>(output: FoldOutput<'scope, V>) -> Self {
        Self(output.updates)
    }
}

impl<S> ByAccount<S> {
    /// The stream, for operators that read it without an exchange.
    pub fn stream(self) -> S {
        self.0
    }
}
