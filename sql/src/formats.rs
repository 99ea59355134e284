//! Enumerations of formats, as users name them.

/// Declares the formats of something by their names: the type, its list, its reader and its printer.
macro_rules! formats {
    ($(#[$meta:meta])* $name:ident { $($(#[$variant_meta:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name { $($(#[$variant_meta])* $variant),+ }

        impl $name {
            /// All formats.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The format's name.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                out.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                let known = Self::ALL.iter().find(|format| format.as_str() == text);
                known.copied().ok_or_else(|| $crate::formats::unknown(text, &[$($word),+]))
            }
        }
    };
}
pub(crate) use formats;

/// The message about a format that there is not.
pub(crate) fn unknown(text: &str, words: &[&str]) -> String {
    let known = match words {
        [others @ .., last] if !others.is_empty() => format!("{} or {last}", others.join(", ")),
        words => words.concat(),
    };
    format!("there is no format {text:?}: give {known}")
}

#[cfg(test)]
mod tests {
    use crate::{ExportFormat, Format, ReportFormat};

    #[test]
    fn what_is_not_known_is_answered_with_what_is() {
        let refused = |error: Result<String, String>| error.expect_err("no such format");
        for (message, expected) in [
            (refused("xls".parse::<Format>().map(|format| format.to_string())), "there is no format \"xls\": give table, csv or json"),
            (
                refused("xls".parse::<ReportFormat>().map(|format| format.to_string())),
                "there is no format \"xls\": give json, csv, xml, html, camt.053 or auth.016",
            ),
            (
                refused("xls".parse::<ExportFormat>().map(|format| format.to_string())),
                "there is no format \"xls\": give parquet, delta, csv or arrow",
            ),
        ] {
            assert_eq!(message, expected);
        }
        assert_eq!("arrow".parse(), Ok(ExportFormat::Arrow));
    }
}
