//! The configuration that commits were made with: `commits/<sha256>.configuration.json`, once each, named by its content.
//!
//! A row follows from the topics' records and from this; so a commit names it, and a replay can be asked for the same.

use std::path::{Path, PathBuf};
use std::{fs, io};

use headwater_schemas::Digest;

use super::CommitError;
use super::directory::record_path;
use crate::durable;

/// A configuration that a commit names and that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{path}, the configuration of commit {commit_id}, {problem}: restore it from a copy")]
pub struct ConfigurationError {
    /// The file.
    pub path: PathBuf,
    /// The first commit that names it.
    pub commit_id: u64,
    /// What is wrong with it.
    pub problem: &'static str,
    /// Why it cannot be read.
    #[source]
    pub cause: Option<io::Error>,
}

/// The path of the configuration with a hash.
pub fn configuration_path(data: &Path, hash: &str) -> PathBuf {
    record_path(data, 0).with_file_name(format!("{hash}.configuration.json"))
}

/// Keeps a configuration for the commits to come; its hash is what they name.
pub fn keep(data: &Path, text: &str) -> Result<String, CommitError> {
    let hash = hash(text.as_bytes());
    let path = configuration_path(data, &hash);
    if read(data, &hash, 0).is_err() {
        durable::replace(&path, text.as_bytes()).map_err(CommitError::file("writing", &path))?;
    }
    Ok(hash)
}

/// Reads the configuration of a commit, which must be what its name says.
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
        // What a run makes good that writes it again.
        assert_eq!(keep(folder.path(), "{}")?, name);
        assert_eq!(read(folder.path(), &name, 1)?, "{}");
        Ok(())
    }
}
