-- Liquidity coverage by currency: liquid assets after the caps on level 2 over net outflows
WITH assets AS (
    SELECT held.currency,
           SUM(CASE WHEN reference.class = '1' THEN held.market_value * (1 - reference.value) ELSE 0 END) AS level_1,
           SUM(CASE WHEN reference.class = '2A' THEN held.market_value * (1 - reference.value) ELSE 0 END) AS level_2a,
           SUM(CASE WHEN reference.class = '2B' THEN held.market_value * (1 - reference.value) ELSE 0 END) AS level_2b
    FROM   @positions AS held JOIN @reference AS reference ON reference.kind = 'asset' AND reference.id = held.symbol
    WHERE  held.market_value > 0
    GROUP BY held.currency
), sized AS (
    SELECT currency, CAST(level_1 AS DECIMAL(38, 9)) AS level_1, CAST(level_2a AS DECIMAL(38, 9)) AS level_2a,
           CAST(level_2b AS DECIMAL(38, 9)) AS level_2b
    FROM   assets
), capped_b AS (
    SELECT currency, level_1, level_2a,
           LEAST(level_2b, CAST((level_1 + level_2a) * 15 / 85 AS DECIMAL(38, 9)), CAST(level_1 * 15 / 60 AS DECIMAL(38, 9))) AS level_2b
    FROM   sized
), capped AS (
    SELECT currency, level_1, LEAST(CAST(level_2a + level_2b AS DECIMAL(38, 9)), CAST(level_1 * 2 / 3 AS DECIMAL(38, 9))) AS level_2
    FROM   capped_b
), flows AS (
    SELECT balances.currency,
           CAST(SUM(CASE WHEN reference.kind = 'outflow' AND posted > 0 THEN posted * reference.value ELSE 0 END) AS DECIMAL(38, 9)) AS outflow,
           CAST(SUM(CASE WHEN reference.kind = 'inflow' AND posted < 0 THEN -posted * reference.value ELSE 0 END) AS DECIMAL(38, 9)) AS inflow
    FROM   @balances AS balances
           JOIN @account_types AS opened ON opened.account_id = balances.account_id
           JOIN @reference AS reference ON reference.id = opened.account_type
    GROUP BY balances.currency
), net AS (
    SELECT currency, outflow, inflow, CAST(outflow - LEAST(inflow, CAST(outflow * 0.75 AS DECIMAL(38, 9))) AS DECIMAL(38, 9)) AS net_outflow
    FROM   flows
)
SELECT net.currency, capped.level_1, capped.level_2, CAST(capped.level_1 + capped.level_2 AS DECIMAL(38, 9)) AS liquid_assets,
       net.outflow, net.inflow, net.net_outflow,
       CAST(capped.level_1 + capped.level_2 AS DOUBLE) / NULLIF(CAST(net.net_outflow AS DOUBLE), 0) AS coverage
FROM   net LEFT JOIN capped ON capped.currency = net.currency
ORDER BY net.currency
