-- Positions that the reference file does not weight
SELECT DISTINCT 'warning' AS severity, held.symbol AS key, 'the reference file has no row of kind risk_weight for the symbol, so it is in no figure' AS finding
FROM   @positions AS held LEFT JOIN (SELECT id FROM @reference AS given WHERE kind = 'risk_weight') weights ON weights.id = held.symbol
WHERE  held.quantity <> 0 AND weights.id IS NULL
ORDER BY key
