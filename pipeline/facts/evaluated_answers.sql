/*
meaning: >-
  One answer judged for groundedness; it is grounded only when every claim in it is supported: labelled so or, without a
  label, with a value of 1. One with neither has no verdict and, like one without claims, counts as no answer with
  claims. The judge is named with its version, and is empty where a person judged.
needs: [_judged_sessions]
deeds: CASE WHEN has_claims = 1 THEN session_key END
follows: session_costs
reads:
  scores: own
*/
SELECT facts.utc_day(created_at) AS day, x.score_id, j.session_key, j.person_id,
  coalesce(use_case_id, 'unknown') AS use_case,
  coalesce(evaluator_kind, 'unknown') AS evaluator_kind,
  CASE WHEN evaluator_kind = 'human' THEN NULL
    ELSE coalesce(evaluator_id, 'unknown') || ' ' || coalesce(evaluator_version, '') END AS judge,
  CASE WHEN label = 'no_claims' OR (label IS NULL AND value IS NULL) THEN 0 ELSE 1 END AS has_claims,
  CASE WHEN label = 'grounded' OR (label IS NULL AND value >= 1) THEN 1 ELSE 0 END AS is_grounded
FROM core.scores AS x
LEFT JOIN facts._judged_sessions AS j ON j.score_id = x.score_id
WHERE metric = 'grounded'
