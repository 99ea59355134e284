-- What did each VaR say of the next day, and what came? By scope, method and confidence, for each day (UTC) on which the portfolio changed.
-- scope: `account:ID` or `book:PATH`.
-- date: The day, in UTC.
-- var: The VaR in force when the day began, positive for a loss.
-- pnl: The P&L of the day: realized and unrealized P&L at its end, less those at the end of the day before it; without FX P&L.
-- is_exception: Whether the loss was greater than the VaR.
WITH portfolio_days AS (
    SELECT scope, life, date, LAST_VALUE(realized_pnl + unrealized_pnl ORDER BY tick, commit_id) AS total
    FROM   portfolio_lives
    GROUP BY scope, life, date
), moved AS (
    SELECT scope, date, total - LAG(total) OVER (PARTITION BY scope, life ORDER BY date) AS pnl
    FROM   portfolio_days
), ends AS (
    -- The day of each change of a portfolio: of one that ends, that of its last row.
    SELECT scope, tick, MAX(last_date) AS date
    FROM   (SELECT scope, tick, MAX(CASE WHEN change > 0 THEN CAST(ts - INTERVAL '1 nanosecond' AS DATE) END)
                                OVER (PARTITION BY scope ORDER BY tick, commit_id) AS last_date
            FROM   portfolios_history) AS dated
    GROUP BY scope, tick
), risk_changes AS (
    -- A row that ends has the time at which it began: the portfolio, which changes with it, has that of its end.
    SELECT risk.scope, risk.method, risk.confidence, risk.tick, risk.commit_id, risk.change, CASE WHEN risk.change > 0 THEN risk.var END AS var,
           CASE WHEN risk.change > 0 THEN CAST(risk.ts - INTERVAL '1 nanosecond' AS DATE) ELSE ends.date END AS date
    FROM   risk_history AS risk LEFT JOIN ends ON ends.scope = risk.scope AND ends.tick = risk.tick
), risk_days AS (
    SELECT scope, method, confidence, date, LAST_VALUE(var ORDER BY tick, commit_id, change) AS var
    FROM   risk_changes
    GROUP BY scope, method, confidence, date
), in_force AS (
    SELECT scope, method, confidence, var, date AS since, LEAD(date) OVER (PARTITION BY scope, method, confidence ORDER BY date) AS until
    FROM   risk_days
)
SELECT moved.scope, in_force.method, in_force.confidence, moved.date, in_force.var, moved.pnl, moved.pnl < -in_force.var AS is_exception
FROM   moved JOIN in_force ON in_force.scope = moved.scope
WHERE  moved.date > in_force.since AND (in_force.until IS NULL OR moved.date <= in_force.until)
  AND  in_force.var IS NOT NULL AND moved.pnl IS NOT NULL
