-- Does the ledger balance? Per currency, all posted legs together: what went into accounts less what came out. `balance` is zero in every row.
SELECT   currency,
         SUM(CASE WHEN amount > 0 THEN amount ELSE 0 END) AS went_in,
         SUM(CASE WHEN amount < 0 THEN -amount ELSE 0 END) AS came_out,
         SUM(amount) AS balance,
         COUNT(*)    AS legs
FROM     ledger_entries
WHERE    phase = 'posted'
GROUP BY currency
