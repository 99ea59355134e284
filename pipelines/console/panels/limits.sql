-- Risk against limits: each figure with the limit that holds for it, the most used first.
-- The limit is that of the scope, else that of the symbol, else that of `default` in the topic `limits`, else that of [limits].
WITH known AS (
    SELECT json_text(value, 'scope') AS scope, json_text(value, 'kind') AS kind, CAST(json_text(value, 'value') AS DECIMAL(38, 9)) AS bound
    FROM   reference_records
    WHERE  topic = 'limits'
), figures AS (
    SELECT scope, 'leverage' AS kind, CAST(NULL AS VARCHAR) AS symbol, TRY_CAST(leverage AS DECIMAL(38, 9)) AS figure,
           {limits.leverage} AS bound
    FROM   portfolios
    UNION ALL
    SELECT scope, 'concentration', NULL, TRY_CAST(max_weight AS DECIMAL(38, 9)), {limits.concentration} FROM portfolios
    UNION ALL
    SELECT scope, 'gross_exposure', NULL, CAST(gross_exposure AS DECIMAL(38, 9)), {limits.gross_exposure} FROM portfolios
    UNION ALL
    SELECT scope, 'var', NULL, CAST(var AS DECIMAL(38, 9)), {limits.var} FROM risk
    WHERE  CAST(confidence AS VARCHAR) = {risk.limit_confidence} AND method = {risk.limit_method}
    UNION ALL
    SELECT 'account:' || account_id, 'position_value', symbol, TRY_CAST(abs(market_value) AS DECIMAL(38, 9)), {limits.position_value}
    FROM   positions
), compared AS (
    SELECT figures.scope, figures.kind, figures.symbol, figures.figure,
           COALESCE(own.bound, of_symbol.bound, of_all.bound, TRY_CAST(figures.bound AS DECIMAL(38, 9))) AS bound
    FROM   figures
           LEFT JOIN known own ON own.scope = figures.scope AND own.kind = figures.kind
           LEFT JOIN known of_symbol ON of_symbol.scope = 'symbol:' || figures.symbol AND of_symbol.kind = figures.kind
           LEFT JOIN known of_all ON of_all.scope = 'default' AND of_all.kind = figures.kind
)
SELECT scope, kind, CAST(CAST(figure AS DOUBLE) * 100 / CAST(bound AS DOUBLE) AS DECIMAL(38, 1)) AS "used %",
       CAST(figure AS DECIMAL(38, 4)) AS figure, bound AS "limit", symbol
FROM   compared
WHERE  figure IS NOT NULL AND bound > 0
ORDER BY CAST(figure AS DOUBLE) / CAST(bound AS DOUBLE) DESC, scope, kind, symbol
LIMIT  40
