//! Test support: a real Kafka broker, and topics in memory. Behind the feature `test-broker`.

mod broker;
mod memory;

pub use broker::Broker;
pub use memory::MemoryLog;
