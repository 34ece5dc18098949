/*
meaning: One version of a prompt that was asked for, with the moments it was asked for, evaluated and live.
reads:
  prompt_versions: own
*/
SELECT facts.utc_day(requested_at) AS day, prompt_name || ' ' || version AS prompt_version, prompt_name AS prompt,
  requested_at, evaluated_at, live_at
FROM core.prompt_versions
WHERE requested_at IS NOT NULL
