-- Which invariants of the ledger are broken, and by what? A healthy ledger has no row here; the view of each invariant has the details.
-- invariant: What does not hold.
-- key: Where.
-- details: The figures.
SELECT 'legs' AS invariant, transaction_id || ' ' || currency AS key, 'unbalanced_legs' AS details FROM unbalanced_legs
UNION ALL
SELECT 'trial_balance', currency, 'trial_balance' FROM trial_balance WHERE balance <> 0
UNION ALL
SELECT 'balances', account_id || ' ' || currency, 'invariant_balances' FROM invariant_balances
UNION ALL
SELECT 'holds', account_id || ' ' || currency, 'invariant_holds' FROM invariant_holds
UNION ALL
SELECT 'reversals', account_id || ' ' || transaction_id, 'invariant_reversals' FROM invariant_reversals
UNION ALL
SELECT 'entry_ids', entry_id, 'invariant_entry_ids' FROM invariant_entry_ids
UNION ALL
SELECT 'history', account_id || ' ' || currency, 'invariant_history' FROM invariant_history
UNION ALL
SELECT 'closed_accounts', account_id, 'invariant_closed_accounts' FROM invariant_closed_accounts
UNION ALL
SELECT 'balance_after', account_id, 'invariant_balance_after' FROM invariant_balance_after
