-- Which values did each portfolio have, life by life? A scope that was empty, or has another currency, begins a life of its own.
-- scope: `account:ID` or `book:PATH`.
-- life: The number of the scope's life, from 1 on.
-- date: The day, in UTC. A row of a grid point is of what lies before it.
-- ts: The grid point.
WITH steps AS (
    -- Where a run of the pipeline ended within an interval, its grid point has a row of each run.
    SELECT scope, tick, commit_id, MAX(change) > 0 AS is_there, MAX(CASE WHEN change > 0 THEN currency END) AS currency,
           MAX(CASE WHEN change > 0 THEN ts END) AS ts, MAX(CASE WHEN change > 0 THEN equity END) AS equity,
           MAX(CASE WHEN change > 0 THEN realized_pnl END) AS realized_pnl, MAX(CASE WHEN change > 0 THEN unrealized_pnl END) AS unrealized_pnl,
           MAX(CASE WHEN change > 0 THEN fx_pnl END) AS fx_pnl, MAX(CASE WHEN change > 0 THEN gross_exposure END) AS gross_exposure
    FROM   portfolios_history
    GROUP BY scope, tick, commit_id
), followed AS (
    SELECT *, LAG(is_there) OVER before AS was_there, LAG(currency) OVER before AS currency_before
    FROM   steps
    WINDOW before AS (PARTITION BY scope ORDER BY tick, commit_id)
)
SELECT scope, currency,
       SUM(CASE WHEN was_there AND currency_before = currency THEN 0 ELSE 1 END) OVER (PARTITION BY scope ORDER BY tick, commit_id) AS life,
       CAST(ts - INTERVAL '1 nanosecond' AS DATE) AS date, ts, equity, realized_pnl, unrealized_pnl, fx_pnl, gross_exposure, tick,
       commit_id
FROM   followed
WHERE  is_there
