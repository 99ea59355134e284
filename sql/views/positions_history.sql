-- How did positions change? Every old row (`change` -1) and new row (+1), because the holding, the mark of its symbol, or its terms changed.
-- average_price: The cost of a unit; 0 without a position.
-- cost: What the position cost, in the currency of the instrument.
-- realized_pnl: Profit of what was sold, less fees: cash flow and cost.
-- cash_flow: What came in less what was paid, fees included.
-- mark_price: The mark of the symbol; NULL without a price.
-- market_value: Quantity times mark times multiplier.
-- unrealized_pnl: Market value less cost.
-- currency: The currency of the instrument.
-- ts: The newest of its causes: the holding, the mark, the terms.
WITH held AS (
    SELECT * FROM holdings_history WHERE change > 0
), begun AS (
    SELECT account_id, symbol, MIN(tick) AS tick FROM held GROUP BY account_id, symbol
), moved AS (
    SELECT symbol, mark, ts, tick, commit_id, reason
    FROM   (SELECT *, LAG(mark) OVER (PARTITION BY symbol ORDER BY tick, commit_id) AS previous FROM marks_history WHERE change > 0)
    WHERE  mark IS DISTINCT FROM previous
), termed AS (
    SELECT symbol, currency, multiplier, ts, tick, commit_id
    FROM   (SELECT *, LAG(currency) OVER (PARTITION BY symbol ORDER BY tick, commit_id) AS previous_currency,
                   LAG(multiplier) OVER (PARTITION BY symbol ORDER BY tick, commit_id) AS previous_multiplier
            FROM   instrument_terms_history WHERE change > 0)
    WHERE  (currency IS DISTINCT FROM previous_currency) OR (multiplier IS DISTINCT FROM previous_multiplier)
), news AS (
    SELECT symbol, tick, commit_id, reason, NULL AS currency, NULL AS multiplier, 1 AS marked, mark, ts
    FROM   moved
    UNION ALL
    SELECT symbol, tick, commit_id, NULL, currency, multiplier, 0, NULL, ts
    FROM   termed
), causes AS (
    SELECT account_id, symbol, tick, commit_id, reason, NULL AS market_reason, currency, NULL AS multiplier,
           quantity, cost, cash_flow, fees, 1 AS marked, mark_price, ts
    FROM   held
    UNION ALL
    SELECT begun.account_id, begun.symbol, news.tick, news.commit_id, NULL AS reason, news.reason AS market_reason, news.currency, news.multiplier,
           NULL, NULL, NULL, NULL, news.marked, news.mark, news.ts
    FROM   begun JOIN news ON news.symbol = begun.symbol AND (news.marked = 0 OR news.tick >= begun.tick)
), changes AS (
    -- Where a run ended within a tick, the tick has changes of each run.
    SELECT account_id, symbol, tick, commit_id, CONCAT_WS('; ', MAX(reason), MAX(market_reason)) AS reason,
           MAX(currency) AS currency, MAX(multiplier) AS multiplier, MAX(quantity) AS quantity, MAX(cost) AS cost,
           MAX(cash_flow) AS cash_flow, MAX(fees) AS fees, MAX(marked) AS marked, MAX(mark_price) AS mark_price, MAX(ts) AS ts
    FROM   causes
    GROUP BY account_id, symbol, tick, commit_id
), filled AS (
    SELECT account_id, symbol, tick, commit_id, NULLIF(reason, '') AS reason, ts,
           LAST_VALUE(currency) IGNORE NULLS OVER so_far AS currency,
           COALESCE(LAST_VALUE(multiplier) IGNORE NULLS OVER so_far, CAST(1 AS DECIMAL(28, 9))) AS multiplier,
           LAST_VALUE(quantity) IGNORE NULLS OVER so_far AS quantity,
           LAST_VALUE(cost) IGNORE NULLS OVER so_far AS cost,
           LAST_VALUE(cash_flow) IGNORE NULLS OVER so_far AS cash_flow,
           LAST_VALUE(fees) IGNORE NULLS OVER so_far AS fees,
           mark_price,
           SUM(marked) OVER so_far AS marks
    FROM   changes
    WINDOW so_far AS (PARTITION BY account_id, symbol ORDER BY tick, commit_id ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
), known AS (
    -- A mark that is NULL is one too: no price of the symbol counts any more.
    SELECT account_id, symbol, tick, commit_id, reason, ts, currency, multiplier, CAST(1 AS DECIMAL(28, 9)) AS one, quantity, cost, cash_flow, fees,
           MAX(mark_price) OVER (PARTITION BY account_id, symbol, marks) AS mark_price
    FROM   filled
    WHERE  quantity IS NOT NULL
), scaled AS (
    SELECT account_id, symbol, currency, quantity, average_price(cost, quantity) AS average_price, notional(cost, one, multiplier) AS cost,
           TRY_CAST(notional(cash_flow, one, multiplier) - fees AS DECIMAL(28, 9)) AS cash_flow, fees,
           mark_price, notional(mark_price, quantity, multiplier) AS market_value, ts, tick, reason, commit_id
    FROM   known
), valued AS (
    SELECT account_id, symbol, currency, quantity, average_price, cost, TRY_CAST(cash_flow + cost AS DECIMAL(28, 9)) AS realized_pnl,
           cash_flow, fees, mark_price, market_value, TRY_CAST(market_value - cost AS DECIMAL(28, 9)) AS unrealized_pnl, ts, tick, reason, commit_id,
           LEAD(tick) OVER later AS next_tick, LEAD(reason) OVER later AS next_reason, LEAD(commit_id) OVER later AS next_commit
    FROM   scaled
    WINDOW later AS (PARTITION BY account_id, symbol ORDER BY tick, commit_id)
)
SELECT account_id, symbol, currency, quantity, average_price, cost, realized_pnl, cash_flow, fees, mark_price, market_value, unrealized_pnl, ts,
       CAST(1 AS INT) AS change, tick, reason, commit_id
FROM   valued
UNION ALL
SELECT account_id, symbol, currency, quantity, average_price, cost, realized_pnl, cash_flow, fees, mark_price, market_value, unrealized_pnl, ts,
       CAST(-1 AS INT), next_tick, next_reason, next_commit
FROM   valued
WHERE  next_tick IS NOT NULL
