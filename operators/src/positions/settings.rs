//! How the positions of accounts are closed.

use std::collections::BTreeMap;

use headwater_schemas::AccountId;
use headwater_schemas::tables::LotMethod;
use serde::de::{Error, IgnoredAny};
use serde::{Deserialize, Deserializer, Serialize};

/// Settings of positions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PositionSettings {
    /// How positions are closed: `average`, `fifo` or `lifo`. Default `average`.
    pub lots: LotMethod,
    /// Where it is another method, by account. Default none.
    #[serde(deserialize_with = "methods")]
    pub lots_by_account: BTreeMap<AccountId, LotMethod>,
}

impl PositionSettings {
    /// One method for every account.
    pub const fn all(lots: LotMethod) -> Self {
        Self { lots, lots_by_account: BTreeMap::new() }
    }

    /// The method of an account.
    pub fn method(&self, account: &AccountId) -> LotMethod {
        self.lots_by_account.get(account).copied().unwrap_or(self.lots)
    }
}

impl Default for PositionSettings {
    fn default() -> Self {
        Self::all(LotMethod::Average)
    }
}

/// A value that should be a word.
#[derive(Deserialize)]
#[serde(untagged)]
enum Word {
    Text(String),
    Other(IgnoredAny),
}

/// Reads the methods of accounts. The error names every account that cannot be read, not just the first.
fn methods<'de, D: Deserializer<'de>>(input: D) -> Result<BTreeMap<AccountId, LotMethod>, D::Error> {
    let (mut methods, mut problems) = (BTreeMap::new(), Vec::new());
    for (account, word) in BTreeMap::<String, Word>::deserialize(input)? {
        match (AccountId::new(&account), method(&word)) {
            (Ok(account), Ok(method)) => drop(methods.insert(account, method)),
            (id, method) => {
                problems.extend(id.err().map(|error| format!("{account:?} is no account, whose id {error}")));
                problems.extend(method.err().map(|problem| format!("{account} {problem}")));
            }
        }
    }
    if problems.is_empty() { Ok(methods) } else { Err(D::Error::custom(problems.join("; "))) }
}

/// The method that a word names, or what is wrong with it.
fn method(word: &Word) -> Result<LotMethod, String> {
    let known = LotMethod::ALL.iter().map(|method| method.as_str()).collect::<Vec<_>>().join(", ");
    match word {
        Word::Text(text) => LotMethod::from_word(text).ok_or_else(|| format!("has {text:?}: give one of {known}")),
        Word::Other(IgnoredAny) => Err(format!("has no text: give one of {known}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_has_its_own_method_or_else_that_of_all() {
        let settings = PositionSettings {
            lots_by_account: BTreeMap::from([(AccountId::derived("A7"), LotMethod::Average)]),
            ..PositionSettings::all(LotMethod::Lifo)
        };
        assert_eq!(settings.method(&AccountId::derived("A7")), LotMethod::Average);
        assert_eq!(settings.method(&AccountId::derived("A8")), LotMethod::Lifo);
        assert_eq!(PositionSettings::default().method(&AccountId::derived("A7")), LotMethod::Average);
    }

    #[test]
    fn every_account_without_a_method_is_named() {
        let read = |text: &str| serde_json::from_str::<PositionSettings>(text).map_err(|error| error.to_string());
        let settings = read(r#"{"lots":"lifo","lots_by_account":{"A7":"fifo","A8":"average"}}"#);
        let methods = settings.map(|settings| ["A6", "A7", "A8"].map(|account| settings.method(&AccountId::derived(account))));
        assert_eq!(methods, Ok([LotMethod::Lifo, LotMethod::Fifo, LotMethod::Average]));
        let problems = read(r#"{"lots_by_account":{"A7":"hifo","A8":"fifo","A9":3,"A 1":"lifo"}}"#).expect_err("problems");
        for problem in [
            r#""A 1" is no account, whose id may only have visible ASCII characters"#,
            r#"A7 has "hifo": give one of average, fifo, lifo"#,
            "A9 has no text: give one of average, fifo, lifo",
        ] {
            assert!(problems.contains(problem), "{problem} is not told: {problems}");
        }
        assert!(!problems.contains("A8"), "{problems}");
        assert!(read(r#"{"lots":"hifo"}"#).is_err_and(|problem| problem.contains("average, fifo, lifo")));
        assert!(read(r#"{"lot":"fifo"}"#).is_err_and(|problem| problem.contains("unknown field")));
    }
}
