-- Decisions by ruleset and verdict.
SELECT ruleset, decision AS verdict, COUNT(*) AS decisions, MAX(score) AS "highest score"
FROM   decisions
WHERE  state <> 'withdrawn'
GROUP BY ruleset, decision
ORDER BY ruleset, CASE decision WHEN 'block' THEN 0 WHEN 'review' THEN 1 ELSE 2 END
LIMIT  60
