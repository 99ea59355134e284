//! Scenarios: records in, tables out, through the real binary; each is also run in other ways, which must not change the tables.

mod alerts;
mod any_day;
mod backtest;
mod badness;
mod bank;
mod boards;
mod chaos;
mod cluster;
mod crash;
mod customers;
mod explain;
mod export;
mod faults;
mod hledger;
mod kafka;
mod ledger;
mod metrics;
mod privacy;
mod real_prices;
mod reasons;
mod recomputed_rules;
mod replay;
mod reports;
mod restart;
mod round_trips;
mod rule_changes;
mod rules_quality;
#[cfg(feature = "tls")]
mod secure;
mod simulated_market;
mod streams;
mod surveillance;
mod transfers_and_payments;
mod upkeep;
mod valuation;
mod wire;
