-- Does the ledger balance? Per currency, all posted legs together: what went into accounts less what came out. `balance` is zero in every row.
-- went_in: The sum of legs above zero.
-- came_out: The sum of legs below zero, as a positive number.
-- balance: The sum of all legs: 0.
-- legs: How many legs.
SELECT   currency,
         SUM(CASE WHEN amount > 0 THEN amount ELSE 0 END) AS went_in,
         SUM(CASE WHEN amount < 0 THEN -amount ELSE 0 END) AS came_out,
         SUM(amount) AS balance,
         COUNT(*)    AS legs
FROM     ledger_entries
WHERE    phase = 'posted'
GROUP BY currency
