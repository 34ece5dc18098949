/*
meaning: >-
  One person on the day of their first completion of a required course, with whether they were active in at least two of
  the four weeks after it, and in two of the four before. Left out are people who left within the four weeks, service
  accounts, and everybody for whose four weeks usage is not known yet.
continuous: true
needs: [_directory, _identity]
open: >-
  SELECT DISTINCT completed_at AS day FROM (
    SELECT min(completed_at) AS completed_at FROM core.training WHERE is_required AND status = 'completed' GROUP BY person_id)
  WHERE completed_at >= (SELECT min(date) FROM core.usage_daily) - 1
    AND completed_at <= (SELECT max(date) FROM core.usage_daily) - 28
reads:
  training: >-
    SELECT unnest([x.completed_at, o.completed_at]) AS day
    FROM (SELECT coalesce(i.person_id, c.person_id) AS person_id, c.completed_at
          FROM changed AS c LEFT JOIN facts._identity AS i ON i.alias_id = c.person_id
          WHERE c.is_required AND c.status = 'completed') AS x
    LEFT JOIN (SELECT coalesce(i.person_id, t.person_id) AS person_id, min(t.completed_at) AS completed_at
               FROM core.training AS t LEFT JOIN facts._identity AS i ON i.alias_id = t.person_id
               WHERE t.is_required AND t.status = 'completed' AND t._load_id < $since GROUP BY ALL) AS o
      ON o.person_id = x.person_id
    WHERE o.completed_at IS NULL OR x.completed_at <= o.completed_at
  usage_daily: >-
    SELECT t.completed_at AS day FROM core.training AS t JOIN (SELECT DISTINCT date FROM changed) AS u
      ON t.completed_at >= u.date - INTERVAL 28 DAY AND t.completed_at <= u.date + INTERVAL 28 DAY
  people: SELECT t.completed_at AS day FROM core.training AS t WHERE EXISTS (SELECT 1 FROM changed)
  identities: SELECT t.completed_at AS day FROM core.training AS t WHERE EXISTS (SELECT 1 FROM changed)
within:
  usage_daily: >-
    SELECT rowid FROM core.usage_daily WHERE date >= $first - 28 AND date <= $last + 28 AND active
    UNION ALL (SELECT rowid FROM core.usage_daily ORDER BY date LIMIT 1)
    UNION ALL (SELECT rowid FROM core.usage_daily ORDER BY date DESC LIMIT 1)
*/
WITH first AS (
  SELECT coalesce(i.person_id, t.person_id) AS person_id, min(t.completed_at) AS day
  FROM core.training AS t LEFT JOIN facts._identity AS i ON i.alias_id = t.person_id
  WHERE t.is_required AND t.status = 'completed' AND t.completed_at IS NOT NULL
  GROUP BY coalesce(i.person_id, t.person_id)
),
known AS (SELECT min(date) AS first_day, max(date) AS last_day FROM core.usage_daily),
active AS (
  SELECT DISTINCT coalesce(i.person_id, u.person_id) AS person_id, u.date AS day
  FROM core.usage_daily AS u LEFT JOIN facts._identity AS i ON i.alias_id = u.person_id
  WHERE u.active
),
weeks AS (
  SELECT f.person_id,
    count(DISTINCT CASE WHEN a.day > f.day THEN floor((a.day - f.day - 1) / 7) END) AS weeks_after,
    count(DISTINCT CASE WHEN a.day < f.day THEN floor((f.day - a.day - 1) / 7) END) AS weeks_before
  FROM first AS f
  JOIN active AS a ON a.person_id = f.person_id AND a.day >= f.day - 28 AND a.day <= f.day + 28
  GROUP BY f.person_id
),
listed AS (SELECT DISTINCT person_id FROM core.people)
SELECT f.day, f.person_id, coalesce(d.department, 'unknown') AS department,
  CASE WHEN w.weeks_after >= 2 THEN 1 ELSE 0 END AS is_user, CASE WHEN w.weeks_before >= 2 THEN 1 ELSE 0 END AS was_user
FROM first AS f
JOIN known AS k ON k.first_day <= f.day + 1 AND f.day + 28 <= k.last_day
LEFT JOIN weeks AS w ON w.person_id = f.person_id
LEFT JOIN listed AS l ON l.person_id = f.person_id
LEFT JOIN facts._directory AS d ON d.person_id = f.person_id AND d.valid_from <= f.day AND f.day < d.valid_to
LEFT JOIN facts._directory AS e ON e.person_id = f.person_id AND e.valid_from <= f.day + 28 AND f.day + 28 < e.valid_to
WHERE NOT coalesce(d.is_service_account, FALSE) AND (l.person_id IS NULL OR (d.person_id IS NOT NULL AND e.person_id IS NOT NULL))
