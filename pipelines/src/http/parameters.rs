//! Parameters of an address: `?name=value&…`, each known and given once.

use std::collections::BTreeMap;

use super::refusal::Refusal;

/// Parameters by name.
#[derive(Debug, Default)]
pub(super) struct Parameters(BTreeMap<String, String>);

impl Parameters {
    /// Reads the query of an address, in which only these names may be.
    pub(super) fn read(query: Option<&str>, known: &[&str]) -> Result<Self, Refusal> {
        let mut all = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
            if !known.contains(&name.as_ref()) {
                let expected = if known.is_empty() { "there are none here".to_owned() } else { format!("there are {}", known.join(", ")) };
                return Err(Refusal::parameter(format!("there is no parameter {name:?}: {expected}")));
            }
            if all.insert(name.to_string(), value.into_owned()).is_some() {
                return Err(Refusal::parameter(format!("the parameter {name} is given twice: give it once")));
            }
        }
        Ok(Self(all))
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    pub(super) fn required(&self, name: &str) -> Result<&str, Refusal> {
        self.get(name).ok_or_else(|| Refusal::parameter(format!("the parameter {name} is missing: give ?{name}=…")))
    }

    /// A whole number from 0 on.
    pub(super) fn number(&self, name: &str) -> Result<Option<u64>, Refusal> {
        self.get(name).map(|text| number(name, text)).transpose()
    }
}

/// A whole number from 0 on, as it was given under a name.
pub(super) fn number(name: &str, text: &str) -> Result<u64, Refusal> {
    let is_plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.parse().ok().filter(|_| is_plain);
    number.ok_or_else(|| Refusal::parameter(format!("{name} is {text:?}: give a whole number from 0 on")))
}
