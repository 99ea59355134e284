-- Exposure, leverage, concentration and drawdown
SELECT scope, currency, gross_exposure, net_exposure, equity, leverage, hhi, max_weight, max_drawdown, unvalued,
       stale_rates
FROM   @portfolios AS portfolios
ORDER BY scope
