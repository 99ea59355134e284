-- All cash transactions that these alerts name, those of other dates included
SELECT named.alert_id, legs.transaction_id, legs.account_id, owners.customer_id, legs.currency, legs.amount, legs.value_ts
FROM   @large_cash AS named
       JOIN @legs AS legs ON legs.transaction_id = named.event
       LEFT JOIN @account_owners AS owners ON owners.account_id = legs.account_id
WHERE  legs.phase = 'posted' AND legs.account_id NOT LIKE 'external:%'
ORDER BY named.alert_id, legs.value_ts, legs.entry_id
