//! Decimals in a configuration: `#[serde(with = "headwater_schemas::value::decimal_text")]` on a [`Decimal`], an option or a list
//! of them. Written as text or as an integer: a TOML float is binary, so it is rejected.

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serializer};

use super::Decimal;

/// A type that can be read from texts and integers.
pub trait DecimalText: Sized {
    #[doc(hidden)]
    fn from_given(given: Given) -> Result<Self, String>;
    #[doc(hidden)]
    fn texts(&self) -> Vec<String>;
    #[doc(hidden)]
    const LIST: bool = false;
}

#[doc(hidden)]
#[derive(Deserialize)]
#[serde(untagged, expecting = "expected an integer, or a decimal as text like \"0.25\"")]
pub enum Given {
    Whole(i64),
    Text(String),
    List(Vec<Given>),
    Float(f64),
}

impl DecimalText for Decimal {
    fn from_given(given: Given) -> Result<Self, String> {
        match given {
            Given::Whole(number) => Ok(Self::whole(number)),
            Given::Text(text) => text.parse().map_err(|error| format!("{text:?} {error}")),
            Given::Float(number) => Err(format!("{number} is a binary fraction: write it as text, \"{number}\"")),
            Given::List(_) => Err("a list is given where one decimal is needed".to_owned()),
        }
    }

    fn texts(&self) -> Vec<String> {
        vec![self.to_string()]
    }
}

impl DecimalText for Option<Decimal> {
    fn from_given(given: Given) -> Result<Self, String> {
        Decimal::from_given(given).map(Some)
    }

    fn texts(&self) -> Vec<String> {
        self.iter().map(ToString::to_string).collect()
    }
}

impl DecimalText for Vec<Decimal> {
    const LIST: bool = true;

    fn from_given(given: Given) -> Result<Self, String> {
        match given {
            Given::List(list) => list.into_iter().map(Decimal::from_given).collect(),
            one => Decimal::from_given(one).map(|one| vec![one]),
        }
    }

    fn texts(&self) -> Vec<String> {
        self.iter().map(ToString::to_string).collect()
    }
}

/// Reads texts or integers.
pub fn deserialize<'de, T: DecimalText, D: Deserializer<'de>>(input: D) -> Result<T, D::Error> {
    T::from_given(Given::deserialize(input)?).map_err(D::Error::custom)
}

/// Writes as text.
pub fn serialize<T: DecimalText, S: Serializer>(value: &T, out: S) -> Result<S::Ok, S::Error> {
    let texts = value.texts();
    match texts.as_slice() {
        [one] if !T::LIST => out.serialize_str(one),
        [] if !T::LIST => out.serialize_none(),
        list => out.collect_seq(list),
    }
}
