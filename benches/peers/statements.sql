-- What is run in a session, by Headwater and its peers. The comment before a statement is its name.

-- count
SELECT count(*) AS n FROM positions;

-- group by account
SELECT account_id, sum(market_value) AS value, count(*) AS n
FROM positions GROUP BY account_id ORDER BY value DESC, account_id LIMIT 20;

-- greatest positions
SELECT account_id, symbol, market_value
FROM positions ORDER BY abs(market_value) DESC, account_id, symbol LIMIT 10;

-- join with balances
SELECT b.account_id, b.posted, sum(p.market_value) AS value
FROM balances b JOIN positions p ON p.account_id = b.account_id
GROUP BY b.account_id, b.posted ORDER BY value DESC, b.account_id LIMIT 20;

-- one account
SELECT symbol, quantity, average_price, market_value
FROM positions WHERE account_id = 'A0042' ORDER BY symbol;

-- exposure by symbol
SELECT symbol, sum(abs(market_value)) AS gross, sum(market_value) AS net
FROM positions GROUP BY symbol ORDER BY gross DESC, symbol LIMIT 10;

-- leverage
SELECT scope, equity, leverage, hhi
FROM portfolios WHERE leverage > 0.001 ORDER BY leverage DESC, scope LIMIT 10;

-- ledger by account and day
SELECT account_id, date_trunc('day', ts) AS day, sum(amount) AS amount, count(*) AS n
FROM ledger_entries GROUP BY 1, 2 ORDER BY amount, account_id LIMIT 10;

-- audit by topic
SELECT topic, count(*) AS n, min("offset") AS low, max("offset") AS high
FROM audit GROUP BY topic ORDER BY topic;

-- audit in a time range
SELECT count(*) AS n
FROM audit WHERE ts >= TIMESTAMP '2026-01-05 14:30:01' AND ts < TIMESTAMP '2026-01-05 14:30:03';

-- audit of one id
SELECT topic, "partition", "offset" FROM audit WHERE event_id = 'F4242';

-- history of a position
SELECT ts, quantity, market_value
FROM positions_history
WHERE account_id = 'A0042' AND change = 1
  AND symbol = (SELECT min(symbol) FROM positions WHERE account_id = 'A0042')
ORDER BY ts, quantity, market_value LIMIT 50;

-- equity by minute
SELECT date_trunc('minute', ts) AS minute, min(equity) AS low, max(equity) AS high
FROM portfolios_history WHERE scope = 'book:firm' AND change = 1 GROUP BY 1 ORDER BY 1;

-- daily position report
SELECT account_id, symbol, currency, quantity, mark_price, market_value, realized_pnl, unrealized_pnl,
       CAST(abs(market_value) AS DOUBLE) / CAST(sum(abs(market_value)) OVER (PARTITION BY account_id, currency) AS DOUBLE) AS weight
FROM positions WHERE account_id < 'A0100' ORDER BY account_id, symbol;

-- profit and loss by currency
SELECT currency, sum(realized_pnl) AS realized, sum(unrealized_pnl) AS unrealized, sum(fees) AS fees, count(*) AS n
FROM positions GROUP BY currency ORDER BY currency;

-- greatest losses
SELECT account_id, symbol, unrealized_pnl
FROM positions WHERE unrealized_pnl < 0 ORDER BY unrealized_pnl, account_id, symbol LIMIT 20;

-- trial balance
SELECT currency, sum(CASE WHEN amount > 0 THEN amount ELSE 0 END) AS went_in, sum(CASE WHEN amount < 0 THEN -amount ELSE 0 END) AS came_out,
       sum(amount) AS balance, count(*) AS legs
FROM ledger_entries WHERE phase = 'posted' GROUP BY currency ORDER BY currency;

-- account statement
SELECT entry_id, ts, amount, sum(amount) OVER (ORDER BY ts, entry_id) AS balance
FROM ledger_entries WHERE account_id = 'A0042' ORDER BY ts, entry_id;

-- proof of balances
SELECT count(*) AS balances, sum(CASE WHEN b.posted = coalesce(e.posted, 0) THEN 1 ELSE 0 END) AS proved
FROM balances b LEFT JOIN (
    SELECT account_id, currency, sum(amount) AS posted FROM ledger_entries WHERE phase = 'posted' GROUP BY account_id, currency
) e ON e.account_id = b.account_id AND e.currency = b.currency;

-- range of equity
SELECT scope, min(equity) AS low, max(equity) AS high
FROM portfolios_history WHERE change = 1 GROUP BY scope ORDER BY high DESC, scope LIMIT 20;
