-- Transactions of the date: each match once, with its buyer and its seller
SELECT bought.match_id, bought.ts AS trading_time, bought.symbol,
       COALESCE(agreed.asset_class, json_text(terms.value, 'asset_class')) AS asset_class,
       json_text(terms.value, 'isin') AS instrument_isin, bought.quantity, bought.price,
       COALESCE(agreed.currency, json_text(terms.value, 'currency')) AS price_currency,
       bought.account_id AS buyer_account, buyers.customer_id AS buyer, sold.account_id AS seller_account, sellers.customer_id AS seller
FROM   (SELECT * FROM executions WHERE side = 'buy' AND ts >= @start AND ts < @end) AS bought
       JOIN (SELECT * FROM executions WHERE side = 'sell' AND ts >= @start AND ts < @end) AS sold ON sold.match_id = bought.match_id
       LEFT JOIN @instrument_terms AS agreed ON agreed.symbol = bought.symbol
       LEFT JOIN reference_records terms ON terms.topic = 'instruments' AND terms.key = bought.symbol
       LEFT JOIN @account_owners AS buyers ON buyers.account_id = bought.account_id
       LEFT JOIN @account_owners AS sellers ON sellers.account_id = sold.account_id
ORDER BY bought.ts, bought.match_id
