/*
meaning: Every UTC day from the first to the last day on which something happened.
small: true
*/
SELECT unnest(range(first_day, last_day + INTERVAL 1 DAY, INTERVAL 1 DAY))::DATE AS day
FROM (
  SELECT min(day) AS first_day, max(day) AS last_day FROM (
    SELECT CAST(min(started_at) AS DATE) AS day FROM core.sessions UNION ALL SELECT CAST(max(started_at) AS DATE) FROM core.sessions
    UNION ALL SELECT CAST(min(started_at) AS DATE) FROM core.calls UNION ALL SELECT CAST(max(started_at) AS DATE) FROM core.calls
    UNION ALL SELECT CAST(min(started_at) AS DATE) FROM core.tasks UNION ALL SELECT CAST(max(started_at) AS DATE) FROM core.tasks
    UNION ALL SELECT min(date) FROM core.usage_daily UNION ALL SELECT max(date) FROM core.usage_daily
    UNION ALL SELECT CAST(min(created_at) AS DATE) FROM core.scores UNION ALL SELECT CAST(max(created_at) AS DATE) FROM core.scores
    UNION ALL SELECT CAST(min(created_at) AS DATE) FROM core.contacts UNION ALL SELECT CAST(max(created_at) AS DATE) FROM core.contacts
    UNION ALL SELECT CAST(min(responded_at) AS DATE) FROM core.feedback UNION ALL SELECT CAST(max(responded_at) AS DATE) FROM core.feedback
    UNION ALL SELECT CAST(min(coalesce(impact_start_at, detected_at)) AS DATE) FROM core.incidents UNION ALL SELECT CAST(max(coalesce(impact_start_at, detected_at)) AS DATE) FROM core.incidents
    UNION ALL SELECT CAST(min(finished_at) AS DATE) FROM core.deployments UNION ALL SELECT CAST(max(finished_at) AS DATE) FROM core.deployments
    UNION ALL SELECT CAST(min(window_start) AS DATE) FROM core.availability UNION ALL SELECT CAST(max(window_start) AS DATE) FROM core.availability
    UNION ALL SELECT min(assigned_at) FROM core.training UNION ALL SELECT max(greatest(assigned_at, coalesce(completed_at, assigned_at))) FROM core.training
    UNION ALL SELECT CAST(min(started_at) AS DATE) FROM core.evaluation_runs UNION ALL SELECT CAST(max(started_at) AS DATE) FROM core.evaluation_runs
    UNION ALL SELECT CAST(min(started_at) AS DATE) FROM core.attack_attempts UNION ALL SELECT CAST(max(started_at) AS DATE) FROM core.attack_attempts
    UNION ALL SELECT CAST(min(coalesce(answered_at, invited_at)) AS DATE) FROM core.survey_invites UNION ALL SELECT CAST(max(coalesce(answered_at, invited_at)) AS DATE) FROM core.survey_invites
    UNION ALL SELECT CAST(min(requested_at) AS DATE) FROM core.prompt_versions UNION ALL SELECT CAST(max(requested_at) AS DATE) FROM core.prompt_versions
    UNION ALL SELECT min(used_on) FROM core.components UNION ALL SELECT max(used_on) FROM core.components
  )
)
WHERE first_day IS NOT NULL
