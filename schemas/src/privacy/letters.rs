//! Dead letters without personal values: a rejected record, with tokens in place of them.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::{Subject, Tokens};
use crate::tables::DeadLetter;
use crate::value::Text;

/// What is added to the error of a record that cannot be shown.
const NOT_SHOWN: &str = "; the record is not shown, because personal values cannot be found in it (privacy.tokens): read it from its topic";

/// The fields of an object, in order, each as its text.
struct Object(Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = Object;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Object(fields))
            }
        }
        input.deserialize_map(Fields)
    }
}

impl Object {
    /// A field that is a text.
    fn text(&self, name: &str) -> Option<String> {
        let (_, value) = self.0.iter().find(|(field, _)| field == name)?;
        serde_json::from_str(value.get()).ok()
    }
}

impl Tokens {
    /// A dead letter in which personal values are replaced. The account or the customer is the one that its record names. A record that
    /// is no JSON object is left out.
    pub fn letter(&self, letter: DeadLetter) -> DeadLetter {
        let Some(value) = letter.value.as_ref() else { return letter };
        let Ok(record) = serde_json::from_slice::<Object>(value) else {
            let error = Text::from([&*letter.error, NOT_SHOWN].concat());
            return DeadLetter { value: None, text: None, error, ..letter };
        };
        let (account, customer) = (record.text("account_id"), record.text("customer_id"));
        let customer = customer.as_deref().map(Subject::Customer);
        let subject = account.as_deref().map(Subject::Account).or(customer);
        match self.object(subject, &record) {
            Some(replaced) => letter.with_record(None, Some(replaced.as_bytes())),
            None => letter,
        }
    }

    /// An object with tokens; `None` if it has no value to be replaced.
    fn object(&self, subject: Option<Subject<'_>>, object: &Object) -> Option<String> {
        let mut is_replaced = false;
        let mut fields = Vec::new();
        for (name, value) in &object.0 {
            let replaced = if self.replaces(name) { self.whole(subject, name, value.get()) } else { self.inside(subject, value.get()) };
            is_replaced |= replaced.is_some();
            fields.push(format!("{}:{}", quoted(name), replaced.as_deref().unwrap_or(value.get())));
        }
        is_replaced.then(|| format!("{{{}}}", fields.join(",")))
    }

    /// The token of a value; none of `null`.
    fn whole(&self, subject: Option<Subject<'_>>, name: &str, value: &str) -> Option<String> {
        let text: Option<String> = serde_json::from_str(value).ok();
        (value != "null").then(|| quoted(&self.token(subject, name, text.as_deref().unwrap_or(value))))
    }

    /// A value in which there are such values.
    fn inside(&self, subject: Option<Subject<'_>>, value: &str) -> Option<String> {
        if let Ok(object) = serde_json::from_str::<Object>(value) {
            return self.object(subject, &object);
        }
        let items: Vec<Box<RawValue>> = serde_json::from_str(value).ok()?;
        let replaced: Vec<_> = items.iter().map(|item| self.inside(subject, item.get())).collect();
        let texts = items.iter().zip(&replaced).map(|(item, replaced)| replaced.as_deref().unwrap_or(item.get()));
        let text = || texts.collect::<Vec<_>>().join(",");
        replaced.iter().any(Option::is_some).then(|| format!("[{}]", text()))
    }
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::super::Keys;
    use super::*;
    use crate::Offset;
    use crate::value::{Digest, EventTime};

    #[test]
    fn personal_values_of_rejected_records_are_replaced() {
        let tokens = Tokens::new(["ip", "lat", "birth_date"].map(str::to_owned).to_vec(), Keys::of(Digest([7; 32])));
        let token = |subject, field, value| format!("\"{}\"", tokens.token(Some(subject), field, value));
        let (account, customer) = (Subject::Account("a"), Subject::Customer("c"));
        let letter = |value: &[u8]| {
            DeadLetter {
                topic: "transactions".into(),
                partition: 0,
                offset: Offset::new(1),
                ts: EventTime::from_nanos(0),
                key: None,
                value: None,
                text: None,
                code: "missing_field".into(),
                error: "amount: the field is missing; add it".into(),
            }
            .with_record(None, Some(value))
        };
        for (case, value, expected) in [
            ("nothing personal", r#"{ "account_id" : "a", "amount":1.10 }"#, r#"{ "account_id" : "a", "amount":1.10 }"#.to_owned()),
            (
                "of an account, the rest as it was",
                r#"{"account_id":"a","customer_id":"c","amount":1.10,"ip":"10.0.0.1","lat":51.50}"#,
                format!(
                    r#"{{"account_id":"a","customer_id":"c","amount":1.10,"ip":{},"lat":{}}}"#,
                    token(account, "ip", "10.0.0.1"),
                    token(account, "lat", "51.50")
                ),
            ),
            (
                "of a customer, twice and with an escape",
                r#"{"customer_id":"c","ip":null,"birth_date":"1990","birth_date":"19\u0039\u0030"}"#,
                format!(r#"{{"customer_id":"c","ip":null,"birth_date":{0},"birth_date":{0}}}"#, token(customer, "birth_date", "1990")),
            ),
            (
                "inside others",
                r#"{"account_id":"a","x":[1,{"ip":{"v":4}}],"y":{"z":2}}"#,
                format!(r#"{{"account_id":"a","x":[1,{{"ip":{}}}],"y":{{"z":2}}}}"#, token(account, "ip", r#"{"v":4}"#)),
            ),
            ("of nobody", r#"{"ip":"10.0.0.1"}"#, r#"{"ip":"withheld"}"#.to_owned()),
        ] {
            let written = tokens.letter(letter(value.as_bytes()));
            assert_eq!(written.text.as_deref(), Some(expected.as_str()), "{case}");
            assert_eq!(written.value.as_deref(), Some(expected.as_bytes()), "{case}");
            assert_eq!(written.error, letter(b"").error, "{case}");
        }
        for unreadable in [&b"{\"ip\":\"10.0.0.1\""[..], b"[{\"ip\":\"10.0.0.1\"}]", b"ip=10.0.0.1", b"\xff"] {
            let DeadLetter { value, text, error, .. } = tokens.letter(letter(unreadable));
            assert_eq!((value, text), (None, None));
            assert!(error.contains("the field is missing") && error.contains("privacy.tokens"), "{error}");
        }
    }
}
