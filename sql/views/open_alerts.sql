-- Which alerts ask for attention? Those that stand and are not suppressed.
SELECT alert_id, kind, rule, severity, subject, state, message, evidence, ts, commit_id
FROM   alerts
WHERE  state IN ('raised', 'amended') AND alert_id NOT IN (SELECT alert_id FROM suppressed_alerts)
