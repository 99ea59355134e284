-- Standing alerts about large cash, or cash that avoids the threshold, with events of the dates: a row for each event that an alert names.
-- An alert that was raised after the date counts if an event of the date came after its end: no other report would have it.
WITH standing AS (
    SELECT * FROM @alerts AS alerts WHERE kind = 'aml' AND rule IN ('large_cash', 'structuring') AND state IN ('raised', 'amended')
), since AS (
    SELECT * FROM alerts
    WHERE  kind = 'aml' AND rule IN ('large_cash', 'structuring') AND state IN ('raised', 'amended')
           AND alert_id NOT IN (SELECT alert_id FROM standing)
), named AS (
    SELECT alert_id, rule, severity, subject, state, message, ts, UNNEST(evidence) AS event, false AS is_since FROM standing
    UNION ALL
    SELECT alert_id, rule, severity, subject, state, message, ts, UNNEST(evidence), true FROM since
), dated AS (
    SELECT transaction_id, counted_from >= @end AS is_late FROM @legs AS legs WHERE value_date BETWEEN @from AND @date
), candidates AS (
    SELECT DISTINCT named.alert_id FROM named JOIN dated ON dated.transaction_id = named.event WHERE dated.is_late OR NOT named.is_since
)
SELECT named.alert_id, named.rule, named.severity, named.subject, named.state, named.message, named.ts, named.event
FROM   named JOIN candidates ON candidates.alert_id = named.alert_id
