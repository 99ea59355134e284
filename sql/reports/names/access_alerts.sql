-- Standing alerts about access.
SELECT *
FROM   @alerts AS alerts
WHERE  kind = 'compliance' AND rule IN ('access_denied', 'access_hours', 'maker_is_checker') AND state IN ('raised', 'amended')
