-- What came into each account in a month (UTC), and what went out? By currency, with transfers between accounts of one customer.
-- month: The month, in UTC.
-- money_in: The sum of posted legs above zero.
-- money_out: The sum of posted legs below zero, as a positive number.
-- net: Money in less money out.
SELECT account_id, to_char(ts, '%Y-%m') AS month, currency,
       SUM(CASE WHEN amount > 0 THEN amount ELSE 0 END) AS money_in,
       SUM(CASE WHEN amount < 0 THEN -amount ELSE 0 END) AS money_out,
       SUM(amount) AS net
FROM   ledger_entries
WHERE  phase = 'posted' AND account_id NOT LIKE 'external:%' AND account_id NOT LIKE 'position:%'
GROUP BY account_id, to_char(ts, '%Y-%m'), currency
