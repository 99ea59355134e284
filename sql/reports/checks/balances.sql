-- Balances against their legs
WITH summed AS (
    SELECT account_id, currency, SUM(amount) AS posted FROM @legs AS legs
    WHERE  phase = 'posted' AND counted_from < @end AND @is_concerned GROUP BY account_id, currency
), shown AS (
    SELECT account_id, currency, posted FROM @balances AS balances WHERE @is_concerned
)
SELECT 'error' AS severity, shown.account_id || ' ' || shown.currency AS key, 'the balance is not the sum of the posted legs' AS finding
FROM   shown LEFT JOIN summed ON summed.account_id = shown.account_id AND summed.currency = shown.currency
WHERE  shown.posted <> COALESCE(summed.posted, 0)
ORDER BY key
