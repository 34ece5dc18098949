/*
meaning: >-
  Calls of production traffic. A call belongs to the environment of its session; only a call without a known session
  is judged by its own. Who made it, `alias_id`, is who held its session, or whom the call itself names.
*/
SELECT c.*, facts.utc_day(c.started_at) AS day,
  coalesce(c.session_id, c.trace_id, c.call_id) AS session_key,
  CASE WHEN lower(coalesce(c.service_tier, '')) IN ('', 'default', 'auto', 'on_demand') THEN 'standard'
       ELSE lower(c.service_tier) END AS price_tier,
  s.session_id AS known_session_id,
  coalesce(s.person_id, c.person_id) AS alias_id,
  coalesce(s.use_case_id, 'unknown') AS use_case
FROM core.calls AS c
LEFT JOIN core.sessions AS s ON s.session_id = c.session_id
WHERE coalesce(CASE WHEN s.session_id IS NULL THEN c.environment ELSE s.environment END, 'production') = 'production'
  AND NOT coalesce(s.is_synthetic, FALSE)
