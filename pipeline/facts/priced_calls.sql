/*
meaning: >-
  One production call with its cost at the price valid on the day it was made, for a prompt of its length. Every token stands in one class. A call
  answered from the client's response cache costs nothing. A call with tokens of a class that has no price is unpriced,
  and so is a call of a model whose tokens nobody counted: its cost is unknown. A tool has no tokens; a call of it costs the
  fee that its provider asks for it, and nothing where no fee is known, as most tools are the organisation's own.
needs: [_production_calls, _price_spans, _tool_fees]
reads:
  calls: own
  sessions: SELECT facts.utc_day(c.started_at) AS day FROM changed JOIN core.calls AS c USING (session_id)
  prices: since
  fx_rates: >-
    SELECT c.day FROM facts._calendar AS c JOIN changed AS x ON x.date <= c.day AND c.day < x.date + 7
    WHERE EXISTS (SELECT 1 FROM core.prices WHERE currency <> 'USD')
*/
WITH tokens AS (
  SELECT c.*,
    coalesce(c.response_cache_hit, FALSE) AS is_cached,
    coalesce(c.tokens_in_uncached, c.tokens_cache_read, c.tokens_cache_write_5m, c.tokens_cache_write_1h, c.tokens_out)
      IS NOT NULL AS is_counted,
    CAST(coalesce(c.tokens_in_uncached, 0) AS DECIMAL(12, 0)) AS t_in,
    CAST(coalesce(c.tokens_cache_read, 0) AS DECIMAL(12, 0)) AS t_read,
    CAST(coalesce(c.tokens_cache_write_5m, 0) AS DECIMAL(12, 0)) AS t_5m,
    CAST(coalesce(c.tokens_cache_write_1h, 0) AS DECIMAL(12, 0)) AS t_1h,
    CAST(coalesce(c.tokens_out, 0) AS DECIMAL(12, 0)) AS t_out
  FROM facts._production_calls AS c
),
costs AS (
  SELECT t.*,
    CASE WHEN t.is_cached THEN 0
         WHEN t.kind IN ('model', 'guardrail', 'judge', 'retrieval') AND NOT t.is_counted THEN NULL
         ELSE (CASE WHEN t.t_in > 0 THEN t.t_in * p.in_uncached_usd ELSE 0 END)
            + (CASE WHEN t.t_read > 0 THEN t.t_read * p.cache_read_usd ELSE 0 END)
            + (CASE WHEN t.t_5m > 0 THEN t.t_5m * p.cache_write_5m_usd ELSE 0 END)
            + (CASE WHEN t.t_1h > 0 THEN t.t_1h * p.cache_write_1h_usd ELSE 0 END)
            + (CASE WHEN t.t_out > 0 THEN t.t_out * p.out_usd ELSE 0 END)
            + coalesce(f.call_usd, 0)
    END AS known_cost_usd
  FROM tokens AS t
  LEFT JOIN facts._price_spans AS p
    ON p.provider = t.provider AND p.model = t.model AND p.tier = t.price_tier AND p.valid_from <= t.day AND t.day < p.valid_to
    AND t.t_in + t.t_read + t.t_5m + t.t_1h > p.above_tokens AND t.t_in + t.t_read + t.t_5m + t.t_1h <= p.up_to_tokens
  LEFT JOIN facts._tool_fees AS f
    ON t.kind = 'tool' AND f.provider = t.provider AND f.tool = t.tool_name AND f.valid_from <= t.day AND t.day < f.valid_to
)
SELECT day, call_id, session_id, session_key, known_session_id, use_case, kind, provider, model,
  CAST(known_cost_usd AS DECIMAL(38, 12)) AS cost_usd,
  CASE WHEN known_cost_usd IS NULL THEN 1 ELSE 0 END AS unpriced_calls,
  CASE WHEN is_counted OR is_cached THEN 1 ELSE 0 END AS metered_calls
FROM costs
