-- The ledger's legs with the own time of their transactions. Rejected repetitions of a transaction do not count.
SELECT legs.*,
       COALESCE(own.event_ts, legs.ts) AS value_ts,
       CAST(COALESCE(own.event_ts, legs.ts) AS DATE) AS value_date,
       COALESCE(own.counted, legs.ts) AS counted_from
FROM   ledger_entries legs
       LEFT JOIN (
           SELECT accepted.event_id, MIN(accepted.event_ts) AS event_ts, MIN(accepted.ts) AS counted
           FROM   audit accepted
                  LEFT JOIN dead_letters rejected
                      ON  rejected.topic = accepted.topic
                      AND rejected."partition" = accepted."partition"
                      AND rejected."offset" = accepted."offset"
           WHERE  accepted.topic = 'transactions' AND rejected.topic IS NULL
           GROUP BY accepted.event_id
       ) own ON own.event_id = legs.transaction_id
