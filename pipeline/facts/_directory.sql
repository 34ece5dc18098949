/*
meaning: The staff directory with spans that never overlap, so that a join on a day finds one row at most.
small: true
*/
SELECT person_id, valid_from,
  least(coalesce(valid_to, DATE '9999-12-31'),
        coalesce(lead(valid_from) OVER (PARTITION BY person_id ORDER BY valid_from), DATE '9999-12-31')) AS valid_to,
  coalesce(department, 'unknown') AS department,
  coalesce(region, 'unknown') AS region,
  coalesce(is_service_account, FALSE) AS is_service_account
FROM core.people
