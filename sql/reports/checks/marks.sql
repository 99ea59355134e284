-- Positions without a value
SELECT 'warning' AS severity, account_id || ' ' || symbol AS key,
       CASE WHEN currency IS NULL THEN 'the instrument is unknown, so the position has no currency and no value'
            ELSE 'the symbol has no mark, so the position has no value' END AS finding
FROM   @positions AS positions
WHERE  quantity <> 0 AND (currency IS NULL OR market_value IS NULL)
ORDER BY key
