-- Standing alerts of limits and of risk
SELECT alert_id, kind, rule, severity, subject, state, message, ts
FROM   @alerts AS alerts
WHERE  kind IN ('risk', 'limit') AND state IN ('raised', 'amended')
ORDER BY alert_id
