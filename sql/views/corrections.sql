-- Which rows changed because of a correction, and why? Every old row (`change` -1) and new row (+1) that a bust, a reversal, a void, or a late event caused.
-- relation: The table or view that changed.
-- key: The key of the row, its parts separated by spaces.
-- change: 1 for a row that came, -1 for one that went.
-- tick: The tick of the change.
-- commit_id: The commit that has the change.
-- reason: What was taken back, or came late.
SELECT 'alerts' AS relation, alert_id AS key, change, tick, commit_id, reason FROM alerts_history WHERE reason IS NOT NULL
UNION ALL
SELECT 'balances' AS relation, account_id || ' ' || currency AS key, change, tick, commit_id, reason FROM balances_history WHERE reason IS NOT NULL
UNION ALL
SELECT 'decisions' AS relation, decision_id AS key, change, tick, commit_id, reason FROM decisions_history WHERE reason IS NOT NULL
UNION ALL
SELECT 'lots' AS relation, account_id || ' ' || symbol || ' ' || CAST(number AS VARCHAR) AS key, change, tick, commit_id, reason FROM lots_history WHERE reason IS NOT NULL
UNION ALL
SELECT 'open_orders' AS relation, order_id AS key, change, tick, commit_id, reason FROM open_orders_history WHERE reason IS NOT NULL
UNION ALL
SELECT 'payments_state' AS relation, payment_id AS key, change, tick, commit_id, reason FROM payments_state_history WHERE reason IS NOT NULL
UNION ALL
SELECT 'portfolios' AS relation, scope AS key, change, tick, commit_id, reason FROM portfolios_history WHERE reason IS NOT NULL
UNION ALL
SELECT 'positions' AS relation, account_id || ' ' || symbol AS key, change, tick, commit_id, reason FROM positions_history WHERE reason IS NOT NULL
UNION ALL
SELECT 'risk' AS relation, scope || ' ' || method || ' ' || CAST(confidence AS VARCHAR) AS key, change, tick, commit_id, reason FROM risk_history WHERE reason IS NOT NULL
UNION ALL
SELECT 'spending' AS relation, customer_id || ' ' || month || ' ' || category || ' ' || currency AS key, change, tick, commit_id, reason FROM spending_history WHERE reason IS NOT NULL
UNION ALL
SELECT 'top_of_book' AS relation, symbol AS key, change, tick, commit_id, reason FROM top_of_book_history WHERE reason IS NOT NULL
UNION ALL
SELECT 'transfers_state' AS relation, transfer_id AS key, change, tick, commit_id, reason FROM transfers_state_history WHERE reason IS NOT NULL
