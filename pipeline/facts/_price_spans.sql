/*
meaning: >-
  For each model, price tier and span of days, the price of one token of each class. A later price ends an earlier one
  of the same class and tier; a class without a price in a span stays empty, because unknown is not free.
*/
WITH spans AS (
  SELECT provider, model, lower(tier_rule) AS tier, token_class, price, valid_from,
    least(coalesce(valid_to, DATE '9999-12-31'),
          coalesce(lead(valid_from) OVER (PARTITION BY provider, model, lower(tier_rule), token_class ORDER BY valid_from),
                   DATE '9999-12-31')) AS valid_to
  FROM core.prices
  WHERE currency = 'USD'
),
changes AS (
  SELECT provider, model, tier, valid_from AS day FROM spans
  UNION SELECT provider, model, tier, valid_to FROM spans
),
periods AS (
  SELECT provider, model, tier, day AS valid_from,
    lead(day) OVER (PARTITION BY provider, model, tier ORDER BY day) AS valid_to
  FROM changes
)
SELECT p.provider, p.model, p.tier, p.valid_from, p.valid_to,
  max(CASE WHEN s.token_class = 'in_uncached' THEN s.price END) AS in_uncached_usd,
  max(CASE WHEN s.token_class = 'cache_read' THEN s.price END) AS cache_read_usd,
  max(CASE WHEN s.token_class = 'cache_write_5m' THEN s.price END) AS cache_write_5m_usd,
  max(CASE WHEN s.token_class = 'cache_write_1h' THEN s.price END) AS cache_write_1h_usd,
  max(CASE WHEN s.token_class = 'out' THEN s.price END) AS out_usd
FROM periods AS p
JOIN spans AS s ON s.provider = p.provider AND s.model = p.model AND s.tier = p.tier AND s.valid_from <= p.valid_from AND p.valid_from < s.valid_to
WHERE p.valid_to IS NOT NULL
GROUP BY p.provider, p.model, p.tier, p.valid_from, p.valid_to
