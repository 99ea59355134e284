-- Types of accounts at the end of the date: of each account the one that its newest record of then names.
SELECT account_id, account_type
FROM   (
           SELECT key AS account_id,
                  json_text(value, 'account_type') AS account_type,
                  ROW_NUMBER() OVER (PARTITION BY key ORDER BY written DESC, ts DESC, "partition" DESC, "offset" DESC) AS place
           FROM   reference_records
           WHERE  topic = 'accounts' AND written < @end AND json_text(value, 'account_type') IS NOT NULL
       )
WHERE  place = 1
