-- Records whose own time is on the date, and that counted after its end
SELECT topic, "partition", "offset", sequence, event_id, event_ts, ts AS counted_from, hash
FROM   audit
WHERE  event_ts >= @start AND event_ts < @end AND ts >= @end
ORDER BY topic, "partition", sequence
