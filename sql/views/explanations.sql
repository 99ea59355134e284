-- Why was each decision made and each alert raised? One row for each rule of a decision that fired, could not be decided or was amended, and one for each alert.
-- id: The decision or the alert.
-- kind: `decision`, or the kind of the alert.
-- subject: What it is about.
-- rule: The rule that fired.
-- points: Its points; NULL for an alert.
-- figures: What the rule compared.
-- events: The ids of the events behind it.
-- has_earlier_events: Whether there are more events than are named.
-- state: The state of the decision or the alert.
-- ts: Its time.
WITH reasons_of AS (
    SELECT decision_id, subject_id, state, ts, commit_id, UNNEST(reasons) AS reason
    FROM   decisions
)
SELECT decision_id AS id, 'decision' AS kind, subject_id AS subject, reason['rule'] AS rule, reason['points'] AS points,
       reason_figures(reason['evidence']) AS figures, reason_events(reason['evidence']) AS events,
       array_has(reason['evidence'], '(and earlier events)') AS has_earlier_events, state, ts, commit_id
FROM   reasons_of
UNION ALL
SELECT alert_id, kind, subject, rule, CAST(NULL AS DOUBLE), message, evidence, false, state, ts, commit_id
FROM   alerts
