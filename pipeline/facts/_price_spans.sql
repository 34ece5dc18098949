/*
meaning: >-
  For each model, price tier, band of prompt lengths and span of days, the price of one token of each class in USD. A tier
  such as above_200k, or priority_above_200k, holds for the whole of a call whose input is longer than that, whatever class
  its tokens are of; a class it does not name keeps the price of the band below. A later price ends an earlier one of the
  same class, tier and book, and on every day an agreed price goes before one of a list. A price in another currency has the
  rate of the day, or the last one of the week before. A class without a price, or without a rate, in a span stays empty,
  because unknown is not free. A tool stands here as a model, with the price of one call.
needs: [_usd_rates]
small: true
*/
WITH named AS (
  SELECT *, lower(tier_rule) AS rule, regexp_extract(lower(tier_rule), '(?:^|_)above_([0-9]+)k$', 1) AS thousands,
    coalesce(book, 'list') AS from_book
  FROM core.prices
),
dated AS (
  SELECT provider, model, token_class, from_book, price, currency, valid_from,
    coalesce(nullif(regexp_replace(rule, '(^|_)above_[0-9]+k$', ''), ''), 'standard') AS tier,
    coalesce(1000 * TRY_CAST(thousands AS BIGINT), -1) AS above_tokens,
    least(coalesce(valid_to, DATE '9999-12-31'),
          coalesce(lead(valid_from) OVER (PARTITION BY provider, model, rule, token_class, from_book ORDER BY valid_from),
                   DATE '9999-12-31')) AS valid_to
  FROM named
),
spans AS (
  SELECT provider, model, token_class, from_book, price, tier, above_tokens, valid_from, valid_to
  FROM dated WHERE currency = 'USD'
  UNION ALL
  SELECT d.provider, d.model, d.token_class, d.from_book, CAST(d.price * r.usd AS DECIMAL(24, 12)), d.tier, d.above_tokens,
    greatest(d.valid_from, r.valid_from), least(d.valid_to, r.valid_to)
  FROM dated AS d
  JOIN facts._usd_rates AS r ON r.currency = d.currency AND r.valid_from < d.valid_to AND d.valid_from < r.valid_to
  WHERE d.currency <> 'USD'
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
chosen AS (
  SELECT p.provider, p.model, p.tier, s.above_tokens, p.valid_from, p.valid_to, s.token_class,
    coalesce(max(CASE WHEN s.from_book = 'agreed' THEN s.price END), max(s.price)) AS price
  FROM periods AS p
  JOIN spans AS s ON s.provider = p.provider AND s.model = p.model AND s.tier = p.tier AND s.valid_from <= p.valid_from AND p.valid_from < s.valid_to
  WHERE p.valid_to IS NOT NULL
  GROUP BY p.provider, p.model, p.tier, s.above_tokens, p.valid_from, p.valid_to, s.token_class
),
bands AS (
  SELECT provider, model, tier, above_tokens, valid_from, valid_to,
    max(CASE WHEN token_class = 'in_uncached' THEN price END) AS in_uncached_usd,
    max(CASE WHEN token_class = 'cache_read' THEN price END) AS cache_read_usd,
    max(CASE WHEN token_class = 'cache_write_5m' THEN price END) AS cache_write_5m_usd,
    max(CASE WHEN token_class = 'cache_write_1h' THEN price END) AS cache_write_1h_usd,
    max(CASE WHEN token_class = 'out' THEN price END) AS out_usd,
    max(CASE WHEN token_class = 'call' THEN price END) AS call_usd
  FROM chosen
  GROUP BY provider, model, tier, above_tokens, valid_from, valid_to
)
SELECT provider, model, tier, above_tokens, valid_from, valid_to,
  coalesce(lead(above_tokens) OVER band, 9223372036854775807) AS up_to_tokens,
  last_value(in_uncached_usd IGNORE NULLS) OVER band AS in_uncached_usd,
  last_value(cache_read_usd IGNORE NULLS) OVER band AS cache_read_usd,
  last_value(cache_write_5m_usd IGNORE NULLS) OVER band AS cache_write_5m_usd,
  last_value(cache_write_1h_usd IGNORE NULLS) OVER band AS cache_write_1h_usd,
  last_value(out_usd IGNORE NULLS) OVER band AS out_usd,
  call_usd
FROM bands
WINDOW band AS (PARTITION BY provider, model, tier, valid_from ORDER BY above_tokens)
