/*
meaning: >-
  One finished production deployment, and whether it failed: it was rolled back, needed a fix that names it, or caused
  an incident that names it. Links are read, never guessed.
reads:
  deployments: >-
    SELECT facts.utc_day(finished_at) AS day FROM changed
    UNION ALL SELECT facts.utc_day(d.finished_at) FROM changed JOIN core.deployments AS d ON d.deployment_id = changed.rollback_of
  incidents: >-
    SELECT facts.utc_day(d.finished_at) AS day FROM changed JOIN core.deployments AS d ON d.deployment_id = changed.caused_by_deployment_id
*/
WITH remedied AS (
  SELECT rollback_of AS deployment_id FROM core.deployments
  WHERE rollback_of IS NOT NULL AND coalesce(environment, 'production') = 'production'
  UNION
  SELECT caused_by_deployment_id FROM core.incidents
  WHERE caused_by_deployment_id IS NOT NULL AND state NOT IN ('cancelled', 'duplicate')
)
SELECT facts.utc_day(d.finished_at) AS day, d.deployment_id, d.service, coalesce(d.change_type, 'unknown') AS change_type,
  CASE WHEN d.result IN ('failed', 'rolled_back') OR r.deployment_id IS NOT NULL THEN 1 ELSE 0 END AS is_failed
FROM core.deployments AS d
LEFT JOIN remedied AS r ON r.deployment_id = d.deployment_id
WHERE coalesce(d.environment, 'production') = 'production' AND d.finished_at IS NOT NULL AND coalesce(d.result, '') <> 'cancelled'
