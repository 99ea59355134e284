-- Which alerts are suppressed, by whom, why and until when? Those that stand, of a rule and subject for which a suppression holds; of two, the one that holds longer.
-- author: Who suppressed it.
-- reason: Why it is suppressed.
-- expires_at: When the suppression ends.
WITH holding AS (
    SELECT alerts.alert_id, alerts.kind, alerts.rule, alerts.severity, alerts.subject, alerts.state, alerts.message, alerts.evidence,
           suppressions.author, suppressions.justification AS reason, suppressions.expires_at, alerts.ts, alerts.commit_id,
           row_number() OVER (
               PARTITION BY alerts.alert_id ORDER BY suppressions.expires_at DESC, suppressions.subject DESC
           ) AS number
    FROM   alerts
    JOIN   suppressions ON suppressions.rule = alerts.rule AND suppressions.subject IN (alerts.subject, '*')
    WHERE  alerts.state IN ('raised', 'amended') AND suppressions.state = 'active'
)
SELECT alert_id, kind, rule, severity, subject, state, message, evidence, author, reason, expires_at, ts, commit_id
FROM   holding
WHERE  number = 1
