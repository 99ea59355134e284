-- All cash transactions that these alerts name, those of other dates included
WITH standing AS (
    SELECT * FROM @alerts AS alerts WHERE kind = 'aml' AND rule IN ('large_cash', 'structuring') AND state IN ('raised', 'amended')
), since AS (
    SELECT * FROM alerts
    WHERE  kind = 'aml' AND rule IN ('large_cash', 'structuring') AND state IN ('raised', 'amended')
           AND alert_id NOT IN (SELECT alert_id FROM standing)
), named AS (
    SELECT alert_id, UNNEST(evidence) AS event, false AS is_since FROM standing
    UNION ALL
    SELECT alert_id, UNNEST(evidence), true FROM since
), dated AS (
    SELECT transaction_id, counted_from >= @end AS is_late FROM @legs AS legs WHERE value_date BETWEEN @from AND @date
), candidates AS (
    SELECT DISTINCT named.alert_id FROM named JOIN dated ON dated.transaction_id = named.event WHERE dated.is_late OR NOT named.is_since
)
SELECT named.alert_id, legs.transaction_id, legs.account_id, owners.customer_id, legs.currency, legs.amount, legs.value_ts
FROM   named
       JOIN candidates ON candidates.alert_id = named.alert_id
       JOIN @legs AS legs ON legs.transaction_id = named.event
       LEFT JOIN @account_owners AS owners ON owners.account_id = legs.account_id
WHERE  legs.phase = 'posted' AND legs.account_id NOT LIKE 'external:%'
ORDER BY named.alert_id, legs.value_ts, legs.entry_id
