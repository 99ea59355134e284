//! Configuration of the schema registry.

use std::path::{Path, PathBuf};
use std::time::Duration;

use hyper::Uri;
use serde::{Deserialize, Serialize};

/// Section `[registry]`.
///
/// ```toml
/// [registry]
/// url = "http://127.0.0.1:8081"
/// user = "headwater"                          # for basic authentication
/// password_variable = "REGISTRY_PASSWORD"     # the environment variable that has the password
/// ca = "ca.pem"                               # for https: the certificates to trust
/// timeout_ms = 5000
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RegistryConfig {
    /// Base address of the API, `http://` or `https://`. Of Apicurio it ends with `/apis/ccompat/v7`. Default: none.
    pub url: String,
    /// User, or API key, for basic authentication. Default: none.
    pub user: Option<String>,
    /// The environment variable that holds the password, or the API secret. Default: none.
    pub password_variable: Option<String>,
    /// For https: a PEM file with the certificates to trust. Default: those of the system.
    pub ca: Option<PathBuf>,
    /// Milliseconds until a request times out. Default: 5000.
    pub timeout_ms: u64,
}

impl Default for RegistryConfig {
    fn default() -> Self {
        Self { url: String::new(), user: None, password_variable: None, ca: None, timeout_ms: 5_000 }
    }
}

impl RegistryConfig {
    /// Every problem with the options, one sentence each.
    pub fn validate(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if !self.url.is_empty() && self.address().is_none() {
            problems.push(format!("url is {:?}: write http://HOST:PORT or https://HOST, without user, password and query", self.url));
        }
        if self.user.is_some() != self.password_variable.is_some() {
            problems.push("user and password_variable belong together: give both, or none".to_owned());
        }
        if let Some(Err(error)) = self.password_variable.as_ref().map(std::env::var) {
            let variable = self.password_variable.as_deref().unwrap_or_default();
            problems.push(format!("password_variable: the password is to come from the environment variable {variable:?}: {error}"));
        }
        if !(100..=300_000).contains(&self.timeout_ms) {
            problems.push(format!("timeout_ms is {}: give 100 to 300000", self.timeout_ms));
        }
        problems
    }

    /// Resolves the file of certificates relative to the configuration's folder.
    pub fn look_beside(&mut self, folder: &Path) {
        if let Some(ca) = &mut self.ca {
            *ca = folder.join(&*ca);
        }
    }

    pub(super) const fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms)
    }

    pub(super) fn address(&self) -> Option<Address> {
        let uri: Uri = self.url.parse().ok()?;
        let is_secure = match uri.scheme_str()? {
            "http" => false,
            "https" => true,
            _ => return None,
        };
        let authority = uri.authority()?;
        if authority.as_str().contains('@') || uri.query().is_some() {
            return None;
        }
        let port = authority.port_u16().unwrap_or(if is_secure { 443 } else { 80 });
        let host = authority.host().trim_matches(['[', ']']).to_owned();
        Some(Address { is_secure, host, port, authority: authority.to_string(), path: uri.path().trim_end_matches('/').to_owned() })
    }
}

/// The parts of a registry's URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) is_secure: bool,
    pub(super) host: String,
    pub(super) port: u16,
    /// Host and port as the URL has them.
    pub(super) authority: String,
    /// The path before those of the API, without a slash at its end.
    pub(super) path: String,
}
