-- Records of access on the date
SELECT topic, COUNT(*) AS records, MIN(event_ts) AS first, MAX(event_ts) AS last
FROM   audit
WHERE  topic = 'access' AND event_ts >= @start AND event_ts < @end
GROUP BY topic
ORDER BY topic
