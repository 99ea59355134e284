-- Whether the account is known
SELECT 'error' AS severity, @account AS key, 'no account of this name has a balance until the date: check the name' AS finding
FROM   (SELECT COUNT(*) AS known FROM @balances AS balances WHERE account_id = @account)
WHERE  known = 0
ORDER BY key
