-- Transactions of the period that counted after its end
SELECT DISTINCT 'information' AS severity, transaction_id AS key, 'the transaction came after the end of the date, so an earlier report lacks it' AS finding
FROM   @legs AS legs
WHERE  value_date BETWEEN @from AND @date AND counted_from >= @end AND @is_concerned
ORDER BY key
