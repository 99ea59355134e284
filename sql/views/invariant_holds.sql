-- Which balances hold another amount than their open holds do? A healthy ledger has no row here.
WITH held AS (
    -- A hold is on the account that would pay: its own, or the counterparty of a deposit. Contra accounts hold nothing.
    SELECT CASE WHEN amount < 0 THEN account_id ELSE counterparty END AS account_id,
           CASE WHEN amount < 0 THEN currency ELSE COALESCE(counter_currency, currency) END AS currency,
           CASE WHEN amount < 0 THEN "left" ELSE COALESCE(counter_amount, "left") END AS amount
    FROM   posted_transactions
    WHERE  pending AND NOT resolved
), summed AS (
    SELECT account_id, currency, SUM(amount) AS amount
    FROM   held
    WHERE  account_id NOT LIKE 'external:%' AND account_id NOT LIKE 'position:%'
    GROUP BY account_id, currency
)
SELECT account_id,
       currency,
       balances.pending,
       summed.amount AS holds
FROM   balances FULL JOIN summed USING (account_id, currency)
WHERE  COALESCE(balances.pending, 0) <> COALESCE(summed.amount, 0)
