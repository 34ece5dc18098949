/*
meaning: >-
  One person asked in one survey, with the answer on a scale of 1 to 5; empty when there is none, or none on the scale.
  An answer belongs to the day it was given, an invitation without one to the day it was sent.
needs: [_identity]
reads:
  survey_invites: >-
    SELECT facts.utc_day(coalesce(answered_at, invited_at)) AS day FROM changed
    UNION ALL
    SELECT facts.utc_day(coalesce(v.answered_at, v.invited_at)) FROM changed JOIN core.survey_invites AS v USING (survey_id)
  identities: all
*/
WITH asked AS (
  SELECT v.survey_id, v.audience_role, v.invited_at, v.answered_at, v.score, v.scale_max,
    coalesce(i.person_id, v.person_id) AS respondent,
    row_number() OVER (PARTITION BY v.survey_id, coalesce(i.person_id, v.person_id)
                       ORDER BY CASE WHEN v.score IS NULL THEN 1 ELSE 0 END, v.answered_at, v.invited_at, v.person_id) AS place
  FROM core.survey_invites AS v LEFT JOIN facts._identity AS i ON i.alias_id = v.person_id
)
SELECT facts.utc_day(coalesce(answered_at, invited_at)) AS day, survey_id, respondent,
  coalesce(audience_role, 'unknown') AS audience_role,
  CASE WHEN score BETWEEN 1 AND scale_max AND scale_max > 1
       THEN CAST(round(1 + 4 * (score - 1) / (scale_max - 1), 6) AS DECIMAL(9, 6)) END AS answer_score
FROM asked
WHERE place = 1 AND coalesce(answered_at, invited_at) IS NOT NULL
