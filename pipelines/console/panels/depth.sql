-- The resting limit orders of a symbol, by price.
SELECT side, price, SUM(leaves_quantity) AS quantity, COUNT(*) AS orders
FROM   open_orders
WHERE  symbol = {symbol} AND price IS NOT NULL AND (triggered OR order_type = 'limit')
GROUP BY side, price
ORDER BY price DESC, side
LIMIT  60
