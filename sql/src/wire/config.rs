//! Settings of the server for PostgreSQL clients.

use std::collections::BTreeMap;
use std::path::PathBuf;

use headwater_connectors::parquet::record::FileRole;
use serde::Deserialize;

use super::scram::Secret;
use crate::names::Relation;
use crate::rights::{Rights, Rules};
use crate::tables::tables;

/// Section `[serve]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServeConfig {
    /// Address and port; empty for none. Default: 127.0.0.1:5433 for `serve` and `demo`, none for `run`.
    pub address: Option<String>,
    /// The users by name. Without any, every name is let in, and only from this machine.
    pub users: BTreeMap<String, UserConfig>,
    /// File with the certificate and its chain (PEM). With it, only connections with TLS are taken.
    pub tls_certificate: Option<PathBuf>,
    /// File with the private key (PEM).
    pub tls_key: Option<PathBuf>,
    /// Number of simultaneous connections. Default: 64.
    pub max_connections: usize,
    /// Number of queries that work at the same time; others wait. Default: 8.
    pub max_queries: usize,
    /// Seconds of work after which a query is cancelled; 0: never. Default: 300.
    pub timeout_seconds: u64,
    /// Rows after which a query fails; 0: no limit. Default: 0.
    pub max_rows: u64,
}

/// A user.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserConfig {
    /// What `headwater serve --password NAME` prints: a password can be checked with it, and not be told from it.
    pub secret: Secret,
    /// The tables and views that the user may read. Default: all.
    #[serde(default)]
    pub tables: Option<Vec<String>>,
    /// The books whose accounts and scopes the user may read, with all below them, like `firm/equities`. Default: all.
    #[serde(default)]
    pub books: Option<Vec<String>>,
    /// Columns that are NULL for the user, in whatever table. Default: none.
    #[serde(default)]
    pub masked: Vec<String>,
    /// Whether the user may read alerts about money laundering. Default: true.
    #[serde(default = "yes")]
    pub aml: bool,
}

const fn yes() -> bool {
    true
}

impl UserConfig {
    pub(crate) fn rights(&self) -> Rights {
        Rights::new(Rules {
            tables: self.tables.as_ref().map(|tables| tables.iter().cloned().collect()),
            books: self.books.clone(),
            masked: self.masked.iter().cloned().collect(),
            aml: self.aml,
        })
    }

    /// Every problem, one sentence each.
    fn validate(&self) -> Vec<String> {
        let unknown = self.tables.iter().flatten().filter(|table| Relation::named(table).is_none());
        let mut problems: Vec<_> = unknown.map(|table| format!("tables: there is no table {table:?}: SHOW TABLES lists all")).collect();
        let books = self.books.iter().flatten().filter(|book| book.is_empty() || book.starts_with('/') || book.ends_with('/'));
        problems.extend(books.map(|book| format!("books: {book:?} is no path of a book: write it like \"firm/equities\"")));
        let is_column = |name: &str| tables().iter().any(|table| table.file_schema(FileRole::History).index_of(name).is_ok());
        let columns = self.masked.iter().filter(|name| !is_column(name));
        problems.extend(columns.map(|name| format!("masked: no table has a column {name:?}: DESCRIBE lists those of a table")));
        problems
    }
}

impl Default for ServeConfig {
    fn default() -> Self {
        Self {
            address: None,
            users: BTreeMap::new(),
            tls_certificate: None,
            tls_key: None,
            max_connections: 64,
            max_queries: 8,
            timeout_seconds: 300,
            max_rows: 0,
        }
    }
}

impl ServeConfig {
    /// The default address of `serve` and `demo`.
    pub const ADDRESS: &'static str = "127.0.0.1:5433";

    /// Every problem, one sentence each.
    pub fn validate(&self) -> Vec<String> {
        let mut problems = Vec::new();
        for (name, value, most) in [("max_connections", self.max_connections, 10_000), ("max_queries", self.max_queries, 1024)] {
            if !(1..=most).contains(&value) {
                problems.push(format!("{name} is {value}: give 1 to {most}"));
            }
        }
        match (&self.tls_certificate, &self.tls_key) {
            (Some(_), None) => problems.push("tls_certificate has no key: give tls_key, too".to_owned()),
            (None, Some(_)) => problems.push("tls_key has no certificate: give tls_certificate, too".to_owned()),
            _ => {}
        }
        for (name, user) in &self.users {
            problems.extend(user.validate().into_iter().map(|problem| format!("users.{name}.{problem}")));
        }
        problems
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_problem_is_reported() {
        assert_eq!(ServeConfig::default().validate(), Vec::<String>::new());
        let secret = Secret::of("pencil", &[1; 16]).expect("a secret");
        let text = format!(
            "max_connections = 0\nmax_queries = 5000\ntls_key = \"k.pem\"\n\
             [users.ann]\nsecret = \"{secret}\"\ntables = [\"balances\", \"nothing\"]\n\
             books = [\"firm/\"]\nmasked = [\"account_id\", \"colour\"]"
        );
        let bad: ServeConfig = toml::from_str(&text).expect("a configuration");
        let expected = [
            "max_connections is 0: give 1 to 10000",
            "max_queries is 5000: give 1 to 1024",
            "tls_key has no certificate: give tls_certificate, too",
            "users.ann.tables: there is no table \"nothing\": SHOW TABLES lists all",
            "users.ann.books: \"firm/\" is no path of a book: write it like \"firm/equities\"",
            "users.ann.masked: no table has a column \"colour\": DESCRIBE lists those of a table",
        ];
        assert_eq!(bad.validate(), expected);
        assert!(toml::from_str::<ServeConfig>("adress = \"x\"").is_err());
        assert!(toml::from_str::<ServeConfig>("[users.ann]\nsecret = \"pencil\"").is_err());
    }
}
