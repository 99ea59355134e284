//! Connectors: how records come in, and how tables go out.
pub mod kafka;
pub mod parquet;
pub mod transport;
