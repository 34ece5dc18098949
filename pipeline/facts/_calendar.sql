/*
meaning: Every UTC day from the first to the last day on which something happened.
*/
SELECT unnest(range(first_day, last_day + INTERVAL 1 DAY, INTERVAL 1 DAY))::DATE AS day
FROM (
  SELECT min(day) AS first_day, max(day) AS last_day FROM (
    SELECT min(CAST(started_at AS DATE)) AS day FROM core.sessions UNION ALL SELECT max(CAST(started_at AS DATE)) FROM core.sessions
    UNION ALL SELECT min(CAST(started_at AS DATE)) FROM core.calls UNION ALL SELECT max(CAST(started_at AS DATE)) FROM core.calls
    UNION ALL SELECT min(CAST(started_at AS DATE)) FROM core.tasks UNION ALL SELECT max(CAST(started_at AS DATE)) FROM core.tasks
    UNION ALL SELECT min(date) FROM core.usage_daily UNION ALL SELECT max(date) FROM core.usage_daily
    UNION ALL SELECT min(CAST(created_at AS DATE)) FROM core.scores UNION ALL SELECT max(CAST(created_at AS DATE)) FROM core.scores
    UNION ALL SELECT min(CAST(created_at AS DATE)) FROM core.contacts UNION ALL SELECT max(CAST(created_at AS DATE)) FROM core.contacts
    UNION ALL SELECT min(CAST(responded_at AS DATE)) FROM core.feedback UNION ALL SELECT max(CAST(responded_at AS DATE)) FROM core.feedback
    UNION ALL SELECT min(CAST(coalesce(impact_start_at, detected_at) AS DATE)) FROM core.incidents UNION ALL SELECT max(CAST(coalesce(impact_start_at, detected_at) AS DATE)) FROM core.incidents
    UNION ALL SELECT min(CAST(finished_at AS DATE)) FROM core.deployments UNION ALL SELECT max(CAST(finished_at AS DATE)) FROM core.deployments
    UNION ALL SELECT min(CAST(window_start AS DATE)) FROM core.availability UNION ALL SELECT max(CAST(window_start AS DATE)) FROM core.availability
    UNION ALL SELECT min(assigned_at) FROM core.training UNION ALL SELECT max(greatest(assigned_at, coalesce(completed_at, assigned_at))) FROM core.training
    UNION ALL SELECT min(CAST(started_at AS DATE)) FROM core.evaluation_runs UNION ALL SELECT max(CAST(started_at AS DATE)) FROM core.evaluation_runs
    UNION ALL SELECT min(CAST(started_at AS DATE)) FROM core.attack_attempts UNION ALL SELECT max(CAST(started_at AS DATE)) FROM core.attack_attempts
    UNION ALL SELECT min(CAST(coalesce(answered_at, invited_at) AS DATE)) FROM core.survey_invites UNION ALL SELECT max(CAST(coalesce(answered_at, invited_at) AS DATE)) FROM core.survey_invites
    UNION ALL SELECT min(CAST(requested_at AS DATE)) FROM core.prompt_versions UNION ALL SELECT max(CAST(requested_at AS DATE)) FROM core.prompt_versions
    UNION ALL SELECT min(used_on) FROM core.components UNION ALL SELECT max(used_on) FROM core.components
  )
)
WHERE first_day IS NOT NULL
