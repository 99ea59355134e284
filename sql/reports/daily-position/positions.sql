-- Positions by account and symbol, with their weights on gross exposure
WITH held AS (
    SELECT * FROM @positions AS positions
), gross AS (
    SELECT account_id, currency, SUM(ABS(market_value)) AS gross FROM held GROUP BY account_id, currency
)
SELECT held.account_id, held.symbol, held.currency, held.quantity, held.average_price, held.mark_price, held.market_value,
       held.realized_pnl, held.unrealized_pnl,
       CAST(ABS(held.market_value) AS DOUBLE) / NULLIF(CAST(gross.gross AS DOUBLE), 0) AS weight, held.ts
FROM   held LEFT JOIN gross ON gross.account_id = held.account_id AND gross.currency = held.currency
ORDER BY held.account_id, held.symbol
