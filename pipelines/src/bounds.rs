//! Bounds of single values of the configuration that belong to other packages, or whose type takes more than makes sense.

use std::time::Duration;

use headwater_schemas::Decimal;

use crate::config::{Config, Span};

/// The greatest fee in basis points, in magnitude: the whole value of a match.
const MAX_FEE_BPS: i64 = 10_000;
/// The longest time between grid points.
const MAX_GRID: Duration = Duration::from_secs(86_400);

/// The values out of bounds, one sentence each.
pub(crate) fn problems(config: &Config) -> Vec<String> {
    let mut problems: Vec<String> = zeros(config).chain(fees(config)).collect();
    if config.valuation.interval > MAX_GRID {
        problems.push(format!("valuation.interval is {:?}: give at most a day, \"24h\"", config.valuation.interval));
    }
    problems
}

/// Times that must be above zero.
fn zeros(config: &Config) -> impl Iterator<Item = String> {
    let by_account_type = config.compliance.retention_by_account_type.iter();
    let by_account_type = by_account_type
        .map(|(account_type, Span(time))| (format!("compliance.retention_by_account_type.{}", account_type.as_str()), *time));
    let named = [
        ("compliance.retention", Some(config.compliance.retention.0)),
        ("ledger.hold_expiry", config.ledger.hold_expiry.map(|Span(time)| time)),
        ("transfers.stuck_after", Some(config.transfers.stuck_after)),
        ("payments.stuck_after", Some(config.payments.stuck_after)),
        ("valuation.max_rate_age", Some(config.valuation.max_rate_age)),
    ];
    let named = named.into_iter().filter_map(|(key, time)| Some((key.to_owned(), time?)));
    named.chain(by_account_type).filter(|(_, time)| time.is_zero()).map(|(key, _)| format!("{key} is zero: give a time above zero"))
}

/// Fees beyond the value of a match.
fn fees(config: &Config) -> impl Iterator<Item = String> {
    let matching = &config.matching;
    let fees = [
        ("maker_fee_bps", matching.maker_fee_bps),
        ("taker_fee_bps", matching.taker_fee_bps),
        ("auction_fee_bps", matching.auction_fee_bps),
    ];
    let beyond = |fee: Decimal| fee > Decimal::whole(MAX_FEE_BPS) || fee < Decimal::whole(-MAX_FEE_BPS);
    let problem = |(key, fee)| format!("matching.{key} is {fee}: give basis points from -{MAX_FEE_BPS} to {MAX_FEE_BPS}");
    fees.into_iter().filter(move |(_, fee)| beyond(*fee)).map(problem)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_out_of_bounds_is_refused_by_its_key() {
        for (text, expected) in [
            (
                "[matching]\nmaker_fee_bps = '100000000'",
                Some("matching.maker_fee_bps is 100000000: give basis points from -10000 to 10000"),
            ),
            ("[matching]\ntaker_fee_bps = '-10000.1'", Some("matching.taker_fee_bps is -10000.1")),
            ("[matching]\nauction_fee_bps = 10001", Some("matching.auction_fee_bps is 10001")),
            ("[matching]\nmaker_fee_bps = -10000\ntaker_fee_bps = 10000", None),
            ("[ledger]\nhold_expiry = '0s'", Some("ledger.hold_expiry is zero: give a time above zero")),
            ("[ledger]\nhold_expiry = '1ns'", None),
            ("[compliance]\nretention = '0s'", Some("compliance.retention is zero")),
            ("[compliance]\nretention_by_account_type = { loan = '0d' }", Some("compliance.retention_by_account_type.loan is zero")),
            ("[transfers]\nstuck_after = '0s'", Some("transfers.stuck_after is zero")),
            ("[payments]\nstuck_after = '0s'", Some("payments.stuck_after is zero")),
            ("[valuation]\ninterval = '99999d'", Some("valuation.interval is 8639913600s: give at most a day")),
            ("[valuation]\ninterval = '1d'", None),
            ("[valuation]\nmax_rate_age = '0s'", Some("valuation.max_rate_age is zero: give a time above zero")),
            ("[valuation]\nmax_rate_age = '36h'", None),
            ("[surveillance]\nlayering_orders = 0", Some("surveillance.layering_orders is 0: give a number above zero")),
            ("[limits]\nleverage = true", Some("limits.leverage: expected an integer, or a decimal as text")),
            ("[[reports.calendar]]\nreport = 'large-cash'\non = 'day'", Some("reports.folder is missing")),
            ("[reports]\nfolder = 'made'\nsettle = 1\n[[reports.calendar]]\nreport = 'large-cash'\non = 'day'", Some("reports.settle")),
        ] {
            let refused = Config::parse("c.toml", text).map(|_| ()).map_err(|error| error.problems);
            match expected {
                None => assert_eq!(refused, Ok(()), "{text}"),
                Some(expected) => {
                    let [problem] = &*refused.expect_err(text) else { panic!("{text}: not one problem") };
                    assert!(problem.starts_with(expected), "{text}: {problem}");
                }
            }
        }
    }
}
