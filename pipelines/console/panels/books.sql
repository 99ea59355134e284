-- Positions and P&L by book, to two digits: what does each hold, earn by price and by exchange rate, and owe?
SELECT substr(scope, 6) AS book, CAST(realized_pnl AS DECIMAL(38, 2)) AS realized, CAST(unrealized_pnl AS DECIMAL(38, 2)) AS unrealized,
       CAST(fx_pnl AS DECIMAL(38, 2)) AS fx, CAST(net_value AS DECIMAL(38, 2)) AS net, CAST(gross_exposure AS DECIMAL(38, 2)) AS gross,
       CAST(equity AS DECIMAL(38, 2)) AS equity, CAST(max_drawdown AS DECIMAL(38, 2)) AS drawdown, currency AS cur,
       CASE WHEN unvalued > 0 THEN CAST(unvalued AS VARCHAR) || ' left out' END AS unvalued,
       CASE WHEN stale_rates > 0 THEN CAST(stale_rates AS VARCHAR) || ' at old rates' END AS rates
FROM   portfolios
WHERE  scope LIKE 'book:%'
ORDER BY scope
LIMIT  100
