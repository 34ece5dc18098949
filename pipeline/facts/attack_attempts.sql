/*
meaning: >-
  One attack of a red team, and whether it was resisted. One that ended in an error, or of which nobody says how it
  ended, tested nothing. A suite stands with its version, where the run tells it: another version is another test.
reads:
  attack_attempts: own
  evaluation_runs: SELECT facts.utc_day(a.started_at) AS day FROM changed JOIN core.attack_attempts AS a USING (run_id)
*/
SELECT facts.utc_day(a.started_at) AS day, a.attempt_id,
  a.suite || coalesce(' ' || r.suite_version, '') AS suite, coalesce(a.model, r.model, 'unknown') AS model,
  coalesce(a.technique, 'unknown') AS technique,
  CASE WHEN a.status = 'ok' AND a.goal_reached IS NOT NULL THEN 1 ELSE 0 END AS is_tested,
  CASE WHEN a.status = 'ok' AND NOT a.goal_reached THEN 1 ELSE 0 END AS is_resisted,
  CASE WHEN a.status = 'ok' AND a.benign_task_ok THEN 1 ELSE 0 END AS is_benign_done
FROM core.attack_attempts AS a
LEFT JOIN core.evaluation_runs AS r ON r.run_id = a.run_id
