-- By how much did a customer's spending in a category change from the month before? The largest change of a month and currency has place 1.
-- previous: The amount of the month before; 0 without purchases.
-- change: Amount less previous.
-- place: 1 for the largest change of the customer's month, up or down.
WITH months AS (
    SELECT customer_id, currency, month, CAST(month || '-01' AS DATE) AS begins FROM spending GROUP BY customer_id, currency, month
), pairs AS (
    SELECT later.customer_id, later.currency, later.month, earlier.month AS previous_month
    FROM   months AS later
    JOIN   months AS earlier ON earlier.customer_id = later.customer_id AND earlier.currency = later.currency
                            AND later.begins = CAST(earlier.begins + INTERVAL '1 month' AS DATE)
), figures AS (
    SELECT pairs.customer_id, pairs.month, spending.category, pairs.currency,
           CASE WHEN spending.month = pairs.month THEN spending.amount ELSE 0 END AS amount,
           CASE WHEN spending.month = pairs.month THEN 0 ELSE spending.amount END AS previous
    FROM   pairs
    JOIN   spending ON spending.customer_id = pairs.customer_id AND spending.currency = pairs.currency
                   AND spending.month IN (pairs.month, pairs.previous_month)
), changes AS (
    SELECT customer_id, month, category, currency, SUM(amount) AS amount, SUM(previous) AS previous, SUM(amount) - SUM(previous) AS change
    FROM   figures
    GROUP BY customer_id, month, category, currency
)
SELECT customer_id, month, category, currency, amount, previous, change,
       ROW_NUMBER() OVER (PARTITION BY customer_id, month, currency ORDER BY ABS(change) DESC, category) AS place
FROM   changes
