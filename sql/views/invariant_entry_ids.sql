-- Which ids do several legs share? A healthy ledger has no row here.
SELECT   entry_id,
         COUNT(*) AS legs
FROM     ledger_entries
GROUP BY entry_id
HAVING   COUNT(*) > 1
