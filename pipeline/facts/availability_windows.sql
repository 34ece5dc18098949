/*
meaning: One window of a service outside declared maintenance, with its good and valid requests.
reads:
  availability: own
*/
SELECT facts.utc_day(window_start) AS day, service, good, valid
FROM core.availability
WHERE NOT coalesce(in_maintenance, FALSE)
