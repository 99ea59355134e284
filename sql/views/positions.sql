-- What does each account hold of each symbol, and what is it worth at the mark of the commit?
SELECT   account_id, symbol, currency, quantity, average_price, cost, realized_pnl, cash_flow, mark_price, market_value,
         TRY_CAST(market_value - cost AS DECIMAL(28, 9)) AS unrealized_pnl,
         ts, commit_id
FROM     (SELECT held.account_id, held.symbol, terms.currency, held.quantity,
                 average_price(held.cost, held.quantity, COALESCE(terms.multiplier, CAST(1 AS DECIMAL(28, 9)))) AS average_price,
                 held.cost, held.realized_pnl, held.cash_flow,
                 marks.mark AS mark_price,
                 notional(marks.mark, held.quantity, COALESCE(terms.multiplier, CAST(1 AS DECIMAL(28, 9)))) AS market_value,
                 GREATEST(held.ts, marks.ts, terms.ts) AS ts,
                 GREATEST(held.commit_id, marks.commit_id, terms.commit_id) AS commit_id
          FROM   holdings held
                 LEFT JOIN marks ON marks.symbol = held.symbol
                 LEFT JOIN instrument_terms terms ON terms.symbol = held.symbol)
