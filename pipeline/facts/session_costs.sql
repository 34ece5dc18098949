/*
meaning: >-
  One session with the cost of all its calls: retries, failures, judges and guardrails, whatever day they ran on. A
  call of no session is a row with no session of its own, so that its cost is not lost. The cost of a session is unknown
  when one of its calls is unpriced, and when no tokens of any of its calls were counted.
needs: [priced_calls, _directory, _identity]
deeds: CASE WHEN sessions = 1 THEN session_key END
reads:
  calls:
    - own
    - SELECT facts.utc_day(s.started_at) AS day FROM changed JOIN core.sessions AS s USING (session_id)
  sessions:
    - own
    - SELECT facts.utc_day(c.started_at) AS day FROM changed JOIN core.calls AS c USING (session_id)
  prices: >-
    SELECT day FROM facts._calendar WHERE day >= (SELECT min(valid_from) FROM changed)
    UNION ALL
    SELECT facts.utc_day(s.started_at) FROM core.calls AS c JOIN core.sessions AS s USING (session_id)
    WHERE facts.utc_day(c.started_at) >= (SELECT min(valid_from) FROM changed)
      AND facts.utc_day(s.started_at) < facts.utc_day(c.started_at)
  fx_rates: >-
    SELECT c.day FROM facts._calendar AS c JOIN changed AS x ON x.date <= c.day AND c.day < x.date + 7
    WHERE EXISTS (SELECT 1 FROM core.prices WHERE currency <> 'USD')
    UNION ALL
    SELECT facts.utc_day(s.started_at) FROM core.calls AS c JOIN core.sessions AS s USING (session_id)
    JOIN changed AS x ON x.date <= facts.utc_day(c.started_at) AND facts.utc_day(c.started_at) < x.date + 7
    WHERE EXISTS (SELECT 1 FROM core.prices WHERE currency <> 'USD')
  people: since
  identities: all
within:
  calls: >-
    SELECT c.rowid FROM core.calls AS c JOIN core.sessions AS s USING (session_id)
    WHERE s.started_at >= $begin AND s.started_at < $end AND NOT (c.started_at >= $begin AND c.started_at < $end)
*/
WITH spent AS (
  SELECT known_session_id AS session_id, sum(cost_usd) AS cost_usd, sum(unpriced_calls) AS unpriced_calls,
    sum(metered_calls) AS metered_calls
  FROM facts.priced_calls
  WHERE known_session_id IS NOT NULL
  GROUP BY known_session_id
),
sessions AS (
  SELECT s.session_id, facts.utc_day(s.started_at) AS day, coalesce(s.use_case_id, 'unknown') AS use_case,
    coalesce(i.person_id, s.person_id) AS person_id
  FROM core.sessions AS s
  LEFT JOIN facts._identity AS i ON i.alias_id = s.person_id
  WHERE coalesce(s.environment, 'production') = 'production' AND NOT coalesce(s.is_synthetic, FALSE)
)
SELECT s.day, s.session_id AS session_key, s.person_id, s.use_case,
  coalesce(d.department, 'unknown') AS department,
  1 AS sessions, coalesce(c.cost_usd, 0) AS cost_usd,
  CASE WHEN c.unpriced_calls = 0 AND c.metered_calls > 0 THEN 0 ELSE 1 END AS unknown_costs
FROM sessions AS s
LEFT JOIN spent AS c ON c.session_id = s.session_id
LEFT JOIN facts._directory AS d ON d.person_id = s.person_id AND d.valid_from <= s.day AND s.day < d.valid_to
UNION ALL
SELECT day, session_key, NULL, 'unknown', 'unknown', 0, coalesce(cost_usd, 0), unpriced_calls
FROM facts.priced_calls
WHERE known_session_id IS NULL
