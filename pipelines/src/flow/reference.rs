//! Reference data: what every worker has to know.

use headwater_schemas::Topic;
use timely::dataflow::operators::Concatenate;
use timely::dataflow::operators::vec::Broadcast;

use super::{Events, Topics};

/// Instruments, customers, limits and accounts, on every worker.
pub(super) fn reference<'scope>(topics: &mut Topics<'scope>, accounts: Events<'scope>) -> Events<'scope> {
    let tables = [Topic::Instruments, Topic::Customers, Topic::Limits].map(|topic| topics.take(topic));
    topics.scope.concatenate(tables.into_iter().chain([accounts])).broadcast()
}
