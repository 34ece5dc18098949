/*
meaning: One incident whose start of impact is known, neither cancelled nor a duplicate of another.
reads:
  incidents: own
*/
SELECT facts.utc_day(impact_start_at) AS day, incident_id, service, coalesce(severity, 'unknown') AS severity,
  impact_start_at, resolved_at
FROM core.incidents
WHERE state NOT IN ('cancelled', 'duplicate') AND impact_start_at IS NOT NULL
