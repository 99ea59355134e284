-- Value at risk and expected shortfall by scope, method and confidence
SELECT scope, method, confidence, "window", observations, var, expected_shortfall, filled, left_out, ts
FROM   @risk AS risk
ORDER BY scope, method, confidence
