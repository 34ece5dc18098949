/*
meaning: >-
  One use case in production on one day, and whether the prompt and model it ran with then had a passing evaluation
  that had not expired. Of each suite the last run that was completed counts. Days before the first run are left out.
continuous: true
needs: [_calendar, _portfolio]
open: >-
  SELECT day FROM facts._calendar WHERE day >= (SELECT min(valid_from) FROM core.use_cases WHERE stage = 'production')
    AND day >= (SELECT min(facts.utc_day(started_at)) FROM core.evaluation_runs)
reads:
  evaluation_runs: >-
    SELECT c.day FROM facts._calendar AS c WHERE c.day >= (SELECT min(facts.utc_day(started_at)) FROM changed)
  use_cases: since
*/
WITH runs AS (
  SELECT use_case_id AS use_case, coalesce(prompt_name, '') AS prompt_name, coalesce(prompt_version, '') AS prompt_version,
    model, passed, facts.utc_day(started_at) AS valid_from,
    least(coalesce(facts.utc_day(expires_at), DATE '9999-12-31'),
          coalesce(lead(facts.utc_day(started_at)) OVER (
            PARTITION BY use_case_id, suite, prompt_name, prompt_version, model ORDER BY started_at, run_id),
            DATE '9999-12-31')) AS valid_to
  FROM core.evaluation_runs
  WHERE status = 'completed'
),
live AS (
  SELECT c.day, u.use_case, u.business_unit, u.model, coalesce(u.prompt_name, '') AS prompt_name,
    coalesce(u.prompt_version, '') AS prompt_version
  FROM facts._calendar AS c
  JOIN facts._portfolio AS u ON u.valid_from <= c.day AND c.day < u.valid_to AND u.stage = 'production'
)
SELECT l.day, l.use_case, l.business_unit, max(CASE WHEN r.use_case IS NULL THEN 0 ELSE 1 END) AS is_evaluated
FROM live AS l
LEFT JOIN runs AS r ON r.use_case = l.use_case AND r.passed AND r.valid_from <= l.day AND l.day < r.valid_to
  AND r.model = l.model AND r.prompt_name = l.prompt_name AND r.prompt_version = l.prompt_version
WHERE l.day >= (SELECT min(facts.utc_day(started_at)) FROM core.evaluation_runs)
GROUP BY l.day, l.use_case, l.business_unit
