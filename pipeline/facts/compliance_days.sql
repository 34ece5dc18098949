/*
meaning: >-
  One day on which incidents were watched for, by regime and severity, with the confirmed compliance incidents that began
  on it. A day was watched when an incident of a stated category began or was noticed within 31 days of it; else that no
  incident is known does not mean there was none.
continuous: true
needs: [_calendar]
open: >-
  SELECT DISTINCT CAST(unnest(range(day - INTERVAL 31 DAY, day + INTERVAL 32 DAY, INTERVAL 1 DAY)) AS DATE) AS day
  FROM (SELECT DISTINCT facts.utc_day(coalesce(impact_start_at, detected_at)) AS day FROM core.incidents
        WHERE category IS NOT NULL)
reads:
  incidents:
    - >-
      SELECT DISTINCT CAST(unnest(range(day - INTERVAL 31 DAY, day + INTERVAL 32 DAY, INTERVAL 1 DAY)) AS DATE) AS day
      FROM (SELECT DISTINCT facts.utc_day(coalesce(impact_start_at, detected_at)) AS day FROM changed)
    - >-
      SELECT day FROM facts._calendar WHERE EXISTS (
        SELECT regime, severity FROM changed WHERE category = 'compliance' AND state NOT IN ('cancelled', 'duplicate')
        EXCEPT
        SELECT regime, severity FROM core.incidents
        WHERE category = 'compliance' AND state NOT IN ('cancelled', 'duplicate')
          AND coalesce(impact_start_at, detected_at) IS NOT NULL AND _load_id < $since)
*/
WITH dated AS (
  SELECT facts.utc_day(coalesce(impact_start_at, detected_at)) AS day, category, coalesce(regime, 'unknown') AS regime,
    coalesce(severity, 'unknown') AS severity, state
  FROM core.incidents
  WHERE category IS NOT NULL AND coalesce(impact_start_at, detected_at) IS NOT NULL
),
watched AS (
  SELECT DISTINCT CAST(unnest(range(day - INTERVAL 31 DAY, day + INTERVAL 32 DAY, INTERVAL 1 DAY)) AS DATE) AS day FROM dated
),
confirmed AS (
  SELECT day, regime, severity, count(*) AS incidents FROM dated
  WHERE category = 'compliance' AND state NOT IN ('cancelled', 'duplicate') GROUP BY day, regime, severity
),
kinds AS (
  SELECT DISTINCT regime, severity FROM confirmed
  UNION ALL SELECT 'none so far', 'none so far' WHERE NOT EXISTS (SELECT 1 FROM confirmed)
)
SELECT c.day, k.regime, k.severity, coalesce(f.incidents, 0) AS incidents
FROM facts._calendar AS c
JOIN watched AS w ON w.day = c.day
CROSS JOIN kinds AS k
LEFT JOIN confirmed AS f ON f.day = c.day AND f.regime = k.regime AND f.severity = k.severity
