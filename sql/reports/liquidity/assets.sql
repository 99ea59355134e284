-- Liquid assets by symbol, after their haircut
SELECT held.currency, held.symbol, reference.class AS level, SUM(held.market_value) AS market_value, MAX(reference.value) AS haircut,
       CAST(SUM(held.market_value * (1 - reference.value)) AS DECIMAL(38, 9)) AS liquid_value
FROM   @positions AS held JOIN @reference AS reference ON reference.kind = 'asset' AND reference.id = held.symbol
WHERE  held.market_value > 0
GROUP BY held.currency, held.symbol, reference.class
ORDER BY held.currency, held.symbol
