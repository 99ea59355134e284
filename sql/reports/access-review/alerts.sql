-- Standing alerts about access
SELECT alert_id, rule, severity, subject, state, message, ts
FROM   @access_alerts AS alerts
ORDER BY alert_id
