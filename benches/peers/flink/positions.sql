-- A1 and A2. ${data}: the input. With ${answers} each SELECT is folded into a file; the INSERTs are left out then.
CREATE TABLE fills (
  `type` STRING, fill_id STRING, account_id STRING, symbol STRING, side STRING, quantity BIGINT, price DECIMAL(18, 4), ts BIGINT
) WITH ('connector' = 'filesystem', 'path' = 'file://${data}/fills', 'format' = 'json');

CREATE TABLE quotes (
  symbol STRING, bid DECIMAL(18, 4), ask DECIMAL(18, 4), bid_size STRING, ask_size STRING, ts BIGINT
) WITH ('connector' = 'filesystem', 'path' = 'file://${data}/market.quotes', 'format' = 'json');

CREATE VIEW holdings AS
SELECT account_id, symbol,
  SUM(CASE WHEN side = 'buy' THEN quantity ELSE -quantity END) AS quantity,
  SUM(CASE WHEN side = 'buy' THEN -quantity ELSE quantity END * price) AS cash_flow,
  AVERAGE_COST(CASE WHEN side = 'buy' THEN quantity ELSE -quantity END, price) AS average_price
FROM fills GROUP BY account_id, symbol;

CREATE VIEW marks AS
SELECT symbol, (bid + ask) / 2 AS mark
FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY symbol ORDER BY ts DESC) AS nth FROM quotes) WHERE nth = 1;

CREATE VIEW valued AS
SELECT h.*, h.quantity * m.mark AS market_value FROM holdings h JOIN marks m ON h.symbol = m.symbol;

CREATE VIEW per_account AS SELECT account_id, SUM(market_value) AS net, SUM(cash_flow) AS cash FROM valued GROUP BY account_id;

CREATE VIEW firm AS SELECT 'firm' AS node, SUM(net) AS net, SUM(cash) AS cash FROM per_account;

CREATE TABLE positions_sink (
  account_id STRING, symbol STRING, quantity BIGINT, cash_flow DECIMAL(38, 4), average_price DECIMAL(38, 9),
  market_value DECIMAL(38, 6), PRIMARY KEY (account_id, symbol) NOT ENFORCED
) WITH ('connector' = 'blackhole');

CREATE TABLE accounts_sink (
  account_id STRING, net DECIMAL(38, 6), cash DECIMAL(38, 4), PRIMARY KEY (account_id) NOT ENFORCED
) WITH ('connector' = 'blackhole');

CREATE TABLE firm_sink (
  node STRING, net DECIMAL(38, 6), cash DECIMAL(38, 4), PRIMARY KEY (node) NOT ENFORCED
) WITH ('connector' = 'blackhole');

INSERT INTO positions_sink SELECT account_id, symbol, quantity, cash_flow, average_price, market_value FROM valued;

INSERT INTO accounts_sink SELECT * FROM per_account;

INSERT INTO firm_sink SELECT * FROM firm;

-- answer: positions
SELECT account_id, symbol, quantity, cash_flow, average_price, market_value FROM valued;

-- answer: accounts
SELECT account_id, net, cash FROM per_account;
