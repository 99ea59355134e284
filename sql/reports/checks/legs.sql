-- Every leg balanced
SELECT 'error' AS severity, transaction_id || ' ' || currency AS key, 'the legs of the transaction do not sum to zero' AS finding
FROM   unbalanced_legs
WHERE  transaction_id IN (SELECT transaction_id FROM ledger_entries WHERE @is_concerned)
ORDER BY key
