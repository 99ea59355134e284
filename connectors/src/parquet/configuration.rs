//! Stored configurations of commits: `commits/<sha256>.configuration.json`, one file per configuration, named by its content.
//!
//! Rows follow from the topics' records and the configuration. So each commit names its configuration, and a replay can use it.

use std::path::{Path, PathBuf};
use std::{fs, io};

use headwater_schemas::Digest;

use super::CommitError;
use super::directory::record_path;
use crate::durable;

/// The configuration of a commit is missing or damaged.
#[derive(Debug, thiserror::Error)]
#[error("{path}, the configuration of commit {commit_id}, {problem}: restore it from a copy")]
pub struct ConfigurationError {
    /// The file.
    pub path: PathBuf,
    /// The first commit that names it.
    pub commit_id: u64,
    /// What is wrong with it.
    pub problem: &'static str,
    /// The error of the operating system, if any.
    #[source]
    pub cause: Option<io::Error>,
}

/// The path of the configuration with a hash.
pub fn configuration_path(data: &Path, hash: &str) -> PathBuf {
    record_path(data, 0).with_file_name(format!("{hash}.configuration.json"))
}

/// Stores a configuration for later commits and returns its hash.
pub fn keep(data: &Path, text: &str) -> Result<String, CommitError> {
    let hash = hash(text.as_bytes());
    let path = configuration_path(data, &hash);
    if read(data, &hash, 0).is_err() {
        durable::replace(&path, text.as_bytes()).map_err(CommitError::file("writing", &path))?;
    }
    Ok(hash)
}

/// Reads the configuration of a commit and verifies its hash.
pub fn read(data: &Path, named: &str, commit_id: u64) -> Result<String, ConfigurationError> {
    let path = configuration_path(data, named);
    let (problem, cause) = match fs::read(&path).map(String::from_utf8) {
        Ok(Ok(text)) if hash(text.as_bytes()) == named => return Ok(text),
        Ok(_) => ("is not what it was when it was written", None),
        Err(error) => ("cannot be read", Some(error)),
    };
    Err(ConfigurationError { path, commit_id, problem, cause })
}

fn hash(content: &[u8]) -> String {
    Digest::sha256(content).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_is_kept_under_its_hash_and_proved_when_it_is_read() -> Result<(), Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        fs::create_dir(folder.path().join("commits"))?;
        let name = keep(folder.path(), "{}")?;
        assert_eq!((keep(folder.path(), "{}")?, read(folder.path(), &name, 1)?), (name.clone(), "{}".to_owned()));
        fs::write(configuration_path(folder.path(), &name), "{ }")?;
        let said = read(folder.path(), &name, 7).map_err(|error| error.to_string());
        assert!(said.is_err_and(|said| said.contains("of commit 7, is not what it was when it was written")));
        // A run that writes it again repairs it.
        assert_eq!(keep(folder.path(), "{}")?, name);
        assert_eq!(read(folder.path(), &name, 1)?, "{}");
        Ok(())
    }
}
