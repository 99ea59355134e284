-- Which balances differ from what their producer reports? A ledger that agrees with its source has no row here.
SELECT subject AS account_id,
       message,
       evidence,
       ts
FROM   alerts
WHERE  kind = 'ledger' AND rule = 'balance_mismatch' AND state IN ('raised', 'amended')
