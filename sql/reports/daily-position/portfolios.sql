-- Portfolios of accounts and books, with P&L by price and by exchange rate
SELECT scope, currency, net_value, gross_exposure, cash, equity, leverage, hhi, max_weight, realized_pnl, unrealized_pnl, fx_pnl,
       max_drawdown, unvalued, stale_rates, ts
FROM   @portfolios AS portfolios
ORDER BY scope
