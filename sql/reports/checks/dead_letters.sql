-- Dead letters of the date
SELECT 'warning' AS severity, topic || '/' || CAST("partition" AS VARCHAR) || '@' || CAST("offset" AS VARCHAR) AS key,
       'the record is a dead letter (' || code || '), so no figure counts it' AS finding
FROM   dead_letters
WHERE  ts >= @start AND ts < @end
ORDER BY key, finding
