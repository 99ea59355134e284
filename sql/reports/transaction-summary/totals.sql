-- Posted transactions of the date by currency
SELECT currency, COUNT(DISTINCT transaction_id) AS transactions, COUNT(*) AS legs,
       SUM(CASE WHEN amount > 0 THEN amount ELSE 0 END) AS moved, SUM(amount) AS balance
FROM   @legs AS legs
WHERE  phase = 'posted' AND value_date BETWEEN @from AND @date
GROUP BY currency
ORDER BY currency
