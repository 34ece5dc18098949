/*
meaning: >-
  One incident that was neither cancelled nor a duplicate, with the minutes from the start of impact until it was
  noticed; empty when either moment is unknown. What was noticed before it hurt anybody took no time.
reads:
  incidents: SELECT facts.utc_day(coalesce(impact_start_at, detected_at)) AS day FROM changed
*/
SELECT facts.utc_day(coalesce(impact_start_at, detected_at)) AS day, incident_id, service,
  coalesce(severity, 'unknown') AS severity,
  CASE WHEN detected_at < impact_start_at THEN 0
       ELSE CAST(round((epoch_us(detected_at) - epoch_us(impact_start_at)) / 6e7, 6) AS DECIMAL(18, 6)) END AS detection_minutes
FROM core.incidents
WHERE state NOT IN ('cancelled', 'duplicate') AND coalesce(impact_start_at, detected_at) IS NOT NULL
