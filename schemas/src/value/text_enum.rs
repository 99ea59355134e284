//! Enumerations that are written as words: one list gives the type, its words, its reader and its schema.

/// Declares an enumeration whose variants are written as the given words, in JSON, in tables and in messages. Between workers a
/// variant is sent as its index in the list.
macro_rules! text_enum {
    ($(#[$doc:meta])* $name:ident { $($(#[doc = $variant_doc:literal])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[doc = $variant_doc])* $variant),+ }

        impl $name {
            /// Every variant, in the order of the contract.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The variant's word.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            /// What the variant means: its doc comment.
            pub const fn about(self) -> &'static str {
                match self { $(Self::$variant => concat!($($variant_doc),*)),+ }
            }

            /// The variant with a word.
            pub fn from_word(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)+ _ => None }
            }
        }

        $crate::tables::cell::text_cell!($name, |word: &$name| word.as_str(), $name::from_word, words &[$($word),+]);

        impl std::fmt::Display for $name {
            fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { out.pad(self.as_str()) }
        }

        impl std::str::FromStr for $name {
            type Err = String;
            fn from_str(word: &str) -> Result<Self, String> {
                Self::from_word(word).ok_or_else(|| format!("[unknown_value] {word:?} is not known; use one of {}", [$($word),+].join(", ")))
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
                if out.is_human_readable() { out.serialize_str(self.as_str()) } else { out.serialize_u8(*self as u8) }
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
                if input.is_human_readable() {
                    return $crate::value::read_text(input, concat!("one of the words", $(" ", $word),+));
                }
                let place = <u8 as serde::Deserialize>::deserialize(input)?;
                Self::ALL.get(usize::from(place)).copied().ok_or_else(|| serde::de::Error::custom("no such variant"))
            }
        }

        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> { stringify!($name).into() }
            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", "enum": [$($word),+] })
            }
        }
    };
}
pub(crate) use text_enum;
