//! Durations in packs: `30s`, `10m`, `24h`, `90d`.

const UNITS: &[(&str, i64)] = &[("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)];
const NANOS: i64 = 1_000_000_000;
/// Ten years: longer than any rule needs, and far below the range of `i64` nanoseconds.
const MAX_SECONDS: i64 = 3_660 * 86_400;

/// Parses a duration, in nanoseconds.
pub(super) fn parse(text: &str) -> Result<i64, String> {
    let advice = "write a whole number and one of s, m, h, d, like 10m";
    let unit = UNITS.iter().find_map(|(unit, seconds)| text.strip_suffix(unit).map(|count| (count, *seconds)));
    let (count, seconds) = unit.ok_or_else(|| format!("{text:?} is no length of time: {advice}"))?;
    if count.is_empty() || !count.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(format!("{text:?} is no length of time: {advice}"));
    }
    let total = count.parse::<i64>().ok().and_then(|count| count.checked_mul(seconds));
    match total.filter(|total| *total <= MAX_SECONDS) {
        Some(total) => Ok(total * NANOS),
        None => Err(format!("{text:?} is longer than ten years")),
    }
}

/// Writes a duration in the greatest unit of which it is a whole multiple, or in nanoseconds.
pub(super) fn write(nanos: i64, out: &mut impl std::fmt::Write) -> std::fmt::Result {
    let whole = UNITS.iter().find(|(_, seconds)| nanos % (seconds * NANOS) == 0);
    match whole {
        _ if nanos == 0 => out.write_str("0s"),
        Some((unit, seconds)) => write!(out, "{}{unit}", nanos / (seconds * NANOS)),
        None => write!(out, "{nanos}ns"),
    }
}

/// Reads what [`write()`] wrote, which may be negative or longer than a pack may say.
pub(super) fn read(text: &str) -> Option<i64> {
    if let Some(nanos) = text.strip_suffix("ns") {
        return nanos.parse().ok();
    }
    let (count, seconds) = UNITS.iter().find_map(|(unit, seconds)| Some((text.strip_suffix(unit)?, *seconds)))?;
    count.parse::<i64>().ok()?.checked_mul(seconds)?.checked_mul(NANOS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_read_and_write() {
        for (text, seconds, written) in [
            ("30s", 30, "30s"),
            ("10m", 600, "10m"),
            ("60m", 3_600, "1h"),
            ("24h", 86_400, "1d"),
            ("90d", 7_776_000, "90d"),
            ("0s", 0, "0s"),
        ] {
            let nanos = parse(text).expect(text);
            assert_eq!(nanos, seconds * NANOS);
            let mut out = String::new();
            assert!(write(nanos, &mut out).is_ok());
            assert_eq!(out, written);
        }
        for text in ["", "m", "10", "10 m", "-1m", "1.5h", "1h30m", "10w", "4000d", "99999999999999999999d"] {
            assert!(parse(text).is_err(), "{text}");
        }
        let mut out = String::new();
        assert!(write(1_500_000_000, &mut out).is_ok());
        assert_eq!(out, "1500000000ns");
    }

    #[test]
    fn what_was_written_reads_back() {
        for nanos in [0, NANOS, -90 * NANOS, 86_400 * NANOS, 5_000 * 86_400 * NANOS, 1_500_000_000, -1, i64::MAX] {
            let mut out = String::new();
            assert!(write(nanos, &mut out).is_ok());
            assert_eq!(read(&out), Some(nanos), "{out}");
        }
        for text in ["", "5", "d", "ns", "1.5h", "99999999999999d"] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
