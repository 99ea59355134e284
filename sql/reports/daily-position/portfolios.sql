-- Portfolios of accounts and books
SELECT scope, currency, net_value, gross_exposure, cash, equity, leverage, hhi, max_weight, realized_pnl, unrealized_pnl, max_drawdown,
       unvalued, ts
FROM   @portfolios AS portfolios
ORDER BY scope
