/*
meaning: >-
  One day, service and type of change with the production deployments that were finished on it; 0 on a day within 31
  days of some deployment, while longer silence is a missing export.
continuous: true
needs: [_calendar, deployments]
open: >-
  SELECT DISTINCT CAST(unnest(range(day - INTERVAL 31 DAY, day + INTERVAL 32 DAY, INTERVAL 1 DAY)) AS DATE) AS day
  FROM (SELECT DISTINCT facts.utc_day(coalesce(finished_at, started_at)) AS day FROM core.deployments)
reads:
  deployments:
    - >-
      SELECT DISTINCT CAST(unnest(range(day - INTERVAL 31 DAY, day + INTERVAL 32 DAY, INTERVAL 1 DAY)) AS DATE) AS day
      FROM (SELECT DISTINCT facts.utc_day(coalesce(finished_at, started_at)) AS day FROM changed)
    - >-
      SELECT day FROM facts._calendar WHERE EXISTS (
        SELECT service, coalesce(change_type, 'unknown') FROM changed
        WHERE coalesce(environment, 'production') = 'production' AND finished_at IS NOT NULL
        EXCEPT
        SELECT service, change_type FROM facts.deployments WHERE deployment_id NOT IN (SELECT deployment_id FROM changed))
*/
WITH finished AS (
  SELECT day, service, change_type, count(*) AS deployments FROM facts.deployments GROUP BY day, service, change_type
),
heard AS (SELECT DISTINCT facts.utc_day(coalesce(finished_at, started_at)) AS day FROM core.deployments),
covered AS (
  SELECT DISTINCT CAST(unnest(range(day - INTERVAL 31 DAY, day + INTERVAL 32 DAY, INTERVAL 1 DAY)) AS DATE) AS day FROM heard
)
SELECT c.day, k.service, k.change_type, coalesce(f.deployments, 0) AS deployments
FROM facts._calendar AS c
JOIN covered AS v ON v.day = c.day
CROSS JOIN (SELECT DISTINCT service, change_type FROM finished) AS k
LEFT JOIN finished AS f ON f.day = c.day AND f.service = k.service AND f.change_type = k.change_type
