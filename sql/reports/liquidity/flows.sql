-- Outflows and inflows over 30 days by type of account
WITH opened AS (
    SELECT key AS account_id, MAX(json_text(value, 'account_type')) AS account_type
    FROM   reference_records WHERE topic = 'accounts' GROUP BY key
)
SELECT balances.currency, reference.kind, reference.id AS account_type, SUM(ABS(balances.posted)) AS balance, MAX(reference.value) AS rate,
       CAST(SUM(ABS(balances.posted) * reference.value) AS DECIMAL(38, 9)) AS flow
FROM   @balances AS balances
       JOIN opened ON opened.account_id = balances.account_id
       JOIN @reference AS reference ON reference.id = opened.account_type
WHERE  (reference.kind = 'outflow' AND balances.posted > 0) OR (reference.kind = 'inflow' AND balances.posted < 0)
GROUP BY balances.currency, reference.kind, reference.id
ORDER BY balances.currency, reference.kind, reference.id
