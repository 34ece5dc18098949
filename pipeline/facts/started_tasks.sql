/*
meaning: >-
  One task somebody began in production, however it ended, and whether somebody verified that it was done. Retries
  belong to their task. A use case in which nobody verifies anything is left out: there success is unknown, not zero.
needs: [_directory, _identity]
deeds: user_key
reads:
  tasks: >-
    SELECT facts.utc_day(started_at) AS day FROM changed
    UNION ALL
    SELECT facts.utc_day(t.started_at) FROM core.tasks AS t
    WHERE coalesce(t.use_case_id, 'unknown') IN (
      SELECT coalesce(use_case_id, 'unknown') FROM changed WHERE outcome_source = 'verified'
      EXCEPT
      SELECT coalesce(use_case_id, 'unknown') FROM core.tasks
      WHERE outcome_source = 'verified' AND _load_id < $since)
  sessions: SELECT facts.utc_day(t.started_at) AS day FROM changed JOIN core.tasks AS t USING (session_id)
  people: since
  identities: all
*/
WITH verifying AS (
  SELECT DISTINCT coalesce(use_case_id, 'unknown') AS use_case FROM core.tasks WHERE outcome_source = 'verified'
)
SELECT facts.utc_day(t.started_at) AS day, t.task_id, coalesce(i.person_id, s.person_id) AS person_id,
  coalesce(i.person_id, s.person_id, t.session_id, t.task_id) AS user_key,
  coalesce(t.use_case_id, 'unknown') AS use_case, coalesce(t.intent, 'unknown') AS intent,
  coalesce(d.department, 'unknown') AS department,
  CASE WHEN t.outcome = 'success' AND t.outcome_source = 'verified' THEN 1 ELSE 0 END AS is_success
FROM core.tasks AS t
JOIN verifying AS v ON v.use_case = coalesce(t.use_case_id, 'unknown')
LEFT JOIN core.sessions AS s ON s.session_id = t.session_id
LEFT JOIN facts._identity AS i ON i.alias_id = s.person_id
LEFT JOIN facts._directory AS d ON d.person_id = coalesce(i.person_id, s.person_id)
  AND d.valid_from <= facts.utc_day(t.started_at) AND facts.utc_day(t.started_at) < d.valid_to
WHERE coalesce(s.environment, 'production') = 'production' AND NOT coalesce(s.is_synthetic, FALSE)
