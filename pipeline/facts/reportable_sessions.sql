/*
meaning: >-
  One production session in which a wrong answer could have been reported, and whether somebody did, however often. A
  session counts only within a week of some feedback that reached us, and only where reports are exported at all:
  without the export no report is not the same as none.
needs: [_identity]
continuous: true
deeds: session_key
alike: session_costs
open: SELECT day FROM facts._calendar WHERE EXISTS (SELECT 1 FROM core.feedback WHERE kind = 'report')
reads:
  feedback: >-
    SELECT facts.utc_day(s.started_at) AS day FROM changed JOIN core.sessions AS s USING (session_id)
    UNION ALL
    SELECT c.day FROM facts._calendar AS c
    JOIN (SELECT DISTINCT facts.utc_day(responded_at) AS heard FROM changed) AS f
      ON c.day >= f.heard - INTERVAL 7 DAY AND c.day <= f.heard + INTERVAL 7 DAY
  sessions: own
  identities: all
*/
WITH heard AS (SELECT DISTINCT facts.utc_day(responded_at) AS day FROM core.feedback),
covered AS (
  SELECT DISTINCT CAST(unnest(range(day - INTERVAL 7 DAY, day + INTERVAL 8 DAY, INTERVAL 1 DAY)) AS DATE) AS day FROM heard
),
reports AS (
  SELECT session_id, max(CASE WHEN confirmed THEN 1 ELSE 0 END) AS is_confirmed
  FROM core.feedback WHERE kind = 'report' AND session_id IS NOT NULL GROUP BY session_id
)
SELECT facts.utc_day(s.started_at) AS day, s.session_id AS session_key, coalesce(i.person_id, s.person_id) AS person_id,
  coalesce(s.use_case_id, 'unknown') AS use_case, coalesce(s.channel, 'unknown') AS channel,
  CASE WHEN r.session_id IS NULL THEN 0 ELSE 1 END AS is_reported, coalesce(r.is_confirmed, 0) AS is_confirmed
FROM core.sessions AS s
JOIN covered AS c ON c.day = facts.utc_day(s.started_at)
LEFT JOIN reports AS r ON r.session_id = s.session_id
LEFT JOIN facts._identity AS i ON i.alias_id = s.person_id
WHERE coalesce(s.environment, 'production') = 'production' AND NOT coalesce(s.is_synthetic, FALSE)
  AND EXISTS (SELECT 1 FROM core.feedback WHERE kind = 'report')
