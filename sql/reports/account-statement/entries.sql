-- Entries of the period
SELECT value_ts, transaction_id, entry_id, currency, amount, counted_from
FROM   @legs AS legs
WHERE  phase = 'posted' AND account_id = @account AND value_date BETWEEN @from AND @date
ORDER BY value_ts, entry_id
