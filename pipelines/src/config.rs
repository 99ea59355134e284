//! The configuration: one TOML file. Every key has a default; a file with problems is refused with all of them at once.
//!
//! ```toml
//! [time]
//! tick_interval = "10ms"        # granularity of time in the dataflow; results do not depend on it
//! idle_allowance = "50ms"       # how far a quiet partition lags the wall clock in a live run
//! horizon = "24h"               # how late an event may be, and how long its identity is remembered
//!
//! [horizons]                    # where it differs from time.horizon
//! transactions = "72h"          # of a topic: orders, fills, transactions, payments, transfers
//! busts = "168h"                # how long a fill can be busted
//! fraud = "24h"                 # how late a transaction may be and still be scored, and how old a decision that others change
//!
//! [source]
//! budget_mib = 64               # memory for events that are read and not fully processed
//! grid_lead = 64                # grid points with records that a partition may be ahead of what is processed
//! stride = 1024                 # records of a partition that are read before the next one has its turn
//! discover = "10s"              # how often a live run looks for new topics and partitions
//! topic_prefix = ""             # before the name of every topic
//! aliases = { "transactions" = "transaction.created" }   # topics with another name outside; no two the same
//! avro = ["orders", "market.quotes"]   # topics that carry Avro with schemas of the registry; the others carry JSON; Kafka only
//!
//! [commit]
//! interval = "1s"               # least time between commits; they close at grid points
//! audit = true                  # a row in `audit`, chained by hashes, for every accepted record
//!
//! [upkeep]                      # what keeps the data directory small
//! every = 64                    # commits between two merge plans; 0: none, and small commits stay in segments
//! grace = "10m"                 # how long a merged file stays: longer than any query takes
//! whole_from_changes = 20000    # changes from which on a state table is written whole, once they are as many as its rows
//! retention = { "audit" = "17520h", "holdings_history" = "8760h" }   # how long rows are kept after their day; without an entry, always
//!
//! [outbox]                      # tables that are published as topics; [] for none
//! topics = ["executions", "positions", "decisions", "alerts", "notifications", "dead_letters"]
//! eager = ["executions", "decisions"]   # published before their commit, from Kafka to Kafka; default: none
//! avro = ["executions"]         # of topics, those that are published as Avro; the others as JSON; Kafka only
//!
//! [valuation]
//! interval = "1s"               # the grid of event time: a multiple of the tick
//! base_currency = "USD"         # currency of books
//! max_rate_age = "3d"           # the age beyond which an exchange rate is stale: what it converts is counted in portfolios.stale_rates
//!
//! [positions]
//! lots = "average"              # how positions are closed: at "average" cost, or the oldest ("fifo") or newest ("lifo") lots first
//! lots_by_account = { A7 = "fifo" }   # where it is another one, by account; default: none
//!
//! [risk]
//! window = 252                  # daily returns
//! confidences = ["0.95", "0.975", "0.99"]
//! quantile = "order_statistic"  # or "linear"
//! methods = ["historical"]      # and "parametric", "ewma", "monte_carlo"
//! paths = 10000                 # of monte_carlo, each with a normally distributed return of every symbol
//! seed = 1                      # of monte_carlo: the same seed gives the same paths
//! limit_confidence = "0.95"     # of the VaR that limits are about: one of confidences
//! limit_method = "historical"   # one of methods; default: the first
//! coverage = "0.5"              # the part of the symbols with recent closes that must have one for a date to be a scenario date
//! max_gap = 5                   # dates over which a close is recent, and scenario dates over which a missing one is carried
//! components = true             # whether rows of the historical method say what each symbol of an account, or child of a book, adds
//! [[risk.stress]]               # changes of prices under which every scope is revalued, in the table stress; default: none
//! name = "crash"
//! asset_classes = { equity = "-0.20", crypto = "-0.50" }   # a fifth and a half less
//! symbols = { AAPL = "-0.35" }  # before those of asset classes; whatever is not named keeps its price
//!
//! [limits]                      # for whatever has no limit of its own
//! position_value = 1000000
//! gross_exposure = 50000000     # default: none
//! leverage = 3
//! concentration = "0.25"
//! var = 50000
//!
//! [ledger]
//! reversal_horizon = "4320h"    # how long a posted transaction can be reversed, and its id is remembered: 180 days
//! overcapture = false           # whether a capture may post more than was held
//! partial_captures = false      # whether a capture of less leaves the rest held, to be captured by others
//! enforce = false               # whether what breaks a rule (funds, limits, frozen, closed) is refused instead of raising an alert
//! hold_expiry = "7d"            # how long a hold is open before it is released; default: for ever
//!
//! [transfers]
//! stuck_after = "15m"           # time without a step after which a transfer that is not over is stuck, or not reversed
//!
//! [payments]
//! stuck_after = "15m"           # time without an outcome, or without the ledger's transaction, after which there is an alert
//!
//! [interest]
//! post = false                  # whether the interest of a month enters the ledger; false: the bank's own system sends it
//! day_count = { savings = 365, loan = 360 }   # days of a year by type of account, 365 or 360
//!
//! [matching]                    # fees in hundredths of a percent of the value, negative for a rebate
//! maker_fee_bps = "0"
//! taker_fee_bps = "0"
//! auction_fee_bps = "0"
//! restricted_symbols = []       # symbols whose orders are rejected
//!
//! [fraud]
//! pack = "rules.toml"           # scores transactions: a file, looked up beside this one; default: "banking", the built-in pack
//!
//! [rules]
//! packs = ["payments", "mine.toml"]   # further packs: built-in ones by name, or files beside this one; default: all built-in ones
//! base_currency = "USD"         # currency of `amount_base`
//! topic = true                  # whether the topic `rules` changes packs while running; false: its events are dead letters
//!
//! [customers]
//! price_hysteresis = "0.005"    # how far a mark has to come back from a watched price before it can cross it again
//! merchants = { "corner shop" = "groceries" }   # spending categories by words of merchants' names, before the built-in ones
//! budget_threshold = "0.8"      # part of a budget at which to warn, for budgets that give none
//! spike = "0.3"                 # more than on the same days of the month before, as a fraction of that
//! spike_minimum = "100"         # amount below which a month is no spike, in the currency of the purchases
//!
//! [notifications]
//! kinds = ["price", "budget", "spending", "fraud"]   # what customers are notified of
//! quiet_from = "22:00"          # quiet hours in the customer's time zone; notifications are delivered at their end
//! quiet_to = "07:00"            # the same as quiet_from for none
//!
//! [aml]                         # of the rule round_trip, which runs with the pack "aml"
//! round_trips = { window = "24h", hops = 5, share = "0.8", fan = 20 }
//!
//! [compliance]
//! retention = "1826d"           # how long records are kept from the closing of an account on: five years
//! retention_by_account_type = { loan = "3652d" }   # where it is another time, by type of account
//!
//! [privacy]                     # personal values in what is written of events
//! tokens = ["device_id", "ip"]  # fields whose values are replaced by tokens: a keyed hash each; default: none
//! keys = "keys.json"            # the keys, looked up beside this file: `headwater keys` creates it, `headwater erase` destroys one
//!
//! [surveillance]                # windows and thresholds of market surveillance: docs/surveillance.md has all of them
//! layering_window = "60s"
//! layering_orders = 3
//! stale_after = "5s"
//! asset_classes.crypto = { stale_after = "2s", order_to_trade = 500 }   # thresholds of the instruments of an asset class
//! symbols.AAPL = { fat_finger = 20 }                                   # thresholds of a symbol
//!
//! [reports]                     # the calendar of reports: docs/reports.md
//! folder = "reports"            # of documents and their manifest; below the data directory if relative; default: none, and no reports
//! settle = "10m"                # event time after the end of a date until its reports are made
//! from = "2026-01-01"           # the first date with reports; default: the date of the first rows
//! holidays = "holidays.csv"     # no business days: a file with date,name, looked up beside this one; default: none
//! [[reports.calendar]]
//! report = "daily-position"
//! on = "day"                    # or "business_day", "friday", "last_business_day" (of a month), "month", "quarter"
//! formats = ["json", "html"]    # default: ["json"]
//! [[reports.calendar]]
//! report = "account-statement"
//! on = "month"
//! account = "A1"                # for account-statement
//! [[reports.calendar]]
//! report = "capital"
//! on = "quarter"
//! reference = "reference.csv"   # for liquidity, capital and executions-rts22, looked up beside this file
//!
//! [http]
//! address = "127.0.0.1:9464"    # console, metrics and health; "" for none
//! hosts = []                    # names by which browsers ask for the console besides, such as that of a proxy
//!
//! [kafka]                       # see `headwater_connectors::kafka::KafkaConfig`
//!
//! [registry]                    # schemas of topics that carry Avro: see `headwater_connectors::registry::RegistryConfig`
//! url = "http://127.0.0.1:8081"
//!
//! [bucket]                      # a bucket that has the commits, of which the data directory is a copy: docs/object-storage.md
//! url = "s3://risk/headwater"
//! endpoint = "https://minio.example:9000"   # of a store other than Amazon's
//! region = "eu-central-1"
//! ca = "ca.pem"                # for https: certificates to trust besides those of the system, a file beside this one
//! patience_seconds = 600        # how long a store that does not answer is waited for
//!
//! [sql]                         # limits of queries, for `headwater sql`
//! memory_limit_mib = 1024
//! timeout_seconds = 300         # 0: none
//! threads = 0                   # 0: as many as there are cores
//!
//! [serve]                       # SQL for PostgreSQL clients: docs/sql-clients.md
//! address = "127.0.0.1:5433"    # "" for none; default: this for `serve` and `demo`, none for `run`
//! max_connections = 64
//! max_queries = 8               # that work at the same time; others wait
//! timeout_seconds = 300         # 0: none
//! max_rows = 0                  # rows after which a query fails; 0: no limit
//! # tls_certificate = "server.crt"   # PEM, looked up beside this file; with it only encrypted connections are taken
//! # tls_key = "server.key"
//! # [serve.users.ann]                # without users, everybody on this machine reads everything
//! # secret = "SCRAM-SHA-256$4096:…"  # from `headwater serve --password ann`
//! # tables = ["positions", "open_alerts"]   # default: all
//! # books = ["firm/equities"]        # whose rows the user reads; default: all
//! # masked = ["device_id", "ip"]     # columns that are NULL for the user; default: none
//! # aml = true                       # whether the user reads alerts about money laundering
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv6Addr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use headwater_connectors::bucket::BucketConfig;
use headwater_connectors::kafka::KafkaConfig;
use headwater_connectors::registry::RegistryConfig;
use headwater_operators::customers::{CustomerSettings, NotificationSettings};
use headwater_operators::ledger::InterestSettings;
use headwater_operators::matching::MatchingConfig;
use headwater_operators::positions::PositionSettings;
use headwater_operators::retention::RetentionSettings;
use headwater_operators::round_trips::Bounds;
use headwater_operators::rules::pack::BUILT_IN;
use headwater_operators::surveillance::SurveillanceSettings;
use headwater_operators::valuation::{LimitDefaults, RiskSettings};
use headwater_schemas::events::AccountType;
use headwater_schemas::privacy::PERSONAL;
use headwater_schemas::{Clock, Currency, Decimal, Topic};
use headwater_sql::{ServeConfig, SqlConfig};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};

use crate::bounds;
use crate::calendar::{EntryConfig, ReportsConfig};
use crate::horizons::{HorizonConfig, Horizons};
use crate::outbox::{EAGER, PROGRESS_TOPIC, PUBLISHED};
use crate::upkeep::UpkeepConfig;

/// The whole configuration.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// Section `[time]`: tick, idle allowance, horizon.
    pub time: TimeConfig,
    /// Section `[horizons]`: horizons of single topics and views.
    pub horizons: HorizonConfig,
    /// Section `[source]`: names of topics, memory, discovery.
    pub source: SourceConfig,
    /// Section `[commit]`: interval and audit.
    pub commit: CommitConfig,
    /// Section `[upkeep]`: merging and retention.
    pub upkeep: UpkeepConfig,
    /// Section `[outbox]`: published topics.
    pub outbox: OutboxConfig,
    /// Section `[valuation]`: grid and base currency.
    pub valuation: ValuationConfig,
    /// Section `[positions]`: how positions are closed.
    pub positions: PositionSettings,
    /// Section `[risk]`: window, confidences, methods.
    pub risk: RiskSettings,
    /// Section `[limits]`: limits for whatever has none of its own.
    pub limits: LimitDefaults,
    /// Section `[ledger]`: reversals and captures.
    pub ledger: LedgerConfig,
    /// Section `[transfers]`: when a step is overdue.
    pub transfers: StepsConfig,
    /// Section `[payments]`: when an outcome is overdue.
    pub payments: StepsConfig,
    /// Section `[interest]`: day counts, and whether interest is posted.
    pub interest: InterestSettings,
    /// Section `[matching]`: fees and restricted symbols.
    pub matching: MatchingConfig,
    /// Section `[fraud]`: the rule pack that scores transactions.
    pub fraud: FraudConfig,
    /// Section `[rules]`: the other rule packs.
    pub rules: RulesConfig,
    /// Section `[customers]`: price alerts, spending, budgets.
    pub customers: CustomerSettings,
    /// Section `[notifications]`: routing and quiet hours.
    pub notifications: NotificationSettings,
    /// Section `[aml]`: bounds of round trips.
    pub aml: AmlConfig,
    /// Section `[compliance]`: the retention of records.
    pub compliance: ComplianceConfig,
    /// Section `[privacy]`: tokens in place of personal values.
    pub privacy: PrivacyConfig,
    /// Section `[surveillance]`: windows and thresholds.
    pub surveillance: SurveillanceSettings,
    /// Section `[reports]`: the calendar of reports.
    pub reports: ReportsConfig,
    /// Section `[http]`: address of the console, metrics and health.
    pub http: HttpConfig,
    /// Section `[kafka]`: client, queues, security.
    pub kafka: KafkaConfig,
    /// Section `[registry]`: the schema registry.
    pub registry: RegistryConfig,
    /// Section `[bucket]`: the bucket that has the commits.
    pub bucket: BucketConfig,
    /// Section `[sql]`: limits of queries.
    pub sql: SqlConfig,
    /// Section `[serve]`: the server for PostgreSQL clients.
    pub serve: ServeConfig,
}

/// Section `[time]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TimeConfig {
    /// Length of a tick. Default 10 ms.
    #[serde(deserialize_with = "duration")]
    pub tick_interval: Duration,
    /// Time by which the clock of a partition at its end lags the wall clock: what a producer may need to publish an event. Histories call
    /// an event late whose effective time is more than that after its own time. Default 50 ms.
    #[serde(deserialize_with = "duration")]
    pub idle_allowance: Duration,
    /// How late an event may be, and how long its identity is remembered; [`HorizonConfig`] for one topic or view. Default 24 hours.
    #[serde(deserialize_with = "duration")]
    pub horizon: Duration,
}

impl Default for TimeConfig {
    fn default() -> Self {
        Self { tick_interval: Duration::from_millis(10), idle_allowance: Duration::from_millis(50), horizon: Duration::from_secs(86_400) }
    }
}

/// Section `[source]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SourceConfig {
    /// Memory for events that are read and not fully processed, in MiB, for all workers of a process. It is exceeded in two cases: the
    /// partition that all others wait for is always read, and the events of one tick are held whole (a table topic without `ts` is one
    /// tick). Default 64.
    pub budget_mib: u64,
    /// Grid points (`valuation.interval`) with records that a partition may be ahead of what is processed, at least 1. It bounds the memory
    /// of results, which may be much larger than the records. Default 64.
    pub grid_lead: usize,
    /// Records of a partition that are read before the next one has its turn. Default 1024; above 4096 only memory grows.
    pub stride: usize,
    /// How often a live run looks for new topics and partitions. Default 10 s.
    #[serde(deserialize_with = "duration")]
    pub discover: Duration,
    /// Prefix of every topic's name outside. Default none.
    pub topic_prefix: String,
    /// Names outside of topics that have another one there. The prefix goes before them as well. No two topics that are read or
    /// published may have the same name outside.
    pub aliases: BTreeMap<String, String>,
    /// Topics that carry Avro, framed with the id of a schema of `[registry]`. Needs Kafka. Default: none, all carry JSON.
    pub avro: Vec<String>,
}

impl Default for SourceConfig {
    fn default() -> Self {
        Self {
            budget_mib: 64,
            grid_lead: 64,
            stride: 1024,
            discover: Duration::from_secs(10),
            topic_prefix: String::new(),
            aliases: BTreeMap::new(),
            avro: Vec::new(),
        }
    }
}

impl SourceConfig {
    /// Name of a topic outside.
    pub fn name_of(&self, topic: Topic) -> String {
        self.outside(topic.as_str())
    }

    /// The topics that carry Avro.
    pub fn avro_topics(&self) -> BTreeSet<Topic> {
        self.avro.iter().filter_map(|name| Topic::from_word(name)).collect()
    }

    /// Name outside of a topic that is read or published.
    pub fn outside(&self, name: &str) -> String {
        let name = self.aliases.get(name).map_or(name, String::as_str);
        format!("{}{name}", self.topic_prefix)
    }
}

/// Section `[commit]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CommitConfig {
    /// Least time between commits, which close at grid points. Default 1 s.
    #[serde(deserialize_with = "duration")]
    pub interval: Duration,
    /// Whether every accepted record gets a row in `audit`. Default true.
    pub audit: bool,
}

impl Default for CommitConfig {
    fn default() -> Self {
        Self { interval: Duration::from_secs(1), audit: true }
    }
}

/// Section `[outbox]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OutboxConfig {
    /// Published topics. Default: all of [`crate::outbox::PUBLISHED`].
    pub topics: Vec<String>,
    /// Topics among `executions` and `decisions` that a live run publishes before their commit, once their tick has passed. Needs Kafka.
    /// Default: none.
    pub eager: Vec<String>,
    /// Those of `topics` that are published as Avro, with schemas that are registered in `[registry]` under `<topic>-value`. Needs Kafka.
    /// Default: none.
    pub avro: Vec<String>,
}

impl Default for OutboxConfig {
    fn default() -> Self {
        Self { topics: PUBLISHED.iter().map(|published| published.name.to_owned()).collect(), eager: Vec::new(), avro: Vec::new() }
    }
}

/// Section `[valuation]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ValuationConfig {
    /// Time between grid points, a multiple of the tick interval. Default 1 s.
    #[serde(deserialize_with = "duration")]
    pub interval: Duration,
    /// Currency of books. Default USD.
    pub base_currency: Currency,
    /// Age beyond which an exchange rate is stale. It still converts, and the rows of portfolios count what it converts. Default three
    /// days, so that a Friday's rate is not stale before the rates of Monday.
    #[serde(deserialize_with = "duration")]
    pub max_rate_age: Duration,
}

impl Default for ValuationConfig {
    fn default() -> Self {
        Self { interval: Duration::from_secs(1), base_currency: Currency::derived("USD"), max_rate_age: Duration::from_secs(3 * 86_400) }
    }
}

/// Section `[ledger]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LedgerConfig {
    /// How long a posted transaction can be reversed. Default 180 days.
    #[serde(deserialize_with = "duration")]
    pub reversal_horizon: Duration,
    /// Whether a capture may post more than was held. Default false.
    pub overcapture: bool,
    /// Whether a capture of less than is held leaves the rest held. Default false: it releases the rest.
    pub partial_captures: bool,
    /// Whether a transaction without funds, or of a frozen or closed account, is refused. Default false: it is posted, and raises an alert.
    pub enforce: bool,
    /// How long a hold is open before it is released, with an alert. Default none: until it is captured or voided.
    pub hold_expiry: Option<Span>,
}

impl Default for LedgerConfig {
    fn default() -> Self {
        let reversal_horizon = Duration::from_secs(180 * 86_400);
        Self { reversal_horizon, overcapture: false, partial_captures: false, enforce: false, hold_expiry: None }
    }
}

/// Sections `[transfers]` and `[payments]`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StepsConfig {
    /// Event time after which an awaited step is overdue. Default 15 minutes.
    #[serde(deserialize_with = "duration")]
    pub stuck_after: Duration,
}

impl Default for StepsConfig {
    fn default() -> Self {
        Self { stuck_after: Duration::from_secs(15 * 60) }
    }
}

/// Section `[fraud]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FraudConfig {
    /// The pack that scores transactions; `banking` by default.
    pub pack: Option<PackName>,
}

/// Section `[rules]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RulesConfig {
    /// The packs besides that of `[fraud]`; by default all built-in ones.
    pub packs: Option<Vec<PackName>>,
    /// Currency of the field `amount_base`. Amounts without a rate to it are converted over `valuation.base_currency`. Default USD.
    pub base_currency: Currency,
    /// Whether the topic `rules` changes packs. Default true; otherwise its events are dead letters.
    pub topic: bool,
}

impl Default for RulesConfig {
    fn default() -> Self {
        Self { packs: None, base_currency: Currency::derived("USD"), topic: true }
    }
}

/// Section `[aml]`: settings of rules of the pack `aml` that are no conditions of one event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AmlConfig {
    /// Money that comes back to its payer.
    pub round_trips: RoundTripConfig,
}

/// Section `[compliance]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ComplianceConfig {
    /// How long records are kept from the closing of an account on. Default 1826 days, which are five years.
    pub retention: Span,
    /// Where it is another time, by type of account. Default none.
    pub retention_by_account_type: BTreeMap<AccountType, Span>,
}

impl Default for ComplianceConfig {
    fn default() -> Self {
        Self { retention: Span(Duration::from_secs(1826 * 86_400)), retention_by_account_type: BTreeMap::new() }
    }
}

impl ComplianceConfig {
    /// The settings of the view.
    pub fn settings(&self) -> RetentionSettings {
        let by_account_type = self.retention_by_account_type.iter().map(|(account_type, Span(length))| (*account_type, (*length).into()));
        RetentionSettings { retention: self.retention.0.into(), by_account_type: by_account_type.collect() }
    }
}

/// Section `[privacy]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PrivacyConfig {
    /// Personal fields whose values are replaced by tokens in decisions, alerts and dead letters. Default none.
    pub tokens: Vec<String>,
    /// The file with the keys of customers and accounts, relative to the configuration's folder.
    pub keys: Option<PathBuf>,
}

impl PrivacyConfig {
    /// What is wrong with it.
    fn problems(&self) -> Vec<String> {
        let unknown = self.tokens.iter().filter(|field| !PERSONAL.contains(&field.as_str()));
        let unknown = unknown.map(|field| format!("privacy.tokens: {field:?} is no personal field: give some of {}", PERSONAL.join(", ")));
        let keyless = (!self.tokens.is_empty() && self.keys.is_none())
            .then(|| "privacy.keys is missing: privacy.tokens needs a file with keys, which `headwater keys FILE` creates".to_owned());
        unknown.chain(keyless).collect()
    }
}

/// Bounds of a round trip, and of the search for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RoundTripConfig {
    /// The longest time from the first transfer to the last one. Default 24 hours.
    #[serde(deserialize_with = "duration")]
    pub window: Duration,
    /// The greatest number of transfers, 2 to 8. Default 5.
    pub hops: usize,
    /// The least amount of a transfer, as a fraction of that of the one before, up to 1. Default 0.8.
    #[serde(with = "headwater_schemas::value::decimal_text")]
    pub share: Decimal,
    /// The number of an account's transfers, the latest, through which money is followed. Default 20.
    pub fan: usize,
}

/// The greatest number of paths that the search for one round trip looks at.
const MOST_PATHS: usize = 1_000_000;

impl Default for RoundTripConfig {
    fn default() -> Self {
        Self { window: Duration::from_secs(86_400), hops: 5, share: Decimal::from_units(800_000_000), fan: 20 }
    }
}

impl RoundTripConfig {
    /// The bounds of the view.
    pub fn bounds(&self) -> Bounds {
        Bounds { window: self.window.into(), hops: self.hops, share: self.share, fan: self.fan }
    }

    /// Whether the search for one trip looks at no more than [`MOST_PATHS`].
    fn is_affordable(&self) -> bool {
        let exponent = u32::try_from(self.hops.saturating_sub(2)).unwrap_or(u32::MAX);
        self.fan.checked_pow(exponent).is_some_and(|paths| paths <= MOST_PATHS)
    }

    /// What is wrong with them.
    fn problems(&self) -> Vec<String> {
        let wrong = [
            (self.window.is_zero(), format!("window is {:?}: give a time above zero", self.window)),
            (!(2..=8).contains(&self.hops), format!("hops is {}: give 2 to 8", self.hops)),
            (self.share <= Decimal::ZERO || self.share > Decimal::whole(1), format!("share is {}: give a fraction up to 1", self.share)),
            (self.fan == 0, "fan is 0: give at least 1".to_owned()),
            (
                !self.is_affordable(),
                format!("fan is {} and hops is {}: fan to the power of hops - 2 must be at most {MOST_PATHS}", self.fan, self.hops),
            ),
        ];
        wrong.into_iter().filter(|(is_wrong, _)| *is_wrong).map(|(_, problem)| format!("aml.round_trips.{problem}")).collect()
    }
}

/// A rule pack: the name of a built-in one, or a file relative to the configuration's folder.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct PackName(pub PathBuf);

/// The pack that scores transactions unless another one is configured.
const BANKING: &str = "banking";

/// The least interval of [`SourceConfig::discover`]: each look asks the brokers for every topic.
const LEAST_DISCOVER: Duration = Duration::from_millis(10);

impl PackName {
    fn built_in(name: &str) -> Self {
        Self(PathBuf::from(name))
    }

    /// File of the pack; none for a built-in one.
    pub fn file(&self) -> Option<&Path> {
        BUILT_IN.iter().all(|(name, _)| self.0 != Path::new(name)).then_some(&self.0)
    }

    /// Resolves the path relative to the configuration's folder.
    fn look_beside(&mut self, file: &Path) {
        if let Some((pack, folder)) = self.file().zip(file.parent()) {
            self.0 = folder.join(pack);
        }
    }
}

impl Config {
    /// The rule packs, that of `[fraud]` first.
    pub fn packs(&self) -> Vec<PackName> {
        let scoring = self.fraud.pack.clone().unwrap_or_else(|| PackName::built_in(BANKING));
        let others = || BUILT_IN.iter().map(|(name, _)| *name).filter(|name| *name != BANKING).map(PackName::built_in).collect();
        std::iter::once(scoring).chain(self.rules.packs.clone().unwrap_or_else(others)).collect()
    }

    /// The configuration with this rule pack alone, whatever the topic `rules` says.
    pub fn with_pack(&self, name: PackName) -> Self {
        let mut config = self.clone();
        config.fraud.pack = Some(name);
        config.rules = RulesConfig { packs: Some(Vec::new()), topic: false, ..config.rules };
        config
    }
}

/// A duration, written like "24h".
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(transparent)]
pub struct Span(#[serde(deserialize_with = "duration")] pub Duration);

/// Section `[http]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HttpConfig {
    /// Address and port; empty for none. Default 127.0.0.1:9464.
    pub address: String,
    /// Names by which browsers ask for the console besides that address, such as the name of a proxy in front of it. Default: none.
    pub hosts: Vec<String>,
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self { address: "127.0.0.1:9464".to_owned(), hosts: Vec::new() }
    }
}

/// A configuration that cannot be used, with every problem.
#[derive(Debug, thiserror::Error)]
#[error("{file}: {}", problems.join("; "))]
pub struct ConfigError {
    /// The file.
    pub file: String,
    /// The problems, one sentence each.
    pub problems: Vec<String>,
    /// Why it cannot be read.
    #[source]
    pub cause: Option<std::io::Error>,
}

impl Config {
    /// Ticks and grid of the configuration.
    pub fn clock(&self) -> Clock {
        Clock::new(self.time.tick_interval.into(), self.valuation.interval.into())
    }

    /// Horizons of topics and views.
    pub fn horizons(&self) -> Horizons {
        self.horizons.resolved(self.time.horizon)
    }

    /// Reads a file; without one everything has its default.
    pub fn load(file: Option<&Path>) -> Result<Self, ConfigError> {
        let Some(file) = file else { return Ok(Self::default()) };
        let unreadable =
            |error| ConfigError { file: file.display().to_string(), problems: vec!["cannot be read".to_owned()], cause: Some(error) };
        let text = std::fs::read_to_string(file).map_err(unreadable)?;
        let mut config = Self::parse(&file.display().to_string(), &text)?;
        let packs = config.fraud.pack.iter_mut().chain(config.rules.packs.iter_mut().flatten());
        packs.for_each(|pack| pack.look_beside(file));
        if let (Some(keys), Some(folder)) = (&mut config.privacy.keys, file.parent()) {
            *keys = folder.join(&*keys);
        }
        config.reports.look_beside(file.parent().unwrap_or(Path::new("")));
        config.registry.look_beside(file.parent().unwrap_or(Path::new("")));
        config.bucket.look_beside(file.parent().unwrap_or(Path::new("")));
        let of_tls = config.serve.tls_certificate.iter_mut().chain(&mut config.serve.tls_key);
        of_tls.for_each(|path| *path = file.parent().unwrap_or(Path::new("")).join(&*path));
        Ok(config)
    }

    /// Reads a text; `file` only names it in errors.
    pub fn parse(file: &str, text: &str) -> Result<Self, ConfigError> {
        let table: toml::Table = text.parse().map_err(|error: toml::de::Error| ConfigError {
            file: file.to_owned(),
            problems: vec![error.to_string().trim().replace('\n', " ")],
            cause: None,
        })?;
        let mut config = Self::default();
        let mut problems = Vec::new();
        for (name, value) in table {
            match name.as_str() {
                "time" => section(&name, value, &mut config.time, &mut problems),
                "horizons" => section(&name, value, &mut config.horizons, &mut problems),
                "source" => section(&name, value, &mut config.source, &mut problems),
                "commit" => section(&name, value, &mut config.commit, &mut problems),
                "upkeep" => section(&name, value, &mut config.upkeep, &mut problems),
                "outbox" => section(&name, value, &mut config.outbox, &mut problems),
                "valuation" => section(&name, value, &mut config.valuation, &mut problems),
                "positions" => section(&name, value, &mut config.positions, &mut problems),
                "risk" => section(&name, value, &mut config.risk, &mut problems),
                "limits" => section(&name, value, &mut config.limits, &mut problems),
                "ledger" => section(&name, value, &mut config.ledger, &mut problems),
                "transfers" => section(&name, value, &mut config.transfers, &mut problems),
                "payments" => section(&name, value, &mut config.payments, &mut problems),
                "interest" => section(&name, value, &mut config.interest, &mut problems),
                "matching" => section(&name, value, &mut config.matching, &mut problems),
                "fraud" => section(&name, value, &mut config.fraud, &mut problems),
                "rules" => section(&name, value, &mut config.rules, &mut problems),
                "customers" => section(&name, value, &mut config.customers, &mut problems),
                "notifications" => section(&name, value, &mut config.notifications, &mut problems),
                "aml" => section(&name, value, &mut config.aml, &mut problems),
                "compliance" => section(&name, value, &mut config.compliance, &mut problems),
                "privacy" => section(&name, value, &mut config.privacy, &mut problems),
                "surveillance" => section(&name, value, &mut config.surveillance, &mut problems),
                "reports" => reports(value, &mut config.reports, &mut problems),
                "http" => section(&name, value, &mut config.http, &mut problems),
                "kafka" => section(&name, value, &mut config.kafka, &mut problems),
                "registry" => section(&name, value, &mut config.registry, &mut problems),
                "bucket" => section(&name, value, &mut config.bucket, &mut problems),
                "sql" => section(&name, value, &mut config.sql, &mut problems),
                "serve" => section(&name, value, &mut config.serve, &mut problems),
                other => problems.push(format!("[{other}] is not a section: see the list of sections in the documentation")),
            }
        }
        problems.extend(config.contradictions());
        problems.extend(bounds::problems(&config));
        if problems.is_empty() { Ok(config) } else { Err(ConfigError { file: file.to_owned(), problems, cause: None }) }
    }

    /// Problems that are not of a single key.
    fn contradictions(&self) -> Vec<String> {
        let mut problems = self.upkeep.contradictions();
        let tick = self.time.tick_interval.as_nanos();
        if !(1_000..=3_600_000_000_000).contains(&tick) {
            problems.push(format!("time.tick_interval is {:?}: give 1us to 1h", self.time.tick_interval));
        } else if self.valuation.interval.as_nanos() < tick || !self.valuation.interval.as_nanos().is_multiple_of(tick) {
            let (valuation, tick) = (self.valuation.interval, self.time.tick_interval);
            problems.push(format!("valuation.interval is {valuation:?}: give a multiple of time.tick_interval, which is {tick:?}"));
        }
        if self.source.budget_mib == 0 {
            problems.push("source.budget_mib is 0: give at least 1".to_owned());
        }
        if self.source.grid_lead == 0 {
            problems.push("source.grid_lead is 0: give at least 1".to_owned());
        }
        if self.source.discover < LEAST_DISCOVER {
            problems.push(format!("source.discover is {:?}: give at least {LEAST_DISCOVER:?}", self.source.discover));
        }
        if !(1..=1 << 20).contains(&self.source.stride) {
            problems.push(format!("source.stride is {}: give 1 to {}", self.source.stride, 1 << 20));
        }
        let is_published = |name: &str| PUBLISHED.iter().any(|published| published.name == name);
        for name in self.source.aliases.keys().filter(|name| Topic::from_word(name).is_none() && !is_published(name)) {
            problems.push(format!("source.aliases: {name:?} is not a topic"));
        }
        problems.extend(self.problems_of_names());
        for name in self.outbox.topics.iter().filter(|name| !is_published(name)) {
            let known = PUBLISHED.iter().map(|published| published.name).collect::<Vec<_>>().join(", ");
            problems.push(format!("outbox.topics: {name:?} is not published: give some of {known}"));
        }
        for name in self.outbox.eager.iter().filter(|name| !EAGER.contains(&name.as_str()) || !self.outbox.topics.contains(name)) {
            problems.push(format!(
                "outbox.eager: {name:?} cannot leave before its commit: give some of {}, which must be in outbox.topics, too",
                EAGER.join(", ")
            ));
        }
        problems.extend(self.problems_of_avro());
        if !self.http.address.is_empty() && !is_host_and_port(&self.http.address) {
            problems.push(format!("http.address is {:?}: write HOST:PORT like \"127.0.0.1:9464\", or \"\" for none", self.http.address));
        }
        let unusable = self.http.hosts.iter().filter(|name| !is_host_and_port(&format!("{name}:80")));
        problems
            .extend(unusable.map(|name| format!("http.hosts: {name:?} is no name: write a host without a port, like \"console.example\"")));
        problems.extend(self.risk.problems());
        problems.extend(self.limits.problems());
        problems.extend(self.customers.problems());
        problems.extend(self.notifications.problems());
        problems.extend(self.interest.problems());
        problems.extend(self.aml.round_trips.problems());
        if self.interest.post && self.ledger.enforce {
            problems.push(
                "interest.post and ledger.enforce exclude each other: debits are decided before interest is posted; send interest as transactions"
                    .to_owned(),
            );
        }
        problems.extend(self.privacy.problems());
        problems.extend(self.surveillance.problems());
        problems.extend(self.reports.problems());
        problems.extend(self.bucket.validate().into_iter().map(|problem| format!("bucket.{problem}")));
        problems.extend(self.sql.validate().into_iter().map(|problem| format!("sql.{problem}")));
        problems.extend(self.serve.validate().into_iter().map(|problem| format!("serve.{problem}")));
        if let Some(address) = self.serve.address.as_deref().filter(|address| !address.is_empty() && !is_host_and_port(address)) {
            problems.push(format!("serve.address is {address:?}: write HOST:PORT, or \"\" for none"));
        }
        problems
    }
}

impl Config {
    /// Problems of topics that share a name outside. Two topics that are read would have each record twice, and a run that reads what it
    /// publishes never ends.
    fn problems_of_names(&self) -> Vec<String> {
        let is_published = |name: &&str| self.outbox.topics.iter().any(|listed| listed == name);
        let published: Vec<_> = PUBLISHED.iter().map(|published| published.name).filter(is_published).collect();
        let progress = (!published.is_empty()).then_some((PROGRESS_TOPIC, "of the outbox's progress"));
        let read = Topic::ALL.iter().map(|topic| (topic.as_str(), "read"));
        let mut by_outside = BTreeMap::<String, Vec<String>>::new();
        for (name, role) in read.chain(published.into_iter().map(|name| (name, "published"))).chain(progress) {
            by_outside.entry(self.source.outside(name)).or_default().push(format!("{name:?} ({role})"));
        }
        let shared = by_outside.into_iter().filter(|(_, topics)| topics.len() > 1);
        let problem = |(outside, topics): (String, Vec<String>)| {
            format!("source.aliases: the topics {} have the same name outside, {outside:?}: give each its own", topics.join(" and "))
        };
        shared.map(problem).collect()
    }

    /// Problems of topics that carry Avro.
    fn problems_of_avro(&self) -> Vec<String> {
        let unknown = self.source.avro.iter().filter(|name| Topic::from_word(name).is_none());
        let mut problems: Vec<_> = unknown.map(|name| format!("source.avro: {name:?} is not a topic")).collect();
        let unpublished = self.outbox.avro.iter().filter(|name| !self.outbox.topics.contains(name));
        problems.extend(unpublished.map(|name| format!("outbox.avro: {name:?} is not published: give some of outbox.topics")));
        if self.registry.url.is_empty() && !(self.source.avro.is_empty() && self.outbox.avro.is_empty()) {
            problems.push("registry.url is missing: source.avro and outbox.avro need a schema registry".to_owned());
        }
        problems.extend(self.registry.validate().into_iter().map(|problem| format!("registry.{problem}")));
        problems
    }
}

/// Whether a text is HOST:PORT. An IPv6 address is in brackets.
pub(crate) fn is_host_and_port(text: &str) -> bool {
    let Some((host, port)) = text.rsplit_once(':') else { return false };
    let is_bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).is_some_and(|host| host.parse::<Ipv6Addr>().is_ok());
    let is_name = !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'));
    port.parse::<u16>().is_ok() && (is_bracketed || is_name)
}

/// Reads a section. If that fails, reads it key by key, so that every bad key is named.
fn section<T: DeserializeOwned>(name: &str, value: toml::Value, into: &mut T, problems: &mut Vec<String>) {
    let toml::Value::Table(table) = value else {
        return problems.push(format!("{name} is a single value: write a section [{name}]"));
    };
    let Err(whole) = T::deserialize(toml::Value::Table(table.clone())).map(|section| *into = section) else { return };
    let (before, mut readable) = (problems.len(), table);
    readable.retain(|key, value| {
        let alone = toml::Table::from_iter([(key.to_owned(), value.clone())]);
        let Err(error) = T::deserialize(toml::Value::Table(alone)) else { return true };
        problems.push(format!("{name}.{key}: {}", error.to_string().trim().replace('\n', " ")));
        false
    });
    if problems.len() == before {
        return problems.push(format!("[{name}]: {}", whole.to_string().trim()));
    }
    // Checks of ranges follow. They see the keys that could be read, so that all problems are told at once.
    T::deserialize(toml::Value::Table(readable)).into_iter().for_each(|section| *into = section);
}

/// Reads the section `[reports]`, whose entries are read one by one, so that every problem of each is named.
fn reports(mut value: toml::Value, into: &mut ReportsConfig, problems: &mut Vec<String>) {
    let calendar = value.as_table_mut().and_then(|table| table.remove("calendar"));
    let has_folder = value.get("folder").is_some();
    section("reports", value, into, problems);
    let entries = match calendar {
        None => Vec::new(),
        Some(toml::Value::Array(entries)) => entries,
        Some(_) => return problems.push("reports.calendar is no list: write each entry under [[reports.calendar]]".to_owned()),
    };
    if !has_folder && !entries.is_empty() {
        problems.push(
            "reports.folder is missing, so no entry of reports.calendar would be made: write it like folder = \"reports\"".to_owned(),
        );
    }
    for (number, entry) in (1..).zip(entries) {
        let toml::Value::Table(mut keys) = entry else {
            problems.push(format!("reports.calendar, entry {number} is a single value: write its keys under [[reports.calendar]]"));
            continue;
        };
        let mut refused = BTreeSet::new();
        keys.retain(|key, value| {
            let alone = toml::Table::from_iter([(key.to_owned(), value.clone())]);
            let Err(error) = EntryConfig::deserialize(toml::Value::Table(alone)) else { return true };
            problems.push(format!("reports.calendar, entry {number}: {}", error.to_string().trim().replace('\n', " ")));
            refused.insert(key.to_owned());
            false
        });
        into.calendar.extend(EntryConfig::deserialize(toml::Value::Table(keys)).map(|entry| EntryConfig { refused, ..entry }));
    }
}

fn duration<'de, D: Deserializer<'de>>(input: D) -> Result<Duration, D::Error> {
    use serde::de::Error;
    let text = String::deserialize(input)?;
    let wrong = || D::Error::custom(format!("{text:?} is not a duration: write it like \"10ms\", \"1s\", \"24h\" or \"7d\""));
    // A day has 24 hours of event time.
    let days = text.strip_suffix('d').and_then(|days| days.parse::<u32>().ok());
    if let Some(days) = days {
        return Ok(Duration::from_secs(u64::from(days) * 86_400));
    }
    let span: jiff::SignedDuration = text.parse().map_err(|_| wrong())?;
    Duration::try_from(span).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use headwater_schemas::AccountId;
    use headwater_schemas::tables::LotMethod;

    use super::*;

    #[test]
    fn every_problem_is_told_at_once() {
        let text = "[time]\ntick_interval = \"fast\"\ntick = 1\n[valuation]\ninterval = \"15ms\"\n[nonsense]\n[risk]\nwindow = 1\n[source]\naliases = { dealings = \"x\" }\n[privacy]\ntokens = [\"name\"]\n";
        let problems = Config::parse("c.toml", text).map_err(|error| error.problems).expect_err("problems");
        for expected in [
            "time.tick_interval",
            "time.tick:",
            "valuation.interval",
            "[nonsense]",
            "risk.window",
            "dealings",
            "privacy.tokens: \"name\"",
            "privacy.keys is missing",
        ] {
            assert!(problems.iter().any(|problem| problem.contains(expected)), "{expected} is not told: {problems:?}");
        }
    }

    #[test]
    fn a_key_that_cannot_be_read_hides_no_problem_of_the_others_and_makes_none() {
        let text = "[time]\ntick_interval = \"5ms\"\nhorizon = \"a day\"\n[valuation]\ninterval = \"15ms\"\n\
                    [risk]\nwindow = 0\ncoverage = \"2\"\nconfidences = [\"x\"]\n";
        let problems = Config::parse("c.toml", text).map_err(|error| error.problems).expect_err("problems");
        let keys: Vec<_> = problems.iter().filter_map(|problem| problem.split([' ', ':']).next()).collect();
        assert_eq!(keys, ["risk.confidences", "time.horizon", "risk.window", "risk.coverage"], "{problems:?}");
    }

    #[test]
    fn new_topics_are_not_looked_for_without_a_pause() {
        let problems = |discover: &str| {
            Config::parse("c.toml", &format!("[source]\ndiscover = \"{discover}\"\n")).map_err(|error| error.problems.join("; "))
        };
        assert_eq!(problems("10ms").map(|config| config.source.discover), Ok(LEAST_DISCOVER));
        assert_eq!(problems("0s").map(drop), Err("source.discover is 0ns: give at least 10ms".to_owned()));
    }

    #[test]
    fn the_documented_configuration_is_taken() {
        let documented: String = include_str!("config.rs")
            .lines()
            .filter_map(|line| line.strip_prefix("//! "))
            .skip_while(|line| *line != "```toml")
            .skip(1)
            .take_while(|line| *line != "```")
            .fold(String::new(), |text, line| text + line + "\n");
        let documented = documented.replace("pack = \"rules.toml\"", "");
        let config = Config::parse("documentation", &documented).expect("the documented configuration");
        assert_eq!(config.source.name_of(Topic::Transactions), "transaction.created");
        assert_eq!(config.time.tick_interval, Duration::from_millis(10));
    }

    #[test]
    fn no_two_topics_have_the_same_name_outside() {
        let problems = |text: &str| Config::parse("c.toml", text).map_or_else(|error| error.problems, |_| Vec::new());
        // The case, the aliases, and what each problem names.
        let cases: [(&str, &str, &[&[&str]]); 8] = [
            ("read and published", "access = 'dead_letters'", &[&["\"access\" (read)", "\"dead_letters\" (published)"]]),
            ("published as one that is read", "alerts = 'orders'", &[&["\"orders\" (read)", "\"alerts\" (published)"]]),
            ("two that are read", "fills = 'x', orders = 'x'", &[&["\"fills\" (read)", "\"orders\" (read)", "outside, \"x\""]]),
            ("two that are published", "alerts = 'x', positions = 'x'", &[&["\"alerts\" (published)", "\"positions\" (published)"]]),
            ("the progress", "access = 'headwater.outbox'", &[&["\"access\" (read)", "\"headwater.outbox\" (of the outbox's progress)"]]),
            ("several at once", "access = 'alerts', fills = 'orders'", &[&["\"access\"", "\"alerts\""], &["\"fills\"", "\"orders\""]]),
            ("names that are exchanged", "fills = 'orders', orders = 'fills'", &[]),
            ("other names", "access = 'a', alerts = 'b'", &[]),
        ];
        for (case, aliases, expected) in cases {
            let found = problems(&format!("[source]\naliases = {{ {aliases} }}\n"));
            assert_eq!(found.len(), expected.len(), "{case}: {found:?}");
            for (problem, named) in found.iter().zip(expected) {
                assert!(problem.starts_with("source.aliases: ") && problem.ends_with(": give each its own"), "{case}: {problem}");
                assert!(named.iter().all(|name| problem.contains(name)), "{case}: {problem}");
            }
        }
        let prefixed = "[source]\ntopic_prefix = 'eu.'\naliases = { access = 'dead_letters' }\n";
        let found = problems(prefixed);
        assert!(found.len() == 1 && found.iter().all(|problem| problem.contains("outside, \"eu.dead_letters\"")), "{found:?}");
        // A topic of that name may be read if this run does not publish it.
        assert_eq!(problems(&format!("{prefixed}[outbox]\ntopics = ['alerts']\n")), Vec::<String>::new());
    }

    #[test]
    fn topics_of_avro_are_topics_and_need_a_registry() {
        let problems = |text: &str| Config::parse("c.toml", text).map(|_| ()).map_err(|error| error.problems.join("; "));
        let registry = "[registry]\nurl = \"http://127.0.0.1:8081\"\n";
        assert_eq!(problems(&format!("{registry}[source]\navro = [\"orders\"]\n[outbox]\navro = [\"executions\"]\n")), Ok(()));
        for (text, expected) in [
            ("[source]\navro = [\"orders\"]\n".to_owned(), "registry.url is missing"),
            ("[outbox]\navro = [\"alerts\"]\n".to_owned(), "registry.url is missing"),
            (format!("{registry}[source]\navro = [\"dealings\"]\n"), "source.avro: \"dealings\" is not a topic"),
            (
                format!("{registry}[outbox]\ntopics = [\"alerts\"]\navro = [\"executions\"]\n"),
                "outbox.avro: \"executions\" is not published",
            ),
            ("[registry]\nurl = \"registry:8081\"\n".to_owned(), "registry.url is \"registry:8081\""),
            (format!("{registry}token = 1\n"), "unknown field `token`"),
        ] {
            let problems = problems(&text).expect_err(expected);
            assert!(problems.contains(expected), "{text}: {problems}");
        }
    }

    #[test]
    fn a_pack_is_a_file_beside_the_configuration_or_the_built_in_one() {
        // The configuration's file, the pack that it names, and the pack's file; none for the built-in one.
        for (file, pack, expected) in [
            ("/etc/headwater/c.toml", "rules.toml", Some("/etc/headwater/rules.toml")),
            ("/etc/headwater/c.toml", "../rules.toml", Some("/etc/headwater/../rules.toml")),
            ("/etc/headwater/c.toml", "/srv/rules.toml", Some("/srv/rules.toml")),
            ("conf/c.toml", "rules/mine.toml", Some("conf/rules/mine.toml")),
            ("c.toml", "rules.toml", Some("rules.toml")),
            ("conf/c.toml", "./banking", Some("conf/./banking")),
            ("conf/c.toml", "banking", None),
        ] {
            let mut name = PackName(PathBuf::from(pack));
            name.look_beside(Path::new(file));
            assert_eq!(name.file(), expected.map(Path::new), "{file}: {pack:?}");
        }
        let names = |config: &Config| config.packs().into_iter().map(|pack| pack.0.display().to_string()).collect::<Vec<_>>();
        assert_eq!(names(&Config::default()), BUILT_IN.map(|(name, _)| name.to_owned()));
        let of = |text| Config::parse("c.toml", text).map(|config| names(&config)).unwrap_or_default();
        assert_eq!(of("[rules]\npacks = []\n"), ["banking"]);
        assert_eq!(of("[fraud]\npack = \"x.toml\"\n[rules]\npacks = [\"banking\"]\n"), ["x.toml", "banking"]);
    }

    #[test]
    fn an_address_that_is_none_is_named() {
        let problems =
            |address: &str| Config::parse("c.toml", &format!("[http]\naddress = \"{address}\"\n")).map_err(|error| error.problems);
        for good in ["", "127.0.0.1:9464", "localhost:0", "[::1]:80", "metrics-1.example:9464"] {
            assert!(problems(good).is_ok(), "{good}");
        }
        for bad in
            ["9464", ":9464", "127.0.0.1", "127.0.0.1:", "127.0.0.1:99999", "127.0.0.1:x", "http://127.0.0.1:9464", "::1:80", "[::g]:80"]
        {
            let problems = problems(bad).expect_err(bad);
            assert!(
                problems.iter().any(|problem| problem.contains("http.address") && problem.contains("HOST:PORT")),
                "{bad}: {problems:?}"
            );
        }
    }

    #[test]
    fn a_host_with_a_port_or_a_scheme_is_none() {
        let parsed = |name: &str| Config::parse("c.toml", &format!("[http]\nhosts = [\"{name}\"]\n")).map_err(|error| error.problems);
        assert!(parsed("console.example").is_ok());
        for bad in ["", "console.example:80", "https://console.example"] {
            let problems = parsed(bad).expect_err(bad);
            assert!(problems.iter().any(|problem| problem.starts_with("http.hosts: ")), "{bad}: {problems:?}");
        }
    }

    #[test]
    fn every_account_without_a_method_of_lots_is_named_beside_the_other_problems() {
        let text = "[positions]\nlots = \"hifo\"\nlot = \"fifo\"\nlots_by_account = { A7 = \"newest\", A8 = \"lifo\", A9 = 3 }\n";
        let problems = Config::parse("c.toml", text).map_err(|error| error.problems).expect_err("problems");
        for expected in [
            "positions.lots: [unknown_value] \"hifo\" is not known; use one of average, fifo, lifo",
            "positions.lot: unknown field `lot`, expected `lots` or `lots_by_account`",
            "A7 has \"newest\": give one of average, fifo, lifo; A9 has no text: give one of average, fifo, lifo",
        ] {
            assert!(problems.iter().any(|problem| problem.contains(expected)), "{expected} is not told: {problems:?}");
        }
        assert_eq!(problems.len(), 3, "{problems:?}");
        let read = Config::parse("c.toml", "[positions]\nlots_by_account = { A7 = \"fifo\" }\n").map(|config| config.positions);
        let methods = read.map(|positions| ["A7", "A8"].map(|account| positions.method(&AccountId::derived(account))));
        assert_eq!(methods.ok(), Some([LotMethod::Fifo, LotMethod::Average]));
    }

    #[test]
    fn bounds_of_round_trips_are_checked() {
        let problems =
            |text: &str| Config::parse("c.toml", &format!("[aml]\nround_trips = {{ {text} }}\n")).map_err(|error| error.problems);
        assert!(problems("hops = 2, share = 1, fan = 1000").is_ok() && problems("fan = 100").is_ok());
        for (text, key) in [
            ("window = \"0s\"", "aml.round_trips.window"),
            ("hops = 1", "aml.round_trips.hops"),
            ("hops = 9", "aml.round_trips.hops"),
            ("share = 0", "aml.round_trips.share"),
            ("share = \"1.1\"", "aml.round_trips.share"),
            ("fan = 0", "aml.round_trips.fan"),
            ("fan = 101", "aml.round_trips.fan"),
            ("hops = 8, fan = 11", "aml.round_trips.fan"),
            ("width = 3", "unknown field `width`"),
        ] {
            let problems = problems(text).expect_err(text);
            assert!(problems.iter().any(|problem| problem.contains(key)), "{text}: {problems:?}");
        }
    }

    #[test]
    fn limits_are_not_negative() {
        let problems = |text: &str| Config::parse("c.toml", &format!("[limits]\n{text}\n")).map(|_| ()).map_err(|error| error.problems);
        assert_eq!(problems("leverage = 0"), Ok(()));
        for (text, expected) in [
            ("position_value = -5", "limits.position_value is -5: give 0 or more"),
            ("gross_exposure = -1", "limits.gross_exposure is -1: give 0 or more"),
            ("leverage = -1", "limits.leverage is -1: give 0 or more"),
            ("concentration = \"-0.25\"", "limits.concentration is -0.25: give 0 or more"),
            ("var = -1", "limits.var is -1: give 0 or more"),
        ] {
            assert_eq!(problems(text), Err(vec![expected.to_owned()]), "{text}");
        }
        assert_eq!(problems("leverage = -1\nvar = -1").map_err(|problems| problems.len()), Err(2));
    }

    #[test]
    fn money_is_not_written_as_a_binary_fraction() {
        let problems = Config::parse("c.toml", "[limits]\nvar = 0.1\n").map_err(|error| error.to_string()).expect_err("a problem");
        assert!(problems.contains("limits.var") && problems.contains("\"0.1\""), "{problems}");
    }
}
