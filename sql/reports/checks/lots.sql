-- Positions of accounts with lots against the sums of their lots
WITH summed AS (
    SELECT account_id, symbol, SUM(quantity) AS quantity, SUM(cost) AS cost FROM @lots AS lots GROUP BY account_id, symbol
)
SELECT 'error' AS severity, positions.account_id || ' ' || positions.symbol AS key, 'the position is not the sum of its lots' AS finding
FROM   @positions AS positions JOIN summed ON summed.account_id = positions.account_id AND summed.symbol = positions.symbol
WHERE  positions.quantity <> summed.quantity OR positions.cost <> summed.cost
ORDER BY key
