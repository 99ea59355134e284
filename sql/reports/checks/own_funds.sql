-- Currencies in which there is no ratio, because one side of it is missing
WITH weighted AS (
    SELECT DISTINCT held.currency
    FROM   @positions AS held JOIN @reference AS reference ON reference.kind = 'risk_weight' AND reference.id = held.symbol
    WHERE  held.market_value <> 0
), funds AS (
    SELECT DISTINCT currency FROM @reference AS reference WHERE kind = 'own_funds'
)
SELECT 'warning' AS severity, weighted.currency AS key,
       'the reference file has no own_funds in this currency, so its exposures have no ratio' AS finding
FROM   weighted LEFT JOIN funds ON funds.currency = weighted.currency
WHERE  funds.currency IS NULL
ORDER BY key
