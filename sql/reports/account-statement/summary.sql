-- Opening and closing balance, and the time-weighted average between
SELECT account_id, currency,
       SUM(CASE WHEN value_date < @from THEN amount ELSE 0 END) AS opening,
       SUM(CASE WHEN value_date >= @from AND amount > 0 THEN amount ELSE 0 END) AS money_in,
       SUM(CASE WHEN value_date >= @from AND amount < 0 THEN -amount ELSE 0 END) AS money_out,
       SUM(amount) AS closing,
       CAST(SUM(amount * CASE WHEN value_date < @from THEN @period_nanos ELSE @end_nanos - CAST(value_ts AS BIGINT) END) / @period_nanos
            AS DECIMAL(38, 9)) AS time_weighted_average
FROM   @legs AS legs
WHERE  phase = 'posted' AND account_id = @account AND value_date <= @date
GROUP BY account_id, currency
ORDER BY account_id, currency
