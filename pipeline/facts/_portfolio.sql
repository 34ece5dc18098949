/*
meaning: The portfolio of use cases with spans that never overlap, so that a join on a day finds one row at most.
small: true
*/
SELECT use_case_id AS use_case, valid_from,
  least(coalesce(valid_to, DATE '9999-12-31'),
        coalesce(lead(valid_from) OVER (PARTITION BY use_case_id ORDER BY valid_from), DATE '9999-12-31')) AS valid_to,
  stage, coalesce(business_unit, 'unknown') AS business_unit, nullif(trim(owner_role), '') AS owner_role,
  coalesce(has_baseline, FALSE) AS has_baseline, coalesce(has_target, FALSE) AS has_target,
  prompt_name, prompt_version, model
FROM core.use_cases
