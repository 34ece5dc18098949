/*
meaning: >-
  One person entitled to one product on one day for which usage is known, and whether they used it on purpose that day.
  Of a product that never sent any usage nothing is known, so it has no rows.
  Service accounts are left out, and people who had left by that day.
continuous: true
needs: [_directory, _identity]
open: >-
  SELECT day FROM facts._calendar WHERE day >= (SELECT min(date) FROM core.usage_daily)
    AND day <= (SELECT max(date) FROM core.usage_daily) AND EXISTS (SELECT 1 FROM core.entitlements)
reads:
  usage_daily: >-
    SELECT date AS day FROM changed
    UNION ALL
    SELECT c.day FROM facts._calendar AS c WHERE EXISTS (
      SELECT product FROM changed
      EXCEPT
      SELECT product FROM core.usage_daily WHERE _load_id < $since)
  entitlements: span
  people: >-
    SELECT c.day FROM facts._calendar AS c WHERE c.day >= (SELECT min(valid_from) FROM changed)
    UNION ALL
    SELECT c.day FROM facts._calendar AS c
    JOIN core.entitlements AS e ON c.day >= e.valid_from AND (e.valid_to IS NULL OR c.day < e.valid_to)
    LEFT JOIN facts._identity AS i ON i.alias_id = e.person_id
    WHERE coalesce(i.person_id, e.person_id) IN (
      SELECT person_id FROM changed
      EXCEPT
      SELECT person_id FROM core.people WHERE _load_id < $since)
  identities: all
*/
WITH days AS (
  SELECT CAST(unnest(range(min(date), max(date) + INTERVAL 1 DAY, INTERVAL 1 DAY)) AS DATE) AS day FROM core.usage_daily
),
seats AS (
  SELECT coalesce(i.person_id, e.person_id) AS person_id, e.product, e.valid_from,
    coalesce(e.valid_to, DATE '9999-12-31') AS valid_to
  FROM core.entitlements AS e LEFT JOIN facts._identity AS i ON i.alias_id = e.person_id
  WHERE e.product IN (SELECT product FROM core.usage_daily)
),
reached AS (
  SELECT *, max(valid_to) OVER (PARTITION BY person_id, product ORDER BY valid_from, valid_to
                                ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS reached_to
  FROM seats WHERE valid_from < valid_to
),
numbered AS (
  SELECT *, sum(CASE WHEN valid_from <= reached_to THEN 0 ELSE 1 END)
    OVER (PARTITION BY person_id, product ORDER BY valid_from, valid_to ROWS UNBOUNDED PRECEDING) AS stay
  FROM reached
),
stays AS (
  SELECT person_id, product, min(valid_from) AS valid_from, max(valid_to) AS valid_to
  FROM numbered GROUP BY person_id, product, stay
),
placed AS (
  SELECT t.person_id, t.product, d.department, greatest(t.valid_from, d.valid_from) AS valid_from,
    least(t.valid_to, d.valid_to) AS valid_to
  FROM stays AS t JOIN facts._directory AS d
    ON d.person_id = t.person_id AND d.valid_from < t.valid_to AND t.valid_from < d.valid_to
  WHERE NOT d.is_service_account
  UNION ALL
  SELECT person_id, product, 'unknown', valid_from, valid_to FROM stays
  WHERE person_id NOT IN (SELECT person_id FROM core.people)
),
active AS (
  SELECT DISTINCT coalesce(i.person_id, u.person_id) AS person_id, u.product, u.date AS day
  FROM core.usage_daily AS u LEFT JOIN facts._identity AS i ON i.alias_id = u.person_id
  WHERE u.active
)
SELECT days.day, p.person_id, p.product, p.department, CASE WHEN a.person_id IS NULL THEN 0 ELSE 1 END AS is_active
FROM days
JOIN placed AS p ON p.valid_from <= days.day AND days.day < p.valid_to
LEFT JOIN active AS a ON a.person_id = p.person_id AND a.product = p.product AND a.day = days.day
