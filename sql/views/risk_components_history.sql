-- How did the parts of each scope's VaR and expected shortfall change? Every old row (`change` -1) and new row (+1).
-- component: A symbol of an account, or the account or book right below a book.
-- component_var: Its loss in the scenario of the scope's VaR, in the scope's currency; negative for a gain.
-- component_es: Its mean loss beyond that, by the same scenarios as the scope's expected shortfall.
-- ts: The grid point at which the scope's row last changed.
WITH parts AS (
    SELECT scope, method, confidence, ts, change, tick, reason, commit_id, UNNEST(components) AS part
    FROM   risk_history
), changes AS (
    SELECT scope, part['component'] AS component, method, confidence, part['component_var'] AS component_var,
           part['component_es'] AS component_es, ts, change, tick, reason, commit_id
    FROM   parts
)
-- A new row of a scope may leave a part as it was.
SELECT scope, component, method, confidence, component_var, component_es, MAX(ts) AS ts, CAST(SUM(change) AS INT) AS change, tick,
       MAX(reason) AS reason, commit_id
FROM   changes
GROUP BY scope, component, method, confidence, component_var, component_es, tick, commit_id
HAVING SUM(change) <> 0
