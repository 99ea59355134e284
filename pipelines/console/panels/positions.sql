-- The largest positions; values and P&L to two digits.
SELECT account_id AS account, symbol, quantity, CAST(average_price AS DECIMAL(28, 4)) AS average, mark_price AS mark,
       CAST(market_value AS DECIMAL(38, 2)) AS value, currency AS cur, CAST(unrealized_pnl AS DECIMAL(38, 2)) AS unrealized,
       CAST(realized_pnl AS DECIMAL(38, 2)) AS realized
FROM   positions
WHERE  quantity <> 0
ORDER BY abs(market_value) DESC, account_id, symbol
LIMIT  12
