-- Which balances are not the sum of their posted legs? A healthy ledger has no row here.
SELECT account_id,
       currency,
       balance.posted,
       entries.posted AS legs
FROM   balances balance
       FULL JOIN (SELECT account_id, currency, SUM(amount) AS posted FROM ledger_entries WHERE phase = 'posted' GROUP BY account_id, currency) entries
       USING (account_id, currency)
WHERE  COALESCE(balance.posted, 0) <> COALESCE(entries.posted, 0)
