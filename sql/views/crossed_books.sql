-- Which books are crossed? In continuous trading a bid at or above the ask would have been matched; a healthy market has no row here.
SELECT symbol,
       bid,
       bid_size,
       ask,
       ask_size,
       ts
FROM   top_of_book
WHERE  bid >= ask
