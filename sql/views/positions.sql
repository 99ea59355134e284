-- What does each account hold of each symbol, and what is it worth at the mark of the commit? The multiplier counts as if it had always been what it is.
-- average_price: The cost of a unit; 0 without a position.
-- cost: What the position cost, in the currency of the instrument.
-- realized_pnl: Profit of what was sold, less fees: cash flow and cost.
-- cash_flow: What came in less what was paid, fees included.
-- mark_price: The mark of the symbol; NULL without a price.
-- market_value: Quantity times mark times multiplier.
-- unrealized_pnl: Market value less cost.
-- currency: The currency of the instrument.
-- ts: The newest of its causes: the holding, the mark, the terms.
WITH known AS (
    SELECT held.account_id, held.symbol, terms.currency, held.quantity, held.cost, held.cash_flow, held.fees, marks.mark AS mark_price,
           COALESCE(terms.multiplier, CAST(1 AS DECIMAL(28, 9))) AS multiplier, CAST(1 AS DECIMAL(28, 9)) AS one,
           GREATEST(held.ts, marks.ts, terms.ts) AS ts, GREATEST(held.commit_id, marks.commit_id, terms.commit_id) AS commit_id
    FROM   holdings held
           LEFT JOIN marks ON marks.symbol = held.symbol
           LEFT JOIN instrument_terms terms ON terms.symbol = held.symbol
), valued AS (
    SELECT account_id, symbol, currency, quantity, average_price(cost, quantity) AS average_price, notional(cost, one, multiplier) AS cost,
           TRY_CAST(notional(cash_flow, one, multiplier) - fees AS DECIMAL(28, 9)) AS cash_flow, fees,
           mark_price, notional(mark_price, quantity, multiplier) AS market_value, ts, commit_id
    FROM   known
)
SELECT account_id, symbol, currency, quantity, average_price, cost, TRY_CAST(cash_flow + cost AS DECIMAL(28, 9)) AS realized_pnl, cash_flow, fees,
       mark_price, market_value, TRY_CAST(market_value - cost AS DECIMAL(28, 9)) AS unrealized_pnl, ts, commit_id
FROM   valued
