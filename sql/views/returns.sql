-- How did portfolios perform? The return of each scope on each day (UTC) on which it changed, by Modified Dietz, and these returns linked.
-- scope: `account:ID` or `book:PATH`.
-- currency: The currency of the scope.
-- date: The day, in UTC.
-- modified_dietz: The return of the day by Modified Dietz; NULL where the capital is not above zero.
-- time_weighted: The daily returns linked since the first day; NULL after a day that lost all capital.
WITH seen AS (
    -- A row of a grid point is of what lies before it. Where a run ended within an interval, its grid point has a row of each run.
    SELECT scope, currency, tick, commit_id, equity, equity - realized_pnl - unrealized_pnl AS paid_in, CAST(ts - INTERVAL '1 nanosecond' AS DATE) AS date,
           1 - CAST((CAST(ts AS BIGINT) - 1) % 86400000000000 + 1 AS DOUBLE) / 86400000000000 AS rest
    FROM   portfolios_history
    WHERE  change > 0
), moved AS (
    SELECT scope, currency, date, tick, commit_id, rest, equity, COALESCE(LAG(equity) OVER before, 0) AS previous,
           paid_in - COALESCE(LAG(paid_in) OVER before, 0) AS flow
    FROM   seen
    WINDOW before AS (PARTITION BY scope, currency ORDER BY tick, commit_id)
), days AS (
    SELECT scope, currency, date, CAST(SUM(flow) AS DOUBLE) AS flows,
           CAST(FIRST_VALUE(previous ORDER BY tick, commit_id) AS DOUBLE) AS at_first, CAST(LAST_VALUE(equity ORDER BY tick, commit_id) AS DOUBLE) AS at_last,
           SUM(CAST(flow AS DOUBLE) * rest) AS weighted
    FROM   moved
    GROUP BY scope, currency, date
), dietz AS (
    SELECT scope, currency, date, CASE WHEN at_first + weighted > 0 THEN (at_last - at_first - flows) / (at_first + weighted) END AS modified_dietz
    FROM   days
)
SELECT scope, currency, date, modified_dietz,
       CASE WHEN MIN(modified_dietz) OVER so_far > -1 THEN EXP(SUM(LN(1 + modified_dietz)) OVER so_far) - 1 END AS time_weighted
FROM   dietz
WINDOW so_far AS (PARTITION BY scope, currency ORDER BY date)
