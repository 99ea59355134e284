-- Rejected records by code, with the newest one's error, which ends with the mend.
SELECT code, topic, COUNT(*) AS records, last_value(error ORDER BY ts, "partition", "offset") AS "error and mend", MAX(ts) AS newest
FROM   dead_letters
GROUP BY code, topic
ORDER BY records DESC, code, topic
LIMIT  40
