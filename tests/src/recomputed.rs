//! Recomputation of a day's tables in SQL over the raw records, as of any time.
//!
//! Nothing here depends on how the pipeline works: which records are accepted follows from their places and times, and everything
//! else is sums, joins and counts over accepted records.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Result;
use arrow::array::{ArrayRef, Decimal128Array, Int64Array, RecordBatch, StringArray};
use datafusion::prelude::SessionContext;
use headwater_sql::Format;

use crate::day::{BEGIN, IN_USD, INSTRUMENTS, MOVES, OPENED, PAYERS, Raw, SECOND, closes, returns};

/// A table's name, the query of the pipeline's rows, and the recomputation.
struct View {
    name: &'static str,
    asked: &'static str,
    recomputed: &'static str,
}

const VIEWS: [View; 5] = [
    View {
        name: "balances",
        asked: "SELECT account_id, currency, posted, pending FROM balances ORDER BY account_id, currency",
        recomputed: "SELECT account, currency, SUM(posted), SUM(held) FROM moved GROUP BY account, currency ORDER BY account, currency",
    },
    View {
        name: "positions",
        asked: "SELECT account_id, symbol, quantity, cash_flow, mark_price, market_value FROM positions ORDER BY account_id, symbol",
        recomputed: "SELECT account, symbol, quantity, cash_flow, mark, value FROM valued ORDER BY account, symbol",
    },
    View {
        name: "portfolios",
        asked: "SELECT scope, currency, net_value, gross_exposure, cash, equity, unvalued FROM portfolios ORDER BY scope",
        recomputed: "SELECT scope, scopes.currency, SUM(net * factor), SUM(gross * factor), SUM(cash * factor), SUM((cash + net) * factor), SUM(unvalued)
                     FROM parts JOIN scopes ON scopes.account = parts.account
                     JOIN conversions ON conversions.of = parts.currency AND conversions.into = scopes.currency
                     GROUP BY scope, scopes.currency ORDER BY scope",
    },
    View {
        name: "risk",
        asked: "SELECT scope, observations, var FROM risk WHERE confidence = 0.95 ORDER BY scope",
        // With twenty scenarios, the 95 % VaR is the worst one.
        recomputed: "SELECT scope, COUNT(*), -MIN(pnl) FROM losses GROUP BY scope ORDER BY scope",
    },
    View {
        name: "decisions",
        asked: "SELECT subject_id, CASE WHEN state = 'withdrawn' THEN NULL ELSE CAST(score AS BIGINT) END FROM decisions ORDER BY subject_id",
        recomputed: "SELECT id, MIN(score) FROM scored GROUP BY id ORDER BY id",
    },
];

/// Tables that are computed in sequence: effective and accepted records; what they move and hold; values; and scores.
const STEPS: [(&str, &str); 23] = [
    // Each record with its clock.
    (
        "before",
        "SELECT * FROM (SELECT *, MAX(ts) OVER (PARTITION BY topic, part ORDER BY place) AS effective FROM raw) WHERE effective < {end}",
    ),
    // At most a day late, and the first of its identity: for a transaction, its id.
    (
        "accepted",
        "SELECT * FROM (SELECT *, ROW_NUMBER() OVER (
             PARTITION BY topic, CASE WHEN topic = 'transactions' THEN '' ELSE kind END, id ORDER BY effective, part, place) AS n
         FROM before WHERE kind NOT IN ('quote', 'rate') AND effective - ts <= 86400000000000) WHERE n = 1",
    ),
    (
        "transactions",
        "SELECT *, CASE WHEN kind IN ('deposit', 'interest') THEN amount ELSE -amount END AS signed FROM accepted WHERE topic = 'transactions'",
    ),
    // A reversal needs its original, and at most its amount; a void needs its hold; a capture needs its hold, its type, and at
    // most the held amount. Each is generated at most once, and may come before the transaction that it refers to.
    (
        "again",
        "SELECT later.phase AS phase, later.id AS later_id, known.id AS id, known.account AS account, known.other AS other, known.amount AS amount,
                later.amount AS part, known.signed AS signed
         FROM transactions later JOIN transactions known ON known.id = later.refers AND known.account = later.account
         WHERE CASE later.phase WHEN 'void' THEN known.phase = 'pending'
                                WHEN 'capture' THEN known.phase = 'pending' AND later.kind = known.kind AND later.amount <= known.amount
                                ELSE known.phase = 'posted' AND later.amount <= known.amount END",
    ),
    ("taken_back", "SELECT id FROM again WHERE phase = 'void' OR phase = 'posted' AND part = amount"),
    (
        "posted",
        "SELECT account, other, signed FROM transactions WHERE phase = 'posted' AND refers IS NULL
         UNION ALL SELECT account, other, CASE WHEN signed < 0 THEN part ELSE -part END FROM again WHERE phase = 'posted'
         UNION ALL SELECT account, other, CASE WHEN signed < 0 THEN -part ELSE part END FROM again WHERE phase = 'capture'",
    ),
    (
        "held",
        "SELECT account, amount FROM transactions WHERE phase = 'pending'
         UNION ALL SELECT account, -amount FROM again WHERE phase IN ('void', 'capture')",
    ),
    // A balance in the account's currency exists from its opening on.
    (
        "accounts",
        "SELECT 'a' || CAST(value AS VARCHAR) AS account, CASE WHEN number IS NULL THEN value % 2 ELSE 1 - value % 2 END AS desk,
                CASE WHEN value = {in_usd} THEN 'USD' ELSE 'EUR' END AS currency
         FROM generate_series(0, {last}) LEFT JOIN (SELECT number FROM moves WHERE ts < {end}) ON number = value WHERE {opened} < {end}",
    ),
    (
        "moved",
        "SELECT account, 'EUR' AS currency, signed AS posted, 0 AS held FROM posted
         UNION ALL SELECT COALESCE(other, 'external:EUR'), 'EUR', -signed, 0 FROM posted
         UNION ALL SELECT account, 'EUR', 0, amount FROM held
         UNION ALL SELECT 'external:EUR', 'EUR', 0, 0 FROM held
         UNION ALL SELECT account, currency, 0, 0 FROM accounts",
    ),
    ("busted", "SELECT id, effective FROM accepted WHERE kind = 'bust'"),
    // A fill can be busted for a day. The first record of a partition sets its clock, and may be of the day before all others.
    (
        "fills",
        "SELECT account, other AS symbol, CASE WHEN busted.id IS NULL THEN 1 ELSE 0 END AS counts, amount, price, fee
         FROM accepted LEFT JOIN busted ON busted.id = accepted.id AND busted.effective - accepted.effective <= 86400000000000 WHERE kind = 'fill'",
    ),
    (
        "sums",
        "SELECT account, symbol, CAST(SUM(counts * amount) AS DECIMAL(20, 2)) AS quantity,
                CAST(SUM(counts * -amount * price) AS DECIMAL(28, 4)) AS traded, CAST(SUM(counts * fee) AS DECIMAL(28, 4)) AS fees
         FROM fills GROUP BY account, symbol",
    ),
    // The newest quote and rate by its own time counts, from its clock on.
    (
        "newest",
        "SELECT kind, symbol, price FROM (SELECT kind, account AS symbol, price, ROW_NUMBER() OVER (PARTITION BY kind, account ORDER BY ts DESC, place DESC) AS n
         FROM before WHERE kind IN ('quote', 'rate') AND effective - ts <= 86400000000000) WHERE n = 1",
    ),
    // An instrument's data counts as if it had been known from the start.
    (
        "terms",
        "SELECT symbol, currency, multiplier FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY symbol ORDER BY ts DESC) AS n
         FROM instruments WHERE ts < {end}) WHERE n = 1",
    ),
    // A symbol without a quote has its last close.
    (
        "marks",
        "SELECT closes.symbol AS symbol, COALESCE(price, close) AS price
         FROM closes LEFT JOIN newest ON kind = 'quote' AND newest.symbol = closes.symbol",
    ),
    (
        "valued",
        "SELECT account, sums.symbol AS symbol, currency, quantity, price AS mark,
                CAST(traded * COALESCE(multiplier, 1) - fees AS DECIMAL(28, 4)) AS cash_flow,
                CAST(quantity * price * COALESCE(multiplier, 1) AS DECIMAL(28, 4)) AS value,
                quantity <> 0 OR traded <> 0 OR fees <> 0 AS is_something
         FROM sums JOIN marks ON marks.symbol = sums.symbol LEFT JOIN terms ON terms.symbol = sums.symbol",
    ),
    (
        "scopes",
        "SELECT account, currency, 'account:' || account AS scope FROM accounts
         UNION ALL SELECT account, 'EUR', 'book:firm' FROM accounts
         UNION ALL SELECT account, 'EUR', 'book:firm/desk' || CAST(desk AS VARCHAR) FROM accounts",
    ),
    (
        "conversions",
        "SELECT 'EUR' AS of, 'EUR' AS into, CAST(1 AS DECIMAL(4, 2)) AS factor UNION ALL SELECT 'USD', 'USD', 1
         UNION ALL SELECT 'USD', 'EUR', price FROM newest WHERE kind = 'rate'
         UNION ALL SELECT 'EUR', 'USD', CASE price WHEN 0.5 THEN 2 WHEN 2 THEN 0.5 ELSE 1 END FROM newest WHERE kind = 'rate'",
    ),
    // A position without a currency is not valued, unless nothing is left of it: its only fill was busted.
    (
        "parts",
        "SELECT account, currency, value AS net, ABS(value) AS gross, cash_flow AS cash, 0 AS unvalued FROM valued WHERE currency IS NOT NULL
         UNION ALL SELECT account, 'EUR', 0, 0, 0, 1 FROM valued WHERE currency IS NULL AND is_something
         UNION ALL SELECT account, 'EUR', 0, 0, posted, 0 FROM moved
         UNION ALL SELECT account, 'EUR', 0, 0, 0, 0 FROM accounts",
    ),
    (
        "losses",
        "SELECT scope, number, SUM(value * factor * halves) / 2 AS pnl FROM valued JOIN scopes ON scopes.account = valued.account
         JOIN conversions ON conversions.of = valued.currency AND conversions.into = scopes.currency
         JOIN scenarios ON scenarios.symbol = valued.symbol WHERE quantity <> 0 GROUP BY scope, number",
    ),
    // Each action of a customer once: a captured hold is the purchase, with the captured amount.
    (
        "counted",
        "SELECT transactions.id AS id, transactions.account AS account, ts, place, COALESCE(again.part, transactions.amount) AS amount
         FROM transactions LEFT JOIN again ON again.id = transactions.id AND again.phase = 'capture'
         WHERE refers IS NULL AND transactions.id NOT IN (SELECT id FROM taken_back)",
    ),
    (
        "within",
        "SELECT this.id AS id, MIN(this.amount) AS amount, COUNT(*) AS events
         FROM counted this JOIN counted other ON other.account = this.account
         WHERE other.ts <= this.ts AND other.ts >= this.ts - 600000000000 AND (other.ts < this.ts OR other.place <= this.place)
         GROUP BY this.id",
    ),
    // By the rules that need neither location nor time zone: an amount above 10 000, more than five within ten minutes.
    (
        "scored",
        "SELECT id, CASE WHEN amount > 10000 THEN 30 ELSE 0 END + CASE WHEN events > 5 THEN 40 ELSE 0 END AS score FROM within
         UNION ALL SELECT later_id, 0 FROM again WHERE phase <> 'void'
         UNION ALL SELECT id, NULL FROM taken_back WHERE id IN (SELECT id FROM transactions)",
    ),
];

/// The tables of a day, for repeated queries.
pub struct Recomputation {
    runtime: tokio::runtime::Runtime,
    context: SessionContext,
}

impl Recomputation {
    /// The recomputation for a day's records, with the seed of the returns before.
    pub fn of(day: &[Raw], seed: u64) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        let context = SessionContext::new();
        context.register_batch("raw", table(day)?)?;
        context.register_batch("scenarios", scenarios(seed)?)?;
        context.register_batch("closes", last_closes(seed)?)?;
        context.register_batch("instruments", instruments()?)?;
        context.register_batch("moves", moves()?)?;
        Ok(Self { runtime, context })
    }

    /// Each table's name, the query of the pipeline's rows, and the recomputed rows of everything that is effective before a time
    /// (nanoseconds since the epoch).
    pub fn at(&self, end: u64) -> Result<Vec<(&'static str, &'static str, Vec<String>)>> {
        for (name, query) in STEPS {
            let query = query.replace("{end}", &end.to_string()).replace("{opened}", &OPENED.to_string());
            let query = query.replace("{last}", &(PAYERS - 1).to_string()).replace("{in_usd}", &IN_USD.to_string());
            self.answer(&format!("CREATE OR REPLACE TABLE {name} AS {query}"))?;
        }
        VIEWS.iter().map(|view| Ok((view.name, view.asked, self.answer(view.recomputed)?))).collect()
    }

    fn answer(&self, query: &str) -> Result<Vec<String>> {
        let batches = self.runtime.block_on(async { self.context.sql(query).await?.collect().await })?;
        let Some(first) = batches.first() else { return Ok(Vec::new()) };
        let (mut renderer, mut text) = (Format::Csv.renderer(&first.schema()), Vec::new());
        batches.iter().try_for_each(|batch| renderer.batch(batch, &mut text))?;
        renderer.finish(&mut text)?;
        Ok(String::from_utf8(text)?.lines().skip(1).map(str::to_owned).collect())
    }
}

/// The records as one table, with each record's place in its partition.
fn table(day: &[Raw]) -> Result<RecordBatch> {
    let mut counts = BTreeMap::<(&str, u16), i64>::new();
    let mut places = Vec::new();
    for raw in day {
        let count = counts.entry((raw.topic, raw.partition())).or_default();
        *count += 1;
        places.push(*count);
    }
    let text = |of: &dyn Fn(&Raw) -> Option<String>| Arc::new(day.iter().map(of).collect::<StringArray>()) as ArrayRef;
    let number = |of: &dyn Fn(&Raw) -> i64| Arc::new(Int64Array::from_iter_values(day.iter().map(of))) as ArrayRef;
    let money = |of: &dyn Fn(&Raw) -> i64| -> Result<ArrayRef> {
        let hundredths = Decimal128Array::from_iter_values(day.iter().map(|raw| i128::from(of(raw))));
        Ok(Arc::new(hundredths.with_precision_and_scale(18, 2)?))
    };
    Ok(RecordBatch::try_from_iter([
        ("topic", text(&|raw| Some(raw.topic.to_owned()))),
        ("part", number(&|raw| raw.partition().into())),
        ("place", Arc::new(Int64Array::from(places)) as ArrayRef),
        ("kind", text(&|raw| Some(raw.kind.clone()))),
        ("id", text(&|raw| Some(raw.id.clone()))),
        ("account", text(&|raw| Some(raw.account.clone()))),
        ("other", text(&|raw| raw.other.clone())),
        ("phase", text(&|raw| Some(raw.phase.to_owned()))),
        ("refers", text(&|raw| raw.refers.clone())),
        ("amount", money(&|raw| raw.amount)?),
        ("price", money(&|raw| raw.price)?),
        ("fee", money(&|raw| raw.fee)?),
        ("ts", number(&|raw| raw.ts)),
    ])?)
}

/// The instruments' data, and from when on it is known.
fn instruments() -> Result<RecordBatch> {
    let ts = INSTRUMENTS.into_iter().map(|(.., second)| second.map_or(0, |second| BEGIN + second * SECOND));
    Ok(RecordBatch::try_from_iter([
        ("symbol", Arc::new(StringArray::from_iter_values(INSTRUMENTS.into_iter().map(|(symbol, ..)| format!("S{symbol}")))) as ArrayRef),
        ("currency", Arc::new(StringArray::from_iter_values(INSTRUMENTS.into_iter().map(|(_, currency, ..)| currency))) as ArrayRef),
        ("multiplier", Arc::new(Int64Array::from_iter_values(INSTRUMENTS.into_iter().map(|(_, _, multiplier, _)| multiplier))) as ArrayRef),
        ("ts", Arc::new(Int64Array::from_iter_values(ts)) as ArrayRef),
    ])?)
}

/// The accounts that move to the other desk, and when.
fn moves() -> Result<RecordBatch> {
    let numbers = MOVES.into_iter().map(|(number, _)| i64::try_from(number)).collect::<Result<Vec<_>, _>>()?;
    let ts = MOVES.into_iter().map(|(_, second)| BEGIN + second * SECOND);
    Ok(RecordBatch::try_from_iter([
        ("number", Arc::new(Int64Array::from(numbers)) as ArrayRef),
        ("ts", Arc::new(Int64Array::from_iter_values(ts)) as ArrayRef),
    ])?)
}

/// The last close of each symbol before the day.
fn last_closes(seed: u64) -> Result<RecordBatch> {
    let last: Vec<_> = closes(seed).iter().map(|closes| closes.last().map(|close| i128::from(*close) * 100)).collect();
    let symbols = (0..last.len()).map(|symbol| format!("S{symbol}"));
    Ok(RecordBatch::try_from_iter([
        ("symbol", Arc::new(StringArray::from_iter_values(symbols)) as ArrayRef),
        ("close", Arc::new(last.into_iter().collect::<Decimal128Array>().with_precision_and_scale(18, 2)?) as ArrayRef),
    ])?)
}

/// The returns before the day: symbol, number of the scenario, return in halves.
fn scenarios(seed: u64) -> Result<RecordBatch> {
    let (mut symbols, mut numbers, mut halves) = (Vec::new(), Vec::new(), Vec::new());
    for (symbol, returns) in returns(seed).into_iter().enumerate() {
        for (number, return_in_halves) in (0_i64..).zip(returns) {
            symbols.push(format!("S{symbol}"));
            numbers.push(number);
            halves.push(return_in_halves);
        }
    }
    Ok(RecordBatch::try_from_iter([
        ("symbol", Arc::new(StringArray::from(symbols)) as ArrayRef),
        ("number", Arc::new(Int64Array::from(numbers)) as ArrayRef),
        ("halves", Arc::new(Int64Array::from(halves)) as ArrayRef),
    ])?)
}
