"""DuckDB, reading everything once: duckdb_batch.py positions|scores DATA THREADS OUT"""

import sys

import duckdb

POSITIONS = """
CREATE TABLE fills AS
  SELECT account_id, symbol, price,
    CASE WHEN side = 'buy' THEN quantity ELSE -quantity END AS quantity
  FROM read_json('{data}/fills/*.jsonl', format = 'newline_delimited', columns = {{
    account_id: 'VARCHAR', symbol: 'VARCHAR', side: 'VARCHAR',
    quantity: 'BIGINT', price: 'DECIMAL(18,4)'}});
CREATE TABLE marks AS
  SELECT symbol, arg_max((bid + ask) * 0.5, ts) AS mark
  FROM read_json('{data}/market.quotes/*.jsonl', format = 'newline_delimited', columns = {{
    symbol: 'VARCHAR', bid: 'DECIMAL(18,4)', ask: 'DECIMAL(18,4)', ts: 'BIGINT'}})
  GROUP BY symbol;
CREATE TABLE positions AS
  SELECT account_id, symbol, sum(quantity)::BIGINT AS quantity,
    sum(-quantity * price) AS cash_flow
  FROM fills GROUP BY account_id, symbol;
CREATE TABLE valued AS
  SELECT positions.*, (quantity * mark)::DECIMAL(28,6) AS market_value
  FROM positions JOIN marks USING (symbol);
CREATE TABLE accounts AS
  SELECT account_id, sum(market_value) AS net, sum(cash_flow) AS cash
  FROM valued GROUP BY account_id;
COPY valued TO '{out}/positions.csv' (HEADER);
COPY accounts TO '{out}/accounts.csv' (HEADER);
"""

SCORES = """
COPY (
  SELECT transaction_id,
    CASE WHEN amount > 10000 THEN 30 ELSE 0 END
      + CASE WHEN ts // 3600000000000 % 24 < 6 THEN 20 ELSE 0 END
      + CASE WHEN window_count > 5 THEN 40 ELSE 0 END AS score
  FROM (
    SELECT transaction_id, amount, ts, count(*) OVER (
      PARTITION BY account_id ORDER BY ts
      RANGE BETWEEN 600000000000 PRECEDING AND CURRENT ROW) AS window_count
    FROM read_json('{data}/transactions/*.jsonl', format = 'newline_delimited', columns = {{
      transaction_id: 'VARCHAR', account_id: 'VARCHAR', amount: 'DECIMAL(18,2)', ts: 'BIGINT'}}))
) TO '{out}/scores.csv' (HEADER);
"""


def main() -> None:
    what, data, threads, out = sys.argv[1:]
    connection = duckdb.connect(config={"threads": int(threads)})
    statements = {"positions": POSITIONS, "scores": SCORES}[what]
    connection.execute(statements.format(data=data, out=out))


if __name__ == "__main__":
    main()
