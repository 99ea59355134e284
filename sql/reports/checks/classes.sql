-- Positions that the reference file does not classify
SELECT DISTINCT 'warning' AS severity, held.symbol AS key, 'the reference file has no row of kind asset for the symbol, so it is in no figure' AS finding
FROM   @positions AS held LEFT JOIN (SELECT id FROM @reference AS given WHERE kind = 'asset') classes ON classes.id = held.symbol
WHERE  held.quantity <> 0 AND classes.id IS NULL
ORDER BY key
