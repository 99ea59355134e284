-- Which closed accounts were used? A healthy bank has no row here.
SELECT subject AS account_id,
       evidence,
       ts
FROM   alerts
WHERE  kind = 'ledger' AND rule = 'closed_account' AND state IN ('raised', 'amended')
