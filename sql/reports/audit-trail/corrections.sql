-- Rows that corrections changed on the date
SELECT relation, key, change, tick, reason
FROM   corrections
WHERE  tick >= @start_tick AND tick < @end_tick
ORDER BY relation, key, tick, change, reason
