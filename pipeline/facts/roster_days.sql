/*
meaning: >-
  One person on the roster on one day for which training is known, and whether they then held a valid completion of
  every course required of them. Service accounts, leavers and people exempt from all required courses are left out.
continuous: true
needs: [_directory, _identity]
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
courses AS (
  SELECT days.day, r.person_id, r.course_id,
    max(CASE WHEN r.status <> 'exempt' THEN 1 ELSE 0 END) AS is_due,
    max(CASE WHEN r.status = 'completed' AND r.completed_at <= days.day AND days.day < r.valid_to THEN 1 ELSE 0 END) AS is_held
  FROM days JOIN required AS r ON r.assigned_at <= days.day
  GROUP BY days.day, r.person_id, r.course_id
),
standing AS (
  SELECT day, person_id, max(is_due) AS is_due, min(CASE WHEN is_due = 1 THEN is_held END) AS is_trained
  FROM courses GROUP BY day, person_id
)
SELECT days.day, d.person_id, d.department, d.region, coalesce(s.is_trained, 0) AS is_trained
FROM days
JOIN facts._directory AS d ON d.valid_from <= days.day AND days.day < d.valid_to
LEFT JOIN standing AS s ON s.day = days.day AND s.person_id = d.person_id
WHERE NOT d.is_service_account AND coalesce(s.is_due, 1) = 1
