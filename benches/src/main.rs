//! Benches: what Headwater costs, beside what the least possible would cost, in the same run.
//!
//! | command | measures | beside it |
//! |---|---|---|
//! | `decode` | a record's JSON to an event | `serde_json` into the same struct, nothing checked |
//! | `book` | a command to an order book; the whole view with its rows | a book of two maps that keeps nothing else |
//! | `var` | a grid point at which all prices changed, or one: portfolios, VaR and ES with their rows | each term rounded by itself, and a sort |
//! | `ingest` | Kafka to placed events | a bare librdkafka consumer with `serde_json` |
//! | `flow` | a log to the last commit: events a second and core, memory as it goes on | reading and decoding the same log |
//! | `commits` | the same with audit, with the outbox; a restart | the same with nothing written; reading all again |
//! | `latency` | publishing to commit, in a live run | the commit interval that it waits for |
//!
//! What is compared alternates within one process ([`measure`]); what is told is the median of the rounds, and the ratio.
//! `README.md` has the commands and figures.

mod book;
mod commits;
mod decode;
mod flow;
mod ingest;
mod latency;
mod measure;
mod process;
mod var;

use clap::{Parser, Subcommand};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What Headwater costs.
#[derive(Parser)]
#[command(name = "headwater-benches")]
struct CommandLine {
    #[command(subcommand)]
    bench: Bench,
}

#[derive(Subcommand)]
enum Bench {
    /// JSON to events.
    Decode(decode::DecodeArguments),
    /// Commands to an order book.
    Book(book::BookArguments),
    /// Prices that change, to the VaR of each account and of the firm.
    Var(var::VarArguments),
    /// Kafka to events; starts a broker.
    Ingest(ingest::IngestArguments),
    /// A log to the last commit.
    Flow(flow::FlowArguments),
    /// With commits and without, with audit and outbox; and a restart beside reading all again.
    Commits(commits::CommitsArguments),
    /// From publishing to commit.
    Latency(latency::LatencyArguments),
}

fn main() -> anyhow::Result<()> {
    if cfg!(debug_assertions) {
        println!("This is the dev profile: figures to be told come from `cargo run --release -p headwater-benches`.");
    }
    match CommandLine::parse().bench {
        Bench::Decode(arguments) => decode::decode(&arguments),
        Bench::Book(arguments) => book::book(&arguments),
        Bench::Var(arguments) => var::var(&arguments),
        Bench::Ingest(arguments) => ingest::ingest(&arguments),
        Bench::Flow(arguments) => flow::flow(&arguments),
        Bench::Commits(arguments) => commits::commits(&arguments),
        Bench::Latency(arguments) => latency::latency(&arguments),
    }
}
