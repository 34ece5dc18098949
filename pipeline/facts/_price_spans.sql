/*
meaning: >-
  For each model, price tier, band of prompt lengths and span of days, the price of one token of each class. A tier such as
  above_200k, or priority_above_200k, holds for the whole of a call whose input is longer than that, whatever class its
  tokens are of; a class it does not name keeps the price of the band below. A later price ends an earlier one of the same
  class and tier; a class without a price in a span stays empty, because unknown is not free.
small: true
*/
WITH named AS (
  SELECT *, lower(tier_rule) AS rule, regexp_extract(lower(tier_rule), '(?:^|_)above_([0-9]+)k$', 1) AS thousands
  FROM core.prices
  WHERE currency = 'USD'
),
spans AS (
  SELECT provider, model, token_class, price, valid_from,
    coalesce(nullif(regexp_replace(rule, '(^|_)above_[0-9]+k$', ''), ''), 'standard') AS tier,
    coalesce(1000 * TRY_CAST(thousands AS BIGINT), -1) AS above_tokens,
    least(coalesce(valid_to, DATE '9999-12-31'),
          coalesce(lead(valid_from) OVER (PARTITION BY provider, model, rule, token_class ORDER BY valid_from),
                   DATE '9999-12-31')) AS valid_to
  FROM named
),
changes AS (
  SELECT provider, model, tier, valid_from AS day FROM spans
  UNION SELECT provider, model, tier, valid_to FROM spans
),
periods AS (
  SELECT provider, model, tier, day AS valid_from,
    lead(day) OVER (PARTITION BY provider, model, tier ORDER BY day) AS valid_to
  FROM changes
),
bands AS (
  SELECT p.provider, p.model, p.tier, s.above_tokens, p.valid_from, p.valid_to,
    max(CASE WHEN s.token_class = 'in_uncached' THEN s.price END) AS in_uncached_usd,
    max(CASE WHEN s.token_class = 'cache_read' THEN s.price END) AS cache_read_usd,
    max(CASE WHEN s.token_class = 'cache_write_5m' THEN s.price END) AS cache_write_5m_usd,
    max(CASE WHEN s.token_class = 'cache_write_1h' THEN s.price END) AS cache_write_1h_usd,
    max(CASE WHEN s.token_class = 'out' THEN s.price END) AS out_usd
  FROM periods AS p
  JOIN spans AS s ON s.provider = p.provider AND s.model = p.model AND s.tier = p.tier AND s.valid_from <= p.valid_from AND p.valid_from < s.valid_to
  WHERE p.valid_to IS NOT NULL
  GROUP BY p.provider, p.model, p.tier, s.above_tokens, p.valid_from, p.valid_to
)
SELECT provider, model, tier, above_tokens, valid_from, valid_to,
  coalesce(lead(above_tokens) OVER band, 9223372036854775807) AS up_to_tokens,
  last_value(in_uncached_usd IGNORE NULLS) OVER band AS in_uncached_usd,
  last_value(cache_read_usd IGNORE NULLS) OVER band AS cache_read_usd,
  last_value(cache_write_5m_usd IGNORE NULLS) OVER band AS cache_write_5m_usd,
  last_value(cache_write_1h_usd IGNORE NULLS) OVER band AS cache_write_1h_usd,
  last_value(out_usd IGNORE NULLS) OVER band AS out_usd
FROM bands
WINDOW band AS (PARTITION BY provider, model, tier, valid_from ORDER BY above_tokens)
