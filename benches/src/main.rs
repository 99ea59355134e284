//! Benchmarks: what Headwater costs, compared with the least possible cost, in the same run.
//!
//! | command | measures | compared with |
//! |---|---|---|
//! | `decode` | a record's JSON to an event | `serde_json` into the same struct, nothing checked |
//! | `avro` | a record's Avro to an event | the same event from JSON |
//! | `book` | a command to an order book; the whole view with its rows | a minimal book of two maps |
//! | `var` | a grid point at which all prices changed, or one: portfolios, VaR and ES with their rows | a loop that rounds each term on its own, and a sort |
//! | `rules` | a transaction through a pack of 30 rules; one more rule; an account's memory | the four rules of `banking` |
//! | `ingest` | Kafka to placed events | a bare librdkafka consumer with `serde_json` |
//! | `flow` | a log to the last commit: events per second and core, memory over time | reading and decoding the same log |
//! | `commits` | the same with audit, with the outbox; a restart | the same with nothing written; reading everything again |
//! | `latency` | publishing to commit, in a live run | the commit interval |
//! | `published` | an event in Kafka to its decision in Kafka, in a live run | |
//! | `readers` | a run beside 32 clients that ask SQL; their statements | the same run, and the same clients, alone |
//!
//! Both sides of a comparison alternate within one process ([`measure`]); the output is the median of the rounds, and the ratio.
//! `README.md` has the commands and figures.

mod avro;
mod book;
mod commits;
mod decode;
mod flow;
mod ingest;
mod latency;
mod measure;
mod postgres;
mod process;
mod published;
mod readers;
mod rules;
mod var;

use clap::{Parser, Subcommand};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Benchmarks of Headwater.
#[derive(Parser)]
#[command(name = "headwater-benches")]
struct CommandLine {
    #[command(subcommand)]
    bench: Bench,
}

#[derive(Subcommand)]
enum Bench {
    /// Decoding: JSON to events.
    Decode(decode::DecodeArguments),
    /// Decoding: Avro to events.
    Avro(avro::AvroArguments),
    /// Order book: commands to reports.
    Book(book::BookArguments),
    /// Valuation: changed prices to the VaR of each account and of the firm.
    Var(var::VarArguments),
    /// Rules: transactions to decisions, by packs of different sizes.
    Rules(rules::RulesArguments),
    /// Reading: Kafka to events; starts a broker.
    Ingest(ingest::IngestArguments),
    /// Pipeline: a log to the last commit.
    Flow(flow::FlowArguments),
    /// Commits: with and without, with audit and outbox; and a restart compared with reading everything again.
    Commits(commits::CommitsArguments),
    /// Latency: publishing to commit.
    Latency(latency::LatencyArguments),
    /// Latency: an event to its published decision; starts a broker.
    Published(published::PublishedArguments),
    /// Readers: a run and SQL clients beside each other.
    Readers(readers::ReadersArguments),
}

fn main() -> anyhow::Result<()> {
    if cfg!(debug_assertions) {
        println!("This is the dev profile: figures to be told come from `cargo run --release -p headwater-benches`.");
    }
    match CommandLine::parse().bench {
        Bench::Decode(arguments) => decode::decode(&arguments),
        Bench::Avro(arguments) => avro::avro(&arguments),
        Bench::Book(arguments) => book::book(&arguments),
        Bench::Var(arguments) => var::var(&arguments),
        Bench::Rules(arguments) => rules::rules(&arguments),
        Bench::Ingest(arguments) => ingest::ingest(&arguments),
        Bench::Flow(arguments) => flow::flow(&arguments),
        Bench::Commits(arguments) => commits::commits(&arguments),
        Bench::Latency(arguments) => latency::latency(&arguments),
        Bench::Published(arguments) => published::published(&arguments),
        Bench::Readers(arguments) => readers::readers(&arguments),
    }
}
