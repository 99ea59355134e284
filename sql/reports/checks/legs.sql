-- Every leg balanced
SELECT 'error' AS severity, transaction_id || ' ' || currency AS key, 'the legs of the transaction do not sum to zero' AS finding
FROM   unbalanced_legs
ORDER BY key
