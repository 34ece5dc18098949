/*
meaning: One output that was screened for safety, and whether it was flagged; a flag is not yet a violation.
needs: [_judged_sessions]
deeds: session_key
follows: session_costs
reads:
  scores: own
  calls: >-
    SELECT facts.utc_day(x.created_at) AS day
    FROM (SELECT call_id AS target_id FROM changed UNION ALL SELECT trace_id FROM changed) JOIN core.scores AS x USING (target_id)
  tasks: SELECT facts.utc_day(x.created_at) AS day FROM changed JOIN core.scores AS x ON x.target_id = changed.task_id
  sessions: >-
    SELECT facts.utc_day(x.created_at) AS day
    FROM (SELECT session_id AS target_id FROM changed
          UNION ALL SELECT unnest([c.call_id, c.trace_id]) FROM changed JOIN core.calls AS c USING (session_id)
          UNION ALL SELECT t.task_id FROM changed JOIN core.tasks AS t USING (session_id)) JOIN core.scores AS x USING (target_id)
  identities: all
*/
SELECT facts.utc_day(created_at) AS day, x.score_id, j.session_key, j.person_id, coalesce(use_case_id, 'unknown') AS use_case,
  CASE WHEN label = 'flagged' THEN 1 ELSE 0 END AS is_flagged
FROM core.scores AS x
LEFT JOIN facts._judged_sessions AS j ON j.score_id = x.score_id
WHERE metric = 'safety_flag'
