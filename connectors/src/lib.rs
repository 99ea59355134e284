//! Connectors: how records come in, and how tables go out.

pub mod kafka;
pub mod log;
pub mod parquet;
pub mod source;
#[cfg(any(test, feature = "test-broker"))]
pub mod testing;
pub mod transport;
