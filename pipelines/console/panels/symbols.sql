-- The symbols that have a book.
SELECT symbol, bid, bid_size AS "bid size", ask, ask_size AS "ask size", last_price AS last
FROM   top_of_book
ORDER BY symbol
LIMIT  500
