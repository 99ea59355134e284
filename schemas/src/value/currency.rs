//! Currencies of ISO 4217 and the fraction digits of their amounts.

use super::fixed;

/// Fraction digits of the currency's amounts: its exponent in ISO 4217. `None` for a currency outside ISO 4217, like a coin: its
/// amounts may have all nine digits.
pub fn exponent(currency: &str) -> Option<u32> {
    let is_in = |codes: &[&str]| codes.binary_search(&currency).is_ok();
    [(TWO_DIGITS, 2), (NO_DIGITS, 0), (THREE_DIGITS, 3), (FOUR_DIGITS, 4)]
        .into_iter()
        .find_map(|(codes, digits)| is_in(codes).then_some(digits))
}

/// Whether an amount, in billionths, has at most the fraction digits of its currency.
pub fn has_exponent(units: i128, currency: &str) -> bool {
    units % fixed::ONE == 0
        || exponent(currency).and_then(|digits| 10_i128.checked_pow(digits)).is_none_or(|parts| units % (fixed::ONE / parts) == 0)
}

/// Currencies without a minor unit, sorted.
#[rustfmt::skip]
const NO_DIGITS: &[&str] = &[
    "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND",
    "VUV", "XAF", "XOF", "XPF",
];

/// Currencies whose minor unit is a thousandth, sorted.
const THREE_DIGITS: &[&str] = &["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"];

/// Units of account whose minor unit is a ten-thousandth, sorted.
const FOUR_DIGITS: &[&str] = &["CLF", "UYW"];

/// Currencies whose minor unit is a hundredth, sorted.
#[rustfmt::skip]
const TWO_DIGITS: &[&str] = &[
    "AED", "AFN", "ALL", "AMD", "ANG", "AOA", "ARS", "AUD", "AWG", "AZN", "BAM", "BBD", "BDT",
    "BGN", "BMD", "BND", "BOB", "BOV", "BRL", "BSD", "BTN", "BWP", "BYN", "BZD", "CAD", "CDF",
    "CHE", "CHF", "CHW", "CNY", "COP", "COU", "CRC", "CUC", "CUP", "CVE", "CZK", "DKK", "DOP",
    "DZD", "EGP", "ERN", "ETB", "EUR", "FJD", "FKP", "GBP", "GEL", "GHS", "GIP", "GMD", "GTQ",
    "GYD", "HKD", "HNL", "HRK", "HTG", "HUF", "IDR", "ILS", "INR", "IRR", "JMD", "KES", "KGS",
    "KHR", "KPW", "KYD", "KZT", "LAK", "LBP", "LKR", "LRD", "LSL", "MAD", "MDL", "MGA", "MKD",
    "MMK", "MNT", "MOP", "MRU", "MUR", "MVR", "MWK", "MXN", "MXV", "MYR", "MZN", "NAD", "NGN",
    "NIO", "NOK", "NPR", "NZD", "PAB", "PEN", "PGK", "PHP", "PKR", "PLN", "QAR", "RON", "RSD",
    "RUB", "SAR", "SBD", "SCR", "SDG", "SEK", "SGD", "SHP", "SLE", "SLL", "SOS", "SRD", "SSP",
    "STN", "SVC", "SYP", "SZL", "THB", "TJS", "TMT", "TOP", "TRY", "TTD", "TWD", "TZS", "UAH",
    "USD", "USN", "UYU", "UZS", "VED", "VES", "WST", "XCD", "XCG", "YER", "ZAR", "ZMW", "ZWG",
    "ZWL",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_codes_are_in_order_and_in_one_list() {
        let lists = [NO_DIGITS, TWO_DIGITS, THREE_DIGITS, FOUR_DIGITS];
        assert!(lists.iter().all(|codes| codes.is_sorted_by(|a, b| a < b)));
        let mut all = lists.concat();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), lists.iter().map(|codes| codes.len()).sum::<usize>());
    }

    #[test]
    fn an_amount_has_at_most_the_digits_of_its_currency() {
        for (amount, currency, fits) in [
            ("100", "JPY", true),
            ("100.5", "JPY", false),
            ("100.50", "USD", true),
            ("100.505", "USD", false),
            ("0.001", "KWD", true),
            ("0.0001", "KWD", false),
            ("0.0001", "CLF", true),
            ("0.00000001", "BTC", true),
            ("0.000000001", "USDT", true),
        ] {
            assert_eq!(fixed::parse(amount).map(|units| has_exponent(units, currency)), Ok(fits), "{amount} {currency}");
        }
    }
}
