/*
meaning: >-
  One call to a provider of models that a user's request waited for, and whether the provider refused it for its rate
  or quota. A refusal that a retry or a fallback made good still made somebody wait.
needs: [_production_calls, _identity]
deeds: session_key
follows: session_costs
reads:
  calls: own
  sessions: SELECT facts.utc_day(c.started_at) AS day FROM changed JOIN core.calls AS c USING (session_id)
  identities: all
*/
SELECT day, call_id, session_key, coalesce(i.person_id, c.alias_id) AS person_id, use_case,
  coalesce(provider, 'unknown') AS provider, coalesce(model, 'unknown') AS model, started_at,
  CASE WHEN status <> 'ok' AND (http_status = 429 OR lower(error_type) LIKE '%ratelimit%' OR lower(error_type) LIKE '%rate_limit%'
                                OR lower(error_type) LIKE '%quota%' OR lower(error_type) LIKE '%toomanyrequests%')
       THEN 1 ELSE 0 END AS is_rate_limited
FROM facts._production_calls AS c
LEFT JOIN facts._identity AS i ON i.alias_id = c.alias_id
WHERE kind IN ('model', 'guardrail', 'retrieval') AND NOT coalesce(is_batch, FALSE) AND coalesce(purpose, 'user') = 'user'
  AND NOT coalesce(response_cache_hit, FALSE)
