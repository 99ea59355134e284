-- What does each part of a scope add to its historical VaR and expected shortfall? The parts of a scope add up to both.
-- component: A symbol of an account, or the account or book right below a book.
-- component_var: Its loss in the scenario of the scope's VaR, in the scope's currency; negative for a gain.
-- component_es: Its mean loss beyond that, by the same scenarios as the scope's expected shortfall.
-- ts: The grid point at which the scope's row last changed.
WITH parts AS (
    SELECT scope, method, confidence, ts, commit_id, UNNEST(components) AS part
    FROM   risk
)
SELECT scope, part['component'] AS component, method, confidence, part['component_var'] AS component_var, part['component_es'] AS component_es,
       ts, commit_id
FROM   parts
