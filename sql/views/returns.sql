-- How did portfolios perform? The return of each scope on each day (UTC) on which it changed, by Modified Dietz, and these returns linked.
-- scope: `account:ID` or `book:PATH`.
-- currency: The currency of the scope.
-- date: The day, in UTC.
-- modified_dietz: The return of the day by Modified Dietz; NULL where the capital is not above a millionth of the gross exposure, or zero.
-- time_weighted: The daily returns linked since the life of the portfolio began; NULL after a day that lost all capital.
WITH lived AS (
    SELECT scope, currency, life, date, tick, commit_id, equity, gross_exposure, equity - realized_pnl - unrealized_pnl - fx_pnl AS paid_in,
           1 - CAST((CAST(ts AS BIGINT) - 1) % 86400000000000 + 1 AS DOUBLE) / 86400000000000 AS rest
    FROM   portfolio_lives
), moved AS (
    -- What was paid in before the first row was there when the day began; a later life begins with all that it has.
    SELECT scope, currency, life, date, tick, commit_id, rest, equity,
           COALESCE(LAG(equity) OVER before, CASE WHEN life = 1 THEN paid_in ELSE equity END) AS previous,
           paid_in - COALESCE(LAG(paid_in) OVER before, paid_in) AS flow,
           GREATEST(gross_exposure, COALESCE(LAG(gross_exposure) OVER before, gross_exposure)) AS gross
    FROM   lived
    WINDOW before AS (PARTITION BY scope, life ORDER BY tick, commit_id)
), days AS (
    SELECT scope, currency, life, date, CAST(SUM(flow) AS DOUBLE) AS flows,
           CAST(FIRST_VALUE(previous ORDER BY tick, commit_id) AS DOUBLE) AS at_first, CAST(LAST_VALUE(equity ORDER BY tick, commit_id) AS DOUBLE) AS at_last,
           SUM(CAST(flow AS DOUBLE) * rest) AS weighted, CAST(MAX(gross) AS DOUBLE) AS gross
    FROM   moved
    GROUP BY scope, currency, life, date
), dietz AS (
    -- Each amount of another currency is rounded when it is converted. Capital below a millionth of the exposure may be what that left.
    SELECT scope, currency, life, date,
           CASE WHEN at_first + weighted > gross / 1000000 THEN (at_last - at_first - flows) / (at_first + weighted) END AS of_day
    FROM   days
), linked AS (
    SELECT scope, currency, life, date, of_day, CASE WHEN MIN(of_day) OVER so_far > -1 THEN EXP(SUM(LN(1 + of_day)) OVER so_far) - 1 END AS time_weighted
    FROM   dietz
    WINDOW so_far AS (PARTITION BY scope, life ORDER BY date)
)
-- Of several lives on one day the last one counts.
SELECT scope, currency, date, LAST_VALUE(of_day ORDER BY life) AS modified_dietz, LAST_VALUE(time_weighted ORDER BY life) AS time_weighted
FROM   linked
GROUP BY scope, currency, date
