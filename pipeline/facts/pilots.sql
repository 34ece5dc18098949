/*
meaning: >-
  One use case on the day its first pilot began, and whether it was in production within 180 days of it. One that was
  cancelled on purpose by then, without having got there, was not pursued.
continuous: true
needs: [_portfolio]
open: SELECT DISTINCT valid_from AS day FROM core.use_cases WHERE stage = 'pilot'
reads:
  use_cases: >-
    SELECT valid_from AS day FROM changed
    UNION ALL SELECT u.valid_from FROM core.use_cases AS u JOIN changed USING (use_case_id)
*/
WITH begun AS (
  SELECT use_case, min(valid_from) AS day FROM facts._portfolio WHERE stage = 'pilot' GROUP BY use_case
),
states AS (
  SELECT b.use_case, b.day,
    max(CASE WHEN u.valid_from = b.day THEN coalesce(u.business_unit, 'unknown') END) AS business_unit,
    max(CASE WHEN u.stage = 'production' THEN 1 ELSE 0 END) AS is_promoted,
    max(CASE WHEN u.cancelled_on_purpose THEN 1 ELSE 0 END) AS is_cancelled
  FROM begun AS b
  JOIN core.use_cases AS u
    ON u.use_case_id = b.use_case AND u.valid_from >= b.day AND u.valid_from <= b.day + INTERVAL 180 DAY
  GROUP BY b.use_case, b.day
)
SELECT day, use_case, business_unit, is_promoted,
  CASE WHEN is_cancelled = 1 AND is_promoted = 0 THEN 0 ELSE 1 END AS is_pursued
FROM states
WHERE day <= (SELECT max(day) FROM facts._calendar)
