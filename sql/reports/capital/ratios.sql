-- Capital ratios against their minimum with the conservation buffer
WITH weighted AS (
    SELECT held.currency, CAST(SUM(ABS(held.market_value) * reference.value) AS DECIMAL(38, 9)) AS risk_weighted
    FROM   @positions AS held JOIN @reference AS reference ON reference.kind = 'risk_weight' AND reference.id = held.symbol
    WHERE  held.market_value IS NOT NULL
    GROUP BY held.currency
), funds AS (
    SELECT currency,
           SUM(CASE WHEN id = 'cet1' THEN value ELSE 0 END) AS cet1,
           SUM(CASE WHEN id IN ('cet1', 'at1') THEN value ELSE 0 END) AS tier1,
           SUM(value) AS total
    FROM   @reference AS reference WHERE kind = 'own_funds' GROUP BY currency
), ratios AS (
    SELECT funds.currency, 'cet1' AS ratio, funds.cet1 AS own_funds, weighted.risk_weighted, 4.5 AS minimum FROM funds JOIN weighted USING (currency)
    UNION ALL
    SELECT funds.currency, 'tier1', funds.tier1, weighted.risk_weighted, 6.0 FROM funds JOIN weighted USING (currency)
    UNION ALL
    SELECT funds.currency, 'total', funds.total, weighted.risk_weighted, 8.0 FROM funds JOIN weighted USING (currency)
)
SELECT currency, ratio, own_funds, risk_weighted, CAST(own_funds AS DOUBLE) * 100 / NULLIF(CAST(risk_weighted AS DOUBLE), 0) AS percent,
       minimum, minimum + 2.5 AS with_buffer
FROM   ratios
ORDER BY currency, ratio
