-- The cash transactions that these alerts name
WITH named AS (
    SELECT alert_id, UNNEST(evidence) AS event FROM @alerts AS alerts
    WHERE  kind = 'aml' AND rule IN ('large_cash', 'structuring') AND state IN ('raised', 'amended')
)
SELECT named.alert_id, legs.transaction_id, legs.account_id, owners.customer_id, legs.currency, legs.amount, legs.value_ts
FROM   named
       JOIN @legs AS legs ON legs.transaction_id = named.event
       LEFT JOIN @account_owners AS owners ON owners.account_id = legs.account_id
WHERE  legs.phase = 'posted' AND legs.account_id NOT LIKE 'external:%' AND legs.value_date BETWEEN @from AND @date
ORDER BY named.alert_id, legs.value_ts, legs.entry_id
