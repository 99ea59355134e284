-- Standing alerts about large cash, or cash that avoids the threshold, with events of the date
WITH named AS (
    SELECT alert_id, rule, severity, subject, state, message, ts, UNNEST(evidence) AS event FROM @alerts AS alerts
    WHERE  kind = 'aml' AND rule IN ('large_cash', 'structuring') AND state IN ('raised', 'amended')
), dated AS (
    SELECT DISTINCT transaction_id FROM @legs AS legs WHERE value_date BETWEEN @from AND @date
)
SELECT DISTINCT named.alert_id, named.rule, named.severity, named.subject, named.state, named.message, named.ts
FROM   named JOIN dated ON dated.transaction_id = named.event
ORDER BY named.alert_id
