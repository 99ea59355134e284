-- Executions of the date, with the fields that an open pipeline knows
SELECT deal.execution_id AS transaction_reference, deal.match_id, deal.ts AS trading_time, deal.symbol,
       json_text(terms.value, 'isin') AS instrument_isin, deal.side, deal.quantity, deal.price,
       COALESCE(agreed.currency, json_text(terms.value, 'currency')) AS price_currency, deal.fee, deal.liquidity, deal.order_id,
       deal.account_id, owners.customer_id
FROM   executions deal
       LEFT JOIN @instrument_terms AS agreed ON agreed.symbol = deal.symbol
       LEFT JOIN reference_records terms ON terms.topic = 'instruments' AND terms.key = deal.symbol
       LEFT JOIN @account_owners AS owners ON owners.account_id = deal.account_id
WHERE  deal.ts >= @start AND deal.ts < @end
ORDER BY deal.ts, deal.execution_id
