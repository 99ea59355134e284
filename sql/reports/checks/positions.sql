-- Portfolios against the values of their positions, where all of an account are in its currency
WITH summed AS (
    SELECT account_id, MIN(currency) AS currency, MAX(currency) AS another, SUM(market_value) AS net_value, COUNT(*) AS positions,
           COUNT(market_value) AS valued
    FROM   @positions AS positions GROUP BY account_id
)
SELECT 'error' AS severity, portfolios.scope AS key, 'the value of the portfolio is not the sum of its positions' AS finding
FROM   @portfolios AS portfolios JOIN summed ON portfolios.scope = 'account:' || summed.account_id
WHERE  summed.currency = portfolios.currency AND summed.another = portfolios.currency AND summed.positions = summed.valued
       AND portfolios.net_value <> summed.net_value
ORDER BY key
