-- Which balances differ from the sum of their changes? A healthy ledger has no row here; a history that retention has cut is not compared.
SELECT account_id,
       currency,
       balances.posted,
       changes.posted AS history
FROM   balances
       JOIN (SELECT account_id, currency, SUM(change * posted) AS posted, SUM(change * pending) AS pending
             FROM balances_history GROUP BY account_id, currency HAVING SUM(change) = 1) changes
       USING (account_id, currency)
WHERE  balances.posted <> changes.posted OR balances.pending <> changes.pending
