/*
meaning: One output that was screened for safety, and whether it was flagged; a flag is not yet a violation.
reads:
  scores: own
*/
SELECT facts.utc_day(created_at) AS day, score_id, coalesce(use_case_id, 'unknown') AS use_case,
  CASE WHEN label = 'flagged' THEN 1 ELSE 0 END AS is_flagged
FROM core.scores
WHERE metric = 'safety_flag'
