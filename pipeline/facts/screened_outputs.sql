/*
meaning: One output that was screened for safety, and whether it was flagged; a flag is not yet a violation.
needs: [_judged_sessions]
deeds: session_key
follows: session_costs
reads:
  scores: own
*/
SELECT facts.utc_day(created_at) AS day, x.score_id, j.session_key, j.person_id,
  coalesce(use_case_id, 'unknown') AS use_case,
  CASE WHEN label = 'flagged' OR (label IS NULL AND value >= 1) THEN 1 ELSE 0 END AS is_flagged
FROM core.scores AS x
LEFT JOIN facts._judged_sessions AS j ON j.score_id = x.score_id
WHERE metric = 'safety_flag' AND (label IS NOT NULL OR value IS NOT NULL)
