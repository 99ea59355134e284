//! Numbers that must not be mixed up, each a type of its own over a `u64`.

/// Declares a type of numbers. In columns, files and messages its values are bare numbers.
macro_rules! number {
    ($(#[doc = $doc:literal])+ $name:ident) => {
        $(#[doc = $doc])+
        #[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        #[serde(transparent)]
        #[repr(transparent)]
        pub struct $name(u64);

        impl $name {
            /// The least value.
            pub const ZERO: Self = Self(0);
            /// The greatest value.
            pub const MAX: Self = Self(u64::MAX);

            /// From the bare number.
            #[inline]
            pub const fn new(number: u64) -> Self {
                Self(number)
            }

            /// The bare number.
            #[inline]
            pub const fn get(self) -> u64 {
                self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Display::fmt(&self.0, out)
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Debug::fmt(&self.0, out)
            }
        }
    };
}
pub(crate) use number;

#[cfg(test)]
mod tests {
    use crate::Tick;

    #[test]
    fn a_number_is_written_and_read_as_the_bare_number() {
        let tick = Tick::new(7);
        assert_eq!(serde_json::to_string(&tick).expect("JSON"), "7");
        assert_eq!(serde_json::from_str::<Tick>("7").expect("a tick"), tick);
        assert_eq!(bincode::serialize(&tick).expect("bytes"), bincode::serialize(&7_u64).expect("bytes"));
        assert_eq!(format!("{tick} {tick:?} {tick:>3}"), "7 7   7");
    }
}
