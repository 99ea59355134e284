//! Limits of queries.

use serde::{Deserialize, Serialize};

/// The limits of queries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SqlConfig {
    /// Memory of all queries together for sorting, grouping and joining, in MiB. Beyond it they spill to the system's temporary
    /// folder, or fail. The cached rows of state tables and of positions are not counted. Default: 1024.
    pub memory_limit_mib: u64,
    /// Seconds of work after which a query is cancelled; 0: never. Default: 300.
    pub timeout_seconds: u64,
    /// Number of threads of a query; 0: as many as the machine has cores. Default: 0.
    pub threads: usize,
}

impl Default for SqlConfig {
    fn default() -> Self {
        Self { memory_limit_mib: 1024, timeout_seconds: 300, threads: 0 }
    }
}

impl SqlConfig {
    /// Every problem, one sentence each.
    pub fn validate(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if !(16..=1024 * 1024).contains(&self.memory_limit_mib) {
            problems.push(format!("memory_limit_mib is {}: give 16 to 1048576", self.memory_limit_mib));
        }
        if self.threads > 1024 {
            problems.push(format!("threads is {}: give at most 1024, or 0 for as many as there are cores", self.threads));
        }
        problems
    }

    /// Without a time limit: for internal queries that read whole tables.
    pub fn unhurried() -> Self {
        Self { timeout_seconds: 0, ..Self::default() }
    }

    pub(crate) fn memory_limit_bytes(&self) -> usize {
        usize::try_from(self.memory_limit_mib).unwrap_or(usize::MAX).saturating_mul(1024 * 1024)
    }

    pub(crate) fn thread_count(&self) -> usize {
        match self.threads {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            threads => threads,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_problem_is_told_and_unknown_fields_are_refused() {
        assert_eq!(SqlConfig::default().validate(), Vec::<String>::new());
        let bad = SqlConfig { memory_limit_mib: 0, threads: 5000, ..SqlConfig::default() };
        assert_eq!(bad.validate().len(), 2);
        assert!(toml::from_str::<SqlConfig>("memory_limit = 5").is_err());
        assert_eq!(toml::from_str::<SqlConfig>("timeout_seconds = 5").map(|config| config.timeout_seconds), Ok(5));
    }
}
