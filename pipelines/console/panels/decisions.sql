-- The newest decisions that are not approvals.
SELECT decision AS verdict, score, ruleset, subject_id AS subject, account_id AS account, ts AS made, decision_id AS id
FROM   decisions
WHERE  state <> 'withdrawn' AND decision <> 'approve'
ORDER BY ts DESC, decision_id
LIMIT  20
