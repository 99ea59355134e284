-- How well does each rule find what people labelled as fraud? Per ruleset and rule, and with the rule NULL for what the ruleset blocks: what it caught, its false alarms, what it missed of all fraud, and the value of the transactions caught.
-- ruleset: The pack.
-- rule: The rule; NULL for what a pack with points blocks.
-- caught: Subjects labelled `fraud` that it found.
-- false_alarms: Subjects labelled `legitimate` that it found.
-- missed: Subjects labelled `fraud` that it did not find.
-- precision: Caught of those that are caught or false alarms.
-- recall: Caught of those that are caught or missed.
-- value_caught: The sums of the transactions caught, by currency, as text.
WITH verdicts AS (
    SELECT subject_id, label = 'fraud' AS is_fraud FROM labels WHERE NOT is_category
), fired AS (
    SELECT ruleset, subject_id, unnest(reasons)['rule'] AS rule, unnest(reasons)['points'] AS points
    FROM decisions WHERE state <> 'withdrawn'
), decisive AS (
    -- Alerts about decisions, whose ids are cut after 31 characters if they are long: what the decisions have themselves.
    SELECT DISTINCT ruleset, left('fraud:' || ruleset || ':' || subject_type || ':', 31) AS prefix FROM decisions
), named AS (
    SELECT split_part(alert_id, ':', 1) AS ruleset, rule, subject, evidence
    FROM alerts
    WHERE kind IN ('fraud', 'aml', 'compliance') AND state IN ('raised', 'amended')
        AND NOT EXISTS (SELECT 1 FROM decisive WHERE decisive.ruleset = alerts.rule AND starts_with(alerts.alert_id, decisive.prefix))
), found AS (
    SELECT ruleset, rule, subject_id FROM fired WHERE points > 0
    UNION
    SELECT ruleset, CAST(NULL AS VARCHAR) AS rule, subject_id FROM decisions WHERE state <> 'withdrawn' AND decision = 'block'
    UNION
    SELECT ruleset, rule, subject AS subject_id FROM named
    UNION
    SELECT ruleset, rule, unnest(evidence) AS subject_id FROM named
), captured AS (
    SELECT account_id, captures AS transaction_id, sum(abs(amount)) AS amount
    FROM posted_transactions WHERE captures IS NOT NULL GROUP BY account_id, captures
), amounts AS (
    -- A hold that was captured is worth what its captures posted.
    SELECT posted.transaction_id, posted.currency,
        max(CASE WHEN posted.resolved THEN coalesce(captured.amount, abs(posted.amount)) ELSE abs(posted.amount) END) AS amount
    FROM posted_transactions posted
    LEFT JOIN captured ON captured.account_id = posted.account_id AND captured.transaction_id = posted.transaction_id
    GROUP BY posted.transaction_id, posted.currency
), judged AS (
    SELECT found.ruleset, found.rule, verdicts.is_fraud, amounts.currency, amounts.amount
    FROM found JOIN verdicts ON found.subject_id = verdicts.subject_id
    LEFT JOIN amounts ON amounts.transaction_id = found.subject_id
), counted AS (
    SELECT ruleset, rule,
        count(*) FILTER (WHERE is_fraud) AS caught,
        count(*) FILTER (WHERE NOT is_fraud) AS false_alarms
    FROM judged GROUP BY ruleset, rule
), sums AS (
    SELECT ruleset, rule, currency, sum(amount) AS amount FROM judged WHERE is_fraud AND currency IS NOT NULL GROUP BY ruleset, rule, currency
), saved AS (
    SELECT ruleset, rule, string_agg(currency || ' ' || rtrim(rtrim(CAST(amount AS VARCHAR), '0'), '.'), ', ' ORDER BY currency) AS value_caught
    FROM sums GROUP BY ruleset, rule
), frauds AS (
    SELECT count(*) AS known FROM verdicts WHERE is_fraud
)
SELECT counted.ruleset, counted.rule, caught, false_alarms, known - caught AS missed,
    CAST(caught AS DOUBLE) / nullif(caught + false_alarms, 0) AS precision,
    CAST(caught AS DOUBLE) / nullif(known, 0) AS recall,
    value_caught
FROM counted CROSS JOIN frauds
LEFT JOIN saved ON saved.ruleset = counted.ruleset AND saved.rule IS NOT DISTINCT FROM counted.rule
