-- Portfolios that an old rate converts, and those that leave something out
SELECT * FROM (
    SELECT 'warning' AS severity, scope AS key, CAST(stale_rates AS VARCHAR)
           || ' of its positions and balances are converted with a rate older than valuation.max_rate_age' AS finding
    FROM   @portfolios AS portfolios WHERE stale_rates > 0
    UNION ALL
    SELECT 'warning', scope, CAST(unvalued AS VARCHAR)
           || ' of its positions and balances have no mark, no rate or no instrument, so its sums leave them out'
    FROM   @portfolios AS portfolios WHERE unvalued > 0
)
ORDER BY key, finding
