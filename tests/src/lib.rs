//! Support for scenarios: a pipeline run as a process, its tables as rows, and real prices.
//!
//! A scenario writes records, runs the real binary and queries the committed tables. It reads no internal state: it sees what a
//! user sees. Where a run can be made in several ways (workers, tick, transport), the scenario makes it in several, and all
//! tables must have the same rows.
//!
//! Helpers:
//!
//! - [`pipeline`]: the binary, a bounded run in a [`Way`](pipeline::Way) (workers and tick), topics written as a log, results of
//!   SQL as lines. [`assert_same`](pipeline::assert_same) compares the [`tables`](pipeline::tables) of two runs;
//!   [`assert_invariants`](pipeline::assert_invariants) asserts what holds for any run: legs sum to zero, no book is crossed,
//!   realized and unrealized P&L are cash flow and market value.
//! - [`day`]: a seeded day of transactions, fills and quotes. [`recomputed`]: its tables in SQL over the raw records.
//! - [`crimes`]: labelled days of a bank and a market, and how well rules find what is planted.
//! - [`hledger`]: the ledger's entries as a journal of hledger, and the balances that it makes of it. Where it is neither installed
//!   nor can be fetched, the test prints that it is skipped and passes.
//! - [`judged_day`]: seeded months of transactions, payments and accesses that rules judge. [`recomputed_rules`]: features, decisions and
//!   alerts in SQL over the raw records.
//! - [`market`]: the simulator's market and bank as a log.
//! - [`prices`]: 33 years of daily closes of 20 shares, and seeded fills and accounts on them.
//! - [`stories`]: records and the expected answers of queries, checked wherever the run is cut.
//! - A real Apache Kafka is `headwater_connectors::testing::Broker`. Where Maven or Java is missing, the test prints that it is
//!   skipped and passes; with `CI=true` it fails.
//! - [`registry`]: a real Apicurio registry, skipped as Kafka is. [`maven`]: Java libraries, skipped as Kafka is.
//! - [`exposition`]: a live demo and its metrics. [`prometheus`]: a real Prometheus that scrapes it, and `promtool`; where they
//!   are not installed, the test prints that it skips them and passes.
//! - [`boards`]: the boards of `dashboards/`. [`grafana`]: their queries as Grafana expands them, and what comes back. [`page`]: a
//!   real Chromium that draws them; where it is not installed, the test prints that it is skipped and passes.
//! - [`guide`]: the examples of the guides in `docs/`. [`reference`](mod@reference): the pages of `docs/reference`.
//! - [`bucket`]: a real object store (moto); where it cannot be installed, the test prints that it is skipped and passes.
//! - [`events`]: server-sent events of the console's API, as a client reads them.
//! - [`serving`]: the server for PostgreSQL clients, and psql; where it is not installed, the test prints that it is skipped and passes.
//!
//! Scenarios, in `tests/scenarios`:
//!
//! | file | input | expectation |
//! |---|---|---|
//! | `real_prices` | fills at real closes, with 1 and 2 workers and ticks of 1 ms, 10 ms and 1 s | all tables are the same |
//! | | the same fills once | positions, values and risk equal a batch recomputation |
//! | | five fixed positions over 252 returns | VaR and expected shortfall are the golden figures |
//! | `simulated_market` | a simulated morning, two partitions a topic, in three ways | the same tables; something matched, was blocked, breached, refused |
//! | `alerts` | suppressions, several accounts of one owner, accounts that are closed and opened again | alerts are open, suppressed, together and withdrawn as they should, and published unless suppressed, wherever the run is cut |
//! | `any_day` | seeded days with late, repeated and contradicting records, cut by kills | at every commit balances, positions, portfolios, VaR and decisions equal a recomputation in SQL from the raw records; a replay makes the same files |
//! | `hledger` | seeded days in disorder, cut by a kill | at every fifth commit hledger makes the posted balances of the exported entries |
//! | `rules_quality` | a week of a bank and a market with planted crimes | every planted case of every rule is found |
//! | `recomputed_rules` | seeded months with late events, captures, voids and reversals, cut by a kill | every feature, decision and alert equals a recomputation in SQL from the raw records |
//! | `badness` | one bad record of every kind between good ones | the good ones arrive; each bad one is a dead letter with its code |
//! | | published lines, one of them invalid; an unknown topic | valid lines arrive; the error lists the topics |
//! | `chaos` | a day whose records are repeated and late | balances, ledger, quantities and scores are those of the orderly day; average cost follows the given order |
//! | `cluster` | two processes, one of which is killed in the middle | one message, and then the same tables |
//! | `crash` | runs are killed at every step of a commit and at any time, and restarted with other workers | the tables and their histories end as those of an undisturbed run |
//! | `object_storage` | runs in a bucket that are killed at every step, lose their folder, are overtaken, or lose the store for a while | the rows and topics of an undisturbed run, on whichever machine it continues; a mirror has the same |
//! | `explain` | a blocked transaction, an alert that a late event amended, one that a reversal withdrew | `headwater explain` prints rules, figures, events and what would have cleared them |
//! | `replay` | killed runs, and a live run with clocks decided by the wall clock, repeated from their topics | the same files, to the byte; another configuration differs where it should |
//! | `customers` | watched prices, purchases with holds, refunds and labels, budgets | the right alerts, sums and notifications, wherever the run is cut |
//! | `valuation` | problems of trading desks: late quotes and multipliers, Saturdays, moves between books, limits that change | the right figures, wherever the run is cut |
//! | `transfers_and_payments` | transfers and payments that stop, fail, come late, or differ from the ledger | the right states and alerts, wherever the run is cut |
//! | `surveillance` | a spoofer, a wash trade, a flood of messages, a marked close, front running, a fat finger, a large trader whose fill is busted, a stale feed, and honest neighbours | the right alerts, wherever the run is cut |
//! | `reasons` | a bust, a void, reversals, and late events | every history that they reach names them |
//! | `reports` | a day, and a transaction and a fill of it that come on the next | the figures of `headwater report` by hand, as known then and now; the same bytes with other workers |
//! | `transaction_reports` | matches of a day, of which one lacks an ISIN that comes on the next | auth.016 messages fit the model of another program, which reads the values that SQL has; what lacks something is left out and named; an amendment cancels |
//! | `report_calendar` | three weeks with a quarter's end and a holiday, in runs that are killed while they make reports, and without a calendar | exactly the documents of the calendar, to the byte those of undisturbed runs; a late event leaves them; what cannot be made is told |
//! | `restart` | data that a restart needs is missing or damaged | one sentence that names it and the remedy; with permission the run continues |
//! | `faults` | a full disk, folders that cannot be written, partitions that are added | one sentence and a restart that continues; they are read |
//! | `metrics` | a demo is scraped | names, units, help texts and labels follow Prometheus's conventions and `docs/dashboards.md` |
//! | | a real Prometheus scrapes a demo | every expression of boards and alerts yields series |
//! | `console` | a demo with clients that follow tables and are cut off after every event, and by its end | the sum of the changes is the table; every event's id resumes the stream after it |
//! | | clients that read nothing; one whose changes upkeep has dropped | memory and threads do not grow with them; 410, and a new start from the rows |
//! | | a demo, with hostile text in its records, in a real Chromium | every panel has rows, statements, keys and both colour schemes work, nothing is wider than the window, text stays text |
//! | `boards` | half a minute of the simulated market and bank | every query of every board gives rows that its panel can draw; figures agree with the tables; a browser draws them |
//! | `guides` | the guides of `docs/` | their commands print what they show, links lead somewhere, in the built book too, the reference is what is declared |
//! | `kafka` | real prices through a broker and a log | the same tables, which equal the recomputation |
//! | | a broker down at the start, and during a live run | an error, not a hang; reading continues; SIGTERM ends a run cleanly |
//! | `avro` | a simulated market and bank that Confluent's client produces as Avro, through a real registry | the tables of the same events as JSON; Confluent's client reads what is published, which equals the tables |
//! | | the registry is away during a live run that is killed; wrong records; a schema that the registry refuses | nothing is lost and nothing is a dead letter; dead letters with their bytes; one sentence |
//! | | runs that publish are killed, with the broker | they publish what one run publishes, each row once; rows published early are those that are committed |
//!
//! Terms: a **scenario** is a test here, not a day's returns. **Bounded run**: processes the existing records and ends. **Live
//! run**: runs until it is stopped.

pub mod boards;
pub mod bucket;
pub mod crimes;
pub mod day;
pub mod events;
pub mod exposition;
pub mod grafana;
pub mod guide;
pub mod hledger;
pub mod judged_day;
pub mod market;
pub mod maven;
pub mod orders;
pub mod page;
pub mod pipeline;
pub mod prices;
pub mod prometheus;
pub mod recomputed;
pub mod recomputed_rules;
pub mod reference;
pub mod registry;
pub mod scripts;
pub mod serving;
pub mod sql_logic;
pub mod stories;
