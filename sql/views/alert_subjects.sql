-- Whom should an analyst look at? One row for each person with open alerts: all alerts about a person's accounts, scopes and the customers of one group are together; what has no known owner is a subject of its own.
-- owner: The customer group, else the customer, else the subject itself.
-- alerts: How many open alerts are about it.
-- severity: The highest severity of them.
-- kinds: How many alerts of each kind.
-- rules: The rules that raised them.
-- subjects: Their subjects.
-- first_ts: The first change of any of them.
-- last_ts: The last change of any of them.
WITH subjects AS (
    SELECT *, CASE WHEN starts_with(subject, 'account:') THEN substr(subject, 9) ELSE split_part(subject, '|', 1) END AS named
    FROM   open_alerts
), customers AS (
    SELECT subjects.*, coalesce(account_owners.customer_id, customer_groups.customer_id) AS customer_id
    FROM   subjects
    LEFT JOIN account_owners ON account_owners.account_id = subjects.named
    LEFT JOIN customer_groups ON customer_groups.customer_id = subjects.named
), owned AS (
    SELECT customers.*, coalesce(customer_groups.group_id, customers.customer_id, customers.subject) AS owner
    FROM   customers
    LEFT JOIN customer_groups ON customer_groups.customer_id = customers.customer_id
), ranked AS (
    SELECT *, CASE severity WHEN 'critical' THEN 4 WHEN 'high' THEN 3 WHEN 'medium' THEN 2 ELSE 1 END AS rank
    FROM   owned
), kinds AS (
    SELECT owner, string_agg(kind || ' ' || CAST(alerts AS VARCHAR), ', ' ORDER BY kind) AS kinds
    FROM   (SELECT owner, kind, count(*) AS alerts FROM ranked GROUP BY owner, kind)
    GROUP BY owner
), rules AS (
    SELECT owner, string_agg(rule, ', ' ORDER BY rule) AS rules
    FROM   (SELECT DISTINCT owner, rule FROM ranked)
    GROUP BY owner
), about AS (
    SELECT owner, string_agg(subject, ', ' ORDER BY subject) AS subjects
    FROM   (SELECT DISTINCT owner, subject FROM ranked)
    GROUP BY owner
), sums AS (
    SELECT owner, count(*) AS alerts, max(rank) AS rank, min(ts) AS first_ts, max(ts) AS last_ts
    FROM   ranked
    GROUP BY owner
)
SELECT sums.owner, alerts, CASE rank WHEN 4 THEN 'critical' WHEN 3 THEN 'high' WHEN 2 THEN 'medium' ELSE 'low' END AS severity,
       kinds, rules, subjects, first_ts, last_ts
FROM   sums
JOIN   kinds ON kinds.owner = sums.owner
JOIN   rules ON rules.owner = sums.owner
JOIN   about ON about.owner = sums.owner
