-- Which transactions were reversed, or captured, for more than their amount? A healthy ledger has no row here.
SELECT account_id,
       transaction_id,
       currency,
       amount,
       "left",
       counter_amount,
       counter_left
FROM   posted_transactions
WHERE  "left" < 0 OR "left" > ABS(amount) OR counter_left < 0 OR counter_left > ABS(counter_amount)
