-- Opening balance, money in and out, and closing balance of each account that moved
SELECT account_id, currency,
       SUM(CASE WHEN value_date < @from THEN amount ELSE 0 END) AS opening,
       SUM(CASE WHEN value_date >= @from AND amount > 0 THEN amount ELSE 0 END) AS money_in,
       SUM(CASE WHEN value_date >= @from AND amount < 0 THEN -amount ELSE 0 END) AS money_out,
       SUM(amount) AS closing,
       COUNT(CASE WHEN value_date >= @from THEN 1 END) AS legs
FROM   @legs AS legs
WHERE  phase = 'posted' AND value_date <= @date
GROUP BY account_id, currency
HAVING COUNT(CASE WHEN value_date >= @from THEN 1 END) > 0
ORDER BY account_id, currency
