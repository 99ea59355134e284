-- Fills and busts of the date or before that came after its end
SELECT event_id AS fill_id, event_ts, ts AS counted_from, commit_id
FROM   audit
WHERE  topic = 'fills' AND event_ts < @end AND ts >= @end
ORDER BY event_ts, event_id, topic, "partition", sequence
