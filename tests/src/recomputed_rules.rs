//! Recomputation of rules in SQL over the raw records: every feature of the built-in packs for every event, the decisions, and the
//! alerts with their episodes.
//!
//! Windows are joins here, and nothing is incremental: an event counts or not by what is known at the end. Distances between the
//! few places come from a table, because DataFusion is built without trigonometry. Round trips are paths, which SQL would need
//! recursion for: [`round_trips`] searches them exhaustively.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use anyhow::{Context, Result};
use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use datafusion::prelude::SessionContext;
use headwater_sql::Format;
use serde_json::Value;

use crate::judged_day::{ACCOUNTS, Deed, JudgedDay, PLACES, customer_of, home, is_savings, limit, opened, zone};

/// An alert or a feature of an event: its id, and figures that its message has among others.
pub type Expected = BTreeMap<String, Vec<String>>;

/// A decision: score, verdict, and the rules that fired, each with a figure; none if it was withdrawn.
pub type Decided = Option<(String, String, Vec<String>)>;

/// Tables in sequence. Times are seconds; `day` is the local day.
const STEPS: [(&str, &str); 15] = [
    // What was resolved or reversed, by whom, and how much of it.
    (
        "again",
        "SELECT later.phase AS phase, later.id AS later_id, known.id AS id, later.amount AS part, known.amount AS amount
         FROM deeds later JOIN deeds known ON known.id = later.refers",
    ),
    ("taken_back", "SELECT id FROM again WHERE phase = 'void' OR phase = 'reversal' AND part = amount"),
    (
        "counted",
        "SELECT deeds.id AS id, account, kind, COALESCE(again.part, deeds.amount) AS amount, other, channel, spot, ts, place,
                CASE WHEN kind = 'deposit' THEN 'in' ELSE 'out' END AS direction
         FROM deeds LEFT JOIN again ON again.id = deeds.id AND again.phase = 'capture'
         WHERE refers IS NULL AND deeds.id NOT IN (SELECT id FROM taken_back)",
    ),
    // A transaction between two accounts counts for both.
    (
        "sides",
        "SELECT id, account AS party, other AS peer, direction, kind, amount, channel, ts, place FROM counted
         UNION ALL SELECT id, other, account, CASE direction WHEN 'in' THEN 'out' ELSE 'in' END, kind, amount, channel, ts, place
         FROM counted WHERE other IS NOT NULL",
    ),
    // When the first money came within five minutes before an event: its second and place.
    (
        "came_before",
        "SELECT this.id AS id, this.party AS party, MIN(1000000 * o.ts + o.place) AS came FROM sides this JOIN sides o ON o.party = this.party
         WHERE o.direction = 'in' AND this.ts - o.ts <= 300 AND (o.ts < this.ts OR o.ts = this.ts AND o.place < this.place)
         GROUP BY this.id, this.party",
    ),
    (
        "party_features",
        "SELECT this.id AS id, this.party AS party, MIN(this.ts) AS ts, MIN(this.place) AS place, MIN(this.direction) AS direction,
                MIN(this.peer) AS peer, MIN(this.channel) AS channel, MIN(this.amount) AS amount,
                SUM(CASE WHEN this.ts - o.ts <= 604800 AND o.direction = 'in' AND o.channel = 'cash' AND o.amount >= 8000 AND o.amount <= 10000
                    THEN 1 ELSE 0 END) AS deposits_below_limit_7d,
                COUNT(DISTINCT CASE WHEN this.ts - o.ts <= 86400 AND o.direction = 'in' THEN o.peer END) AS payers_24h,
                COUNT(DISTINCT CASE WHEN this.ts - o.ts <= 28800 AND o.direction = 'out' THEN o.peer END) AS payees_8h,
                SUM(CASE WHEN this.ts - o.ts <= 86400 THEN 1 ELSE 0 END) AS count_24h, COUNT(*) AS count_90d,
                SUM(CASE WHEN this.ts - o.ts <= 300 AND o.direction = 'in' THEN o.amount ELSE 0 END) AS came_5m,
                SUM(CASE WHEN this.ts - o.ts <= 300 AND o.direction = 'out' AND (1000000 * o.ts + o.place > c.came OR o.id = this.id)
                    THEN o.amount ELSE 0 END) AS left_5m,
                SUM(CASE WHEN this.ts - o.ts <= 86400 AND o.amount = this.amount THEN 1 ELSE 0 END) AS same_amount_24h,
                SUM(CASE WHEN o.id <> this.id AND o.direction = 'out' AND o.peer = this.peer THEN 1 ELSE 0 END) AS paid_before
         FROM sides this JOIN sides o ON o.party = this.party LEFT JOIN came_before c ON c.id = this.id AND c.party = this.party
         WHERE o.ts <= this.ts AND o.ts >= this.ts - 7776000 AND (o.ts < this.ts OR o.place <= this.place)
         GROUP BY this.id, this.party",
    ),
    // A customer's calendar day; in UTC where the zone is unknown.
    (
        "dated",
        "SELECT counted.*, customer, savings, opened, home, hours, max_transaction, max_withdrawal, max_transfer,
                (ts + 3600 * COALESCE(hours, 0)) / 86400 AS day, ((ts + 3600 * hours) % 86400) / 3600 AS hour,
                ((ts + 3600 * hours) / 86400 + 3) % 7 + 1 AS weekday
         FROM counted JOIN accounts ON accounts.account = counted.account",
    ),
    (
        "customer_features",
        "SELECT this.id AS id, this.customer AS customer, MIN(this.ts) AS ts, MIN(this.place) AS place, MIN(this.direction) AS direction,
                MIN(this.channel) AS channel,
                SUM(CASE WHEN o.direction = 'in' THEN o.amount ELSE 0 END) AS cash_in_of_day,
                SUM(CASE WHEN o.direction = 'out' THEN o.amount ELSE 0 END) AS cash_out_of_day
         FROM dated this JOIN dated o ON o.customer = this.customer AND o.day = this.day AND o.channel = 'cash'
         WHERE o.ts < this.ts OR o.ts = this.ts AND o.place <= this.place
         GROUP BY this.id, this.customer",
    ),
    (
        "account_features",
        "SELECT this.id AS id, MIN(this.account) AS account, MIN(this.ts) AS ts, MIN(this.place) AS place, MIN(this.direction) AS direction,
                MIN(this.kind) AS kind, MIN(this.amount) AS amount, MIN(this.savings) AS savings, MIN(this.hour) AS hour,
                MIN(this.weekday) AS weekday, MIN(this.max_transaction) AS max_transaction, MIN(this.max_withdrawal) AS max_withdrawal,
                MIN(this.max_transfer) AS max_transfer,
                SUM(CASE WHEN o.day = this.day AND o.kind = 'withdrawal' THEN o.amount ELSE 0 END) AS withdrawn_of_day,
                SUM(CASE WHEN o.day = this.day AND o.kind = 'transfer' THEN o.amount ELSE 0 END) AS transferred_of_day,
                SUM(CASE WHEN this.ts - o.ts <= 600 THEN 1 ELSE 0 END) AS count_10m
         FROM dated this JOIN dated o ON o.account = this.account
         WHERE o.ts <= this.ts AND o.ts >= this.ts - 93600 AND (o.ts < this.ts OR o.place <= this.place)
         GROUP BY this.id",
    ),
    // The last known position of the day before, and how fast one would have travelled from it.
    (
        "before",
        "SELECT id, spot, earlier, earlier_ts FROM (
             SELECT this.id AS id, this.spot AS spot, o.spot AS earlier, o.ts AS earlier_ts,
                    ROW_NUMBER() OVER (PARTITION BY this.id ORDER BY o.ts DESC, o.place DESC) AS n
             FROM counted this JOIN counted o ON o.account = this.account
             WHERE o.id <> this.id AND o.spot IS NOT NULL AND o.ts <= this.ts AND o.ts >= this.ts - 86400) WHERE n = 1",
    ),
    (
        "travelled",
        "SELECT dated.id AS id, dated.ts - earlier_ts AS seconds, there.km AS km, away.km / 1.609344 AS miles
         FROM dated LEFT JOIN before ON before.id = dated.id
         LEFT JOIN distances there ON there.one = earlier AND there.other = dated.spot
         LEFT JOIN distances away ON away.one = home AND away.other = dated.spot",
    ),
    (
        "banking",
        "SELECT f.id AS id, f.amount AS amount, count_10m, hour, f.amount > 10000 AS is_large, COALESCE(hour < 6, false) AS is_night,
                count_10m > 5 AS is_fast,
                COALESCE(km / (seconds / 3600.0) > 900 AND km > 50 AND seconds >= 60, false) OR COALESCE(miles > 1000, false) AS is_far
         FROM account_features f JOIN travelled ON travelled.id = f.id",
    ),
    (
        "payment_features",
        "SELECT this.id AS id, MIN(this.customer) AS customer, MIN(this.ts) AS ts, MIN(this.amount) AS amount, MIN(this.device) AS device,
                MIN(this.spot) AS spot, MIN(this.home) AS home,
                SUM(CASE WHEN this.ts - o.ts <= 3600 THEN 1 ELSE 0 END) AS count_1h, COUNT(*) AS count_90d,
                AVG(CASE WHEN o.id <> this.id THEN CAST(o.amount AS DOUBLE) END) AS mean_90d,
                STDDEV(CASE WHEN o.id <> this.id THEN CAST(o.amount AS DOUBLE) END) AS deviation_90d,
                SUM(CASE WHEN o.id <> this.id AND o.device = this.device THEN 1 ELSE 0 END) AS device_seen,
                SUM(CASE WHEN o.day = this.day THEN o.amount ELSE 0 END) AS sum_of_day
         FROM payments this JOIN payments o ON o.customer = this.customer
         WHERE o.ts <= this.ts AND o.ts >= this.ts - 7776000 AND (o.ts < this.ts OR o.place <= this.place)
         GROUP BY this.id",
    ),
    // The second and place of the last approval of a thing before an event.
    (
        "approved",
        "SELECT this.id AS id, MAX(1000000 * o.ts + o.place) AS approved_at FROM accesses this JOIN accesses o ON o.entity = this.entity
         WHERE o.outcome = 'success' AND o.action IN ('approve', 'release') AND this.ts - o.ts <= 7776000
               AND (o.ts < this.ts OR o.ts = this.ts AND o.place < this.place)
         GROUP BY this.id",
    ),
    (
        "access_features",
        "SELECT this.id AS id, MIN(this.actor) AS actor, MIN(this.entity) AS entity, MIN(this.action) AS action, MIN(this.outcome) AS outcome,
                MIN(this.ts) AS ts, SUM(CASE WHEN o.actor = this.actor AND o.outcome = 'denied' AND this.ts - o.ts <= 600 THEN 1 ELSE 0 END) AS denied_10m,
                SUM(CASE WHEN o.entity = this.entity AND o.actor = this.actor AND o.outcome = 'success' AND o.action IN ('create', 'submit')
                    AND (approved_at IS NULL OR 1000000 * o.ts + o.place > approved_at) THEN 1 ELSE 0 END) AS made_by_actor
         FROM accesses this JOIN accesses o ON o.actor = this.actor OR o.entity = this.entity LEFT JOIN approved ON approved.id = this.id
         WHERE o.ts <= this.ts AND o.ts >= this.ts - 7776000 AND (o.ts < this.ts OR o.place <= this.place)
         GROUP BY this.id",
    ),
];

/// Counts and sums of the built-in packs: subject, name, and the table that has them by group.
const FEATURES: [(&str, &str, &str, &str); 18] = [
    ("transaction", "deposits_below_limit_7d", "party", "party_features"),
    ("transaction", "payers_24h", "party", "party_features"),
    ("transaction", "payees_8h", "party", "party_features"),
    ("transaction", "count_24h", "party", "party_features"),
    ("transaction", "count_90d", "party", "party_features"),
    ("transaction", "came_5m", "party", "party_features"),
    ("transaction", "left_5m", "party", "party_features"),
    ("transaction", "same_amount_24h", "party", "party_features"),
    ("transaction", "cash_in_of_day", "customer", "customer_features"),
    ("transaction", "cash_out_of_day", "customer", "customer_features"),
    ("transaction", "withdrawn_of_day", "account", "account_features"),
    ("transaction", "transferred_of_day", "account", "account_features"),
    ("transaction", "count_10m", "account", "account_features"),
    ("payment", "count_1h", "customer", "payment_features"),
    ("payment", "count_90d", "customer", "payment_features"),
    ("payment", "sum_of_day", "customer", "payment_features"),
    ("access", "denied_10m", "actor", "access_features"),
    ("access", "made_by_actor", "entity", "access_features"),
];

/// Every event for which a rule of a pack without points fires: `quiet` is the time after which the next one is another episode.
const FIRED: &str = "
    SELECT 'aml' AS pack, 'structuring' AS rule, 'high' AS severity, 604800 AS quiet, party AS subject, id, ts,
           'deposits_below_limit_7d=' || CAST(deposits_below_limit_7d AS VARCHAR) AS figures FROM party_features
    WHERE deposits_below_limit_7d >= 3 AND direction = 'in' AND channel = 'cash' AND amount >= 8000 AND amount <= 10000
    UNION ALL SELECT 'aml', 'fan_in', 'medium', 86400, party, id, ts, 'payers_24h=' || CAST(payers_24h AS VARCHAR) FROM party_features
    WHERE payers_24h >= 5 AND direction = 'in' AND peer IS NOT NULL
    UNION ALL SELECT 'aml', 'fan_out', 'medium', 86400, party, id, ts, 'payees_8h=' || CAST(payees_8h AS VARCHAR) FROM party_features
    WHERE payees_8h >= 5 AND direction = 'out' AND peer IS NOT NULL
    UNION ALL SELECT 'aml', 'dormant_account', 'medium', 7776000, party, id, ts, 'amount=' || CAST(amount AS VARCHAR)
    FROM party_features JOIN accounts ON account = party WHERE amount >= 1000 AND count_90d = 1 AND ts - opened > 7776000
    UNION ALL SELECT 'aml', 'young_account', 'medium', 86400, party, id, ts, 'amount=' || CAST(amount AS VARCHAR)
    FROM party_features JOIN accounts ON account = party WHERE amount >= 1000 AND ts - opened < 86400
    UNION ALL SELECT 'aml', 'new_payee', 'low', 7776000, party, id, ts, 'amount=' || CAST(amount AS VARCHAR) FROM party_features
    WHERE direction = 'out' AND amount >= 5000 AND peer IS NOT NULL AND paid_before = 0
    UNION ALL SELECT 'aml', 'in_and_out', 'high', 86400, party, id, ts, 'came_5m=' || CAST(came_5m AS VARCHAR) FROM party_features
    WHERE direction = 'out' AND came_5m > 0 AND 10 * left_5m >= 9 * came_5m
    UNION ALL SELECT 'aml', 'repeated_amount', 'low', 86400, party, id, ts, 'same_amount_24h=' || CAST(same_amount_24h AS VARCHAR)
    FROM party_features WHERE same_amount_24h >= 5
    UNION ALL SELECT 'aml', 'large_cash', 'medium', {day}, customer, id, ts,
           CASE direction WHEN 'in' THEN 'cash_in_of_day=' || CAST(cash_in_of_day AS VARCHAR) ELSE 'cash_out_of_day=' || CAST(cash_out_of_day AS VARCHAR) END
    FROM customer_features WHERE channel = 'cash' AND CASE direction WHEN 'in' THEN cash_in_of_day ELSE cash_out_of_day END > 10000
    UNION ALL SELECT 'compliance', 'transaction_limit', 'medium', 86400, account, id, ts, 'amount=' || CAST(amount AS VARCHAR)
    FROM account_features WHERE direction = 'out' AND amount > COALESCE(max_transaction, CASE WHEN savings THEN 1000 ELSE 2500 END)
    UNION ALL SELECT 'compliance', 'daily_withdrawal', 'medium', {day}, account, id, ts, 'withdrawn_of_day=' || CAST(withdrawn_of_day AS VARCHAR)
    FROM account_features WHERE kind = 'withdrawal' AND withdrawn_of_day > COALESCE(max_withdrawal, CASE WHEN savings THEN 1000 ELSE 5000 END)
    UNION ALL SELECT 'compliance', 'daily_transfer', 'medium', {day}, account, id, ts, 'transferred_of_day=' || CAST(transferred_of_day AS VARCHAR)
    FROM account_features WHERE kind = 'transfer' AND transferred_of_day > COALESCE(max_transfer, CASE WHEN savings THEN 5000 ELSE 10000 END)
    UNION ALL SELECT 'compliance', 'business_hours', 'low', 86400, account, id, ts, 'amount=' || CAST(amount AS VARCHAR)
    FROM account_features WHERE amount > 10000 AND (hour < 9 OR hour >= 17 OR weekday >= 6)
    UNION ALL SELECT 'access', 'access_denied', CASE WHEN denied_10m >= 5 THEN 'high' ELSE 'medium' END, 86400, actor, id, ts,
           'denied_10m=' || CAST(denied_10m AS VARCHAR) FROM access_features WHERE outcome = 'denied'
    UNION ALL SELECT 'access', 'access_hours', 'low', 86400, actor, id, ts, 'outcome=success'
    FROM access_features WHERE outcome = 'success' AND ((ts % 86400) / 3600 < 6 OR (ts % 86400) / 3600 >= 22)
    UNION ALL SELECT 'access', 'maker_is_checker', 'high', 7776000, entity, id, ts, 'made_by_actor=' || CAST(made_by_actor AS VARCHAR)
    FROM access_features WHERE outcome = 'success' AND action IN ('approve', 'release') AND made_by_actor > 0";

/// Episodes: events of a rule and a subject, each within the quiet time of the one before.
const EPISODES: &str = "
    SELECT pack || ':' || rule || ':' || subject || ':' || first_id AS id, worst AS severity, figures FROM (
        SELECT *, FIRST_VALUE(id) OVER (PARTITION BY rule, subject, episode ORDER BY ts) AS first_id,
               ROW_NUMBER() OVER (PARTITION BY rule, subject, episode ORDER BY ts DESC) AS n,
               MIN(severity) OVER (PARTITION BY rule, subject, episode) AS worst FROM (
            SELECT *, SUM(begins) OVER (PARTITION BY rule, subject ORDER BY ts) AS episode FROM (
                SELECT *, CASE WHEN ts - LAG(ts) OVER (PARTITION BY rule, subject ORDER BY ts) <= quiet THEN 0 ELSE 1 END AS begins
                FROM fired))) WHERE n = 1";

/// Decisions of `banking`: withdrawn ones have no score.
const BANKING: &str = "
    SELECT id, score, CASE WHEN score >= 70 THEN 'block' WHEN score >= 40 THEN 'review' ELSE 'approve' END AS verdict, reasons FROM (
        SELECT id, 30 * CAST(is_large AS BIGINT) + 20 * CAST(is_night AS BIGINT) + 40 * CAST(is_fast AS BIGINT) + 50 * CAST(is_far AS BIGINT) AS score,
               CASE WHEN is_large THEN 'large_amount amount=' || CAST(amount AS VARCHAR) || ';' ELSE '' END
               || CASE WHEN is_night THEN 'night hour_local=' || CAST(hour AS VARCHAR) || ';' ELSE '' END
               || CASE WHEN is_fast THEN 'velocity count_10m=' || CAST(count_10m AS VARCHAR) || ';' ELSE '' END
               || CASE WHEN is_far THEN 'impossible_travel;' ELSE '' END AS reasons FROM banking)
    UNION ALL SELECT later_id, 0, 'approve', '' FROM again WHERE phase <> 'void'
    UNION ALL SELECT id, NULL, NULL, NULL FROM taken_back";

/// Decisions of `payments`: each rule takes its share of what the others leave of 100.
const PAYMENTS: &str = "
    SELECT id, 100 - rest AS score, CASE WHEN 100 - rest > 80.0000001 THEN 'block' WHEN 100 - rest >= 49.9999999 THEN 'review' ELSE 'approve' END AS verdict,
           reasons FROM (
        SELECT id, 100.0 * CASE WHEN count_1h > 5 THEN 0.2 WHEN count_1h > 3 THEN 0.5 ELSE 1.0 END * CASE WHEN is_far THEN 0.3 ELSE 1.0 END
               * CASE WHEN is_unusual THEN 0.4 ELSE 1.0 END * CASE WHEN is_new THEN 0.7 ELSE 1.0 END
               * CASE WHEN sum_of_day > 10000 THEN 0.4 ELSE 1.0 END AS rest,
               CASE WHEN count_1h > 3 THEN 'velocity count_1h=' || CAST(count_1h AS VARCHAR) || ';' ELSE '' END
               || CASE WHEN is_far THEN 'far_from_home;' ELSE '' END || CASE WHEN is_unusual THEN 'unusual_amount count_90d=' || CAST(count_90d AS VARCHAR) || ';' ELSE '' END
               || CASE WHEN is_new THEN 'new_device;' ELSE '' END
               || CASE WHEN sum_of_day > 10000 THEN 'daily_sum sum_of_day=' || CAST(sum_of_day AS VARCHAR) || ';' ELSE '' END AS reasons FROM (
            SELECT f.*, COALESCE(km / 1.609344 > 1000, false) AS is_far, device IS NOT NULL AND device_seen = 0 AS is_new,
                   COALESCE(count_90d > 10 AND amount > mean_90d + 3 * deviation_90d, false) AS is_unusual
            FROM payment_features f LEFT JOIN distances ON one = home AND other = spot))";

/// The tables of a day.
pub struct RuleRecomputation {
    runtime: tokio::runtime::Runtime,
    context: SessionContext,
}

impl RuleRecomputation {
    /// The recomputation of a day.
    pub fn of(day: &JudgedDay) -> Result<Self> {
        let this = Self { runtime: tokio::runtime::Builder::new_current_thread().build()?, context: SessionContext::new() };
        this.context.register_batch("deeds", deeds(&day.deeds)?)?;
        this.context.register_batch("accounts", accounts()?)?;
        this.context.register_batch("distances", distances()?)?;
        this.context.register_batch("payments", payments(day)?)?;
        this.context.register_batch("accesses", accesses(day)?)?;
        for (name, query) in STEPS {
            this.answer(&format!("CREATE TABLE {name} AS {query}")).with_context(|| name.to_owned())?;
        }
        // The longest a calendar day can be, with a change of the clocks.
        this.answer(&format!("CREATE TABLE fired AS {}", FIRED.replace("{day}", "90000")))?;
        Ok(this)
    }

    /// Each count and sum that is not zero, of each event: the alerts of packs `every_<subject>`, whose rules always fire.
    pub fn features(&self) -> Result<Expected> {
        let mut features = Expected::new();
        for (subject, name, group, table) in FEATURES {
            for row in self.answer(&format!("SELECT {group} AS subject, id, {name} AS value FROM {table} WHERE {name} <> 0"))? {
                let (of, id) = (text(&row, "subject"), text(&row, "id"));
                let value = row.get("value").and_then(Value::as_i64).with_context(|| format!("{row}"))?;
                features.insert(format!("every_{subject}:{name}:{of}:{id}"), vec![format!("{name}={value}")]);
            }
        }
        Ok(features)
    }

    /// The alerts of the packs without points.
    pub fn alerts(&self) -> Result<Expected> {
        let rows = self.answer(EPISODES)?;
        Ok(rows.iter().map(|row| (text(row, "id"), vec![text(row, "figures"), format!("severity={}", text(row, "severity"))])).collect())
    }

    /// The decisions of `banking` and `payments`, by ruleset and id.
    pub fn decisions(&self) -> Result<BTreeMap<String, Decided>> {
        let mut decisions = BTreeMap::new();
        for (ruleset, query) in [("banking", BANKING), ("payments", PAYMENTS)] {
            for row in self.answer(query)? {
                let decided = row.get("score").and_then(Value::as_f64).map(|score| {
                    let reasons = text(&row, "reasons");
                    let reasons = reasons.split_terminator(';').map(str::to_owned).collect();
                    (format!("{score:.6}"), text(&row, "verdict"), reasons)
                });
                decisions.insert(format!("{ruleset}:{}", text(&row, "id")), decided);
            }
        }
        Ok(decisions)
    }

    fn answer(&self, query: &str) -> Result<Vec<Value>> {
        let batches = self.runtime.block_on(async { self.context.sql(query).await?.collect().await })?;
        let Some(first) = batches.first() else { return Ok(Vec::new()) };
        let (mut renderer, mut text) = (Format::Json.renderer(&first.schema()), Vec::new());
        batches.iter().try_for_each(|batch| renderer.batch(batch, &mut text))?;
        renderer.finish(&mut text)?;
        Ok(serde_json::from_slice(&text)?)
    }
}

fn text(row: &Value, name: &str) -> String {
    row.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// Round trips by brute force: for each transfer that pays an account which paid before, the path with the fewest transfers whose
/// ids are the latest from the last one back.
pub fn round_trips(day: &JudgedDay) -> BTreeMap<String, Vec<String>> {
    const WINDOW: i64 = 86_400;
    const HOPS: usize = 5;
    let mut captured = BTreeMap::new();
    let mut gone = BTreeSet::new();
    for later in &day.deeds {
        let Some(known) = later.refers.as_ref() else { continue };
        let original = day.deeds.iter().find(|deed| deed.id == *known);
        if later.phase == "capture" {
            captured.insert(known.clone(), later.amount);
        } else if later.phase == "void" || original.is_some_and(|original| original.amount == later.amount) {
            gone.insert(known.clone());
        }
    }
    let mut transfers = Vec::new();
    for (place, deed) in day.deeds.iter().enumerate() {
        let (Some(other), None) = (deed.other, &deed.refers) else { continue };
        let (from, to) = if deed.kind == "deposit" { (other, deed.account) } else { (deed.account, other) };
        let amount = captured.get(&deed.id).copied().unwrap_or(deed.amount);
        if !gone.contains(&deed.id) {
            transfers.push(Transfer { from, to, amount, order: (deed.ts, place), id: deed.id.clone() });
        }
    }
    transfers.sort_by_key(|transfer| transfer.order);
    let mut trips = BTreeMap::new();
    for last in &transfers {
        let mut paths = Vec::new();
        extend(&transfers, &mut vec![last], WINDOW, HOPS, &mut paths);
        let best =
            paths.into_iter().min_by_key(|path| (path.len(), path.iter().map(|step| std::cmp::Reverse(step.order)).collect::<Vec<_>>()));
        if let Some(path) = best {
            trips.insert(format!("aml:round_trip:{}", last.id), path.iter().rev().map(|step| step.id.clone()).collect());
        }
    }
    trips
}

/// A transfer that counts.
struct Transfer {
    from: i64,
    to: i64,
    amount: i64,
    order: (i64, usize),
    id: String,
}

/// Extends a path, from the last transfer back, in every way.
fn extend<'t>(all: &'t [Transfer], path: &mut Vec<&'t Transfer>, window: i64, hops: usize, found: &mut Vec<Vec<&'t Transfer>>) {
    let (Some(last), Some(first)) = (path.first().copied(), path.last().copied()) else { return };
    if first.from == last.to && path.len() > 1 {
        return found.push(path.clone());
    }
    if path.len() == hops {
        return;
    }
    for before in all {
        let follows = before.to == first.from && before.order < first.order && last.order.0 - before.order.0 <= window;
        let is_passed_on = first.amount * 5 >= before.amount * 4;
        let is_new = before.from == last.to || path.iter().all(|step| step.from != before.from && step.to != before.from);
        if follows && is_passed_on && is_new {
            path.push(before);
            extend(all, path, window, hops, found);
            path.pop();
        }
    }
}

fn texts(values: impl Iterator<Item = Option<String>>) -> ArrayRef {
    Arc::new(values.collect::<StringArray>())
}

fn numbers(values: impl Iterator<Item = Option<i64>>) -> ArrayRef {
    Arc::new(values.collect::<Int64Array>())
}

fn spot(place: Option<usize>) -> Option<i64> {
    place.and_then(|place| i64::try_from(place).ok())
}

fn named(prefix: &str, number: i64) -> String {
    format!("{prefix}{number}")
}

fn deeds(all: &[Deed]) -> Result<RecordBatch> {
    let account = |account: i64| named("a", account);
    Ok(RecordBatch::try_from_iter_with_nullable([
        ("id", texts(all.iter().map(|deed| Some(deed.id.clone()))), true),
        ("account", texts(all.iter().map(|deed| Some(account(deed.account)))), true),
        ("kind", texts(all.iter().map(|deed| Some(deed.kind.to_owned()))), true),
        ("amount", numbers(all.iter().map(|deed| Some(deed.amount))), true),
        ("other", texts(all.iter().map(|deed| deed.other.map(account))), true),
        ("phase", texts(all.iter().map(|deed| Some(deed.phase.to_owned()))), true),
        ("refers", texts(all.iter().map(|deed| deed.refers.clone())), true),
        ("channel", texts(all.iter().map(|deed| deed.channel.map(str::to_owned))), true),
        ("spot", numbers(all.iter().map(|deed| spot(deed.place))), true),
        ("ts", numbers(all.iter().map(|deed| Some(deed.ts))), true),
        ("place", numbers((0..).take(all.len()).map(Some)), true),
    ])?)
}

fn accounts() -> Result<RecordBatch> {
    let all = || 0..ACCOUNTS;
    let savings = all().map(|account| Some(is_savings(account))).collect::<arrow::array::BooleanArray>();
    Ok(RecordBatch::try_from_iter_with_nullable([
        ("account", texts(all().map(|account| Some(named("a", account)))), true),
        ("customer", texts(all().map(|account| Some(named("c", customer_of(account))))), true),
        ("savings", Arc::new(savings) as ArrayRef, true),
        ("opened", numbers(all().map(|account| Some(opened(account)))), true),
        ("home", numbers(all().map(|account| spot(home(customer_of(account))))), true),
        ("hours", numbers(all().map(|account| zone(customer_of(account)).map(|(_, hours)| hours))), true),
        ("max_transaction", numbers(all().map(|account| limit(account, "transaction_amount"))), true),
        ("max_withdrawal", numbers(all().map(|account| limit(account, "daily_withdrawal"))), true),
        ("max_transfer", numbers(all().map(|account| limit(account, "daily_transfer"))), true),
    ])?)
}

fn payments(day: &JudgedDay) -> Result<RecordBatch> {
    let all = &day.payments;
    let local_day = |customer: i64, ts: i64| (ts + 3_600 * zone(customer).map_or(0, |(_, hours)| hours)).div_euclid(86_400);
    Ok(RecordBatch::try_from_iter_with_nullable([
        ("id", texts(all.iter().map(|paid| Some(paid.id.clone()))), true),
        ("customer", texts(all.iter().map(|paid| Some(named("c", paid.customer)))), true),
        ("amount", numbers(all.iter().map(|paid| Some(paid.amount))), true),
        ("device", numbers(all.iter().map(|paid| paid.device)), true),
        ("spot", numbers(all.iter().map(|paid| spot(paid.place))), true),
        ("home", numbers(all.iter().map(|paid| spot(home(paid.customer)))), true),
        ("day", numbers(all.iter().map(|paid| Some(local_day(paid.customer, paid.ts)))), true),
        ("ts", numbers(all.iter().map(|paid| Some(paid.ts))), true),
        ("place", numbers((0..).take(all.len()).map(Some)), true),
    ])?)
}

/// An access has no id of its own: it is partition, offset and actor.
fn accesses(day: &JudgedDay) -> Result<RecordBatch> {
    let all = &day.accesses;
    Ok(RecordBatch::try_from_iter_with_nullable([
        ("id", texts(all.iter().map(|access| Some(format!("0-{}-u{}", access.offset, access.actor)))), true),
        ("actor", texts(all.iter().map(|access| Some(named("u", access.actor)))), true),
        ("action", texts(all.iter().map(|access| Some(access.action.to_owned()))), true),
        ("entity", texts(all.iter().map(|access| Some(named("e", access.entity)))), true),
        ("outcome", texts(all.iter().map(|access| Some(access.outcome.to_owned()))), true),
        ("ts", numbers(all.iter().map(|access| Some(access.ts))), true),
        ("place", numbers((0..).take(all.len()).map(Some)), true),
    ])?)
}

/// Kilometres between places on a sphere of the earth's mean radius, by the law of cosines; of different places, all far from the
/// bounds of rules.
fn distances() -> Result<RecordBatch> {
    let (mut ones, mut others, mut kilometres) = (Vec::new(), Vec::new(), Vec::new());
    for (one, from) in PLACES.iter().enumerate() {
        for (other, to) in PLACES.iter().enumerate() {
            ones.push(spot(Some(one)));
            others.push(spot(Some(other)));
            kilometres.push(if one == other { 0.0 } else { kilometres_between(*from, *to)? });
        }
    }
    Ok(RecordBatch::try_from_iter([
        ("one", numbers(ones.into_iter())),
        ("other", numbers(others.into_iter())),
        ("km", Arc::new(Float64Array::from(kilometres)) as ArrayRef),
    ])?)
}

fn kilometres_between(from: (&str, &str), to: (&str, &str)) -> Result<f64> {
    let radians = |degrees: &str| -> Result<f64> { Ok(degrees.parse::<f64>()?.to_radians()) };
    let (north, other_north, east) = (radians(from.0)?, radians(to.0)?, radians(to.1)? - radians(from.1)?);
    Ok(6_371.008_8 * (north.sin() * other_north.sin() + north.cos() * other_north.cos() * east.cos()).acos())
}
