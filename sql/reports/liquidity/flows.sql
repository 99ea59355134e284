-- Outflows and inflows over 30 days by type of account
SELECT balances.currency, reference.kind, reference.id AS account_type, SUM(ABS(balances.posted)) AS balance, MAX(reference.value) AS rate,
       CAST(SUM(ABS(balances.posted) * reference.value) AS DECIMAL(38, 9)) AS flow
FROM   @balances AS balances
       JOIN @account_types AS opened ON opened.account_id = balances.account_id
       JOIN @reference AS reference ON reference.id = opened.account_type
WHERE  (reference.kind = 'outflow' AND balances.posted > 0) OR (reference.kind = 'inflow' AND balances.posted < 0)
GROUP BY balances.currency, reference.kind, reference.id
ORDER BY balances.currency, reference.kind, reference.id
