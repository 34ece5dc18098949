/*
meaning: >-
  Which session a score is about, and who held it. A score of something nobody knows the session of has a session of its
  own, and one of a test item, which nobody asked, has none.
needs: [_identity]
reads:
  calls: >-
    SELECT facts.utc_day(x.created_at) AS day
    FROM (SELECT call_id AS target_id FROM changed UNION ALL SELECT trace_id FROM changed)
    JOIN core.scores AS x USING (target_id)
  tasks: SELECT facts.utc_day(x.created_at) AS day FROM changed JOIN core.scores AS x ON x.target_id = changed.task_id
  sessions: >-
    SELECT facts.utc_day(x.created_at) AS day
    FROM (SELECT session_id AS target_id FROM changed
          UNION ALL SELECT unnest([c.call_id, c.trace_id]) FROM changed JOIN core.calls AS c USING (session_id)
          UNION ALL SELECT t.task_id FROM changed JOIN core.tasks AS t USING (session_id))
    JOIN core.scores AS x USING (target_id)
  identities: all
*/
WITH sought AS (SELECT score_id, target_type, target_id FROM core.scores WHERE coalesce(target_type, '') <> 'item'),
found AS (
  SELECT score_id, target_id AS session_id, NULL AS alias_id FROM sought WHERE target_type = 'session'
  UNION ALL
  SELECT x.score_id, t.session_id, NULL FROM sought AS x JOIN core.tasks AS t ON t.task_id = x.target_id
  WHERE x.target_type = 'task'
  UNION ALL
  SELECT x.score_id, c.session_id, c.person_id FROM sought AS x JOIN core.calls AS c ON c.call_id = x.target_id
  WHERE x.target_type = 'call'
  UNION ALL
  SELECT x.score_id, c.session_id, c.person_id FROM sought AS x JOIN core.calls AS c ON c.trace_id = x.target_id
  WHERE x.target_type = 'trace'
),
placed AS (SELECT score_id, min(session_id) AS session_id, min(alias_id) AS alias_id FROM found GROUP BY score_id)
SELECT x.score_id, coalesce(p.session_id, x.target_id, x.score_id) AS session_key,
  coalesce(i.person_id, s.person_id, p.alias_id) AS person_id
FROM sought AS x
LEFT JOIN placed AS p ON p.score_id = x.score_id
LEFT JOIN core.sessions AS s ON s.session_id = p.session_id
LEFT JOIN facts._identity AS i ON i.alias_id = coalesce(s.person_id, p.alias_id)
