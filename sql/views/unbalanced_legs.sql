-- Which transactions do not balance? The legs of a transaction sum to zero in every currency; a healthy ledger has no row here.
-- imbalance: The sum of its legs: not 0.
-- legs: How many legs.
SELECT   transaction_id,
         currency,
         SUM(amount) AS imbalance,
         COUNT(*)    AS legs,
         MAX(ts)     AS ts
FROM     ledger_entries
GROUP BY transaction_id, currency
HAVING   SUM(amount) <> 0
