-- The newest alerts that stand and are not suppressed.
SELECT severity, kind, rule, subject, message, ts AS since, alert_id AS id
FROM   open_alerts
ORDER BY ts DESC, alert_id
LIMIT  40
