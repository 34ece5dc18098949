/*
meaning: >-
  One answer to a satisfaction question, with AI or from the baseline without. It is a top-2 answer when it is one of
  the two best points of its scale.
needs: [_identity]
reads:
  feedback: own
  identities: all
*/
SELECT facts.utc_day(f.responded_at) AS day, f.feedback_id, coalesce(i.person_id, f.person_id, f.feedback_id) AS respondent,
  f.variant, coalesce(f.channel, 'unknown') AS channel,
  strftime(f.responded_at, '%Y-%m-%dT%H:%M:%S.%f') || ' ' || f.feedback_id AS first_order,
  CASE WHEN f.score >= f.scale_max - 1 THEN 1 ELSE 0 END AS is_top2
FROM core.feedback AS f
LEFT JOIN facts._identity AS i ON i.alias_id = f.person_id
WHERE f.kind = 'csat' AND f.score IS NOT NULL AND f.scale_max IS NOT NULL AND f.variant IS NOT NULL
