-- Bu. ${data}: the input; ${sink}: the folder of the answer.
CREATE TABLE transactions (
  transaction_id STRING, account_id STRING, `type` STRING, amount DECIMAL(18, 2), currency STRING, channel STRING, ts BIGINT,
  event_time AS TO_TIMESTAMP_LTZ(ts / 1000000, 3), WATERMARK FOR event_time AS event_time - INTERVAL '1' SECOND
) WITH ('connector' = 'filesystem', 'path' = 'file://${data}/transactions', 'format' = 'json');

CREATE VIEW counted AS
SELECT transaction_id, account_id, amount, ts, COUNT(*) OVER (
    PARTITION BY account_id ORDER BY event_time RANGE BETWEEN INTERVAL '10' MINUTE PRECEDING AND CURRENT ROW) AS window_count
FROM transactions;

CREATE VIEW scored AS
SELECT transaction_id, account_id, amount, ts, window_count,
  CASE WHEN amount > 10000 THEN 30 ELSE 0 END
    + CASE WHEN MOD(ts / 3600000000000, 24) < 6 THEN 20 ELSE 0 END
    + CASE WHEN window_count > 5 THEN 40 ELSE 0 END AS score
FROM counted;

CREATE TABLE scores (
  transaction_id STRING, account_id STRING, amount DECIMAL(18, 2), ts BIGINT, window_count BIGINT, score INT, decision STRING
) WITH ('connector' = 'filesystem', 'path' = 'file://${sink}', 'format' = 'parquet');

INSERT INTO scores
SELECT transaction_id, account_id, amount, ts, window_count, score,
  CASE WHEN score >= 70 THEN 'block' WHEN score >= 40 THEN 'review' ELSE 'approve' END
FROM scored;
