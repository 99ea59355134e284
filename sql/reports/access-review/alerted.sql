-- Attempts that these alerts name, those of other dates included
-- An attempt is named by its place: partition, offset and actor. What was attempted is in the topic alone.
WITH named AS (
    SELECT alert_id, rule, subject AS actor, UNNEST(evidence) AS attempt FROM @access_alerts AS alerts
)
SELECT attempts.event_ts AS ts, named.actor, named.rule, named.alert_id, attempts."partition", attempts."offset"
FROM   named
       JOIN audit attempts
           ON  attempts.topic = 'access'
           AND attempts."partition" = TRY_CAST(SPLIT_PART(named.attempt, '-', 1) AS INT)
           AND attempts."offset" = TRY_CAST(SPLIT_PART(named.attempt, '-', 2) AS BIGINT)
ORDER BY attempts.event_ts, attempts."partition", attempts."offset", named.alert_id
