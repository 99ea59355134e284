-- Risk-weighted exposures by currency and symbol
SELECT held.currency, held.symbol, SUM(ABS(held.market_value)) AS exposure, MAX(reference.value) AS risk_weight,
       CAST(SUM(ABS(held.market_value) * reference.value) AS DECIMAL(38, 9)) AS risk_weighted
FROM   @positions AS held JOIN @reference AS reference ON reference.kind = 'risk_weight' AND reference.id = held.symbol
WHERE  held.market_value IS NOT NULL
GROUP BY held.currency, held.symbol
ORDER BY held.currency, held.symbol
