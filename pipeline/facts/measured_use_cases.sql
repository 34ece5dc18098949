/*
meaning: >-
  One use case in production on one day, and whether it was measured then: it had an owner, a baseline and a target, and
  in the last 28 days at least one session or task of real users. Days before the first of those are left out.
continuous: true
needs: [_calendar, _portfolio]
open: SELECT day FROM facts._calendar WHERE day >= (SELECT min(valid_from) FROM core.use_cases WHERE stage = 'production')
reads:
  use_cases: since
  sessions: >-
    SELECT c.day FROM facts._calendar AS c
    JOIN (SELECT facts.utc_day(started_at) AS seen FROM changed
          UNION SELECT facts.utc_day(t.started_at) FROM changed JOIN core.tasks AS t USING (session_id)) AS s
      ON c.day >= s.seen AND c.day < s.seen + INTERVAL 28 DAY
    WHERE c.day >= (SELECT min(valid_from) FROM core.use_cases WHERE stage = 'production')
  tasks: >-
    SELECT c.day FROM facts._calendar AS c JOIN (SELECT DISTINCT facts.utc_day(started_at) AS seen FROM changed) AS s
      ON c.day >= s.seen AND c.day < s.seen + INTERVAL 28 DAY
    WHERE c.day >= (SELECT min(valid_from) FROM core.use_cases WHERE stage = 'production')
*/
WITH seen AS (
  SELECT use_case_id AS use_case, facts.utc_day(started_at) AS day FROM core.sessions
  WHERE coalesce(environment, 'production') = 'production' AND NOT coalesce(is_synthetic, FALSE)
  UNION
  SELECT t.use_case_id, facts.utc_day(t.started_at) FROM core.tasks AS t
  LEFT JOIN core.sessions AS s ON s.session_id = t.session_id
  WHERE coalesce(s.environment, 'production') = 'production' AND NOT coalesce(s.is_synthetic, FALSE)
),
fresh AS (
  SELECT DISTINCT use_case, CAST(unnest(range(day, day + INTERVAL 28 DAY, INTERVAL 1 DAY)) AS DATE) AS day
  FROM seen WHERE use_case IS NOT NULL
)
SELECT c.day, u.use_case, u.business_unit,
  CASE WHEN u.owner_role IS NULL THEN 0 ELSE 1 END AS has_owner, CASE WHEN u.has_baseline THEN 1 ELSE 0 END AS has_baseline,
  CASE WHEN u.has_target THEN 1 ELSE 0 END AS has_target, CASE WHEN f.day IS NULL THEN 0 ELSE 1 END AS has_fresh_data,
  CASE WHEN u.owner_role IS NOT NULL AND u.has_baseline AND u.has_target AND f.day IS NOT NULL THEN 1 ELSE 0 END AS is_measured
FROM facts._calendar AS c
JOIN facts._portfolio AS u ON u.valid_from <= c.day AND c.day < u.valid_to AND u.stage = 'production'
LEFT JOIN fresh AS f ON f.use_case = u.use_case AND f.day = c.day
WHERE c.day >= (SELECT min(day) FROM seen)
