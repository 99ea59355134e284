-- Posted, held and available as the pipeline had them at the end of the date
SELECT currency, posted, pending, available, ts
FROM   @balances AS balances
WHERE  account_id = @account
ORDER BY currency
