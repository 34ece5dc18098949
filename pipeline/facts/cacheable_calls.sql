/*
meaning: >-
  One production call whose input the provider could have read from its prompt cache, with all its input tokens and
  those so read; every token stands in one class. Left out are calls of models that have a price but none for cached
  input, and calls that say nothing of the cache on a day on which no call of their model does.
needs: [_production_calls, _price_spans, _identity]
deeds: session_key
follows: session_costs
reads:
  calls: own
  sessions: SELECT facts.utc_day(c.started_at) AS day FROM changed JOIN core.calls AS c USING (session_id)
  prices: since
  fx_rates: >-
    SELECT c.day FROM facts._calendar AS c JOIN changed AS x ON x.date <= c.day AND c.day < x.date + 7
    WHERE EXISTS (SELECT 1 FROM core.prices WHERE currency <> 'USD')
  identities: all
*/
WITH counted AS (
  SELECT day, call_id, session_key, alias_id, use_case, price_tier, coalesce(provider, 'unknown') AS provider, coalesce(model, 'unknown') AS model,
    tokens_cache_read AS told, coalesce(tokens_cache_read, 0) AS tokens_cache_read,
    tokens_in_uncached + coalesce(tokens_cache_read, 0) + coalesce(tokens_cache_write_5m, 0)
      + coalesce(tokens_cache_write_1h, 0) AS tokens_in
  FROM facts._production_calls
  WHERE tokens_in_uncached IS NOT NULL AND NOT coalesce(response_cache_hit, FALSE)
),
telling AS (SELECT DISTINCT day, provider, model FROM counted WHERE told IS NOT NULL)
SELECT c.day, c.call_id, c.session_key, coalesce(i.person_id, c.alias_id) AS person_id, c.use_case,
  c.provider, c.model, c.tokens_in, c.tokens_cache_read
FROM counted AS c
JOIN telling AS t ON t.day = c.day AND t.provider = c.provider AND t.model = c.model
LEFT JOIN facts._price_spans AS p
  ON p.provider = c.provider AND p.model = c.model AND p.tier = c.price_tier AND p.valid_from <= c.day AND c.day < p.valid_to
  AND c.tokens_in > p.above_tokens AND c.tokens_in <= p.up_to_tokens
LEFT JOIN facts._identity AS i ON i.alias_id = c.alias_id
WHERE p.model IS NULL OR p.cache_read_usd IS NOT NULL OR c.tokens_cache_read > 0
