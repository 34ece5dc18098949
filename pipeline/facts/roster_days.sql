/*
meaning: >-
  One person on the roster on one day for which training is known, and whether they then held a valid completion of
  every course required of them. Service accounts, leavers and people exempt from all required courses are left out.
continuous: true
needs: [_directory, _identity]
open: SELECT day FROM facts._calendar WHERE day >= (SELECT min(assigned_at) FROM core.training)
reads:
  training: since
  people: since
  identities: all
*/
WITH days AS (
  SELECT CAST(unnest(range(min(assigned_at), max(greatest(assigned_at, coalesce(completed_at, assigned_at))) + INTERVAL 1 DAY,
                           INTERVAL 1 DAY)) AS DATE) AS day
  FROM core.training
),
required AS (
  SELECT coalesce(i.person_id, t.person_id) AS person_id, t.course_id, t.assigned_at, t.completed_at, t.status,
    coalesce(t.valid_to, DATE '9999-12-31') AS valid_to
  FROM core.training AS t LEFT JOIN facts._identity AS i ON i.alias_id = t.person_id
  WHERE t.is_required
),
changes AS (
  SELECT person_id, assigned_at AS day FROM required
  UNION SELECT person_id, completed_at FROM required WHERE completed_at > assigned_at
  UNION SELECT person_id, valid_to FROM required WHERE valid_to > assigned_at
),
spans AS (
  SELECT person_id, day AS valid_from,
    coalesce(lead(day) OVER (PARTITION BY person_id ORDER BY day), DATE '9999-12-31') AS valid_to
  FROM changes
),
courses AS (
  SELECT s.person_id, s.valid_from, s.valid_to, r.course_id,
    max(CASE WHEN r.status <> 'exempt' THEN 1 ELSE 0 END) AS is_due,
    max(CASE WHEN r.status = 'completed' AND r.completed_at <= s.valid_from AND s.valid_from < r.valid_to
             THEN 1 ELSE 0 END) AS is_held
  FROM spans AS s JOIN required AS r ON r.person_id = s.person_id AND r.assigned_at <= s.valid_from
  GROUP BY s.person_id, s.valid_from, s.valid_to, r.course_id
),
standing AS (
  SELECT person_id, valid_from, valid_to, max(is_due) AS is_due, min(CASE WHEN is_due = 1 THEN is_held END) AS is_trained
  FROM courses GROUP BY person_id, valid_from, valid_to
),
placed AS (
  SELECT d.person_id, d.department, d.region, greatest(d.valid_from, s.valid_from) AS valid_from,
    least(d.valid_to, s.valid_to) AS valid_to, coalesce(s.is_trained, 0) AS is_trained
  FROM facts._directory AS d
  JOIN (
    SELECT * FROM standing
    UNION ALL SELECT person_id, DATE '0001-01-01', min(assigned_at), NULL, NULL FROM required GROUP BY person_id
  ) AS s ON s.person_id = d.person_id AND s.valid_from < d.valid_to AND d.valid_from < s.valid_to
  WHERE NOT d.is_service_account AND coalesce(s.is_due, 1) = 1
  UNION ALL
  SELECT person_id, department, region, valid_from, valid_to, 0 FROM facts._directory
  WHERE NOT is_service_account AND person_id NOT IN (SELECT person_id FROM required)
)
SELECT days.day, p.person_id, p.department, p.region, p.is_trained
FROM days JOIN placed AS p ON p.valid_from <= days.day AND days.day < p.valid_to
