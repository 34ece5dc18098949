/*
meaning: >-
  One request a user waited for: a root request of production traffic, failures and timeouts included. Its latency is
  the reported one, else end minus start; empty when nobody recorded it.
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
  coalesce(latency_s, (epoch_us(ended_at) - epoch_us(started_at)) / 1e6) AS latency_s,
  CASE WHEN status IN ('error', 'timeout') THEN 1 ELSE 0 END AS is_error,
  CASE WHEN status = 'ok' THEN 1 ELSE 0 END AS is_ok
FROM facts._production_calls AS c
LEFT JOIN facts._identity AS i ON i.alias_id = c.alias_id
WHERE parent_call_id IS NULL AND kind IN ('request', 'model') AND NOT coalesce(is_batch, FALSE)
  AND coalesce(purpose, 'user') = 'user'
