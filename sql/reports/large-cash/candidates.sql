-- Standing alerts about large cash, or cash that avoids the threshold, with events of the date
SELECT DISTINCT alert_id, rule, severity, subject, state, message, ts
FROM   @large_cash AS named
ORDER BY alert_id
