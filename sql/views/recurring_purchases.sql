-- What does each customer seem to have subscribed to? The newest of at least three purchases of a category, each 25 to 35 days after the one before and within 5 % of its amount.
-- amount: The amount of the newest purchase.
-- transaction_id: The newest purchase.
-- third_last: The date of the third last.
-- second_last: The date of the second last.
-- last: The date of the newest.
-- expected: When the next one is expected.
WITH bought AS (
    SELECT customer_id, COALESCE(label, category) AS category, currency, amount, date, transaction_id
    FROM   labelled_purchases
    WHERE  amount > 0 AND NOT is_held AND customer_id IS NOT NULL
), pairs AS (
    SELECT earlier.transaction_id AS earlier_id, earlier.date AS earlier_date, later.*
    FROM   bought AS earlier
    JOIN   bought AS later ON later.customer_id = earlier.customer_id AND later.category = earlier.category AND later.currency = earlier.currency
                          AND later.date BETWEEN earlier.date + 25 AND earlier.date + 35
                          AND ABS(later.amount - earlier.amount) * 20 <= earlier.amount
)
SELECT newest.customer_id, newest.category, newest.currency, newest.amount, newest.transaction_id,
       MIN(middle.earlier_date) AS third_last, MAX(newest.earlier_date) AS second_last, newest.date AS last,
       CAST(newest.date + INTERVAL '1 month' AS DATE) AS expected
FROM   pairs AS newest
JOIN   pairs AS middle ON middle.transaction_id = newest.earlier_id
LEFT JOIN pairs AS following ON following.earlier_id = newest.transaction_id
WHERE  following.transaction_id IS NULL
GROUP BY newest.customer_id, newest.category, newest.currency, newest.amount, newest.transaction_id, newest.date
