//! Configuration of the bucket.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

const SCHEME: &str = "s3://";

/// Section `[bucket]`.
///
/// ```toml
/// [bucket]
/// url = "s3://risk/headwater"                 # the bucket, and the folder in it
/// endpoint = "https://minio.example:9000"     # of a store other than Amazon's
/// region = "eu-central-1"
/// ca = "ca.pem"                               # for https: certificates to trust besides those of the system
/// patience_seconds = 600
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BucketConfig {
    /// `s3://BUCKET` or `s3://BUCKET/FOLDER`. Default: none, and the data directory is the local folder alone.
    pub url: String,
    /// Address of the store, `http://` or `https://`. Default: that of `AWS_ENDPOINT_URL`, or else Amazon's.
    pub endpoint: String,
    /// The region. Default: that of `AWS_REGION`, or else `us-east-1`.
    pub region: String,
    /// For https: a PEM file with the certificates to trust besides those of the system, as of a store with its own authority.
    /// Default: none.
    pub ca: Option<PathBuf>,
    /// Seconds for which a store that does not answer is waited for before the run ends. Default: 600.
    pub patience_seconds: u64,
}

impl Default for BucketConfig {
    fn default() -> Self {
        Self { url: String::new(), endpoint: String::new(), region: String::new(), ca: None, patience_seconds: 600 }
    }
}

impl BucketConfig {
    /// Whether there is a bucket.
    pub const fn is_given(&self) -> bool {
        !self.url.is_empty()
    }

    /// Every problem with the options, one sentence each.
    pub fn validate(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if self.is_given() && self.place().is_none() {
            problems.push(format!("url is {:?}: write s3://BUCKET or s3://BUCKET/FOLDER", self.url));
        }
        if !self.is_given() && *self != Self::default() {
            problems.push("url is missing: the other keys are of a bucket".to_owned());
        }
        if !self.endpoint.is_empty() && !["http://", "https://"].iter().any(|scheme| self.endpoint.starts_with(scheme)) {
            problems.push(format!("endpoint is {:?}: write http://HOST:PORT or https://HOST", self.endpoint));
        }
        if !(1..=86_400).contains(&self.patience_seconds) {
            problems.push(format!("patience_seconds is {}: give 1 to 86400", self.patience_seconds));
        }
        problems
    }

    /// Resolves the file of certificates relative to the configuration's folder.
    pub fn look_beside(&mut self, folder: &Path) {
        if let Some(ca) = &mut self.ca {
            *ca = folder.join(&*ca);
        }
    }

    /// The names of the bucket and of the folder in it, which may be empty.
    pub(super) fn place(&self) -> Option<(&str, &str)> {
        let place = self.url.strip_prefix(SCHEME)?.trim_end_matches('/');
        let (bucket, folder) = place.split_once('/').unwrap_or((place, ""));
        let is_plain = |part: &str| !part.is_empty() && part != "." && part != ".." && !part.contains(['?', '#', ' ']);
        let is_place = is_plain(bucket) && (folder.is_empty() || folder.split('/').all(is_plain));
        is_place.then_some((bucket, folder))
    }

    pub(super) const fn patience(&self) -> Duration {
        Duration::from_secs(self.patience_seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_is_named_by_its_url() {
        for (url, place) in [
            ("s3://risk", Some(("risk", ""))),
            ("s3://risk/", Some(("risk", ""))),
            ("s3://risk/a/b/", Some(("risk", "a/b"))),
            ("s3://", None),
            ("s3:///a", None),
            ("s3://risk//a", None),
            ("s3://risk/../a", None),
            ("https://risk.s3.amazonaws.com", None),
        ] {
            let config = BucketConfig { url: url.to_owned(), ..BucketConfig::default() };
            assert_eq!((config.place(), config.validate().is_empty()), (place, place.is_some()), "{url}");
        }
    }

    #[test]
    fn every_problem_is_told() {
        let config = BucketConfig { endpoint: "minio:9000".to_owned(), patience_seconds: 0, ..BucketConfig::default() };
        let problems = config.validate();
        assert_eq!(problems.len(), 3, "{problems:?}");
        assert!(BucketConfig::default().validate().is_empty());
    }
}
