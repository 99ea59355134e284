-- ISINs of instruments that were traded on the date, and owners that look like an LEI
WITH traded AS (
    SELECT DISTINCT symbol FROM executions WHERE ts >= @start AND ts < @end
), owners AS (
    SELECT DISTINCT owners.customer_id FROM executions deal JOIN @account_owners AS owners ON owners.account_id = deal.account_id
    WHERE  deal.ts >= @start AND deal.ts < @end
), named AS (
    SELECT traded.symbol, json_text(terms.value, 'isin') AS isin
    FROM   traded LEFT JOIN reference_records terms ON terms.topic = 'instruments' AND terms.key = traded.symbol
)
SELECT * FROM (
    SELECT 'error' AS severity, symbol AS key, 'the ISIN ' || isin || ' fails its check digit or form (ISO 6166)' AS finding
    FROM   named WHERE isin IS NOT NULL AND NOT is_isin(isin)
    UNION ALL
    SELECT 'warning', symbol, 'the instrument has no ISIN' FROM named WHERE isin IS NULL
    UNION ALL
    SELECT 'warning', customer_id, 'the owner has 20 characters like an LEI, and fails its check digits (ISO 17442)'
    FROM   owners WHERE character_length(customer_id) = 20 AND customer_id = upper(customer_id) AND NOT is_lei(customer_id)
)
ORDER BY key, finding
