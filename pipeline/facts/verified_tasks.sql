/*
meaning: >-
  One task that somebody verified as done, with the hours it took less than the same task takes without AI (measured
  beforehand). Fewer hours than nothing are possible: a slow task counts against the total.
needs: [_directory, _identity]
deeds: session_key
reads:
  tasks: own
  sessions: SELECT facts.utc_day(t.started_at) AS day FROM changed JOIN core.tasks AS t USING (session_id)
  people: since
  identities: all
*/
SELECT facts.utc_day(t.started_at) AS day, t.task_id, coalesce(t.session_id, t.task_id) AS session_key,
  coalesce(i.person_id, s.person_id) AS person_id,
  coalesce(t.use_case_id, 'unknown') AS use_case, coalesce(d.department, 'unknown') AS department,
  CAST(round((CAST(t.baseline_minutes AS DOUBLE) * 6e7 - (epoch_us(t.ended_at) - epoch_us(t.started_at))) / 3.6e9, 9)
       AS DECIMAL(18, 9)) AS hours_saved
FROM core.tasks AS t
LEFT JOIN core.sessions AS s ON s.session_id = t.session_id
LEFT JOIN facts._identity AS i ON i.alias_id = s.person_id
LEFT JOIN facts._directory AS d ON d.person_id = coalesce(i.person_id, s.person_id)
  AND d.valid_from <= facts.utc_day(t.started_at) AND facts.utc_day(t.started_at) < d.valid_to
WHERE t.outcome = 'success' AND t.outcome_source = 'verified' AND t.baseline_minutes IS NOT NULL AND t.ended_at IS NOT NULL
  AND coalesce(s.environment, 'production') = 'production' AND NOT coalesce(s.is_synthetic, FALSE)
