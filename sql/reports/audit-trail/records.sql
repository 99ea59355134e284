-- Accepted records of the date by topic and partition
SELECT topic, "partition", COUNT(*) AS records, MIN(sequence) AS first_sequence, MAX(sequence) AS last_sequence,
       MIN("offset") AS first_offset, MAX("offset") AS last_offset
FROM   audit
WHERE  ts >= @start AND ts < @end
GROUP BY topic, "partition"
ORDER BY topic, "partition"
