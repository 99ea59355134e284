-- Legs of the date that were posted after its end
SELECT transaction_id, entry_id, account_id, currency, amount, value_ts, counted_from, commit_id
FROM   @legs AS legs
WHERE  phase = 'posted' AND value_date BETWEEN @from AND @date AND counted_from >= @end
ORDER BY value_ts, entry_id
