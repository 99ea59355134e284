-- Dead letters of the date
SELECT topic, "partition", "offset", ts, code, error
FROM   dead_letters
WHERE  ts >= @start AND ts < @end
ORDER BY topic, "partition", "offset", code
