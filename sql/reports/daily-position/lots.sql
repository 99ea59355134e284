-- Open lots of the accounts that close their oldest or newest first
SELECT lots.account_id, lots.symbol, positions.currency, lots.number, lots.lot_id, lots.opened_at, lots.method, lots.quantity, lots.price,
       lots.cost, lots.ts
FROM   @lots AS lots LEFT JOIN @positions AS positions ON positions.account_id = lots.account_id AND positions.symbol = lots.symbol
WHERE  lots.quantity <> 0
ORDER BY lots.account_id, lots.symbol, lots.number
