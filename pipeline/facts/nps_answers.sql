/*
meaning: >-
  One answer from 0 to 10 to the question whether one would recommend the service, with AI or from the baseline
  without: 1 for a promoter (9 or 10), -1 for a detractor (0 to 6), 0 for the rest.
needs: [_identity]
reads:
  feedback: own
  identities: all
*/
SELECT facts.utc_day(f.responded_at) AS day, f.feedback_id, coalesce(i.person_id, f.person_id, f.feedback_id) AS respondent,
  f.variant, coalesce(f.channel, 'unknown') AS channel,
  strftime(f.responded_at, '%Y-%m-%dT%H:%M:%S.%f') || ' ' || f.feedback_id AS first_order,
  CASE WHEN f.score >= 9 THEN 1 WHEN f.score <= 6 THEN -1 ELSE 0 END AS recommends
FROM core.feedback AS f
LEFT JOIN facts._identity AS i ON i.alias_id = f.person_id
WHERE f.kind = 'nps' AND f.score BETWEEN 0 AND 10 AND coalesce(f.scale_max, 10) = 10 AND f.variant IS NOT NULL
