//! What scenarios share: a pipeline run as a process, its tables as rows, real prices, and a real broker.

pub mod broker;
pub mod pipeline;
pub mod prices;
