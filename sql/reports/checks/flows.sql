-- Balances that the reference file gives no rate
WITH held AS (
    SELECT DISTINCT opened.account_type, CASE WHEN balances.posted > 0 THEN 'outflow' ELSE 'inflow' END AS kind
    FROM   @balances AS balances JOIN @account_types AS opened ON opened.account_id = balances.account_id
    WHERE  balances.posted <> 0
)
SELECT * FROM (
    SELECT 'warning' AS severity, held.account_type AS key,
           'the reference file has no row of kind ' || held.kind || ' for this type of account, so its balances are in no figure' AS finding
    FROM   held LEFT JOIN @reference AS reference ON reference.kind = held.kind AND reference.id = held.account_type
    WHERE  reference.id IS NULL
    UNION ALL
    SELECT DISTINCT 'warning', balances.account_id, 'the account was not opened by the end of the date, so its balances are in no figure'
    FROM   @balances AS balances LEFT JOIN @account_types AS opened ON opened.account_id = balances.account_id
    WHERE  balances.posted <> 0 AND opened.account_id IS NULL AND balances.account_id NOT LIKE 'external:%'
           AND balances.account_id NOT LIKE 'position:%'
)
ORDER BY key, finding
