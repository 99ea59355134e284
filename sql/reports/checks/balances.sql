-- Balances against their legs
WITH summed AS (
    SELECT account_id, currency, SUM(amount) AS posted FROM @legs AS legs WHERE phase = 'posted' AND counted_from < @end GROUP BY account_id, currency
)
SELECT 'error' AS severity, balances.account_id || ' ' || balances.currency AS key, 'the balance is not the sum of the posted legs' AS finding
FROM   @balances AS balances LEFT JOIN summed ON summed.account_id = balances.account_id AND summed.currency = balances.currency
WHERE  balances.posted <> COALESCE(summed.posted, 0)
ORDER BY key
