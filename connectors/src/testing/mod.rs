//! Test support: a real Kafka broker, topics in memory, free addresses, and the folder of the workspace. Behind the feature
//! `test-broker`.

mod broker;
mod memory;
mod ports;

use std::path::PathBuf;

pub use broker::Broker;
pub use memory::MemoryLog;
pub use ports::free_addresses;

/// The folder of the workspace, for scripts and files that tests use where they are.
pub fn workspace() -> PathBuf {
    // Where the tests run, not where they were built: artifacts may be shared by clones, and outlive them.
    let package = std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    package.join("..")
}

/// Whether a test may be skipped because a program is missing: not in CI (`CI=true`), where everything is there.
pub fn may_skip() -> bool {
    std::env::var_os("CI").is_none_or(|ci| ci != "true")
}
