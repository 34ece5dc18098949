/*
meaning: >-
  What one unit of a currency costs in USD, and on which days: from the day of the rate to the next one, but no longer than
  a week, for an older rate tells nothing.
*/
SELECT from_currency AS currency, rate AS usd, date AS valid_from,
  least(coalesce(lead(date) OVER (PARTITION BY from_currency ORDER BY date), DATE '9999-12-31'), date + 7) AS valid_to
FROM core.fx_rates
WHERE to_currency = 'USD'
