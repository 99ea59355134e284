-- How good was each VaR? Its last 250 days of var_backtest_days, counted and tested.
-- scope: `account:ID` or `book:PATH`.
-- method: The method of estimation.
-- confidence: The confidence, between 0 and 1.
-- days: The number of days, at most 250.
-- first_date: The first of them.
-- last_date: The last of them.
-- exceptions: The number of days on which the loss was greater than the VaR.
-- expected: The number that the confidence promises.
-- kupiec: Likelihood ratio of the number of exceptions (proportion of failures); above 3.841 the VaR is wrong, at 95 %.
-- christoffersen: Likelihood ratio of exceptions on days in succession; above 3.841 they depend on each other, at 95 %.
-- zone: The zone of the Basel Committee for a VaR at 99 %: `green` up to 4 exceptions of 250 days, `yellow` up to 9, `red` from 10 on.
WITH numbered AS (
    SELECT scope, method, confidence, date, CASE WHEN is_exception THEN 1.0 ELSE 0.0 END AS hit,
           LAG(CASE WHEN is_exception THEN 1.0 ELSE 0.0 END) OVER (PARTITION BY scope, method, confidence ORDER BY date) AS hit_before,
           ROW_NUMBER() OVER (PARTITION BY scope, method, confidence ORDER BY date DESC) AS age
    FROM   var_backtest_days
), recent AS (
    SELECT scope, method, confidence, date, CAST(hit AS DOUBLE) AS hit, CASE WHEN age < 250 THEN CAST(hit_before AS DOUBLE) END AS hit_before
    FROM   numbered
    WHERE  age <= 250
), counted AS (
    SELECT scope, method, confidence, MIN(date) AS first_date, MAX(date) AS last_date,
           CAST(COUNT(*) AS DOUBLE) AS n, SUM(hit) AS x,
           SUM((1 - hit_before) * (1 - hit)) AS n00, SUM((1 - hit_before) * hit) AS n01,
           SUM(hit_before * (1 - hit)) AS n10, SUM(hit_before * hit) AS n11
    FROM   recent
    GROUP BY scope, method, confidence
), likelihoods AS (
    SELECT scope, method, confidence, first_date, last_date, n, x,
           (n - x) * LN(confidence) + x * LN(1 - confidence) AS promised,
           CASE WHEN x < n THEN (n - x) * LN(1 - x / n) ELSE 0.0 END + CASE WHEN x > 0 THEN x * LN(x / n) ELSE 0.0 END AS seen,
           CASE WHEN n00 + n10 > 0 THEN (n00 + n10) * LN((n00 + n10) / (n00 + n01 + n10 + n11)) ELSE 0.0 END
               + CASE WHEN n01 + n11 > 0 THEN (n01 + n11) * LN((n01 + n11) / (n00 + n01 + n10 + n11)) ELSE 0.0 END AS independent,
           CASE WHEN n00 > 0 THEN n00 * LN(n00 / (n00 + n01)) ELSE 0.0 END + CASE WHEN n01 > 0 THEN n01 * LN(n01 / (n00 + n01)) ELSE 0.0 END
               + CASE WHEN n10 > 0 THEN n10 * LN(n10 / (n10 + n11)) ELSE 0.0 END
               + CASE WHEN n11 > 0 THEN n11 * LN(n11 / (n10 + n11)) ELSE 0.0 END AS dependent
    FROM   counted
)
SELECT scope, method, confidence, CAST(n AS BIGINT) AS days, first_date, last_date, CAST(x AS BIGINT) AS exceptions, n * (1 - confidence) AS expected,
       -- Of equal likelihoods the ratio is zero, and what rounding leaves is none.
       CASE WHEN seen > promised THEN 2 * (seen - promised) ELSE 0.0 END AS kupiec,
       CASE WHEN dependent > independent THEN 2 * (dependent - independent) ELSE 0.0 END AS christoffersen,
       CASE WHEN x < 5 THEN 'green' WHEN x < 10 THEN 'yellow' ELSE 'red' END AS zone
FROM   likelihoods
