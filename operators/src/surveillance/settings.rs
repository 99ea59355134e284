//! Settings of surveillance: windows for all instruments, and thresholds that an asset class or a symbol may override.

use std::collections::BTreeMap;

use headwater_schemas::events::AssetClass;
use headwater_schemas::{Decimal, EventTime, Nanos, Symbol};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A decimal, written as text or as an integer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Exact(#[serde(with = "headwater_schemas::value::decimal_text")] pub Decimal);

/// A length of event time, written like `"60s"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(pub Nanos);

/// The longest length: a day. Longer windows would remember more events than a book has orders.
const LONGEST: i128 = 86_400_000_000_000;

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        let text = String::deserialize(input)?;
        let nanos = text.parse::<jiff::SignedDuration>().ok().map(|span| span.as_nanos()).filter(|nanos| (1..=LONGEST).contains(nanos));
        let nanos = nanos.and_then(|nanos| u64::try_from(nanos).ok());
        nanos.map(|nanos| Self(Nanos::new(nanos))).ok_or_else(|| {
            D::Error::custom(format!("{text:?} is no length of time up to a day: write it like \"500ms\", \"60s\" or \"5m\""))
        })
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.collect_str(self)
    }
}

impl std::fmt::Display for Span {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{:#}", jiff::SignedDuration::from_nanos(i64::try_from(self.0.get()).unwrap_or(i64::MAX)))
    }
}

impl Span {
    const fn seconds(seconds: u64) -> Self {
        Self(Nanos::new(seconds.saturating_mul(1_000_000_000)))
    }

    /// The time so much earlier.
    pub(super) fn before(self, time: EventTime) -> EventTime {
        EventTime::from_nanos(time.nanos().saturating_sub(i64::try_from(self.0.get()).unwrap_or(i64::MAX)))
    }

    /// The time so much later.
    pub(super) fn after(self, time: EventTime) -> EventTime {
        EventTime::from_nanos(time.nanos().saturating_add(i64::try_from(self.0.get()).unwrap_or(i64::MAX)))
    }
}

const fn whole(number: i64) -> Exact {
    Exact(Decimal::whole(number))
}

const fn hundredths(number: i128) -> Exact {
    Exact(Decimal::from_units(number * 10_000_000))
}

/// Values of a threshold that make sense.
#[derive(Clone, Copy)]
enum Bound {
    /// Greater than zero.
    AboveZero,
    /// Zero, which turns the condition off, or greater.
    NotNegative,
    /// Greater than zero, up to 1.
    Fraction,
}

impl Bound {
    /// What to give instead, if the value is out of bounds.
    fn mend(self, value: Decimal) -> Option<&'static str> {
        match self {
            Self::AboveZero => (value <= Decimal::ZERO).then_some("a number above zero"),
            Self::NotNegative => (value < Decimal::ZERO).then_some("zero or more"),
            Self::Fraction => (value <= Decimal::ZERO || value > Decimal::whole(1)).then_some("a fraction above zero, up to 1"),
        }
    }
}

/// The value of a threshold, for comparison with its bound.
trait Threshold {
    fn value(&self) -> Decimal;
}

impl Threshold for u64 {
    fn value(&self) -> Decimal {
        Decimal::whole(i64::try_from(*self).unwrap_or(i64::MAX))
    }
}

impl Threshold for Exact {
    fn value(&self) -> Decimal {
        self.0
    }
}

impl Threshold for Span {
    /// Seconds.
    fn value(&self) -> Decimal {
        Decimal::from_units(self.0.get().into())
    }
}

/// Declares the settings: windows with their defaults, then thresholds, which can be overridden, with their defaults and bounds.
macro_rules! settings {
    (
        windows { $($(#[doc = $window_doc:literal])+ $window:ident = $length:expr;)+ }
        thresholds { $($(#[doc = $doc:literal])+ $field:ident: $type:ty = $default:expr, $bound:ident;)+ }
    ) => {
        /// Section `[surveillance]`.
        #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct SurveillanceSettings {
            $($(#[doc = $window_doc])+ pub $window: Span,)+
            $($(#[doc = $doc])+ pub $field: $type,)+
            /// Thresholds of the instruments of an asset class.
            pub asset_classes: BTreeMap<AssetClass, Overrides>,
            /// Thresholds of a symbol, before those of its asset class.
            pub symbols: BTreeMap<Symbol, Overrides>,
        }

        /// Thresholds that differ from those of section `[surveillance]`.
        #[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct Overrides {
            $($(#[doc = $doc])+ pub $field: Option<$type>,)+
        }

        /// The thresholds of an instrument.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct Thresholds {
            $($(#[doc = $doc])+ pub $field: $type,)+
        }

        impl Default for SurveillanceSettings {
            fn default() -> Self {
                Self { $($window: $length,)+ $($field: $default,)+ asset_classes: BTreeMap::new(), symbols: BTreeMap::new() }
            }
        }

        impl Overrides {
            /// The thresholds out of bounds; `place` is the section.
            fn problems(&self, place: &str) -> Vec<String> {
                let values = [$((stringify!($field), self.$field.as_ref().map(Threshold::value), Bound::$bound)),+];
                let problem = |(key, value, bound): (&str, Option<Decimal>, Bound)| {
                    let value = value?;
                    bound.mend(value).map(|mend| format!("{place}.{key} is {value}: give {mend}"))
                };
                values.into_iter().filter_map(problem).collect()
            }
        }

        impl Thresholds {
            fn with(self, overrides: &Overrides) -> Self {
                Self { $($field: overrides.$field.unwrap_or(self.$field),)+ }
            }
        }

        impl SurveillanceSettings {
            /// The thresholds of an instrument; without a known asset class, those of its symbol alone.
            pub fn of(&self, symbol: &Symbol, asset_class: Option<AssetClass>) -> Thresholds {
                let of_class = self.of_class(asset_class);
                self.symbols.get(symbol).map_or(of_class, |overrides| of_class.with(overrides))
            }

            /// The general thresholds, as if they were overrides.
            fn general(&self) -> Overrides {
                Overrides { $($field: Some(self.$field),)+ }
            }

            /// The thresholds of an asset class, for figures that are summed over its instruments.
            pub fn of_class(&self, asset_class: Option<AssetClass>) -> Thresholds {
                let general = Thresholds { $($field: self.$field,)+ };
                let overrides = asset_class.and_then(|class| self.asset_classes.get(&class));
                overrides.map_or(general, |overrides| general.with(overrides))
            }
        }
    };
}

settings! {
    windows {
        /// Window of `layering`. Default 60 s.
        layering_window = Span::seconds(60);
        /// Window of `wash_trade`: the time between a purchase and a sale. Default 60 s.
        wash_trade_window = Span::seconds(60);
        /// Window of `marking_the_close`: the time before the close. Default 5 min.
        close_window = Span::seconds(300);
        /// Window of `quote_stuffing`. Default 1 s.
        stuffing_window = Span::seconds(1);
        /// Window of `front_running`: the time between the two orders. Default 2 s.
        front_running_window = Span::seconds(2);
        /// Time within which a rule that fires again for the same account amends its alert; later it raises another one. Default
        /// 5 min.
        episode = Span::seconds(300);
    }
    thresholds {
        /// `layering`: the least number of cancelled orders on one side. Default 3.
        layering_orders: u64 = 3, AboveZero;
        /// `layering`: the least ratio of the cancelled to the filled quantity of that side. Default 3.
        layering_ratio: Exact = whole(3), AboveZero;
        /// `layering`: the least ratio of the cancelled quantities of that side and the other one. A market maker, who moves the
        /// quotes of both sides, has about 1. Default 3; 0 to look at one side alone.
        layering_one_sided: Exact = whole(3), NotNegative;
        /// `marking_the_close`: the least share of the symbol's volume. Default 0.4.
        close_share: Exact = hundredths(40), Fraction;
        /// `marking_the_close`: the least quantity. Default 500.
        close_quantity: Exact = whole(500), NotNegative;
        /// `quote_stuffing`: the least number of order messages. Default 100.
        stuffing_messages: u64 = 100, AboveZero;
        /// `quote_stuffing`: executions for each message, below which it fires. Default 0.02.
        stuffing_filled: Exact = hundredths(2), AboveZero;
        /// `front_running`: the least ratio of the two orders' quantities. Default 10.
        front_running_ratio: Exact = whole(10), AboveZero;
        /// `order_to_trade`: order messages for each execution of a day, above which it fires. Default 100.
        order_to_trade: Exact = whole(100), AboveZero;
        /// `fat_finger`: multiple of the median value of the account's orders, above which it fires. Default 10.
        fat_finger: Exact = whole(10), AboveZero;
        /// `large_trader`: the least quantity of a day. Default 2 000 000.
        large_trader_quantity: Exact = whole(2_000_000), AboveZero;
        /// `large_trader`: the least value of a day, in the instruments' currency. Default 20 000 000.
        large_trader_value: Exact = whole(20_000_000), AboveZero;
        /// `stale_feed`: time without a quote while others have quotes, above which it fires. Default 5 s.
        stale_after: Span = Span::seconds(5), AboveZero;
    }
}

impl SurveillanceSettings {
    /// Thresholds that are out of bounds, or where they have no effect.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = self.general().problems("surveillance");
        for (class, overrides) in &self.asset_classes {
            problems.extend(overrides.problems(&format!("surveillance.asset_classes.{}", class.as_str())));
        }
        for (symbol, overrides) in &self.symbols {
            problems.extend(overrides.problems(&format!("surveillance.symbols.{symbol}")));
        }
        let sums = |overrides: &Overrides| overrides.large_trader_quantity.is_some() || overrides.large_trader_value.is_some();
        let summed = self.symbols.iter().filter(|(_, overrides)| sums(overrides));
        let problem = |(symbol, _): (&Symbol, &Overrides)| {
            format!(
                "surveillance.symbols.{symbol}: large_trader sums all symbols of an asset class: set its thresholds for the asset class"
            )
        };
        problems.extend(summed.map(problem));
        problems
    }

    /// How long executions are remembered.
    pub(super) fn trades_window(&self) -> Span {
        self.layering_window.max(self.wash_trade_window).max(self.close_window)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(text: &str) -> Result<SurveillanceSettings, String> {
        toml::from_str(text).map_err(|error| error.to_string())
    }

    #[test]
    fn a_symbol_overrides_its_asset_class_and_that_the_general_threshold() {
        let settings = settings(
            "fat_finger = 5\nlayering_orders = 4\n[asset_classes.crypto]\nfat_finger = '20.5'\nlayering_orders = 6\n[symbols.BTC]\nfat_finger = 30\n",
        )
        .unwrap();
        for (symbol, class, expected) in [
            ("AAPL", Some(AssetClass::Equity), ("5", 4)),
            ("ETH", Some(AssetClass::Crypto), ("20.5", 6)),
            ("BTC", Some(AssetClass::Crypto), ("30", 6)),
            ("BTC", None, ("30", 4)),
        ] {
            let found = settings.of(&Symbol::derived(symbol), class);
            assert_eq!((found.fat_finger.0.to_string().as_str(), found.layering_orders), expected, "{symbol} {class:?}");
            assert_eq!(found.stale_after, Span::seconds(5));
        }
    }

    #[test]
    fn a_threshold_that_makes_no_sense_is_refused_by_its_key() {
        for (text, problem) in [
            ("layering_orders = 0", "surveillance.layering_orders is 0: give a number above zero"),
            ("layering_ratio = -3", "surveillance.layering_ratio is -3: give a number above zero"),
            ("layering_one_sided = '-0.1'", "surveillance.layering_one_sided is -0.1: give zero or more"),
            ("close_share = '1.1'", "surveillance.close_share is 1.1: give a fraction above zero, up to 1"),
            ("close_quantity = -1", "surveillance.close_quantity is -1: give zero or more"),
            ("stuffing_messages = 0", "surveillance.stuffing_messages is 0: give a number above zero"),
            (
                "[asset_classes.crypto]\norder_to_trade = 0",
                "surveillance.asset_classes.crypto.order_to_trade is 0: give a number above zero",
            ),
            ("[symbols.BTC]\nfat_finger = -20", "surveillance.symbols.BTC.fat_finger is -20: give a number above zero"),
        ] {
            assert_eq!(settings(text).map(|settings| settings.problems()), Ok(vec![problem.to_owned()]), "{text}");
        }
        for text in ["", "layering_one_sided = 0\nclose_quantity = 0\nclose_share = 1"] {
            assert_eq!(settings(text).map(|settings| settings.problems()), Ok(Vec::new()), "{text}");
        }
    }

    #[test]
    fn what_is_not_known_not_exact_or_too_long_is_refused() {
        assert_eq!(settings(""), Ok(SurveillanceSettings::default()));
        assert_eq!(settings("close_window = '10m'").map(|settings| settings.trades_window()), Ok(Span::seconds(600)));
        for (text, problem) in [
            ("layering = 3", "unknown field"),
            ("[symbols.AAPL]\nlayering_window = '5s'", "unknown field"),
            ("close_share = 0.4", "as text"),
            ("close_window = '2d'", "up to a day"),
            ("close_window = '0s'", "up to a day"),
            ("close_window = '-5s'", "up to a day"),
        ] {
            assert!(settings(text).is_err_and(|error| error.contains(problem)), "{text}");
        }
    }
}
