/*
meaning: >-
  One answer that a person and a judge both labelled for groundedness; the person is taken to be right. Answers of which
  either says that they claim nothing are left out.
reads:
  judge_calibration: own
*/
SELECT facts.utc_day(labelled_at) AS day, item_id, evaluator_id || ' ' || evaluator_version AS judge,
  CASE WHEN human_label = 'grounded' THEN 1 ELSE 0 END AS is_good,
  CASE WHEN judge_label = 'grounded' THEN 1 ELSE 0 END AS is_passed
FROM core.judge_calibration
WHERE metric = 'grounded' AND human_label <> 'no_claims' AND judge_label <> 'no_claims'
