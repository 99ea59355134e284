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
