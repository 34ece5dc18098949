/*
meaning: >-
  One production session that a person read for safety, and whether a violation reached the user. The last verdict of a
  person counts; what a classifier flagged is no verdict.
needs: [_identity]
deeds: session_key
reads:
  scores: >-
    SELECT CAST(unnest([x.created_at, s.started_at]) AS DATE) AS day
    FROM (SELECT target_id, created_at FROM changed WHERE metric = 'safety_violation'
          UNION ALL
          SELECT o.target_id, o.created_at FROM changed JOIN core.scores AS o
            ON o.target_id = changed.target_id AND o.metric = changed.metric
          WHERE o.metric = 'safety_violation') AS x
    LEFT JOIN core.sessions AS s ON s.session_id = x.target_id
  sessions: >-
    SELECT facts.utc_day(started_at) AS day FROM changed
    UNION ALL SELECT facts.utc_day(o.created_at) FROM changed JOIN core.scores AS o ON o.target_id = changed.session_id
    WHERE o.metric = 'safety_violation'
  identities: all
*/
WITH verdicts AS (
  SELECT target_id, created_at, use_case_id, label,
    row_number() OVER (PARTITION BY target_id ORDER BY created_at DESC, score_id DESC) AS place
  FROM core.scores
  WHERE metric = 'safety_violation' AND target_type = 'session' AND evaluator_kind = 'human' AND label IS NOT NULL
    AND target_id IS NOT NULL
)
SELECT facts.utc_day(coalesce(s.started_at, v.created_at)) AS day, v.target_id AS session_key,
  coalesce(i.person_id, s.person_id) AS person_id,
  coalesce(s.use_case_id, v.use_case_id, 'unknown') AS use_case,
  CASE WHEN v.label LIKE 'violation%' THEN 1 ELSE 0 END AS is_violation,
  CASE WHEN v.label = 'violation_high' THEN 1 ELSE 0 END AS is_severe
FROM verdicts AS v
LEFT JOIN core.sessions AS s ON s.session_id = v.target_id
LEFT JOIN facts._identity AS i ON i.alias_id = s.person_id
WHERE v.place = 1 AND coalesce(s.environment, 'production') = 'production' AND NOT coalesce(s.is_synthetic, FALSE)
